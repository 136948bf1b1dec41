"""A backtest as a picture over time: the score of each window with its interval, over the time of its test rows, and the baseline.

Times stand on the axis at their own distances, the cut-offs as its labels: no clock, zone or setting of the machine's enters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samebits.backtesting.summary import Summary
from samebits.report.drawing import BLUE, GREY, INK, ORANGE, VERMILLION, Drawn, Plot, draw, place_axes, shorten
from samebits.table.dates import read_moment

NAME = "backtest"
_MOST_LABELS = 8
_SECONDS = 86_400.0  # of a day, the unit of an axis of dates


def draw_backtest(summary: Summary) -> Drawn:
    """Return the picture."""
    return draw(NAME, plot_backtest(summary))


def plot_backtest(summary: Summary) -> Plot:
    """Return what is drawn, with its words."""
    metric, windows = summary["metric"], summary["windows"]
    better = "less is better" if summary["lower_is_better"] else "more is better"
    mean, worst = summary["mean"][metric], windows[summary["worst"] - 1]
    said = f"mean {mean:.4g}, worst {worst['value']:.4g} at {worst['cutoff']}"

    def paint(figure: Figure) -> None:
        axes = place_axes(figure, left=0.15, bottom=0.25, top=0.87)
        _draw_windows(axes, windows, mean)
        axes.set_ylabel(f"{shorten(metric)} ({better})")
        axes.set_xlabel(f"{shorten(summary['column'])} (labelled: the cut-offs)")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4, fontsize=8, frameon=False, columnspacing=1.2)

    return Plot(
        "Scores over time",
        "Each line spans the test rows of a window, its bar the interval; the dashes are what knowing nothing scores there.",
        f"{metric} in {len(windows)} windows of {summary['column']}: {said}.",
        {"windows": [{name: window[name] for name in ("cutoff", "value", "low", "high", "baseline")} for window in windows]},
        paint,
    )


def _draw_windows(axes: Axes, windows: Sequence[dict[str, Any]], mean: float) -> None:
    spans = np.array([[_place(window.get("test_from", window["cutoff"])), _place(window["test_until"])] for window in windows])
    middles, values = spans.mean(axis=1), _take(windows, "value")
    axes.axhline(mean, color=ORANGE, linestyle="-.", linewidth=1.4, label="mean")
    low, high = _take(windows, "low"), _take(windows, "high")
    axes.vlines(middles, low, high, color=BLUE, linewidth=1.2, label="interval") if np.isfinite(low).any() else None
    axes.hlines(values, *spans.T, color=BLUE, linewidth=3, label="test rows")
    axes.plot(middles, values, "o", color=BLUE, markersize=4)
    baselines = _take(windows, "baseline")
    if np.isfinite(baselines).any():
        axes.hlines(baselines, *spans.T, color=VERMILLION, linewidth=1.4, linestyle=(0, (2, 1)), label="knowing nothing")
    for cutoff in [_place(window["cutoff"]) for window in windows]:
        axes.axvline(cutoff, color=GREY, linewidth=0.5, linestyle=":")
    shown = np.unique(np.linspace(0, len(windows) - 1, min(_MOST_LABELS, len(windows))).round().astype(int))
    labels = [str(windows[index]["cutoff"]) for index in shown]
    labels = [label.partition("T")[0] for label in labels] if len({label[:10] for label in labels}) == len(labels) else labels
    axes.set_xticks([_place(windows[index]["cutoff"]) for index in shown], labels, rotation=30, ha="right", fontsize=8, color=INK)
    axes.margins(y=0.12)


def _take(windows: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([np.nan if window[name] is None else float(window[name]) for window in windows])


def _place(time: Any) -> float:
    """Return where on the axis a time stands."""
    if not isinstance(time, str):
        return float(time)
    moment = read_moment(time, np.array([], dtype="datetime64[us]"))
    return float(moment.astype("datetime64[us]").astype(np.int64)) / 1e6 / _SECONDS
