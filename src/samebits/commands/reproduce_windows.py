"""`samebits reproduce RUN` of a backtest: each window made again as by itself, and then the summary from what the reruns came to."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from samebits.backtesting.summary import summarise, write_summary
from samebits.backtesting.verification import check_backtest, open_record
from samebits.digests import digest_bytes
from samebits.errors import SamebitsError
from samebits.holdings.runs import RecordedRun, open_recorded_run
from samebits.lineage.backtest_record import SUMMARY_FILE
from samebits.proof.reproduction import Report, Wishes, leave_proof, print_report, say_verdict
from samebits.proof.verification import check_record
from samebits.text import list_in_column, tell, tell_json, warn
from samebits.verdicts import Verdict


def reproduce_windows(recorded: RecordedRun, wishes: Wishes, reproduce: Callable[[str], Report]) -> Verdict:
    """Make each window of a backtest again, print what came of it, leave the verdict on the backtest's run, and return it.

    Parameters
    ----------
    reproduce
        Makes a window's run again.

    Raises
    ------
    LineageError
        The record of the backtest cannot be read.
    """
    record, _ = open_record(recorded)
    say = warn if wishes.as_json else tell
    unsound = [check for check in check_backtest(recorded, check_record) if not check.passed]
    reports: list[Report] = []
    for window in [] if unsound else record["windows"]:
        say(f"window      {window['cutoff']}  {len(reports) + 1} of {len(record['windows'])}")
        reports.append(reproduce(str(window["run_id"])))
        if not wishes.as_json:
            print_report(reports[-1])
        if reports[-1].is_interrupted:
            break
    reasons = [f"{check.name}: recorded {check.recorded}, observed {check.observed}" for check in unsound]
    verdict, said = _conclude(record, reports, recorded.client)
    reasons += said
    _leave(recorded, verdict, reports, len(record["windows"]))
    _tell(recorded.run_id, verdict, reasons, reports, wishes)
    return verdict


def _conclude(record: dict[str, Any], reports: list[Report], client: Any) -> tuple[Verdict, list[str]]:
    """Return the verdict on the whole, the first window that is not IDENTICAL decides, and why."""
    for window, report in zip(record["windows"], reports, strict=False):
        if report.verdict != Verdict.IDENTICAL:
            return report.verdict, [
                f"window {window['cutoff']} is {report.verdict}: samebits reproduce {window['run_id']}",
                *report.reasons,
            ]
    if len(reports) < len(record["windows"]):
        return Verdict.INCONCLUSIVE, ["not every window was made again"]
    expected = record["artifacts"].get(SUMMARY_FILE, {}).get("digest")
    try:
        lineages = [_read_lineage(client, one) for one in reports]
    except SamebitsError as error:
        return Verdict.INCONCLUSIVE, str(error).splitlines()
    observed = digest_bytes(write_summary(summarise(record["config"]["resolved"], lineages)))
    if observed != expected:
        return Verdict.DIFFERENT, [f"{SUMMARY_FILE}: recorded {expected}, made again {observed}"]
    return Verdict.IDENTICAL, []


def _read_lineage(client: Any, report: Report) -> dict[str, Any]:
    with open_recorded_run(client, str(report.run_id)) as rerun:
        return rerun.read_lineage()


def _leave(recorded: RecordedRun, verdict: Verdict, reports: list[Report], n_windows: int) -> None:
    """A backtest is proved as far as the least of its windows."""
    levels = [report.level for report in reports if report.level is not None]
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    tags = {"verdict": str(verdict), "verdict_time": now} if reports and reports[0].run_id else {}
    tags |= {"level": str(min(levels))} if len(levels) == n_windows else {}
    try:
        leave_proof(recorded, tags)
    except SamebitsError as error:
        warn(f"the verdict was not left on the server: {error}")


def _tell(run_id: str, verdict: Verdict, reasons: list[str], reports: list[Report], wishes: Wishes) -> None:
    if wishes.as_json:
        windows = [report.as_document() for report in reports]
        not_checked = list(dict.fromkeys(line for report in reports for line in report.list_not_checked()))
        level = min((report.level for report in reports if report.level is not None), default=None)
        document = {"schema": 1, "reproduces": run_id, "verdict": verdict, "reasons": reasons, "level": level}
        differences = [
            {"path": f"run {one.reproduces}", "what": str(one.verdict)} for one in reports if one.verdict != Verdict.IDENTICAL
        ]
        tell_json({**document, "differences": differences, "windows": windows, "not_checked": not_checked})
        return
    tell(f"backtest    {run_id}  {len(reports)} windows made again")
    tell(*list_in_column("verdict", [say_verdict(verdict, reports[-1]) if reports else str(verdict), *reasons]))
