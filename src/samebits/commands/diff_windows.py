"""`samebits diff` of two backtests: which windows both have, and the first of these whose runs part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from samebits.differences.contents import Side
from samebits.errors import Problem, TrackingError
from samebits.holdings.runs import RecordedRun
from samebits.text import list_in_column
from samebits.verdicts import Verdict


@dataclass(frozen=True)
class BacktestSide:
    """One of two backtests that are compared.

    Parameters
    ----------
    windows
        Of its record, by their cut-offs.
    """

    name: str
    windows: dict[str, dict[str, Any]]
    outputs_digest: str
    status: str


@dataclass(frozen=True)
class ComparedBacktests:
    """What a comparison of two backtests came to.

    Parameters
    ----------
    parting
        The runs of the first window that parts, left and right; None where no window of both does.
    """

    left: BacktestSide
    right: BacktestSide
    verdict: Verdict
    equal: list[str]
    parted: list[str]
    parting: tuple[str, str] | None

    @property
    def alone(self) -> dict[str, list[str]]:
        """The cut-offs that one side alone has."""
        sides = {"left": (self.left, self.right), "right": (self.right, self.left)}
        return {name: [cutoff for cutoff in own.windows if cutoff not in other.windows] for name, (own, other) in sides.items()}

    def as_document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "left": self.left.name,
            "right": self.right.name,
            "verdict": self.verdict,
            "equal_windows": self.equal,
            "unequal_windows": self.parted,
            "windows_of_one_side": self.alone,
            "differences": [{"path": f"window {cutoff}", "what": "not equal"} for cutoff in self.parted],
            "not_checked": ["whether either record is still what it was: `samebits verify RUN`"],
        }

    def list_lines(self) -> list[str]:
        """Return what a person is told."""
        shared = len(self.equal) + len(self.parted)
        lines = [f"backtests   {self.left.name} and {self.right.name}"]
        lines += list_in_column("verdict", [f"{self.verdict}: {len(self.equal)} of {shared} windows of both equal to the bit"])
        for name, cutoffs in self.alone.items():
            lines += list_in_column(f"only {name}", [", ".join(cutoffs)]) if cutoffs else []
        return lines + (list_in_column("parts at", [f"window {self.parted[0]}; of its two runs:"]) if self.parted else [])


def open_backtest(recorded: RecordedRun) -> BacktestSide:
    """Return a backtest as one side of a comparison.

    Raises
    ------
    LineageError
        Its record cannot be read.
    """
    from samebits.backtesting.verification import open_record

    record, _ = open_record(recorded)
    windows = {str(window["cutoff"]): window for window in record["windows"]}
    return BacktestSide(f"run {recorded.run_id}", windows, record["outputs_digest"], str(recorded.run.info.status))


def check_kinds(sides: Sequence[Side | BacktestSide]) -> list[BacktestSide]:
    """Return the sides, both of which are backtests.

    Raises
    ------
    TrackingError
        One is a run of its own.
    """
    backtests = [side for side in sides if isinstance(side, BacktestSide)]
    if len(backtests) < len(sides):
        found = f"one of each: {backtests[0].name} is a backtest"
        raise TrackingError(Problem("diff", "two backtests, or two runs of their own", found, "Name the run of one of its windows."))
    return backtests


def compare_backtests(left: BacktestSide, right: BacktestSide) -> ComparedBacktests:
    """Compare two backtests by what their records say of the windows; `samebits verify` says whether a record holds."""
    shared = [cutoff for cutoff in left.windows if cutoff in right.windows]
    equal = [cutoff for cutoff in shared if left.windows[cutoff]["outputs_digest"] == right.windows[cutoff]["outputs_digest"]]
    parted = [cutoff for cutoff in shared if cutoff not in equal]
    parting = (str(left.windows[parted[0]]["run_id"]), str(right.windows[parted[0]]["run_id"])) if parted else None
    is_finished = left.status == right.status == "FINISHED"
    is_same = left.outputs_digest == right.outputs_digest and not parted
    verdict = Verdict.INCONCLUSIVE if not is_finished else Verdict.IDENTICAL if is_same else Verdict.DIFFERENT
    return ComparedBacktests(left, right, verdict, equal, parted, parting)
