"""Preprocessing, split, selection and scores together, on tables made here: no server, no process of their own."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import RegressorMixin
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import all_estimators

from samebits.candidates import pipeline
from samebits.candidates.materials import Materials
from samebits.errors import ConfigError, DataError
from samebits.training.result import Result, make_result


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
    X, y = materials.read(materials.split.train_rows)
    columns = materials.candidates["decision_tree"].named_steps["columns"].fit(X, y)

    names = columns.get_feature_names_out().tolist()
    assert names[:3] == ["group_0__ünïcode [x.y]", "group_1__whole", "group_2__constant"]
    values = columns.transform(X)
    assert set(values[:, 0]) <= {0.0, 1.0, 2.0, 3.0}
    assert (values[:, 1].min(), values[:, 1].max()) == (-1.0, 1.0)


@pytest.mark.parametrize("by_kind_first", [True, False])
def test_a_column_may_stand_in_several_groups_and_a_kind_takes_what_none_names(
    prepare: Callable[..., tuple[Any, Materials]], by_kind_first: bool
) -> None:
    ranks = {"class": "sklearn.preprocessing.QuantileTransformer", "n_quantiles": 5}
    named = [{"columns": ["whole", "constant"], "transformers": []}, {"columns": ["whole"], "transformers": [ranks]}]
    by_kind = {"columns": "numeric", "transformers": [{"class": "sklearn.impute.SimpleImputer"}]}

    _, materials = prepare(make_mixed(), preprocessing={"columns": [by_kind, *named] if by_kind_first else [*named, by_kind]})
    X, y = materials.read(materials.split.train_rows)
    columns = materials.candidates["decision_tree"].named_steps["columns"].fit(X, y)

    taken = [names for name, _, names in columns.transformers_ if name.startswith("group_")]
    assert sorted(taken) == [["number", "empty"], ["whole"], ["whole", "constant"]]
    values = pd.DataFrame(columns.transform(X), columns=columns.get_feature_names_out())
    wholes = values[[name for name in values if str(name).endswith("__whole")]]
    assert wholes.shape[1] == 2
    assert sorted(wholes.max()) == [1.0, 8.0]


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
    assert "shop" not in materials.inputs


def test_a_group_splitter_by_class_keeps_groups_whole_too(prepare: Callable[..., tuple[Any, Materials]]) -> None:
    frame = make_mixed().assign(shop=[f"s{i % 12}" for i in range(120)])
    split = {"class": "sklearn.model_selection.GroupShuffleSplit", "column": "shop", "test_size": 3}

    _, materials = prepare(frame, split=split)

    shops = frame["shop"].to_numpy()
    assert len(set(shops[materials.split.test_rows])) == 3
    assert "shop" not in materials.inputs
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
        ({"cv": {"n_splits": 90}}, r"2 classes of the target: expected at least 90 training rows"),
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
        (
            {"models": {"a": {"class": "sklearn.multioutput.ClassifierChain", "estimator": {"class": "sklearn.svm.SVC"}}}},
            r"models\.a: expected a model of one target, found ClassifierChain, which takes several",
        ),
        ({"scoring": "r2"}, r"scoring: expected a scorer for a binary target, found 'r2'"),
        ({"preprocessing": {"columns": [{"columns": ["number", "number"]}]}}, r"expected each column once, found 'number' twice"),
        ({"models": {"linear_regression": {}}}, r"models\.linear_regression: expected a model for binary"),
        (
            {"data": {"target": "whole"}, "business": {"threshold": 0.3}},
            r"business\.threshold: expected a binary task, found a multiclass",
        ),
    ],
)
def test_a_model_of_another_task_is_refused(train: Callable[..., Any], changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        train(make_mixed(), **changes)


@pytest.mark.parametrize(
    "business",
    [{"target_precision": 0.5}, {"threshold": 0.3}, {"f_beta": 2.0}, {"costs": {"false_positive": 1.0, "false_negative": 2.0}}],
    ids=lambda business: next(iter(business)),
)
def test_the_stored_model_decides_by_the_threshold(train: Callable[..., tuple[Materials, Result]], business: dict[str, Any]) -> None:
    from samebits.model.file import load_model

    materials, result = train(make_mixed(), models={"logistic_regression": {}}, business=business)
    X, _ = materials.read(materials.split.test_rows)
    model = load_model(result.model_file)

    assert result.threshold is not None
    position = list(model.classes_).index(materials.target.positive)
    is_called = model.predict_proba(X)[:, position] >= result.threshold.value
    assert (model.predict(X) == materials.target.positive).tolist() == is_called.tolist()
    assert result.threshold.value != 0.5
    predicted = pd.read_csv(io.BytesIO(result.predictions))["predicted"]
    assert (predicted == materials.target.positive).tolist() == is_called.tolist()


def test_a_model_that_cannot_be_stored_without_pickle_is_refused(train: Callable[..., tuple[Materials, Result]]) -> None:
    groups = [{"columns": ["whole"], "transformers": [{"class": "sklearn.cluster.Birch"}]}]

    with pytest.raises(ConfigError, match=r"models\.decision_tree: expected a model that skops can store"):
        train(make_mixed(), preprocessing={"columns": groups})


def test_plain_scikit_learn_on_the_same_columns_agrees_to_the_bit(train: Callable[..., tuple[Materials, Result]]) -> None:
    bunch = load_breast_cancer(as_frame=True)

    materials, result = train(
        bunch.data.assign(y=bunch.target), models={"logistic_regression": {"max_iter": 900}}, preprocessing={"outlier_factor": None}
    )

    X, y = materials.read(materials.split.train_rows)
    plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=900)).fit(np.ascontiguousarray(X), y)
    X_test, _ = materials.read(materials.split.test_rows)
    responses = [float(line.rsplit(b",", 1)[1]) for line in result.predictions.splitlines()[1:]]
    assert responses == plain.predict_proba(np.ascontiguousarray(X_test))[:, 1].tolist()


def test_a_single_served_row_may_differ_in_the_last_bit_only(train: Callable[..., tuple[Materials, Result]]) -> None:
    """Not promised, says README: BLAS takes another path for few rows."""
    from samebits.model.file import load_model

    bunch = load_breast_cancer(as_frame=True)
    materials, result = train(bunch.data.assign(y=bunch.target), models={"logistic_regression": {"max_iter": 900}})
    X, _ = materials.read(materials.split.test_rows)
    model = load_model(result.model_file)

    batch = model.predict_proba(X)[:, 1]
    single = np.array([model.predict_proba(X.iloc[[i]])[0, 1] for i in range(len(X))])

    np.testing.assert_allclose(single, batch, rtol=1e-12, atol=1e-15)
    assert ((single > 0.5) == (batch > 0.5)).all()


def make_rare(**sizes: int) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    labels = np.repeat(list(sizes), list(sizes.values()))
    return pd.DataFrame({"x": rng.normal(size=len(labels)), "z": rng.normal(size=len(labels)), "y": rng.permutation(labels)})


@pytest.mark.parametrize("model", ["logistic_regression", "decision_tree", "knn", "random_forest", "naive_bayes", "boosting"])
def test_without_stratification_a_class_of_one_row_is_no_obstacle(train: Callable[..., tuple[Materials, Result]], model: str) -> None:
    materials, result = train(make_rare(a=40, b=40, c=1, d=2), split={"stratify": False}, models={model: {}})

    header = result.predictions.splitlines()[0].decode()
    assert header == "row,recorded,predicted,probability_a,probability_b,probability_c,probability_d"
    rows = np.sort(np.concatenate([materials.split.train_rows, materials.split.test_rows]))
    assert rows.tolist() == list(range(83))
    assert np.isfinite(result.best.scores).all()


def test_a_class_that_only_the_test_rows_have_gets_no_probability_and_counts_as_missed(
    train: Callable[..., tuple[Materials, Result]],
) -> None:
    frame = make_rare(a=30, b=30).assign(when=range(60))
    frame.loc[59, "y"] = "aa"

    _, result = train(frame, split={"method": "time", "column": "when", "stratify": False})

    table = pd.read_csv(io.BytesIO(result.predictions))
    assert (table["probability_aa"] == 0).all()
    np.testing.assert_allclose(table[["probability_a", "probability_b"]].sum(axis=1), 1)
    assert table["recorded"].iloc[-1] == "aa"


def test_a_fold_without_a_class_is_scored_by_log_loss_over_all_classes(train: Callable[..., tuple[Materials, Result]]) -> None:
    frame = make_rare(a=30, b=30).assign(when=range(60))
    frame.loc[[0, 1], "y"] = "c"

    _, result = train(frame, split={"method": "time", "column": "when", "stratify": False}, scoring="neg_log_loss")

    assert np.isfinite(result.best.scores).all()


@pytest.mark.parametrize(
    ("sizes", "changes", "expected"),
    [
        (
            {"a": 40, "b": 40, "c": 3},
            {"cv": {"n_splits": 3}},
            r"class 'c' of the target: expected at least 3 training rows, .*split\.stratify: false",
        ),
        (
            {"a": 40, "b": 40, "c": 1},
            {},
            r"split by the values of the target: expected at least two rows of each, found one row of 'c'.*stratify: false",
        ),
        (
            {"a": 40, "b": 1},
            {"split": {"stratify": False}},
            r"fold \d of cv: expected rows of two classes to fit on, found none of 'b'",
        ),
        (
            {"a": 40, "b": 40, "c": 1},
            {"split": {"stratify": False}, "scoring": "roc_auc_ovr"},
            r"models\.decision_tree, fold \d of cv: expected ",
        ),
    ],
)
def test_a_class_too_small_for_what_is_asked_is_refused_in_words(
    train: Callable[..., tuple[Materials, Result]], sizes: dict[str, int], changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(DataError, match=expected):
        train(make_rare(**sizes), **changes)


def test_many_columns_of_text_are_one_sentence(prepare: Callable[..., Any]) -> None:
    texts = {f"text_{i}": [f"note {i} {row}" for row in range(120)] for i in range(8)}

    with pytest.raises(DataError) as caught:
        prepare(make_mixed().assign(**texts))

    assert len(caught.value.problems) == 1
    assert str(caught.value).startswith(
        "8 columns: expected numbers, categories, booleans or dates, found free text text_0 (120 different"
    )
    assert " and 5 more. Name them in data.drop" in str(caught.value)


def test_missing_values_that_a_model_does_not_take_are_said_with_the_key_that_mends_them(train: Callable[..., Any]) -> None:
    with pytest.raises(
        DataError, match=r"models\.svm, fold 1 of cv: expected rows without missing values.*preprocessing\.numeric_imputer"
    ):
        train(make_mixed()[["number", "y"]], preprocessing={"numeric_imputer": None}, models={"svm": {}})


def test_the_order_in_which_ratios_and_sums_are_written_changes_nothing(train: Callable[..., tuple[Materials, Result]]) -> None:
    """A config's digest knows no order of keys, so neither may a result."""
    features: dict[str, dict[str, Any]] = {
        "ratios": {"r": ["whole", "constant"], "q": ["number", "constant"]},
        "weighted_sums": {"s": {"whole": 0.1, "number": 0.7}},
    }
    turned = {"ratios": dict(reversed(features["ratios"].items())), "weighted_sums": {"s": {"number": 0.7, "whole": 0.1}}}

    results = [train(make_mixed(), models={"random_forest": {"n_estimators": 5}}, features=one)[1] for one in (features, turned)]

    assert results[0].model_digest == results[1].model_digest
    assert results[0].predictions == results[1].predictions


# each with how near its score from sparse codes is to that from dense ones: trees draw other borders between equal gains, SGD moves
# its intercept less
TAKE_SPARSE: dict[str, float] = {
    **dict.fromkeys(["BernoulliNB", "ComplementNB", "MultinomialNB", "DecisionTreeClassifier", "DecisionTreeRegressor"], 1e-6),
    **dict.fromkeys(["ElasticNet", "Lasso", "LinearRegression", "LinearSVC", "LogisticRegression", "MLPClassifier", "SVC"], 1e-6),
    **dict.fromkeys(["LGBMClassifier", "PoissonRegressor", "HuberRegressor", "LinearSVR", "NuSVR"], 1e-6),
    **dict.fromkeys(["ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor", "Ridge"], 1e-3),
    "GradientBoostingRegressor": 1e-2,
    "SGDClassifier": 0.1,
}
TIGHT = {"tol": 1e-9, "max_iter": 100_000}


@pytest.mark.parametrize("model", sorted(TAKE_SPARSE))
def test_codes_of_many_categories_are_sparse_where_a_model_takes_them(
    prepare: Callable[..., tuple[Any, Materials]], monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    found = pytest.importorskip("lightgbm").LGBMClassifier if model.startswith("LGBM") else dict(all_estimators())[model]
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({name: rng.choice(list("abcdefg"), 300) for name in ("one", "two")})
    quantity = 3 + (frame["one"] < "d") + 0.5 * (frame["two"] == "b") + rng.normal(scale=0.2, size=300)
    frame = frame if model.endswith("NB") else frame.assign(x=rng.normal(size=300))  # naive Bayes takes counts alone
    frame = frame.assign(y=quantity if issubclass(found, RegressorMixin) else np.where(quantity > 3.6, "yes", "no"))
    tight = TIGHT if model in ("Lasso", "ElasticNet", "LinearSVC", "LogisticRegression", "PoissonRegressor") else {}
    package = found.__module__.partition("._" if found.__module__.startswith("sklearn") else ".")[0]
    keys = {"models": {"a": {"class": f"{package}.{model}", **tight}}, "n_jobs": 2, "allow": ["lightgbm"]}
    dense = make_result(*prepare(frame, **keys))
    monkeypatch.setattr(pipeline, "MOST_DENSE_CELLS", 0)

    sparse = make_result(*prepare(frame, **keys))

    assert sparse.best.mean == pytest.approx(dense.best.mean, abs=TAKE_SPARSE[model])
    assert make_result(*prepare(frame, **{**keys, "n_jobs": 1})).model_digest == sparse.model_digest != dense.model_digest


def test_codes_stay_dense_where_they_are_few_or_a_model_takes_no_sparse_ones_or_takes_their_zeros_for_missing(
    prepare: Callable[..., tuple[Any, Materials]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_sparse(model: str, **keys: Any) -> bool:
        _, materials = prepare(make_mixed(), models={model: keys}, allow=["xgboost"])
        columns = materials.candidates[model].named_steps["columns"]
        return any(
            getattr(step, "sparse_output", False) for _, branch, _ in columns.transformers for _, step in getattr(branch, "steps", [])
        )

    assert not is_sparse("logistic_regression")
    monkeypatch.setattr(pipeline, "MOST_DENSE_CELLS", 0)
    assert is_sparse("logistic_regression") and is_sparse("ridge") and is_sparse("svm")
    assert not is_sparse("boosting") and not is_sparse("naive_bayes") and not is_sparse("knn")
    assert not is_sparse("ridge", solver="saga")
    for held in ({"class": "sklearn.naive_bayes.GaussianNB"}, {"class": "sklearn.svm.SVC"}):
        assert not is_sparse("a", **{"class": "sklearn.ensemble.BaggingClassifier", "estimator": held})
    assert not is_sparse(
        "a", **{"class": "sklearn.ensemble.GradientBoostingClassifier", "init": {"class": "sklearn.naive_bayes.GaussianNB"}}
    )
    pytest.importorskip("xgboost")
    assert not is_sparse("a", **{"class": "xgboost.XGBClassifier"})
