"""What of two fitted models differs: which attribute, which of its numbers, and by how much.

`fingerprint` says whether two parts are equal: those whose digests agree are passed over, so the walk goes down only where something
differs, and what the digest leaves out is left out. A difference that nothing here has words for still has its place.
"""

from __future__ import annotations

import functools
import re
import types
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaseEnsemble
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import BallTree, KDTree
from sklearn.pipeline import Pipeline
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

from samebits.fingerprint import digest_model, is_incidental

UNNAMED = "content differs"
_SHOWN_CHARACTERS = 60
_SHOWN_LABELS = 5
_PLAIN = (type(None), bool, int, float, complex, str, bytes, slice, type, np.generic, np.dtype)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, np.ufunc)
_SHARED = (*_PLAIN, *_FUNCTIONS)  # that two places hold the same one says nothing
_CONTAINERS = (dict, list, tuple, np.ndarray)
_TABLES = (pd.DataFrame, pd.Series, pd.Index)
_GENERATORS = (np.random.RandomState, np.random.Generator)
_FLOAT_BYTES = (2, 4, 8)  # those whose bits are an integer of NumPy's; a long double's are not
_LABELS = re.compile(r"(classes_(\[\d+\])?|categories_\[\d+\]|names_in_)$")
_MAIN_COLUMNS = {  # of a tree's nodes; what else differs follows from them
    "feature": "features",
    "feature_idx": "features",
    "threshold": "thresholds",
    "num_threshold": "thresholds",
    "value": "values",
}
# what the state of sklearn.neighbors' binary trees holds, in order; None counts queries and is no content
_NEIGHBOR_TREE = ["data", "idx_array", "node_data", "node_bounds", "leaf_size", "n_levels", "n_nodes"]
_NEIGHBOR_TREE_STATE = [*_NEIGHBOR_TREE, None, None, None, None, "dist_metric", "sample_weight"]


@dataclass(frozen=True)
class ModelDifference:
    """One part of two fitted models that is not the same.

    Parameters
    ----------
    path
        Where it is, such as `columns.numeric.scale.mean_` or `coefs_[0]`: by attributes, with a pipeline's steps and a column
        transformer's branches by their names; empty for the model itself.
    what
        How it differs, the left one's value first.
    """

    path: str
    what: str


def compare_models(left: Any, right: Any) -> list[ModelDifference]:
    """Return what of two fitted models differs: nothing exactly when `digest_model` of both is equal.

    An ensemble's trees make one difference however many of them differ, and so do a list's or dict's plain values.

    Parameters
    ----------
    left, right
        Anything that `digest_model` takes.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> left, right = StandardScaler().fit([[1.0], [3.0]]), StandardScaler().fit([[1.0], [5.0]])
    >>> compare_models(left, right)[0]
    ModelDifference(path='mean_', what='1 of 1 values differs, at most 2.3e+15 ulps (largest change 1, at [0])')
    """
    comparison = _Comparison()
    if digest_model(left) != digest_model(right):
        comparison.describe("", left, right)
    return comparison.found


class _Comparison:
    """One walk over two models; remembers which pairs of objects it met, so that a shared one is told once and a cycle ends."""

    def __init__(self) -> None:
        self.found: list[ModelDifference] = []
        self.met: dict[tuple[int, int], tuple[Any, Any]] = {}  # holds the objects, or their ids would be given to others

    def note(self, path: str, what: str) -> None:
        self.found.append(ModelDifference(path.removeprefix("."), what))

    def describe(self, path: str, left: Any, right: Any) -> None:
        """Note at least one difference of two parts whose digests differ, unless this very pair was met before."""
        pair = (id(left), id(right))
        if pair in self.met and not isinstance(left, _SHARED) and not isinstance(right, _SHARED):
            return
        self.met[pair] = (left, right)
        what = _describe_whole(path, left, right)
        if what is not None:
            self.note(path, what)
        elif not self.describe_members(path, left, right):
            self.note(path, UNNAMED)

    def describe_members(self, path: str, left: Any, right: Any) -> bool:
        """Note what differs among the parts of two parts; return whether anything does."""
        one, other = _list_members(left), _list_members(right)
        differing = [name for name in one if name in other and digest_model(one[name]) != digest_model(other[name])]
        added, removed = [name for name in other if name not in one], [name for name in one if name not in other]
        is_reordered = _is_reordered(left, right)
        if is_reordered:
            self.note(path, "members reordered")
        if isinstance(left, _CONTAINERS):
            self.describe_container(path, one, other, differing)
        else:
            for name in differing:
                if _is_ensemble(left, name):
                    self.note(path + name, _describe_ensemble(one[name], other[name]))
                else:
                    self.describe(path + name, one[name], other[name])
            for name, what in [*((name, "added") for name in added), *((name, "removed") for name in removed)]:
                self.note(path + name, what)
        return bool(differing or added or removed or is_reordered)

    def describe_container(self, path: str, one: dict[str, Any], other: dict[str, Any], differing: list[str]) -> None:
        if one.keys() != other.keys():
            names = [[name[1:].removesuffix("]") for name in members] for members in (one, other)]
            noun = "keys" if all(name.startswith("[") for name in (*one, *other)) else "members"
            self.note(path, _describe_labels(noun, *names) or UNNAMED)
        if len(differing) > 1 and all(isinstance(members[name], _PLAIN) for members in (one, other) for name in differing):
            first = differing[0]
            count = _count(len(differing), len(one), "values")
            self.note(path, f"{count}, first at {first}: {_describe_change(one[first], other[first])}")
            return
        for name in differing:
            self.describe(path + name, one[name], other[name])


def _describe_whole(path: str, left: Any, right: Any) -> str | None:
    """Return how two parts differ where that is one sentence; None where their own parts say more."""
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return _describe_arrays(path, left, right)
    if scipy.sparse.issparse(left) and scipy.sparse.issparse(right):
        return _describe_sparse(left, right)
    if isinstance(left, _SHARED) or type(left) is not type(right):
        return _describe_change(left, right)
    if isinstance(left, Tree | TreePredictor):
        return _describe_trees(left, right)
    if isinstance(left, set | frozenset):
        return _describe_labels("values", sorted(map(_show, left)), sorted(map(_show, right)))
    if isinstance(left, list | tuple) and len(left) != len(right) and not _list_names(left):
        return f"{len(left):,} -> {len(right):,} values"
    if isinstance(left, _TABLES):
        return f"shape {left.shape} -> {right.shape}" if left.shape != right.shape else UNNAMED
    return "state of the random generator differs" if isinstance(left, _GENERATORS) else None


def _list_members(value: Any) -> dict[str, Any]:
    """Return a part's own parts, by what a path to them adds."""
    if isinstance(value, dict):
        return {f"[{_show_key(key)}]": member for key, member in value.items() if not is_incidental(key)}
    if isinstance(value, np.ndarray):
        return {_show_position(position): value[position] for position in np.ndindex(value.shape)}
    if isinstance(value, list | tuple):
        return _list_named(value) if _list_names(value) else {f"[{i}]": member for i, member in enumerate(value)}
    if isinstance(value, KDTree | BallTree):
        return {f".{name}": member for name, member in zip(_NEIGHBOR_TREE_STATE, value.__getstate__(), strict=True) if name}
    if isinstance(value, functools.partial):
        return {".func": value.func, ".args": value.args, ".keywords": value.keywords}
    if isinstance(value, FrozenEstimator):
        return {"": value.estimator}
    return _list_attributes(value)


def _list_attributes(value: Any) -> dict[str, Any]:
    try:
        reduced = value.__reduce_ex__(2)
    except TypeError:  # a class that no pickle takes, and that is digested by its state all the same
        reduced = (None, (), value.__getstate__())
    if isinstance(reduced, str):
        return {}
    state = reduced[2] if len(reduced) > 2 else None
    members = {".args": reduced[1]}
    for part in state if isinstance(state, tuple) else (state,):  # a class with slots has a tuple of two dicts
        attributes = part if isinstance(part, dict) else {"state": part}
        members.update({f".{name}": member for name, member in attributes.items() if not is_incidental(name)})
    listed = f".{_find_steps(value)}"
    steps = _list_named(members.pop(listed, []))
    return {listed + name if name in members else name: member for name, member in steps.items()} | members


def _find_steps(value: Any) -> str:
    """Return the attribute whose members' names stand in a path without its own."""
    return "steps" if isinstance(value, Pipeline) else "transformers_" if isinstance(value, ColumnTransformer) else ""


def _list_names(value: Any) -> list[str]:
    """Return the names in a list such as a pipeline's steps; none for any other."""
    is_named = all(isinstance(member, tuple) and len(member) in (2, 3) and isinstance(member[0], str) for member in value)
    names = [member[0] for member in value] if is_named else []
    return names if len(set(names)) == len(names) else []


def _is_reordered(left: Any, right: Any) -> bool:
    lists = [getattr(value, _find_steps(value), value) for value in (left, right)]
    one, other = (_list_names(members) if isinstance(members, list | tuple) else [] for members in lists)
    return [name for name in one if name in other] != [name for name in other if name in one]


def _list_named(value: Any) -> dict[str, Any]:
    members = {f".{name}": member for name, member, *_ in value}
    return {**members, **{f".{name}.columns": columns[0] for name, _, *columns in value if columns}}


def _is_ensemble(owner: Any, name: str) -> bool:
    return name == "._predictors" or (name == ".estimators_" and isinstance(owner, BaseEnsemble))


def _describe_ensemble(left: Any, right: Any) -> str:
    one, other = _list_estimators(left), _list_estimators(right)
    noun = "tree" if all(isinstance(member, BaseDecisionTree | TreePredictor) for member in (*one, *other)) else "estimator"
    if len(one) != len(other):
        return f"{len(one):,} -> {len(other):,} {noun}s"
    differing = [i for i in range(len(one)) if digest_model(one[i]) != digest_model(other[i])]
    if not differing:
        return UNNAMED
    found = compare_models(one[differing[0]], other[differing[0]])
    first = next((difference for difference in found if difference.path == "tree_"), found[0])
    where = "" if first.path in ("", "tree_") else f"{first.path}: "
    return f"{_count(len(differing), len(one), f'{noun}s')}, first {noun} {differing[0]}: {where}{first.what}"


def _list_estimators(value: Any) -> list[Any]:
    members = value.ravel().tolist() if isinstance(value, np.ndarray) else value
    return [estimator for member in members for estimator in (member if isinstance(member, list) else [member])]


def _describe_trees(left: Any, right: Any) -> str | None:
    one, other = _list_tree_columns(left), _list_tree_columns(right)
    n_nodes = len(one["value"])
    if n_nodes != len(other["value"]):
        return f"{n_nodes:,} -> {len(other['value']):,} nodes"
    if any(column.dtype != other[name].dtype or column.shape != other[name].shape for name, column in one.items()):
        return None  # as with another number of classes
    counts = {name: int(_find_differing(one[name], other[name]).reshape(n_nodes, -1).any(axis=1).sum()) for name in one}
    main = [_count(counts[name], n_nodes, noun) for name, noun in _MAIN_COLUMNS.items() if counts.get(name)]
    return ", ".join(main or [_count(count, n_nodes, f"nodes' {name}") for name, count in counts.items() if count]) or None


def _list_tree_columns(tree: Any) -> dict[str, np.ndarray]:
    state = tree.__getstate__()
    columns = {name: state["nodes"][name] for name in state["nodes"].dtype.names}
    return {**columns, "value": state["values"]} if "values" in state else columns


def _describe_arrays(path: str, left: np.ndarray, right: np.ndarray) -> str | None:
    if isinstance(left, np.ma.MaskedArray) or isinstance(right, np.ma.MaskedArray):
        return _describe_masked(path, left, right)
    place = _LABELS.search(path)
    if left.ndim == right.ndim == 1 and (place or left.dtype.kind + right.dtype.kind in ("UU", "OO")):
        noun = "labels" if place and place[0].startswith("classes_") else "values"
        change = _describe_labels(noun, [_show(label) for label in left.tolist()], [_show(label) for label in right.tolist()])
        if change is not None:
            return change
    dtypes = [array.dtype.newbyteorder("=") for array in (left, right)]
    pairs = [("shape", left.shape, right.shape), ("dtype", *dtypes)]
    changes = [f"{name} {one} -> {other}" for name, one, other in pairs if one != other]
    if changes:
        return ", ".join(changes)
    if left.dtype == object:
        return None
    return _describe_records(left, right) if left.dtype.names else _describe_numbers(*map(_make_native, (left, right)))


def _describe_masked(path: str, left: Any, right: Any) -> str | None:
    if type(left) is not type(right):
        return _describe_change(left, right)
    masks = [np.ma.getmaskarray(array) for array in (left, right)]
    if left.shape == right.shape and (masks[0] != masks[1]).any():
        return _count(int((masks[0] != masks[1]).sum()), left.size, "masks")
    return _describe_arrays(path, *(array.filled(np.zeros((), array.dtype)) for array in (left, right)))


def _describe_records(left: np.ndarray, right: np.ndarray) -> str:
    counts = {name: int(_find_differing(left[name], right[name]).sum()) for name in left.dtype.names or ()}
    return ", ".join(f"{_count(count, left.size, 'values')} in {name}" for name, count in counts.items() if count)


def _describe_sparse(left: Any, right: Any) -> str:
    one, other = (scipy.sparse.csr_array(matrix, copy=True) for matrix in (left, right))
    for matrix in (one, other):
        matrix.sum_duplicates()
    if one.shape != other.shape:
        return f"shape {one.shape} -> {other.shape}"
    if one.nnz != other.nnz:
        return f"{one.nnz:,} -> {other.nnz:,} stored values"
    if not np.array_equal(one.indices, other.indices) or not np.array_equal(one.indptr, other.indptr):
        return "stored values stand in other places"
    return _describe_arrays("", one.data, other.data) or UNNAMED


def _describe_numbers(left: np.ndarray, right: np.ndarray) -> str:
    is_other = _find_differing(left, right)
    count = _count(int(is_other.sum()), left.size, "values")
    is_measurable = left.dtype.kind == "f" and left.dtype.itemsize in _FLOAT_BYTES
    is_known = is_other & (left == left) & (right == right) & is_measurable
    if not is_known.any():
        first = tuple(np.argwhere(is_other)[0])
        return f"{count}, first at {_show_position(first)}: {_describe_change(left[first], right[first])}"
    with np.errstate(over="ignore", invalid="ignore"):
        changes = np.where(is_known, np.abs(right.astype(np.float64) - left.astype(np.float64)), -1.0)
    largest = np.unravel_index(np.argmax(changes), changes.shape)
    n_unknown = int((is_other & ~is_known).sum())
    ulps = _measure_ulps(left[is_known], right[is_known])
    distance = "only in the sign of zero" if ulps == 0 else f"at most {_show_ulps(ulps)}"
    size = f"(largest change {changes[largest]:.2g}, at {_show_position(largest)})"
    return f"{count}, {distance} {size}" + (f", {n_unknown:,} from or to NaN" if n_unknown else "")


def _measure_ulps(left: np.ndarray, right: np.ndarray) -> int:
    """Return the largest number of floats from one to the other; -0.0 and 0.0 are none apart.

    Floats of one sign are ordered as their bits are, as integers (IEEE 754), so a float's place is its magnitude's bits, signed.
    """
    size = left.dtype.itemsize
    bits = [np.ascontiguousarray(array).view(f"i{size}").astype(np.int64) for array in (left, right)]
    magnitude = np.int64(2 ** (8 * size - 1) - 1)
    places = [np.where(part < 0, -(part & magnitude), part) for part in bits]
    # as unsigned: from the lowest float to the highest is more than an int64 holds
    return int((np.maximum(*places).astype(np.uint64) - np.minimum(*places).astype(np.uint64)).max())


def _find_differing(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return which values differ in any bit, shape of the arrays, which have the same dtype and shape."""
    parts = [_make_native(array).reshape(-1).view(np.uint8).reshape(*array.shape, array.dtype.itemsize) for array in (left, right)]
    return np.asarray((parts[0] != parts[1]).any(axis=-1))


def _make_native(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).reshape(array.shape)


def _describe_labels(noun: str, left: list[str], right: list[str]) -> str | None:
    """Return what came, went or moved among labels that are unique on both sides; None if nothing did, or they are not."""
    one, other = set(left), set(right)
    if len(one) < len(left) or len(other) < len(right):
        return None
    added, removed = [label for label in right if label not in one], [label for label in left if label not in other]
    said = [f"{word}: {_join_labels(labels)}" for word, labels in (("added", added), ("removed", removed)) if labels]
    if said:
        return f"{noun} {'; '.join(said)}"
    return f"{noun} reordered" if left != right else None


def _join_labels(labels: list[str]) -> str:
    more = len(labels) - _SHOWN_LABELS
    return ", ".join(labels[:_SHOWN_LABELS]) + (f" and {more:,} more" if more > 0 else "")


def _describe_change(left: Any, right: Any) -> str:
    one, other = _show(left), _show(right)
    if one == other:
        one, other = (f"{type(value).__module__}.{type(value).__qualname__}" for value in (left, right))
    return f"{one} -> {other}" if one != other else UNNAMED


def _show(value: Any) -> str:
    if type(value) is np.ndarray:
        return f"array of shape {value.shape}"
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType | np.ufunc):
        return value.__name__
    if not isinstance(value, _PLAIN):
        return type(value).__qualname__
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def _show_key(key: Any) -> str:
    return repr(key.item() if isinstance(key, np.generic) else key)  # all of it, since a path's keys must be told apart


def _show_ulps(ulps: int) -> str:
    return "1 ulp" if ulps == 1 else f"{ulps:,} ulps" if ulps < 1_000_000 else f"{ulps:.2g} ulps"


def _show_position(position: Any) -> str:
    return f"[{', '.join(str(int(index)) for index in position)}]"


def _count(n_differing: int, n: int, noun: str) -> str:
    return f"{n_differing:,} of {n:,} {noun} {'differs' if n_differing == 1 else 'differ'}"
