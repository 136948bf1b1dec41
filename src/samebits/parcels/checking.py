"""Is a parcel what its run left? It is held to its own lineage before any of it is sent.

Disks fill, folders are cleaned, backups come back in part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samebits.digests import PREFIX, digest_bytes, digest_file, digest_folder
from samebits.errors import LineageError, Problem, TrackingError
from samebits.history.entries import is_commit_id
from samebits.holdings.archive import name_code_entry, name_data_entry
from samebits.lineage.manifest import FILE_NAME, MAX_BYTES, read_lineage
from samebits.lineage.step_stage import NO_STEPS, list_raw
from samebits.parcels.packing import ARCHIVE, ARTIFACTS, BUNDLE, MODEL
from samebits.parcels.parcel import Parcel
from samebits.plain_files import read_plain


def check_parcel(parcel: Parcel, values: dict[str, Any]) -> None:
    """Make sure that a parcel holds the files that its lineage names, each with its digest, and nothing else.

    Raises
    ------
    TrackingError
        It does not; what differs is named.
    """
    try:
        content = read_plain(parcel.folder / FILE_NAME, MAX_BYTES)
        lineage = read_lineage(content, str(parcel.folder / FILE_NAME))
        is_tagged = values["tags"].get("lineage_digest") == digest_bytes(content)
        is_its_own = is_tagged and lineage["schema"] > 1  # older runs left no parcel
        wrong = [] if is_its_own else [FILE_NAME]
        wrong += _list_wrong(parcel, {name: entry["digest"] for name, entry in lineage["artifacts"].items()})
        wrong += _list_missing_entries(parcel.folder / ARCHIVE, lineage)
        wrong += _list_strange_entries(parcel.folder / ARCHIVE, content)
        wrong += _list_wrong_tables(parcel.folder / ARCHIVE / "data")
    except (OSError, LineageError) as error:
        wrong = [str(error)]
    if wrong:
        remedy = "Put it back from a backup, or train again; then delete this folder."
        raise TrackingError(Problem(str(parcel.folder), "a parcel as its run left it", f"other: {', '.join(wrong[:5])}", remedy))


def _list_wrong(parcel: Parcel, expected: dict[str, str]) -> list[str]:
    """Return the artifacts that are not there, are links, have other bytes, or that no run recorded."""
    folders = {"": parcel.folder / ARTIFACTS, f"{MODEL}/": parcel.folder / MODEL}
    paths = {
        f"{prefix}{path.relative_to(folder).as_posix()}": path
        for prefix, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    observed = {name: _digest(path) for name, path in paths.items()}
    return sorted(name for name in expected.keys() | observed.keys() if expected.get(name) != observed.get(name))


def _digest(path: Path) -> str:
    return "a link" if path.is_symlink() else digest_file(path)


def _list_wrong_tables(folder: Path) -> list[str]:
    """An entry's name is the digest of the one file in it, or of the folder that it is."""
    wrong = []
    for entry in sorted(folder.glob("*")):
        files = [path for path in entry.rglob("*") if path.is_symlink() or not path.is_dir()]
        digests = {digest_folder(entry), *(digest_file(path) for path in files[:1] if len(files) == 1)}
        if any(path.is_symlink() for path in files) or f"{PREFIX}{entry.name}" not in digests:
            wrong.append(f"the table {entry.name[:12]}")
    return wrong


def _list_strange_entries(archive: Path, lineage: bytes) -> list[str]:
    """Return what no run leaves there: a link, which would send what it leads to, and what the lineage does not name.

    A run keeps of a commit one file, and tables, each under the commit's name or the table's digest.
    """
    strange = []
    for path in [archive, *archive.rglob("*")]:
        kind, name, *below = (*path.relative_to(archive).parts, "", "")
        is_known = kind in ("", "data", "code") and name.encode() in lineage
        is_bundle = kind != "code" or path.is_dir() or (is_commit_id(name) and below[0] == BUNDLE)
        if path.is_symlink() or not (is_known and is_bundle) or (path.is_file() and not name):
            strange.append(f"the archive's {path.relative_to(archive).as_posix()}")
    return strange


def _list_missing_entries(folder: Path, lineage: dict[str, Any]) -> list[str]:
    """What the lineage says is kept in the archive must be there to be sent."""
    kept, stages = lineage.get("archive") or {}, lineage["stages"]
    expected = {
        "data": name_data_entry(str(stages["data"]["digest"])),
        "test_data": name_data_entry(str(stages["data"].get("test", {}).get("digest"))),
        "code": f"{name_code_entry(str(stages['code']['commit']))}/{BUNDLE}",
    }
    wanted = [(kind, name) for kind, name in expected.items() if kept.get(kind) == "kept"]
    raw = list_raw(stages.get("steps", NO_STEPS))
    wanted += [(path, name_data_entry(raw[path])) for path, said in kept.get("raw", {}).items() if said == "kept" and path in raw]
    return [f"the archive's {kind}" for kind, name in wanted if not _holds(folder / name)]


def _holds(path: Path) -> bool:
    return path.is_dir() or (path.is_file() and path.stat().st_size > 0)
