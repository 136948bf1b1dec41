"""`samebits verify RUN`: says whether what the server and the disk hold of a run is still what its lineage says."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from samebits.delivery.offline import connect_for
from samebits.digests import digest_bytes, digest_file
from samebits.errors import LineageError, TrackingError
from samebits.holdings.runs import RecordedRun, names_file, open_recorded_run, settle_reference
from samebits.lineage.manifest import MODEL_FILE, PREDICTIONS_SUFFIX
from samebits.project import expand_home, find_project_root
from samebits.proof.evidence import collect_evidence
from samebits.proof.model_content import ModelCheck
from samebits.proof.reproduction import leave_proof
from samebits.proof.verification import Check, check_level, check_record, check_sources, conclude
from samebits.text import list_in_column, tell, tell_json, warn
from samebits.trust.own_runs import is_own_run
from samebits.verdicts import Verdict, compute_level

# Loading a larger model takes many times as long as hashing its file, whose digest covers the content anyway.
_LOADED_BYTES = 4 << 20
_NOT_CHECKED = (
    "whether training again gives these outputs: `samebits reproduce RUN`",
    "whether lineage, tags and artifacts were all replaced together: nothing is signed",
    "params, metrics, tags and dataset inputs that somebody added to what the run recorded",
    "the run's name, user and description, and its tags verdict, confirms and the like: whoever may write there can change them",
    "files that Git ignores, and packages as installed: `samebits reproduce RUN` brings both back",
)
_NOT_CHECKED_OF_PREDICTIONS = (
    "whether the model gives these predictions: `samebits predict` writes them again",
    "whether record and predictions were replaced together: nothing is signed",
)


def run_verify(reference: str, as_json: bool, with_content: bool = False, is_trusted: bool = False) -> Verdict:
    """Verify a run, print the report, leave the dated verdict as tags on the run, and return the verdict.

    Parameters
    ----------
    with_content
        Load the model, however large, and digest its content: minutes for a large forest, where its file takes a second.
    is_trusted
        Ask the places that the run names for its table and its commit too.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, or it is not finished.
    """
    if (held := hold_predictions(expand_home(reference), is_trusted)) is not None:
        return _report_predictions(*held, as_json)
    with ModelCheck() as model_check:
        root = find_project_root()
        reference = settle_reference(reference)
        client, reference = connect_for(reference, root)
        with open_recorded_run(client, reference) as recorded:
            if recorded.is_backtest:
                checks, not_checked = _verify_backtest(recorded, root, with_content, is_trusted)
            else:
                checks, not_checked = verify_run(recorded, root, model_check, with_content, is_trusted)
            verdict = conclude(checks)
            _print_report(recorded, verdict, checks, not_checked, as_json)
            _leave_verdict(recorded, verdict)
            if verdict == Verdict.IDENTICAL and not recorded.is_backtest:
                _apply_rule(recorded, warn if as_json else tell)
    return verdict


def _verify_backtest(recorded: RecordedRun, root: Path, with_content: bool, is_trusted: bool) -> tuple[list[Check], list[str]]:
    """Return every check of a backtest, whose windows are each verified as by themselves, and what none of them looks at."""
    from samebits.backtesting.verification import check_backtest

    unseen: dict[str, None] = {}

    def check_window(window: RecordedRun) -> list[Check]:
        with ModelCheck() if with_content else contextlib.nullcontext() as model_check:
            checks, not_checked = verify_run(window, root, model_check, with_content, is_trusted)
        unseen.update(dict.fromkeys(not_checked))
        return checks

    return check_backtest(recorded, check_window), list(unseen)


def hold_predictions(path: Path, is_trusted: bool) -> tuple[list[Check], list[str]] | None:
    """Return the checks of a record that `samebits predict` left, and what none of them looks at; None where a path is none.

    Raises
    ------
    LineageError
        It is one, and cannot be read.
    """
    beside = path.with_name(path.name + PREDICTIONS_SUFFIX) if path.name else path
    path = beside if names_file(str(path)) and names_file(str(beside)) else path  # who names predictions means their record
    if not path.name.endswith(PREDICTIONS_SUFFIX) or not names_file(str(path)):
        return None
    from samebits.application.prediction_record import check_record, find_record

    record = find_record(path)
    if record is None:
        return None
    held, unasked = check_record(record, path.absolute(), [path.absolute().parent, find_project_root()], is_trusted)
    return [Check(**asdict(one)) for one in held], [*unasked, *_NOT_CHECKED_OF_PREDICTIONS]


def _report_predictions(checks: list[Check], not_checked: list[str], as_json: bool) -> Verdict:
    verdict = conclude(checks)
    if as_json:
        tell_json({"verdict": verdict, "checks": [asdict(check) for check in checks], "not_checked": not_checked})
        return verdict
    for check in checks:
        mark = "" if check.passed else "DIFFERS  " if check.passed is False else "UNKNOWN  "
        tell(f"{mark}{check.name}: recorded {check.recorded}, observed {check.observed}")
    tell(f"verdict     {verdict}")
    tell(*list_in_column("not checked", not_checked))
    return verdict


def _apply_rule(recorded: RecordedRun, say: Callable[..., None]) -> None:
    """The rule of a run that this user made is applied again; a stranger's record moves nothing."""
    lineage = recorded.read_lineage()
    if not is_own_run(str(lineage["run"].get("run_id")), digest_bytes(recorded.lineage_bytes)):
        return
    from samebits.registry.registration import say_rule_applied

    say_rule_applied(recorded.client, recorded.run_id, lineage, compute_level(collect_evidence(recorded, lineage).evidence), say)


def run_lineage(reference: str) -> None:
    """Print a run's lineage as its bytes stand on the server; on a terminal, without what would move its cursor.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, or it is not finished.
    """
    reference = settle_reference(reference)
    client, reference = connect_for(reference, find_project_root())
    with open_recorded_run(client, reference) as recorded:
        content = _read_any_record(recorded)
    if sys.stdout.isatty():
        tell(*content.decode("utf-8").splitlines())  # a terminal would do what a stranger's text tells it
    else:
        sys.stdout.buffer.write(content)


def _read_any_record(recorded: RecordedRun) -> bytes:
    if recorded.is_backtest:
        from samebits.backtesting.verification import open_record

        return open_record(recorded)[1]
    recorded.read_lineage()
    return recorded.lineage_bytes


def verify_run(
    recorded: RecordedRun, root: Path, model_check: ModelCheck | None, with_content: bool, is_trusted: bool = False
) -> tuple[list[Check], list[str]]:
    """Return every check of a run, and what none of them looks at.

    Parameters
    ----------
    model_check
        By which its model is loaded; None: it is not.
    """
    model_file = recorded.files.get(MODEL_FILE)
    is_small = model_file is not None and model_file.stat().st_size <= _LOADED_BYTES
    is_loaded = model_check is not None and model_file is not None and (with_content or is_small)
    if model_check is not None and model_file is not None and is_loaded and _is_as_recorded(recorded, MODEL_FILE):
        model_check.ask(model_file)
    with ThreadPoolExecutor(1) as pool:
        of_record = pool.submit(check_record, recorded)
        try:
            lineage = recorded.read_lineage()
        except LineageError:
            return of_record.result(), list(_NOT_CHECKED)
        is_own = is_own_run(str(lineage["run"].get("run_id")), digest_bytes(recorded.lineage_bytes))
        of_sources = check_sources(lineage, recorded, root, is_trusted or is_own)
        of_level, unread = check_level(lineage, recorded)
        checks = [*of_record.result(), *of_level, *of_sources]
    not_checked = [*_list_not_checked(lineage), *unread]
    if model_check is not None and is_loaded:
        is_file_whole = any(check.name == f"artifact {MODEL_FILE}" and check.passed for check in checks)
        content = model_check.answer(lineage, is_file_whole)
        if isinstance(content, Check):
            checks.append(content)
        else:
            not_checked.append(content)
    elif model_file is not None:
        size = "" if is_small else f" of over {_LOADED_BYTES >> 20} MiB"
        not_checked.append(f"the model's content beyond its file{size}: --content")
    return checks, not_checked


def _is_as_recorded(recorded: RecordedRun, name: str) -> bool:
    """What is not even the recorded file is not loaded: its digest says that it differs, and nothing else would be learned."""
    try:
        return bool(digest_file(recorded.files[name]) == recorded.read_lineage()["artifacts"][name]["digest"])
    except (LineageError, OSError, KeyError):
        return False


def _list_not_checked(lineage: dict[str, Any]) -> list[str]:
    if lineage["schema"] > 1:
        return list(_NOT_CHECKED)
    return [*_NOT_CHECKED, "facts beside the stages' digests, and the model's other files: schema 1 recorded no digest of them"]


def _print_report(recorded: RecordedRun, verdict: Verdict, checks: Sequence[Check], not_checked: list[str], as_json: bool) -> None:
    if as_json:
        report = {
            "run_id": recorded.run_id,
            "verdict": verdict,
            "checks": [asdict(check) for check in checks],
            "not_checked": not_checked,
        }
        tell_json(report)
        return
    passed = [check for check in checks if check.passed]
    tell(f"run         {recorded.run_id}")
    tell(f"checked     {len(checks)}: {len(passed)} as recorded")
    for check in checks:
        if check.name in ("data", "commit") or check.name.startswith("window ") or not check.passed:
            mark = "" if check.passed else "DIFFERS  " if check.passed is False else "UNKNOWN  "
            tell(f"{mark}{check.name}: recorded {check.recorded}, observed {check.observed}")
    tell(f"verdict     {verdict}")
    tell(*list_in_column("not checked", not_checked))


def _leave_verdict(recorded: RecordedRun, verdict: Verdict) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    try:
        leave_proof(recorded, {"verified": verdict, "verified_time": now})
    except TrackingError as error:
        warn(f"the verdict was not left on the run: {error}")
