"""A target on another scale while models are fitted: everything that is said of it stays in its own unit."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from samebits.candidates.materials import Materials
from samebits.errors import ConfigError, DataError
from samebits.model.file import load_model
from samebits.model.fingerprint import digest_model
from samebits.training.result import Result

PAIRS: dict[str, tuple[Any, Any]] = {"log1p": (np.log1p, np.expm1), "log": (np.log, np.exp), "sqrt": (np.sqrt, np.square)}


def make_prices(n: int = 150) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    x, z = rng.normal(size=(2, n))
    return pd.DataFrame({"x": x, "z": z, "w": rng.integers(1, 5, n).astype(float), "y": np.exp(2 + x + 0.2 * rng.normal(size=n))})


@pytest.mark.parametrize("name", PAIRS)
def test_scores_metrics_and_predictions_are_those_of_scikit_learns_wrapper(
    train: Callable[..., tuple[Materials, Result]], name: str
) -> None:
    frame = make_prices()
    materials, result = train(
        frame, models={"ridge": {}}, data={"target_transform": name, "drop": ["w"]}, preprocessing={"outlier_factor": None}
    )

    split = materials.split
    X, y = np.ascontiguousarray(frame[["x", "z"]]), frame["y"].to_numpy()
    function, inverse = PAIRS[name]

    def fit(rows: np.ndarray) -> Any:
        plain = make_pipeline(StandardScaler(), Ridge())
        return TransformedTargetRegressor(plain, func=function, inverse_func=inverse).fit(X[rows], y[rows])

    scores = []
    for fit_rows, score_rows in split.folds:
        scored = split.train_rows[score_rows]
        scores.append(-root_mean_squared_error(y[scored], fit(split.train_rows[fit_rows]).predict(X[scored])))
    assert result.best.scores == scores
    predicted = fit(split.train_rows).predict(X[split.test_rows])
    table = pd.read_csv(io.BytesIO(result.predictions))
    assert table["predicted"].tolist() == predicted.tolist()
    assert table["recorded"].tolist() == y[split.test_rows].tolist()
    assert result.metrics["test"]["rmse"] == root_mean_squared_error(y[split.test_rows], predicted)


@pytest.mark.parametrize("name", PAIRS)
def test_a_transformed_model_is_stored_under_its_inner_class_and_loads_as_it_was(
    train: Callable[..., tuple[Materials, Result]], name: str
) -> None:
    models = {"boosting": {"max_iter": 3}}
    materials, result = train(make_prices(), models=models, data={"target_transform": name})

    model = load_model(result.model_file)

    assert digest_model(model) == result.model_digest
    assert result.model_class == "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor"
    X, _ = materials.read(materials.split.test_rows)
    table = pd.read_csv(io.BytesIO(result.predictions))
    assert model.predict(X).tolist() == table["predicted"].tolist()


def test_each_transform_makes_a_model_of_its_own(train: Callable[..., tuple[Materials, Result]]) -> None:
    digests = [train(make_prices(), models={"ridge": {}}, data={"target_transform": name})[1].model_digest for name in [None, *PAIRS]]

    assert len(set(digests)) == 4


def test_a_transform_moves_no_seed(prepare: Callable[..., tuple[Any, Materials]]) -> None:
    models = {"random_forest": {"n_estimators": 3}}

    seeds = [prepare(make_prices(), models=models, data={"target_transform": name})[1].seeds for name in (None, "log1p")]

    assert seeds[0] == seeds[1]
    assert "models.random_forest.random_state" in seeds[1]


def test_a_forest_keeps_its_threads_under_a_transform(
    prepare: Callable[..., tuple[Any, Materials]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from samebits.candidates import fitting

    _, materials = prepare(make_prices(), models={"random_forest": {"n_estimators": 3}}, data={"target_transform": "log1p"})
    asked: list[int] = []
    own = fitting.joblib.parallel_config
    monkeypatch.setattr(fitting.joblib, "parallel_config", lambda name, n_jobs: asked.append(n_jobs) or own(name, n_jobs=n_jobs))

    fit = fitting.fit_model("random_forest", materials.candidates["random_forest"], materials.take_training(), 1, 2)

    assert asked == [2]
    assert isinstance(fit.pipeline.steps[-1][1].regressor_, RandomForestRegressor)


def test_weights_reach_the_estimator_inside(train: Callable[..., tuple[Materials, Result]]) -> None:
    frame, data = make_prices(), {"target_transform": "log1p"}
    materials, result = train(frame, models={"ridge": {}}, data=data, weights={"column": "w"}, preprocessing={"outlier_factor": None})

    rows = materials.split.train_rows
    X, y, w = np.ascontiguousarray(frame[["x", "z"]])[rows], np.log1p(frame["y"].to_numpy()[rows]), frame["w"].to_numpy()[rows]
    plain = make_pipeline(StandardScaler(), Ridge()).fit(X, y, ridge__sample_weight=w)
    assert load_model(result.model_file).steps[-1][1].regressor_.coef_.tolist() == plain.steps[-1][1].coef_.tolist()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("log1p", -1.0, r"target 'y': expected values above -1, for log1p, found -1 in row 3\. Choose another"),
        ("log", 0.0, r"target 'y': expected values above 0, for log, found 0 in row 3"),
        ("sqrt", -0.5, r"target 'y': expected values from 0, for sqrt, found -0\.5 in row 3"),
    ],
)
def test_a_value_without_a_transformed_one_is_refused_with_its_row(
    prepare: Callable[..., Any], name: str, value: float, expected: str
) -> None:
    frame = make_prices()
    frame.loc[2, "y"] = value

    with pytest.raises(DataError, match=expected):
        prepare(frame, data={"target_transform": name}, models={"ridge": {}})


def test_zero_has_a_square_root_and_a_log1p(prepare: Callable[..., Any]) -> None:
    frame = make_prices()
    frame.loc[2, "y"] = 0.0

    for name in ("log1p", "sqrt"):
        prepare(frame, data={"target_transform": name}, models={"ridge": {}})


def test_classes_are_not_transformed(prepare: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"data\.target_transform: expected a regression, found a multiclass target"):
        prepare(make_prices(), target="w", data={"target_transform": "log1p"})
