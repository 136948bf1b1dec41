"""The address of the tracking server: parsed, so that the same text means the same place from every folder.

A relative path is made absolute; what is an address already, credentials included, stays as it was given.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from samebits.errors import Problem, TrackingError
from samebits.project import expand_home

_SQLITE = "sqlite:///"
_OPAQUE = ("file", "databricks", "mlflow-artifacts", "dbfs")  # schemes that may stand without an authority
_STORES = ("sqlite", "http", "https", "postgresql", "mysql", "mssql")
_SQLITE_HEAD = re.compile(r"sqlite(?:\+\w+)?:///")
_HOST_AND_PORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]{2,5}(?:/.*)?")
_SPECIAL = "?#%"  # what an address does not take as part of a path


def settle_address(given: str | None, project_root: Path) -> str:
    """Return the absolute address of the server or store that is meant; the project's own database where none is given.

    Raises
    ------
    TrackingError
        `mlflow run` passed a relative SQLite path from another folder: the same text would name two databases. Or it is an address
        written in part, which would be taken for a folder.
    """
    if not given:
        return name_database(project_root / "mlflow.db")
    scheme = find_scheme(given)
    if scheme is not None:
        head, colon, rest = given.partition(":")
        given = f"{head.lower()}{colon}{rest}"
    else:
        _refuse_part_of_address(given)
    if _SQLITE_HEAD.match(given):
        return _settle_database(given)
    if scheme == "file" and not urlsplit(given).netloc:
        return _name_folder(Path(unquote(urlsplit(given).path)))
    if scheme is None and given != "databricks":
        return _name_folder(Path(given))
    return given


def find_scheme(address: str) -> str | None:
    """Return the scheme of an address, or None for the path of a folder.

    >>> find_scheme("postgresql+psycopg://h/d"), find_scheme("mlflow-artifacts:/1"), find_scheme("/srv/runs"), find_scheme("a:b/c")
    ('postgresql', 'mlflow-artifacts', None, None)
    """
    head, colon, rest = address.partition(":")
    if not colon or not head[:1].isalpha() or not head.replace("+", "").replace("-", "").replace(".", "").isalnum():
        return None
    name = head.lower().partition("+")[0]
    return name if rest.startswith("//") or name in _OPAQUE else None


def is_remote(address: str) -> bool:
    """Tell whether a server of its own, which may stay silent, stands behind an address."""
    return find_scheme(address) not in (None, "file", "sqlite")


def is_http(address: str) -> bool:
    """Tell whether an address is that of a tracking server, and not of a database or a folder."""
    return find_scheme(address) in ("http", "https")


def name_database(path: Path) -> str:
    """Return the address of an SQLite database; a path with letters that mean something in an address is written as a URI.

    >>> name_database(Path("/srv/mlflow.db")), name_database(Path("/what?/mlflow.db"))
    ('sqlite:////srv/mlflow.db', 'sqlite:///file:/what%3F/mlflow.db?uri=true')
    """
    if not any(letter in str(path) for letter in _SPECIAL):
        return f"{_SQLITE}{path}"
    return f"{_SQLITE}file:{path.as_uri().removeprefix('file://')}?uri=true"


def find_database(address: str) -> Path | None:
    """Return the file of an SQLite database; None for any other address, and for a database in memory.

    >>> find_database("sqlite:////srv/a.db?timeout=9"), find_database("sqlite:///file:/what%3F/a.db?uri=true")
    (PosixPath('/srv/a.db'), PosixPath('/what?/a.db'))
    """
    head = _SQLITE_HEAD.match(address)
    if head is None:
        return None
    path, _, query = address[head.end() :].partition("?")
    if path.startswith("file:") and parse_qs(query).get("uri", [""])[0].lower() in ("true", "1"):
        path = unquote(urlsplit(path).path)
    return Path(path) if path and path != ":memory:" else None


def _refuse_part_of_address(given: str) -> None:
    is_host = _HOST_AND_PORT.fullmatch(given) is not None and not Path(given).exists()
    if is_host or (":" in given and given.partition(":")[0].lower().partition("+")[0] in _STORES):
        remedy = f"Write http://{given}" if is_host else "Write http://HOST:PORT, sqlite:///PATH, or ./PATH for a folder of that name."
        raise TrackingError(Problem("MLFLOW_TRACKING_URI", "an address with its scheme and `//`", repr(given), remedy))


def _name_folder(folder: Path) -> str:
    path = expand_home(str(folder))
    if str(path).startswith("~"):
        expected = "a folder below the home of a user"
        raise TrackingError(Problem("MLFLOW_TRACKING_URI", expected, str(folder), "Write the whole path."))
    path = path.absolute()
    return path.as_uri() if any(letter in str(path) for letter in _SPECIAL) else str(path)


def _settle_database(given: str) -> str:
    path = find_database(given)
    if path is None or path.is_absolute():
        return given
    scheme = given.partition(":")[0]
    _, question_mark, query = given.partition("?")
    return f"{scheme}:///{_find_callers_database(path)}{question_mark}{query}"


def _find_callers_database(path: Path) -> Path:
    """Return a relative database path as an absolute one.

    `mlflow run` hands its own relative URI to a program that it starts in the project's folder, where the same text names another
    file; the folder that was meant is the one in which a process above this one stands.
    """
    here = Path.cwd()
    if not os.environ.get("MLFLOW_RUN_ID") or (here / path).exists():
        return here / path
    for folder in _list_callers_folders():
        if (folder / path).exists():
            return folder / path
    remedy = f"Give the absolute path, sqlite:////…: this program runs in {here}."
    raise TrackingError(Problem("MLFLOW_TRACKING_URI", "a database that exists", f"sqlite:///{path}", remedy))


def _list_callers_folders() -> Iterator[Path]:
    """Yield the current folder of each process above this one; nothing where the system does not tell."""
    process_id = os.getppid()
    with contextlib.suppress(OSError, ValueError, IndexError):
        while process_id > 1:
            yield Path(f"/proc/{process_id}/cwd").readlink()
            status = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8")
            process_id = int(status.rpartition(")")[2].split()[1])
