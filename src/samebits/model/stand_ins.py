"""Takes out of a model what skops keeps slowly or not at all, and puts stand-ins there: many trees become a few tables.

skops stores every attribute of every tree as a part of its own, some hundred of them, and every array as a member of the archive; a
deque it loads empty; of a booster it keeps what the library pickles, with clocks and thread counts, and of a sparse matrix an archive
of its own, whose places nobody checks. A stand-in is a function of the content alone, as the rest of the file is. The model itself is
not touched.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csc_array, csc_matrix, csr_array, csr_matrix
from sklearn.base import BaseEstimator
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree import BaseDecisionTree

from samebits.model.boosters import is_booster, read_booster
from samebits.model.fingerprint import digest_model
from samebits.networks import ModuleClassifier, ModuleRegressor, StoredClass, StoredState, import_class, write_state
from samebits.stored_parts import JoinedTrees, PlainContainer, SparseTable, StoredBooster

Column = np.ndarray | tuple[np.ndarray, np.ndarray]
Table = tuple[np.ndarray, np.ndarray, list[Column]]  # see JoinedTrees
_FEWER_VALUES = 4  # a column with a different value in every fourth place or less is stored as its values and their places
_FIRST_VALUES = 2**16
_INTEGERS = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64)
_SCALARS = (type(None), bool, int, float, str, np.generic)


def put_stand_ins(value: Any) -> Any:
    """Return a model with stand-ins in it; what holds none is the same object, what holds one a shallow copy."""
    if isinstance(value, _SCALARS):
        return value
    joined = _join_trees(value)
    if joined is not None:
        return joined
    if is_booster(value):
        parameters, content = read_booster(value)
        return StoredBooster.hold(type(value), parameters, np.frombuffer(content, np.uint8))
    if type(value) in (csc_array, csc_matrix, csr_array, csr_matrix):
        return SparseTable.hold(type(value).__name__, tuple(map(int, value.shape)), value.data, value.indices, value.indptr)
    if type(value) is deque:
        return PlainContainer.hold(deque, [put_stand_ins(member) for member in value], value.maxlen)
    if type(value) is defaultdict:
        return PlainContainer.hold(defaultdict, value.default_factory, put_stand_ins(dict(value)))
    if isinstance(value, ModuleClassifier | ModuleRegressor) and hasattr(value, "state_"):
        state = StoredState.hold(np.frombuffer(write_state(value.state_), np.uint8))
        kind = StoredClass.hold(import_class(value.module_class_))
        return _copy_with(value, put_stand_ins({**vars(value), "module_class_": kind, "state_": state}))
    if isinstance(value, BaseEstimator):
        return _copy_with(value, put_stand_ins(vars(value)))
    if type(value) is dict and any(isinstance(key, bool | np.bool_ | tuple | None) for key in value):  # skops writes keys as text
        pairs = [(key, put_stand_ins(value[key])) for key in sorted(value, key=digest_model)]
        return PlainContainer.hold(dict, pairs)
    if type(value) is dict:
        members = {name: put_stand_ins(member) for name, member in value.items()}
        return members if any(members[name] is not value[name] for name in value) else value
    if type(value) in (list, tuple):
        changed = [put_stand_ins(member) for member in value]
        return type(value)(changed) if any(new is not old for new, old in zip(changed, value, strict=True)) else value
    return value


def _copy_with(estimator: BaseEstimator, attributes: dict[str, Any]) -> BaseEstimator:
    if attributes is vars(estimator):
        return estimator
    copied: BaseEstimator = object.__new__(type(estimator))
    vars(copied).update(attributes)
    return copied


def _join_trees(value: Any) -> JoinedTrees | None:
    """Return the stand-in for a list, a list of lists or an array of trees; None where it is none, or they do not go together."""
    trees, shape = _list_members(value)
    kind = type(trees[0]) if trees else None
    if kind is None or not _is_tree_class(kind) or any(type(tree) is not kind for tree in trees):
        return None
    attributes = _join_attributes([_read_attributes(tree) for tree in trees])
    if attributes is None:
        return None
    return JoinedTrees.hold(kind, shape, isinstance(value, np.ndarray), *attributes)


def _list_members(value: Any) -> tuple[list[Any], tuple[int, ...]]:
    """The members of an array of objects, of a list, or of lists of equal length in a list; and their shape."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        return value.ravel().tolist(), value.shape
    if type(value) is not list or not value:
        return [], (0,)
    if type(value[0]) is list and value[0] and all(type(row) is list and len(row) == len(value[0]) for row in value):
        return [member for row in value for member in row], (len(value), len(value[0]))
    return value, (len(value),)


def _join_attributes(states: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, Table]] | None:
    """Return the attributes that all trees share, those that are one number a tree, and those that are rows."""
    if any(state.keys() != states[0].keys() for state in states):
        return None
    shared: dict[str, Any] = {}
    numbers: dict[str, np.ndarray] = {}
    tables: dict[str, Table] = {}
    for name in sorted(states[0]):
        column = [state[name] for state in states]
        if _are_equal(column):
            shared[name] = column[0]
        elif _are_numbers(column):
            numbers[name] = np.array(column)
        elif (table := _join_arrays(column)) is not None:
            tables[name] = table
        else:
            return None
    return (shared, numbers, tables) if tables else None


def _are_numbers(column: Sequence[Any]) -> bool:
    return all(type(member) is int and abs(member) < 2**63 for member in column) or all(type(member) is float for member in column)


def _is_tree_class(kind: type) -> bool:
    return issubclass(kind, BaseDecisionTree | TreePredictor) and kind.__module__.startswith("sklearn.")


def _read_attributes(tree: Any) -> dict[str, Any]:
    """A tree's attributes, those of the Tree inside a decision tree beside them."""
    attributes = dict(vars(tree))
    if isinstance(tree, BaseDecisionTree):
        inner = attributes.pop("tree_")
        state = inner.__getstate__()
        _, (n_features, n_classes, n_outputs), _ = inner.__reduce__()
        attributes.update(
            {
                "tree_.n_features": n_features,
                "tree_.n_classes": n_classes,
                "tree_.n_outputs": n_outputs,
                "tree_.max_depth": state["max_depth"],
                "tree_.nodes": state["nodes"],
                "tree_.values": state["values"],
            }
        )
    return attributes


def _are_equal(column: Sequence[Any]) -> bool:
    """Tell whether all are one value, to the bit and of one type; only of what may be shared without harm."""
    first = column[0]
    if not isinstance(first, (*_SCALARS, np.random.RandomState)) and not (isinstance(first, np.ndarray) and first.dtype != object):
        return False
    rest = [member for member in column if member is not first]
    if not rest:
        return True
    if any(type(member) is not type(first) for member in rest):
        return False
    if isinstance(first, np.ndarray):
        return all(_are_same_bits(first, member) for member in rest)
    if isinstance(first, int | str):
        return all(member == first for member in rest)
    return len({digest_model(member) for member in column}) == 1


def _are_same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def _join_arrays(column: Sequence[Any]) -> Table | None:
    first = column[0]
    if not isinstance(first, np.ndarray) or first.ndim == 0 or first.dtype == object:
        return None
    alike = (type(first), first.dtype, first.shape[1:])
    if any((type(array), getattr(array, "dtype", None), getattr(array, "shape", ())[1:]) != alike for array in column):
        return None
    rows = np.concatenate(column)
    lengths = _narrow(np.array([len(array) for array in column]))
    return first[:0], lengths, [_pack(rows[name]) for name in rows.dtype.names or (...,)]


def _pack(column: np.ndarray) -> Column:
    """A column in fewer bytes: a large one is stored as it is, since compressing it would take longer than all else."""
    packed = _narrow(column)
    if packed.dtype != np.float64:
        return packed
    bits = packed.ravel().view(np.uint64)
    first = bits[:_FIRST_VALUES]  # to look at a few is quick, and where most of them differ, the rest need no look
    if len(pd.unique(first)) * 2 > len(first):
        return packed
    codes, values = pd.factorize(bits)
    if len(values) * _FEWER_VALUES > packed.size:
        return packed
    return _narrow(codes.reshape(packed.shape)), values.view(np.float64)


def _narrow(column: np.ndarray) -> np.ndarray:
    """A column of whole numbers in the narrowest integer type."""
    if column.dtype == np.float64:
        with np.errstate(invalid="ignore"):
            whole = column.astype(np.int64)
        column = whole if whole.astype(np.float64).tobytes() == column.tobytes() else column
    if column.dtype.kind in "iu" and column.size:
        least, greatest = int(column.min()), int(column.max())
        column = column.astype(next(kind for kind in _INTEGERS if np.iinfo(kind).min <= least and greatest <= np.iinfo(kind).max))
    return np.ascontiguousarray(column)
