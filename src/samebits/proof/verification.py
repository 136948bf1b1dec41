"""Verification: what the server and the disk hold today, held to what the lineage recorded. Nothing is trained, nothing unpickled.

Each check has what was recorded, what was observed, and whether they agree; None where that could not be decided. What no check
looks at is said too.
"""

from __future__ import annotations

import math
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebits.digests import digest_bytes, digest_file
from samebits.errors import LineageError, TrackingError
from samebits.history.fetching import holds_commit, is_whole_bundle
from samebits.holdings.archive import name_code_entry
from samebits.holdings.code_search import list_code_sources, list_unasked
from samebits.holdings.data_search import ARCHIVE, find_archived_data, find_recorded_data, is_inside, list_unread
from samebits.holdings.runs import RecordedRun
from samebits.lineage.manifest import FILE_NAME, MAX_BYTES, PAGE_FILE, REPORT_FILE, find_contradictions
from samebits.lineage.report_page import digest_page
from samebits.lineage.step_stage import NO_STEPS, list_raw
from samebits.lineage.tracked_values import list_datasets, list_fold_scores, list_metrics, list_params, list_tags
from samebits.plain_files import read_plain
from samebits.proof.candidates import list_differing, read_steps
from samebits.proof.evidence import collect_evidence
from samebits.proof.processed import find_writer, list_processed
from samebits.table.files import digest_table
from samebits.text import clean_text
from samebits.verdicts import Level, Verdict, compute_level

_NOTE_FILE = "model/registered_model_meta"
_NOTE = re.compile(rb"model_name: [^\n]*\nmodel_version: [^\n]*\n")
_MOST_NOTE_BYTES = 2048


@dataclass(frozen=True)
class Check:
    """One thing that was held to the record.

    Parameters
    ----------
    passed
        None where it could not be decided.
    """

    name: str
    recorded: Any
    observed: Any
    passed: bool | None


def conclude(checks: Sequence[Check]) -> Verdict:
    """Return the verdict that checks come to: one that failed decides, then one that could not be decided."""
    if not checks or any(check.passed is False for check in checks):
        return Verdict.DIFFERENT if checks else Verdict.INCONCLUSIVE
    return Verdict.IDENTICAL if all(check.passed for check in checks) else Verdict.INCONCLUSIVE


def check_record(recorded: RecordedRun) -> list[Check]:
    """Hold what the server has of a run to its lineage, and the lineage to itself.

    Raises
    ------
    LineageError
        The run has no lineage at all: it is not finished.
    """
    checks = list(_check_lineage_bytes(recorded))
    try:
        lineage = recorded.read_lineage()
    except LineageError as error:
        if not any(check.passed is False for check in checks):
            raise
        return [*checks, Check(f"{FILE_NAME}: form", "a lineage", error.problems[0].found, False)]
    checks += _check_consistency(lineage)
    checks += [*_check_artifacts(lineage, recorded), *_check_page(lineage, recorded)]
    checks += _check_tracked_values(lineage, recorded)
    return checks


def _check_lineage_bytes(recorded: RecordedRun) -> Iterator[Check]:
    noted = recorded.tags.get("lineage_digest")
    if noted and recorded.lineage_bytes:
        observed = digest_bytes(recorded.lineage_bytes)
        yield Check(f"{FILE_NAME}: digest", noted, observed, noted == observed)
    if recorded.given_path is not None:
        stored = digest_file(recorded.files[FILE_NAME]) if FILE_NAME in recorded.files else "missing"
        given = digest_bytes(recorded.lineage_bytes)
        yield Check(f"{FILE_NAME}: on the server as in {recorded.given_path}", given, stored, given == stored)


def _check_consistency(lineage: dict[str, Any]) -> list[Check]:
    wrong = find_contradictions(lineage)
    if not wrong:
        return [Check(f"{FILE_NAME}: follows from itself", "no contradiction", "no contradiction", True)]
    return [Check(f"{FILE_NAME}: {name}", before, now, False) for name, before, now in wrong]


def _check_artifacts(lineage: dict[str, Any], recorded: RecordedRun) -> list[Check]:
    """The lineage of a run before schema 2 lists only the file of the model among the model's files."""
    expected = {name: str(record["digest"]) for name, record in lineage["artifacts"].items()}
    if recorded.tags.get("report_digest"):
        expected[REPORT_FILE] = recorded.tags["report_digest"]
    observed = digest_files({name: path for name, path in recorded.files.items() if name != FILE_NAME})
    known_extra = {name for name in observed if name.startswith("model/")} if lineage["schema"] == 1 else _find_note(recorded)
    checks = []
    for name in sorted(set(expected) | (set(observed) - known_extra)):
        before, now = expected.get(name, "no such artifact"), observed.get(name, "missing")
        checks.append(Check(f"artifact {name}", before, now, before == now))
    if FILE_NAME not in recorded.files:
        checks.append(Check(f"artifact {FILE_NAME}", "a lineage", "missing", False))
    return checks


def _find_note(recorded: RecordedRun) -> set[str]:
    """MLflow leaves a note beside a model that was loaded by its name where it lies: the name and the version, which nothing reads."""
    path = recorded.files.get(_NOTE_FILE)
    try:
        is_note = path is not None and _NOTE.fullmatch(read_plain(path, _MOST_NOTE_BYTES)) is not None
    except OSError:
        is_note = False
    return {_NOTE_FILE} if is_note else set()


def _check_page(lineage: dict[str, Any], recorded: RecordedRun) -> Iterator[Check]:
    """The page is a file of one run, and an output but for what it says of that run alone: both are on record."""
    expected, path = lineage["stages"].get("report", {}).get("page"), recorded.files.get(PAGE_FILE)
    if expected is not None and path is not None:
        try:
            observed = digest_page(read_plain(path, MAX_BYTES))
        except OSError as error:
            observed = f"unreadable: {error.strerror}"
        yield Check(f"{PAGE_FILE}: but for what it says of this run alone", expected, observed, expected == observed)


def digest_files(files: dict[str, Path]) -> dict[str, str]:
    """Return the digest of each file, read on as many threads as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(files, pool.map(_digest_or_say, files.values()), strict=True))


def _digest_or_say(path: Path) -> str:
    try:
        return digest_file(path)
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _check_tracked_values(lineage: dict[str, Any], recorded: RecordedRun) -> list[Check]:
    """One check for each kind of value, or one for each value that is not as it was."""
    data = recorded.run.data
    kinds: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("param", list_params(lineage), dict(data.params)),
        ("metric", list_metrics(lineage), dict(data.metrics)),
        ("tag", {**list_tags(lineage, recorded.lineage_bytes)}, recorded.tags),
    ]
    checks = []
    for kind, expected, observed in kinds:
        wrong = [name for name, value in expected.items() if not is_same(value, observed.get(name))]
        checks += [Check(f"{kind} {name}", expected[name], observed.get(name, "missing"), False) for name in wrong]
        if not wrong:
            checks.append(Check(f"{kind}s on the server", f"{len(expected)} as in the lineage", "the same", True))
    checks += _check_fold_scores(lineage, recorded)
    checks += [*_check_datasets(lineage, recorded), *_check_places(lineage, recorded), *_check_candidates(lineage, recorded)]
    status = recorded.run.info.status
    checks.append(Check("status", "FINISHED", status, status == "FINISHED"))
    return checks


def _check_datasets(lineage: dict[str, Any], recorded: RecordedRun) -> Iterator[Check]:
    """A run logs its table, and its test rows, as inputs of MLflow's, which show no more than a digest's beginning."""
    inputs = recorded.run.inputs.dataset_inputs if recorded.run.inputs else []
    observed = [str(found.dataset.digest) for found in inputs]
    for context, expected in list_datasets(lineage).items():
        name = "dataset input" if context == "training" else f"dataset input of {context} rows"
        yield Check(name, expected, ", ".join(observed) or "missing", expected in observed)


def _check_candidates(lineage: dict[str, Any], recorded: RecordedRun) -> list[Check]:
    n_candidates, wrong = list_differing(lineage, recorded, is_same)
    if n_candidates and not wrong:
        return [Check("candidates on the server", f"{n_candidates} as in the lineage", "the same", True)]
    return [Check(name, before, now, False) for name, before, now in wrong]


def _check_places(lineage: dict[str, Any], recorded: RecordedRun) -> Iterator[Check]:
    """Tags that say where the code is from: not all runs have them, and what they say is on record."""
    code = lineage["stages"]["code"]
    for name, recorded_value in (("mlflow.source.git.repoURL", code.get("remote")), ("mlflow.source.git.branch", code.get("branch"))):
        observed = recorded.tags.get(name)
        if observed is not None and observed not in (recorded_value, clean_text(str(recorded_value))):
            yield Check(f"tag {name}", recorded_value, observed, False)


def check_level(lineage: dict[str, Any], recorded: RecordedRun) -> tuple[list[Check], list[str]]:
    """Hold the level that stands on a run to what the evidence on the server comes to: a tag that somebody typed is none.

    Returns
    -------
    tuple
        The check, and in words the evidence that could not be looked at: a level that only this could show is undecided.

    Raises
    ------
    TrackingError
        The server cannot be searched.
    """
    claimed = recorded.tags.get("level")
    if claimed in (None, Level.L0):  # which every run on record has
        return [], []
    found = collect_evidence(recorded, lineage)
    shown = compute_level(found.evidence)
    is_level = claimed in [level.value for level in Level]
    passed = (claimed <= shown.value or (False if found.is_whole else None)) if is_level else False
    return [Check("tag level", f"at most {shown.value}, by the evidence on the server", claimed, passed)], found.unread


def _check_fold_scores(lineage: dict[str, Any], recorded: RecordedRun) -> list[Check]:
    checks = []
    for name, scores in list_fold_scores(lineage).items():
        observed = read_steps(recorded.client, recorded.run_id, name)
        is_equal = len(observed) == len(scores) and all(map(is_same, scores, observed))
        checks.append(Check(f"metric {name}", scores, observed, is_equal))
    return checks


def is_same(recorded: Any, observed: Any) -> bool:
    """Tell whether a value is as it was recorded; MLflow keeps the largest float in place of infinity."""
    if isinstance(recorded, float) and isinstance(observed, float) and not math.isfinite(recorded):
        return math.isnan(observed) if math.isnan(recorded) else observed in (recorded, math.copysign(sys.float_info.max, recorded))
    return bool(recorded == observed)


def check_sources(lineage: dict[str, Any], recorded: RecordedRun, project_root: Path, is_trusted: bool = False) -> list[Check]:
    """Hold the table and the commit, where they lie today, to the lineage.

    Parameters
    ----------
    is_trusted
        Whether the places that the lineage names are asked too; otherwise only what is the caller's own, and the run's archive.
    """
    stage, archived = lineage["stages"]["data"], lineage.get("archive", {})
    tables = [*_check_table("data", stage, archived.get("data"), recorded, project_root, is_trusted)]
    if "test" in stage:
        tables += _check_table("test data", stage["test"], archived.get("test_data"), recorded, project_root, is_trusted)
    for path, digest in list_raw(lineage["stages"].get("steps", NO_STEPS)).items():
        raw = {"digest": digest, "path": path, **({"location": path} if Path(path).is_absolute() else {})}
        tables += _check_table(f"raw {path}", raw, archived.get("raw", {}).get(path), recorded, project_root, is_trusted)
    steps = [Check(*found) for found in list_processed(lineage, project_root, is_trusted)]
    return [*tables, *steps, *_check_commit(lineage, recorded, project_root, is_trusted)]


def _check_table(
    name: str, stage: dict[str, Any], kept: str | None, recorded: RecordedRun, project_root: Path, is_trusted: bool
) -> list[Check]:
    with tempfile.TemporaryDirectory(prefix="samebits-data-") as scratch:
        found = find_recorded_data(stage, [project_root], None, Path(scratch), is_trusted, asks_source=False)
        archived = find_archived_data(stage, recorded.archive, Path(scratch))
        if found.path is None and archived.path is None and is_trusted:
            found = find_recorded_data(stage, [project_root], None, Path(scratch))
    others = {path: digest for path, digest in found.other_bytes.items() if not _is_of_step(Path(path), project_root)}
    checks = [Check(f"{name} at {path}", stage["digest"], digest, False) for path, digest in others.items()]
    wrong_copy = archived.other_bytes
    checks += [Check(f"{name} in {place}", stage["digest"], digest, False) for place, digest in wrong_copy.items()]
    if archived.path is None and not wrong_copy and kept == "kept":
        checks.append(Check(f"{name} in {ARCHIVE}", stage["digest"], "missing", False))
    places = [str(found.path)] * (found.path is not None) + [archived.place] * (archived.path is not None)
    unread = [] if is_trusted or found.path is not None else list_unread(stage, [project_root])
    unreachable = "".join(f"; not to be had from {place}: {why}" for place, why in found.unreachable.items())
    said = _say_unasked(f"at {', '.join(places)}" if places else f"found nowhere{unreachable}", unread)
    checks.append(Check(name, stage["digest"], said, bool(places) or None))
    return checks


def _is_of_step(path: Path, project_root: Path) -> bool:
    """What a step of this project wrote later to a table's place is no damage."""
    is_own = path.is_absolute() and is_inside(path, project_root)
    digest = digest_table(path) if is_own else None
    return digest is not None and find_writer(project_root, path.relative_to(project_root).as_posix(), digest) is not None


def _say_unasked(observed: str, places: list[str]) -> str:
    return f"{observed}; not asked, since only the run names it: {', '.join(places)} (--recorded-places does)" if places else observed


def _check_commit(lineage: dict[str, Any], recorded: RecordedRun, project_root: Path, is_trusted: bool) -> list[Check]:
    stage = lineage["stages"]["code"]
    if not stage["commit"]:
        return [Check("commit", "none", "no repository was recorded", None)]
    sources = list_code_sources(stage, [project_root], is_trusted)
    held = {source.name: holds_commit(source, stage["commit"]) for source in sources}
    held[ARCHIVE] = _holds_bundle(recorded, stage["commit"])
    observed = "; ".join(f"{'in' if is_held else 'not in'} {name}" for name, is_held in held.items())
    said = _say_unasked(observed, [] if is_trusted else list_unasked(stage, [project_root]))
    checks = [Check("commit", stage["commit"], said, any(held.values()) or None)]
    if lineage.get("archive", {}).get("code") == "kept" and not held[ARCHIVE]:
        checks.insert(0, Check(f"commit in {ARCHIVE}", stage["commit"], "missing or damaged", False))
    return checks


def _holds_bundle(recorded: RecordedRun, commit: str) -> bool:
    name = name_code_entry(commit)
    with tempfile.TemporaryDirectory(prefix="samebits-bundle-") as scratch:
        try:
            is_whole = recorded.archive.is_whole(name, Path(scratch))
        except TrackingError:
            return False
        return is_whole and all(is_whole_bundle(path, commit) for path in Path(scratch).rglob("*.bundle"))
