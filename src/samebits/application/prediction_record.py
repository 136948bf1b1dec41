"""The record of predictions: which model said what of which table, as digests, in a small file beside the predictions.

Its bytes hold no time and no place of a server, so that the same model, table and packages leave the same record. What `verify` holds
to it is the file of predictions, and the table where it is at hand.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebits import __version__
from samebits.application.later_rows import LaterTable
from samebits.application.stored_model import StoredModel
from samebits.digests import canonical_json, digest_bytes, digest_file
from samebits.errors import LineageError, Problem, describe_unreadable
from samebits.holdings.data_search import is_inside
from samebits.lineage.manifest import read_bounded_json
from samebits.plain_files import read_plain
from samebits.table.files import digest_table

KIND = "samebits predictions"
SCHEMA = 1
_MOST_BYTES = 4 << 20
_PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "skops", "joblib", "threadpoolctl")


@dataclass(frozen=True)
class Held:
    """One file that was held to a record; `passed` is None where it is gone."""

    name: str
    recorded: str
    observed: str
    passed: bool | None


def describe_predictions(
    stored: StoredModel, table: LaterTable, output: Path, final: Path, columns: list[str], unseen: dict[str, int]
) -> bytes:
    """Return the canonical bytes of a record.

    Parameters
    ----------
    output
        The file of predictions as it lies now; `final` is the name that it will have.
    """
    stages = stored.lineage["stages"]
    stage = stages["model"]
    record = {
        "kind": KIND,
        "schema": SCHEMA,
        "samebits": __version__,
        "model": {
            "run_id": stored.files.run_id,
            "lineage_digest": digest_bytes(stored.files.lineage_bytes),
            "name": stage["name"],
            "digest": stage["digest"],
            "file_digest": stage["file_digest"],
            "content_checked": stored.content_digest is not None,
            "config_version": stages["config"]["version"],
            "threshold": stages["threshold"].get("value"),
        },
        "table": {
            "digest": table.digest,
            "path": _name_from(table.path, final.parent),
            "size_bytes": table.size_bytes,
            "n_rows": table.n_rows,
            "ignored": table.ignored,
            "unseen": unseen,
        },
        "output": {
            "digest": digest_file(output),
            "path": final.name,
            "size_bytes": output.stat().st_size,
            "n_rows": table.n_rows,
            "columns": columns,
        },
        "environment": {
            "python": platform.python_version(),
            "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
            "numeric_profile": stored.files.profile,
        },
    }
    return canonical_json(record) + b"\n"


def _name_from(path: Path, folder: Path) -> str:
    """A table beside the predictions is named from there, so that both can be moved."""
    resolved, root = path.resolve(), folder.resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else str(resolved)


def find_record(path: Path) -> dict[str, Any] | None:
    """Return the record of predictions that a file holds; None where it holds something else.

    Raises
    ------
    LineageError
        It is such a record, and not one that this samebits reads.
    """
    try:
        content = read_plain(path, _MOST_BYTES)
        value = json.loads(content) if f'"kind":"{KIND}"'.encode() in content else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("kind") != KIND:
        return None
    record: dict[str, Any] = read_bounded_json(content, str(path))
    if record.get("schema") != SCHEMA:
        found = f"schema {record.get('schema')!r}"
        raise LineageError(Problem(str(path), f"a record of schema {SCHEMA}", found, "A later samebits reads it."))
    parts = [record.get(name) for name in ("output", "table")]
    if not all(
        isinstance(part, dict)
        and all(isinstance(part.get(key), str) for key in ("digest", "path"))
        and type(part.get("size_bytes")) is int
        for part in parts
    ):
        raise LineageError(Problem(str(path), "an output and a table with their digests", "another form", "It was edited."))
    output, table = (str(record[part]["path"]) for part in ("output", "table"))
    if output != Path(output).name or output in ("", "..") or "\0" in output + table:
        raise LineageError(Problem(str(path), "the name of a file beside it", repr(output)[:80], "It was edited."))
    return record


def check_record(record: dict[str, Any], path: Path, folders: list[Path], is_trusted: bool) -> tuple[list[Held], list[str]]:
    """Hold the predictions beside a record, and its table where it is at hand, to what was recorded.

    A record is somebody's word, also of where to look: of the predictions only the file of that name beside it is read.

    Parameters
    ----------
    folders
        The caller's own, below which a table is read.
    is_trusted
        Whether it is read wherever the record says that it is.

    Returns
    -------
    tuple
        What was held, and in words what was not looked at.

    Raises
    ------
    LineageError
        A file is there and cannot be read.
    """
    held = [_hold("predictions", path.parent / record["output"]["path"], record["output"])]
    table = path.parent / record["table"]["path"]
    if not is_trusted and not any(is_inside(table, folder) for folder in folders):
        return held, [f"the table at {table}, which only the record names (--recorded-places looks there)"]
    if not table.exists():
        return held, [f"the table, which is not at {table}"]
    return [*held, _hold("table", table, record["table"])], []


def _hold(name: str, path: Path, part: dict[str, Any]) -> Held:
    """A file of another size is another one, which may be so large that nobody waits for its digest."""
    recorded = str(part["digest"])
    if not path.exists():
        return Held(f"{name} {path}", recorded, "gone", None)
    try:
        if path.is_file() and (size := path.stat().st_size) != part["size_bytes"]:
            return Held(f"{name} {path}", f"{part['size_bytes']} bytes", f"{size} bytes", False)
        observed = str(digest_file(path) if path.is_file() else digest_table(path))
    except OSError as error:
        raise LineageError(describe_unreadable(path, error)) from None
    return Held(f"{name} {path}", recorded, observed, observed == recorded)
