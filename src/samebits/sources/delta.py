"""One version of a Delta Lake table: the files that its log names for it, which are the table as any folder of Parquet files is.

The log is read by deltalake (delta-rs), which this module alone imports. A path `…@v12` means version 12, as to Delta's own readers
(https://docs.delta.io/latest/delta-batch.html, "time travel"). Files are never written anew under one name, so a version is the same
bytes for as long as nobody removes them (VACUUM).
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from samebits.errors import DataError, Problem, describe_missing_extra
from samebits.lineage.manifest import is_inner_path
from samebits.table.files import DELTA_LOG, is_marker, read_partitions

_VERSIONED = re.compile(r"(.+)@v(\d{1,18})")
# What changes nothing of how a version's files are read; of the others, rows or names of columns stand in the log.
_PLAIN_FEATURES = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"}
_EXPORT = "Export that version to Parquet, and name what was written."
_INSIDE = re.compile(r"\b(?:ParsedLogPath|FileMeta)\b|\b0: <unknown>")  # where delta-rs begins to tell of itself


def split_version(named: str) -> tuple[str, int] | None:
    """Return the table and the version that a path or a key names; None where it names none.

    >>> split_version("lake/churn@v12"), split_version("lake/churn@v12.csv")
    (('lake/churn', 12), None)
    """
    found = _VERSIONED.fullmatch(named)
    return (found[1], int(found[2])) if found else None


def read_version(place: Path) -> tuple[Path, int] | None:
    """Return where the table should lie of which a path names a version, and the version; None where the path itself is there."""
    named = split_version(str(place))
    return (Path(named[0]), named[1]) if named is not None and not place.exists() else None


def find_version(place: Path) -> tuple[Path, int] | None:
    """Return the same of a Delta table that is on this disk; None where there is no such table."""
    named = read_version(place)
    return named if named is not None and (named[0] / DELTA_LOG).is_dir() else None


def require_deltalake(where: str) -> None:
    """Make sure that a log can be read.

    Raises
    ------
    DataError
        deltalake is not installed.
    """
    if importlib.util.find_spec("deltalake") is None:
        raise DataError(describe_missing_extra(where, "what reads Delta's log", "deltalake", "delta"))


def list_files(table: Path, version: int, where: str) -> list[str]:
    """Return the files of a version by their paths inside the table's folder.

    Parameters
    ----------
    table
        A folder that holds the log; the files themselves need not be there.
    where
        The table as a person names it.

    Raises
    ------
    DataError
        deltalake is not installed, there is no such version, or its rows are not those of its files alone.
    """
    require_deltalake(where)
    from deltalake.exceptions import DeltaError

    try:
        opened = _open_version(table, version, where)
        odd, partitions = _list_odd_features(opened), list(opened.metadata().partition_columns)
        paths = sorted(unquote(str(path)) for path in opened.get_add_actions().column("path").to_pylist())
    except (DeltaError, OSError, ValueError) as error:
        said = " ".join(_INSIDE.split(str(error).replace(str(table), where))[0].split())[:200] or type(error).__name__
        remedy = "Where the log is damaged, or begins later by now, name a later version."
        raise DataError(Problem(where, f"version {version} in Delta's log", said, remedy)) from None
    if odd:
        expected = "a table whose rows and columns are those of its files"
        raise DataError(Problem(where, expected, f"one that uses {', '.join(odd)}", _EXPORT))
    _check_paths(paths, partitions, where)
    return paths


def _open_version(table: Path, version: int, where: str) -> Any:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable(table, version=version)
    except DeltaError:
        latest = DeltaTable(table).version()
        if version > latest:
            raise DataError(Problem(where, f"a version up to {latest}", str(version), "Name one of these.")) from None
        raise


def _list_odd_features(opened: Any) -> list[str]:
    """Return what a version uses for which its files alone are not its rows, or have other names for its columns."""
    found = set(opened.protocol().reader_features or ()) - _PLAIN_FEATURES - {"columnMapping", "deletionVectors"}
    if opened.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        found.add("columnMapping")
    if _has_deletion_vectors(opened):
        found.add("deletionVectors")
    return sorted(found)


def _has_deletion_vectors(opened: Any) -> bool:
    """One that cannot be read, as where the log alone was brought, is one."""
    try:
        return any(batch.num_rows for batch in opened.deletion_vectors())
    except Exception:
        return True


def _check_paths(paths: list[str], partitions: list[str], where: str) -> None:
    """Hold the files to what a reader of folders takes for a table: each of them, with the table's partitions in its path."""
    if not paths:
        raise DataError(Problem(where, "a version with rows", "one that has no file", "Name another version."))
    for path in paths:
        if not is_inner_path(path):
            raise DataError(Problem(where, "a table whose files lie in its folder", f"{path} (a clone of another)", _EXPORT))
        if is_marker(path):
            raise DataError(Problem(where, 'files whose names do not begin with "_" or "."', path, _EXPORT))
        if list(read_partitions(path)) != partitions:
            expected = f"files in folders named by {', '.join(partitions)}" if partitions else "files in folders that name no column"
            raise DataError(Problem(where, expected, path, _EXPORT))
