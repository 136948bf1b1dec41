"""Pictures of classes, two or many: which is taken for which, and how well each is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn import metrics

from samebits.report.account import PROBABILITY, Account
from samebits.report.drawing import COLOURS, GREY, HEIGHT, INK, LINES, NoPicture, Plot, as_numbers, place_axes, shorten, thin

MOST_CLASSES = 20  # of which a picture shows the most frequent
_MOST_CURVES = 6


def plot_confusion(account: Account) -> Plot:
    """Return how many rows of each class were called what."""
    labels, rest = _choose_labels(account)
    counts, totals = _count_pairs(account, labels)
    shares = counts / np.maximum(1, totals)[:, np.newaxis]
    size = 9 if len(labels) <= 6 else 6
    names = [shorten(label, 14) for label in labels]
    is_crowded = len(labels) > 4 and sum(map(len, names)) > 40
    margin = min(0.34, 0.1 + 0.014 * max(map(len, names)))

    def paint(figure: Figure) -> None:
        axes = place_axes(figure, left=margin + 0.04, bottom=margin + 0.04 if is_crowded else 0.17)
        axes.grid(False)
        axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
        axes.invert_yaxis()
        places = np.arange(len(labels)) + 0.5
        axes.set_xticks(places, names, rotation=90 if is_crowded else 0, fontsize=size if len(labels) > 6 else 10)
        axes.set_yticks(places, names, fontsize=size if len(labels) > 6 else 10)
        for row, column in np.ndindex(*counts.shape) if len(labels) <= 12 else ():
            share = f"\n{shares[row, column]:.0%}" if len(labels) <= 4 else ""
            colour = "white" if shares[row, column] > 0.55 else INK
            axes.text(
                column + 0.5, row + 0.5, f"{counts[row, column]:,}{share}", ha="center", va="center", color=colour, fontsize=size + 1
            )
        axes.set_xlabel("predicted")
        axes.set_ylabel("recorded")

    right = float((account.recorded == account.predicted).mean())
    return Plot(
        "Confusion matrix",
        f"Rows of each class, by what the model calls them{rest}; the darker, the larger a share of the class. {right:.1%} of all "
        f"{len(account.recorded):,} {account.rows_name} are on the diagonal, which is right.",
        f"Confusion matrix of {len(labels)} classes on the {account.rows_name}: {right:.1%} are right.",
        {"labels": labels, "recorded_by_predicted": counts.tolist()},
        paint,
        HEIGHT if len(labels) <= 6 else 5.2,
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
        axes.set_yticks(range(len(labels)), names)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, 1)
        axes.set_xlabel("score")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)

    height = max(HEIGHT, 1.2 + 0.42 * len(labels))
    worst = int(np.argmin(scores["F1"]))
    return Plot(
        "Each class by itself",
        f"Precision, recall and F1 of each class{rest}; in brackets its rows. Hardest for the model is {labels[worst]}: F1 "
        f"{scores['F1'][worst]:.3f}.",
        f"Bars of precision, recall and F1 for {len(labels)} classes; the lowest F1 is {scores['F1'][worst]:.3f}, of {labels[worst]}.",
        {"labels": labels, "rows": n_rows.tolist(), **{name.lower(): as_numbers(values) for name, values in scores.items()}},
        paint,
        height,
    )


def plot_roc_by_class(account: Account) -> Plot:
    """Return the ROC curve of each class against all others."""
    labels = [label for label in _choose_labels(account)[0] if f"{PROBABILITY}{label}" in account.predictions]
    labels = [label for label in labels if 0 < (account.recorded == label).sum() < len(account.recorded)][:_MOST_CURVES]
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
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")
        axes.legend(loc="lower right")

    worst = min(labels, key=lambda label: areas[label])
    return Plot(
        "ROC curve of each class against the others",
        f"How well the probability of each class tells it from all others; the nearer to the upper left corner, the better. "
        f"Least well: {worst}, area {areas[worst]:.3f}.",
        f"ROC curves of {len(labels)} classes, each against all others; areas from {min(areas.values()):.3f} to "
        f"{max(areas.values()):.3f}.",
        {
            label: {"false_positive_rate": as_numbers(ends[0]), "true_positive_rate": as_numbers(ends[1]), "area": areas[label]}
            for label, ends in curves.items()
        },
        paint,
    )


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
