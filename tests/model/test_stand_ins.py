from __future__ import annotations

import copy
import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import skops.io
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from samebits.errors import LineageError
from samebits.model.file import dump_model, list_trusted_types, load_model, settle_model
from samebits.model.fingerprint import digest_model
from samebits.model.stand_ins import _pack, put_stand_ins
from samebits.stored_parts import JoinedTrees, SparseTable

X, Y = load_iris(return_X_y=True)
TREES: dict[str, Any] = {
    "forest": RandomForestClassifier(5, random_state=0),
    "two outputs": ExtraTreesRegressor(5, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "histogram boosting": HistGradientBoostingClassifier(max_iter=5, categorical_features=[3], max_bins=200, random_state=0),
    "adaboost": AdaBoostClassifier(n_estimators=5, random_state=0),
    "bagging": BaggingRegressor(n_estimators=5, random_state=0),
    "isolation": IsolationForest(n_estimators=5, random_state=0),
}


def fit(name: str, n_trees: int = 5) -> Any:
    model = clone(TREES[name])
    model.set_params(**{"max_iter" if "histogram" in name else "n_estimators": n_trees})
    y = np.column_stack([Y, X[:, 0]]) if name == "two outputs" else Y
    fitted = model.fit(np.round(X), y)
    settle_model(fitted)
    return fitted


def count_parts(content: bytes) -> tuple[int, int]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return len(archive.namelist()), archive.read("schema.json").count(b"__loader__")


@pytest.mark.parametrize("name", TREES)
def test_plain_skops_loads_the_trees_as_they_were(name: str) -> None:
    model = fit(name)
    content = dump_model(model)

    loaded = skops.io.loads(content, trusted=list_trusted_types(content))

    assert digest_model(loaded) == digest_model(model)
    np.testing.assert_array_equal(loaded.predict(np.round(X)), model.predict(np.round(X)))


@pytest.mark.parametrize("name", [name for name in TREES if name not in ("bagging", "isolation")])
def test_more_trees_make_no_more_parts(name: str) -> None:
    few, many = (count_parts(dump_model(fit(name, n_trees))) for n_trees in (9, 40))

    assert many[0] <= few[0] + 6  # where a column takes more different values, it is stored as values and their places
    assert many[1] <= few[1] + 20


@pytest.mark.parametrize(
    "name", sorted(set(TREES) - {"histogram boosting"})
)  # skops loads a partial's missing namespace as an empty one
def test_a_model_that_was_stored_before_gives_the_same_file(name: str) -> None:
    content = dump_model(fit(name))

    assert dump_model(load_model(content)) == content


def test_storing_touches_no_model() -> None:
    model = fit("boosting")
    trees, before = model.estimators_, digest_model(model)

    dump_model(model)

    assert model.estimators_ is trees
    assert digest_model(model) == before


def test_a_model_without_trees_is_stored_itself() -> None:
    model = LogisticRegression().fit(X, Y)

    assert put_stand_ins(model) is model


@pytest.mark.parametrize("odd", [[1], "one", None, 2**70])
def test_trees_that_do_not_go_together_are_stored_one_by_one(odd: Any) -> None:
    model = fit("forest")
    model.estimators_[2].min_samples_leaf = odd

    assert put_stand_ins(model) is model
    assert digest_model(load_model(dump_model(model))) == digest_model(model)


@pytest.mark.parametrize(
    ("attribute", "values"),
    [
        ("ccp_alpha", [0.0, -0.0, float("nan"), 1e-300, 0.1]),
        ("min_samples_leaf", [-1, 2**63 - 1, 0, 5, -(2**63) + 1]),
        ("extra", [np.array([1.0]), np.array([]), np.array([np.nan, -0.0]), np.array([2.0**70]), np.array([-1.0])]),
        ("extra", [np.array([2**64 - 1], dtype=np.uint64)] * 2 + [np.array([0], dtype=np.uint64)] * 3),
        ("extra", [np.array([-1, 2**63 - 1])] * 2 + [np.array([0])] * 3),
    ],
)
def test_numbers_come_back_to_the_bit(attribute: str, values: list[Any]) -> None:
    model = fit("forest")
    for tree, value in zip(model.estimators_, values, strict=True):
        setattr(tree, attribute, value)

    loaded = load_model(dump_model(model))

    assert put_stand_ins(model) is not model
    for tree, value in zip(loaded.estimators_, values, strict=True):
        assert np.asarray(getattr(tree, attribute)).tobytes() == np.asarray(value).tobytes()


@pytest.mark.parametrize("name", ["forest", "boosting", "histogram boosting"])
def test_joined_trees_that_point_outside_themselves_are_refused(name: str) -> None:
    model = fit(name)
    if name == "histogram boosting":
        model._predictors[4][1].nodes["left"][0] = 10**6
    else:
        tree = np.ravel(model.estimators_)[4].tree_
        state = tree.__getstate__()
        state["nodes"]["left_child"][0] = 10**6
        tree.__setstate__(state)

    with pytest.raises(LineageError, match="expected trees whose nodes point inside them"):
        load_model(dump_model(model))


def test_joined_trees_make_no_other_class() -> None:
    stand_in = put_stand_ins(fit("forest").estimators_)
    parameters = (LogisticRegression, *stand_in.parameters[1:])

    with pytest.raises(LineageError, match="expected scikit-learn's trees, found LogisticRegression"):
        load_model(skops.io.dumps(JoinedTrees.hold(*parameters)))


@pytest.mark.parametrize("position", [1, 5])
def test_damaged_tables_are_one_sentence(position: int) -> None:
    parameters = copy.deepcopy(list(put_stand_ins(fit("forest").estimators_).parameters))
    if position == 1:
        parameters[1] = (7,)
    else:
        template, lengths, columns = parameters[5]["tree_.nodes"]
        parameters[5]["tree_.nodes"] = (template, lengths[:-1], columns)

    with pytest.raises(LineageError, match="expected a skops archive, found ValueError"):
        load_model(skops.io.dumps(JoinedTrees.hold(*parameters)))


def test_the_schema_of_a_forest_is_plain_text() -> None:
    with zipfile.ZipFile(io.BytesIO(dump_model(fit("forest")))) as archive:
        schema = json.loads(archive.read("schema.json"))

    assert schema["content"]["content"]["estimators_"]["__class__"] == "JoinedTrees"


def test_small_arrays_are_compressed_and_large_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(70_000, 2)).round(1)
    model = KNeighborsClassifier(algorithm="brute").fit(rows, np.arange(70_000) % 2)
    content = dump_model(model)

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {(info.file_size > 2**20, info.compress_type) for info in archive.infolist() if info.file_size > 256}

    assert members == {(True, zipfile.ZIP_STORED), (False, zipfile.ZIP_BZIP2)}
    assert digest_model(load_model(content)) == digest_model(model)


@pytest.mark.parametrize(("n_different", "is_pair"), [(50, True), (30_000, False), (100_000, False)])
def test_a_column_of_few_different_numbers_is_stored_as_their_places(n_different: int, is_pair: bool) -> None:
    column = np.random.default_rng(0).permutation(100_000) % n_different + 0.5

    packed = _pack(column)

    assert isinstance(packed, tuple) == is_pair
    places, values = packed if isinstance(packed, tuple) else (np.arange(100_000), packed)
    assert values[places].tobytes() == column.tobytes()


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix", "csr_array", "csc_array"])
def test_a_sparse_matrix_comes_back_as_it_was(kind: str) -> None:
    model = KNeighborsClassifier(algorithm="brute").fit(X, Y)
    model._fit_X = getattr(scipy.sparse, kind)(np.round(X) - 3)

    content = dump_model(model)
    loaded = load_model(content)._fit_X

    assert type(loaded) is type(model._fit_X) and loaded.shape == model._fit_X.shape
    for name in ("data", "indices", "indptr"):
        assert getattr(loaded, name).tobytes() == getattr(model._fit_X, name).tobytes()
    assert list_trusted_types(content) == ["samebits.stored_parts.SparseTable"]
    assert dump_model(load_model(content)) == content


def test_a_model_of_text_that_keeps_its_rows_is_stored() -> None:
    rows = scipy.sparse.random_array((40, 200), density=0.05, format="csr", rng=0)
    model = KNeighborsClassifier(3).fit(rows, np.arange(40) % 2)

    loaded = load_model(dump_model(model))

    assert digest_model(loaded) == digest_model(model)
    assert loaded.predict_proba(rows).tobytes() == model.predict_proba(rows).tobytes()


@pytest.mark.parametrize(("place", "values"), [("indices", [0, 10**6]), ("indices", [0, -5]), ("indptr", [0, 1, 10**6])])
def test_a_sparse_matrix_that_points_outside_itself_is_refused(place: str, values: list[int]) -> None:
    parts = {"data": np.ones(2), "indices": np.array([0, 1]), "indptr": np.array([0, 1, 2]), place: np.array(values)}

    with pytest.raises(LineageError, match="expected a skops archive, found ValueError"):
        load_model(skops.io.dumps(SparseTable.hold("csr_matrix", (2, 3), *(parts[name] for name in ("data", "indices", "indptr")))))
