"""The dataset: a table read from its file or folder, digested while it is parsed, with each column's kind made plain.

The digest is of all bytes, and of the very bytes that were parsed: they are read once. A pin (`data.digest`) that does not match is
refused before anything is trained. What becomes of the columns is `columns`.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from samebits.config.keys import Data, Read
from samebits.data.columns import Kind, canonicalise_columns
from samebits.data.table_format import is_parquet, list_csv_settings
from samebits.digests import PREFIX, digest_manifest, list_files
from samebits.errors import DataError, Problem, suggest


@dataclass(frozen=True)
class Dataset:
    """A table and the facts that identify it.

    Parameters
    ----------
    frame
        One row a record; columns in file order: float64, bool or nullable boolean, str, or datetime64 in UTC.
    kinds
        What each column holds.
    integers
        Numeric columns whose file has whole numbers, none missing; their values are float64 all the same.
    digest
        `sha256:` of the file's bytes, or of the sorted manifest of a folder's files.
    """

    frame: pd.DataFrame
    kinds: dict[str, Kind]
    integers: list[str]
    digest: str
    size_bytes: int
    path: Path


class _DigestingFile(io.RawIOBase):
    """A file that digests what is read from it, from its first byte to its last; it cannot seek."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0
        self.head = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self._sha256.update(memoryview(buffer)[:count])
        self.head = self.head or bytes(memoryview(buffer)[:count])
        self.size_bytes += count
        return int(count)

    def finish(self) -> str:
        """Return the digest of the whole file, reading what the parser left."""
        buffer = memoryview(bytearray(1 << 20))
        while self.readinto(buffer):
            pass
        return PREFIX + self._sha256.hexdigest()


def load_dataset(data: Data, path: Path, kept: str | None = None) -> Dataset:
    """Read the table at a path, digest it, hold it to its pin, and bring its columns into canonical form.

    Parameters
    ----------
    kept
        A column that is read although data.drop names it: that of the split.

    Raises
    ------
    DataError
        Nothing is there, it cannot be parsed, its bytes are not the pinned ones, or a named column is not in it.
    """
    files = _list_parts(path)
    frames, manifest, size_bytes = [], [], 0
    failure: DataError | None = None
    for file_path in files:
        try:
            frame, digest, size = _read_part(file_path, data.read)
        except _ParseError as error:
            digest, size, failure = error.digest, error.size_bytes, failure or error.error
        else:
            frames.append(frame)
        manifest.append((file_path.relative_to(path).as_posix() if path.is_dir() else file_path.name, digest))
        size_bytes += size
    digest = digest_manifest(manifest) if path.is_dir() else manifest[0][1]
    check_pin(data, path, digest)  # before the parser's complaint: other bytes are the likelier cause
    if failure:
        raise failure
    _check_parts(frames, files)
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    _check_columns(frame, data, path)
    frame = frame.drop(columns=[name for name in data.drop if name != kept])
    integers = [str(name) for name in frame.columns if pd.api.types.is_integer_dtype(frame[name]) and not frame[name].isna().any()]
    frame, kinds = canonicalise_columns(frame, data.read)
    return Dataset(frame, kinds, [name for name in integers if kinds[name] == "numeric"], digest, size_bytes, path)


def check_pin(data: Data, path: Path, digest: str) -> None:
    """Hold a table's digest to the one in the config.

    Raises
    ------
    DataError
        They differ.
    """
    if data.digest is not None and data.digest != digest:
        remedy = "Restore the file, or take the new bytes with `samebits data pin CONF`."
        raise DataError(Problem(str(path), f"the pinned {data.digest}", digest, remedy))


def _list_parts(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError(Problem(str(path), "the table", "no such file", "Check data.path."))
    files = list_files(path) if path.is_dir() else [path]
    if not files:
        raise DataError(Problem(str(path), "a folder with files", "an empty folder", "Check data.path."))
    return files


class _ParseError(Exception):
    def __init__(self, error: DataError, digest: str, size_bytes: int) -> None:
        super().__init__(str(error))
        self.error, self.digest, self.size_bytes = error, digest, size_bytes


def _read_part(path: Path, read: Read) -> tuple[pd.DataFrame, str, int]:
    try:
        with path.open("rb", buffering=0) as raw:
            file = _DigestingFile(raw)
            try:
                frame = _parse(file, path, read)
            except (ValueError, OSError, LookupError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                problem = Problem(str(path), "a table as data.read says", reason, "Check data.read (sep, encoding, dates…).")
                raise _ParseError(DataError(problem), file.finish(), file.size_bytes) from None
            return frame, file.finish(), file.size_bytes
    except OSError as error:
        raise DataError(Problem(str(path), "a readable file", str(error.strerror or error), "Check its permissions.")) from None


def _parse(file: _DigestingFile, path: Path, read: Read) -> pd.DataFrame:
    if is_parquet(path, read):
        return _mask_missing(_read_parquet(file.readall() or b""), read)
    layout = list_csv_settings(read)
    if layout["engine"] == "c":
        layout["low_memory"] = False  # else a column's type depends on where the parser cuts the file
    frame = _read_csv(
        io.BufferedReader(file, 1 << 20),
        decimal=read.decimal,
        thousands=read.thousands,
        keep_default_na=read.keep_default_na,
        na_values=read.na_values,
        dtype={name: "str" for name, kind in read.types.items() if kind in ("category", "text")} or None,
        **layout,
    )
    _refuse_repeated_names(frame, file.head, layout)
    return frame


def _read_csv(file: BinaryIO, **settings: Any) -> pd.DataFrame:
    """By itself pandas takes the first field for an index where rows have more fields than the header; here it is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            frame: pd.DataFrame = pd.read_csv(file, index_col=False, **settings)
        except pd.errors.ParserWarning as warning:
            reason = "rows with more fields than the header has names" if "Length of header" in str(warning) else str(warning)
            raise ValueError(reason) from None
    return frame


def _read_parquet(content: bytes) -> pd.DataFrame:
    frame: pd.DataFrame = pd.read_parquet(io.BytesIO(content))
    named = [name for name in frame.index.names if name is not None]
    return pd.DataFrame(frame.reset_index(named)) if named else frame  # a named index is a column that pandas put aside


def _refuse_repeated_names(frame: pd.DataFrame, head: bytes, layout: dict[str, Any]) -> None:
    """Pandas renames a column that stands twice (`a`, `a.1`), so the header's own line is asked."""
    if not any(re.search(r"\.\d+$", str(name)) for name in frame.columns):
        return
    names = pd.read_csv(io.BytesIO(head), header=None, nrows=1, dtype="str", **layout).iloc[0]
    if names.duplicated().any():
        raise ValueError(f"the column {str(names[names.duplicated()].iloc[0])!r} twice")


def _mask_missing(frame: pd.DataFrame, read: Read) -> pd.DataFrame:
    for name in frame.columns:
        values = read.na_values.get(name, []) if isinstance(read.na_values, dict) else read.na_values
        if values:
            frame[name] = frame[name].mask(frame[name].isin(values))
    return frame


def _check_parts(frames: list[pd.DataFrame], files: list[Path]) -> None:
    """A part with other columns would be joined with missing values for the rest."""
    for frame, path in zip(frames, files, strict=True):
        if list(frame.columns) != list(frames[0].columns):
            other = sorted(set(map(str, frame.columns)) ^ set(map(str, frames[0].columns))) or ["another order"]
            found = ", ".join(other)
            raise DataError(Problem(str(path), f"the columns of {files[0].name}", f"a difference in {found}", "Mend the file."))


def _check_columns(frame: pd.DataFrame, data: Data, path: Path) -> None:
    known = [str(name) for name in frame.columns]
    named = [("data.target", data.target), *(("data.drop", name) for name in data.drop)]
    named += [("data.read.dates", name) for name in data.read.dates]
    named += [("data.read.types", name) for name in data.read.types]
    if isinstance(data.read.na_values, dict):
        named += [("data.read.na_values", name) for name in data.read.na_values]
    raise_for_unknown_columns(named, known, path)
    if frame.columns.duplicated().any():
        twice = str(frame.columns[frame.columns.duplicated()][0])
        raise DataError(Problem(str(path), "each column once", f"{twice!r} twice", "Rename one."))
    if frame.empty:
        raise DataError(Problem(str(path), "rows", "none", "Check data.path and data.read."))


def raise_for_unknown_columns(named: list[tuple[str, str]], known: list[str], path: Path) -> None:
    """Refuse columns that the config names and the table has not.

    Parameters
    ----------
    named
        Pairs of a config key and the column that it names.

    Raises
    ------
    DataError
        One problem for each such column.
    """
    problems = []
    for key, name in named:
        if name not in known:
            remedy = suggest(name, known, "Check data.read.sep if all names ran together.")
            shown = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
            problems.append(Problem(f"{key}", f"a column of {path} ({shown})", repr(name), remedy))
    if problems:
        raise DataError(*problems)
