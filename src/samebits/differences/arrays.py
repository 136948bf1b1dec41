"""How two values inside fitted models differ, in words: numbers by how many and how far in ulps, labels by which came and went.

What a difference means for a model is `model_differences`; here nothing is known but where a value stands.
"""

from __future__ import annotations

import re
import types
from typing import Any

import numpy as np
import scipy.sparse

UNNAMED = "content differs"
PLAIN = (type(None), bool, int, float, complex, str, bytes, slice, type, np.generic, np.dtype)
_SHOWN_CHARACTERS = 60
_SHOWN_LABELS = 5
_FLOAT_BYTES = (2, 4, 8)  # those whose bits are an integer of NumPy's; a long double's are not
_LABELS = re.compile(r"(classes_(\[\d+\])?|categories_\[\d+\]|names_in_)$")


def describe_arrays(path: str, left: np.ndarray, right: np.ndarray) -> str | None:
    """Return how two arrays differ; None where it is for their members to say.

    Parameters
    ----------
    path
        Where in the model they are: some places hold labels, which come and go by name.
    """
    if isinstance(left, np.ma.MaskedArray) or isinstance(right, np.ma.MaskedArray):
        return _describe_masked(path, left, right)
    place = _LABELS.search(path)
    if left.ndim == right.ndim == 1 and (place or left.dtype.kind + right.dtype.kind in ("UU", "OO")):
        noun = "labels" if place and place[0].startswith("classes_") else "values"
        change = describe_labels(noun, [show_value(label) for label in left.tolist()], [show_value(label) for label in right.tolist()])
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
        return describe_change(left, right)
    masks = [np.ma.getmaskarray(array) for array in (left, right)]
    if left.shape == right.shape and (masks[0] != masks[1]).any():
        return count_differing(int((masks[0] != masks[1]).sum()), left.size, "masks")
    return describe_arrays(path, *(array.filled(np.zeros((), array.dtype)) for array in (left, right)))


def _describe_records(left: np.ndarray, right: np.ndarray) -> str:
    counts = {name: int(find_differing(left[name], right[name]).sum()) for name in left.dtype.names or ()}
    return ", ".join(f"{count_differing(count, left.size, 'values')} in {name}" for name, count in counts.items() if count)


def describe_sparse(left: Any, right: Any) -> str:
    """Return how two of SciPy's sparse arrays or matrices differ, in whatever form each of them is stored."""
    one, other = (scipy.sparse.csr_array(matrix, copy=True) for matrix in (left, right))
    for matrix in (one, other):
        matrix.sum_duplicates()
    if one.shape != other.shape:
        return f"shape {one.shape} -> {other.shape}"
    if one.nnz != other.nnz:
        return f"{one.nnz:,} -> {other.nnz:,} stored values"
    if not np.array_equal(one.indices, other.indices) or not np.array_equal(one.indptr, other.indptr):
        return "stored values stand in other places"
    return describe_arrays("", one.data, other.data) or UNNAMED


def _describe_numbers(left: np.ndarray, right: np.ndarray) -> str:
    is_other = find_differing(left, right)
    count = count_differing(int(is_other.sum()), left.size, "values")
    is_measurable = left.dtype.kind == "f" and left.dtype.itemsize in _FLOAT_BYTES
    is_known = is_other & (left == left) & (right == right) & is_measurable
    if not is_known.any():
        first = tuple(np.argwhere(is_other)[0])
        return f"{count}, first at {show_position(first)}: {describe_change(left[first], right[first])}"
    with np.errstate(over="ignore", invalid="ignore"):
        changes = np.where(is_known, np.abs(right.astype(np.float64) - left.astype(np.float64)), -1.0)
    largest = np.unravel_index(np.argmax(changes), changes.shape)
    n_unknown = int((is_other & ~is_known).sum())
    ulps = _measure_ulps(left[is_known], right[is_known])
    distance = "only in the sign of zero" if ulps == 0 else f"at most {_show_ulps(ulps)}"
    size = f"(largest change {changes[largest]:.2g}, at {show_position(largest)})"
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


def find_differing(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return which values differ in any bit, shape of the arrays, which have the same dtype and shape."""
    parts = [_make_native(array).reshape(-1).view(np.uint8).reshape(*array.shape, array.dtype.itemsize) for array in (left, right)]
    return np.asarray((parts[0] != parts[1]).any(axis=-1))


def _make_native(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).reshape(array.shape)


def describe_labels(noun: str, left: list[str], right: list[str]) -> str | None:
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


def describe_change(left: Any, right: Any) -> str:
    """Return both values, or both types where the values look alike."""
    one, other = show_value(left), show_value(right)
    if one == other:
        one, other = (f"{type(value).__module__}.{type(value).__qualname__}" for value in (left, right))
    return f"{one} -> {other}" if one != other else UNNAMED


def show_value(value: Any) -> str:
    """Return a value in few words: plain ones as Python writes them, cut where they are long, others by their type."""
    if type(value) is np.ndarray:
        return f"array of shape {value.shape}"
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType | np.ufunc):
        return value.__name__
    if not isinstance(value, PLAIN):
        return type(value).__qualname__
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def show_key(key: Any) -> str:
    """Return the whole of a key as Python writes it, since a path's keys must be told apart."""
    return repr(key.item() if isinstance(key, np.generic) else key)


def _show_ulps(ulps: int) -> str:
    return "1 ulp" if ulps == 1 else f"{ulps:,} ulps" if ulps < 1_000_000 else f"{ulps:.2g} ulps"


def show_position(position: Any) -> str:
    """Return an index of an array, as Python writes it."""
    return f"[{', '.join(str(int(index)) for index in position)}]"


def count_differing(n_differing: int, n: int, noun: str) -> str:
    """Return how many of how many differ, in words.

    >>> count_differing(1, 2000, "values")
    '1 of 2,000 values differs'
    """
    return f"{n_differing:,} of {n:,} {noun} {'differs' if n_differing == 1 else 'differ'}"
