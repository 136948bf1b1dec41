"""Pictures: what each task has, and what odd values do to them: nothing but leave one out, with a sentence."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from told_runs import TASKS, make_account, make_predictions

from samebits.report.drawing import MOST_POINTS
from samebits.report.gallery import hang_pictures

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


def test_the_scores_of_each_class_are_scikit_learns() -> None:
    account = make_account("multiclass")
    found = {one.name: json.loads(one.values) for one in hang_pictures(account)[0]}

    expected = precision_recall_fscore_support(account.recorded, account.predicted, labels=["a", "b", "c"], zero_division=0.0)
    shown = [found["per_class"][name] for name in ("precision", "recall", "f1", "rows")]
    assert shown == [pytest.approx(values.tolist()) for values in expected]
    assert found["confusion"]["recorded_by_predicted"] == confusion_matrix(account.recorded, account.predicted).tolist()
