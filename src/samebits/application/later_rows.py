"""A later table, in parts: read as the run read its own, digested as it goes by, and never whole in memory.

CSV comes by so many rows, Parquet by its row groups; of a folder, one file after the other. A part's columns have the values that the
whole table's would have, wherever the parts end.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa

from samebits.application.input_columns import InputColumns
from samebits.digests import digest_file, digest_manifest
from samebits.errors import DataError, Problem, describe_unreadable
from samebits.keys.table import Read
from samebits.table.arrow_file import open_typed, take_column
from samebits.table.columns import RawColumn
from samebits.table.csv_file import Refusal, find_short_row, parse_csv_in_parts
from samebits.table.files import choose_parts, read_partitions
from samebits.table.formats import DAMAGED, check_format, decompress, describe_damage, find_compression, is_typed, read_head
from samebits.table.reading import DigestingFile, describe_changed

_OWN_ROW = re.compile(r"\bin row (\d+)")


@dataclass
class LaterTable:
    """A table that is read part by part, once, and what was seen of it by then.

    Parameters
    ----------
    part_rows
        Rows of a part, at most.
    digest, size_bytes
        Of the file, or of the manifest of a folder's files; known once all parts were read.
    n_rows
        Rows that were read so far.
    ignored
        Columns that the model does not take, as the first file has them.
    """

    path: Path
    inputs: InputColumns
    part_rows: int
    digest: str = ""
    size_bytes: int = 0
    n_rows: int = 0
    ignored: list[str] = field(default_factory=list)

    def read_parts(self) -> Iterator[pd.DataFrame]:
        """Yield the model's columns, some rows at a time, in canonical form; nothing is left out or put in another order.

        Raises
        ------
        DataError
            It is no table, has not the model's columns, or one of them is of another kind; or it has no rows.
        """
        digests: list[tuple[str, str]] = []
        try:
            for name, file in choose_parts(self.path).items():
                check_format(file)
                read = self._read_arrow if is_typed(file, self.inputs.read) else self._read_csv
                yield from read(file, name, digests)
        except DataError as error:
            raise DataError(*(_tell_whose_settings(problem, self.inputs.read) for problem in error.problems)) from None
        if self.n_rows == 0:
            raise DataError(Problem(str(self.path), "rows", "none", "There is nothing to apply the model to."))
        self.digest = digest_manifest(digests) if self.path.is_dir() else digests[0][1]

    def _read_csv(self, path: Path, name: str, digests: list[tuple[str, str]]) -> Iterator[pd.DataFrame]:
        head, may_be_short = read_head(path), False
        with _explain(path, head), path.open("rb", buffering=0) as raw:
            file = DigestingFile(raw)
            stream = decompress(file, path, head)  # type: ignore[arg-type]
            for part in parse_csv_in_parts(stream, self.inputs.read, self.part_rows):
                may_be_short = may_be_short or bool(part.shape[1] > 1 and part.iloc[:, -1].isna().any())
                columns = {str(column): RawColumn(_write_long(part[column]), has_empty=True) for column in part}
                yield from self._settle(columns, part, name)
            digests.append((name, file.finish()))
            self.size_bytes += file.size_bytes
        if may_be_short and not self.inputs.read.allow_short_rows:
            self._refuse_short_rows(path, head)

    def _refuse_short_rows(self, path: Path, head: bytes) -> None:
        with _explain(path, head), path.open("rb") as file:
            short = find_short_row(decompress(file, path, head), self.inputs.read)
        if short is not None:
            line, n_found, n_expected = short
            expected = f"{n_expected} fields in line {line}, as the header has"
            raise DataError(Problem(str(path), expected, str(n_found), "Mend the line: its values may stand under other names."))

    def _read_arrow(self, path: Path, name: str, digests: list[tuple[str, str]]) -> Iterator[pd.DataFrame]:
        before = _tell_version(path)
        with concurrent.futures.ThreadPoolExecutor(1) as beside, path.open("rb") as file:
            digest = beside.submit(digest_file, path)
            with _explain(path, b""):
                yield from self._read_batches(file, name)
                digests.append((name, digest.result()))
        if before != _tell_version(path):
            raise DataError(describe_changed(path))
        self.size_bytes += path.stat().st_size

    def _read_batches(self, file: BinaryIO, name: str) -> Iterator[pd.DataFrame]:
        source = open_typed(file)
        names = source.schema_arrow.names
        wanted = [column for column in names if column in self.inputs.kinds]
        self._check_names([*names, *self._name_made(name)])
        for batch in source.iter_batches(self.part_rows, columns=wanted) if wanted else []:
            table = pa.Table.from_batches([batch])
            with self._placing_rows():
                raw = {column: take_column(table, column, self.inputs.read) for column in wanted}
            yield from self._settle(raw, table, name, others=names)

    def _name_made(self, name: str) -> list[str]:
        file_column = self.inputs.read.file_column
        return [*read_partitions(name), *([file_column] if file_column is not None and self.path.is_dir() else [])]

    def _check_names(self, names: list[str]) -> None:
        ignored = self.inputs.check_names(names, str(self.path))
        self.ignored = self.ignored if self.n_rows else ignored

    def _settle(self, raw: dict[str, RawColumn], part: Any, name: str, others: list[str] | None = None) -> Iterator[pd.DataFrame]:
        n_rows = len(part) if isinstance(part, pd.DataFrame) else part.num_rows
        made = {key: RawColumn(_repeat(value, n_rows)) for key, value in read_partitions(name).items()}
        if self.inputs.read.file_column is not None and self.path.is_dir():
            made[self.inputs.read.file_column] = RawColumn(_repeat(name, n_rows), is_category=True)
        columns = {**raw, **made}
        self._check_names(list(dict.fromkeys([*(others or raw), *made])))
        if n_rows == 0:
            return
        with self._placing_rows():
            settled = {column: self.inputs.read_column(columns[column], column) for column in self.inputs.kinds}
        self.n_rows += n_rows
        yield pd.DataFrame(settled)

    @contextlib.contextmanager
    def _placing_rows(self) -> Iterator[None]:
        """Let what is refused name rows of the table, not of its part, and the table."""
        try:
            yield
        except DataError as error:
            raise DataError(*(self._place(problem) for problem in error.problems)) from None

    def _place(self, problem: Problem) -> Problem:
        found = _OWN_ROW.sub(lambda match: f"in row {int(match[1]) + self.n_rows}", problem.found)
        return replace(problem, where=f"{self.path}: {problem.where}", found=found)


def _tell_whose_settings(problem: Problem, read: Read) -> Problem:
    """What a config can say of a run's table is settled for a later one: that has to be as the run's was."""
    if "data.path" in problem.remedy:
        return replace(problem, remedy="Check the path, and what the table holds.")
    if "data.read" in problem.remedy or "na_values" in problem.remedy:
        how = f"fields between {read.sep!r}, decimal mark {read.decimal!r}, {read.encoding}"
        return replace(problem, remedy=f"Mend the table, or write it as the run's was read (data.read): {how}.")
    return problem


def _write_long(column: pd.Series) -> pd.Series:
    """Return integers longer than any of the machine's as text, which keeps every digit."""
    if column.dtype == object and not all(isinstance(value, bool) or value != value for value in column):
        return column.map(str, na_action="ignore").astype("str")
    return column


def _repeat(value: str | None, n_rows: int) -> pd.Series:
    return pd.Series(np.repeat(np.array([value], dtype=object), n_rows)).astype("str")


def _tell_version(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@contextlib.contextmanager
def _explain(path: Path, head: bytes) -> Iterator[None]:
    """Turn what parsers and the system say of a file into facts; one without a head is Parquet."""
    try:
        yield
    except Refusal as refusal:
        raise DataError(Problem(str(path), *refusal.facts)) from None
    except (pa.ArrowException, ValueError) as error:
        if head:
            raise
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError(Problem(str(path), "a Parquet file", f"one that Arrow cannot read ({reason})", "Write it again.")) from None
    except DAMAGED as error:
        if find_compression(head) is None:
            if isinstance(error, OSError):
                raise DataError(describe_unreadable(path, error)) from None
            raise
        raise DataError(describe_damage(path, head, error)) from None


def read_ahead(parts: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yield the same parts, the next one being read meanwhile."""
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        coming = beside.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = beside.submit(next, parts, None)
            yield part


def regroup(parts: Iterator[pd.DataFrame], block_rows: int) -> Iterator[pd.DataFrame]:
    """Yield the same rows in blocks of one size, the last of at least that size and less than twice it, where there are so many.

    What a matrix product gives for a row depends, in its last bit, on whether the row stands at the ragged end of the matrix: with
    blocks of this form, no row stands there that does not stand there in the whole table.
    """
    held: list[pd.DataFrame] = []
    n_held = 0
    for part in parts:
        held.append(part)
        n_held += len(part)
        while n_held >= 2 * block_rows:
            joined = held[0] if len(held) == 1 else pd.concat(held, ignore_index=True)
            yield joined.iloc[:block_rows]
            held, n_held = [joined.iloc[block_rows:]], n_held - block_rows
    if n_held:
        yield held[0] if len(held) == 1 else pd.concat(held, ignore_index=True)
