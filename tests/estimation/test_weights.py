"""Sample weights: the numbers are scikit-learn's own with sample_weight, and nothing but fits is weighted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from samebits.candidates.materials import Materials
from samebits.errors import ConfigError, DataError
from samebits.estimation.weights import Weights
from samebits.training.result import Result

LOGISTIC = {"logistic_regression": {"max_iter": 300}}


def make_weighted(n: int = 150) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=(2, n))
    label = np.where(x + 0.5 * z + rng.normal(size=n) > 0.8, "yes", "no")
    return pd.DataFrame({"x": x, "z": z, "w": np.round(rng.random(n) * 9), "y": label})


def weigh(kind: str, column: np.ndarray, y: np.ndarray) -> np.ndarray:
    by_class = {"column": None, "balanced": "balanced", "mapping": {"no": 1.0, "yes": 4.0}, "both": "balanced"}[kind]
    own = column if kind in ("column", "both") else np.ones(len(y))
    return own * compute_sample_weight(by_class, y)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("column", {"column": "w"}),
        ("balanced", {"classes": "balanced"}),
        ("mapping", {"classes": {"yes": 4.0}}),
        ("both", {"column": "w", "classes": "balanced"}),
    ],
)
def test_every_fit_is_weighted_as_scikit_learn_weighs_it_and_scores_are_not(
    train: Callable[..., tuple[Materials, Result]], kind: str, keys: dict[str, Any]
) -> None:
    frame = make_weighted()
    drop = [] if "column" in keys else ["w"]
    materials, result = train(
        frame, models=LOGISTIC, weights=keys, scoring="accuracy", data={"drop": drop}, preprocessing={"outlier_factor": None}
    )

    assert materials.inputs == ["x", "z"]
    split = materials.split
    X, y = np.ascontiguousarray(frame[["x", "z"]]), frame["y"].to_numpy(dtype=np.str_)
    column = frame["w"].to_numpy()

    def fit(rows: np.ndarray) -> Any:
        plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        return plain.fit(X[rows], y[rows], logisticregression__sample_weight=weigh(kind, column[rows], y[rows]))

    scores = []
    for fit_rows, score_rows in split.folds:
        scored = split.train_rows[score_rows]
        scores.append(accuracy_score(y[scored], fit(split.train_rows[fit_rows]).predict(X[scored])))
    assert result.best.scores == scores
    predicted = fit(split.train_rows).predict(X[split.test_rows])
    assert result.metrics["test"]["accuracy"] == accuracy_score(y[split.test_rows], predicted)


def test_weights_move_the_model(train: Callable[..., tuple[Materials, Result]]) -> None:
    _, plain = train(make_weighted(), models=LOGISTIC, data={"drop": ["w"]})
    _, weighted = train(make_weighted(), models=LOGISTIC, weights={"column": "w"})

    assert plain.model_digest != weighted.model_digest


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    y = np.array(["a", "b", "b"])

    assert Weights(np.array([2.0, 1.0, 3.0]), {"a": 0.5}).weigh(y).tolist() == [1.0, 1.0, 3.0]  # type: ignore[union-attr]
    assert Weights().weigh(y) is None


@pytest.mark.parametrize(
    ("model", "inner"),
    [
        (
            {"class": "sklearn.model_selection.GridSearchCV", "param_grid": {"max_depth": [1, 2]}},
            "sklearn.tree.DecisionTreeClassifier",
        ),
        ({"class": "sklearn.ensemble.BaggingClassifier", "n_estimators": 3}, "sklearn.tree.DecisionTreeClassifier"),
    ],
)
def test_an_estimator_that_hands_weights_on_is_weighted(
    train: Callable[..., tuple[Materials, Result]], model: dict[str, Any], inner: str
) -> None:
    models = {"a": {**model, "estimator": {"class": inner}}}

    _, plain = train(make_weighted(), models=models, data={"drop": ["w"]})
    _, weighted = train(make_weighted(), models=models, weights={"column": "w"})

    assert plain.model_digest != weighted.model_digest


@pytest.mark.parametrize(
    "model",
    [
        {"class": "sklearn.neighbors.KNeighborsClassifier"},
        {"class": "sklearn.model_selection.GridSearchCV", "param_grid": {}, "estimator": {"class": "sklearn.neighbors.KNeighborsClassifier"}},
        {"class": "sklearn.pipeline.Pipeline", "steps": [["tree", {"class": "sklearn.tree.DecisionTreeClassifier"}]]},
    ],
)  # fmt: skip
def test_an_estimator_that_takes_no_weights_is_refused_by_name(prepare: Callable[..., Any], model: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"models\.mine: expected an estimator that takes sample weights, found "):
        prepare(make_weighted(), models={"mine": model, "decision_tree": {}}, weights={"column": "w"})


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1.0, None, 1.0] * 50, r"weights\.column: 'w': expected a weight of 0 or more in every row, found a missing value in row 2"),
        ([1.0, 2.0, -0.5] * 50, r"found a negative one in row 3"),
        ([0.0] * 150, r"weights, the training rows: expected a row that weighs more than 0, found none"),
        (["a", "b", "c"] * 50, r"weights\.column: 'w': expected numbers, found a categorical column"),
    ],
)
def test_a_column_that_weighs_nothing_or_less_is_refused(prepare: Callable[..., Any], column: list[Any], expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        prepare(make_weighted().assign(w=column), weights={"column": "w"})


def test_a_column_that_is_not_there_is_refused_with_the_one_that_was_meant(prepare: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"weights\.column: expected a column of .*found 'W'\. Did you mean 'w'\?"):
        prepare(make_weighted(), weights={"column": "W"})


@pytest.mark.parametrize(
    ("target", "classes", "expected"),
    [
        ("y", {"maybe": 2.0}, r"weights\.classes: expected classes of the target, each once, found 'maybe'"),
        ("x", {"yes": 2.0}, r"weights\.classes: expected a classification, found 'yes'"),
        ("x", "balanced", r"weights\.classes: expected a classification, found a regression"),
    ],
)
def test_classes_that_the_target_has_not_are_refused(prepare: Callable[..., Any], target: str, classes: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        prepare(make_weighted(), target=target, weights={"classes": classes}, data={"drop": ["y"] if target == "x" else []})
