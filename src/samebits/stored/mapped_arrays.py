"""Arrays that lie in a scratch file which is mapped: their memory can be given back while nobody reads them.

While an estimator is fitted on what it was given, the table itself is not looked at, nor who is in which fold. The system keeps the
file's pages as long as it has room, so that reading them again costs little.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from samebits.stored.scratch import open_scratch

_ALIGNED_BYTES = 64
_KINDS = "bfM"


@dataclass(frozen=True)
class Pages:
    """The memory of mapped arrays."""

    mapped: mmap.mmap

    def release(self) -> None:
        """Give back what has been read; it is read from the file anew when it is asked for."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.mapped.madvise(mmap.MADV_DONTNEED)


def map_arrays(arrays: Sequence[np.ndarray]) -> tuple[list[np.ndarray], Pages | None]:
    """Return equal arrays that nobody can write to, in a scratch file; where there is no room for them, these ones.

    Parameters
    ----------
    arrays
        Of any type but Python's objects.
    """
    try:
        places, mapped = _write(arrays)
    except OSError:
        return list(arrays), None
    if mapped is None:
        return list(arrays), None
    return [_find(array, mapped, place) for array, place in zip(arrays, places, strict=True)], Pages(mapped)


def _find(array: np.ndarray, mapped: mmap.mmap, place: int) -> np.ndarray:
    if not array.size:
        return array
    return np.frombuffer(mapped, dtype=array.dtype, count=array.size, offset=place).reshape(array.shape)


def _write(arrays: Sequence[np.ndarray]) -> tuple[list[int], mmap.mmap | None]:
    places = []
    with open_scratch() as file:
        for array in arrays:
            file.seek(-(-file.tell() // _ALIGNED_BYTES) * _ALIGNED_BYTES)
            places.append(file.tell())
            file.write(np.ascontiguousarray(array).view(np.uint8).data)
        file.flush()
        return places, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if file.tell() else None


def list_plain(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the columns of a table that are plain arrays: numbers, dates, and booleans none of which is missing."""
    plain = {str(name): column for name, column in frame.items() if isinstance(column.dtype, np.dtype)}
    return {name: column.to_numpy() for name, column in plain.items() if column.dtype.kind in _KINDS}


def put_in(frame: pd.DataFrame, arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return a table with some of its columns' arrays in the stead of its own; none is copied."""
    put = {name: pd.Series(array, index=frame.index, copy=False) for name, array in arrays.items()}
    return pd.DataFrame({name: put.get(str(name), column) for name, column in frame.items()}, copy=False)
