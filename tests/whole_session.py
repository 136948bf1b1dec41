"""What lets a session of the tests come to its end, and say what it found, where a worker of pytest-xdist dies or is ended for its time."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController


class FailuresAtOnce:
    """Tells of each failure as it comes: a session that is ended from outside has no summary."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._terminal.ensure_newline()
            self._terminal.write_line(f"{report.nodeid} failed in its {report.when}:\n{report.longreprtext[-4000:]}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        if error:
            self._terminal.ensure_newline()
            self._terminal.write_line(f"worker {node.gateway.id} ended: {error}")


class GoingOn(LoadGroupScheduling):
    """Gives others what a worker left that died; with pytest-xdist 3.8 the session waits for ever then (its issues 1323, 1327, 1378)."""

    def remove_node(self, node: WorkerController) -> str | None:
        left = [(scope, nodeid) for scope, unit in self.assigned_work[node].items() for nodeid, is_done in unit.items() if not is_done]
        self.assigned_work[node] = {}
        super().remove_node(node)
        for scope, nodeid in left[1:]:
            self.workqueue.setdefault(scope, {})[nodeid] = False
        for other in self.assigned_work if left else ():
            self._reschedule(other)
        return left[0][1] if left else None

    def _reschedule(self, node: WorkerController) -> None:
        super()._reschedule(node)
        while self.workqueue and not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            self._assign_work_unit(node)
