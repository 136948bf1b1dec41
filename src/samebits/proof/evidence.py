"""The evidence on the server for a run's level: the reports of its reproductions, each held to what its run left.

A report counts only if its bytes are the ones that its run's tag names, and an IDENTICAL in it only if that run is finished and its
lineage still has the original's outputs. A tag that somebody typed is no evidence.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from samebits.digests import digest_bytes
from samebits.errors import LineageError, TrackingError, describe_unreadable
from samebits.holdings.archive import name_drill_entry
from samebits.holdings.runs import RecordedRun, search_runs
from samebits.lineage.manifest import FILE_NAME, MAX_BYTES, REPORT_FILE, read_bounded_json, read_lineage
from samebits.plain_files import read_plain
from samebits.tracking.server import explain_failures
from samebits.verdicts import Evidence, Verdict

_MACHINE = ("machine", "cpu", "cpu_flags")


def is_other_machine(recorded: dict[str, Any], observed: dict[str, Any]) -> bool:
    """Tell whether two environment stages are of different machine classes: another architecture, CPU or set of CPU features."""
    return any(recorded.get(name) != observed.get(name) for name in _MACHINE)


def collect_evidence(recorded: RecordedRun, lineage: dict[str, Any]) -> list[Evidence]:
    """Return what every reproduction of a run on the server showed, and the drill if there was one.

    Raises
    ------
    TrackingError
        The server cannot be searched.
    """
    found = [Evidence(None, rebuilt=True)] if recorded.archive.holds(name_drill_entry(recorded.run_id)) else []
    for run in search_runs(recorded.client, f"tags.reproduces = '{recorded.run_id}'"):
        evidence = _read_evidence(recorded, run, lineage)
        if evidence is not None:
            found.append(evidence)
    return found


def _read_evidence(recorded: RecordedRun, run: Any, lineage: dict[str, Any]) -> Evidence | None:
    announced = run.data.tags.get("report_digest")
    if announced is None:
        return None
    with tempfile.TemporaryDirectory(prefix="samebits-evidence-") as folder:
        content = _fetch(recorded.client, run.info.run_id, REPORT_FILE, folder)
        if digest_bytes(content) != announced:
            return _read_tag(run.data.tags.get("verdict"))
        try:
            report = read_bounded_json(content, REPORT_FILE)
            if report["reproduces"] != recorded.run_id:
                return None
            verdict = Verdict(report["verdict"])
            if verdict == Verdict.INCONCLUSIVE:
                return None
            observed = read_lineage(_fetch(recorded.client, run.info.run_id, FILE_NAME, folder), f"run {run.info.run_id}")
            is_same = observed["outputs_digest"] == lineage["outputs_digest"] and run.info.status == "FINISHED"
            if verdict == Verdict.IDENTICAL and not is_same:
                return None
            conditions = report["conditions"]
            return Evidence(
                verdict,
                rebuilt=bool(conditions["rebuilt"]),
                varied=bool(conditions["varied"]),
                control_differs=report["control"]["differs"] if report.get("control") else None,
                other_machine=is_other_machine(lineage["stages"]["environment"], observed["stages"]["environment"]),
            )
        except (LineageError, KeyError, ValueError, TypeError):
            return _read_tag(run.data.tags.get("verdict"))


def _read_tag(verdict: str | None) -> Evidence | None:
    """A tag may lower a level, never raise it: whoever damages a report that says DIFFERENT gains nothing."""
    return Evidence(Verdict(verdict), rebuilt=True) if verdict in (Verdict.DIFFERENT, Verdict.EQUIVALENT) else None


def _fetch(client: Any, run_id: str, name: str, folder: str) -> bytes:
    path = explain_failures(f"give {name} of run {run_id}", lambda: client.download_artifacts(run_id, name, folder))
    try:
        return read_plain(Path(path), MAX_BYTES)
    except OSError as error:
        raise TrackingError(describe_unreadable(Path(path), error)) from None
