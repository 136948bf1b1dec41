"""A file brought from its source: digested as it comes, gone on with where it broke off, named only when it is whole.

What has arrived of it lies under a name of its own beside the cache, locked by whoever brings it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from samebits.digests import PREFIX, digest_value
from samebits.errors import DataError, Problem
from samebits.transfers.cache import find_folder, note, take_in
from samebits.transfers.origin import Held, Origin

_TRIES, _PAUSE_SECONDS = 4, 2.0
_READ_BYTES = 1 << 20
Check = Callable[[Path], None]


def bring(origin: Origin, held: Held, pin: str | None, check: Check | None = None) -> tuple[Path, str]:
    """Bring a file into the cache, and return where it lies and its digest.

    Parameters
    ----------
    pin
        Its digest, where that is known beforehand.
    check
        Asked of the whole file before it has its name; raises DataError where it is not what it should be.

    Raises
    ------
    DataError
        It could not be had whole, its bytes are others than the pinned ones, or there is no room.
    FileNotFoundError
        Nothing is there.
    """
    partial = _name_partial(origin, held)
    try:
        with _open_alone(partial) as file:
            digest = _fill(origin, held, file)
            _check_pin(origin, pin, digest, partial)
            if check is not None:
                _check_whole(check, partial)
            place = take_in(partial, digest)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not partial.exists():
            raise
        if isinstance(error, FileNotFoundError):
            partial.unlink(missing_ok=True)
            raise
        remedy = "Make room there, or let XDG_CACHE_HOME name another folder." if error.errno == errno.ENOSPC else "Check the disk."
        raise DataError(Problem(str(partial.parent), f"room for {origin.where}", error.strerror or str(error), remedy)) from None
    note(origin.where, held, digest)
    return place, digest


def _name_partial(origin: Origin, held: Held) -> Path:
    name = digest_value([origin.where, held.tag]).removeprefix(PREFIX)
    return find_folder() / f".partial-{name[:40]}"


@contextlib.contextmanager
def _open_alone(path: Path) -> Iterator[BinaryIO]:
    """Open what has arrived so far, as soon as no other process works on it; it may be gone then, and is begun anew."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
                yield file
                return


def _fill(origin: Origin, held: Held, file: BinaryIO) -> str:
    """Write what is missing of a file, and return the digest of the whole."""
    for attempt in range(_TRIES):
        sha256 = hashlib.sha256()
        has_arrived = _digest_arrived(file, sha256) if held.tag is not None else 0  # of what may have changed, nothing is kept
        if held.size_bytes is not None and has_arrived == held.size_bytes:
            return PREFIX + sha256.hexdigest()
        try:
            return _append(origin, held, file, sha256, has_arrived)
        except DataError:
            if attempt == _TRIES - 1 or file.tell() == has_arrived:  # nothing came: it is no broken line
                raise
            time.sleep(_PAUSE_SECONDS * 2**attempt)
    raise AssertionError


def _digest_arrived(file: BinaryIO, sha256: Any) -> int:
    file.seek(0)
    while piece := file.read(_READ_BYTES):
        sha256.update(piece)
    return file.tell()


def _append(origin: Origin, held: Held, file: BinaryIO, sha256: Any, has_arrived: int) -> str:
    offset, pieces = origin.read(held, has_arrived)
    if offset != has_arrived:
        sha256 = hashlib.sha256()
    file.seek(offset)
    file.truncate()
    for piece in pieces:
        sha256.update(piece)
        file.write(piece)
    file.flush()
    if held.size_bytes is not None and file.tell() != held.size_bytes:
        found = f"{file.tell():,} bytes"
        raise DataError(Problem(origin.where, f"{held.size_bytes:,} bytes", found, "It broke off: run this again, it goes on there."))
    return f"{PREFIX}{sha256.hexdigest()}"


def _check_whole(check: Check, partial: Path) -> None:
    """What is not what it should be is begun anew next time: its source may be mended."""
    try:
        check(partial)
    except DataError:
        partial.unlink()
        raise


def _check_pin(origin: Origin, pin: str | None, digest: str, partial: Path) -> None:
    if pin is None or pin == digest:
        return
    partial.unlink()
    remedy = "Name the version that is meant, or take the new bytes with `samebits data pin CONF`."
    raise DataError(Problem(origin.where, f"the pinned {pin}", digest, remedy))
