"""Intervals: what is computed of resampled rows is what scikit-learn computes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from samebits.data.target import Target
from samebits.estimation import resampling
from samebits.estimation.prediction import Prediction
from samebits.estimation.resampling import resample_metrics
from samebits.estimation.scoring import compute_metrics


def make_case(task: str, n: int = 60, seed: int = 5) -> tuple[Target, np.ndarray, Prediction]:
    rng = np.random.default_rng(seed)
    if task == "regression":
        y = rng.normal(size=n)
        return Target("regression", y, None), y, Prediction(y + rng.normal(size=n) / 3, None)
    if task == "binary":
        y = np.where(rng.random(n) < 0.4, "yes", "no")
        responses = np.round(np.clip((y == "yes") * 0.3 + rng.random(n) * 0.7, 0, 1), 1)  # with ties
        labels = np.array(["no", "yes"])
        return Target("binary", y, labels, "yes"), y, Prediction(np.where(responses >= 0.5, "yes", "no"), responses)
    y = rng.integers(0, 3, n)
    responses = rng.dirichlet(np.ones(3), n) * 0.5 + 0.5 * np.eye(3)[y]
    return Target("multiclass", y, np.arange(3)), y, Prediction(responses.argmax(axis=1), responses)


def compute(task: str, counts: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """Return the metrics of rows drawn so often, as they are computed here and by scikit-learn."""
    target, y, prediction = make_case(task)
    drawn = np.repeat(np.arange(len(y)), counts)
    responses = prediction.responses
    taken = Prediction(prediction.values[drawn], None if responses is None else responses[drawn])
    ours = resampling._prepare(target, y, prediction)(counts[np.newaxis].astype(float))
    return {name: float(values[0]) for name, values in ours.items()}, compute_metrics(target, y[drawn], taken)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_metrics_of_drawn_rows_are_those_of_scikit_learn(task: str, seed: int | None) -> None:
    n = 60
    counts = np.ones(n, int) if seed is None else np.bincount(np.random.default_rng(seed).integers(0, n, n), minlength=n)

    ours, theirs = compute(task, counts)

    unknown = {"median_absolute_error", "max_error", "roc_auc_ovr"}
    assert set(ours) == set(theirs) - unknown
    assert ours == pytest.approx({name: theirs[name] for name in ours}, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_an_interval_holds_the_value_and_is_the_same_each_time(task: str) -> None:
    target, y, prediction = make_case(task, 300)
    values = compute_metrics(target, y, prediction)

    left, right = (resample_metrics(target, y, prediction, 7) for _ in range(2))

    assert left == right
    assert left.n_resamples == 1000
    assert all(low <= values[name] <= high for name, (low, high) in left.intervals.items())


def test_the_blocks_draw_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case("binary")
    whole = resample_metrics(*case, 7)

    monkeypatch.setattr(resampling, "_BLOCK_CELLS", 1)

    found = resample_metrics(*case, 7)
    assert found.intervals == {name: pytest.approx(ends, rel=1e-12) for name, ends in whole.intervals.items()}


def test_a_known_standard_error_is_met() -> None:
    rng = np.random.default_rng(0)
    errors = rng.normal(size=2000)
    target = Target("regression", errors, None)

    found = resample_metrics(target, errors, Prediction(np.zeros(2000), None), 3)

    low, high = found.intervals["mae"]
    expected = 2 * 1.96 * np.abs(errors).std() / np.sqrt(2000)
    assert high - low == pytest.approx(expected, rel=0.1)


def test_rows_of_a_group_are_drawn_together() -> None:
    target, y, _ = make_case("regression", 200)
    groups = np.repeat(np.arange(10), 20)
    prediction = Prediction(y + np.repeat(np.random.default_rng(1).normal(size=10), 20), None)  # errors alike within a group

    alone, together = (resample_metrics(target, y, prediction, 1, one).intervals["mae"] for one in (None, groups))

    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_many_rows_are_drawn_less_often() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=40_000)

    found = resample_metrics(Target("regression", y, None), y, Prediction(np.zeros(40_000), None), 1)

    assert found.n_resamples == 250


def test_one_class_among_the_rows_has_no_interval_of_a_ranking() -> None:
    target, _, prediction = make_case("binary")
    y: Any = np.full(60, "no")

    found = resample_metrics(target, y, prediction, 1)

    assert "roc_auc" not in found.intervals and "accuracy" in found.intervals


def test_macro_recall_and_balanced_accuracy_have_one_interval_though_some_draws_lack_a_class() -> None:
    target, y, prediction = make_case("multiclass", 300)
    y[y == 2] = 1
    y[:2] = 2  # 2 of 300 rows: every seventh draw has none of them
    target = Target("multiclass", y, np.arange(3))

    found = resample_metrics(target, y, prediction, 3)

    assert found.intervals["recall_macro"] == found.intervals["balanced_accuracy"]


def test_a_class_that_no_test_row_has_counts_in_the_interval_as_it_does_in_the_metric() -> None:
    _, y, prediction = make_case("multiclass", 300)
    target, prediction = Target("multiclass", y, np.arange(4)), Prediction(prediction.values, None)
    values = compute_metrics(target, y, prediction)

    found = resample_metrics(target, y, prediction, 3)

    low, high = found.intervals["recall_macro"]
    assert low <= values["recall_macro"] <= high <= 0.75


def test_of_very_many_rows_some_are_drawn_and_their_widths_taken_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    target, y, prediction = make_case("binary", n=20_000)
    whole = resample_metrics(target, y, prediction, seed=1)
    monkeypatch.setattr(resampling, "_MOST_ROWS", 5000)

    some = resample_metrics(target, y, prediction, seed=1)

    metrics = compute_metrics(target, y, prediction)
    assert (whole.of_rows, some.of_rows) == (None, 5000) and some.intervals.keys() == whole.intervals.keys()
    for name, (low, high) in some.intervals.items():
        assert low < metrics[name] < high
        assert high - low == pytest.approx(whole.intervals[name][1] - whole.intervals[name][0], rel=0.2)
