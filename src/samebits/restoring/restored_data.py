"""The tables of a recorded run, or the raw files that its steps made them of, found again by their digests wherever they are kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from samebits.digests import canonical_json
from samebits.errors import Problem, ProvenanceError, SamebitsError
from samebits.holdings.data_search import find_recorded_data
from samebits.holdings.runs import RecordedRun
from samebits.lineage.step_stage import NO_STEPS, has_steps, list_outputs, list_raw
from samebits.restoring.restoration import Restoration, make_folder
from samebits.stores.folder import copy_whole
from samebits.stores.store import STORE_VARIABLE


def restore_data(lineage: dict[str, Any], recorded: RecordedRun, restoration: Restoration, caller: Path) -> str:
    """Find the tables of a run and note them in its restoration; return what they are and where they came from.

    Raises
    ------
    ProvenanceError
        One is in none of the places.
    """
    steps = lineage["stages"].get("steps", NO_STEPS)
    if has_steps(steps):
        restoration.steps_file = make_folder(restoration.folder / "recorded") / "steps.json"  # a config may have that name
        restoration.steps_file.write_bytes(canonical_json(steps))
    return _find_tables(lineage, recorded, restoration, caller, {})


def restore_raw(lineage: dict[str, Any], recorded: RecordedRun, restoration: Restoration, caller: Path) -> str:
    """Put the raw inputs of a run's steps to their places in the restored project, and take away what the steps are to make.

    Raises
    ------
    ProvenanceError
        One is nowhere to be found, or would come to lie outside of the restoration: all of them at once.
    """
    steps, problems = lineage["stages"]["steps"], list[Problem]()
    for number, (path, digest) in enumerate(list_raw(steps).items()):
        try:
            _restore_input(path, digest, number, lineage, recorded, restoration, caller)
        except SamebitsError as error:
            problems += error.problems
    if problems:
        raise ProvenanceError(*problems)
    for path in list_outputs(steps):
        _remove(_place_inside(path, restoration))
    said = f"{len(list_raw(steps))} raw files, of which {len(steps['order'])} steps are to make the table"
    others = _find_tables(lineage, recorded, restoration, caller, steps["made"])
    return "; ".join(filter(None, [said, others]))


def _restore_input(
    path: str, digest: str, number: int, lineage: dict[str, Any], recorded: RecordedRun, restoration: Restoration, caller: Path
) -> None:
    if Path(path).is_absolute():
        place = restoration.moved[path] = make_folder(restoration.folder / "raw" / str(number)) / Path(path).name
    else:
        place = _place_inside(path, restoration)
    stage = {"digest": digest, "path": path, **({"location": path} if Path(path).is_absolute() else {})}
    kept = lineage.get("archive", {}).get("raw", {}).get(path)
    found, _ = _find_table(kept, stage, f"raw-{number}", recorded, restoration, caller)
    if found != place:
        _remove(place)
        copy_whole(found, place, digest)


def _place_inside(path: str, restoration: Restoration) -> Path:
    """Return where a path of the project lies in its restoration; one that leads out of that, be it by a link, is refused."""
    place = restoration.project / path
    if not place.parent.resolve().is_relative_to(restoration.folder.resolve()):
        expected, found = "a place in the restored project", f"one outside of it, {place.parent.resolve() / place.name}"
        raise ProvenanceError(
            Problem(path, expected, found, "Nothing is written there: reproduce it from its table, without --from raw.")
        )
    return place


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _find_tables(lineage: dict[str, Any], recorded: RecordedRun, restoration: Restoration, caller: Path, made: dict[str, str]) -> str:
    """Find the tables that no step is still to make; those lie where the run had them, as soon as they are there."""
    stage, archive, said = lineage["stages"]["data"], lineage.get("archive", {}), []
    if "data.path" in made:
        restoration.data = restoration.project / stage["path"]
    else:
        restoration.data, found = _find_table(archive.get("data"), stage, "data", recorded, restoration, caller)
        said.append(found)
    if "test" in stage and "data.test_path" in made:
        restoration.test_data = restoration.project / stage["test"]["path"]
    elif "test" in stage:
        restoration.test_data, found = _find_table(archive.get("test_data"), stage["test"], "test_data", recorded, restoration, caller)
        said.append(f"test rows: {found}")
    return "; ".join(said)


def _find_table(
    kept: str | None, stage: dict[str, Any], kind: str, recorded: RecordedRun, restoration: Restoration, caller: Path
) -> tuple[Path, str]:
    folders = [restoration.project, caller] if restoration.project != Path() else [caller]
    found = find_recorded_data(stage, folders, recorded.archive, make_folder(restoration.folder / "archive" / kind))
    if found.path is None:
        places = [f"other bytes at {path} ({digest})" for path, digest in found.other_bytes.items()]
        places += [f"not to be had from {place} ({why})" for place, why in found.unreachable.items()]
        seen = "; ".join(places) or "no file at its recorded path"
        remedy = f"Put the file with this digest back, or into a store named by {STORE_VARIABLE}. Archive: {kept or 'not recorded'}."
        raise ProvenanceError(Problem(f"data {stage['path']}", stage["digest"], seen, remedy))
    if found.path.is_relative_to(restoration.project):
        return found.path, f"{stage['digest']} with the code, {stage['path']}"
    return found.path, f"{stage['digest']} {'at ' + str(found.path) if found.place == 'recorded path' else 'from ' + found.place}"
