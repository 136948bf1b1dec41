"""The comparison of a rerun with the run that it repeats: from two lineages and the artifacts themselves to a verdict.

A digest that the rerun only claims counts for nothing: its artifacts are digested again here. What is not equal may still be
EQUIVALENT, but only inside a tolerance that the original run's own config recorded, and only where that covers all that differs.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.config.catalog import Task
from samebits.differences.predictions import compare_predictions
from samebits.digests import digest_file
from samebits.errors import LineageError
from samebits.lineage.manifest import (
    ASSESSMENT_FILE,
    FIGURES_FOLDER,
    FILE_NAME,
    OUT_OF_FOLD_FILE,
    PAGE_FILE,
    REPORT_FILE,
    SPECIFIED_OUTPUTS,
    digest_stage,
    find_parting_stage,
    infer_task,
    list_parting_outputs,
    list_unmade,
)
from samebits.verdicts import Verdict

_RECORDS_OF_INPUTS = ("config/", "code/", "environment/", "model/")


@dataclass(frozen=True)
class Comparison:
    """What a comparison of specified outputs came to.

    Parameters
    ----------
    stages
        Output stages whose digests differ, in the order of the flow.
    artifacts
        Specified outputs that differ, are missing or are one too many, each with what is wrong with it.
    parting_stage
        The first stage, inputs included, at which the two chains of digests part; None where they do not.
    unmade
        In words, what one of the two failed to make, so that nothing tells whether it would be equal.
    """

    verdict: Verdict
    stages: list[str] = field(default_factory=list)
    artifacts: dict[str, str] = field(default_factory=dict)
    parting_stage: str | None = None
    unmade: list[str] = field(default_factory=list)


def compare_outputs(
    recorded: dict[str, Any], observed: dict[str, Any], recorded_files: dict[str, Path], observed_files: dict[str, Path]
) -> Comparison:
    """Compare two runs by all that they must have equal.

    Parameters
    ----------
    recorded, observed
        The lineages of the original run and of the other.
    recorded_files, observed_files
        Each run's artifacts as they are now, by their path on the server.
    """
    stages = list_parting_outputs(recorded, observed)
    unmade = list_unlike_unmade(recorded, observed)
    found = _find_unequal_artifacts(recorded, recorded_files, observed_files)
    artifacts = {name: what for name, what in found.items() if not (unmade and may_be_unmade(name))}
    parting_stage = find_parting_stage(recorded, observed)
    if not stages and not artifacts:
        return Comparison(Verdict.INCONCLUSIVE if unmade else Verdict.IDENTICAL, parting_stage=parting_stage, unmade=unmade)
    is_inside = _is_covered(stages, artifacts) and _is_inside_tolerance(recorded, observed, stages, recorded_files, observed_files)
    return Comparison(Verdict.EQUIVALENT if is_inside else Verdict.DIFFERENT, stages, artifacts, parting_stage)


def list_unlike_unmade(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    """Return in words what only one of two runs made, since the other failed at it: on a full memory, say."""
    if list_unmade(left["stages"]) == list_unmade(right["stages"]):
        return []
    return [f"run {one['run'].get('run_id')} has {said}" for one in (left, right) for said in list_unmade(one["stages"])]


def may_be_unmade(name: str) -> bool:
    """Tell whether an artifact is one without which a run is kept."""
    return name == ASSESSMENT_FILE or name.startswith(FIGURES_FOLDER)


def _is_covered(stages: list[str], artifacts: dict[str, str]) -> bool:
    """A tolerance is for values: what is missing, too many, or not what its own lineage says is inside none."""
    covered = (*stages, OUT_OF_FOLD_FILE.partition(".")[0])  # which is no stage, and is compared by itself
    return all(
        what == "not equal" and (name.startswith(FIGURES_FOLDER) or name.rpartition("/")[2].partition(".")[0] in covered)
        for name, what in artifacts.items()  # pictures follow from values
    )


def _find_unequal_artifacts(
    recorded: dict[str, Any], recorded_files: dict[str, Path], observed_files: dict[str, Path]
) -> dict[str, str]:
    """Both sides are digested as they are now: an original that was damaged since is equal to nothing."""
    expected = {name: record["digest"] for name, record in recorded["artifacts"].items() if is_specified_output(name)}
    present = {name: digest_file(path) for name, path in observed_files.items() if is_specified_output(name)}
    unequal = {name: "missing" for name in expected if name not in present}
    unequal |= {name: "one too many" for name in present if name not in expected}
    unequal |= {name: "not equal" for name, digest in expected.items() if name in present and present[name] != digest}
    for name, digest in expected.items():
        if name not in recorded_files or digest_file(recorded_files[name]) != digest:
            unequal[name] = "the original's own is not what it recorded"
    return dict(sorted(unequal.items()))


def is_specified_output(name: str) -> bool:
    """Tell whether an artifact must be equal in two runs with the same inputs; what nobody expects must be in neither."""
    return name in SPECIFIED_OUTPUTS or not (name.startswith(_RECORDS_OF_INPUTS) or name in (FILE_NAME, REPORT_FILE, PAGE_FILE))


def _is_inside_tolerance(
    recorded: dict[str, Any],
    observed: dict[str, Any],
    stages: list[str],
    recorded_files: dict[str, Path],
    observed_files: dict[str, Path],
) -> bool:
    wanted = recorded["stages"]["config"]["resolved"].get("tolerance") or {}
    by_metrics, by_predictions = wanted.get("metrics"), wanted.get("predictions")
    if by_metrics is None and by_predictions is None:  # pictures follow from values, and are forgiven with them alone
        return False
    if any(digest_stage(one, name) is None for one in (recorded, observed) for name in stages):  # of two schemas
        return False
    if "split" in stages or "drift_baseline" in stages or recorded["stages"]["model"]["name"] != observed["stages"]["model"]["name"]:
        return False
    by_stage = {"cross_validation": by_metrics, "metrics": by_metrics, "threshold": by_predictions, "assessment": by_metrics}
    for name in (name for name in stages if name != "report"):
        tolerance = by_stage.get(name, by_predictions)
        if tolerance is None or (name in by_stage and not _are_near(recorded["stages"][name], observed["stages"][name], tolerance)):
            return False
    is_near = _are_predictions_near(recorded, recorded_files, observed_files, by_predictions or 0.0)
    return is_near and _are_out_of_fold_near(
        infer_task(recorded["stages"]["metrics"]), recorded_files, observed_files, by_predictions or 0.0
    )


def _are_predictions_near(
    recorded: dict[str, Any], recorded_files: dict[str, Path], observed_files: dict[str, Path], tolerance: float
) -> bool:
    contents = [files["predictions.csv"].read_bytes() for files in (recorded_files, observed_files)]
    try:
        found = compare_predictions(contents[0], contents[1], infer_task(recorded["stages"]["metrics"]))
    except LineageError:
        return False
    others = (found.only_left, found.only_right, found.columns_only_left, found.columns_only_right, found.is_reordered)
    return not (any(others) or found.n_flips or found.n_recorded_changed) and found.largest_change <= tolerance


def _are_out_of_fold_near(task: Task, recorded_files: dict[str, Path], observed_files: dict[str, Path], tolerance: float) -> bool:
    """Tell whether every candidate said nearly the same of the same rows; a run that knew no such table has none."""
    paths = [files.get(OUT_OF_FOLD_FILE) for files in (recorded_files, observed_files)]
    left, right = (list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))) if path else [] for path in paths)
    if [len(row) for row in left] != [len(row) for row in right] or left[:1] != right[:1]:
        return False
    numeric = ("response_", "predicted_") if task == "regression" else ("response_",)
    tolerances = [tolerance if name.startswith(numeric) else 0.0 for name in (left[0] if left else [])]
    pairs = [triple for one, other in zip(left[1:], right[1:], strict=True) for triple in zip(one, other, tolerances, strict=True)]
    try:
        return all(one == other or (allowed > 0 and abs(float(one) - float(other)) <= allowed) for one, other, allowed in pairs)
    except ValueError:
        return False


def _are_near(left: Any, right: Any, tolerance: float) -> bool:
    """Tell whether two plain values have the same form and their numbers differ by no more than a tolerance."""
    if isinstance(left, dict) and isinstance(right, dict):
        keys = (set(left) | set(right)) - {"digest"}
        return all(key in left and key in right and _are_near(left[key], right[key], tolerance) for key in keys)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_are_near(one, other, tolerance) for one, other in zip(left, right, strict=True))
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right or abs(left - right) <= tolerance
    return bool(left == right)
