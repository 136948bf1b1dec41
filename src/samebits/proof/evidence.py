"""The evidence on the server for a run's level: the reports of its reproductions, each held to what its run left.

A report counts only if its bytes are the ones that its run's tag names, and an IDENTICAL in it only if that run is finished and its
lineage still has the original's outputs. A tag that somebody typed is no evidence.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from itertools import islice
from typing import Any

from samebits.digests import digest_bytes
from samebits.errors import LineageError, Problem, TrackingError
from samebits.holdings.archive import name_drill_entry
from samebits.holdings.artifacts import read_artifact
from samebits.holdings.runs import RecordedRun, search_runs
from samebits.lineage.manifest import FILE_NAME, MAX_BYTES, REPORT_FILE, read_bounded_json, read_lineage
from samebits.verdicts import Evidence, Verdict

MOST_READ = 50  # reproductions of one run whose reports are fetched, the latest first
_MOST_SEARCHED = 2000
_MACHINE = ("machine", "cpu", "cpu_flags")


def is_other_machine(recorded: dict[str, Any], observed: dict[str, Any]) -> bool:
    """Tell whether the stages of two runs are of different machine classes: another architecture, CPU, set of CPU features, or GPU."""
    left, right = recorded["environment"], observed["environment"]
    return any(left.get(name) != right.get(name) for name in _MACHINE) or _find_gpu(recorded) != _find_gpu(observed)


def _find_gpu(stages: dict[str, Any]) -> Any:
    torch = stages.get("numeric_profile", {}).get("torch")
    return torch.get("gpu") if isinstance(torch, dict) else None


@dataclass(frozen=True)
class Found:
    """What was found of a run's evidence.

    Parameters
    ----------
    evidence
        Of each reproduction that has a report, and of the drill.
    unread
        In words, each reproduction that is announced and counts for nothing, since its report cannot be had.
    is_whole
        Whether nothing is unread but what is not there at all.
    """

    evidence: list[Evidence]
    unread: list[str]
    is_whole: bool


def collect_evidence(recorded: RecordedRun, lineage: dict[str, Any]) -> Found:
    """Return what every reproduction of a run on the server showed, and the drill if there was one.

    Whoever may write to the server may announce any number of reproductions: one that cannot be read is no evidence and stops nothing.

    Raises
    ------
    TrackingError
        The server cannot be searched.
    """
    found = [Evidence(None, rebuilt=True)] if recorded.archive.holds(name_drill_entry(recorded.run_id)) else []
    unread: list[str] = []
    runs = search_runs(recorded.client, f"tags.reproduces = '{recorded.run_id}'")
    announced = [run for run in islice(runs, _MOST_SEARCHED) if run.data.tags.get("report_digest") is not None]
    is_whole = len(announced) <= MOST_READ
    if not is_whole:
        unread.append(f"{len(announced) - MOST_READ} or more of its reproductions, of which the latest {MOST_READ} are read")
    for run in announced[:MOST_READ]:
        try:
            evidence = _read_evidence(recorded, run, lineage)
            found += [] if evidence is None else [evidence]
        except _NoReport as error:
            unread.append(error.problems[0].where)
        except TrackingError as error:
            is_whole = False
            unread.append(f"the report of run {run.info.run_id}: {error}")
    return Found(found, unread, is_whole)


class _NoReport(TrackingError):
    """A run announces a report and has none."""


def _read_evidence(recorded: RecordedRun, run: Any, lineage: dict[str, Any]) -> Evidence | None:
    announced = run.data.tags.get("report_digest")
    if announced is None:
        return None
    content = _fetch(recorded.client, run, REPORT_FILE)
    if digest_bytes(content) != announced:
        return _read_tag(run)
    try:
        report = read_bounded_json(content, REPORT_FILE)
        if report["reproduces"] != recorded.run_id:
            return None
        verdict = Verdict(report["verdict"])
        if verdict == Verdict.INCONCLUSIVE:
            return None
        observed = read_lineage(_fetch(recorded.client, run, FILE_NAME), f"run {run.info.run_id}")
        is_same = observed["outputs_digest"] == lineage["outputs_digest"] and run.info.status == "FINISHED"
        if verdict == Verdict.IDENTICAL and not is_same:
            return None
        conditions = report["conditions"]
        return Evidence(
            verdict,
            rebuilt=bool(conditions["rebuilt"]),
            varied=bool(conditions["varied"]),
            control_differs=report["control"]["differs"] if report.get("control") else None,
            other_machine=is_other_machine(lineage["stages"], observed["stages"]),
            by=_name_witness(run),
        )
    except (LineageError, KeyError, ValueError, TypeError, AttributeError):
        return _read_tag(run)


def _name_witness(run: Any) -> str:
    """Whoever may write to the server may say that a run was made at any time, or at none."""
    try:
        day = datetime.datetime.fromtimestamp(run.info.start_time / 1000, datetime.UTC).date().isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        day = "an unknown day"
    return f"run {str(run.info.run_id)[:8]} of {day}"


def _read_tag(run: Any) -> Evidence | None:
    """A tag may lower a level, never raise it: whoever damages a report that says DIFFERENT gains nothing."""
    verdict = run.data.tags.get("verdict")
    is_lower = verdict in (Verdict.DIFFERENT, Verdict.EQUIVALENT)
    return Evidence(Verdict(verdict), rebuilt=True, by=_name_witness(run)) if is_lower else None


def _fetch(client: Any, run: Any, name: str) -> bytes:
    content = read_artifact(client, run, name, MAX_BYTES)
    if content is None:
        where = f"the report that run {run.info.run_id} announces: it has no {name}"
        raise _NoReport(Problem(where, "one", "none", "It is no evidence."))
    return content
