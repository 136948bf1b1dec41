"""A session of the tests goes on where one of its workers dies, and says of each failure at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import conftest
import pytest
from whole_session import FailuresAtOnce, GoingOn

IDS = [*(f"t.py::grouped[{number}]@group" for number in range(6)), *(f"t.py::alone[{number}]" for number in range(9))]


class Worker:
    """Runs what it is given as a worker of pytest-xdist does: the last test that it knows only once it knows that no other comes."""

    def __init__(self) -> None:
        self.shutting_down = False
        self.gateway = SimpleNamespace(id="gw")
        self.given: list[str] = []
        self.ran: list[str] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += [IDS[index] for index in indices]

    def shutdown(self) -> None:
        self.shutting_down = True

    def run_one(self) -> str | None:
        if len(self.given) - len(self.ran) < (1 if self.shutting_down else 2):
            return None
        self.ran.append(self.given[len(self.ran)])
        return self.ran[-1]


def take_in(scheduling: GoingOn, worker: Any) -> None:
    scheduling.add_node(worker)
    scheduling.add_node_collection(worker, IDS)


def run_all(scheduling: GoingOn, workers: list[Any]) -> None:
    """Let workers run in turn for as long as one of them can, and end them as pytest-xdist does."""
    is_running = True
    while is_running:
        if scheduling.tests_finished:
            for worker in workers:
                worker.shutdown()
        ran = [(worker, nodeid) for worker in workers if (nodeid := worker.run_one())]
        for worker, nodeid in ran:
            scheduling.mark_test_complete(worker, IDS.index(nodeid))
        is_running = bool(ran)


@pytest.mark.parametrize("n_run", range(12))
def test_what_a_worker_left_that_died_is_run_once_by_others_but_for_what_it_died_of(n_run: int) -> None:
    options: Any = SimpleNamespace(getvalue=lambda _: ["2*popen"], option=SimpleNamespace(loadscopereorder=True))
    scheduling, dying, living, replacing = GoingOn(options), *cast("list[Any]", [Worker(), Worker(), Worker()])
    for worker in (dying, living):
        take_in(scheduling, worker)
    scheduling.schedule()
    for _ in range(n_run):
        nodeid = dying.run_one()
        if nodeid is not None:
            scheduling.mark_test_complete(dying, IDS.index(nodeid))

    died_of = scheduling.remove_node(dying)
    take_in(scheduling, replacing)
    scheduling.schedule()
    run_all(scheduling, [living, replacing])

    assert died_of == (dying.given[len(dying.ran)] if len(dying.ran) < len(dying.given) else None)
    assert sorted([*dying.ran, *living.ran, *replacing.ran, *filter(None, [died_of])]) == sorted(IDS)


def test_a_failure_and_the_end_of_a_worker_are_told_as_they_come() -> None:
    told: list[str] = []
    terminal: Any = SimpleNamespace(ensure_newline=lambda: None, write_line=told.append)
    at_once = FailuresAtOnce(terminal)

    for failed in (True, False):
        report: Any = SimpleNamespace(failed=failed, nodeid="t.py::a", when="setup", longreprtext="because")
        at_once.pytest_runtest_logreport(report)
    at_once.pytest_testnodedown(SimpleNamespace(gateway=SimpleNamespace(id="gw1")), "Not properly terminated")

    assert told == ["t.py::a failed in its setup:\nbecause", "worker gw1 ended: Not properly terminated"]


def test_a_session_with_a_terminal_tells_and_its_workers_do_not(request: pytest.FixtureRequest) -> None:
    """The terminal is there only after it was configured itself."""
    registered: list[Any] = []
    for terminal in (object(), None):
        manager = SimpleNamespace(get_plugin=lambda _, terminal=terminal: terminal, register=registered.append)
        conftest.pytest_configure(cast("Any", SimpleNamespace(pluginmanager=manager)))

    assert [type(one) for one in registered] == [FailuresAtOnce]
    assert conftest.pytest_configure.pytest_impl["trylast"]  # type: ignore[attr-defined]
    manager = request.config.pluginmanager
    told = any(isinstance(plugin, FailuresAtOnce) for plugin in manager.get_plugins())
    assert told == (manager.get_plugin("terminalreporter") is not None)
