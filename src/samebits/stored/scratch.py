"""Scratch space: files of this process alone, which no end of it leaves behind.

A file's name is taken away as soon as it is open, so that the system frees it with the process. What a library must find by its name
stands in a folder that is locked while it is in use; folders whose process is gone are removed by the next one that needs any.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from samebits.errors import DataError, Problem

_PREFIX, _LOCK = "samebits-scratch-", "samebits-scratch.lock"  # nobody else has a folder so named with such a file in it
_PLAIN = re.compile(r"[A-Za-z0-9_./ -]+")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG)


def find_scratch() -> Path:
    """Return the folder for scratch: TMPDIR where it is set, else the user's cache, since /tmp may lie in memory."""
    own = os.environ.get("TMPDIR")
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(own) if own else Path(cache) / "samebits" / "scratch"


@contextlib.contextmanager
def explaining_scratch() -> Iterator[None]:
    """Turn a disk that is full, or a folder that cannot be written, into a sentence.

    Raises
    ------
    DataError
        Either.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (*_FULL, *_REFUSED):
            raise
        what = "no room left" if error.errno in _FULL else error.strerror or str(error)
        where = f"the folder for scratch {find_scratch()}"
        remedy = "Set TMPDIR to a folder on a disk with room for the table, about as much as its columns of eight bytes a value take."
        raise DataError(Problem(where, "room to keep the table's columns", what, remedy)) from None


def open_scratch() -> BinaryIO:
    """Return a new file to write and to read, which has no name any more."""
    folder = find_scratch()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_abandoned_once(folder)
    return cast("BinaryIO", tempfile.TemporaryFile(dir=folder))


def map_file(file: BinaryIO) -> pa.MemoryMappedFile:
    """Return a file's bytes, mapped; Arrow's maps, other than Python's, hold no file open, of which a table may have thousands."""
    return pa.memory_map(f"/dev/fd/{file.fileno()}")


@contextlib.contextmanager
def make_scratch_folder() -> Iterator[Path]:
    """Make a folder that is removed in the end, if not by this process then by the next one."""
    parent = find_scratch()
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_abandoned(parent)
    made = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True)
    with made as folder, (Path(folder) / f"{_LOCK}.new").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Path(lock.name).rename(Path(folder) / _LOCK)  # no other process may see it free
        yield Path(folder)


def require_room(folder: Path, n_bytes: int) -> None:
    """Look at the disk before a library does that ends the process where there is no room.

    Raises
    ------
    OSError
        As a write would raise it: fewer bytes are free.
    """
    if shutil.disk_usage(folder).free < n_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def naming_plainly(folder: Path) -> Iterator[Path]:
    """Give a folder a name of plain letters, for libraries that take no other; it is the folder's as long as this lasts."""
    if _PLAIN.fullmatch(str(folder)):
        yield folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


@functools.cache
def _remove_abandoned_once(parent: Path) -> None:
    """A table may have no room for what a process that was killed has left."""
    _remove_abandoned(parent)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), (folder / _LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
