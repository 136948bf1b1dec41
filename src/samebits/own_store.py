"""Where samebits itself writes beside a project's code: the store that runs go to, runs that wait to be sent, and records of steps.

They change with every run and are none of its code. Derived from the tracking address alone, since no server may be asked here.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from samebits.project import expand_home

_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///", flags=re.IGNORECASE)
_OF_DATABASE = ("", ".lock", "-journal", "-wal", "-shm")
_ARTIFACTS = ("mlruns", "mlartifacts")
_OWN_FOLDERS = ("spool", "steps")  # of `.samebits` in the project


def list_own_places(project_root: Path) -> list[Path]:
    """Return the files and folders of the store in use, and of the project's own one, which is used where no address is given."""
    own = _list_of_database(project_root / "mlflow.db")
    folders = [project_root / ".samebits" / name for name in _OWN_FOLDERS]
    return [*own, *_list_of_address(os.environ.get("MLFLOW_TRACKING_URI", "")), *folders]


def _list_of_address(address: str) -> list[Path]:
    if head := _SQLITE.match(address):
        path, _, query = address[head.end() :].partition("?")
        if path.startswith("file:") and parse_qs(query).get("uri", [""])[0].lower() in ("true", "1"):
            path = unquote(urlsplit(path).path)
        return _list_of_database(Path(path)) if path and path != ":memory:" else []
    if address.startswith("file:") and not urlsplit(address).netloc:
        return _list_of_folder(Path(unquote(urlsplit(address).path)))
    is_folder = bool(address) and ":" not in address and address != "databricks"
    return _list_of_folder(expand_home(address)) if is_folder else []


def _list_of_database(path: Path) -> list[Path]:
    return [*(path.with_name(path.name + suffix) for suffix in _OF_DATABASE), *(path.parent / name for name in _ARTIFACTS)]


def _list_of_folder(path: Path) -> list[Path]:
    """A store of files is a folder of nothing else; where somebody gave the project's own folder, it is not the project."""
    return [path] if path.absolute() != Path.cwd() else [path / name for name in _ARTIFACTS]
