"""Installed packages held to their RECORD: which files are other than their installer wrote them, gone, or were put beside them.

Reading all of several hundred megabytes takes half a second and more, so that a package that was found whole is remembered by the
state of its files: inode, size, time of change. The last cannot be set back by a user, whatever is done to a file's contents and
to the time of its modification.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import os
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from samebits.digests import PREFIX, digest_bytes, digest_file, digest_folder, digest_value
from samebits.installed.distributions import Distribution
from samebits.private_files import read_private, write_private

MISSING = "missing"
_CACHE = "held-packages"
_MOST_REMEMBERED = 5000
_MOST_NAMED = 20  # files of one package; a package of which more are other is named as a whole
_SETTLED_SECONDS = 2  # a file that was changed a moment ago may be changed again within the clock's own step
_WHOLE_BYTES = 1 << 24
_CODE = tuple(importlib.machinery.all_suffixes())


@dataclass(frozen=True)
class Held:
    """What became of the packages that were looked at.

    Parameters
    ----------
    modified
        Digest of each file that is other than its package's RECORD says, or that RECORD does not list and Python would import;
        "missing" where a listed file is gone. By its path in the folder that the packages lie in.
    not_held
        Each package that has no RECORD to be held to, and why.
    """

    modified: dict[str, str] = field(default_factory=dict)
    not_held: dict[str, str] = field(default_factory=dict)


def hold_packages(distributions: Iterable[Distribution], installed: Iterable[Distribution]) -> Held:
    """Compare packages with what their installer wrote down of them.

    Parameters
    ----------
    distributions
        The packages to look at.
    installed
        All that are installed: a folder may hold files of several.
    """
    held = Held()
    everything = list(installed)
    before = (read_private("cache", _CACHE) or b"").decode("ascii", "replace").split()
    known, seen = set(before), []
    for distribution in distributions:
        if distribution.why_not_held:
            held.not_held[distribution.name] = distribution.why_not_held
        if not distribution.files:
            continue
        state = _read_state(distribution)
        if state is None or state.digest not in known:
            found = _find_modified(distribution, everything)
            held.modified.update(_shorten(distribution, found))
            if found or state is None or not state.is_settled:
                continue
        seen.append(state.digest)
    if not known.issuperset(seen):
        _remember(seen, before)
    return held


def _remember(seen: list[str], before: list[str]) -> None:
    kept = list(dict.fromkeys([*seen, *before]))[:_MOST_REMEMBERED]
    write_private("cache", _CACHE, "\n".join(kept).encode("ascii", "replace"))


@dataclass(frozen=True)
class _State:
    """The digest of all that changes with any file or folder of a package; settled where none was changed just now."""

    digest: str
    is_settled: bool


def _read_state(distribution: Distribution) -> _State | None:
    """None where a file is gone, or is no file."""
    facts: list[tuple[object, ...]] = []
    latest = 0
    for name in (*distribution.files, *_list_folders(distribution)):
        try:
            found = os.stat(os.path.join(distribution.folder, name))  # noqa: PTH116, PTH118  ten thousand times
        except OSError:
            return None
        facts.append((name, found.st_dev, found.st_ino, found.st_size, found.st_mode, found.st_mtime_ns, found.st_ctime_ns))
        latest = max(latest, found.st_ctime_ns)
    text = repr((str(distribution.folder), digest_bytes((distribution.record_text or "").encode("utf-8", "replace")), facts))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return _State(digest, time.time_ns() - latest > _SETTLED_SECONDS * 10**9)


def _list_folders(distribution: Distribution) -> list[str]:
    """Return every folder of a package's own, sorted: not the one that it shares with all others."""
    folders = {path.rpartition("/")[0] for path in distribution.files}
    parents = {folder[:end] for folder in folders for end in range(len(folder)) if folder[end] == "/"}
    return sorted(name for name in folders | parents if name and not name.endswith(".dist-info"))


def _find_modified(distribution: Distribution, installed: list[Distribution]) -> dict[str, str]:
    found = {}
    for name, recorded in distribution.files.items():
        observed = _digest_regular(distribution.folder / name)
        if observed != recorded:
            found[name] = observed
    for name in _list_unlisted(distribution, installed):
        path = distribution.folder / name
        found[name] = digest_folder(path) if path.is_dir() else _digest_regular(path)
    return found


def _digest_regular(path: Path) -> str:
    """Digest a file, and nothing that might never end."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return "no file"
        if found.st_size > _WHOLE_BYTES:
            return digest_file(path)
        return PREFIX + hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return MISSING


def _list_unlisted(distribution: Distribution, installed: list[Distribution]) -> list[str]:
    """Return what Python could import from a package's folders, and would before a listed file of that name, and nobody lists."""
    folders = _list_folders(distribution)
    own = {*distribution.paths, *folders}
    strange = [name for folder in folders for name in _list_importable(distribution.folder, folder) if name not in own]
    if not strange:
        return []
    others = [other for other in installed if other is not distribution and other.folder == distribution.folder]
    listed = {name for other in others for name in (*other.paths, *_list_folders(other))}
    return [name for name in strange if name not in listed]


def _list_importable(root: Path, folder: str) -> list[str]:
    """Return the modules in a folder, and the packages, by their paths from the root."""
    try:
        with os.scandir(root / folder) as entries:
            return sorted(f"{folder}/{entry.name}" for entry in entries if _is_importable(entry))
    except OSError:
        return []


def _is_importable(entry: os.DirEntry[str]) -> bool:
    if entry.is_dir():
        return entry.name.isidentifier() and any(Path(entry.path, f"__init__{suffix}").exists() for suffix in _CODE)
    return entry.name.endswith(_CODE)


def _shorten(distribution: Distribution, found: dict[str, str]) -> dict[str, str]:
    """A package of which a great part is other is named as one."""
    if len(found) <= _MOST_NAMED:
        return found
    return {f"{distribution.name} ({len(found)} files)": digest_value(found)}
