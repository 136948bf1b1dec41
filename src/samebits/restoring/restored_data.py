"""The tables of a recorded run, found again by their digests in whichever of the places that are asked has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samebits.errors import Problem, ProvenanceError
from samebits.holdings.data_search import find_recorded_data
from samebits.holdings.runs import RecordedRun
from samebits.restoring.restoration import Restoration, make_folder
from samebits.stores.store import STORE_VARIABLE


def restore_data(lineage: dict[str, Any], recorded: RecordedRun, restoration: Restoration, caller: Path) -> str:
    """Find the tables of a run and note them in its restoration; return what they are and where they came from.

    Raises
    ------
    ProvenanceError
        One is in none of the places.
    """
    stage = lineage["stages"]["data"]
    found, said = _find_table(lineage, stage, "data", recorded, restoration, caller)
    restoration.data = found
    if "test" in stage:
        restoration.test_data, said_of_test = _find_table(lineage, stage["test"], "test_data", recorded, restoration, caller)
        said += f"; test rows: {said_of_test}"
    return said


def _find_table(
    lineage: dict[str, Any], stage: dict[str, Any], kind: str, recorded: RecordedRun, restoration: Restoration, caller: Path
) -> tuple[Path, str]:
    folders = [restoration.project, caller] if restoration.project != Path() else [caller]
    found = find_recorded_data(stage, folders, recorded.archive, make_folder(restoration.folder / "archive" / kind))
    if found.path is None:
        places = [f"other bytes at {path} ({digest})" for path, digest in found.other_bytes.items()]
        kept = lineage.get("archive", {}).get(kind, "not recorded")
        seen = "; ".join(places) or "no file at its recorded path"
        remedy = f"Put the file with this digest back, or into a store named by {STORE_VARIABLE}. Archive: {kept}."
        raise ProvenanceError(Problem(f"data {stage['path']}", stage["digest"], seen, remedy))
    if found.path.is_relative_to(restoration.project):
        return found.path, f"{stage['digest']} with the code, {stage['path']}"
    return found.path, f"{stage['digest']} {'at ' + str(found.path) if found.place == 'recorded path' else 'from ' + found.place}"
