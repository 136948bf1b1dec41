"""Finds the places that may hold a recorded commit: repositories of this machine, its remote, the experiment's archive.

A lineage is somebody's word: places that it names are asked only for a caller who trusts it, what Git would read as an option is no
address, and whether a place has the commit is for `history.fetching`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from samebits.history.fetching import Source, list_remotes
from samebits.holdings.archive import Archive, name_code_entry
from samebits.holdings.data_search import ARCHIVE
from samebits.project import find_repository
from samebits.text import hide_credentials


def list_code_sources(stage: dict[str, Any], folders: Sequence[Path], is_trusted: bool = True) -> list[Source]:
    """Return the places that may hold a recorded commit, nearest first; the archive is not among them.

    Parameters
    ----------
    stage
        The lineage's code stage.
    folders
        Of the caller: their repositories are asked too.
    is_trusted
        Whether the caller takes the lineage's word for where to look. Otherwise only what is the caller's own is asked: the
        repositories of the folders, and the recorded remote where it is one of theirs.
    """
    own = [root for root in map(find_repository, folders) if (root / ".git").exists()]
    sources = [Source(f"repository {root}", str(root)) for root in own]
    if is_trusted and stage.get("repository"):
        sources.insert(0, Source(f"repository {stage['repository']}", str(stage["repository"])))
    if stage.get("remote"):
        address = str(stage["remote"]) if is_trusted else _find_own_address(str(stage["remote"]), own)
        sources += [Source(f"remote {stage['remote']}", address)] if address else []
    return list({source.address: source for source in sources if not source.address.startswith("-")}.values())


def _find_own_address(remote: str, repositories: Sequence[Path]) -> str | None:
    """Return the address by which one of the caller's repositories knows a remote; None where none knows it."""
    known = {hide_credentials(url): url for root in repositories for url in list_remotes(root)}
    return known.get(remote)


def list_unasked(stage: dict[str, Any], folders: Sequence[Path]) -> list[str]:
    """Return the places that a lineage names and that are not asked, unless the caller takes its word."""
    asked = {source.name for source in list_code_sources(stage, folders, is_trusted=False)}
    named = [f"{kind} {stage[kind]}" for kind in ("repository", "remote") if stage.get(kind)]
    return [name for name in named if name not in asked]


def list_all_code_sources(
    stage: dict[str, Any], folders: Sequence[Path], archive: Archive | None, scratch: Path, is_trusted: bool = True
) -> list[Source]:
    """Return the same places, and after them what the archive has of the commit, brought into a folder.

    Raises
    ------
    TrackingError
        The archive does not answer.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    entry = archive.fetch(name_code_entry(stage["commit"]), scratch) if archive is not None else None
    bundles = sorted(entry.rglob("*.bundle")) if entry is not None else []
    return [*list_code_sources(stage, folders, is_trusted), *(Source(ARCHIVE, str(path)) for path in bundles)]
