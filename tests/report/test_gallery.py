"""Pictures: what each task has, and what odd values do to them: nothing but leave one out, with a sentence."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)
from told_runs import TASKS, make_account, make_predictions

from samebits.report.account import Account
from samebits.report.drawing import MOST_POINTS
from samebits.report.gallery import Picture, hang_pictures

NAMES = {
    "binary": ["confusion", "precision_recall", "roc", "scores", "calibration", "candidates", "importance"],
    "multiclass": ["confusion", "per_class", "roc", "candidates", "importance"],
    "regression": ["observed", "residuals", "candidates", "importance"],
}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_has_its_pictures_each_with_what_it_shows(task: str) -> None:
    pictures, left_out = hang_pictures(make_account(task))

    assert [one.name for one in pictures] == NAMES[task] and left_out == []
    for one in pictures:
        image = Image.open(io.BytesIO(one.png))
        assert min(image.size) >= 300 and image.mode in ("RGB", "RGBA")
        assert image.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)  # readable on a dark page
        assert not set(image.info) & {"Software", "Creation Time"}
        assert {"title", "caption"} < set(json.loads(one.values))


def test_the_data_of_a_picture_is_what_it_shows() -> None:
    account = make_account("binary")
    found = {one.name: json.loads(one.values) for one in hang_pictures(account)[0]}

    is_yes, called = account.recorded == "yes", account.predicted == "yes"
    assert found["confusion"]["recorded_by_predicted"] == [
        [(~is_yes & ~called).sum(), (~is_yes & called).sum()],
        [(is_yes & ~called).sum(), (is_yes & called).sum()],
    ]
    assert found["precision_recall"]["chosen"] == [called[is_yes].mean(), is_yes[called].mean()]
    assert found["scores"]["threshold"] == 0.4


def test_curves_say_the_metrics_on_record_and_compute_what_is_not_there() -> None:
    account = make_account("binary")
    stage = {"test": {**account.stages["metrics"]["test"], "roc_auc": 0.25, "average_precision": 0.5, "brier_score": 0.125}}
    recorded = dataclasses.replace(account, stages={**account.stages, "metrics": stage})
    said, computed = ({one.name: json.loads(one.values) for one in hang_pictures(told)[0]} for told in (recorded, account))

    names = {"roc": "area", "precision_recall": "average_precision", "calibration": "brier_score"}
    assert [said[picture][name] for picture, name in names.items()] == [0.25, 0.5, 0.125]
    is_yes, responses = account.recorded == "yes", account.responses
    scores = (roc_auc_score, average_precision_score, brier_score_loss)
    assert [computed[picture][name] for picture, name in names.items()] == [score(is_yes, responses) for score in scores]


def test_rows_of_one_class_leave_curves_out_and_the_rest_stands() -> None:
    pictures, left_out = hang_pictures(make_account("binary", make_predictions("binary").assign(recorded="no")))

    assert [one.name for one in pictures] == ["confusion", "candidates", "importance"]
    assert "Left out is the ROC curve: the test rows are of one class alone." in left_out and len(left_out) == 4


def test_a_model_without_responses_has_no_curves() -> None:
    pictures, left_out = hang_pictures(make_account("binary", make_predictions("binary").drop(columns="response")))

    assert "roc" not in [one.name for one in pictures]
    assert "Left out is the ROC curve: the model gives no responses, only classes." in left_out


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_predictions_that_are_no_numbers_leave_pictures_out(value: float) -> None:
    table = make_predictions("regression")
    table.loc[3, "predicted"] = value

    pictures, left_out = hang_pictures(make_account("regression", table))

    assert [one.name for one in pictures] == ["candidates", "importance"]
    assert "Left out is the residuals: some predictions are no finite numbers." in left_out


def test_decisions_that_are_no_probabilities_are_not_calibrated() -> None:
    table = make_predictions("binary")
    _, left_out = hang_pictures(make_account("binary", table.assign(response=table["response"] * 10 - 5)))

    assert left_out == ["Left out is the calibration curve: the model gives no probabilities."]


def test_many_rows_are_drawn_by_a_fixed_seed_and_said() -> None:
    table = make_predictions("regression", 4000)
    found = [{one.name: one for one in hang_pictures(make_account("regression", table))[0]} for _ in range(2)]

    assert found[0] == found[1]
    assert len(json.loads(found[0]["residuals"].values)["residual"]) == MOST_POINTS
    assert "1,500 of 4,000, drawn by a fixed seed" in found[0]["residuals"].caption
    assert len(found[0]["residuals"].svg) < 400_000


def test_many_classes_are_shown_by_the_most_frequent() -> None:
    table = make_predictions("multiclass", 400)
    names = np.array([f"class {number:02} of a very long name" for number in range(40)])
    table = table.assign(recorded=names[np.arange(400) % 40], predicted=names[np.arange(400) % 37]).filter(["recorded", "predicted"])

    pictures, _ = hang_pictures(make_account("multiclass", table))

    shown = {one.name: json.loads(one.values) for one in pictures}
    assert len(shown["confusion"]["labels"]) == len(shown["per_class"]["labels"]) == 20
    assert "20 most frequent of 40 classes" in pictures[0].caption


def test_what_was_explored_is_drawn_where_it_was_asked_for() -> None:
    account = make_account("binary")
    account.explored["partial_dependence"] = {
        "of": "response for yes",
        "n_rows": 90,
        "columns": {"x": {"values": [0.0, 1.0], "mean": [0.2, 0.8]}},
    }
    account.explored["learning_curve"] = {"left_out": "a score has no value on so few rows"}

    pictures, left_out = hang_pictures(account)

    assert pictures[-1].name == "partial_dependence"
    assert left_out == ["Left out is the learning curve: a score has no value on so few rows."]


def test_the_epochs_of_a_network_are_shown_with_the_one_that_was_taken() -> None:
    account = make_account("binary")
    account.explored["epochs"] = {"train": [0.7, 0.5, 0.4], "valid": [0.71, 0.55, 0.6], "best_epoch": 1}

    pictures, _ = hang_pictures(account)

    assert pictures[-1].name == "epochs"
    assert "The network is that of epoch 2, whose loss on the rows held back was least: 0.55." in pictures[-1].caption


@pytest.mark.parametrize(
    "odd", [{"train": [], "valid": [], "best_epoch": 0}, {"train": [float("nan")], "valid": [], "best_epoch": 0}, {"train": "x"}]
)
def test_epochs_that_are_none_cost_no_page(odd: dict[str, Any]) -> None:
    account = make_account("binary")
    account.explored["epochs"] = odd

    pictures, left_out = hang_pictures(account)

    assert "epochs" not in [picture.name for picture in pictures]
    assert any(line.startswith("Left out is the curve of losses by epoch: ") for line in left_out)


def test_the_scores_of_each_class_are_scikit_learns() -> None:
    account = make_account("multiclass")
    found = {one.name: json.loads(one.values) for one in hang_pictures(account)[0]}

    expected = precision_recall_fscore_support(account.recorded, account.predicted, labels=["a", "b", "c"], zero_division=0.0)
    shown = [found["per_class"][name] for name in ("precision", "recall", "f1", "rows")]
    assert shown == [pytest.approx(values.tolist()) for values in expected]
    assert found["confusion"]["recorded_by_predicted"] == confusion_matrix(account.recorded, account.predicted).tolist()


@pytest.mark.parametrize(
    ("scoring", "said"),
    [
        ("neg_root_mean_squared_error", "rise of RMSE when"),
        ("neg_mean_squared_error", "rise of mean squared error when"),
        ("r2", "loss of R² when"),
    ],
)
def test_an_error_rises_and_a_score_is_lost_when_a_column_is_shuffled(scoring: str, said: str) -> None:
    account = make_account("regression")
    account.explored["importance"]["scoring"] = scoring

    assert said in draw_all(account)["importance"].svg


def draw_all(account: Account) -> dict[str, Picture]:
    return {one.name: one for one in hang_pictures(account)[0]}


def make_seven() -> Account:
    """Return an account of seven classes, of which the sixth has four rows, the seventh one, and an eighth none."""
    recorded = np.array(list("1111122222333334444455555") * 8 + list("66667"))
    predicted = np.where(np.isin(recorded, ["6", "7"]), "1", np.roll(recorded, 1))
    responses = np.random.default_rng(1).dirichlet(np.ones(8), size=len(recorded))
    table = pd.DataFrame({"recorded": recorded, "predicted": predicted})
    return make_account("multiclass", table.assign(**{f"probability_{place + 1}": responses[:, place] for place in range(8)}))


def test_classes_of_few_rows_are_named_and_the_hardest_are_all_named() -> None:
    found = draw_all(make_seven())

    assert "say little: outcome = 6 (4 rows), 7 (1 row), 8 (0 rows)." in found["confusion"].caption
    assert "Hardest for the model are outcome = 6, 7 and 8: F1 0.000." in found["per_class"].caption


def test_a_class_without_a_curve_is_named() -> None:
    caption = draw_all(make_seven())["roc"].caption

    assert "Left out, beside the 6 classes of most rows: outcome = 7 (1 row)." in caption
    assert "Without a curve, for no row shows it: outcome = 8." in caption


def read_letters(svg: str, word: str) -> list[float]:
    return [float(size) for size in re.findall(rf'<text style="font-size: ([\d.]+)px[^>]*>{re.escape(word)}</text>', svg)]


@pytest.mark.parametrize("n_classes", [2, 5, 7, 12, 20])
def test_a_class_is_as_large_below_a_confusion_matrix_as_beside_it_and_readable(n_classes: int) -> None:
    names = np.array([f"kind{number:02}" for number in range(n_classes)])
    table = pd.DataFrame({"recorded": np.repeat(names, 30), "predicted": np.tile(names, 30)})

    svg = draw_all(make_account("multiclass", table))["confusion"].svg

    sizes = [read_letters(svg, name) for name in names]
    assert all(len(one) == 2 and one[0] == one[1] >= 6.5 for one in sizes), sizes
    counts = read_letters(svg, str(int((table["recorded"] + table["predicted"] == names[0] * 2).sum())))
    assert all(size >= 6.5 for size in counts)


def test_a_bar_of_nothing_is_labelled() -> None:
    found = draw_all(make_seven())

    n_zero = sum(json.loads(found["per_class"].values)[name].count(0.0) for name in ("precision", "recall", "f1"))
    assert n_zero == 9 and len(re.findall(">0</text>", found["per_class"].svg)) == n_zero
    assert len(re.findall(">0</text>", found["importance"].svg)) == 1  # of site, which changed nothing


def test_every_line_of_the_residuals_is_named() -> None:
    svg = draw_all(make_account("regression"))["residuals"].svg

    assert all(f">{name}" in svg for name in ("nine rows of ten", "as predicted, so it is", "median ", "a row"))


def test_large_residuals_are_told_in_digits() -> None:
    table = make_predictions("regression")
    caption = draw_all(make_account("regression", table.assign(predicted=table["predicted"] + 1e6)))["residuals"].caption

    assert "-1,000,000" in caption and "e+" not in caption


def test_a_class_that_is_no_word_is_told_with_its_column_in_pictures() -> None:
    table = make_predictions("binary").replace({"yes": "1", "no": "0"})
    account = make_account("binary", table, {"data": {"target": "survived", "positive": 1}})
    account.explored["partial_dependence"] = {
        "of": "response for 1",
        "n_rows": 90,
        "columns": {"x": {"values": [0.0, 1.0], "mean": [0.2, 0.8]}},
    }

    found = draw_all(account)

    assert "rows of survived = 0" in found["roc"].caption and "called survived = 1 are so" in found["precision_recall"].caption
    assert (
        "survived = 1: " in found["scores"].svg
        and "those of numbers: response for survived = 1," in found["partial_dependence"].caption
    )


def test_the_trials_of_a_search_are_shown_where_there_was_one() -> None:
    account = make_account("regression")
    trials = [
        {"candidate": name, "trial": place, "values": {}, "mean": -1.0 / place} for place in (1, 2, 3) for name in ("ridge", "tree")
    ]
    trials[0]["rows"] = 40
    account.stages["cross_validation"]["search"] = {"method": "random", "n_trials": 8, "n_failed": 1, "shown": trials}

    pictures, left_out = hang_pictures(account)

    found = {one.name: one for one in pictures}["trials"]
    assert json.loads(found.values)["means"] == [1.0, 1.0, 0.5, 0.5, 1 / 3, 1 / 3]
    assert "Mean RMSE in the folds of the 6 best of 8 trials. 1 that failed is left out." in found.caption
    assert left_out == []
    account.stages["cross_validation"]["search"]["shown"] = trials[:1]
    assert "Left out is the trials of the search: fewer than two trials could be scored." in hang_pictures(account)[1]
