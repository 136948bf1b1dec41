"""Finds a recorded table by its digest: at its recorded path, in a store, in the experiment's archive, or where it was brought from.

Where a path holds other bytes, that is said. A path or an address that only the lineage names is read for a caller who trusts it, and
for no other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.digests import digest_file, is_digest
from samebits.errors import ConfigError, DataError, SamebitsError, TrackingError
from samebits.holdings.archive import Archive, name_data_entry
from samebits.project import find_project_root, find_repository
from samebits.sources.address import is_address
from samebits.sources.bringing import bring_named
from samebits.sources.delta import read_version
from samebits.stores.folder import list_store_paths
from samebits.stores.store import find_stores
from samebits.table.files import digest_table, list_table_files
from samebits.transfers.cache import find_cached

ARCHIVE = "the experiment's archive"
RECORDED_PATH = "recorded path"
_SOME_OTHER = "other bytes"


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
    unreachable
        Sources that could not be asked, or have something else by now, with why.
    """

    path: Path | None
    place: str
    other_bytes: dict[str, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)


def find_recorded_data(
    stage: dict[str, Any],
    folders: list[Path],
    archive: Archive | None,
    scratch: Path,
    is_trusted: bool = True,
    asks_source: bool = True,
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
    asks_source
        Whether the address that it was brought from is asked where nothing else has it, of a caller who takes that word.
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
    archived = find_archived_data(stage, archive, scratch) if archive is not None else FoundData(None, "nowhere")
    other_bytes |= archived.other_bytes
    if archived.path is not None:
        return FoundData(archived.path, archived.place, other_bytes)
    return _bring_from_source(stage, folders, other_bytes) if is_trusted and asks_source else FoundData(None, "nowhere", other_bytes)


def find_archived_data(stage: dict[str, Any], archive: Archive, scratch: Path) -> FoundData:
    """Return the table that an experiment's archive has, brought to a folder of the caller's."""
    digest = str(stage["digest"])
    try:
        fetched = archive.fetch(name_data_entry(digest), scratch) if is_digest(digest) else None
    except TrackingError as error:
        return FoundData(None, "nowhere", {ARCHIVE: f"not to be had: {error.problems[0].found}"})
    if fetched is None:
        return FoundData(None, "nowhere")
    path = _choose_fetched(fetched, stage)
    if digest_table(path, digest) == digest:
        return FoundData(path, ARCHIVE)
    return FoundData(None, "nowhere", {ARCHIVE: digest_table(path) or "nothing"})


def _bring_from_source(stage: dict[str, Any], folders: list[Path], other_bytes: dict[str, str]) -> FoundData:
    """Ask where the table came from: its address, a Delta table, or the DVC of a project's folder.

    What comes has the digest, or nothing comes.
    """
    named = str(stage.get("location") or stage["path"])
    unreachable: dict[str, str] = {}
    for place in [Path(named)] if is_address(named) else [folder / str(stage["path"]) for folder in folders]:
        try:
            brought = bring_named(named, place, str(stage["digest"]))
        except ConfigError:  # a database, whose rows are others by now
            continue
        except SamebitsError as error:
            unreachable[named] = error.problems[0].found
            continue
        if brought is not None:
            where = brought.location if is_address(named) or read_version(place) is not None else f"DVC, as {brought.location}"
            return FoundData(brought.path, where, other_bytes, unreachable)
    return FoundData(None, "nowhere", other_bytes, unreachable)


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
    for store in find_stores(find_project_root()):
        with contextlib.suppress(DataError):  # one that does not answer, or is damaged: another place may have it
            yield from ((path, f"store {store.where}") for path in filter(None, [store.take(str(stage["digest"]))]))
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
