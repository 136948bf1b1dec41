"""A reproduction: what making a run again came to, as it is printed, kept with the rerun, and tagged on the original run.

A level is never set here: it is computed, each time, from all the evidence that the server holds.
"""

from __future__ import annotations

import datetime
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.differences.comparison import Comparison
from samebits.digests import digest_file
from samebits.errors import SamebitsError
from samebits.holdings.archive import name_drill_entry
from samebits.holdings.artifacts import send_artifact
from samebits.holdings.runs import RecordedRun
from samebits.lineage.manifest import REPORT_FILE
from samebits.lineage.standing import NOTE_TAG, renew_standing
from samebits.proof.evidence import collect_evidence
from samebits.text import escape_markdown, list_in_column, tell, tell_json, warn
from samebits.tracking.server import explain_failures, set_tags
from samebits.verdicts import Level, Verdict, compute_level

_CONDITIONS = "path, time zone, locale, umask, hash seed, n_jobs, file order"


@dataclass(frozen=True)
class Wishes:
    """What the caller asked for beyond the plain reproduction."""

    varied: bool = False
    control: bool = False
    here: bool = False
    restore_only: bool = False
    keep: bool = False
    as_json: bool = False
    yes: bool = False
    from_raw: bool = False


@dataclass
class Report:
    """What a reproduction came to, as it is printed and kept."""

    reproduces: str
    wishes: Wishes
    verdict: Verdict = Verdict.INCONCLUSIVE
    reasons: list[str] = field(default_factory=list)
    restored: dict[str, str] = field(default_factory=dict)
    probe: list[str] | None = None
    conditions: dict[str, str] = field(default_factory=dict)
    run_id: str | None = None
    comparison: Comparison | None = None
    control: dict[str, Any] | None = None
    level: Level | None = None
    other_machine: bool | None = None
    is_interrupted: bool = False
    has_steps: bool = False

    def say(self, line: str) -> None:
        """Print a line of progress; on stderr where stdout is to hold JSON alone."""
        (warn if self.wishes.as_json else tell)(line)

    def as_document(self) -> dict[str, Any]:
        """Return the report as plain values."""
        compared = self.comparison
        return {
            "schema": 1,
            "reproduces": self.reproduces,
            "run_id": self.run_id,
            "verdict": self.verdict,
            "reasons": self.reasons,
            "parting_stage": compared.parting_stage if compared else None,
            "unequal_stages": compared.stages if compared else [],
            "unequal_artifacts": compared.artifacts if compared else {},
            "restored": self.restored,
            "probe_differences": self.probe,
            "conditions": {"rebuilt": not self.wishes.here, "varied": self.wishes.varied, **self._name_origin(), **self.conditions},
            "control": self.control,
            "other_machine": self.other_machine,
            "level": self.level,
            "not_checked": self.list_not_checked(),
        }

    def _name_origin(self) -> dict[str, str]:
        return {"from": "raw" if self.wishes.from_raw else "table"} if self.has_steps else {}

    def list_not_checked(self) -> list[str]:
        """Return what the verdict says nothing about."""
        found = [
            "files that Git ignores, unless they are the table",
            "MLflow's own description of the model (MLmodel), which holds ids and times",
        ]
        if self.wishes.restore_only:
            found.insert(0, "whether training again gives these outputs: nothing was trained")
        elif not self.wishes.varied:
            found.append(f"other conditions ({_CONDITIONS}): --varied")
        if not self.wishes.restore_only and not self.wishes.control:
            found.append("whether a changed input would have shown: --control")
        if self.has_steps and not self.wishes.from_raw:
            found.append("whether its steps make this table of the raw files again: --from raw")
        if self.wishes.here:
            found.append("the recorded environment: the present one was used (--here)")
        if not self.other_machine:
            found.append("another machine class: run this on another CPU")
        return found


def leave_report(recorded: RecordedRun, lineage: dict[str, Any], report: Report) -> None:
    """Put the report on the rerun, and the level with the dated verdict on the original run; say so where the server refuses."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    try:
        if report.wishes.restore_only:
            if report.restored and not report.wishes.here:
                _keep_drill(recorded, report)
                set_tags(recorded.client, recorded.run_id, {"restored_time": now})
        elif report.run_id:
            _attach_report(recorded, report)
        evidence = collect_evidence(recorded, lineage).evidence
        report.level = compute_level(evidence)
        tags: dict[str, str] = {"level": report.level}
        if not report.wishes.restore_only and report.run_id:
            tags |= {"verdict": report.verdict, "verdict_time": now, "reproduced_by": report.run_id}
        leave_proof(recorded, tags)
    except SamebitsError as error:
        warn(f"the verdict was not left on the server: {error}")


def leave_proof(recorded: RecordedRun, tags: dict[str, str]) -> None:
    """Set the tags that say how far a run is proved, and let its description say so.

    Raises
    ------
    TrackingError
        The server does not take them.
    """
    known = {**explain_failures("find the run", lambda: recorded.client.get_run(recorded.run_id)).data.tags, **tags}
    note = known.get(NOTE_TAG, "")
    renewed = renew_standing(note, known)
    set_tags(recorded.client, recorded.run_id, {**tags, **({NOTE_TAG: renewed} if renewed != note else {})})


def _keep_drill(recorded: RecordedRun, report: Report) -> None:
    """A drill makes no run that could hold its report: the archive does."""
    with tempfile.TemporaryDirectory(prefix="samebits-report-") as folder:
        recorded.archive.put(name_drill_entry(recorded.run_id), {REPORT_FILE: _write_report(report, Path(folder, REPORT_FILE))})


def _write_report(report: Report, path: Path) -> Path:
    kept = {name: value for name, value in report.as_document().items() if name != "level"}  # which is computed from it
    path.write_text(json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _attach_report(recorded: RecordedRun, report: Report) -> None:
    run_id = str(report.run_id)
    with tempfile.TemporaryDirectory(prefix="samebits-report-") as folder:
        path = _write_report(report, Path(folder, REPORT_FILE))
        send_artifact(recorded.client, run_id, path)
        digest = digest_file(path)
    set_tags(recorded.client, run_id, {"report_digest": digest, "verdict": report.verdict})
    describe_rerun(recorded, run_id, f"**{report.verdict}** to run")


def describe_rerun(recorded: RecordedRun, run_id: str, line: str) -> None:
    """Put a line, and a link to the original run after it, before the description of a run made from it.

    Raises
    ------
    TrackingError
        The server does not take it.
    """
    info = recorded.run.info
    link = f"[{escape_markdown(str(info.run_name))}](#/experiments/{info.experiment_id}/runs/{info.run_id})"
    former = explain_failures("find the rerun", lambda: recorded.client.get_run(run_id)).data.tags.get(NOTE_TAG, "")
    set_tags(recorded.client, run_id, {NOTE_TAG: f"{line} {link}\n\n{former}"})


def say_verdict(verdict: Verdict, report: Report) -> str:
    """Return a verdict with what it is not of: a rerun where the run's environment was not brought back."""
    return f"{verdict} in the present environment, which was not rebuilt" if report.wishes.here and report.run_id else str(verdict)


def print_report(report: Report) -> None:
    """Print the verdict, why, the level, and what was not checked."""
    if report.wishes.as_json:
        tell_json(report.as_document())
        return
    tell(f"verdict     {say_verdict(report.verdict, report)}")
    tell(*(f"            {reason}" for reason in report.reasons))
    here = " (--here brings no environment back, so it raises none)" if report.wishes.here else ""
    tell(f"level       {report.level or 'unknown'}{here}")
    tell(*list_in_column("not checked", report.list_not_checked()))
