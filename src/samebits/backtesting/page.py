"""The description of a backtest's run, in Markdown: what it is, how good, whether to trust it, how again; then each window.

The page folds all but the first four lines, as on every run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from samebits.backtesting.summary import Summary, say_mean, say_reservations
from samebits.lineage.standing import describe_standing
from samebits.parcels.page import shorten_number
from samebits.text import escape_markdown

_SHORT_ID = 8
_MOST_ROWS = 60  # of the table: MLflow takes 5,000 letters of a description


def name_backtest(summary: Summary, name: str, version: str) -> str:
    """Return the name of a backtest's run: how good it is over how many windows, and what it is of."""
    mean = shorten_number(summary["mean"][summary["metric"]])
    return f"backtest {mean} over {len(summary['windows'])} · {name[:60]} {version}"


def describe_backtest(
    summary: Summary, run_id: str, table: str, experiment_id: str, windows: Sequence[Mapping[str, Any]], tags: Mapping[str, str]
) -> str:
    """Return the description.

    Parameters
    ----------
    table
        The name of the table's file.
    windows
        Of the record: which runs they are.
    tags
        Of the run, as far as they are known.
    """
    lines = [
        f"- **What?** {_say_what(summary, table)}",
        f"- **How good?** {_say_how_good(summary)}",
        f"- **Note** {escape_markdown(say_reservations(summary))}",
        f"- **Again?** `samebits reproduce {run_id[:_SHORT_ID]}` · {describe_standing(tags)}",
        "",
        *_list_windows(summary, experiment_id, windows),
        "",
        "- each window is a run of its own, and in backtest.json with all its metrics; figures/backtest.png shows them over time",
    ]
    return "\n".join(lines)


def _say_what(summary: Summary, table: str) -> str:
    windows = summary["windows"]
    first, last = windows[0]["cutoff"], windows[-1]["cutoff"]
    return f"{_name(summary['target'])} from {_name(table)}: {len(windows)} cut-offs, {_name(first)} to {_name(last)}"


def _say_how_good(summary: Summary) -> str:
    metric, values = summary["metric"], [window["value"] for window in summary["windows"]]
    return f"**{_name(metric)} {say_mean(summary)}** ({min(values):.3g} to {max(values):.3g}{_say_baseline(summary)})"


def _say_baseline(summary: Summary) -> str:
    found = [window["baseline"] for window in summary["windows"] if window["baseline"] is not None]
    return f"; baseline {sum(found) / len(found):.3g}" if found else ""


def _list_windows(summary: Summary, experiment_id: str, windows: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [f"| cut-off | model | {_name(summary['metric'])} | interval | baseline | run |", "|---|---|---|---|---|---|"]
    for told, recorded in list(zip(summary["windows"], windows, strict=True))[:_MOST_ROWS]:
        interval = f"{told['low']:.4g} to {told['high']:.4g}" if told["low"] is not None else "–"
        baseline = f"{told['baseline']:.4g}" if told["baseline"] is not None else "–"
        run_id = recorded["run_id"]
        link = f"[{run_id[:_SHORT_ID]}](#/experiments/{experiment_id}/runs/{run_id})"
        rows.append(f"| {_name(told['cutoff'])} | {_name(told['model'])} | {told['value']:.4f} | {interval} | {baseline} | {link} |")
    n_more = len(windows) - _MOST_ROWS
    return rows + ([f"\n{n_more} more: backtest.json"] if n_more > 0 else [])


def _name(value: object) -> str:
    return escape_markdown(str(value)[:60])
