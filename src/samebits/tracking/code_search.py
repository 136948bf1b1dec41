"""Finds the places that may hold a recorded commit: repositories of this machine, its remote, the experiment's archive.

A lineage is somebody's word: what Git would read as an option is no address, and whether a place has the commit is for `checkout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from samebits.project import find_repository
from samebits.provenance.checkout import Source
from samebits.tracking.archive import Archive, name_code_entry
from samebits.tracking.data_search import ARCHIVE


def list_code_sources(stage: dict[str, Any], folders: Sequence[Path]) -> list[Source]:
    """Return the places that may hold a recorded commit, nearest first; the archive is not among them.

    Parameters
    ----------
    stage
        The lineage's code stage.
    folders
        Of the caller: their repositories are asked too.
    """
    sources = []
    if stage.get("repository"):
        sources.append(Source(f"repository {stage['repository']}", str(stage["repository"])))
    sources += [Source(f"repository {root}", str(root)) for root in map(find_repository, folders) if (root / ".git").exists()]
    if stage.get("remote"):
        sources.append(Source(f"remote {stage['remote']}", str(stage["remote"])))
    return list({source.address: source for source in sources if not source.address.startswith("-")}.values())


def list_all_code_sources(stage: dict[str, Any], folders: Sequence[Path], archive: Archive | None, scratch: Path) -> list[Source]:
    """Return the same places, and after them what the archive has of the commit, brought into a folder.

    Raises
    ------
    TrackingError
        The archive does not answer.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    entry = archive.fetch(name_code_entry(stage["commit"]), scratch) if archive is not None else None
    bundles = sorted(entry.rglob("*.bundle")) if entry is not None else []
    return [*list_code_sources(stage, folders), *(Source(ARCHIVE, str(path)) for path in bundles)]
