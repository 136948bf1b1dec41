"""Finds a recorded table by its digest: at its recorded path, in a content-addressed store, the archive, or where it was brought from.

A store is any folder of SAMEBITS_DATA_STORE (several are separated as in PATH) that names files by the SHA-256 of their bytes:
`sha256/ab/<rest>` as `data_store` writes them, `<hex>`, `sha256/<hex>`, `ab/<rest>` or, as Git LFS lays them out, `ab/cd/<hex>`.
Where a path holds other bytes, that is said. A path that only the lineage names is read for a caller who trusts it, and for no other.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.digests import PREFIX, digest_file
from samebits.errors import SamebitsError, TrackingError
from samebits.holdings.archive import Archive, name_data_entry
from samebits.project import expand_home, find_repository
from samebits.sources.address import is_address
from samebits.sources.bringing import bring_named
from samebits.sources.cache import find_cached
from samebits.table.files import digest_table, list_table_files

ARCHIVE = "the experiment's archive"
STORE_VARIABLE = "SAMEBITS_DATA_STORE"
RECORDED_PATH = "recorded path"
_SOME_OTHER = "other bytes"
_DIGEST = re.compile(rf"{PREFIX}[0-9a-f]{{64}}")


@dataclass(frozen=True)
class FoundData:
    """Where a table with the recorded digest is, or why it is not.

    Parameters
    ----------
    path
        None where it was found nowhere.
    place
        As a report calls it.
    other_bytes
        Paths that should hold it and hold something else, with that one's digest.
    """

    path: Path | None
    place: str
    other_bytes: dict[str, str] = field(default_factory=dict)


def find_recorded_data(
    stage: dict[str, Any], folders: list[Path], archive: Archive | None, scratch: Path, is_trusted: bool = True
) -> FoundData:
    """Return a place whose bytes have the recorded digest, asking the nearest first.

    Parameters
    ----------
    stage
        The lineage's data stage.
    folders
        Project folders from which the recorded path is tried.
    archive
        Asked last; None where it must not be.
    scratch
        What the archive gives is brought here.
    is_trusted
        Whether the caller takes the lineage's word for where to look. Otherwise nothing is read but below the folders and the stores,
        through no link that leads out of them, and of other bytes that are found no digest is told.
    """
    digest = str(stage["digest"])
    other_bytes: dict[str, str] = {}
    for path, place in _list_paths(stage, folders, is_trusted):
        may_be_it = is_trusted or place != RECORDED_PATH or _has_size(path, stage.get("size_bytes"))
        observed = (digest_table(path, digest) if may_be_it else _SOME_OTHER) if path.exists() else None
        if observed == digest:
            return FoundData(path, place, other_bytes)
        if observed and place == RECORDED_PATH:
            other_bytes[str(path)] = observed if is_trusted else _SOME_OTHER
    try:
        fetched = archive.fetch(name_data_entry(digest), scratch) if archive is not None and _DIGEST.fullmatch(digest) else None
    except TrackingError as error:
        return FoundData(None, "nowhere", {**other_bytes, ARCHIVE: f"not to be had: {error.problems[0].found}"})
    if fetched is not None:
        path = _choose_fetched(fetched, stage)
        if digest_table(path, digest) == digest:
            return FoundData(path, ARCHIVE, other_bytes)
        other_bytes[ARCHIVE] = digest_table(path) or "nothing"
    return _bring_from_source(stage, folders, other_bytes) if is_trusted else FoundData(None, "nowhere", other_bytes)


def _bring_from_source(stage: dict[str, Any], folders: list[Path], other_bytes: dict[str, str]) -> FoundData:
    """Ask where the table came from: its address, or the DVC of a project's folder. What comes has the digest, or nothing comes."""
    named = str(stage.get("location") or stage["path"])
    for place in [Path(named)] if is_address(named) else [folder / str(stage["path"]) for folder in folders]:
        try:
            brought = bring_named(named, place, str(stage["digest"]))
        except SamebitsError as error:
            other_bytes[named] = f"not to be had: {error.problems[0].found}"
            continue
        if brought is not None:
            return FoundData(brought.path, brought.location if is_address(named) else f"DVC, as {brought.location}", other_bytes)
    return FoundData(None, "nowhere", other_bytes)


def _has_size(path: Path, size_bytes: Any) -> bool:
    """Tell whether a table may be the recorded one by its size alone: what else lies below a folder is not read."""
    try:
        return isinstance(size_bytes, int) and sum(file.stat().st_size for file in list_table_files(path).values()) == size_bytes
    except OSError:
        return False


def _choose_fetched(folder: Path, stage: dict[str, Any]) -> Path:
    """An entry is the recorded folder's files, or one file under any name; the reader goes by the recorded name's suffix."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    if len(files) != 1 or digest_file(files[0]) != stage["digest"]:
        return folder
    name = Path(str(stage["path"])).name
    return files[0].rename(files[0].with_name(name)) if name not in ("", "..") else files[0]


def _list_paths(stage: dict[str, Any], folders: list[Path], is_trusted: bool) -> Iterator[tuple[Path, str]]:
    for path in _list_recorded_paths(stage, folders):
        if is_trusted or any(is_inside(path, folder) for folder in folders):
            yield path, RECORDED_PATH
    for store in filter(None, os.environ.get(STORE_VARIABLE, "").split(os.pathsep)):
        for path in list_store_paths(expand_home(store), str(stage["digest"])):
            yield path, f"store {store}"
    with contextlib.suppress(SamebitsError):  # a user without a home
        yield from ((path, "your cache") for path in filter(None, [find_cached(str(stage["digest"]))]))
    for folder in map(find_repository, folders):
        for path in list_store_paths(folder / ".git/lfs/objects", str(stage["digest"])):
            yield path, "Git LFS"


def _list_recorded_paths(stage: dict[str, Any], folders: list[Path]) -> list[Path]:
    recorded = [folder / str(stage["path"]) for folder in folders]
    recorded += [Path(str(stage["location"]))] if stage.get("location") else []
    return [path for path in dict.fromkeys(recorded) if "\0" not in str(path)]


def is_inside(path: Path, folder: Path) -> bool:
    """Tell whether a path lies below a folder, its links followed, and in none of the folder's hidden ones."""
    try:
        real, top = path.resolve(), folder.resolve()
    except (OSError, RuntimeError):  # a loop
        return False
    return real != top and real.is_relative_to(top) and not any(part.startswith(".") for part in real.relative_to(top).parts)


def list_unread(stage: dict[str, Any], folders: list[Path]) -> list[str]:
    """Return the places that a lineage names for its table and that are not looked at, unless the caller takes its word."""
    return [str(path) for path in _list_recorded_paths(stage, folders) if not any(is_inside(path, folder) for folder in folders)]


def list_store_paths(store: Path, digest: str) -> list[Path]:
    """Return the places of a store, in any layout, at which something lies that should have a digest."""
    name = digest.removeprefix(PREFIX)
    if not _DIGEST.fullmatch(digest):
        return []
    layouts = (f"sha256/{name[:2]}/{name[2:]}", name, f"sha256/{name}", f"{name[:2]}/{name[2:]}", f"{name[:2]}/{name[2:4]}/{name}")
    return [store / layout for layout in layouts if (store / layout).exists()]
