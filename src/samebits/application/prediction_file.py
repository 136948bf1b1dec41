"""A file of predictions, there in full or not at all: written under another name in the same folder, and named when it is complete.

CSV as `predictions.csv` of a run has it, each number with every digit; or Parquet.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd

from samebits.errors import DataError, Problem
from samebits.plain_files import is_plain
from samebits.signals import hold_signals

SUFFIXES = (".csv", ".parquet", ".pq")


def check_output(path: Path, beside: Path, table: Path, overwrite: bool) -> None:
    """Refuse an output that could not be written, before anything is computed.

    Parameters
    ----------
    beside
        The file of the predictions' own record.
    overwrite
        Whether the caller said that files that are there may be replaced.

    Raises
    ------
    DataError
        Its suffix says no format, its folder is not there, it is the table itself, or it is there already.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(Problem("--output", f"a file that ends in {', '.join(SUFFIXES)}", path.name, "Name one."))
    if not path.parent.is_dir():
        raise DataError(Problem("--output", f"a folder {path.parent}", "none", "Make it, or name another."))
    if path.resolve() == table.resolve() or (table.is_dir() and path.resolve().is_relative_to(table.resolve())):
        raise DataError(Problem("--output", "another file than the table", str(path), "Name another."))
    for file in (path, beside):
        if os.path.lexists(file) and not (overwrite and is_plain(file)):
            remedy = "Name another, or say --overwrite." if is_plain(file) else "Name another."
            raise DataError(Problem("--output", f"a new file {file}", "one that is there already", remedy))


class PredictionFile:
    """A file of predictions while it is written; without `complete` nothing is left of it.

    Parameters
    ----------
    path
        Its final name, which also says its format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}-", suffix=".part")
        self.scratch = Path(name)
        self._file: Any = os.fdopen(descriptor, "wb")
        self._writer: Any = None
        os.fchmod(self._file.fileno(), 0o666 & ~_read_umask())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(Exception):  # of a writer that cannot end what it could not write
            if self._writer is not None:
                self._writer.close()
        with contextlib.suppress(OSError):
            self._file.close()
        self.scratch.unlink(missing_ok=True)

    def write(self, first_row: int, columns: dict[str, np.ndarray]) -> None:
        """Write the predictions of some rows, the first of which has this number in the table."""
        n_rows = len(next(iter(columns.values())))
        frame = pd.DataFrame({"row": np.arange(first_row, first_row + n_rows), **columns})
        if self.path.suffix.lower() == ".csv":
            frame.to_csv(self._file, index=False, header=first_row == 0, lineterminator="\n")
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema)
        self._writer.write_table(table)

    def finish(self) -> None:
        """Have all that was written on the disk, still under the other name."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._file.flush()
        os.fsync(self._file.fileno())


def name_files(*pairs: tuple[Path, Path], overwrite: bool) -> None:
    """Give complete files their final names, as one step for signals.

    Parameters
    ----------
    pairs
        Each a file's present name and its final one.

    Raises
    ------
    DataError
        Such a file came to be meanwhile, and none may be replaced.
    """
    with hold_signals(), contextlib.ExitStack() as unless_all_are_named:
        for scratch, path in pairs:
            if overwrite:
                scratch.replace(path)
                continue
            with _refusing_another(path):
                _name_anew(scratch, path)
            unless_all_are_named.callback(path.unlink, missing_ok=True)
        unless_all_are_named.pop_all()


def _name_anew(scratch: Path, path: Path) -> None:
    try:
        os.link(scratch, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, where all that was computed would be lost
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        scratch.rename(path)
        return
    scratch.unlink()


@contextlib.contextmanager
def _refusing_another(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        remedy = "Name another, or say --overwrite."
        raise DataError(Problem("--output", f"a new file {path}", "one that came to be meanwhile", remedy)) from None


def _read_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
