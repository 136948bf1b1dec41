"""What differs against a comparison of its own: mutations of single elements, whose paths another traversal writes."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from samebits.differences.models import ModelDifference, compare_models
from samebits.model.fingerprint import digest_model

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[:150], Y[:150]
COLUMNS = [("numeric", make_pipeline(StandardScaler()), [0, 1, 2]), ("coded", OneHotEncoder(handle_unknown="ignore"), [3])]
MODELS: dict[str, Any] = {
    "logistic": LogisticRegression(max_iter=50),
    "scaler": StandardScaler(),
    "pipeline": Pipeline([("columns", ColumnTransformer(COLUMNS, remainder=StandardScaler())), ("model", LogisticRegression())]),
    "vectors": SVC(),
    "neighbors": KNeighborsClassifier(algorithm="brute"),
    "kd_tree": KNeighborsClassifier(algorithm="kd_tree"),
    "network": MLPClassifier((4,), max_iter=5, random_state=0),
    "histogram": HistGradientBoostingClassifier(max_iter=3, random_state=0, early_stopping=True),
    "voting": VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression(max_iter=50))]),
    "search": GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-3]}, cv=2),
    "labels": LabelEncoder(),
}
TREES: dict[str, Any] = {
    "tree": DecisionTreeClassifier(random_state=0),
    "forest": RandomForestClassifier(6, random_state=0),
    "extra": ExtraTreesClassifier(6, random_state=0),
    "bagging": BaggingClassifier(DecisionTreeClassifier(), 4, random_state=0),
    "ada": AdaBoostClassifier(n_estimators=3, random_state=0),
    "gradient": GradientBoostingClassifier(n_estimators=5, random_state=0),
}


def fit(model: Any, X: Any = X, y: Any = Y) -> Any:
    fitted = copy.deepcopy(model)
    return fitted.fit(y) if isinstance(fitted, LabelEncoder) else fitted.fit(X, y)


def show(left: Any, right: Any) -> list[tuple[str, str]]:
    return [(difference.path, difference.what) for difference in compare_models(left, right)]


@pytest.mark.parametrize("name", [*MODELS, *TREES])
def test_a_refit_and_other_threads_and_talk_make_no_difference(name: str) -> None:
    model = {**MODELS, **TREES}[name]
    fitted, again = fit(model), fit(model)
    changes = {key: 3 for key in again.get_params() if key.rpartition("__")[2] in ("n_jobs", "verbose")}
    again.set_params(**changes)

    assert compare_models(fitted, again) == []


def list_arrays(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every array that a model holds and the first path to it; a traversal of its own."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and not isinstance(value, np.ma.MaskedArray):
        yield path, value
    elif isinstance(value, Pipeline):
        for name, step in value.steps:
            yield from list_arrays(step, f"{path}.{name}", seen)
    elif isinstance(value, ColumnTransformer):
        for name, branch, _ in value.transformers_:
            yield from list_arrays(branch, f"{path}.transformers_.{name}" if name == "remainder" else f"{path}.{name}", seen)
    elif isinstance(value, dict):
        for key, member in value.items():
            if not str(key).endswith("_time"):
                yield from list_arrays(member, f"{path}[{key!r}]", seen)
    elif isinstance(value, list | tuple):
        for i, member in enumerate(value):
            yield from list_arrays(member, f"{path}[{i}]", seen)
    elif isinstance(value, BaseEstimator) or type(value).__module__.startswith("sklearn.neural_network"):
        for name, member in vars(value).items():
            if name != "_predictors":
                yield from list_arrays(member, f"{path}.{name}", seen)


@pytest.mark.parametrize("name", MODELS)
def test_one_changed_element_is_one_difference_at_its_path(name: str) -> None:
    left = fit(MODELS[name])
    right = copy.deepcopy(left)
    rng = np.random.default_rng(0)
    tried = 0
    for path, array in list_arrays(right, "", set()):
        if not array.size or path.endswith("classes_") or "categories_[" in path:
            continue
        position = np.unravel_index(rng.integers(array.size), array.shape)
        kept = array[position]
        array[position] = np.nextafter(kept, np.inf) if array.dtype.kind == "f" else kept ^ 1
        found = show(left, right)
        array[position] = kept

        where = ", ".join(str(index) for index in position)
        assert [found_path for found_path, _ in found] == [path[1:]]
        assert found[0][1].startswith(f"1 of {array.size:,} values differs, ")
        assert f"at [{where}]" in found[0][1]
        assert ("at most 1 ulp (" in found[0][1]) == (array.dtype.kind == "f")
        tried += 1

    assert compare_models(left, right) == []
    assert tried or name == "labels"


def test_paths_name_steps_branches_and_attributes() -> None:
    right = fit(MODELS["pipeline"])
    paths = {path for path, _ in list_arrays(right, "", set())}

    assert {".columns.numeric.standardscaler.mean_", ".columns.coded.categories_[0]", ".model.coef_"} <= paths


def find_trees(model: Any) -> list[Any]:
    return [tree.tree_ for tree in (np.ravel(model.estimators_).tolist() if hasattr(model, "estimators_") else [model])]


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize(
    ("column", "noun"), [("threshold", "thresholds"), ("feature", "features"), ("value", "values"), ("impurity", "nodes' impurity")]
)
def test_one_changed_node_is_told_by_tree_and_kind(name: str, column: str, noun: str) -> None:
    left = fit(TREES[name])
    right = copy.deepcopy(left)
    trees = find_trees(right)
    numbers = getattr(trees[-1], column).reshape(-1)
    numbers[0] = numbers[0] + 1

    what = f"1 of {trees[-1].node_count} {noun} differs"
    ensemble = ("estimators_", f"1 of {len(trees)} trees differs, first tree {len(trees) - 1}: {what}")
    assert show(left, right) == [("tree_", what) if name == "tree" else ensemble]


def test_a_histogram_boosters_trees_are_told_the_same_way() -> None:
    left = fit(HistGradientBoostingClassifier(max_iter=4, random_state=0), y=np.arange(150) % 3)
    right = copy.deepcopy(left)
    for tree in (right._predictors[1][2], right._predictors[3][0]):
        tree.nodes["num_threshold"][0] += 1
        tree.nodes["feature_idx"][:2] += 1

    n_nodes = len(left._predictors[1][2].nodes)
    what = f"2 of {n_nodes} features differ, 1 of {n_nodes} thresholds differs"
    assert show(left, right) == [("_predictors", f"2 of 12 trees differ, first tree 5: {what}")]


def test_what_of_a_tree_is_no_column_of_its_nodes_has_a_difference_too() -> None:
    left = fit(HistGradientBoostingClassifier(max_iter=2, random_state=0))
    right = copy.deepcopy(left)
    right._predictors[0][0].raw_left_cat_bitsets = np.ones((1, 8), dtype=np.uint32)
    named = copy.deepcopy(left)
    named._predictors[1][0].nodes["gain"][0] += 1

    assert show(left, right) == [("_predictors", "1 of 2 trees differs, first tree 0: raw_left_cat_bitsets: shape (0, 8) -> (1, 8)")]
    assert show(left, named)[0][1].endswith("nodes' gain differs")


def test_trees_for_another_number_of_classes_differ_in_shape() -> None:
    left, right = (fit(DecisionTreeClassifier(max_depth=1), y=y) for y in (Y, np.arange(150) % 3))

    assert ("tree_.values", "shape (3, 1, 2) -> (3, 1, 3)") in show(left, right)


def test_trees_in_other_lists_and_nodes_of_other_types_are_told() -> None:
    left = fit(HistGradientBoostingClassifier(max_iter=2, random_state=0))
    nested, narrow = copy.deepcopy(left), copy.deepcopy(left)
    nested._predictors = [[*left._predictors[0], *left._predictors[1]]]
    tree = narrow._predictors[0][0]
    tree.nodes = tree.nodes.astype([(name, "f4" if name == "gain" else tree.nodes.dtype[name]) for name in tree.nodes.dtype.names])

    assert show(left, nested) == [("_predictors", "content differs")]
    assert one(left, narrow, "_predictors").startswith("1 of 2 trees differs, first tree 0: nodes: dtype ")


def test_a_sparse_matrix_is_compared_by_its_sums_and_left_as_it_is() -> None:
    left = scipy.sparse.csr_array(([1.0, 1.0], [0, 0], [0, 2]), shape=(1, 1))

    assert one(left, scipy.sparse.csr_array([[3.0]])).startswith("1 of 1 values differs")
    assert left.nnz == 2


def test_fewer_trees_and_other_sizes_of_trees_are_told() -> None:
    forest = RandomForestClassifier(6, random_state=0)
    left, fewer = fit(forest), fit(forest.set_params(n_estimators=4))
    pruned = copy.deepcopy(left)
    pruned.estimators_[2] = fit(DecisionTreeClassifier(max_depth=1, random_state=0))
    n_nodes = left.estimators_[2].tree_.node_count

    assert show(left, fewer) == [("n_estimators", "6 -> 4"), ("estimators_", "6 -> 4 trees")]
    assert show(left, pruned) == [("estimators_", f"1 of 6 trees differs, first tree 2: {n_nodes} -> 3 nodes")]


def test_an_ensemble_of_others_than_trees_tells_the_first_ones_first_difference() -> None:
    left = fit(BaggingClassifier(LogisticRegression(max_iter=20), 3, random_state=0))
    right = copy.deepcopy(left)
    right.estimators_[1].C = 2.0

    assert show(left, right) == [("estimators_", "1 of 3 estimators differs, first estimator 1: C: 1.0 -> 2.0")]


def one(left: Any, right: Any, path: str = "") -> str:
    """Return what differs, where one thing does, at the path."""
    found = show(left, right)
    assert [found_path for found_path, _ in found] == [path], found
    return found[0][1]


FLOATS: list[tuple[list[float], list[float], str]] = [
    ([1.0, 2.0], [1.0, float(np.nextafter(2, 3))], "1 of 2 values differs, at most 1 ulp (largest change 4.4e-16, at [1])"),
    ([1.0, 2.0], [1.5, 4.0], "2 of 2 values differ, at most 4.5e+15 ulps (largest change 2, at [1])"),
    ([-5e-324], [1e-323], "1 of 1 values differs, at most 3 ulps (largest change 1.5e-323, at [0])"),
    ([1.0], [1.0 + 1234 * 2**-52], "1 of 1 values differs, at most 1,234 ulps (largest change 2.7e-13, at [0])"),
    ([np.inf, 1.0], [np.inf, 2.0], "1 of 2 values differs, at most 4.5e+15 ulps (largest change 1, at [1])"),
    ([-1.7976931348623157e308], [1.7976931348623157e308], "1 of 1 values differs, at most 1.8e+19 ulps (largest change inf, at [0])"),
    ([0.0], [-0.0], "1 of 1 values differs, only in the sign of zero (largest change 0, at [0])"),
    ([-1.7976931348623157e308], [np.inf], "1 of 1 values differs, at most 1.8e+19 ulps (largest change inf, at [0])"),
    ([1.0, 1.0], [np.nan, 2.0], "2 of 2 values differ, at most 4.5e+15 ulps (largest change 1, at [1]), 1 from or to NaN"),
    ([1.0, np.nan], [1.0, 2.0], "1 of 2 values differs, first at [1]: nan -> 2.0"),
]  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("left", "right", "what"), FLOATS)
def test_floats_are_counted_and_measured_in_units_of_the_last_place(left: list[float], right: list[float], what: str) -> None:
    assert one(np.array(left), np.array(right)) == what


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
def test_one_unit_is_one_whatever_the_size_and_order_of_the_floats(dtype: str) -> None:
    left = np.array([[-1.0, 0.5]], dtype=dtype)
    right = left.copy()
    right[0, 0] = np.nextafter(right[0, 0], left.dtype.type(0))

    assert one(left, right).startswith("1 of 2 values differs, at most 1 ulp (")
    assert one(left, right).endswith("at [0, 0])")


@given(st.data(), st.sampled_from(["f4", "f8", "i2", "u1", "?", "c16", "U2", "M8[s]"]))
def test_arrays_have_a_difference_exactly_when_their_digests_do(data: st.DataObject, dtype: str) -> None:
    left, right = (data.draw(arrays(dtype, (2, 2), elements=None)) for _ in "ab")

    assert bool(compare_models(left, right)) == (digest_model(left) != digest_model(right))


PLAIN = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([0.0, 1.0, np.nan]) | st.sampled_from(["a", "b"])
NESTED = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner) | st.tuples(st.sampled_from("ab"), inner)
    ),
)


@given(NESTED, NESTED)
def test_nested_values_have_a_difference_exactly_when_their_digests_do(left: Any, right: Any) -> None:
    assert bool(compare_models(left, right)) == (digest_model(left) != digest_model(right))


ARRAYS: list[tuple[Any, Any, str]] = [
    (np.arange(5), np.array([0, 1, 2, 9, 4]), "1 of 5 values differs, first at [3]: 3 -> 9"),
    (np.array([True, False]), np.array([False, True]), "2 of 2 values differ, first at [0]: True -> False"),
    (np.zeros((1, 30)), np.zeros((1, 31)), "shape (1, 30) -> (1, 31)"),
    (np.zeros(2), np.zeros(2, dtype="f4"), "dtype float64 -> float32"),
    (np.zeros(2), np.zeros(3, dtype=int), "shape (2,) -> (3,), dtype float64 -> int64"),
    (np.zeros(2, dtype=[("a", "f8"), ("b", "i4")]), np.array([(0, 1), (0, 2)], dtype=[("a", "f8"), ("b", "i4")]), "2 of 2 values differ in b"),
    (np.array(["a", "b"]), np.array(["b", "a"]), "values reordered"),
    (np.array(["a", "b", "b"]), np.array(["a", "a", "b"]), "1 of 3 values differs, first at [1]: 'b' -> 'a'"),
    (np.array([1, "a", "a"], dtype=object), np.array([1, 2.5, None], dtype=object), "2 of 3 values differ, first at [1]: 'a' -> 2.5"),
    (np.array(["a", "b"]), np.array(["a", "a"]), "1 of 2 values differs, first at [1]: 'b' -> 'a'"),
    (np.array(["a"]), np.array([["a"]]), "shape (1,) -> (1, 1)"),
    (np.array([b"ab"], dtype="V2"), np.array([b"ac"], dtype="V2"), "1 of 1 values differs, first at [0]: b'ab' -> b'ac'"),
    (np.ma.array([1, 2, 3], mask=[0, 1, 1]), np.ma.array([1, 2, 3], mask=[0, 0, 1]), "1 of 3 masks differs"),
    (np.ma.array([1, 2, 3]), np.ma.array([1, 2]), "shape (3,) -> (2,)"),
    (np.array([1]), np.ma.array([1]), "array of shape (1,) -> MaskedArray"),
    (np.ma.array([1, 2], mask=[0, 1]), np.ma.array([3, 4], mask=[0, 1]), "1 of 2 values differs, first at [0]: 1 -> 3"),
    (np.ma.array([1, "a"], mask=[0, 1], dtype=object), np.ma.array([2, "b"], mask=[0, 1], dtype=object), "values added: 2; removed: 1"),
    (np.longdouble([1]), np.longdouble([2]), "1 of 1 values differs, first at [0]: np.longdouble('1.0') -> np.longdouble('2.0')"),
    (np.ma.array([1]), np.array([1]), "MaskedArray -> array of shape (1,)"),
    (scipy.sparse.csr_array(np.eye(2)), scipy.sparse.csr_array(np.eye(3)), "shape (2, 2) -> (3, 3)"),
    (scipy.sparse.csr_array(np.eye(2)), scipy.sparse.csc_array(2 * np.eye(2)), "2 of 2 values differ, at most 4.5e+15 ulps (largest change 1, at [0])"),
    (scipy.sparse.csr_array(np.eye(2)), scipy.sparse.csr_array(np.ones((2, 2))), "2 -> 4 stored values"),
    (scipy.sparse.csr_array(np.eye(2)), scipy.sparse.csr_array(np.eye(2)[::-1]), "stored values stand in other places"),
    (scipy.sparse.csr_array(np.eye(2)), scipy.sparse.csr_array([[1.0, 1.0], [0.0, 0.0]]), "stored values stand in other places"),
    (scipy.sparse.csr_array(np.eye(2)), np.eye(2), "csr_array -> array of shape (2, 2)"),
    (np.eye(2), scipy.sparse.csr_array(np.eye(2)), "array of shape (2, 2) -> csr_array"),
    (None, np.zeros(3), "None -> array of shape (3,)"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "what"), ARRAYS, ids=[case[2] for case in ARRAYS])
def test_arrays_that_differ_say_how(left: Any, right: Any, what: str) -> None:
    assert one(left, right) == what


VALUES: list[tuple[Any, Any, str]] = [
    (0.1, 0.2, "0.1 -> 0.2"),
    ("l1", "l2", "'l1' -> 'l2'"),
    (1, True, "1 -> True"),
    (np.float64(0.5), 1, "0.5 -> 1"),
    (np.float32(1), 1.0, "numpy.float32 -> builtins.float"),
    (None, [1], "None -> list"),
    ([1], (1,), "list -> tuple"),
    (int, float, "int -> float"),
    (np.dtype("f4"), np.dtype("f8"), "dtype('float32') -> dtype('float64')"),
    (np.log, np.exp, "log -> exp"),
    (make_pipeline, len, "make_pipeline -> len"),
    (lambda x: x + 1, lambda x: x + 2, "content differs"),
    ("a" * 100, "a" * 99 + "b", "content differs"),
    (slice(1), slice(2), "slice(None, 1, None) -> slice(None, 2, None)"),
    ({"a", "b"}, {"b", "c", "d"}, "values added: 'c', 'd'; removed: 'a'"),
    ([1, 2], [1, 2, 3], "2 -> 3 values"),
    ([1, 2, 3], [1, 0, 0], "2 of 3 values differ, first at [1]: 2 -> 0"),
    ({"a": 1, "b": 2, "c": 3}, {"a": 0, "b": 2, "c": 0}, "2 of 3 values differ, first at ['a']: 1 -> 0"),
    ({"a": 1}, {"a": 1, "b": 2}, "keys added: 'b'"),
    ({0: 1}, {"0": 1}, "keys added: '0'; removed: 0"),
    ({1: "a"}, {True: "a"}, "keys added: True; removed: 1"),
    ({(1, 2): 0}, {(1, 3): 0, (1, 4): 0}, "keys added: (1, 3), (1, 4); removed: (1, 2)"),
    ({np.str_("a"): 1, 0: 0}, {"a": 1}, "keys removed: 0"),
    ("a" * 58, "b", f"'{'a' * 58}' -> 'b'"),
    ("a" * 59, "b", f"'{'a' * 58}… -> 'b'"),
    ({}, dict.fromkeys("abcde"), "keys added: 'a', 'b', 'c', 'd', 'e'"),
    ({}, dict.fromkeys("abcdefg"), "keys added: 'a', 'b', 'c', 'd', 'e' and 2 more"),
    ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)], "members reordered"),
    ([("a", 1)], [("a", 1), ("b", 2)], "members added: b"),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1, 2]}), "shape (1, 1) -> (2, 1)"),
    (pd.Series([1]), pd.Series([2]), "content differs"),
    (np.random.RandomState(0), np.random.RandomState(1), "state of the random generator differs"),
    (LogisticRegression(), RandomForestClassifier(), "LogisticRegression -> RandomForestClassifier"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "what"), VALUES, ids=[case[2] for case in VALUES])
def test_values_that_differ_say_how(left: Any, right: Any, what: str) -> None:
    assert one(left, right) == what


class Rebuilt:
    """A value that says itself how it is rebuilt."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced[0] if isinstance(self.reduced[0], str) else (type(self), *self.reduced)


class Slotted:
    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = size


PLACES: list[tuple[Any, Any, str, str]] = [
    (np.array([0, 0, [1]], dtype=object), np.array([0, 0, [2]], dtype=object), "[2][0]", "1 -> 2"),
    (np.ma.array([0, 0, "a"], mask=[0, 0, 1], dtype=object), np.ma.array([0, 1, "b"], mask=[0, 0, 1], dtype=object), "[1]", "0 -> 1"),
    (Rebuilt("one"), Rebuilt("other"), "", "content differs"),
    (Rebuilt((1,)), Rebuilt((2,)), "args[0]", "1 -> 2"),
    (Rebuilt((), [0, 1]), Rebuilt((), [0, 2]), "state[1]", "1 -> 2"),
    (Slotted(1), Slotted(2), "size", "1 -> 2"),
    ([("a", 1), ("a", 2)], [("a", 1), ("a", 3)], "[1][1]", "2 -> 3"),
    ([("a", 1, 2, 3)], [("a", 1, 2, 4)], "[0][3]", "3 -> 4"),
    ([(1, 2)], [(1, 3)], "[0][1]", "2 -> 3"),
    ([1, [2, 3]], [1, [2, 4]], "[1][1]", "3 -> 4"),
    ({"a": {1: "x"}}, {"a": {1: "y"}}, "['a'][1]", "'x' -> 'y'"),
    (functools.partial(int, base=2), functools.partial(int, base=3), "keywords['base']", "2 -> 3"),
    (LogisticRegression(), LogisticRegression(C=0.5), "C", "1.0 -> 0.5"),
    (LogisticRegression(class_weight={0: 1, 1: 2}), LogisticRegression(class_weight={0: 1, 1: 3}), "class_weight[1]", "2 -> 3"),
    (FunctionTransformer(np.log), FunctionTransformer(np.exp), "func", "log -> exp"),
    (FrozenEstimator(GaussianNB()), FrozenEstimator(GaussianNB(var_smoothing=1.0)), "var_smoothing", "1e-09 -> 1.0"),
    (FeatureUnion([("a", StandardScaler())]), FeatureUnion([("a", StandardScaler(with_mean=False))]), "transformer_list.a.with_mean", "True -> False"),
    (FeatureUnion([("a", StandardScaler())]), FeatureUnion([("a", StandardScaler()), ("b", GaussianNB())]), "transformer_list", "members added: b"),
    (ColumnTransformer([("a", StandardScaler(), [0])]), ColumnTransformer([("a", StandardScaler(), [1])]), "transformers.a.columns[0]", "0 -> 1"),
    (Pipeline([("a", StandardScaler()), ("b", GaussianNB())]), Pipeline([("a", None), ("b", GaussianNB())]), "a", "StandardScaler -> None"),
    (Pipeline([("a", StandardScaler()), ("b", GaussianNB())]), Pipeline([("b", GaussianNB())]), "a", "removed"),
    (Pipeline([("b", GaussianNB())]), Pipeline([("a", StandardScaler()), ("b", GaussianNB())]), "a", "added"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "path", "what"), PLACES, ids=[f"{case[2]} {case[3]}" for case in PLACES])
def test_a_nested_difference_has_its_path(left: Any, right: Any, path: str, what: str) -> None:
    assert one(left, right, path) == what


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (["a", "b"], ["a", "b", "c", "d"], "labels added: 'c', 'd'"),
        (["a", "b"], ["c", "b"], "labels added: 'c'; removed: 'a'"),
        (["a", "b"], ["b", "a"], "labels reordered"),
        ([0, 1], [0, 2], "labels added: 2; removed: 1"),
        ([False, True], [0, 1], "labels added: 0, 1; removed: False, True"),
        (np.array([1, 2]), np.array([1, 2], dtype="i4"), "dtype int64 -> int32"),
    ],
)  # fmt: skip
def test_classes_differ_in_words(before: Any, after: Any, what: str) -> None:
    left, right = LabelEncoder(), LabelEncoder()
    left.classes_, right.classes_ = np.array(before), np.array(after)

    assert one(left, right, "classes_") == what


def test_categories_and_column_names_differ_in_words() -> None:
    left, right = (OneHotEncoder().fit(pd.DataFrame({name: [1, 2, np.nan, last]})) for name, last in (("a", 3), ("b", 4)))

    assert show(left, right) == [
        ("feature_names_in_", "values added: 'b'; removed: 'a'"),
        ("categories_[0]", "values added: 4.0; removed: 3.0"),
    ]


def test_an_attribute_of_one_side_alone_is_added_or_removed() -> None:
    plain, named = StandardScaler().fit(X[:, :1]), StandardScaler().fit(pd.DataFrame({"a": X[:, 0]}))

    assert one(plain, named, "feature_names_in_") == "added"
    assert one(named, plain, "feature_names_in_") == "removed"


class Unpicklable(property):
    """Python's property has a layout of its own, so that no pickle takes what is made of it."""


def test_what_no_pickle_takes_is_walked_by_its_state() -> None:
    left, right = Unpicklable(), Unpicklable()
    left.size, right.size = 1, 2  # type: ignore[attr-defined]

    assert one(left, right, "size") == "1 -> 2"


def test_labels_of_several_outputs_differ_in_words() -> None:
    left, right = (fit(DecisionTreeClassifier(max_depth=1), y=np.c_[Y, Y + shift]) for shift in (0, 1))

    assert ("classes_[1]", "labels added: 2; removed: 0") in show(left, right)


def test_a_vocabulary_of_many_words_is_one_difference() -> None:
    words = [f"w{i:04}" for i in range(1000)]

    found = show(CountVectorizer().fit([" ".join(words)]), CountVectorizer().fit([" ".join(["a1", *words])]))

    assert found == [("vocabulary_", "keys added: 'a1'"), ("vocabulary_", "1,000 of 1,000 values differ, first at ['w0000']: 0 -> 1")]


def test_steps_that_change_places_are_told() -> None:
    steps = [("a", FunctionTransformer()), ("b", StandardScaler())]

    assert one(Pipeline(steps), Pipeline(steps[::-1])) == "members reordered"


def test_an_object_held_twice_is_told_once_and_a_scalar_wherever_it_is() -> None:
    frozen = [FrozenEstimator(LogisticRegression(C=C).fit(X, Y)) for C in (1.0, 0.5)]
    left, right = (FixedThresholdClassifier(estimator).fit(X, Y) for estimator in frozen)
    scalers = [Pipeline([("a", StandardScaler(with_mean=flag)), ("b", StandardScaler(with_mean=flag))]) for flag in (True, False)]

    assert left.estimator is left.estimator_
    assert {path.partition(".")[0] for path, _ in show(left, right)} == {"estimator"}
    assert show(*scalers) == [("a.with_mean", "True -> False"), ("b.with_mean", "True -> False")]
    shared, unset = {"a": [np.zeros(1)], "b": [np.zeros(1)]}, {"a": None, "b": None}
    shared["b"] = shared["a"]
    assert show(shared, unset) == [("['a']", "list -> None"), ("['b']", "list -> None")]
    assert show(unset, shared) == [("['a']", "None -> list"), ("['b']", "None -> list")]


def test_a_cycle_ends_and_its_difference_is_told_once() -> None:
    left, right = ({"value": value, "inner": {}} for value in (1, 2))
    for loop in (left, right):
        loop["inner"]["outer"] = loop

    assert show(left, right) == [("['value']", "1 -> 2")]


def test_what_the_digest_leaves_out_is_left_out_of_dicts_and_states() -> None:
    left, right = {"mean_fit_time": 1.0, "a": [{"n_jobs": 1}]}, {"mean_fit_time": 2.0, "a": [{"n_jobs": 2}]}
    neighbors = fit(MODELS["kd_tree"])
    queried = copy.deepcopy(neighbors)
    queried.predict(X)
    queried.metric = "l2"

    assert compare_models(left, right) == []
    assert one({**left, "b": 1}, {**right, "b": 2}, "['b']") == "1 -> 2"
    assert one(LogisticRegression(verbose=1), LogisticRegression(verbose=2, C=0.5), "C") == "1.0 -> 0.5"
    assert one(neighbors, queried, "metric") == "'minkowski' -> 'l2'"


def test_a_neighbor_trees_parts_have_names() -> None:
    left, right = (fit(KNeighborsClassifier(algorithm="kd_tree"), X=points) for points in (X, X[::-1].copy()))
    left.predict(X)

    paths = [path for path, _ in show(left, right)]

    assert paths == ["_fit_X", "_tree.idx_array", "_tree.node_data", "_tree.node_bounds"]


MUTATIONS: list[tuple[str, Callable[[Any], Any], str, str]] = [
    ("network", lambda model: model.coefs_[0].__imul__(2), "coefs_[0]", "120 of 120 values differ, at most 4.5e+15 ulps"),
    ("vectors", lambda model: setattr(model, "_gamma", 1.0), "_gamma", " -> 1.0"),
    ("pipeline", lambda model: setattr(model[0].named_transformers_["numeric"][0], "mean_", None), "columns.numeric.standardscaler.mean_", "array of shape (3,) -> None"),
    ("pipeline", lambda model: model[0].transformers_[0][2].append(9), "columns.numeric.columns", "3 -> 4 values"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "mutate", "path", "what"), MUTATIONS, ids=[case[2] for case in MUTATIONS])
def test_a_mutated_model_has_one_difference(name: str, mutate: Callable[[Any], Any], path: str, what: str) -> None:
    left = fit(MODELS[name])
    right = copy.deepcopy(left)
    mutate(right)

    assert what in one(left, right, path)


def test_a_difference_is_a_value() -> None:
    assert compare_models(1, 2) == [ModelDifference(path="", what="1 -> 2")]


def test_no_digest_is_made_within_a_part_whose_digest_is_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    left = make_pipeline(StandardScaler(), RandomForestClassifier(30, random_state=0)).fit(X, Y)
    right = copy.deepcopy(left)
    right[0].mean_[0] += 1
    digested: list[str] = []

    def digest(value: Any) -> str:
        digested.append(type(value).__name__)
        return digest_model(value)

    monkeypatch.setattr("samebits.differences.models.digest_model", digest)

    assert [path for path, _ in show(left, right)] == ["standardscaler.mean_"]
    assert digested.count("RandomForestClassifier") == 2
    assert "DecisionTreeClassifier" not in digested
