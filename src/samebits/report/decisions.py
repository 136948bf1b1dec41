"""Pictures of decisions between two classes: how well responses part them, and what the threshold makes of that."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn import metrics
from sklearn.calibration import calibration_curve

from samebits.report.account import Account
from samebits.report.drawing import BLUE, GREY, INK, LINES, ORANGE, VERMILLION, NoPicture, Plot, as_numbers, place_axes, shorten, thin
from samebits.report.words import name_class

_BINS = 10
_SCORE_BINS = 30


def plot_roc(account: Account) -> Plot:
    """Return the ROC curve."""
    is_positive, responses = read_responses(account)
    false_rate, hit_rate, _ = metrics.roc_curve(is_positive, responses)
    area = _look_up(account, "roc_auc", metrics.roc_auc_score)
    chosen, name = _rate_chosen(account, is_positive), name_class(account, account.positive)
    false_rate, hit_rate = thin(false_rate, hit_rate)

    def paint(figure: Figure) -> None:
        axes = place_axes(figure)
        axes.plot(false_rate, hit_rate, color=BLUE, label=f"this model, area {area:.3f}")
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="guessing, area 0.500")
        axes.plot(*chosen, "o", color=VERMILLION, markersize=8, label="as it decides")
        _finish(axes, "false positive rate", "true positive rate", "lower right")

    return Plot(
        "ROC curve",
        f"Of the rows of {name_class(account, account.negative)}, the share that is called {name}, against the share found of those "
        f"that are so. As it decides, the model finds {chosen[1]:.1%} and calls {chosen[0]:.1%} of the others so by mistake.",
        f"ROC curve on the {account.rows_name}: area under it {area:.3f}, where guessing has 0.5.",
        {
            "false_positive_rate": as_numbers(false_rate),
            "true_positive_rate": as_numbers(hit_rate),
            "area": area,
            "chosen": as_numbers(np.array(chosen)),
        },
        paint,
    )


def plot_precision_recall(account: Account) -> Plot:
    """Return the precision-recall curve with the place of the threshold."""
    is_positive, responses = read_responses(account)
    precision, recall, _ = metrics.precision_recall_curve(is_positive, responses, drop_intermediate=True)
    average = _look_up(account, "average_precision", metrics.average_precision_score)
    called, share = account.predicted == account.positive, float(is_positive.mean())
    n_hits = int((is_positive & called).sum())
    at = (n_hits / int(is_positive.sum()), n_hits / max(1, int(called.sum())))
    recall, precision = thin(recall, precision)
    where = "at the chosen threshold" if account.threshold is not None else "as it decides"

    def paint(figure: Figure) -> None:
        axes = place_axes(figure)
        axes.step(recall, precision, where="post", color=BLUE, label=f"this model, average {average:.3f}")
        axes.axhline(share, color=GREY, linestyle="--", linewidth=1, label=f"guessing, {share:.3f}")
        axes.plot(*at, "o", color=VERMILLION, markersize=8, label=where)
        wanted = account.config.get("business", {}).get("target_precision")
        if wanted is not None:
            axes.axhline(wanted, color=VERMILLION, linestyle=":", linewidth=1.2, label=f"wanted precision, {wanted:g}")
        _finish(axes, "recall", "precision", "lower left")

    return Plot(
        "Precision and recall",
        f"How many of the rows that are called {name_class(account, account.positive)} are so (precision), for each share of them "
        f"that is found (recall). "
        f"The dot is the model {where}: precision {at[1]:.3f}, recall {at[0]:.3f}.",
        f"Precision-recall curve on the {account.rows_name}: average precision {average:.3f}; {where} precision {at[1]:.3f} and "
        f"recall {at[0]:.3f}.",
        {
            "recall": as_numbers(recall),
            "precision": as_numbers(precision),
            "average_precision": average,
            "chosen": as_numbers(np.array(at)),
        },
        paint,
    )


def plot_calibration(account: Account) -> Plot:
    """Return how far probabilities come true."""
    is_positive, responses = read_responses(account)
    if responses.min() < 0 or responses.max() > 1:
        raise NoPicture("the model gives no probabilities")
    observed, said = calibration_curve(is_positive, responses, n_bins=_BINS, strategy="quantile")
    brier = _look_up(account, "brier_score", metrics.brier_score_loss)

    def paint(figure: Figure) -> None:
        axes = place_axes(figure)
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="as said, so it is")
        axes.plot(said, observed, "o-", color=BLUE, markersize=6, label=f"this model, Brier score {brier:.3f}")
        _finish(axes, "probability that the model gives", f"share of {shorten(name_class(account, account.positive))}", "upper left")

    return Plot(
        "Calibration",
        f"Rows in {len(said)} groups of about equal size, by the probability that the model gives: on the line, it comes true as "
        "often as it says; above the line, more often.",
        f"Calibration curve on the {account.rows_name} in {len(said)} groups; Brier score {brier:.3f}.",
        {"said": as_numbers(said), "observed": as_numbers(observed), "brier_score": brier},
        paint,
    )


def plot_scores(account: Account) -> Plot:
    """Return how the responses of each class are spread."""
    is_positive, responses = read_responses(account)
    if not np.isfinite(responses).all():
        raise NoPicture("some responses are infinite")
    edges = np.histogram_bin_edges(responses, bins=_SCORE_BINS)
    parts = {name: np.histogram(responses[rows], edges)[0] for name, rows in _by_class(account, is_positive).items()}
    shares = {name: counts / max(1, counts.sum()) for name, counts in parts.items()}
    threshold, names = account.threshold, [name_class(account, label) for label in (account.negative, account.positive)]

    def paint(figure: Figure) -> None:
        axes = place_axes(figure)
        for (name, share), colour, line in zip(shares.items(), (ORANGE, BLUE), LINES, strict=False):
            axes.stairs(share, edges, color=colour, fill=True, alpha=0.35)
            axes.stairs(
                share,
                edges,
                color=colour,
                linestyle=line,
                linewidth=1.8,
                label=f"{shorten(name_class(account, name))}: {parts[name].sum():,} rows",
            )
        if threshold is not None:
            axes.axvline(threshold, color=INK, linestyle=":", linewidth=1.6, label=f"threshold {threshold:.3g}")
        axes.set_xlabel(f"response for {shorten(name_class(account, account.positive))}")
        axes.set_ylabel("share of the class")
        axes.legend(loc="upper center")
        axes.set_ylim(0, 1.3 * max(share.max() for share in shares.values()))

    return Plot(
        "Responses by class",
        "What the model answers for the rows of each class: the less the two overlap, the better it parts them."
        + (" Rows right of the threshold are called positive." if threshold is not None else ""),
        f"Two histograms of the responses on the {account.rows_name}, for {' and for '.join(names)}.",
        {"edges": as_numbers(edges), "rows": {name: counts.tolist() for name, counts in parts.items()}, "threshold": threshold},
        paint,
    )


def read_responses(account: Account) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows are positive, and their responses.

    Raises
    ------
    NoPicture
        The model gives none, or there is one class alone.
    """
    if account.responses is None:
        raise NoPicture("the model gives no responses, only classes")
    is_positive = account.recorded == account.positive
    if is_positive.all() or not is_positive.any():
        raise NoPicture(f"the {account.rows_name} are of one class alone")
    return is_positive, account.responses


def _look_up(account: Account, name: str, compute: Callable[[np.ndarray, np.ndarray], float]) -> float:
    """Return a metric as it is on record: of many rows each takes a sort."""
    value = account.metrics.get(name)
    return float(compute(*read_responses(account)) if value is None else value)


def _by_class(account: Account, is_positive: np.ndarray) -> dict[str, np.ndarray]:
    return {account.negative: ~is_positive, account.positive: is_positive}


def _rate_chosen(account: Account, is_positive: np.ndarray) -> tuple[float, float]:
    called = account.predicted == account.positive
    return float(called[~is_positive].mean()), float(called[is_positive].mean())


def _finish(axes: Axes, x_label: str, y_label: str, place: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.04)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend(loc=place)
