"""Preprocessing, split, selection and scores together, on tables made here: no server, no process of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from samebits.config.loading import load_config
from samebits.errors import ConfigError, DataError
from samebits.training.materials import Materials, prepare_materials
from samebits.training.result import Result, make_result
from samebits.training.scoring import choose_threshold


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[..., tuple[Any, Materials]]:
    def prepare_frame(frame: pd.DataFrame, target: str = "y", **changes: Any) -> tuple[Any, Materials]:
        frame.to_parquet(tmp_path / "table.parquet")
        raw = {
            "name": "a",
            "version": "2026.1.0",
            "seed": 1,
            "data": {"path": str(tmp_path / "table.parquet"), "target": target, **changes.pop("data", {})},
            "models": {"decision_tree": {"max_depth": 3}},
            "cv": {"n_splits": 2},
            **changes,
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True), encoding="utf-8")
        loaded = load_config(path)
        return loaded.config, prepare_materials(loaded, ROOT)

    return prepare_frame


@pytest.fixture
def train(prepare: Callable[..., tuple[Any, Materials]]) -> Callable[..., tuple[Materials, Result]]:
    def train_frame(*args: Any, **changes: Any) -> tuple[Materials, Result]:
        config, materials = prepare(*args, **changes)
        return materials, make_result(config, materials)

    return train_frame


def make_mixed(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=n),
            "whole": rng.integers(0, 9, n),
            "ünïcode [x.y]": rng.choice(["a", "b", "ç"], n),
            "flag": rng.random(n) < 0.3,
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 5000, n), unit="h"),
            "empty": np.full(n, np.nan),
            "constant": 3.0,
            "y": rng.choice(["no", "yes"], n),
        }
    )
    frame.loc[::7, "number"] = np.nan
    frame.loc[::5, "ünïcode [x.y]"] = None
    frame.loc[::11, "when"] = pd.NaT
    return frame.assign(flag=frame["flag"].astype("boolean").mask(frame.index % 13 == 0))


@pytest.mark.parametrize("model", ["logistic_regression", "knn", "svm", "random_forest", "boosting", "naive_bayes"])
def test_a_mixed_table_trains_without_preparation(train: Callable[..., tuple[Materials, Result]], model: str) -> None:
    materials, result = train(make_mixed(), models={model: {}}, data={"positive": "yes"})

    assert materials.target.task == "binary"
    assert len(result.predictions.splitlines()) == 1 + 24


def test_free_text_is_refused_by_name_and_may_be_dropped_or_given_transformers(
    prepare: Callable[..., Any], train: Callable[..., Any]
) -> None:
    frame = make_mixed().assign(comment=[f"note {i} of the shop" for i in range(120)])

    with pytest.raises(DataError, match=r"column 'comment': .*found free text \(120 different values.*data\.drop"):
        prepare(frame)
    prepare(frame, data={"drop": ["comment"]})
    words = {"class": "sklearn.feature_extraction.text.TfidfVectorizer", "ngram_range": [1, 2]}
    train(frame, preprocessing={"columns": [{"columns": ["comment"], "transformers": [words]}]})


def test_the_long_form_gives_columns_their_own_transformers(prepare: Callable[..., tuple[Any, Materials]]) -> None:
    groups = [
        {"columns": ["ünïcode [x.y]"], "transformers": [
            {"class": "sklearn.impute.SimpleImputer", "strategy": "constant", "fill_value": "-"},
            {"class": "sklearn.preprocessing.OrdinalEncoder"},
        ]},
        {"columns": ["whole"], "transformers": [{"class": "sklearn.preprocessing.MinMaxScaler", "feature_range": [-1, 1]}]},
        {"columns": ["constant"], "transformers": []},
    ]  # fmt: skip

    _, materials = prepare(make_mixed(), preprocessing={"columns": groups})
    X, y = materials.take(materials.split.train_rows)
    columns = materials.candidates["decision_tree"].named_steps["columns"].fit(X, y)

    names = columns.get_feature_names_out().tolist()
    assert names[:3] == ["group_0__ünïcode [x.y]", "group_1__whole", "group_2__constant"]
    values = columns.transform(X)
    assert set(values[:, 0]) <= {0.0, 1.0, 2.0, 3.0}
    assert (values[:, 1].min(), values[:, 1].max()) == (-1.0, 1.0)


def test_a_published_pipeline_with_its_seeds_gives_its_numbers(train: Callable[..., tuple[Materials, Result]]) -> None:
    bunch = load_breast_cancer(as_frame=True)
    X, y = bunch.data, bunch.target
    X_train, X_test, y_train, _ = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    published = make_pipeline(MinMaxScaler(), RandomForestClassifier(20, min_samples_leaf=3, random_state=17, n_jobs=2))
    scores = cross_val_score(published, X_train, y_train, cv=KFold(4, shuffle=True, random_state=3), scoring="accuracy")
    probabilities = published.fit(X_train, y_train).set_params(randomforestclassifier__n_jobs=None).predict_proba(X_test)[:, 1]

    _, result = train(
        X.assign(target=y),
        target="target",
        data={"positive": 1},
        split={"test_size": 0.25, "random_state": 0},
        cv={"class": "sklearn.model_selection.KFold", "n_splits": 4, "shuffle": True, "random_state": 3},
        preprocessing={"columns": [{"columns": "all", "transformers": [{"class": "sklearn.preprocessing.MinMaxScaler"}]}]},
        models={"random_forest": {"n_estimators": 20, "min_samples_leaf": 3, "random_state": 17, "n_jobs": 2}},
        scoring="accuracy",
    )

    assert result.scored[0].scores == scores.tolist()
    responses = [float(line.rsplit(b",", 1)[1]) for line in result.predictions.splitlines()[1:]]
    assert responses == probabilities.tolist()


def test_nested_estimators_and_named_steps_are_built(train: Callable[..., tuple[Materials, Result]]) -> None:
    steps = [
        ["pca", {"class": "sklearn.decomposition.PCA", "n_components": 2}],
        ["lr", {"class": "sklearn.linear_model.LogisticRegression"}],
    ]
    models = {
        "pipeline": {"class": "sklearn.pipeline.Pipeline", "steps": steps},
        "bagging": {"class": "sklearn.ensemble.BaggingClassifier", "estimator": {"class": "sklearn.tree.DecisionTreeClassifier"}},
        "network": {"class": "sklearn.neural_network.MLPClassifier", "hidden_layer_sizes": [4, 3], "max_iter": 20},
        "weights": {"class": "sklearn.linear_model.LogisticRegression", "class_weight": {"no": 1, "yes": 5}},
    }

    materials, result = train(make_mixed(), models=models)

    assert {candidate.name for candidate in result.scored} == set(models)
    assert materials.seeds["models.bagging.estimator.random_state"] != materials.seeds["models.bagging.random_state"]


@pytest.mark.parametrize(
    "cv",
    [
        {"class": "sklearn.model_selection.TimeSeriesSplit", "n_splits": 3, "gap": 5, "test_size": 10, "max_train_size": 40},
        {"class": "sklearn.model_selection.RepeatedStratifiedKFold", "n_splits": 2, "n_repeats": 2},
        {"class": "sklearn.model_selection.ShuffleSplit", "n_splits": 3},
        {"class": "sklearn.model_selection.RepeatedKFold", "n_splits": 2, "n_repeats": 2, "random_state": 3},
        {"n_splits": 4},
    ],
)
def test_any_splitter_takes_its_own_parameters(train: Callable[..., tuple[Materials, Result]], cv: dict[str, Any]) -> None:
    materials, result = train(make_mixed(), cv=cv, business={"target_precision": 0.6})

    assert len(materials.split.folds) == len(result.best.scores)
    assert result.threshold is not None


def test_a_split_by_time_trains_on_the_past_in_order(prepare: Callable[..., tuple[Any, Materials]]) -> None:
    frame = make_mixed().assign(when=lambda table: table["when"].fillna(pd.Timestamp("2026-01-01")))

    _, materials = prepare(frame, split={"method": "time", "column": "when", "test_size": 0.25})

    times = frame["when"].to_numpy()
    assert (np.diff(times[materials.split.train_rows]) >= np.timedelta64(0)).all()
    assert times[materials.split.train_rows].max() <= times[materials.split.test_rows].min()
    assert all(fit.max() < score.min() for fit, score in materials.split.folds)


def test_a_split_by_group_keeps_groups_whole_and_out_of_the_features(prepare: Callable[..., tuple[Any, Materials]]) -> None:
    frame = make_mixed().assign(shop=[f"s{i % 12}" for i in range(120)])

    _, materials = prepare(frame, split={"method": "group", "column": "shop"})

    shops = frame["shop"].to_numpy()
    split = materials.split
    assert not set(shops[split.train_rows]) & set(shops[split.test_rows])
    for fit, score in split.folds:
        assert not set(shops[split.train_rows][fit]) & set(shops[split.train_rows][score])
    assert "shop" not in materials.features


def test_a_group_splitter_by_class_keeps_groups_whole_too(prepare: Callable[..., tuple[Any, Materials]]) -> None:
    frame = make_mixed().assign(shop=[f"s{i % 12}" for i in range(120)])
    split = {"class": "sklearn.model_selection.GroupShuffleSplit", "column": "shop", "test_size": 3}

    _, materials = prepare(frame, split=split)

    shops = frame["shop"].to_numpy()
    assert len(set(shops[materials.split.test_rows])) == 3
    assert "shop" not in materials.features
    for fit, score in materials.split.folds:
        assert not set(shops[materials.split.train_rows][fit]) & set(shops[materials.split.train_rows][score])


def test_every_row_is_trained_on_or_tested_and_none_twice(prepare: Callable[..., tuple[Any, Materials]]) -> None:
    _, materials = prepare(make_mixed())

    rows = np.concatenate([materials.split.train_rows, materials.split.test_rows])
    assert sorted(rows) == list(range(120))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"data": {"positive": "maybe"}}, r"data\.positive: expected 'no' or 'yes'"),
        ({"split": {"method": "time", "column": "whn"}}, r"split\.column: .*Did you mean 'when'\?"),
        ({"split": {"method": "time", "column": "when"}}, r"split\.column: 'when': expected a value in every row"),
        ({"features": {"ratios": {"r": ["number", "flagg"]}}}, r"features\.ratios\.r: .*Did you mean 'flag'\?"),
        ({"features": {"ratios": {"number": ["number", "whole"]}}}, r"features: number: expected a new column's name"),
        ({"preprocessing": {"columns": [{"columns": ["numbr"]}]}}, r"preprocessing\.columns\.0\.columns: .*Did you mean 'number'\?"),
        ({"models": {"knn": {"n_neighbors": 500}}}, r"models\.knn, fold 1 of cv: .*n_neighbors"),
        ({"data": {"drop": [name for name in make_mixed() if name != "y"]}}, r"data: expected at least one feature column"),
        ({"cv": {"n_splits": 90}}, r"class 'no' of the target: expected at least 90 training rows"),
    ],
)
def test_what_does_not_fit_the_table_is_refused_in_words(train: Callable[..., Any], changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        train(make_mixed(), **changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"models": {"a": {"class": "sklearn.linear_model.Ridge"}}},
            r"models\.a: expected a classifier, since the task is binary, found a regressor",
        ),
        ({"scoring": "r2"}, r"scoring: expected a scorer for a binary target, found 'r2'"),
        ({"preprocessing": {"columns": [{"columns": ["number", "number"]}]}}, r"expected each column once, found 'number' twice"),
        ({"models": {"linear_regression": {}}}, r"models\.linear_regression: expected a model for binary"),
    ],
)
def test_a_model_of_another_task_is_refused(train: Callable[..., Any], changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        train(make_mixed(), **changes)


def test_the_threshold_has_the_highest_recall_that_keeps_the_precision() -> None:
    rng = np.random.default_rng(0)
    is_positive = rng.random(400) < 0.4
    responses = is_positive * 0.5 + rng.random(400)

    threshold = choose_threshold(is_positive, responses, "predict_proba", 0.8)

    called = responses >= threshold.value
    assert threshold.precision == (is_positive & called).sum() / called.sum() >= 0.8
    assert threshold.recall == (is_positive & called).sum() / is_positive.sum()
    precision, recall, _ = precision_recall_curve(is_positive, responses)
    assert threshold.recall == recall[:-1][precision[:-1] >= 0.8].max()


def test_a_precision_out_of_reach_is_said_and_not_pretended() -> None:
    threshold = choose_threshold(np.array([True, False, True, False]), np.array([0.1, 0.9, 0.2, 0.8]), "predict_proba", 0.99)

    assert threshold.precision < threshold.target_precision


def test_the_stored_model_decides_by_the_threshold(train: Callable[..., tuple[Materials, Result]]) -> None:
    from samebits.model.file import load_model

    materials, result = train(make_mixed(), models={"logistic_regression": {}}, business={"target_precision": 0.5})
    X, _ = materials.take(materials.split.test_rows)
    model = load_model(result.model_file)

    assert result.threshold is not None
    position = list(model.classes_).index(materials.target.positive)
    is_called = model.predict_proba(X)[:, position] >= result.threshold.value
    assert (model.predict(X) == materials.target.positive).tolist() == is_called.tolist()
    assert result.threshold.value != 0.5


def test_folds_run_anywhere_give_the_same_scores(
    prepare: Callable[..., tuple[Any, Materials]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from samebits.training import selection

    config, materials = prepare(make_mixed(), models={"random_forest": {"n_estimators": 10}, "knn": {}}, n_jobs=2)
    here = make_result(config, materials)
    monkeypatch.setattr(selection, "WORKERS_FROM_CELLS", 0)

    in_workers = make_result(config, materials)

    assert in_workers.scored == here.scored
    assert in_workers.model_file == here.model_file


@pytest.mark.parametrize(
    "model",
    [
        {"class": "sklearn.ensemble.StackingClassifier", "estimators": [["t", {"class": "sklearn.tree.DecisionTreeClassifier"}]]},
        {"class": "sklearn.model_selection.HalvingGridSearchCV", "estimator": {"class": "sklearn.tree.DecisionTreeClassifier"},
         "param_grid": {"max_depth": [1, 2]}, "min_resources": 20},
        {"class": "sklearn.ensemble.HistGradientBoostingClassifier", "max_iter": 3, "categorical_features": [0]},
        {"class": "sklearn.model_selection.TunedThresholdClassifierCV", "estimator": {"class": "sklearn.linear_model.LogisticRegression"}},
    ],
)  # fmt: skip
def test_what_scikit_learn_trains_is_trained_and_stored(train: Callable[..., tuple[Materials, Result]], model: dict[str, Any]) -> None:
    splines = {"class": "sklearn.preprocessing.SplineTransformer", "n_knots": 3}
    groups = [{"columns": ["whole"], "transformers": [splines]}]

    _, result = train(make_mixed(), models={"a": model}, preprocessing={"columns": groups})

    assert result.model_digest.startswith("sha256:")


def test_a_model_that_cannot_be_stored_without_pickle_is_refused(train: Callable[..., tuple[Materials, Result]]) -> None:
    groups = [{"columns": ["whole"], "transformers": [{"class": "sklearn.cluster.Birch"}]}]

    with pytest.raises(ConfigError, match=r"models\.decision_tree: expected a model that skops can store"):
        train(make_mixed(), preprocessing={"columns": groups})


def test_plain_scikit_learn_on_the_same_columns_agrees_to_the_bit(train: Callable[..., tuple[Materials, Result]]) -> None:
    bunch = load_breast_cancer(as_frame=True)

    materials, result = train(
        bunch.data.assign(y=bunch.target), models={"logistic_regression": {"max_iter": 900}}, preprocessing={"outlier_factor": None}
    )

    X, y = materials.take(materials.split.train_rows)
    plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=900)).fit(np.ascontiguousarray(X), y)
    X_test, _ = materials.take(materials.split.test_rows)
    responses = [float(line.rsplit(b",", 1)[1]) for line in result.predictions.splitlines()[1:]]
    assert responses == plain.predict_proba(np.ascontiguousarray(X_test))[:, 1].tolist()


def test_a_single_served_row_may_differ_in_the_last_bit_only(train: Callable[..., tuple[Materials, Result]]) -> None:
    """Not promised, says README: BLAS takes another path for few rows."""
    from samebits.model.file import load_model

    bunch = load_breast_cancer(as_frame=True)
    materials, result = train(bunch.data.assign(y=bunch.target), models={"logistic_regression": {"max_iter": 900}})
    X, _ = materials.take(materials.split.test_rows)
    model = load_model(result.model_file)

    batch = model.predict_proba(X)[:, 1]
    single = np.array([model.predict_proba(X.iloc[[i]])[0, 1] for i in range(len(X))])

    np.testing.assert_allclose(single, batch, rtol=1e-12, atol=1e-15)
    assert ((single > 0.5) == (batch > 0.5)).all()
