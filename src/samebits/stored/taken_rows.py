"""Rows of a table, in memory or on disk: some of them are taken without being copied or read, and asked for at once or in blocks.

A run takes its rows many times, for each fold, fit and prediction. Here they are positions until they are worked on, so that a table
in memory is there once, and once more in part while a fit prepares what it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from samebits.stored.mapped_arrays import Pages
from samebits.stored.stored_table import StoredTable


@dataclass(frozen=True)
class TakenRows:
    """Some rows of a table in memory; each time that they are asked for they are copied anew.

    Parameters
    ----------
    frame
        The table.
    rows
        Shape (n_rows,), int64: positions in it, in the order of these rows.
    pages
        Of the table's numbers, where they are mapped: given back as soon as rows are copied.
    block_rows
        Rows of a block in which a model may be asked of them; None: of all at once.
    """

    frame: pd.DataFrame
    rows: np.ndarray
    pages: Pages | None = None
    block_rows: int | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def columns(self) -> list[str]:
        """The columns' names, in order."""
        return list(self.frame.columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.frame.columns)

    @property
    def size(self) -> int:
        """How many cells there are."""
        return len(self.rows) * len(self.frame.columns)

    def __getitem__(self, name: str) -> pd.Series:
        return self.frame[name].take(self.rows)

    def take(self, rows: np.ndarray) -> TakenRows:
        """Return some of these rows, by their positions among them, in the order given; nothing is copied."""
        return replace(self, rows=self.rows[rows])

    def read(self, first: int = 0, last: int | None = None) -> pd.DataFrame:
        """Return consecutive rows, by default all, as a table of their own."""
        copied = self.frame.take(self.rows[first:last])
        if self.pages is not None:
            self.pages.release()
        return copied


Rows = pd.DataFrame | StoredTable | TakenRows


def take_rows(table: pd.DataFrame | StoredTable, rows: np.ndarray, pages: Pages | None = None) -> StoredTable | TakenRows:
    """Return some rows of a table, by their positions in it, in the order given; nothing is copied or read."""
    return table.take(rows) if isinstance(table, StoredTable) else TakenRows(table, rows, pages)


def read_rows(table: Rows) -> pd.DataFrame:
    """Return a table in memory."""
    return table if isinstance(table, pd.DataFrame) else table.read()


def copy_rows(table: Rows) -> pd.DataFrame | StoredTable:
    """Return rows of a table in memory as a table of their own; what is on disk stays there."""
    return table.read() if isinstance(table, TakenRows) else table


def read_blocks(table: Rows) -> Iterator[pd.DataFrame]:
    """Yield a table block by block, where it has blocks; else all of it."""
    if isinstance(table, pd.DataFrame):
        yield table
        return
    n_rows = table.batch_rows if isinstance(table, StoredTable) else table.block_rows or len(table) or 1
    for first in range(0, max(1, len(table)), n_rows):
        yield table.read(first, first + n_rows)


def ask_blocks(ask: Callable[[pd.DataFrame], np.ndarray], table: Rows) -> np.ndarray:
    """Return what a method says of each row; of a table in blocks it is asked block by block."""
    answers = [ask(block) for block in read_blocks(table)]
    return np.concatenate(answers) if len(answers) > 1 or isinstance(table, StoredTable) else answers[0]
