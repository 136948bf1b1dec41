"""A Parquet or Arrow IPC file, read by Arrow's own types: exact integers and decimals, durations in seconds, names as text.

Nothing goes through what another library makes of a type. What a config calls a category or text becomes the text of the exact value.
Columns of values inside values are refused in words, unless they are dropped.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from samebits.errors import DataError, Problem
from samebits.keys.table import Read
from samebits.stored.raw_parts import store_arrow
from samebits.table.columns import RawColumn

_IPC_FILE, _IPC_STREAM = b"ARROW1", b"\xff\xff\xff\xff"
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class _IpcSource:
    """An Arrow IPC file or stream, asked as a Parquet file is."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.schema_arrow = reader.schema

    def read(self) -> pa.Table:
        return self._reader.read_all()

    def iter_batches(self, n_rows: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        for batch in self._list_batches():
            taken = batch if columns is None else batch.select(columns)
            for start in range(0, taken.num_rows, n_rows):
                yield taken.slice(start, n_rows)

    def _list_batches(self) -> Iterator[pa.RecordBatch]:
        if hasattr(self._reader, "num_record_batches"):
            return (self._reader.get_batch(index) for index in range(self._reader.num_record_batches))
        return iter(self._reader)


def parse_typed(content: bytes) -> pa.Table:
    """Return the table of a Parquet or Arrow IPC file; a named index of pandas is its first columns, an unnamed one is none.

    Raises
    ------
    ValueError, OSError
        It is no such file, or damaged.
    """
    return _put_indexes_first(open_typed(pa.BufferReader(content)).read())


def store_typed(file: BinaryIO, n_rows: int) -> pa.Table:
    """Return a file's table as `parse_typed` does, but on disk: it is read by so many rows at a time.

    Raises
    ------
    ValueError, OSError
        It is no such file, or damaged.
    DataError
        There is no room on the disk.
    """
    source = open_typed(file)
    batches = source.iter_batches(n_rows)
    first = next(batches, None)
    if first is None:
        return _put_indexes_first(source.read())
    schema = first.schema.with_metadata(source.schema_arrow.metadata)
    return _put_indexes_first(store_arrow(itertools.chain([first], batches), schema))


def _put_indexes_first(table: pa.Table) -> pa.Table:
    indexes = [name for name in _list_index_columns(table.schema.metadata or {}) if table.column_names.count(name) == 1]
    named = [name for name in indexes if not name.startswith("__index_level_")]
    others = [name for name in table.column_names if name not in indexes]
    if not indexes or len(set(table.column_names)) < len(table.column_names):
        return table
    return table.select([*named, *others])


def open_typed(source: Any) -> pq.ParquetFile | _IpcSource:
    """Return a Parquet or Arrow IPC file, opened.

    Raises
    ------
    ValueError, OSError
        It is no such file, or damaged.
    """
    head = source.read(len(_IPC_FILE))
    source.seek(0)
    if head == _IPC_FILE:
        return _IpcSource(pa.ipc.open_file(source))
    if head.startswith(_IPC_STREAM):
        return _IpcSource(pa.ipc.open_stream(source))
    return pq.ParquetFile(source, coerce_int96_timestamp_unit="us")  # nanoseconds wrap after 2262


def count_cells(content: bytes) -> tuple[int, int]:
    """Return the rows and columns of a Parquet or Arrow IPC file, none of its values read.

    Raises
    ------
    ValueError, OSError
        It is no such file, or damaged.
    """
    source = open_typed(pa.BufferReader(content))
    if isinstance(source, _IpcSource):
        return sum(batch.num_rows for batch in source.iter_batches(1 << 40)), len(source.schema_arrow.names)
    return source.metadata.num_rows, source.metadata.num_columns


def _list_index_columns(metadata: dict[bytes, bytes]) -> list[str]:
    try:
        listed = json.loads(metadata.get(b"pandas", b"{}")).get("index_columns") or []
    except (ValueError, AttributeError):
        return []
    return [name for name in listed if isinstance(name, str)]


def take_column(table: pa.Table, name: str, read: Read) -> RawColumn:
    """Return a column of a table, by its own type.

    Raises
    ------
    DataError
        Its type holds no plain values, or not what data.read says of it.
    """
    values = _decode(table.column(name), name)
    is_category = types.is_dictionary(values.type)
    if is_category:
        values = _decode(values.cast(values.type.value_type), name)
    kind = values.type
    wanted = read.types.get(name)
    if wanted in ("category", "text") or (name in read.dates and not _is_instant(kind)):
        _refuse_time_as_date(kind, name, read)
        return RawColumn(_write_texts(values, name), is_typed=True)
    if types.is_string(kind) or types.is_large_string(kind):
        return RawColumn(values.to_pandas().astype("str"), is_category=is_category, is_typed=True)
    if is_category and wanted is None:
        return RawColumn(_write_texts(values, name), is_category=True, is_typed=True)
    if types.is_null(kind):
        return RawColumn(pd.Series(np.full(len(values), np.nan)))
    if types.is_boolean(kind) or types.is_integer(kind):
        return RawColumn(values.to_pandas(types_mapper=_MAPPER.get))
    if types.is_floating(kind):
        return RawColumn(values.cast(pa.float64()).to_pandas())
    if types.is_decimal(kind):
        return RawColumn(_write_texts(values, name), is_number=True)
    if types.is_duration(kind) or types.is_time(kind):
        return RawColumn(_to_seconds(values), unit="seconds" if types.is_duration(kind) else "seconds since midnight")
    if _is_instant(kind):
        return RawColumn(_to_instants(values, name), is_zoned=getattr(kind, "tz", None) is not None)
    raise _refuse_nested(kind, name)


def _refuse_nested(kind: pa.DataType, name: str) -> DataError:
    remedy = "Name it in data.drop, or write what is in it as columns of their own."
    return DataError(Problem(f"column {name!r}", "plain values", f"values inside values ({kind})", remedy))


_READ_EXTENSIONS = ("arrow.uuid", "arrow.json", "arrow.bool8")
_MAPPER: dict[pa.DataType, Any] = {
    pa.bool_(): pd.BooleanDtype(),
    **{integer: pd.Int64Dtype() for integer in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32())},
    pa.uint64(): pd.UInt64Dtype(),
}


def _decode(values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return values whose type is one of Arrow's own; bytes are text where they are UTF-8."""
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name not in _READ_EXTENSIONS:
            remedy = "Write it as plain text, numbers or dates, or name it in data.drop."
            raise DataError(Problem(f"column {name!r}", "plain values", f"values of type {kind.extension_name}", remedy))
        stored = pa.chunked_array([chunk.storage for chunk in values.chunks], kind.storage_type)
        if kind.extension_name == "arrow.uuid":
            return pa.chunked_array([pa.array([one and str(uuid.UUID(bytes=one)) for one in stored.to_pylist()], pa.string())])
        values = stored.cast(pa.bool_()) if kind.extension_name == "arrow.bool8" else stored
        kind = values.type
    if hasattr(types, "is_run_end_encoded") and types.is_run_end_encoded(kind):
        values = pc.run_end_decode(values)
        kind = values.type
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        try:
            return values.cast(pa.binary()).cast(pa.string())
        except pa.ArrowInvalid:
            found = "bytes that are no text in UTF-8"
            raise DataError(Problem(f"column {name!r}", "plain values", found, "Name it in data.drop.")) from None
    if hasattr(types, "is_string_view") and types.is_string_view(kind):
        return values.cast(pa.string())
    return values


def _is_instant(kind: pa.DataType) -> bool:
    return bool(types.is_timestamp(kind) or types.is_date(kind))


def _refuse_time_as_date(kind: pa.DataType, name: str, read: Read) -> None:
    if name in read.dates and (types.is_duration(kind) or types.is_time(kind)):
        what = "durations, which are numbers of seconds" if types.is_duration(kind) else "times of day, which are numbers of seconds"
        raise DataError(Problem(f"column {name!r}", "dates", what, "Take it off data.read.dates."))


def _write_texts(values: pa.ChunkedArray, name: str) -> pd.Series:
    """Return the text of each value: integers and decimals digit by digit, floats as Python writes them, whole ones without point."""
    kind = values.type
    if types.is_nested(kind):
        raise _refuse_nested(kind, name)
    if types.is_duration(kind):
        return pd.Series([_write_float(value) for value in _to_seconds(values)], dtype="str")
    if types.is_floating(kind):
        return pd.Series([_write_float(value) for value in values.to_pylist()], dtype="str")
    if types.is_boolean(kind):
        return pd.Series([None if value is None else str(value) for value in values.to_pylist()], dtype="str")
    if types.is_null(kind):
        return pd.Series([None] * len(values), dtype="str")
    if _is_instant(kind):
        return _write_instants(values, name)
    texts: pd.Series = values.cast(pa.string()).to_pandas().astype("str")
    return texts


def _write_instants(values: pa.ChunkedArray, name: str) -> pd.Series:
    try:
        return pd.Series([None if value is None else value.isoformat() for value in values.to_pylist()], dtype="str")
    except (ValueError, OverflowError, KeyError, pa.ArrowException) as error:  # beyond the year 9999, or of an unknown time zone
        raise DataError(Problem(f"column {name!r}", "dates that have a text", str(error), "Name it in data.drop.")) from None


def _write_float(value: float | None) -> str | None:
    if value is None or value != value:
        return None
    return str(int(value)) if value.is_integer() else str(value)


def _to_seconds(values: pa.ChunkedArray) -> pd.Series:
    """Return durations, or times of day, as seconds: exact to the float nearest to what is stored."""
    ticks = values.cast(pa.int64()) if not types.is_time32(values.type) else values.cast(pa.int32()).cast(pa.int64())
    counted = ticks.to_pandas(types_mapper=_MAPPER.get)
    return pd.Series(counted.to_numpy(dtype=np.float64, na_value=np.nan) / _PER_SECOND[values.type.unit])


def _to_instants(values: pa.ChunkedArray, name: str) -> pd.Series:
    """Return dates as instants in UTC, naive, to the microsecond."""
    try:
        zoned = values.cast(pa.timestamp("us", tz=getattr(values.type, "tz", None)), safe=False)
    except pa.ArrowInvalid as error:
        raise DataError(Problem(f"column {name!r}", "dates", str(error), "Name it in data.drop.")) from None
    instants: pd.Series = zoned.cast(pa.int64()).cast(pa.timestamp("us")).to_pandas().astype("datetime64[us]")
    return instants
