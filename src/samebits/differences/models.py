"""What of two fitted models differs: which attribute, which of its numbers, and by how much.

`fingerprint` says whether two parts are equal: those whose digests agree are passed over, so the walk goes down only where something
differs, and what the digest leaves out is left out. A difference that nothing here has words for still has its place.
"""

from __future__ import annotations

import functools
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

from samebits.differences.arrays import (
    PLAIN,
    UNNAMED,
    count_differing,
    describe_arrays,
    describe_change,
    describe_labels,
    describe_sparse,
    find_differing,
    show_key,
    show_position,
    show_value,
)
from samebits.model.fingerprint import digest_model, is_incidental

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, np.ufunc)
_SHARED = (*PLAIN, *_FUNCTIONS)  # that two places hold the same one says nothing
_CONTAINERS = (dict, list, tuple, np.ndarray)
_TABLES = (pd.DataFrame, pd.Series, pd.Index)
_GENERATORS = (np.random.RandomState, np.random.Generator)
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
            self.note(path, describe_labels(noun, *names) or UNNAMED)
        if len(differing) > 1 and all(isinstance(members[name], PLAIN) for members in (one, other) for name in differing):
            first = differing[0]
            count = count_differing(len(differing), len(one), "values")
            self.note(path, f"{count}, first at {first}: {describe_change(one[first], other[first])}")
            return
        for name in differing:
            self.describe(path + name, one[name], other[name])


def _describe_whole(path: str, left: Any, right: Any) -> str | None:
    """Return how two parts differ where that is one sentence; None where their own parts say more."""
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return describe_arrays(path, left, right)
    if scipy.sparse.issparse(left) and scipy.sparse.issparse(right):
        return describe_sparse(left, right)
    if isinstance(left, _SHARED) or type(left) is not type(right):
        return describe_change(left, right)
    if isinstance(left, Tree | TreePredictor):
        return _describe_trees(left, right)
    if isinstance(left, set | frozenset):
        return describe_labels("values", sorted(map(show_value, left)), sorted(map(show_value, right)))
    if isinstance(left, list | tuple) and len(left) != len(right) and not _list_names(left):
        return f"{len(left):,} -> {len(right):,} values"
    if isinstance(left, _TABLES):
        return f"shape {left.shape} -> {right.shape}" if left.shape != right.shape else UNNAMED
    return "state of the random generator differs" if isinstance(left, _GENERATORS) else None


def _list_members(value: Any) -> dict[str, Any]:
    """Return a part's own parts, by what a path to them adds."""
    if isinstance(value, dict):
        return {f"[{show_key(key)}]": member for key, member in value.items() if not is_incidental(key)}
    if isinstance(value, np.ndarray):
        return {show_position(position): value[position] for position in np.ndindex(value.shape)}
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
    return f"{count_differing(len(differing), len(one), f'{noun}s')}, first {noun} {differing[0]}: {where}{first.what}"


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
    counts = {name: int(find_differing(one[name], other[name]).reshape(n_nodes, -1).any(axis=1).sum()) for name in one}
    main = [count_differing(counts[name], n_nodes, noun) for name, noun in _MAIN_COLUMNS.items() if counts.get(name)]
    return ", ".join(main or [count_differing(count, n_nodes, f"nodes' {name}") for name, count in counts.items() if count]) or None


def _list_tree_columns(tree: Any) -> dict[str, np.ndarray]:
    state = tree.__getstate__()
    columns = {name: state["nodes"][name] for name in state["nodes"].dtype.names}
    return {**columns, "value": state["values"]} if "values" in state else columns
