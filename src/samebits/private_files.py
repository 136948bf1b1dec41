"""Small files of this user's own, outside every project: what was seen before (cache) and what was made here (state).

Nothing here is taken from, or written to, a place that another user may write to; no link is followed at the end of a path; a file
is written whole or not at all. Where there is no such place, there is no such file, and nothing fails.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Literal

from samebits.project import expand_home

_MOST_BYTES = 16 << 20
_HOMES = {"cache": ("XDG_CACHE_HOME", ".cache"), "state": ("XDG_STATE_HOME", ".local/state")}
Kind = Literal["cache", "state"]


def read_private(kind: Kind, name: str) -> bytes | None:
    """Return a file's bytes; None where there is none, or it is another user's, or one that others may write to."""
    folder = _find_folder(kind, name)
    if folder is None or not _is_own(folder):
        return None
    try:
        descriptor = os.open(folder / Path(name).name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not _is_ours(found) or found.st_size > _MOST_BYTES:
            return None
        return file.read(_MOST_BYTES)


def write_private(kind: Kind, name: str, content: bytes) -> bool:
    """Write a file, and tell whether it could be written."""
    try:
        folder = _make_folder(kind, name)
        if folder is None:
            return False
        descriptor, scratch = tempfile.mkstemp(dir=folder, prefix=".new-")
    except OSError:
        return False
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(scratch).replace(folder / Path(name).name)
    except OSError:
        with contextlib.suppress(OSError):
            Path(scratch).unlink()
        return False
    return True


def make_private_folder(kind: Kind, name: str) -> Path | None:
    """Return a folder of this user's own, made where it is missing; None where there can be none."""
    try:
        return _make_folder(kind, f"{name}/-")
    except OSError:
        return None


def _make_folder(kind: Kind, name: str) -> Path | None:
    folder = _find_folder(kind, name)
    if folder is None:
        return None
    for own in [folder] if folder.name == "samebits" else [folder.parent, folder]:
        own.parent.mkdir(parents=True, exist_ok=True)
        own.mkdir(mode=0o700, exist_ok=True)
    return folder if _is_own(folder) else None


def remove_private(kind: Kind, name: str) -> None:
    """Remove a file, where there is one."""
    folder = _find_folder(kind, name)
    if folder is not None and _is_own(folder):
        with contextlib.suppress(OSError):
            (folder / Path(name).name).unlink()


def _find_folder(kind: Kind, name: str) -> Path | None:
    """Return the folder that a file lies in, below the user's own of its kind (XDG base directories)."""
    variable, default = _HOMES[kind]
    home = Path(os.environ.get(variable, ""))
    if not home.is_absolute():  # as the standard says: what is relative is ignored
        home = expand_home("~") / default
    return (home / "samebits" / name).parent if home.is_absolute() else None


def _is_own(folder: Path) -> bool:
    """Tell whether a folder of ours, and what it lies in below the home, is nobody else's to change."""
    with contextlib.suppress(OSError):
        own = folder if folder.name == "samebits" else folder.parent
        return all(stat.S_ISDIR(found.st_mode) and _is_ours(found) for found in (own.lstat(), folder.lstat()))
    return False


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
