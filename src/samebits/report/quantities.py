"""Pictures of predicted quantities: how far they are off, and where."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from samebits.report.account import Account
from samebits.report.drawing import BLUE, INK, MOST_POINTS, VERMILLION, NoPicture, Plot, as_numbers, place_axes, shorten
from samebits.report.words import as_quantity

_BAND = (0.52, 0.72, 0.86)  # a pale blue, which a legend shows too
_SEED = 0  # of which rows a cloud shows where it does not show all: it decides nothing else


def plot_observed(account: Account) -> Plot:
    """Return predicted against observed."""
    rows, said = _choose_rows(account)
    observed, predicted = account.recorded[rows], account.predicted[rows]
    ends = [float(min(observed.min(), predicted.min())), float(max(observed.max(), predicted.max()))]

    def paint(figure: Figure) -> None:
        axes = place_axes(figure, left=0.17)
        axes.plot(ends, ends, color=VERMILLION, linestyle="--", linewidth=1.2, label="as predicted, so it is")
        axes.plot(predicted, observed, "o", color=BLUE, markersize=3.5, alpha=_fade(len(rows)), markeredgewidth=0, label="a row")
        axes.set_xlabel(f"predicted {shorten(account.target)}")
        axes.set_ylabel(f"observed {shorten(account.target)}")
        axes.legend(loc="upper left")

    r2 = account.metrics.get("r2")
    described = "" if r2 is None else f" R² is {r2:.3f}: the share of the target's variance that the model tells."
    return Plot(
        "Predicted and observed",
        f"Each dot is a row{said}; the nearer to the line, the better.{described}",
        f"Scatter plot of observed against predicted {account.target} for {len(rows):,} of the {account.rows_name}"
        + ("." if r2 is None else f"; R² {r2:.3f}."),
        {"predicted": as_numbers(predicted), "observed": as_numbers(observed)},
        paint,
    )


def plot_residuals(account: Account) -> Plot:
    """Return how far each prediction is off."""
    rows, said = _choose_rows(account)
    predicted, residuals = account.predicted[rows], (account.recorded - account.predicted)[rows]
    low, middle, high = np.quantile(account.recorded - account.predicted, [0.05, 0.5, 0.95])
    scale = float(np.abs(account.recorded).max())
    shown = [as_quantity(float(value), scale) for value in (low, middle, high)]

    def paint(figure: Figure) -> None:
        axes = place_axes(figure, left=0.17)
        axes.axhspan(low, high, facecolor=(*_BAND, 0.35), edgecolor=(*_BAND, 1), linewidth=0.8, label="nine rows of ten")
        axes.axhline(0, color=VERMILLION, linestyle="--", linewidth=1.2, label="as predicted, so it is")
        axes.axhline(middle, color=INK, linestyle=":", linewidth=1.2, label=f"median {shown[1]}")
        axes.plot(predicted, residuals, "o", color=BLUE, markersize=3.5, alpha=_fade(len(rows)), markeredgewidth=0, label="a row")
        axes.set_ylim(*_leave_room_above(residuals))
        axes.set_xlabel(f"predicted {shorten(account.target)}")
        axes.set_ylabel("observed minus predicted")
        axes.legend(loc="upper left", ncols=2)

    return Plot(
        "Residuals",
        f"How far each prediction is off{said}. Nine rows of ten lie between {shown[0]} and {shown[2]}; a slope or a funnel would "
        "mean that the model is better for some values than for others.",
        f"Scatter plot of residuals against predicted {account.target}: median {shown[1]}, nine of ten between {shown[0]} and "
        f"{shown[2]}.",
        {
            "predicted": as_numbers(predicted),
            "residual": as_numbers(residuals),
            "quantiles": as_numbers(np.array([low, middle, high])),
        },
        paint,
    )


def _choose_rows(account: Account) -> tuple[np.ndarray, str]:
    """Return which rows are shown, in order, and in words which these are where they are not all."""
    n_rows = len(account.recorded)
    if n_rows == 0 or not np.isfinite(account.predicted.astype(np.float64)).all():
        raise NoPicture("some predictions are no finite numbers" if n_rows else "there are no rows")
    if n_rows <= MOST_POINTS:
        return np.arange(n_rows), ""
    drawn = np.random.default_rng(_SEED).choice(n_rows, MOST_POINTS, replace=False)
    return np.sort(drawn), f" ({MOST_POINTS:,} of {n_rows:,}, drawn by a fixed seed)"


def _leave_room_above(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of an axis whose legend hides no row."""
    low, high = float(min(values.min(), 0)), float(max(values.max(), 0))
    extent = (high - low) or 1.0
    return low - 0.05 * extent, high + 0.28 * extent


def _fade(n_rows: int) -> float:
    return 0.7 if n_rows < 300 else 0.4
