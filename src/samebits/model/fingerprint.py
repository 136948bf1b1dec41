"""A digest of a fitted model's content: equal exactly when two models hold the same parameters and the same learned numbers.

No file's digest can say that: pickles change with the memory order and sharing of objects, model files with addresses and clocks.
The walk below goes over what a pickle would rebuild and normalises what carries no meaning: dict and set order, array strides,
padding bytes, masked values, byte order. It leaves out `n_jobs`, `verbose`, fit times and query counters. It is strict by version:
another scikit-learn stores other attributes, so the digest differs even where predictions agree.
"""

from __future__ import annotations

import functools
import hashlib
import struct
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.neighbors import BallTree, KDTree

from samebits.digests import PREFIX
from samebits.model.boosters import is_booster, read_booster

IGNORED_ATTRIBUTES = frozenset(
    {
        "n_jobs",
        "verbose",
        "n_threads",
        "_n_threads",
        "num_threads",
        "nthread",
        "_stop_words_id",
        "refit_time_",
        "_sklearn_version",
    }
)
_TIMES = ("_fit_time", "_score_time")
_TREE_COUNTERS = slice(7, 11)  # n_trims, n_leaves, n_splits, n_calls of sklearn.neighbors' binary trees: queries so far


def digest_model(model: Any) -> str:
    """Return `sha256:` of a fitted model's content; any nested value of scikit-learn, NumPy, SciPy, pandas or Python will do."""
    return PREFIX + _Walk().digest(model).hex()


@functools.lru_cache(maxsize=4096)
def is_incidental(name: Any) -> bool:
    """Tell whether an attribute says how a model was made rather than what it is."""
    return isinstance(name, str) and (name in IGNORED_ATTRIBUTES or name.endswith(_TIMES))


class _Walk:
    """One traversal; remembers the objects it stands in, so that a cycle is written as the distance back.

    It remembers too what it has digested and will meet again in each of a thousand trees: plain values, and generators by identity.
    """

    def __init__(self) -> None:
        self.open_ids: list[int] = []
        self.plain: dict[type, dict[Any, bytes]] = {str: {}, int: {}, bool: {}, type(None): {}}
        self.writers: dict[type, Callable[[_Walk, Any], bytes] | None] = {}
        self.generators: dict[int, tuple[Any, bytes]] = {}  # held, so that no other object takes the id

    def digest(self, value: Any) -> bytes:
        known = self.plain.get(type(value))
        if known is not None:
            if value not in known:
                known[value] = hashlib.sha256(_write_scalar(value) or b"").digest()
            return known[value]
        if type(value) is np.ndarray and value.dtype.kind in "biuf" and value.dtype.isnative:
            return self.write_numbers(value)
        scalar = _write_scalar(value)
        if scalar is not None:
            return hashlib.sha256(scalar).digest()
        if id(value) in self.open_ids:
            distance = len(self.open_ids) - self.open_ids.index(id(value))
            return hashlib.sha256(b"cycle%d" % distance).digest()
        self.open_ids.append(id(value))
        try:
            return self._digest_object(value)
        finally:
            self.open_ids.pop()

    def _digest_object(self, value: Any) -> bytes:
        kind = type(value)
        if kind not in self.writers:
            found = (write for known, write in _WRITERS if issubclass(kind, known))
            self.writers[kind] = _Walk.write_booster if is_booster(value) else next(found, None)
        write = self.writers[kind]
        if write is not None:
            return write(self, value)
        if isinstance(value, BaseEstimator) or not _has_own_reduce(type(value)):
            return self.join(_name(type(value)), [self._digest_state(value.__getstate__())])
        reduced = value.__reduce_ex__(2)
        if isinstance(reduced, str):
            return self.join("global", [self.digest(reduced)])
        parts = [*reduced[:3], *(list(part) if part is not None else None for part in reduced[3:])]  # the rest are iterators
        return self.join(_name(type(value)), [self.digest(parts[0]), self.digest(parts[1]), *map(self._digest_state, parts[2:])])

    def _digest_state(self, state: Any) -> bytes:
        if isinstance(state, dict):
            return self.digest({name: member for name, member in state.items() if not is_incidental(name)})
        return self.digest(state)

    def join(self, tag: str, parts: Iterable[bytes]) -> bytes:
        sha256 = hashlib.sha256(tag.encode("utf-8") + b"\0")
        for part in parts:
            sha256.update(part)
        return sha256.digest()

    def write_mapping(self, value: dict[Any, Any]) -> bytes:
        pairs = sorted(self.digest(key) + self.digest(member) for key, member in value.items() if not is_incidental(key))
        return self.join("dict" if type(value) is dict else _name(type(value)), pairs)

    def write_set(self, value: Any) -> bytes:
        return self.join("set", sorted(map(self.digest, value)))

    def write_sequence(self, value: Any) -> bytes:
        tag = type(value).__name__ if type(value) in (list, tuple) else _name(type(value))
        return self.join(tag, map(self.digest, value))

    def write_masked(self, value: np.ma.MaskedArray) -> bytes:
        mask = np.ma.getmaskarray(value)
        visible = np.where(mask, np.zeros((), value.dtype), value.data) if value.dtype != object else value.filled(None)
        return self.join("masked", [self.digest(np.asarray(mask)), self.digest(np.asarray(visible))])

    def write_array(self, value: np.ndarray) -> bytes:
        head = f"array {value.shape}"
        if value.dtype.names:
            columns = value if value.ndim else value.reshape(1)
            fields = [self.digest(name) + self.digest(columns[name]) for name in value.dtype.names]
            return self.join(f"{head} record", fields)
        if value.dtype == object:
            return self.join(f"{head} object", map(self.digest, value.ravel(order="C").tolist()))
        array = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        return self.join(f"{head} {array.dtype.str}", [array.tobytes()])

    def write_numbers(self, value: np.ndarray) -> bytes:
        """As write_array, of an array that is already in this machine's byte order."""
        if sys.byteorder == "big":
            return self.write_array(value)
        return hashlib.sha256(f"array {value.shape} {value.dtype.str}\0".encode() + value.tobytes()).digest()

    def write_sparse(self, value: Any) -> bytes:
        rows = scipy.sparse.csr_array(value, copy=True)
        rows.sum_duplicates()
        return self.join(f"sparse {rows.shape}", map(self.digest, (rows.indptr.astype("i8"), rows.indices.astype("i8"), rows.data)))

    def write_generator(self, value: Any) -> bytes:
        if id(value) not in self.generators:
            state = value.get_state(legacy=False) if isinstance(value, np.random.RandomState) else value.bit_generator.state
            self.generators[id(value)] = value, self.join(_name(type(value)), [self.digest(state)])
        return self.generators[id(value)][1]

    def write_table(self, value: Any) -> bytes:
        frame = value.to_frame() if isinstance(value, pd.Series | pd.Index) else value
        columns = [self.digest(str(frame.dtypes.iloc[i])) + self.digest(frame.iloc[:, i].to_numpy()) for i in range(frame.shape[1])]
        return self.join(type(value).__name__, [self.digest(list(map(str, frame.columns))), *columns])

    def write_function(self, value: Any) -> bytes:
        if value.__name__ != "<lambda>":
            return self.join("function", [self.digest(_name(value))])
        closure = [cell.cell_contents for cell in value.__closure__ or ()]
        return self.join("lambda", map(self.digest, (value.__code__.co_code, _constants(value.__code__), closure)))

    def write_partial(self, value: functools.partial[Any]) -> bytes:
        return self.join("partial", map(self.digest, (value.func, value.args, value.keywords)))

    def write_booster(self, value: Any) -> bytes:
        return self.join(f"booster {_name(type(value))}", map(self.digest, read_booster(value)))

    def write_neighbor_tree(self, value: Any) -> bytes:
        state = list(value.__getstate__())
        state[_TREE_COUNTERS] = []
        return self.join(_name(type(value)), [self.digest(state)])


def _write_scalar(value: Any) -> bytes | None:
    """NumPy's float64, int64 and bool are written as Python's: whichever it is changes no number."""
    if value is None or value is Ellipsis or value is NotImplemented:
        return repr(value).encode()
    if isinstance(value, bool | np.bool_):
        return b"bool%d" % bool(value)
    if isinstance(value, int) or (isinstance(value, np.integer) and value.dtype == np.int64):
        return b"int" + str(int(value)).encode()
    if isinstance(value, float):
        return b"nan" if value != value else b"float" + struct.pack("<d", value)
    if isinstance(value, complex):
        return b"complex" + struct.pack("<dd", value.real, value.imag)
    if isinstance(value, str):
        return b"str" + value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes | bytearray):
        return b"bytes" + bytes(value)
    if isinstance(value, np.generic):
        return b"generic" + value.dtype.str.encode() + np.asarray(value).tobytes()
    if isinstance(value, np.dtype):
        return b"dtype" + str(value).encode()
    if isinstance(value, type):
        return b"type" + _name(value).encode()
    return None


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _has_own_reduce(kind: type) -> bool:
    """Tell whether a class says itself how it is rebuilt; otherwise its state says all."""
    own = any("__reduce__" in base.__dict__ or "__reduce_ex__" in base.__dict__ for base in kind.__mro__[:-1])
    return own or kind.__dictoffset__ == 0


def _constants(code: types.CodeType) -> list[Any]:
    return [constant.co_code if isinstance(constant, types.CodeType) else constant for constant in code.co_consts]


_WRITERS: list[tuple[Any, Callable[[_Walk, Any], bytes]]] = [
    (dict, _Walk.write_mapping),
    ((list, tuple), _Walk.write_sequence),
    ((set, frozenset), _Walk.write_set),
    (np.ma.MaskedArray, _Walk.write_masked),
    (np.ndarray, _Walk.write_array),
    ((KDTree, BallTree), _Walk.write_neighbor_tree),
    ((np.random.RandomState, np.random.Generator), _Walk.write_generator),
    ((pd.DataFrame, pd.Series, pd.Index), _Walk.write_table),
    (functools.partial, _Walk.write_partial),
    (types.FunctionType, _Walk.write_function),
    ((types.BuiltinFunctionType, np.ufunc), lambda walk, value: walk.join("builtin", [walk.digest(value.__name__)])),
    ((scipy.sparse.sparray, scipy.sparse.spmatrix), _Walk.write_sparse),
]
