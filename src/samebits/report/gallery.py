"""The gallery: which pictures a run has, by its task and by what was asked for; each drawn, or left out with a sentence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

from samebits.config.catalog import Task
from samebits.digests import canonical_json
from samebits.report.account import Account
from samebits.report.classes import plot_confusion, plot_per_class, plot_roc_by_class
from samebits.report.comparisons import (
    plot_candidates,
    plot_dependence,
    plot_epochs,
    plot_importance,
    plot_learning,
    plot_trials,
)
from samebits.report.decisions import plot_calibration, plot_precision_recall, plot_roc, plot_scores
from samebits.report.drawing import NoPicture, Plot, draw
from samebits.report.quantities import plot_observed, plot_residuals

_Maker = Callable[[Account], Plot]
_BY_TASK: dict[Task, dict[str, _Maker]] = {
    "binary": {
        "confusion": plot_confusion,
        "precision_recall": plot_precision_recall,
        "roc": plot_roc,
        "scores": plot_scores,
        "calibration": plot_calibration,
    },
    "multiclass": {"confusion": plot_confusion, "per_class": plot_per_class, "roc": plot_roc_by_class},
    "regression": {"observed": plot_observed, "residuals": plot_residuals},
}
_OF_ALL: dict[str, _Maker] = {"candidates": plot_candidates, "importance": plot_importance}
_SEARCHED: dict[str, _Maker] = {"trials": plot_trials}
_EXPLORED: dict[str, _Maker] = {"partial_dependence": plot_dependence, "learning_curve": plot_learning, "epochs": plot_epochs}
TITLES = {
    "confusion": "the confusion matrix",
    "precision_recall": "the precision-recall curve",
    "roc": "the ROC curve",
    "scores": "the responses by class",
    "calibration": "the calibration curve",
    "per_class": "the scores of each class",
    "observed": "predicted against observed",
    "residuals": "the residuals",
    "candidates": "the candidates' scores",
    "importance": "the columns' importance",
    "trials": "the trials of the search",
    "partial_dependence": "the partial dependence",
    "learning_curve": "the learning curve",
    "epochs": "the curve of losses by epoch",
}


@dataclass(frozen=True)
class Picture:
    """A picture with its words.

    Parameters
    ----------
    values
        What it shows, as a JSON document.
    """

    name: str
    title: str
    caption: str
    png: bytes
    svg: str
    values: bytes


Gallery = tuple[list[Picture], list[str]]


def hang_pictures(account: Account) -> Gallery:
    """Return the pictures of a run in the order they are looked at, and why each that is left out is."""
    wanted = {**_BY_TASK[account.task], **_OF_ALL}
    wanted |= _SEARCHED if "search" in account.stages["cross_validation"] else {}
    wanted |= {name: make for name, make in _EXPLORED.items() if name in account.explored}
    pictures, left_out = [], []
    for name, make in wanted.items():
        try:
            pictures.append(_make_picture(name, make, account))
        except NoPicture as reason:
            left_out.append(f"Left out is {TITLES[name]}: {reason}.")
        except Exception as error:  # whatever a library raises of odd values: a picture is never worth a run
            left_out.append(f"Left out is {TITLES[name]}: it could not be drawn ({type(error).__name__}).")
    return pictures, left_out


def _make_picture(name: str, make: _Maker, account: Account) -> Picture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plot = make(account)
        values = canonical_json({**plot.values, "title": plot.title, "caption": plot.caption})
        drawn = draw(name, plot)
    return Picture(name, plot.title, plot.caption, drawn.png, drawn.svg, values)
