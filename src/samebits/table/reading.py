"""The door of this wing: from a file or folder to a table of columns in canonical form, digested while it is parsed.

The digest is of all bytes as they are stored, and of the very bytes that were parsed. Where a file must be parsed a second time, its
bytes are held to the first digest. Parts of a folder are one table: a column that is text in one part is text in all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa

from samebits.digests import PREFIX, digest_file, digest_manifest
from samebits.errors import DataError, Problem, describe_unreadable
from samebits.keys.table import Read
from samebits.stored.raw_parts import StoredFrame
from samebits.table.arrow_file import parse_typed, store_typed, take_column
from samebits.table.columns import Column, RawColumn, canonicalise_column
from samebits.table.csv_file import Refusal, find_short_row, parse_csv, parse_csv_in_parts
from samebits.table.files import choose_parts, read_partitions
from samebits.table.formats import (
    DAMAGED,
    check_format,
    decompress,
    describe_damage,
    find_compression,
    is_typed,
    read_head,
)
from samebits.table.numerals import MAX_EXACT_INTEGER
from samebits.text import quote_key, shorten_list

_READ_BYTES = 1 << 20
_SHOWN_COLUMNS = 3


@dataclass(frozen=True)
class Source:
    """A file or folder whose bytes were parsed, with the facts that identify it.

    Parameters
    ----------
    digest
        Of the file's bytes, or of the sorted manifest of a folder's parts.
    n_rows
        Rows that it gave.
    """

    path: Path
    digest: str
    size_bytes: int
    n_rows: int


@dataclass(frozen=True)
class RawTable:
    """Columns as their files have them; nothing of their kinds is settled, but that they are the same in every part.

    Parameters
    ----------
    sources
        In the order of the rows.
    parts
        Name and rows of each file, in the order of the rows.
    take
        Gives a column by its name.
    """

    names: list[str]
    n_rows: int
    sources: list[Source]
    parts: list[tuple[str, int]]
    take: Callable[[str], RawColumn] = field(repr=False)

    def canonicalise(
        self, names: Collection[str], read: Read, keep: Callable[[str, Column], Column] = lambda _, column: column
    ) -> dict[str, Column]:
        """Return some columns in canonical form, in the table's order; everything wrong with them is said at once.

        Parameters
        ----------
        keep
            Called with the name of each column and the column, and returns what is kept of it.

        Raises
        ------
        DataError
            One problem for each column that does not hold what data.read says of it, or what floating point can hold.
        """
        found: dict[str, Column] = {}
        problems: list[tuple[str, Problem]] = []
        wanted = set(names)
        for name in (name for name in self.names if name in wanted):
            try:
                column = canonicalise_column(self.take(name), name, read)
            except DataError as error:
                problems += [(name, problem) for problem in error.problems]
            else:
                found[name] = keep(name, column)
        if problems:
            raise DataError(*_say_a_few(problems))
        return found


def _say_a_few(problems: list[tuple[str, Problem]]) -> list[Problem]:
    """Return one problem for each of the first columns of a kind, and one for all the others that the same remedy mends."""
    kinds = [(problem.expected, problem.remedy.replace(f"{{{quote_key(name)}:", "{…:")) for name, problem in problems]
    said: list[Problem] = []
    left_out: dict[tuple[str, str], list[str]] = {}
    for place, (kind, (name, problem)) in enumerate(zip(kinds, problems, strict=True)):
        if kinds[:place].count(kind) < _SHOWN_COLUMNS or kinds.count(kind) == _SHOWN_COLUMNS + 1:
            said.append(problem)
        else:
            left_out.setdefault(kind, []).append(name)
    for (expected, _), names in left_out.items():
        how = "The same mends them, with their own names where it names a column."
        said.append(Problem(f"{len(names)} more columns", expected, f"such values as above in {shorten_list(names)}", how))
    return said


@dataclass(frozen=True)
class _Part:
    """One file, parsed: as a frame where it is text, in memory or on disk; as Arrow's table where it is Parquet."""

    path: Path
    name: str
    digest: str
    size_bytes: int
    content: Any
    failure: Problem | None = None

    @property
    def names(self) -> list[str]:
        return self.content.column_names if isinstance(self.content, pa.Table) else list(map(str, self.content.columns))

    def list_pieces(self, name: str) -> list[pd.Series]:
        """Return a column of text as it was parsed."""
        return self.content.list_pieces(name) if isinstance(self.content, StoredFrame) else [self.content[name]]

    @property
    def n_rows(self) -> int:
        return self.content.num_rows if isinstance(self.content, pa.Table) else len(self.content)


class DigestingFile(io.RawIOBase):
    """A file that digests what is read from it, from its first byte to its last; it cannot seek."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self._sha256.update(memoryview(buffer)[:count])
        self.size_bytes += count
        return int(count)

    def finish(self) -> str:
        """Return the digest of the whole file, reading what the parser left."""
        buffer = memoryview(bytearray(_READ_BYTES))
        while self.readinto(buffer):
            pass
        return PREFIX + self._sha256.hexdigest()


def read_table(paths: Sequence[Path], pins: Sequence[str | None], read: Read, batch_rows: int | None = None) -> RawTable:
    """Read files and folders as one table, the rows one after the other, and hold each to its pin.

    Parameters
    ----------
    paths
        The table, and further ones of the same columns.
    pins
        The digest that each must have; None for any.
    batch_rows
        So many rows are in memory at once, and then on disk, but for one column at a time as it is taken. None: all are in memory.

    Raises
    ------
    DataError
        Nothing is there, it is no table, it cannot be parsed, its bytes are not the pinned ones, or its parts do not fit together.
    """
    parts_of = [_read_parts(path, read, batch_rows) for path in paths]
    digests = [_digest_parts(path, parts) for path, parts in zip(paths, parts_of, strict=True)]
    for path, digest, pin in zip(paths, digests, pins, strict=True):
        check_pin(path, digest, pin)  # before the parser's complaint: other bytes are the likelier cause
    parts = [part for parts in parts_of for part in parts]
    if failures := [part.failure for part in parts if part.failure is not None]:
        raise DataError(failures[0])
    _check_parts(parts)
    sources = [
        Source(path, digest, sum(part.size_bytes for part in own), sum(part.n_rows for part in own))
        for path, digest, own in zip(paths, digests, parts_of, strict=True)
    ]
    return _join_parts(parts, sources, read, batch_rows)


def _read_parts(path: Path, read: Read, batch_rows: int | None) -> list[_Part]:
    files = choose_parts(path)
    if read.file_column is not None and not path.is_dir():
        found = f"the file {path}"
        raise DataError(Problem("data.read.file_column", "a folder of files in data.path", found, "Remove the key."))
    for file in files.values():
        check_format(file)
    return [_read_part(file, name, read, batch_rows) for name, file in files.items()]


def _digest_parts(path: Path, parts: list[_Part]) -> str:
    return digest_manifest((part.name, part.digest) for part in parts) if path.is_dir() else parts[0].digest


def check_pin(path: Path, digest: str, pin: str | None) -> None:
    """Hold a table's digest to the one in the config.

    Raises
    ------
    DataError
        They differ.
    """
    if pin is not None and pin != digest:
        remedy = "Restore the file, or take the new bytes with `samebits data pin CONF`."
        raise DataError(Problem(str(path), f"the pinned {pin}", digest, remedy))


def _read_part(path: Path, name: str, read: Read, batch_rows: int | None) -> _Part:
    if is_typed(path, read):
        is_plain = find_compression(read_head(path)) is None
        is_stored = batch_rows is not None and is_plain
        return _store_file(path, name, batch_rows or 0) if is_stored else _parse_file(path, name, _parse_typed_file)
    part = _parse_file(path, name, lambda stream: _parse_text(stream, read, batch_rows))
    is_whole = part.failure is not None or read.allow_short_rows or len(part.names) < 2
    may_be_short = not is_whole and any(piece.isna().any() or _has_empty_text(piece) for piece in part.list_pieces(part.names[-1]))
    return _refuse_short_rows(part, read) if may_be_short else part


def _parse_text(
    stream: BinaryIO, read: Read, batch_rows: int | None, forms: Mapping[str, str] | None = None
) -> pd.DataFrame | StoredFrame:
    if batch_rows is None:
        return parse_csv(stream, read, forms)
    return StoredFrame(parse_csv_in_parts(stream, read, batch_rows, forms))


def _parse_typed_file(stream: BinaryIO) -> pa.Table:
    return _explain_arrow(lambda: parse_typed(stream.read()))


def _explain_arrow(parse: Callable[[], pa.Table]) -> pa.Table:
    try:
        return parse()
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise Refusal(
            "a Parquet or Arrow file", f"one that Arrow cannot read ({reason})", "Write it again, or check data.read.format."
        ) from None


def _store_file(path: Path, name: str, batch_rows: int) -> _Part:
    """Keep a typed file's rows on disk; its bytes are digested before and after, since it is read here and there."""
    try:
        with path.open("rb") as file:
            before, content, failure = digest_file(path), pd.DataFrame(), None
            try:
                content = _explain_arrow(lambda: store_typed(file, batch_rows))
            except Refusal as refusal:
                failure = Problem(str(path), *refusal.facts)
            if digest_file(path) != before:
                raise DataError(describe_changed(path))
            return _Part(path, name, before, path.stat().st_size, content, failure)
    except OSError as error:
        raise DataError(describe_unreadable(path, error)) from None


def describe_changed(path: Path) -> Problem:
    """Return the problem of a file that was another one when it was read to its end."""
    return Problem(str(path), "a file that stays as it is while it is read", "another", "Run this again.")


def _parse_file(path: Path, name: str, parse: Callable[[BinaryIO], Any]) -> _Part:
    """Parse a file while it is digested; a failure is returned with the digest of all bytes, since a pin may explain it."""
    head = read_head(path)
    try:
        with path.open("rb", buffering=0) as raw:
            file = DigestingFile(raw)
            content, failure = pd.DataFrame(), None
            try:
                content = parse(decompress(file, path, head))  # type: ignore[arg-type]
            except Refusal as refusal:
                failure = Problem(str(path), *refusal.facts)
            except DAMAGED as error:
                if find_compression(head) is None:
                    raise
                failure = describe_damage(path, head, error)
            return _Part(path, name, file.finish(), file.size_bytes, content, failure)
    except OSError as error:
        raise DataError(describe_unreadable(path, error)) from None


def _parse_again(part: _Part, parse: Callable[[BinaryIO], Any]) -> Any:
    """Parse a file's same bytes a second time.

    Raises
    ------
    DataError
        The file was changed meanwhile.
    """
    again = _parse_file(part.path, part.name, parse)
    if again.digest != part.digest:
        raise DataError(describe_changed(part.path))
    if again.failure is not None:
        raise DataError(again.failure)
    return again.content


def _refuse_short_rows(part: _Part, read: Read) -> _Part:
    """Only a row whose last field is missing can be short, so most files need no second look."""
    short = _parse_again(part, lambda stream: find_short_row(stream, read))
    if short is None:
        return part
    line, n_found, n_expected = short
    remedy = "Mend the line, or set data.read.allow_short_rows: true to take what is not there as missing."
    problem = Problem(str(part.path), f"{n_expected} fields in line {line}, as the header has", str(n_found), remedy)
    return dataclasses.replace(part, failure=problem)


def _check_parts(parts: list[_Part]) -> None:
    """A part with other columns would be joined with missing values for the rest; nothing is a table without a row."""
    for part in parts:
        if sorted(part.names) != sorted(parts[0].names) or isinstance(part.content, pa.Table) != isinstance(
            parts[0].content, pa.Table
        ):
            other = sorted(set(part.names) ^ set(parts[0].names)) or ["the format"]
            raise DataError(
                Problem(str(part.path), f"the columns of {parts[0].name}", f"a difference in {shorten_list(other)}", "Mend the file.")
            )
        if set(read_partitions(part.name)) != set(read_partitions(parts[0].name)):
            raise DataError(
                Problem(str(part.path), f"the folders of {parts[0].name}", "other ones", "Let each part lie below the same keys.")
            )


def _join_parts(parts: list[_Part], sources: list[Source], read: Read, batch_rows: int | None) -> RawTable:
    made = _name_rows_by_part(parts, read)
    names = [*parts[0].names, *made]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(Problem(str(sources[0].path), "each column once", f"{twice!r} twice", "Rename one."))
    n_rows = sum(part.n_rows for part in parts)
    if n_rows == 0:
        raise DataError(Problem(str(sources[0].path), "rows", "none", "Check data.path and data.read."))
    sizes = [(part.name, part.n_rows) for part in parts]
    own = _join_arrow(parts, read) if isinstance(parts[0].content, pa.Table) else _join_frames(parts, read, batch_rows)
    return RawTable(names, n_rows, sources, sizes, lambda name: made[name] if name in made else own(name))


def _name_rows_by_part(parts: list[_Part], read: Read) -> dict[str, RawColumn]:
    """Return the columns that the parts' places say: Hive's keys, and the file's name where it is wished for."""
    made: dict[str, RawColumn] = {}
    sizes = [part.n_rows for part in parts]
    for key in read_partitions(parts[0].name):
        said = np.array([read_partitions(part.name)[key] for part in parts], dtype=object)
        made[key] = RawColumn(pd.Series(np.repeat(said, sizes)).astype("str"))
    if read.file_column is not None:
        values = np.repeat(np.array([part.name for part in parts], dtype=object), sizes)
        made[read.file_column] = RawColumn(pd.Series(values).astype("str"), is_category=True)
    return made


def _join_arrow(parts: list[_Part], read: Read) -> Callable[[str], RawColumn]:
    names = parts[0].names
    try:
        ordered = [part.content if part.names == names else part.content.select(names) for part in parts]
        table = pa.concat_tables(ordered, promote_options="permissive")
    except (pa.ArrowException, TypeError) as error:
        found = " ".join(str(error).split()).rstrip(".")
        remedy = "Write the parts with one schema."
        raise DataError(Problem(str(parts[0].path.parent), "columns of one type in all parts", found, remedy)) from None
    return lambda name: take_column(table, name, read)


def _join_frames(parts: list[_Part], read: Read, batch_rows: int | None) -> Callable[[str], RawColumn]:
    """Return what gives a column over all parts; those that the parser must not take for numbers are parsed again, all at once."""
    lost = {name for name in parts[0].names if _lost_in_parsing(_list_pieces(parts, name))}
    lost |= {name for part in parts if isinstance(part.content, StoredFrame) for name in part.content.long}
    forms = [dict.fromkeys(sorted(lost), "str") | dict.fromkeys(_list_unsigned(part, lost), "float64") for part in parts]
    again = [_read_forms(part, own, read, batch_rows) if own else part for part, own in zip(parts, forms, strict=True)]

    def take(name: str) -> RawColumn:
        chosen = [second if name in own else part for part, second, own in zip(parts, again, forms, strict=True)]
        columns = _list_pieces(chosen, name)
        filled = [column for column in columns if len(column)] or columns[:1]
        if any(isinstance(column.dtype, pd.StringDtype) for column in filled):
            filled = [column.astype("str") for column in filled]
        joined: pd.Series = filled[0] if len(filled) == 1 else pd.concat(filled, ignore_index=True)
        return RawColumn(joined.reset_index(drop=True), has_empty=True)

    return take


def _list_pieces(parts: list[_Part], name: str) -> list[pd.Series]:
    return [piece for part in parts for piece in part.list_pieces(name)]


def _lost_in_parsing(columns: list[pd.Series]) -> bool:
    """Tell whether the parser's values are not what is written: codes that are text in another part, or digits beyond a float's."""
    forms = {_tell_form(column) for column in columns} - {"empty"}
    if len(forms) > 1 or "integer" in forms or any(map(_has_empty_text, columns)):
        return True
    if len({column.dtype for column in columns}) == 1 and columns[0].dtype != np.float64:
        return False  # exact, and refused by its own size
    return any(pd.api.types.is_numeric_dtype(column.dtype) and _is_beyond_floats(column) for column in columns)


def _list_unsigned(part: _Part, lost: Collection[str]) -> list[str]:
    """Return the columns of floats in which the parser may have taken -0 for the integer 0, as in the whole column it would not."""
    if not isinstance(part.content, StoredFrame):
        return []
    return [name for name in part.names if name not in lost and _may_lack_signs(part.list_pieces(name))]


def _may_lack_signs(pieces: list[pd.Series]) -> bool:
    numbers = [piece for piece in pieces if piece.dtype.kind in "iuf"]
    are_floats = [_is_surely_of_floats(piece) for piece in numbers]
    return any(are_floats) and any((piece == 0).any() for piece, is_float in zip(numbers, are_floats, strict=True) if not is_float)


def _is_surely_of_floats(piece: pd.Series) -> bool:
    """Integers beside empty fields come as floats too, and then a zero has no sign."""
    return piece.dtype == np.float64 and (not piece.hasnans or bool((piece.dropna() % 1 != 0).any()))


def _has_empty_text(column: pd.Series) -> bool:
    """Where a text holds integers longer than any of the machine's beside words, pandas forgets that an empty field is missing."""
    return isinstance(column.dtype, pd.StringDtype) and not column.hasnans and bool((column == "").any())


def _is_beyond_floats(column: pd.Series) -> bool:
    if column.dtype == bool or column.empty:
        return False
    return bool(column.max() >= MAX_EXACT_INTEGER or column.min() <= -MAX_EXACT_INTEGER)


def _tell_form(column: pd.Series) -> str:
    if not column.notna().any():
        return "empty"
    if isinstance(column.dtype, pd.StringDtype):
        return "text"
    if column.dtype == object and any(not isinstance(value, bool) for value in column.dropna()):
        return "integer"  # longer than any of the machine's
    return "boolean" if column.dtype == object or column.dtype == bool else "number"


def _read_forms(part: _Part, forms: Mapping[str, str], read: Read, batch_rows: int | None) -> _Part:
    return dataclasses.replace(part, content=_parse_again(part, lambda stream: _parse_text(stream, read, batch_rows, forms)))
