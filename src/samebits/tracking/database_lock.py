"""The lock of a database: whoever opens a store that nobody has used yet makes its tables; two who do so at once break it for good.

SQLite's lock is a file beside the database, so that all who share the file share the lock, whatever their temporary folder; PostgreSQL
and MySQL hold it themselves, so that it counts for all machines. What stands behind a server of MLflow's is that server's own affair.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from samebits.errors import Problem, TrackingError
from samebits.tracking.address import find_database, find_scheme
from samebits.tracking.drivers import find_missing_driver
from samebits.tracking.patience import PATIENCE, ServerGone

_WAIT_SECONDS = 600  # of one who makes the tables, a few; of thirty others before this one, a minute
_POLL_SECONDS = 0.05
_SUFFIX = ".lock"
_KEY = 0x73616D6562697473  # "samebits"; PostgreSQL's locks are one per database, MySQL's one per server
# Of MySQL's errors, those of a server that is not there.
_SILENT_CODES = (2002, 2003, 2005, 2006, 2013)
_BUSY = ("the database system is", "too many clients", "remaining connection slots")  # PostgreSQL's, of a refusal that passes


@contextlib.contextmanager
def lock_database(uri: str) -> Iterator[None]:
    """Hold the lock of the database that a tracking URI names; nothing is held where it names none.

    Raises
    ------
    ServerGone
        The database gives no answer.
    TrackingError
        The lock cannot be had: its file is another's or no plain file, the database lets nobody in, or somebody holds it for ever.
    """
    dialect = find_scheme(uri)
    if (database := find_database(uri)) is not None:
        with _lock_file_beside(Path(os.path.realpath(database))):
            yield
    elif dialect in _TAKE:
        with _lock_in_database(uri, dialect):
            yield
    else:
        yield


@contextlib.contextmanager
def _lock_file_beside(database: Path) -> Iterator[None]:
    descriptor = _open_lock(database)
    if descriptor is None:
        yield
        return
    try:
        _wait_for(lambda: _try_lock(descriptor, database), f"{database}{_SUFFIX}")
        yield
        _share_as_database(descriptor, database)
    finally:
        os.close(descriptor)  # which lets go of the lock


def _open_lock(database: Path) -> int | None:
    """Return an open lock file; None in a folder in which this user can make nothing, and so no table either."""
    path = Path(f"{database}{_SUFFIX}")
    with contextlib.suppress(OSError):  # MLflow makes it too, and says it better where it cannot
        path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return None
    try:
        descriptor = _open_plainly(path)
    except OSError as error:
        raise TrackingError(_describe_lock(path, error.strerror or str(error))) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise TrackingError(_describe_lock(path, "no plain file"))
    return descriptor


def _describe_lock(path: Path, found: str) -> Problem:
    return Problem(str(path), "a lock file that whoever uses the database may open", found, "Remove it, or let its owner do so.")


def _open_plainly(path: Path) -> int:
    """Open a file without following a link, waiting for a pipe, or emptying what is there; made, it is its owner's alone."""
    flags = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    while True:
        with contextlib.suppress(FileNotFoundError):
            try:
                return os.open(path, os.O_RDWR | flags)
            except PermissionError:  # whoever may only read the database may wait for it all the same
                return os.open(path, os.O_RDONLY | flags)
        with contextlib.suppress(FileExistsError):  # made by another in between; or a link to nothing, which the first says
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o600)


def _share_as_database(descriptor: int, database: Path) -> None:
    """Whoever may open the database may wait for its lock: as with the journal, which SQLite makes with the database's own mode."""
    with contextlib.suppress(OSError):
        lock, owner = os.fstat(descriptor), os.geteuid()
        if lock.st_uid == owner and lock.st_nlink == 1:
            os.fchmod(descriptor, stat.S_IMODE(database.stat().st_mode) & 0o666)


def _try_lock(descriptor: int, database: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        remedy = "Let the database lie on a file system that has locks: SQLite needs them too."
        found = error.strerror or str(error)
        raise TrackingError(Problem(f"{database}{_SUFFIX}", "a file that can be locked", found, remedy)) from None
    return True


def _wait_for(try_once: Callable[[], bool], where: str) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not try_once():
        if time.monotonic() > deadline:
            remedy = "A process that was stopped while it opened the database may hold it: end that one."
            raise TrackingError(Problem(where, "a lock that is free", f"one that is held for {_WAIT_SECONDS} s", remedy))
        time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def _lock_in_database(uri: str, dialect: str) -> Iterator[None]:
    """PostgreSQL's is let go with its transaction, so that it holds through a pool of connections too; MySQL's with its connection."""
    from sqlalchemy.exc import SQLAlchemyError

    if missing := find_missing_driver(uri):
        raise TrackingError(missing)
    with contextlib.ExitStack() as stack:
        where = _name_database(uri)
        try:
            connection = PATIENCE.ask(lambda: stack.enter_context(_connect(uri)))
            _wait_for(lambda: PATIENCE.ask(lambda: _ask(connection, _TAKE[dialect])), where)
        except SQLAlchemyError as error:
            raise _explain(where, error) from None
        yield
        with contextlib.suppress(SQLAlchemyError, TrackingError):  # it is let go all the same
            PATIENCE.ask(lambda: _ask(connection, _LEAVE[dialect]))


_TAKE = {"postgresql": f"SELECT pg_try_advisory_xact_lock({_KEY})", "mysql": "SELECT GET_LOCK('samebits', 0)"}
_LEAVE = {"postgresql": "SELECT 1", "mysql": "SELECT RELEASE_LOCK('samebits')"}


@contextlib.contextmanager
def _connect(uri: str) -> Iterator[Any]:
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    connection = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool).connect()
    try:
        yield connection
    finally:
        with contextlib.suppress(SQLAlchemyError):
            connection.close()


def _ask(connection: Any, question: str) -> bool:
    import sqlalchemy

    return bool(connection.execute(sqlalchemy.text(question)).scalar())


def _name_database(uri: str) -> str:
    """Return where a database is, with neither user nor password nor whatever else an address may hold."""
    from sqlalchemy.engine import make_url

    url = make_url(uri)
    return f"{url.get_backend_name()}://{url.host or ''}/{url.database or ''}"


def _explain(where: str, error: Exception) -> TrackingError:
    found = getattr(error, "orig", None) or error
    lines = str(found).strip().splitlines() or [type(error).__name__]
    if _is_silence(found):
        return ServerGone(Problem(where, "a database that answers", lines[0][:500], "Check the URI and the database."))
    return TrackingError(Problem(where, "a database that lets this user in", lines[0][:500], "Check the URI and the database."))


def _is_silence(error: BaseException) -> bool:
    """Tell whether no server answered: MySQL's drivers have a number for it; of PostgreSQL's answers, a refusal begins with FATAL.

    It says so too while it starts, stops, or has no connection left.
    """
    code = error.args[0] if error.args else None
    if isinstance(code, int):
        return code in _SILENT_CODES
    return type(error).__name__ == "OperationalError" and ("FATAL:" not in str(error) or any(map(str(error).__contains__, _BUSY)))
