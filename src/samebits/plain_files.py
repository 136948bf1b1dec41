"""Files that are files: opened only where they are regular, read only up to a limit, and only while they stay as they are.

A pipe would be waited for without end, a device has none, and a file that grows while it is read is no record of anything. What is
refused here is an OSError whose text says what was found, as the system's own refusals are.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_READ_BYTES = 1 << 20
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_plain(path: Path) -> BinaryIO:
    """Return a regular file opened for reading, without a buffer.

    Raises
    ------
    OSError
        It is not there, cannot be read, or is no regular file.
    """
    _refuse_other_kinds(path.stat(), path)  # before it is opened: to open a device may already do something
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _refuse_other_kinds(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb", buffering=0)


def _refuse_other_kinds(found: os.stat_result, path: Path) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, "a folder", str(path))
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"{_KINDS.get(kind, 'something else')}, which is no regular file", str(path))


def is_plain(path: Path) -> bool:
    """Tell whether a regular file is there, followed through links."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def read_plain(path: Path, most_bytes: int) -> bytes:
    """Return all bytes of a regular file that is not larger than a limit.

    Raises
    ------
    OSError
        As `open_plain`, or it is larger.
    """
    content = bytearray()
    with open_plain(path) as file:
        is_within = os.fstat(file.fileno()).st_size <= most_bytes
        while is_within and (piece := file.read(_READ_BYTES)):
            content += piece
            is_within = len(content) <= most_bytes
    if not is_within:
        raise OSError(errno.EFBIG, f"more than {describe_size(most_bytes)}", str(path))
    return bytes(content)


def read_pieces(path: Path, size_bytes: int = _READ_BYTES, offset: int = 0) -> Iterator[bytes]:
    """Yield a regular file's bytes from an offset on, at most so many at a time.

    Raises
    ------
    OSError
        As `open_plain`.
    """
    with open_plain(path) as file:
        file.seek(offset)
        while piece := file.read(size_bytes):
            yield piece


def describe_size(size_bytes: int) -> str:
    """Return a limit as a sentence says it.

    >>> describe_size(4 << 20), describe_size(1000)
    ('4 MiB', '1000 bytes')
    """
    return f"{size_bytes >> 20} MiB" if size_bytes >= 1 << 20 else f"{size_bytes} bytes"
