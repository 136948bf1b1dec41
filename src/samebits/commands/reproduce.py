"""`samebits reproduce RUN`: makes a recorded run again in a fresh folder, from its id alone, and says whether it is the same.

The order is: is the record sound, can everything be brought back, can this machine give the same bits; only then is anything
trained. Whatever stops it is INCONCLUSIVE, said by name, and leaves nothing half done.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from samebits.delivery.offline import connect_for
from samebits.differences.comparison import Comparison, compare_outputs
from samebits.differences.lineages import Difference, diff_lineages, name_cause
from samebits.digests import digest_bytes
from samebits.errors import Interrupted, LineageError, Problem, ProvenanceError, SamebitsError
from samebits.holdings.runs import RecordedRun, open_recorded_run, settle_reference
from samebits.lineage.step_stage import has_steps
from samebits.project import find_project_root
from samebits.proof.control import write_control_config
from samebits.proof.evidence import is_other_machine
from samebits.proof.reproduction import Report, Wishes, describe_rerun, leave_report, print_report
from samebits.proof.verification import Check, check_record, conclude
from samebits.restoring.interpreter import list_site_folders
from samebits.restoring.rerun import Conditions, Rerun, make_rerun, vary_conditions
from samebits.restoring.restoration import Restoration
from samebits.restoring.restored_config import copy_data_in_other_order, write_config
from samebits.restoring.restored_run import list_addresses, restore_run
from samebits.trust.own_runs import is_own_run, note_own_run
from samebits.trust.question import require_trust
from samebits.verdicts import Verdict

_FOLDER_NAME = "samebits-reproduce-"
_OTHER_FOLDER_NAME = "samebits ändere Ordner-"


def run_reproduce(reference: str, wishes: Wishes) -> Verdict:
    """Make a run again, print the report, leave it on the server, and return the verdict; of a backtest, each of its windows.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, or it is not finished.
    """
    root = find_project_root()
    reference = settle_reference(reference)
    client, reference = connect_for(reference, root)
    with open_recorded_run(client, reference) as recorded:
        if recorded.is_backtest:
            from samebits.commands.reproduce_windows import reproduce_windows

            return reproduce_windows(recorded, wishes, lambda run_id: reproduce_run(client, run_id, wishes, root))
        report = _reproduce_recorded(recorded, wishes, root)
    print_report(report)
    return report.verdict


def reproduce_run(client: Any, run_id: str, wishes: Wishes, root: Path) -> Report:
    """Make a run again, leave the report on the server, and return it.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, or it is not finished.
    """
    with open_recorded_run(client, run_id) as recorded:
        return _reproduce_recorded(recorded, wishes, root)


def _reproduce_recorded(recorded: RecordedRun, wishes: Wishes, root: Path) -> Report:
    lineage = recorded.read_lineage()
    report = Report(recorded.run_id, wishes, has_steps=has_steps(lineage["stages"].get("steps")))
    report.say(f"run         {recorded.run_id}  {_describe_original(lineage)}")
    with ThreadPoolExecutor(1) as sweeper:
        try:
            _refuse_without_steps(report)
            with _make_folder(report, sweeper) as folder:
                _reproduce(recorded, lineage, report, folder, root)
        except SamebitsError as error:
            report.verdict, report.reasons = Verdict.INCONCLUSIVE, str(error).splitlines()
        except (Interrupted, KeyboardInterrupt) as interruption:
            report.verdict, report.reasons = Verdict.INCONCLUSIVE, [str(interruption) or "stopped from the keyboard"]
            report.is_interrupted = True
        leave_report(recorded, lineage, report)
    if report.restored and report.level is not None:  # else nobody trusted the record
        from samebits.registry.registration import say_rule_applied

        say_rule_applied(recorded.client, recorded.run_id, lineage, report.level, report.say)
    return report


def _refuse_without_steps(report: Report) -> None:
    if report.wishes.from_raw and not report.has_steps:
        problem = Problem(f"run {report.reproduces}", "steps, which --from raw runs again", "none on record", "Leave it out.")
        raise ProvenanceError(problem)


def _describe_original(lineage: dict[str, Any]) -> str:
    run = lineage["run"]
    return f"recorded {run.get('started')}; it took {float(run.get('seconds', 0)):.0f} s"


@contextlib.contextmanager
def _make_folder(report: Report, sweeper: Executor) -> Iterator[Path]:
    """A fresh folder, under another path where conditions are varied; removed afterwards unless the caller keeps it."""
    folder = Path(tempfile.mkdtemp(prefix=_OTHER_FOLDER_NAME if report.wishes.varied else _FOLDER_NAME))
    try:
        yield folder
    finally:
        if report.wishes.keep and report.restored:
            report.say(f"kept        {folder}")
        else:
            sweeper.submit(shutil.rmtree, folder, ignore_errors=True)  # ten thousand files, while the report is left


def _reproduce(recorded: RecordedRun, lineage: dict[str, Any], report: Report, folder: Path, root: Path) -> None:
    checks = check_record(recorded)
    if conclude(checks) != Verdict.IDENTICAL:
        report.reasons = [_describe_check(check) for check in checks if not check.passed]
        report.reasons.append("the record itself is not what it was, so there is nothing to compare with: `samebits verify` says more")
        return
    require_trust(str(lineage["run"].get("run_id")), recorded.lineage_bytes, lineage, list_addresses(recorded), report.wishes.yes)
    restoration = restore_run(lineage, recorded, folder, root, report.wishes.here, report.say, report.wishes.from_raw)
    report.restored = restoration.said
    _compare_probe(lineage, restoration, report)
    if report.wishes.restore_only:
        report.reasons = ["everything was brought back; nothing was trained (--restore-only)"]
        return
    rerun = _rerun(recorded, lineage, restoration, report)
    if rerun.failure:
        report.reasons = [f"the rerun {rerun.run_id} failed: {rerun.failure}"]
        return
    report.comparison = _compare(recorded, lineage, rerun.run_id, report)
    if report.comparison is not None:
        report.verdict = report.comparison.verdict
    if report.wishes.control and report.comparison is not None:
        _make_control(recorded, lineage, restoration, report)


def _describe_check(check: Check) -> str:
    return f"{check.name}: recorded {check.recorded}, observed {check.observed}"


def _compare_probe(lineage: dict[str, Any], restoration: Restoration, report: Report) -> None:
    """Say before anything is spent whether this machine computes as the original's did."""
    profile = lineage["stages"]["numeric_profile"]
    recorded, observed = profile.get("probe"), restoration.probe
    if not recorded or observed is None:
        reason = "the probe of the kernels did not run here" if recorded else "no probe of the kernels is on record"
        report.say(f"machine     {reason}")
        return
    report.probe = sorted(name for name in set(recorded) | set(observed) if recorded.get(name) != observed.get(name))
    if report.probe:
        kernels = ", ".join(sorted({str(blas.get("architecture")) for blas in profile["blas"]}))
        report.say(
            f"machine     {len(report.probe)} of {len(recorded)} kernels compute otherwise than the original's (BLAS {kernels}): "
            f"{', '.join(report.probe)}. DIFFERENT is to be expected."
        )
    else:
        report.say(f"machine     all {len(recorded)} kernels probed compute as the original's did")


def _rerun(recorded: RecordedRun, lineage: dict[str, Any], restoration: Restoration, report: Report) -> Rerun:
    conditions = Conditions()
    if report.wishes.varied:
        if restoration.data.exists():  # what steps are still to make has the order that they write it in
            copy_data_in_other_order(restoration)
        folders = list_site_folders(restoration.python)
        conditions = vary_conditions(int(lineage["stages"]["config"]["resolved"]["n_jobs"]), folders)
        report.conditions = {**conditions.said, "path": str(restoration.folder), "file order": "reversed"}
    changes = {} if conditions.n_jobs is None else {"n_jobs": conditions.n_jobs}
    config = write_config(lineage, restoration, Path(lineage["stages"]["config"]["file"]).stem, **changes)
    rerun = make_rerun(recorded, restoration, config, "reproduction", {"reproduces": recorded.run_id}, conditions)
    report.run_id = rerun.run_id
    report.say(f"rerun       {rerun.run_id}  it took {rerun.seconds:.0f} s")
    return rerun


def _compare(recorded: RecordedRun, lineage: dict[str, Any], run_id: str, report: Report) -> Comparison | None:
    """Compare the artifacts as they now are; None where the rerun left no lineage and so made nothing that counts."""
    with open_recorded_run(recorded.client, run_id) as observed_run:
        try:
            observed = observed_run.read_lineage()
        except LineageError as error:
            report.reasons = [f"the rerun made nothing that counts: {error}"]
            return None
        if is_own_run(str(lineage["run"].get("run_id")), digest_bytes(recorded.lineage_bytes)):
            note_own_run(run_id, digest_bytes(observed_run.lineage_bytes))  # made of one's own run, in a folder that is gone
        comparison = compare_outputs(lineage, observed, recorded.files, observed_run.files)
        unsound = [check for check in check_record(observed_run) if not check.passed]
        report.other_machine = is_other_machine(lineage["stages"], observed["stages"])
    if unsound and comparison.verdict != Verdict.DIFFERENT:
        report.reasons = [_describe_check(check) for check in unsound]
        return Comparison(Verdict.DIFFERENT, comparison.stages, {check.name: "not as its own run recorded" for check in unsound})
    if comparison.verdict != Verdict.IDENTICAL:
        report.reasons = _list_reasons(comparison, diff_lineages(lineage, observed), f"samebits diff {recorded.run_id} {run_id}")
    return comparison


def _list_reasons(comparison: Comparison, differences: list[Difference], command: str) -> list[str]:
    if comparison.unmade:
        return [f"all else is equal to the bit, but {said}" for said in comparison.unmade]
    parted = [f"the chains of digests part at: {comparison.parting_stage}"] if comparison.parting_stage else []
    unequal = [f"not equal: {', '.join(comparison.stages)}"] if comparison.stages else []
    artifacts = [f"{name}: {what}" for name, what in comparison.artifacts.items()]
    return [f"likely cause: {name_cause(differences)}", *parted, *unequal, *artifacts, f"what differs inside: {command}"]


def _make_control(recorded: RecordedRun, lineage: dict[str, Any], restoration: Restoration, report: Report) -> None:
    config, said = write_control_config(lineage, restoration, recorded.files)
    rerun = make_rerun(recorded, restoration, config, "control", {"control_of": recorded.run_id}, Conditions())
    comparison = None if rerun.failure else _compare_control(recorded, lineage, rerun.run_id)
    differs = comparison is not None and comparison.verdict == Verdict.DIFFERENT
    report.control = {"run_id": rerun.run_id, "changed": said, "differs": differs}
    outcome = "DIFFERENT, as it must" if differs else rerun.failure or "not DIFFERENT: the proof is void"
    report.say(f"control     {rerun.run_id}  {said}: {outcome}")
    describe_rerun(recorded, rerun.run_id, f"**Control** ({said}): {outcome}. Made to be unlike run")
    if not differs:
        report.verdict = Verdict.INCONCLUSIVE
        report.reasons.append(f"the control with {said} did not come out DIFFERENT, so nothing is proved: {outcome}")


def _compare_control(recorded: RecordedRun, lineage: dict[str, Any], run_id: str) -> Comparison:
    with open_recorded_run(recorded.client, run_id) as control:
        return compare_outputs(lineage, control.read_lineage(), recorded.files, control.files)
