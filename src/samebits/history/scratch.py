"""Repositories of our own, fresh and empty, which may borrow another's objects: there Git works without touching anything of a user's.

In a folder that somebody else names no Git ever runs: its objects are read through one of these.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import git

from samebits.history.runner import make_runner, run_git

_GITLINK_BYTES = 4096  # a file `.git` that says where the repository is has one path in it


def init_repository(folder: Path, object_format: str = "sha1", objects: Path | None = None) -> git.Git:
    """Make an empty repository of ours in a folder, which may borrow another's objects, and return a runner in it."""
    folder.mkdir(parents=True, exist_ok=True)
    runner = make_runner(folder)
    runner.execute(["git", "-c", "init.defaultBranch=main", "init", "-q", f"--object-format={object_format}"])
    if objects is not None:
        alternates = folder / ".git/objects/info/alternates"
        alternates.parent.mkdir(parents=True, exist_ok=True)
        alternates.write_bytes(_quote_if_needed(objects) + b"\n")
        shallow = objects.parent / "shallow"
        if shallow.is_file() and not shallow.is_symlink():
            shutil.copyfile(shallow, folder / ".git/shallow")
    return runner


def _quote_if_needed(path: Path) -> bytes:
    return quote(str(path)) if re.search(r'["#\n]', str(path)) else os.fsencode(path)


@contextlib.contextmanager
def open_scratch(objects: Path, object_format: str) -> Iterator[tuple[git.Git, Path]]:
    """Give a repository of ours for a while, with another's objects in it; return a runner in it and its folder."""
    with tempfile.TemporaryDirectory(prefix="samebits-git-") as folder:
        root = Path(folder, "scratch")
        yield init_repository(root, object_format, objects), root


def find_objects(folder: Path) -> Path | None:
    """Return where the objects of a repository lie that somebody names, read as files; None where there is none."""
    try:
        own = folder / ".git"
        if own.is_file() and own.stat().st_size < _GITLINK_BYTES:
            own = folder / own.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
            common = own / "commondir"
            own = own / common.read_text(encoding="utf-8").strip() if common.is_file() else own
        found = (own if own.is_dir() else folder) / "objects"
        is_one = found.is_dir() and (found.parent / "HEAD").is_file() and not _holds_odd_files(found)
        return found.resolve() if is_one else None
    except (OSError, ValueError):  # below a folder that this user may not enter, or a name that is none
        return None


def _holds_odd_files(objects: Path) -> bool:
    """Whoever opens a pipe among the objects waits for ever."""
    return any(not (Path(folder, name).is_file()) for folder, _, names in os.walk(objects) for name in names)


def store_blobs(runner: git.Git, paths: Sequence[str], *options: str) -> list[str]:
    """Return the id that a blob of each file's own bytes has, as Git computes it; with `-w` the blobs are stored too."""
    listing = b"".join(quote(path) + b"\n" for path in paths)
    return run_git(runner, ["git", "hash-object", *options, "--no-filters", "--stdin-paths"], listing).decode().split()


def quote(path: str) -> bytes:
    """Git reads a quoted path as C does a string: with every byte as an octal number, it may hold line ends."""
    return b'"' + b"".join(b"\\%03o" % byte for byte in os.fsencode(path)) + b'"'
