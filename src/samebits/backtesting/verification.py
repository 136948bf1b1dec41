"""A recorded backtest held to its record: the run above, each window's own, and whether the summary follows from the windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from samebits.backtesting.summary import list_metrics, list_steps, summarise, write_summary
from samebits.config.decisive import digest_config
from samebits.config.documents import take_section
from samebits.config.variants import place_window
from samebits.digests import digest_bytes
from samebits.errors import LineageError, SamebitsError, describe_unreadable
from samebits.holdings.runs import RecordedRun, open_recorded_run, search_runs
from samebits.keys.division import BOUNDS, Backtest
from samebits.lineage.backtest_record import (
    BACKTEST_FILE,
    SUMMARY_FILE,
    digest_inputs,
    digest_outputs,
    list_params,
    list_tags,
    read_record,
)
from samebits.lineage.manifest import MAX_BYTES, write_lineage
from samebits.lineage.tracked_values import list_tags as list_window_tags
from samebits.plain_files import read_plain
from samebits.proof.candidates import read_steps
from samebits.proof.verification import Check, check_record, conclude, digest_files, is_same
from samebits.text import warn
from samebits.tracking.server import explain_failures
from samebits.verdicts import Level, Verdict

_FEW = 5  # backtests that are asked for at once: mostly the first one verifies
CheckRun = Callable[[RecordedRun], Sequence[Check]]


def open_record(recorded: RecordedRun) -> tuple[dict[str, Any], bytes]:
    """Return the record of a backtest, and its bytes as they stand on the server.

    Raises
    ------
    LineageError
        It cannot be read, or is no such record.
    """
    path = recorded.files[BACKTEST_FILE]
    try:
        content = read_plain(path, MAX_BYTES)
    except OSError as error:
        raise LineageError(describe_unreadable(path, error)) from None
    return read_record(content, f"run {recorded.run_id}: {BACKTEST_FILE}"), content


def find_finished_backtest(client: Any, request_digest: str) -> tuple[str, dict[str, Any], list[dict[str, Any]]] | None:
    """Return the id, the record and the windows' lineages of a finished backtest of a request that verifies; None where none does.

    Raises
    ------
    TrackingError
        The server cannot be searched.
    """
    condition = f"tags.request_digest = '{request_digest}' AND attributes.status = 'FINISHED' AND tags.backtest != ''"
    for run in search_runs(client, condition, page_size=_FEW):
        run_id = str(run.info.run_id)
        why = "does not verify, and"
        try:
            with open_recorded_run(client, run_id) as recorded:
                wrong = [check.name for check in check_backtest(recorded, check_record) if not check.passed]
                record, _ = open_record(recorded)
            if not wrong:
                why, wrong = "", _find_nondeterminism(client, [run_id, *(str(window["run_id"]) for window in record["windows"])])
            if not wrong:
                return run_id, record, [_read_lineage(client, str(window["run_id"])) for window in record["windows"]]
        except SamebitsError as error:
            wrong = [str(error)]
        warn(" ".join(f"backtest {run_id} has the same inputs but {why} is not handed back: {', '.join(wrong[:3])}".split()))
    return None


def _find_nondeterminism(client: Any, run_ids: Sequence[str]) -> list[str]:
    """Return what the ledger says against runs whose inputs are known to have come out otherwise."""
    found = [(run_id, explain_failures(f"find run {run_id}", partial(client.get_run, run_id)).data.tags) for run_id in run_ids]
    return [f"run {run_id}: {tags['nondeterminism']}" for run_id, tags in found if "nondeterminism" in tags]


def _read_lineage(client: Any, run_id: str) -> dict[str, Any]:
    with open_recorded_run(client, run_id) as run:
        return run.read_lineage()


def check_backtest(recorded: RecordedRun, check_run: CheckRun) -> list[Check]:
    """Return every check of a backtest, one for each of its windows among them.

    Parameters
    ----------
    check_run
        Returns the checks of a window's run.

    Raises
    ------
    LineageError
        The record cannot be read.
    """
    record, content = open_record(recorded)
    checks = [*_check_record(record, content, recorded), *_check_artifacts(record, recorded)]
    lineages: list[dict[str, Any]] = []
    levels: list[str] = []
    for window in record["windows"]:
        check, lineage, level = _check_window(window, recorded.client, check_run)
        checks.append(check)
        lineages += [lineage] if lineage is not None else []
        levels.append(level)
    if len(lineages) == len(record["windows"]):
        checks += [*_check_division(record, lineages), *_check_summary(record, lineages, recorded)]
    return [*checks, *_check_level(recorded, levels)]


def _check_record(record: dict[str, Any], content: bytes, recorded: RecordedRun) -> Iterator[Check]:
    derived = {
        "config.digest": (record["config"]["digest"], digest_config(record["config"]["resolved"])),
        "inputs_digest": (record["inputs_digest"], digest_inputs(record["config"], record["windows"])),
        "outputs_digest": (record["outputs_digest"], digest_outputs(record["windows"], record["artifacts"])),
    }
    for name, (before, now) in derived.items():
        yield Check(f"{BACKTEST_FILE}: {name}", before, now, before == now)
    kinds = (("param", list_params(record), recorded.run.data.params), ("tag", list_tags(record, content), recorded.tags))
    for kind, expected, observed in kinds:
        wrong = [name for name, value in expected.items() if observed.get(name) != value]
        for name in wrong:
            yield Check(f"{kind} {name}", expected[name], observed.get(name, "missing"), False)
        if not wrong:
            yield Check(f"{kind}s on the server", f"{len(expected)} as in the record", "the same", True)
    status = recorded.run.info.status
    yield Check("status", "FINISHED", status, status == "FINISHED")


def _check_artifacts(record: dict[str, Any], recorded: RecordedRun) -> Iterator[Check]:
    expected = {name: str(entry["digest"]) for name, entry in record["artifacts"].items()}
    observed = digest_files({name: path for name, path in recorded.files.items() if name != BACKTEST_FILE})
    for name in sorted(expected | observed):
        before, now = expected.get(name, "no such artifact"), observed.get(name, "missing")
        yield Check(f"artifact {name}", before, now, before == now)


def _check_window(window: dict[str, Any], client: Any, check_run: CheckRun) -> tuple[Check, dict[str, Any] | None, str]:
    """Return the check of a window, its lineage where it has one, and the level that it claims."""
    name, expected = f"window {window['cutoff']}: run {window['run_id']}", str(window["lineage_digest"])
    try:
        with open_recorded_run(client, str(window["run_id"])) as run:
            lineage, checks = run.read_lineage(), check_run(run)
            level = run.tags.get("level", Level.L0.value)
    except SamebitsError as error:
        return Check(name, expected, str(error), False), None, Level.L0.value
    observed = digest_bytes(write_lineage(lineage))
    digests = {key: lineage.get(key) for key in ("inputs_digest", "outputs_digest")}
    if observed != expected or any(window[key] != digest for key, digest in digests.items()):
        return Check(name, expected, observed, False), lineage, level
    verdict = conclude(checks)
    wrong = [f"{one.name}: recorded {one.recorded}, observed {one.observed}" for one in checks if not one.passed]
    said = f"{len(checks)} checks: {verdict}" + (f" ({'; '.join(wrong[:3])})" if wrong else "")
    passed = True if verdict == Verdict.IDENTICAL else None if verdict == Verdict.INCONCLUSIVE else False
    return Check(name, "a run that verifies", said, passed), lineage, level


def _check_division(record: dict[str, Any], lineages: list[dict[str, Any]]) -> Iterator[Check]:
    """The windows are those that the config asks for, each once, and each is trained by that config divided at its times.

    When the last one ends follows from the table where the config does not say it: whoever has the table can see to that.
    """
    resolved, windows = record["config"]["resolved"], record["windows"]
    cutoffs = resolved["backtest"].get("cutoffs")
    wanted = len(cutoffs) if isinstance(cutoffs, list) else resolved["backtest"].get("windows")
    n_found = len({window["cutoff"] for window in windows})
    is_each_once = wanted == n_found == len(windows)
    yield Check("windows", f"{wanted}, each once", f"{len(windows)}, of {n_found} cut-offs", is_each_once)
    for window, lineage in zip(windows, lineages, strict=True):
        stage, name, bounds = lineage["stages"]["config"], f"window {window['cutoff']}", _take_bounds(lineage)
        expected = digest_config(place_window(resolved, bounds))
        yield Check(f"config of {name}", expected, stage["digest"], expected == stage["digest"])
        cutoff = bounds.get("train_until")
        yield Check(f"cut-off of {name}", window["cutoff"], cutoff, window["cutoff"] == cutoff)
    yield from _check_times(resolved, windows, lineages) if is_each_once else ()
    tags = list_window_tags(lineages[0], b"")
    for name, value in record["shared"].items():
        yield Check(f"{BACKTEST_FILE}: {name}", tags.get(name, "not of a window"), value, tags.get(name) == value)


def _check_times(resolved: dict[str, Any], windows: list[dict[str, Any]], lineages: list[dict[str, Any]]) -> Iterator[Check]:
    """The windows are trained and tested between the times that follow from horizon, gap, training, step and cut-offs."""
    from samebits.backtesting.cutoffs import compare_windows, derive_windows  # which imports NumPy

    bounds = list(map(_take_bounds, lineages))
    cutoffs, column = [one["cutoff"] for one in windows], str(resolved["split"]["column"])
    try:
        derived = derive_windows(Backtest.model_validate(resolved["backtest"]), column, cutoffs)
        are_same = compare_windows(derived, bounds)
    except (SamebitsError, ValueError, TypeError, KeyError) as error:
        yield Check("times of the windows", "as the config has them", " ".join(str(error).split())[:200], False)
        return
    for window, times, found, is_same_window in zip(windows, derived, bounds, are_same, strict=True):
        yield Check(f"times of window {window['cutoff']}", times, found, is_same_window)


def _take_bounds(lineage: dict[str, Any]) -> dict[str, Any]:
    split = take_section(lineage["stages"]["config"]["resolved"], "split")
    return {key: split[key] for key in BOUNDS if split.get(key) is not None}


def _check_summary(record: dict[str, Any], lineages: list[dict[str, Any]], recorded: RecordedRun) -> Iterator[Check]:
    """What is told of the windows is made of their lineages again."""
    summary = summarise(record["config"]["resolved"], lineages)
    before, now = record["artifacts"].get(SUMMARY_FILE, {}).get("digest", "missing"), digest_bytes(write_summary(summary))
    yield Check(f"{SUMMARY_FILE}: follows from the windows", before, now, before == now)
    shown = recorded.run.data.metrics
    expected = list_metrics(summary)
    wrong = [name for name, value in expected.items() if not is_same(value, shown.get(name))]
    for name in wrong:
        yield Check(f"metric {name}", expected[name], shown.get(name, "missing"), False)
    steps: dict[str, list[float]] = {}
    for name, value, _ in list_steps(summary):
        steps.setdefault(name, []).append(value)
    for name, values in steps.items():
        observed = read_steps(recorded.client, recorded.run_id, name)
        if len(observed) != len(values) or not all(map(is_same, values, observed)):
            wrong.append(name)
            yield Check(f"metric {name}", values, observed, False)
    if not wrong:
        yield Check("metrics on the server", f"{len(expected) + len(steps)} as they follow from the windows", "the same", True)


def _check_level(recorded: RecordedRun, levels: Sequence[str]) -> Iterator[Check]:
    """A backtest is proved as far as the least of its windows, whose own claims are checked with them."""
    claimed, least = recorded.tags.get("level"), min(levels)
    if claimed is not None and claimed != Level.L0:
        yield Check("tag level", f"at most {least}, as the least of its windows", claimed, claimed <= least)
