"""Drift as a picture: which columns stand over their thresholds, and of the first of them how the shares have moved.

Drawn by matplotlib's Figure alone, under its own defaults: a reader's settings change nothing, and equal numbers give equal bytes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from samebits.application.drift_counts import Counted, CountedCategories, CountedNumbers
from samebits.application.drift_measures import MEASURES, ColumnDrift
from samebits.keys.judging import Drift
from samebits.text import clean_text

_TRAINING, _LATER, _QUIET = "#0072B2", "#D55E00", "#8C8C8C"  # told apart by every eye
_MOST_COLUMNS, _MOST_SHOWN, _MOST_BARS, _MOST_LETTERS = 24, 6, 8, 22


def draw_drift(columns: Sequence[ColumnDrift], counts: dict[str, Counted], thresholds: Drift, title: str) -> bytes:
    """Return a PNG.

    Parameters
    ----------
    counts
        What the columns were measured from, by their names.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    ordered = sorted(columns, key=lambda column: -find_ratio(column, thresholds)[0])
    shown = ordered[:_MOST_SHOWN]
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(13, max(5.0, 0.3 * min(len(ordered), _MOST_COLUMNS) + 2)), layout="constrained", facecolor="white")
        figure.suptitle(_shorten(title, 100), x=0.01, ha="left", fontsize=12)
        grid = figure.add_gridspec(2, 5, width_ratios=[1.5, 0.05, 1, 1, 1])
        _draw_ratios(figure.add_subplot(grid[:, 0]), ordered[:_MOST_COLUMNS], thresholds)
        for place, column in enumerate(shown):
            _draw_column(figure.add_subplot(grid[place // 3, 2 + place % 3]), column, counts[column.name], is_first=place == 0)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def find_ratio(column: ColumnDrift, thresholds: Drift) -> tuple[float, str]:
    """Return a column's largest measure in units of its threshold, and which it is; 0 where none has a threshold."""
    limits = {name: getattr(thresholds, name) for name in MEASURES}
    ratios = [(abs(column.measures[name]) / limit, name) for name, limit in limits.items() if limit and name in column.measures]
    return max(ratios, default=(0.0, ""))


def _shorten(text: str, most: int = _MOST_LETTERS) -> str:
    plain = clean_text(text).replace("$", r"\$")
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def _draw_ratios(axes: Any, columns: Sequence[ColumnDrift], thresholds: Drift) -> None:
    found = [find_ratio(column, thresholds) for column in columns]
    places = np.arange(len(columns))
    colours = [_LATER if column.over else _QUIET for column in columns]
    axes.barh(places, [min(ratio, 5.0) for ratio, _ in found], color=colours, height=0.65)
    plate = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    for place, (ratio, name) in enumerate(found):
        axes.text(min(ratio, 5.0) + 0.05, place, f"{name} {ratio:.2f}" if name else "", va="center", fontsize=8, bbox=plate)
    axes.axvline(1.0, color="black", linewidth=1, linestyle="--")
    axes.set_yticks(places, [_shorten(column.name) for column in columns], fontsize=9)
    axes.set_ylim(len(columns) - 0.4, -0.6)
    axes.set_xlim(0, max(1.6, *(min(ratio, 5.0) * 1.35 for ratio, _ in found)))
    axes.set_title("largest effect over its threshold (1 = drifted)", fontsize=10, loc="left")
    _clear(axes)


def _draw_column(axes: Any, column: ColumnDrift, counted: Counted, is_first: bool) -> None:
    axes.set_title(f"{_shorten(column.name)}{'  drifted' if column.over else ''}", fontsize=10, loc="left")
    if isinstance(counted, CountedNumbers) and counted.later.sum():
        for counts, colour, label in ((counted.base, _TRAINING, "training"), (counted.later, _LATER, "later")):
            axes.step(counted.cuts, (np.cumsum(counts) / counts.sum())[:-1], color=colour, label=label, where="post")
        axes.set_ylabel("share up to", fontsize=8)
        axes.set_ylim(0, 1.02)
    elif isinstance(counted, CountedCategories) and counted.n_rows > counted.n_missing:
        _draw_bars(axes, counted)
    else:
        axes.text(0.5, 0.5, "no values", ha="center", va="center", transform=axes.transAxes)
    if is_first and axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False)
    _clear(axes)


def _draw_bars(axes: Any, counted: CountedCategories) -> None:
    names = list(counted.base)[:_MOST_BARS]
    n_base, n_later = sum(counted.base.values()) + counted.base_other, sum(counted.later.values()) + counted.n_other
    base = [counted.base[name] / n_base for name in names]
    later = [counted.later.get(name, 0) / n_later for name in names]
    places = np.arange(len(names) + 1)
    axes.bar(places - 0.2, [*base, max(0.0, 1 - sum(base))], 0.4, color=_TRAINING, label="training")
    axes.bar(places + 0.2, [*later, max(0.0, 1 - sum(later))], 0.4, color=_LATER, label="later")
    axes.set_xticks(places, [*(_shorten(name, 10) for name in names), "others"], fontsize=7, rotation=30, ha="right")
    axes.set_ylabel("share", fontsize=8)


def _clear(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
