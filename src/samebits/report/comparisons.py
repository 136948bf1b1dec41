"""Pictures of what was compared: the candidates, the columns, and, where it was asked for, how columns and rows tell on the result."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from samebits.lineage.found_values import list_shown_trials
from samebits.report.account import Account
from samebits.report.drawing import BLUE, GREY, HEIGHT, INK, ORANGE, NoPicture, Plot, as_numbers, label_zero, place_axes, shorten
from samebits.report.words import begin, find_sign, name_quantity

MOST_COLUMNS = 15  # of which importance is shown
_MOST_CANDIDATES = 20


def plot_candidates(account: Account) -> Plot:
    """Return each candidate's scores by fold."""
    stage = account.stages["cross_validation"]
    sign, metric = find_sign(str(stage.get("scoring", "score")))
    means = {name: sign * float(one["mean"]) for name, one in stage["candidates"].items()}
    named = sorted(means, key=lambda name: -sign * means[name])[:_MOST_CANDIDATES]
    scores = {name: sign * np.asarray(stage["candidates"][name]["scores"], dtype=np.float64) for name in named}
    if not all(np.isfinite(values).all() for values in scores.values()):
        raise NoPicture("some scores are no finite numbers")
    n_folds = len(scores[named[0]])

    def paint(figure: Figure) -> None:
        axes = place_axes(figure, left=leave_room(named), bottom=0.55 / height, top=1 - 0.45 / height)
        for place, name in enumerate(named):
            colour = BLUE if name == stage["best"] else GREY
            axes.plot([scores[name].min(), scores[name].max()], [place, place], color=colour, linewidth=1.5, alpha=0.6)
            axes.plot(
                scores[name], [place] * n_folds, "o", color=colour, markersize=5, alpha=0.6, label="a fold" if not place else None
            )
            axes.plot(means[name], place, "D", color=INK, markersize=6, label="mean" if not place else None)
        axes.set_yticks(range(len(named)), [shorten(name) for name in named])
        axes.set_ylim(len(named) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(f"{metric} ({'less' if sign < 0 else 'more'} is better)", loc="right")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)

    height = max(2.4, 1.3 + 0.38 * len(named))
    best = means[stage["best"]]
    return Plot(
        "Candidates",
        f"{begin(metric)} of each candidate in {n_folds} fold{'s' * (n_folds > 1)} of the training rows: where the dots of two lie "
        "among each other, the folds hardly tell them apart. The chosen one is blue.",
        f"Dot plot of {metric} by fold for {len(named)} candidates; the chosen one, {stage['best']}, has a mean of {best:.4f}.",
        {"metric": metric, "scores": {name: as_numbers(values) for name, values in scores.items()}},
        paint,
        height,
    )


def plot_trials(account: Account) -> Plot:
    """Return what the trials of a search scored, in the order in which they were asked for, and the best so far."""
    stage = account.stages["cross_validation"]
    sign, metric = find_sign(str(stage.get("scoring", "score")))
    trials = [one for one in list_shown_trials(stage) if one["mean"] is not None]
    means = np.array([sign * float(one["mean"]) for one in trials], dtype=np.float64)
    if len(trials) < 2 or not np.isfinite(means).all():
        raise NoPicture("fewer than two trials could be scored")
    is_whole, is_chosen = (
        np.array(flags) for flags in zip(*((("rows" not in one), one["candidate"] == stage["best"]) for one in trials), strict=True)
    )
    best = np.where(is_whole, means, sign * -np.inf)
    best = np.minimum.accumulate(best) if sign < 0 else np.maximum.accumulate(best)
    n_trials, n_failed = stage["search"]["n_trials"], stage["search"]["n_failed"]
    kinds = (
        (is_whole & is_chosen, BLUE, f"{shorten(stage['best'])}, chosen"),
        (is_whole & ~is_chosen, GREY, "other candidates"),
        (~is_whole, ORANGE, "on fewer rows"),
    )

    def paint(figure: Figure) -> None:
        axes = place_axes(figure, top=1 - 0.65 / HEIGHT)
        places = np.arange(1, len(means) + 1)
        for flags, colour, label in kinds:
            if flags.any():
                axes.plot(places[flags], means[flags], "o", color=colour, markersize=5, alpha=0.7, label=label)
        known = np.isfinite(best)
        axes.plot(places[known], best[known], drawstyle="steps-post", color=INK, linewidth=1.2, label="best so far")
        axes.set_xlabel("trial, in the order asked", loc="right")
        axes.set_ylabel(f"{metric} ({'less' if sign < 0 else 'more'} is better)", loc="top")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)

    n_shown = len({(one["candidate"], one["trial"]) for one in trials})
    shown = f"the {n_shown:,} best of {n_trials:,} trials" if n_shown + n_failed < n_trials else f"{n_trials:,} trials"
    failed = f" {n_failed:,} that failed {'is' if n_failed == 1 else 'are'} left out." if n_failed else ""
    return Plot(
        "Trials of the search",
        f"Mean {metric} in the folds of {shown}.{failed} The best of many trials looks better here than it is: what it is worth is "
        "said by the rows that were held back.",
        f"Dot plot of {metric} by trial, and the best so far, {as_numbers(best[-1:])[0]:.4f} at the end.",
        {
            "metric": metric,
            "trials": [{"candidate": one["candidate"], "trial": one["trial"], "values": one["values"]} for one in trials],
            "means": as_numbers(means),
        },
        paint,
    )


def plot_importance(account: Account) -> Plot:
    """Return what the result loses when a column is shuffled."""
    found = _take(account, "importance")
    columns = found["columns"]
    named = sorted(columns, key=lambda name: (-columns[name]["mean"], name))[:MOST_COLUMNS]
    means = np.array([columns[name]["mean"] for name in named], dtype=np.float64)
    spread = np.array([columns[name]["spread"] for name in named], dtype=np.float64)
    sign, metric = find_sign(found["scoring"])

    def paint(figure: Figure) -> None:
        axes = place_axes(figure, left=leave_room(named), bottom=0.55 / height, top=1 - 0.1 / height)
        places = np.arange(len(named))
        axes.barh(places, means, height=0.62, color=BLUE)
        axes.errorbar(means, places, xerr=spread, fmt="none", ecolor=INK, elinewidth=1.2, capsize=2.5)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set_yticks(places, [shorten(name) for name in named])
        axes.set_ylim(len(named) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        for place in np.flatnonzero(means == 0):
            label_zero(axes, int(place))
        axes.set_xlabel(f"{'rise' if sign < 0 else 'loss'} of {metric} when the column is shuffled", loc="right")

    height = max(2.4, 0.9 + 0.27 * len(named))
    more = f", the {len(named)} most important of {len(columns)} columns" if len(columns) > len(named) else ""
    return Plot(
        "Which columns the model relies on",
        f"How much worse {metric} becomes when one column's values are shuffled among {found['n_rows']:,} {account.rows_name}, the "
        f"mean of {found['n_repeats']} times{more}; lines are one standard "
        "deviation. Columns that say the same share their importance, and "
        "none of this says what causes what.",
        f"Bars of permutation importance{more}: {', '.join(named[:3])} first.",
        found,
        paint,
        height,
    )


def plot_dependence(account: Account) -> Plot:
    """Return the mean prediction by the value of each of a few columns."""
    found = _take(account, "partial_dependence")
    columns = {name: one for name, one in found["columns"].items() if len(one["values"]) > 1}
    if not columns:
        raise NoPicture("no column of numbers is among the most important")
    n_rows, of = (len(columns) + 1) // 2, name_quantity(account, str(found["of"]))

    def paint(figure: Figure) -> None:
        grid = figure.subplots(n_rows, 2, squeeze=False, sharey=True)
        figure.subplots_adjust(left=0.16, right=0.97, top=0.97, bottom=0.16 if n_rows == 1 else 0.1, hspace=0.38, wspace=0.12)
        for axes, (name, one) in zip(grid.ravel(), columns.items(), strict=False):
            axes.plot(one["values"], one["mean"], "o-", color=BLUE, markersize=3)
            axes.set_xlabel(shorten(name))
            axes.locator_params(axis="x", nbins=4)
        for axes in grid.ravel()[len(columns) :]:
            axes.set_visible(False)
        figure.supylabel(shorten(of, 40), fontsize=10)

    return Plot(
        "What the model makes of the most important columns",
        f"Of the most important columns, those of numbers: {of}, on average over {found['n_rows']:,} {account.rows_name}, "
        "were the column to have this value in each of them.",
        f"Partial dependence of the prediction on {', '.join(columns)}.",
        found,
        paint,
        2.5 if n_rows == 1 else 2.1 * n_rows,
    )


def plot_learning(account: Account) -> Plot:
    """Return how the score grows with the training rows."""
    found = _take(account, "learning_curve")
    sign, metric = find_sign(found["scoring"])
    n_rows = np.asarray(found["n_rows"], dtype=np.float64)
    parts = {"rows it was fitted on": ("train", ORANGE, "s--"), "rows left out": ("held_out", BLUE, "o-")}

    def paint(figure: Figure) -> None:
        axes = place_axes(figure, left=0.16)
        for label, (key, colour, style) in parts.items():
            scores = sign * np.asarray(found[key], dtype=np.float64)
            axes.plot(n_rows, scores.mean(axis=1), style, color=colour, markersize=5, label=label)
            axes.fill_between(n_rows, scores.min(axis=1), scores.max(axis=1), color=colour, alpha=0.15, linewidth=0)
        axes.set_xlabel("training rows")
        axes.set_ylabel(metric)
        axes.legend(loc="best")

    last, before = (float(sign * np.mean(found["held_out"][place])) for place in (-1, -2))
    return Plot(
        "More rows",
        f"{begin(metric)} by the number of training rows: from {int(n_rows[-2]):,} to "
        f"{int(n_rows[-1]):,} it goes from {before:.4f} to {last:.4f} "
        "on rows that were left out. Bands go from the worst fold to the best.",
        f"Learning curve of {metric} over {len(n_rows)} sizes of the training rows.",
        found,
        paint,
    )


def plot_epochs(account: Account) -> Plot:
    """Return how the loss of a network went down with the epochs."""
    found = _take(account, "epochs")
    train, valid = (np.asarray(found[part], dtype=np.float64) for part in ("train", "valid"))
    if not (np.isfinite(train).all() and np.isfinite(valid).all()) or not len(train):
        raise NoPicture("some losses are no finite numbers")
    best = int(found["best_epoch"]) + 1

    def paint(figure: Figure) -> None:
        axes = place_axes(figure, left=0.16)
        axes.plot(np.arange(len(train)) + 1, train, "s--", color=ORANGE, markersize=3, label="rows it was fitted on")
        if len(valid):
            axes.plot(np.arange(len(valid)) + 1, valid, "o-", color=BLUE, markersize=3, label="rows held back to stop it")
            axes.axvline(best, color=GREY, linewidth=0.8)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        axes.legend(loc="best")

    held_back = (
        f" The network is that of epoch {best}, whose loss on the rows held back was least: {valid.min():.4g}." if len(valid) else ""
    )
    return Plot(
        "Epochs",
        f"Loss of the network by epoch, in its fit on all training rows: from {train[0]:.4g} to {train[-1]:.4g}.{held_back}",
        f"Loss over {len(train)} epochs.",
        found,
        paint,
    )


def leave_room(names: list[str]) -> float:
    """Return where axes begin whose labels are these names, as a fraction of the width."""
    return min(0.5, 0.06 + 0.0165 * max(len(shorten(name)) for name in names))


def _take(account: Account, name: str) -> dict[str, Any]:
    found = account.explored.get(name)
    if not found:
        raise NoPicture("nothing of it is on record")
    if "left_out" in found:
        raise NoPicture(str(found["left_out"]))
    return found
