"""Stand-ins in a model file for what skops alone keeps slowly: calling one gives the real thing, in plain `skops.io.load` too.

What takes them out of a model is `model.stand_ins`. This module is served alone with a model, so it imports nothing of the rest of
the package. Its classes are on record in model files: neither their names nor their parameters may change.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from scipy.sparse import csc_array, csc_matrix, csr_array, csr_matrix
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

Column = np.ndarray | tuple[np.ndarray, np.ndarray]


class StandIn:
    """What is stored in place of a value; the parameters of its class are all that the file has of the value."""

    parameters: tuple[Any, ...]

    @classmethod
    def hold(cls, *parameters: Any) -> Self:
        """Return the stand-in itself, to be stored; calling the class gives the value."""
        stand_in: Self = object.__new__(cls)
        stand_in.parameters = parameters
        return stand_in

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        return type(self), self.parameters


class StoredBooster(StandIn):
    """A booster of LightGBM, XGBoost or CatBoost, as its library writes it; read by that library's own code.

    Parameters
    ----------
    kind
        The booster's class. It stands in the file as a type, so that its package must be allowed.
    parameters
        Of CatBoost's estimators; else empty.
    content
        The library's bytes, as uint8; empty where it was not fitted.
    """

    def __new__(cls, kind: type, parameters: dict[str, Any], content: np.ndarray) -> Any:
        build = _BOOSTERS.get(kind.__module__)
        if build is None:
            raise ValueError(f"expected a booster of LightGBM, XGBoost or CatBoost, found {kind.__module__}.{kind.__name__}")
        return build(kind, parameters, content.astype(np.uint8).tobytes())


def _build_lightgbm(kind: Any, parameters: dict[str, Any], content: bytes) -> Any:
    booster = kind(model_str=content.decode("utf-8"))
    booster.best_iteration = 0  # as a fit without early stopping leaves it
    return booster


def _build_xgboost(kind: Any, parameters: dict[str, Any], content: bytes) -> Any:
    booster = kind()
    booster.load_model(bytearray(content))
    return booster


def _build_catboost(kind: Any, parameters: dict[str, Any], content: bytes) -> Any:
    estimator = kind(**parameters)
    if content:
        estimator.load_model(blob=content)
    return estimator


_BOOSTERS = {"lightgbm.basic": _build_lightgbm, "xgboost.core": _build_xgboost, "catboost.core": _build_catboost}


class PlainContainer(StandIn):
    """A container that skops loads empty, or not at all: a deque, a defaultdict, a dict whose keys are no text and no numbers.

    Parameters
    ----------
    kind
        deque, defaultdict or dict.
    arguments
        Of its constructor: members and maxlen; factory and content; pairs.
    """

    def __new__(cls, kind: type, *arguments: Any) -> Any:
        if kind not in (deque, defaultdict, dict):
            raise ValueError(f"expected a deque, a defaultdict or a dict, found {kind.__name__}")
        return kind(*arguments)


class SparseTable(StandIn):
    """A sparse matrix by columns or by rows, its places found to lie inside it: the code that multiplies by it does not ask.

    Parameters
    ----------
    kind
        Name of its class.
    data, indices, indptr
        As SciPy has them.
    """

    def __new__(cls, kind: str, shape: tuple[int, int], data: np.ndarray, indices: np.ndarray, indptr: np.ndarray) -> Any:
        if kind not in _SPARSE:
            raise ValueError(f"expected one of {', '.join(_SPARSE)}, found {kind}")
        made = _SPARSE[kind]((data, indices, indptr), shape=tuple(shape))
        made.check_format(full_check=True)
        return made


_SPARSE = {kind.__name__: kind for kind in (csc_array, csc_matrix, csr_array, csr_matrix)}


class JoinedTrees(StandIn):
    """Many trees as a few tables: an attribute that all share once, the others one row or several rows a tree.

    Parameters
    ----------
    kind
        Class of every tree: one of scikit-learn's decision trees, or its histogram predictor.
    shape
        Of the trees; in lists, one inside the other, unless `is_array`.
    shared
        Attribute -> its value in every tree.
    numbers
        Attribute -> its values, shape (n_trees,); int64 for int, float64 for float.
    tables
        Attribute -> (dtype and trailing shape as an empty array, rows of each tree, columns). A column's dtype may be narrower; a
        pair is a column's places and its different values.
    """

    def __new__(
        cls,
        kind: type,
        shape: tuple[int, ...],
        is_array: bool,
        shared: dict[str, Any],
        numbers: dict[str, np.ndarray],
        tables: dict[str, tuple[np.ndarray, np.ndarray, list[Column]]],
    ) -> Any:
        if not issubclass(kind, BaseDecisionTree | TreePredictor):
            raise ValueError(f"expected scikit-learn's trees, found {kind.__name__}")
        members = {name: column.tolist() for name, column in numbers.items()}
        members.update({name: _split_rows(*table) for name, table in tables.items()})
        build = _build_decision_tree if issubclass(kind, BaseDecisionTree) else _build_tree
        rows = zip(*members.values(), strict=True)
        trees = [build(kind, {**shared, **dict(zip(members, row, strict=True))}) for row in rows]
        return _in_shape(trees, shape, is_array)


def _split_rows(template: np.ndarray, lengths: np.ndarray, columns: list[Column]) -> Iterator[np.ndarray]:
    """Yield each tree's rows, a copy."""
    whole = [column if isinstance(column, np.ndarray) else column[1][column[0]] for column in columns]
    table = np.zeros((len(whole[0]), *template.shape[1:]), dtype=template.dtype)
    fields = [table[name] for name in template.dtype.names] if template.dtype.names else [table]
    for field, column in zip(fields, whole, strict=True):
        field[...] = column
    end = 0
    for length in lengths.tolist():
        yield table[end : end + length].copy()
        end += length


def _build_tree(kind: type, attributes: dict[str, Any]) -> Any:
    tree: Any = object.__new__(kind)
    tree.__dict__.update(attributes)
    return tree


def _build_decision_tree(kind: type, attributes: dict[str, Any]) -> Any:
    nodes, values = attributes.pop("tree_.nodes"), attributes.pop("tree_.values")
    inner = Tree(attributes.pop("tree_.n_features"), attributes.pop("tree_.n_classes"), attributes.pop("tree_.n_outputs"))
    depth = attributes.pop("tree_.max_depth")
    inner.__setstate__({"max_depth": depth, "node_count": len(nodes), "nodes": nodes, "values": values})
    return _build_tree(kind, {**attributes, "tree_": inner})


def _in_shape(trees: list[Any], shape: tuple[int, ...], is_array: bool) -> Any:
    array = np.empty(len(trees), dtype=object)
    array[:] = trees
    shaped = array.reshape(shape)
    return shaped if is_array else shaped.tolist()
