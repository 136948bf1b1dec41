"""Which files of a project are read while a step runs, as Linux tells of whole folders (inotify): by which program, it does not say.

So what a library in C++ or Rust opens is seen too, and a command that is no Python; and so is whoever else reads there meanwhile.
A file counts when it is closed that was opened to be read alone: what is written is no input.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from samebits.installed.distributions import METADATA, SITES

# Of inotify(7): what is asked for, and what comes.
_WAS_READ, _ONLY_FOLDERS, _IS_FOLDER = 0x10, 0x01000000, 0x40000000
_EVENT = struct.Struct("iIII")
_READ_BYTES = 1 << 16
_LOOK_MILLISECONDS = 50
_MOST_FOLDERS = 4096  # a user may watch 8,192 or more, by all programs together
# What servers, environments and builds keep in a project, and no step is made of.
_PASSED_BY = {"__pycache__", "mlartifacts", "mlruns", "node_modules", *SITES}
_OF_ENVIRONMENT = {"pyvenv.cfg", "conda-meta"}
_MOST_LAST_LOOKS = 100  # who goes on reading is not waited for
_NO_INPUTS = ("mlflow.db", "pyproject.toml", "uv.lock")


@contextlib.contextmanager
def watch_openings(root: Path) -> Iterator[set[Path] | None]:
    """Fill a set with the files below a folder that are opened meanwhile, hidden ones left out; None: it cannot be watched."""
    folders = _list_folders(root)
    descriptor = _open_watch() if len(folders) <= _MOST_FOLDERS else None
    if descriptor is None:
        yield None
        return
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        watched = _add_watches(descriptor, folders)
        if len(watched) < len(folders):
            yield None
            return
        opened, is_over = set[Path](), threading.Event()
        listener = threading.Thread(target=_listen, args=(descriptor, watched, opened, is_over), daemon=True)
        listener.start()
        stack.callback(listener.join)
        stack.callback(is_over.set)  # which comes first
        yield opened


def _list_folders(root: Path) -> list[str]:
    folders = []
    for folder, below, files in os.walk(root):
        if not _OF_ENVIRONMENT.isdisjoint([*below, *files]):
            below.clear()
            continue
        folders.append(folder)
        below[:] = [name for name in below if name not in _PASSED_BY and not name.startswith(".") and not name.endswith(METADATA)]
        if len(folders) > _MOST_FOLDERS:
            break
    return folders


def _open_watch() -> int | None:
    if not sys.platform.startswith("linux"):
        return None
    descriptor = int(ctypes.CDLL(None).inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    return descriptor if descriptor >= 0 else None


def _add_watches(descriptor: int, folders: list[str]) -> dict[int, str]:
    """Return the folders by the numbers under which they are told of; fewer where no more may be watched."""
    add, watched = ctypes.CDLL(None).inotify_add_watch, dict[int, str]()
    for folder in folders:
        number = int(add(descriptor, os.fsencode(folder), ctypes.c_uint32(_WAS_READ | _ONLY_FOLDERS)))
        if number < 0:
            return {}
        watched[number] = folder
    return watched


def _listen(descriptor: int, watched: dict[int, str], opened: set[Path], is_over: threading.Event) -> None:
    told = select.poll()
    told.register(descriptor, select.POLLIN)
    n_last = 0
    while n_last < _MOST_LAST_LOOKS:
        was_over = is_over.is_set()  # before the last look
        n_last += was_over
        if told.poll(0 if was_over else _LOOK_MILLISECONDS):
            opened.update(_read_openings(os.read(descriptor, _READ_BYTES), watched))
        elif was_over:
            return


def _read_openings(told: bytes, watched: dict[int, str]) -> Iterator[Path]:
    place = 0
    while place < len(told):
        number, mask, _, length = _EVENT.unpack_from(told, place)
        name = os.fsdecode(told[place + _EVENT.size : place + _EVENT.size + length].rstrip(b"\0"))
        place += _EVENT.size + length
        is_file = mask & _WAS_READ and not mask & _IS_FOLDER
        if is_file and name and not name.startswith((".", *_NO_INPUTS)):
            yield Path(watched[number], name)
