"""A table of canonical columns on disk: each column a file that is mapped, read by its name or by some rows at a time.

It answers to the few questions that a run asks of a `pandas.DataFrame` of the same columns, and with the same values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
import pandas as pd

from samebits.stored.scratch import explaining_scratch, map_file, open_scratch

_WRITTEN_ROWS = 1_000_000  # at a time


@dataclass(frozen=True)
class StoredColumn:
    """One column's cells on disk, and how they become its values again.

    Parameters
    ----------
    cells
        Mapped, shape (n_rows,): float64; bool; int8 of nullable booleans, -1 for none; int64 microseconds; int32 places in `texts`.
    like
        An empty array of the column's own type.
    texts
        The different values of text; None of any other column.
    """

    cells: np.ndarray
    like: Any
    texts: Any = None

    def read(self, rows: Any) -> Any:
        """Return the values of some rows (a slice, or positions) as an array that pandas takes for a column."""
        cells = np.asarray(self.cells[rows])
        if self.texts is not None:
            return self.texts.take(cells, allow_fill=True)
        if isinstance(self.like.dtype, pd.BooleanDtype):
            return pd.arrays.BooleanArray(cells == 1, cells == -1)
        return cells.view(self.like.dtype) if self.like.dtype.kind == "M" else cells


def store_column(values: pd.Series) -> StoredColumn:
    """Write a column to disk.

    Raises
    ------
    DataError
        There is no room.
    """
    like = values.iloc[:0].array.copy()  # a view would keep the whole column
    if isinstance(values.dtype, pd.StringDtype):
        codes, distinct = pd.factorize(values)
        return StoredColumn(_map_cells(codes.astype(np.int32)), like, distinct.array)
    if isinstance(values.dtype, pd.BooleanDtype):
        return StoredColumn(_map_cells(values.astype("Int8").to_numpy(dtype=np.int8, na_value=-1)), like)
    cells = values.to_numpy()
    return StoredColumn(_map_cells(cells.view(np.int64) if cells.dtype.kind == "M" else cells), like)


def _map_cells(cells: np.ndarray) -> np.ndarray:
    with explaining_scratch(), open_scratch() as file:
        for start in range(0, len(cells), _WRITTEN_ROWS):
            file.write(np.ascontiguousarray(cells[start : start + _WRITTEN_ROWS]).data)
        file.flush()
        return np.frombuffer(map_file(file).read_buffer(), dtype=cells.dtype) if len(cells) else cells.copy()


@dataclass(frozen=True)
class StoredTable:
    """Some rows of some columns on disk.

    Parameters
    ----------
    stored
        The columns, in order.
    n_stored
        Rows that each has.
    batch_rows
        Rows of a block in which it is read: sums over rows depend on where blocks end, so that this is an input of a run.
    rows
        Shape (n_rows,): those of the stored rows that this table has, in its order; None: all.
    """

    stored: Mapping[str, StoredColumn]
    n_stored: int
    batch_rows: int
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return self.n_stored if self.rows is None else len(self.rows)

    @property
    def columns(self) -> list[str]:
        """The columns' names, in order."""
        return list(self.stored)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), len(self.stored)

    @property
    def size(self) -> int:
        """How many cells there are."""
        return len(self) * len(self.stored)

    @property
    def index(self) -> pd.Index:
        """The number of each row among those stored."""
        return pd.RangeIndex(self.n_stored) if self.rows is None else pd.Index(self.rows)

    @overload
    def __getitem__(self, named: str) -> pd.Series: ...
    @overload
    def __getitem__(self, named: list[str]) -> StoredTable: ...
    def __getitem__(self, named: str | list[str]) -> pd.Series | StoredTable:
        """Return one column, in memory; or a table of some columns, on disk."""
        if isinstance(named, list):
            return replace(self, stored={name: self.stored[name] for name in named})
        return pd.Series(self.stored[named].read(slice(None) if self.rows is None else self.rows), index=self.index, name=named)

    def take(self, rows: np.ndarray) -> StoredTable:
        """Return the table of some rows, by their positions in this one, in the order given; nothing is read."""
        return replace(self, rows=np.asarray(rows, dtype=np.int64) if self.rows is None else self.rows[rows])

    def read(self, first: int = 0, last: int | None = None) -> pd.DataFrame:
        """Return consecutive rows, by default all, in memory."""
        end = len(self) if last is None else min(last, len(self))
        rows: Any = slice(first, end) if self.rows is None else self.rows[first:end]
        index = pd.RangeIndex(first, end) if self.rows is None else pd.Index(rows)
        return pd.DataFrame({name: column.read(rows) for name, column in self.stored.items()}, index=index)
