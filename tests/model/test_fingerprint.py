"""The digest of a model against a comparison of its own: mutations of single elements, refits, round trips."""

from __future__ import annotations

import copy
import functools
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from samebits.model.fingerprint import digest_model

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[:200], Y[:200]
MODELS = {
    "logistic": LogisticRegression(max_iter=50),
    "pipeline": make_pipeline(StandardScaler(), SVC()),
    "tree": DecisionTreeClassifier(random_state=0),
    "forest": RandomForestClassifier(8, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "histogram": HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "kd_tree": KNeighborsClassifier(algorithm="kd_tree"),
    "network": MLPClassifier((4,), max_iter=5, random_state=0),
    "search": GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, cv=2),
}


@pytest.fixture(params=sorted(MODELS))
def model(request: pytest.FixtureRequest) -> Any:
    return copy.deepcopy(MODELS[request.param]).fit(X, Y)


def test_a_refit_and_a_pickles_round_trip_change_nothing(model: Any) -> None:
    again = copy.deepcopy(model).fit(X, Y)

    assert digest_model(again) == digest_model(model)
    assert digest_model(pickle.loads(pickle.dumps(model))) == digest_model(model)


def test_predicting_changes_nothing(model: Any) -> None:
    before = digest_model(model)
    model.predict(X)

    assert digest_model(model) == before


def list_arrays(value: Any, seen: set[int]) -> Iterator[np.ndarray]:
    """Yield every array that a model holds; a traversal of its own, by attributes, not by the digest's walk."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray) and value.dtype != object:
        yield value
    elif isinstance(value, np.ndarray):
        for member in value.ravel():
            yield from list_arrays(member, seen)
    elif isinstance(value, dict):
        for name, member in value.items():
            if not str(name).endswith("_time"):
                yield from list_arrays(member, seen)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from list_arrays(member, seen)
    elif isinstance(value, BaseEstimator) or type(value).__name__ == "TreePredictor":
        yield from list_arrays(vars(value), seen)


def test_every_single_changed_element_is_seen(model: Any) -> None:
    before = digest_model(model)
    rng = np.random.default_rng(0)
    tried = 0
    for array in list_arrays(model, set()):
        if array.dtype.kind not in "fiub" or not array.size or not array.flags.writeable or isinstance(array, np.ma.MaskedArray):
            continue
        position = np.unravel_index(rng.integers(array.size), array.shape)
        kept = array[position]
        array[position] = np.nextafter(kept, np.inf) if array.dtype.kind == "f" else kept ^ 1
        assert digest_model(model) != before
        array[position] = kept
        tried += 1

    assert digest_model(model) == before
    assert tried > 0 or isinstance(model, DecisionTreeClassifier | RandomForestClassifier | GridSearchCV)


def test_one_ulp_in_one_leaf_of_one_tree_is_seen() -> None:
    forest = RandomForestClassifier(8, random_state=0).fit(X, Y)
    before = digest_model(forest)
    tree = forest.estimators_[5].tree_
    tree.value[-1, 0, 0] = np.nextafter(tree.value[-1, 0, 0], 2)

    assert digest_model(forest) != before


def test_two_trees_that_change_places_are_seen() -> None:
    forest = RandomForestClassifier(8, random_state=0).fit(X, Y)
    before = digest_model(forest)
    forest.estimators_[0], forest.estimators_[1] = forest.estimators_[1], forest.estimators_[0]

    assert digest_model(forest) != before


@pytest.mark.parametrize("changes", [{"n_jobs": 2}, {"verbose": 0, "n_jobs": -1}])
def test_threads_and_talk_are_no_content(changes: dict[str, int]) -> None:
    forest = RandomForestClassifier(8, random_state=0).fit(X, Y)
    before = digest_model(forest)

    assert digest_model(copy.deepcopy(forest).set_params(**changes)) == before
    assert digest_model(forest.set_params(max_features=3)) != before


def test_memory_order_and_byte_order_are_no_content() -> None:
    array = np.arange(12.0).reshape(3, 4)

    assert digest_model(np.asfortranarray(array)) == digest_model(array) == digest_model(array.astype(">f8"))
    assert digest_model(array.T) != digest_model(array)
    assert digest_model(array.astype("f4")) != digest_model(array)


def test_the_order_of_dicts_and_sets_is_no_content_but_that_of_lists_is() -> None:
    assert digest_model({"a": 1, "b": 2}) == digest_model({"b": 2, "a": 1})
    assert digest_model({"x", "y", "z"}) == digest_model({"z", "y", "x"})
    assert digest_model([1, 2]) != digest_model([2, 1]) != digest_model((2, 1))


def test_what_lies_under_a_mask_is_no_content() -> None:
    left, right = (np.ma.MaskedArray([1.0, hidden], mask=[False, True]) for hidden in (2.0, 3.0))

    assert digest_model(left) == digest_model(right)
    assert digest_model(np.ma.MaskedArray([1.0, 2.0])) != digest_model(left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0), (1, True), (0.0, -0.0), ("a", b"a"), (None, "None"), ([], ()), ({}, []), (int, float),
        (functools.partial(int, base=2), functools.partial(int, base=3)), (lambda x: x + 1, lambda x: x + 2),
        (np.float32(1), 1.0), (OneHotEncoder(), StandardScaler()), (np.array(["a"], object), np.array(["a"])),
    ],
)  # fmt: skip
def test_values_that_are_not_the_same_differ(left: Any, right: Any) -> None:
    assert digest_model(left) != digest_model(right)


def test_a_cycle_ends_and_has_a_digest() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    other: list[Any] = [2]
    other.append(other)

    assert digest_model(loop) != digest_model(other)
