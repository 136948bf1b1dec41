"""Pictures of classes, two or many: which is taken for which, and how well each is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn import metrics

from samebits.report.account import PROBABILITY, Account
from samebits.report.drawing import (
    COLOURS,
    GREY,
    HEIGHT,
    INK,
    LINES,
    WIDTH,
    NoPicture,
    Plot,
    as_numbers,
    label_zero,
    place_axes,
    shorten,
    thin,
)
from samebits.report.words import as_share, join_names, name_class
from samebits.text import shorten_list

MOST_CLASSES = 20  # of which a picture shows the most frequent
_MOST_CURVES = 6
_FEW_ROWS = 10  # of a class, below which its shares say little
_MOST_NAMED = 8
_POINTS = 72  # of an inch
_LEAST_LETTERS, _MOST_LETTERS = 6.5, 10  # in points


def plot_confusion(account: Account) -> Plot:
    """Return how many rows of each class were called what."""
    labels, rest = _choose_labels(account)
    counts, totals = _count_pairs(account, labels)
    shares = counts / np.maximum(1, totals)[:, np.newaxis]
    names = [shorten(label, 14) for label in labels]
    is_crowded = len(labels) > 4 and sum(map(len, names)) > 40
    margin = min(0.34, 0.1 + 0.014 * max(map(len, names)))
    height = HEIGHT if len(labels) <= 4 else 5.2
    left, bottom = margin + 0.04, margin + 0.04 if is_crowded else 0.6 / height
    cell = _POINTS * min(WIDTH * (0.97 - left), height * (0.96 - bottom)) / len(labels)
    letters = float(np.clip(0.75 * cell, _LEAST_LETTERS, _MOST_LETTERS))
    digits = min(1.4 * _POINTS * WIDTH * (0.97 - left) / len(labels) / max(len(f"{n:,}") for n in counts.ravel()), letters)
    has_shares = len(labels) <= 4

    def paint(figure: Figure) -> None:
        axes = place_axes(figure, left=left, bottom=bottom)
        axes.grid(False)
        axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
        axes.invert_yaxis()
        places = np.arange(len(labels)) + 0.5
        axes.set_xticks(places, names, rotation=90 if is_crowded else 0, fontsize=letters)
        axes.set_yticks(places, names, fontsize=letters)
        for row, column in np.ndindex(*counts.shape) if digits >= _LEAST_LETTERS else ():
            share = f"\n{as_share(shares[row, column])}" if has_shares else ""
            colour = "white" if shares[row, column] > 0.55 else INK
            axes.text(
                column + 0.5, row + 0.5, f"{counts[row, column]:,}{share}", ha="center", va="center", color=colour, fontsize=digits
            )
        axes.set_xlabel("predicted")
        axes.set_ylabel("recorded")

    right = float((account.recorded == account.predicted).mean())
    return Plot(
        "Confusion matrix",
        f"Rows of each class, by what the model calls them{rest}; the darker, the larger a share of the class. {right:.1%} of all "
        f"{len(account.recorded):,} {account.rows_name} are on the diagonal, which is right.{_name_small(account, labels, totals)}"
        + ("" if digits >= _LEAST_LETTERS else " The numbers themselves are in confusion.json."),
        f"Confusion matrix of {len(labels)} classes on the {account.rows_name}: {right:.1%} are right.",
        {"labels": labels, "recorded_by_predicted": counts.tolist()},
        paint,
        height,
    )


def plot_per_class(account: Account) -> Plot:
    """Return precision, recall and F1 of each class."""
    labels, rest = _choose_labels(account)
    counts, totals = _count_pairs(account, account.labels)
    places = [account.labels.index(label) for label in labels]
    hits, n_called, n_rows = (values[places] for values in (np.diagonal(counts), counts.sum(axis=0), totals))
    scores = {
        "precision": hits / np.maximum(1, n_called),
        "recall": hits / np.maximum(1, n_rows),
        "F1": 2 * hits / np.maximum(1, n_called + n_rows),
    }
    names = [f"{shorten(label, 16)}  ({n:,})" for label, n in zip(labels, n_rows, strict=True)]

    def paint(figure: Figure) -> None:
        axes = place_axes(figure, left=_leave_room(names), bottom=0.55 / height, top=1 - 0.4 / height)
        for number, (name, values) in enumerate(scores.items()):
            places = np.arange(len(labels)) + (number - 1) * 0.27
            axes.barh(places, values, height=0.25, color=COLOURS[number], label=name)
            for place in places[values == 0]:
                label_zero(axes, place, size=7)
        axes.set_yticks(range(len(labels)), names)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, 1)
        axes.set_xlabel("score")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)

    height = max(HEIGHT, 1.2 + 0.42 * len(labels))
    worst = int(np.argmin(scores["F1"]))
    hardest = _name_equals(account, labels, scores["F1"], worst)
    return Plot(
        "Each class by itself",
        f"Precision, recall and F1 of each class{rest}; in brackets its rows. Hardest for the model {hardest}: F1 "
        f"{scores['F1'][worst]:.3f}.{_name_small(account, labels, n_rows)}",
        f"Bars of precision, recall and F1 for {len(labels)} classes; the lowest F1 is {scores['F1'][worst]:.3f}: hardest {hardest}.",
        {"labels": labels, "rows": n_rows.tolist(), **{name.lower(): as_numbers(values) for name, values in scores.items()}},
        paint,
        height,
    )


def plot_roc_by_class(account: Account) -> Plot:
    """Return the ROC curve of each class against all others."""
    labels, left_out = _choose_curves(account)
    if not labels:
        raise NoPicture("the model gives no probabilities")
    curves, areas = {}, {}
    for label in labels:
        is_label, responses = account.recorded == label, account.predictions[f"{PROBABILITY}{label}"].to_numpy(dtype=np.float64)
        curves[label] = thin(*metrics.roc_curve(is_label, responses)[:2])
        areas[label] = float(metrics.roc_auc_score(is_label, responses))

    def paint(figure: Figure) -> None:
        axes = place_axes(figure)
        for (label, (false_rate, hit_rate)), colour, line in zip(curves.items(), COLOURS, (*LINES, *LINES), strict=False):
            axes.plot(false_rate, hit_rate, label=f"{shorten(label, 18)}, area {areas[label]:.3f}", color=colour, linestyle=line)
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="guessing, area 0.500")
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")
        axes.legend(loc="lower right")

    found = np.array([areas[label] for label in labels])
    worst = int(np.argmin(found))
    return Plot(
        "ROC curve of each class against the others",
        f"How well the probability of each class tells it from all others; the nearer to the upper left corner, the better. "
        f"Least well told apart {_name_equals(account, labels, found, worst)}: area {found[worst]:.3f}.{left_out}",
        f"ROC curves of {len(labels)} classes, each against all others; areas from {min(areas.values()):.3f} to "
        f"{max(areas.values()):.3f}.",
        {
            label: {"false_positive_rate": as_numbers(ends[0]), "true_positive_rate": as_numbers(ends[1]), "area": areas[label]}
            for label, ends in curves.items()
        },
        paint,
    )


def _choose_curves(account: Account) -> tuple[list[str], str]:
    """Return the classes that have a curve, in order, and in words which have none and why."""
    sizes = {label: int((account.recorded == label).sum()) for label in account.labels}
    if not any(f"{PROBABILITY}{label}" in account.predictions for label in account.labels):
        return [], ""
    told = [
        label
        for label in account.labels
        if 0 < sizes[label] < len(account.recorded) and f"{PROBABILITY}{label}" in account.predictions
    ]
    kept = sorted(told, key=lambda label: -sizes[label])[:_MOST_CURVES]
    untold = [label for label in account.labels if label not in told]
    fewer = [f"{label} ({_count_rows(sizes[label])})" for label in told if label not in kept]
    none = f" Without a curve, for no row shows it: {_list_classes(account, untold)}." if untold else ""
    more = f" Left out, beside the {_MOST_CURVES} classes of most rows: {_list_classes(account, fewer)}." if fewer else ""
    return [label for label in told if label in kept], more + none


def _list_classes(account: Account, labels: list[str]) -> str:
    named = [name_class(account, labels[0]), *labels[1:]]
    return shorten_list([shorten(name, 40) for name in named], _MOST_NAMED)


def _count_rows(n: int) -> str:
    return f"{n:,} row{'s' * (n != 1)}"


def _name_small(account: Account, labels: list[str], n_rows: np.ndarray) -> str:
    """Return in words which classes have so few rows that their shares say little."""
    small = [f"{label} ({_count_rows(n)})" for label, n in zip(labels, n_rows.tolist(), strict=True) if n < _FEW_ROWS]
    return f" Under {_FEW_ROWS} rows, so that their shares say little: {_list_classes(account, small)}." if small else ""


def _name_equals(account: Account, labels: list[str], scores: np.ndarray, place: int) -> str:
    """Return in words which classes have the score of one, to as many digits as are told."""
    equal = [label for label, score in zip(labels, scores, strict=True) if f"{score:.3f}" == f"{scores[place]:.3f}"]
    named = [shorten(name, 40) for name in (name_class(account, equal[0]), *equal[1:_MOST_NAMED])]
    more = f" and {len(equal) - len(named)} more" if len(equal) > len(named) else ""
    return f"{'are' if len(equal) > 1 else 'is'} {', '.join(named) + more if more else join_names(named)}"


def _count_pairs(account: Account, labels: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return how many rows of each label were called each, shape (n_labels, n_labels), and how many it has in all."""
    recorded, predicted = (pd.Categorical(values, categories=labels).codes for values in (account.recorded, account.predicted))
    is_shown = (recorded >= 0) & (predicted >= 0)
    cells = recorded[is_shown].astype(np.int64) * len(labels) + predicted[is_shown]
    counts = np.bincount(cells, minlength=len(labels) ** 2).reshape(len(labels), len(labels))
    return counts, np.bincount(recorded[recorded >= 0], minlength=len(labels))


def _choose_labels(account: Account) -> tuple[list[str], str]:
    """Return the classes that are shown, in order, and in words which these are where there are more."""
    if len(account.labels) <= MOST_CLASSES:
        return account.labels, ""
    sizes = {label: int((account.recorded == label).sum()) for label in account.labels}
    kept = sorted(account.labels, key=lambda label: -sizes[label])[:MOST_CLASSES]
    return [
        label for label in account.labels if label in kept
    ], f", for the {MOST_CLASSES} most frequent of {len(account.labels)} classes"


def _leave_room(names: list[str]) -> float:
    return min(0.5, 0.05 + 0.0175 * max(map(len, names)))
