"""What `train` says of a backtest at its end, and of each window while it goes on, to a person or to a program."""

from __future__ import annotations

from typing import Any

from samebits.backtesting.summary import EndedBacktest, say_mean, say_reservations
from samebits.commands.train_summary import name_run_page
from samebits.project import name_program
from samebits.text import tell, tell_json, warn


def tell_backtest(ended: EndedBacktest, as_json: bool) -> None:
    """Print what was made, for a program as one JSON document, and say on stderr where to look."""
    summary = ended.summary
    if as_json:
        tell_json(_make_document(ended))
    else:
        less = " (less is better)" if summary["lower_is_better"] else ""
        tell(f"run    {ended.run_id}", f"data   {ended.data_digest}")
        tell(*(_describe(told, str(one["run_id"])) for told, one in zip(summary["windows"], ended.windows, strict=True)))
        tell(f"mean   {summary['metric']} {say_mean(summary)} over {len(summary['windows'])} windows{less}")
    warn(f"worth  {summary['metric']}: {say_reservations(summary)}")
    if (page := _name_page(ended)) is not None:
        warn(f"see    {page}", f"again  {name_program()} reproduce {ended.run_id}")


def _name_page(ended: EndedBacktest) -> str | None:
    """Return where it is looked at; None where it is not on its server."""
    return name_run_page(ended.experiment_id, ended.run_id) if ended.experiment_id is not None and ended.waits is None else None


def _describe(told: dict[str, Any], run_id: str) -> str:
    beside = [f"{told['low']:.6f} to {told['high']:.6f}"] if told["low"] is not None else []
    beside += [f"knowing nothing {told['baseline']:.6f}"] if told["baseline"] is not None else []
    said = f" ({'; '.join(beside)})" if beside else ""
    return f"{told['window']:<6} {told['cutoff']}  {told['value']:.6f}{said}  {told['model']}  {run_id}"


def _make_document(ended: EndedBacktest) -> dict[str, Any]:
    return {
        "run_id": ended.run_id,
        "reused": ended.is_reused,
        "waiting": ended.waits.as_document() if ended.waits is not None else None,
        "page": _name_page(ended),
        "data": ended.data_digest,
        "backtest": ended.summary,
        "windows": ended.windows,
        "reproduce": f"samebits reproduce {ended.run_id}",
    }
