"""What a parser made of a file, some rows at a time, kept on disk as Arrow has it until its columns are asked for, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from samebits.stored.scratch import explaining_scratch, map_file, open_scratch


class StoredFrame:
    """A text's columns as they were parsed, in pieces of some rows each, which may be of different types.

    Parameters
    ----------
    parts
        Frames of the same columns, read once.
    """

    def __init__(self, parts: Iterable[pd.DataFrame]) -> None:
        self.columns: list[str] = []
        self.long: set[str] = set()  # columns with integers longer than any of the machine's
        self._pieces: list[pa.Table] = []
        for part in parts:
            self.columns = list(map(str, part.columns))
            self._pieces.append(self._keep(part))

    def __len__(self) -> int:
        return sum(piece.num_rows for piece in self._pieces)

    def list_pieces(self, name: str) -> list[pd.Series]:
        """Return a column's pieces, each of the type that was parsed."""
        return [_read_piece(piece.column(name)) for piece in self._pieces]

    def _keep(self, part: pd.DataFrame) -> pa.Table:
        arrays = [self._to_arrow(part.iloc[:, place], name) for place, name in enumerate(self.columns)]
        table = pa.Table.from_arrays(arrays, names=self.columns)
        return store_arrow([table], table.schema)

    def _to_arrow(self, values: pd.Series, name: str) -> Any:
        if isinstance(values.dtype, pd.StringDtype):
            return pa.array(values, type=pa.large_string(), from_pandas=True).dictionary_encode()
        if values.dtype == object and not all(isinstance(value, bool | np.bool_) for value in values.dropna()):
            self.long.add(name)
            return pa.array(values.map(str, na_action="ignore"), type=pa.large_string(), from_pandas=True).dictionary_encode()
        return pa.array(values, from_pandas=True)


def _read_piece(values: pa.ChunkedArray) -> pd.Series:
    found: pd.Series = values.to_pandas()
    return found.astype("str") if isinstance(found.dtype, pd.CategoricalDtype) else found


def store_arrow(tables: Iterable[Any], schema: pa.Schema) -> pa.Table:
    """Write tables or record batches of one schema to disk, and return them as one table that is mapped, not read.

    Raises
    ------
    DataError
        There is no room.
    """
    with explaining_scratch(), open_scratch() as file:
        with pa.ipc.new_stream(file, schema) as writer:
            for table in tables:
                writer.write(table)
        file.flush()
        return pa.ipc.open_stream(map_file(file)).read_all()
