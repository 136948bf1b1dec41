"""What `train` says of a backtest at its end, and of each window while it goes on, to a person or to a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from samebits.backtesting.page import say_mean, say_reservations
from samebits.backtesting.summary import Summary
from samebits.backtesting.telling import TrainedWindow
from samebits.commands.train_summary import name_run_page
from samebits.errors import Undelivered
from samebits.project import is_checkout
from samebits.text import tell, tell_json, warn


@dataclass(frozen=True)
class EndedBacktest:
    """A backtest whose windows are all made.

    Parameters
    ----------
    experiment_id
        None where no server has it.
    waits
        Why something of it is not on the server; None where all is.
    """

    run_id: str
    summary: Summary
    trained: Sequence[TrainedWindow]
    experiment_id: str | None
    waits: Undelivered | None = None
    is_reused: bool = False

    @property
    def page(self) -> str | None:
        """Where it is looked at."""
        return name_run_page(self.experiment_id, self.run_id) if self.experiment_id is not None and self.waits is None else None


def say_window(trained: TrainedWindow, n_windows: int) -> str:
    """Return the line of a window that is made."""
    how = "made before" if trained.is_taken else "waits" if trained.waits is not None else "made"
    window, assessment = trained.window, trained.lineage["stages"]["assessment"]
    score = f"{assessment['metric']} {float(assessment['value']):.6f}"
    return f"window  {window.number} of {n_windows}  {window.cutoff}: {score}, {how} as run {trained.run_id}"


def tell_backtest(ended: EndedBacktest, as_json: bool) -> None:
    """Print what was made, for a program as one JSON document, and say on stderr where to look."""
    summary = ended.summary
    if as_json:
        tell_json(_make_document(ended))
    else:
        tell(f"run    {ended.run_id}", f"data   {ended.trained[0].lineage['stages']['data']['digest']}")
        tell(*(_list_cells(told, one) for told, one in zip(summary["windows"], ended.trained, strict=True)))
        less = " (less is better)" if summary["lower_is_better"] else ""
        tell(f"mean   {summary['metric']} {say_mean(summary)} over {len(summary['windows'])} windows{less}")
    warn(f"worth  {summary['metric']}: {say_reservations(summary)}")
    if ended.page is not None:
        program = "uv run samebits" if is_checkout() else "samebits"
        warn(f"see    {ended.page}", f"again  {program} reproduce {ended.run_id}")


def _list_cells(told: dict[str, Any], one: TrainedWindow) -> str:
    beside = [f"{told['low']:.6f} to {told['high']:.6f}"] if told["low"] is not None else []
    beside += [f"knowing nothing {told['baseline']:.6f}"] if told["baseline"] is not None else []
    return f"{told['window']:<6} {told['cutoff']}  {told['value']:.6f} ({'; '.join(beside)})  {told['model']}  {one.run_id}"


def _make_document(ended: EndedBacktest) -> dict[str, Any]:
    return {
        "run_id": ended.run_id,
        "reused": ended.is_reused,
        "waiting": ended.waits.as_document() if ended.waits is not None else None,
        "page": ended.page,
        "backtest": ended.summary,
        "windows": [{**one.describe(), "waiting": one.waits is not None} for one in ended.trained],
        "reproduce": f"samebits reproduce {ended.run_id}",
    }
