"""Bad days: what a run made is on its server, whole and once, or waits and is so after `samebits push`.

A sample of moments and failures; benchmarks/break_runs.py tries each failure at each request.
"""

from __future__ import annotations

import fcntl
import signal
from collections.abc import Iterator

import pytest
from broken_runs import UNDELIVERED, BrokenRuns, signal_at
from faulty_proxy import Fault, Kind

pytestmark = pytest.mark.xdist_group("faults")

VERSION, CREATE, MODEL = "GET /version", "POST .*runs/create", "PUT .*model.skops"
PREDICTIONS, VALUES, LINEAGE, CLOSE = "PUT .*predictions.csv", "POST .*runs/log-batch", "PUT .*lineage.json", "POST .*runs/update"


@pytest.fixture(scope="module")
def runs(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokenRuns]:
    made = BrokenRuns(tmp_path_factory.mktemp("broken"), server, silence_seconds=3, verifies=False, detail="none")
    yield made
    made.close()


def test_a_run_on_a_good_day_is_delivered_and_leaves_nothing_behind(runs: BrokenRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "verifies", True)

    outcome = runs.train()

    assert outcome.wrong == []
    assert (outcome.ended.exit_code, outcome.waited) == (0, False)


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(Kind.REFUSE, matching=VERSION), Fault(Kind.CUT, matching=CLOSE)],
        [Fault(Kind.LOSE, matching=CREATE), Fault(Kind.LIE, matching=PREDICTIONS), Fault(Kind.HOLLOW, at=2, matching=PREDICTIONS)],
        [Fault(Kind.RESET, matching=MODEL), Fault(Kind.LOGIN, matching=LINEAGE)],
    ],
)
def test_failures_on_the_way_lose_nothing(runs: BrokenRuns, faults: list[Fault]) -> None:
    """Each strikes, and at a request of its own, so that none stands in for another."""
    outcome = runs.train(further=faults)

    assert outcome.wrong == []
    assert outcome.struck == set(faults)


@pytest.mark.parametrize(
    ("kind", "matching"),
    [
        (Kind.REFUSE, MODEL),
        (Kind.HANG, VALUES),
        (Kind.LIE, LINEAGE),
        (Kind.LOSE, CLOSE),
    ],
)
def test_what_a_server_that_fails_for_good_did_not_take_waits_for_a_push(runs: BrokenRuns, kind: Kind, matching: str) -> None:
    outcome = runs.train(Fault(kind, matching=matching, lasts=True))

    assert outcome.wrong == []
    assert (outcome.ended.exit_code, outcome.waited) == (UNDELIVERED, True)


def test_a_server_that_is_never_there_costs_no_training(runs: BrokenRuns) -> None:
    outcome = runs.train(Fault(Kind.BLACK_HOLE, lasts=True))

    assert outcome.wrong == []
    assert (outcome.ended.exit_code, outcome.waited) == (UNDELIVERED, True)


@pytest.mark.parametrize(
    ("signals", "matching"),
    [
        ((signal.SIGINT, signal.SIGINT), VERSION),
        ((signal.SIGTERM,), CREATE),
        ((signal.SIGKILL,), CREATE),
        ((signal.SIGINT, signal.SIGINT), PREDICTIONS),
        ((signal.SIGTERM,), LINEAGE),
        ((signal.SIGKILL,), VALUES),
    ],
)
def test_a_signal_on_the_way_to_the_server_loses_nothing(runs: BrokenRuns, signals: tuple[int, ...], matching: str) -> None:
    outcome = runs.train(after=signal_at(runs, matching, *signals))

    assert outcome.wrong == []


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGKILL,), (signal.SIGXCPU,)])
def test_a_run_that_is_stopped_while_it_trains_ends_as_killed(runs: BrokenRuns, signals: tuple[int, ...]) -> None:
    outcome = runs.train_and_signal(signals)

    assert outcome.wrong == []
    assert outcome.statuses == ["KILLED"]


def test_a_signal_while_the_server_hangs_ends_the_program_and_loses_nothing(runs: BrokenRuns) -> None:
    outcome = runs.train(Fault(Kind.HANG, matching=VALUES, lasts=True), signal_at(runs, VALUES, signal.SIGTERM))

    assert outcome.wrong == []
    assert (outcome.ended.exit_code, outcome.waited) == (128 + signal.SIGTERM, True)


def test_a_push_that_is_broken_off_is_taken_up_by_the_next(runs: BrokenRuns) -> None:
    lasting = Fault(Kind.RESET, matching=PREDICTIONS, lasts=True)

    outcome = runs.push(lasting)

    assert outcome.wrong == []
    assert (outcome.struck, outcome.waited) == ({lasting}, True)


@pytest.mark.parametrize(
    ("fault", "signals", "matching"),
    [(None, (signal.SIGKILL,), VALUES), (Fault(Kind.LOSE, matching=CREATE), (signal.SIGTERM,), LINEAGE)],
)
def test_a_push_that_is_ended_is_taken_up_by_the_next(
    runs: BrokenRuns, fault: Fault | None, signals: tuple[int, ...], matching: str
) -> None:
    """Also after it went on where an answer was lost."""
    outcome = runs.push(fault, after=signal_at(runs, matching, *signals))

    assert outcome.wrong == []
    assert (outcome.struck, outcome.waited) == (set(filter(None, [fault])), True)


def test_a_run_that_another_process_is_sending_is_left_to_it(runs: BrokenRuns) -> None:
    waiting = runs.leave_waiting("held")

    with (waiting / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        beside = runs.run("push", name="held")
        is_left = waiting.exists()
    alone = runs.run("push", name="held")

    assert (beside.exit_code, alone.exit_code) == (0, 0)
    assert is_left and not waiting.exists()
