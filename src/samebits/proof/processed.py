"""The files of a run's steps, held to its record: what the steps made, where it lies today, and the raw files that are kept.

A file that a step of the project wrote later is no damage: the project went on. One whose bytes no step wrote was edited.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samebits.holdings.data_search import is_inside
from samebits.lineage.step_stage import NO_STEPS, list_outputs
from samebits.steps.record import Records
from samebits.table.files import digest_table


def list_processed(lineage: dict[str, Any], project_root: Path, is_trusted: bool) -> list[tuple[str, str, str, bool]]:
    """Return of each output that lies at its place: its name, the recorded digest, what was observed, and whether that is sound.

    Parameters
    ----------
    is_trusted
        Whether the digest of other bytes is told.
    """
    found = []
    for path, (step, name, digest) in list_outputs(lineage["stages"].get("steps", NO_STEPS)).items():
        place = project_root / path
        observed = digest_table(place, digest) if is_inside(place, project_root) else None
        if observed is None:
            continue
        writer = find_writer(project_root, path, observed) if observed != digest else None
        said = observed if is_trusted or observed == digest else "other bytes"
        if writer is not None:
            said = f"{said}, which step {writer} wrote of something else"
        elif observed != digest:
            said = f"{said}, which no step wrote: it was edited"
        found.append((f"step {step}: {name} at {path}", digest, said, observed == digest or writer is not None))
    return found


def find_writer(project_root: Path, path: str, digest: str) -> str | None:
    """Return the step of a project that wrote a file with a digest to a path; None where none did, as far as is on record there."""
    return Records(project_root).list_writers(path).get(digest)
