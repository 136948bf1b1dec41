from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from test_fingerprint import MODELS

from samebits.errors import LineageError
from samebits.model.file import dump_model, load_model, settle_model
from samebits.model.fingerprint import digest_model
from samebits.transformers import OutlierClipper

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[:200], Y[:200]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_two_equal_fits_give_one_file_and_it_loads_as_the_same_model(name: str) -> None:
    from sklearn.base import clone

    left, right = (clone(MODELS[name]).fit(X, Y) for _ in range(2))
    settle_model(left)
    settle_model(right)

    content = dump_model(left)

    assert content == dump_model(right)
    assert digest_model(load_model(content)) == digest_model(left)
    np.testing.assert_array_equal(load_model(content).predict(X), left.predict(X))


def test_the_file_holds_no_clock_and_no_address() -> None:
    content = dump_model(OutlierClipper().fit(X))

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"__id__" not in archive.read("schema.json")


def test_threads_of_the_fit_leave_no_trace_in_the_file() -> None:
    files = []
    for n_jobs in (1, 2):
        forest = RandomForestClassifier(6, random_state=0, n_jobs=n_jobs).fit(X, Y)
        settle_model(forest)
        files.append(dump_model(forest))

    assert files[0] == files[1]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_settled_model_says_what_it_will_say_once_it_is_loaded(order: Any) -> None:
    """To the bit: a matrix product depends on the order of its factors in memory, which no file keeps."""
    model = make_pipeline(StandardScaler(), PCA(5), FunctionTransformer())
    model.fit(np.asarray(X, order=order), Y)
    left_by_fit = model[1].components_
    settle_model(model)

    loaded = load_model(dump_model(model))

    assert model.transform(X).tobytes() == loaded.transform(X).tobytes()
    assert not left_by_fit.flags.c_contiguous and model[1].components_.flags.c_contiguous
    assert (model[1].components_ == left_by_fit).all()


def test_arrays_in_containers_are_settled_too_and_nothing_else_is_touched() -> None:
    array, flat = np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(3.0)
    model = OutlierClipper()
    model.parts_ = {"list": [array, flat, np.float64(1.0), np.array(2.0)], "masked": np.ma.MaskedArray(array, mask=array > 2)}
    parts = dict(model.parts_)

    settle_model(model)

    assert model.parts_["list"][0].flags.c_contiguous and (model.parts_["list"][0] == array).all()
    assert model.parts_["list"][1] is flat and model.parts_["list"][3].shape == ()
    assert model.parts_["masked"] is parts["masked"]


def test_a_plain_skops_file_of_the_same_model_is_not_stable() -> None:
    forest = RandomForestClassifier(3, random_state=0).fit(X, Y)

    assert skops.io.dumps(forest) != skops.io.dumps(RandomForestClassifier(3, random_state=0).fit(X, Y))


def change_schema(content: bytes, old: str, new: str) -> bytes:
    source, target = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            data = source.read(name)
            archive.writestr(name, data.replace(old.encode(), new.encode()) if name == "schema.json" else data)
    return target.getvalue()


@pytest.mark.parametrize("function", ["os.system", "builtins.eval", "sklearn.datasets._openml.fetch_openml"])
def test_a_file_that_names_any_other_code_is_refused(function: str) -> None:
    content = skops.io.dumps(FunctionTransformer(json.dumps))
    module, _, name = function.rpartition(".")
    hostile = change_schema(change_schema(content, '"dumps"', f'"{name}"'), '"json"', f'"{module}"')

    with pytest.raises(LineageError, match="expected only trusted types, found"):
        load_model(hostile)


def hostile_tree(position: str, value: int) -> bytes:
    tree = DecisionTreeClassifier(random_state=0).fit(X, Y)
    state = tree.tree_.__getstate__()
    state["nodes"][position][0] = value
    tree.tree_.__setstate__(state)
    return dump_model(tree)


@pytest.mark.parametrize(("position", "value"), [("left_child", 10**6), ("right_child", -5), ("feature", 10**6), ("left_child", 0)])
def test_a_tree_that_points_outside_itself_is_refused(position: str, value: int) -> None:
    with pytest.raises(LineageError, match="expected trees whose nodes point inside them"):
        load_model(hostile_tree(position, value))


@pytest.mark.parametrize(("field", "value"), [("left", 10**6), ("right", 0), ("feature_idx", -1)])
def test_a_histogram_tree_that_points_outside_itself_is_refused(field: str, value: int) -> None:
    model = HistGradientBoostingClassifier(max_iter=2).fit(X, Y)
    model._predictors[0][0].nodes[field][0] = value
    settle_model(model)

    with pytest.raises(LineageError, match="expected trees whose nodes point inside them"):
        load_model(dump_model(model))


def test_a_neighbour_tree_that_points_outside_itself_is_refused() -> None:
    model = KNeighborsClassifier(algorithm="kd_tree").fit(X, Y)
    state: list[Any] = list(model._tree.__getstate__())
    state[1] = np.array(state[1])
    state[1][0] = 10**6
    model._tree.__setstate__(tuple(state))

    with pytest.raises(LineageError, match="expected a neighbour tree"):
        load_model(dump_model(model))


@pytest.mark.parametrize("content", [b"", b"not a zip", dump_model(OutlierClipper().fit(X))[:-30]])
def test_a_damaged_file_is_one_sentence(content: bytes) -> None:
    with pytest.raises(LineageError, match="expected a skops archive"):
        load_model(content)


def test_parts_that_stand_in_each_other_again_and_again_are_refused_at_once() -> None:
    part: dict[str, Any] = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": [], "__id__": 0}
    for number in range(1, 41):
        again = {**part, "__loader__": "CachedNode", "content": []}
        part = {**part, "content": [part, again, again], "__id__": number}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", json.dumps({**part, "protocol": 2, "_skops_version": "0.13"}))

    with pytest.raises(LineageError, match="A cached node refers to an unknown object"):
        load_model(buffer.getvalue())
