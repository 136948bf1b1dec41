"""The decision threshold, each way of choosing it held to its definition by trying every threshold there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, fbeta_score, precision_recall_curve, precision_score

from samebits.data.target import Target
from samebits.estimation.prediction import Prediction
from samebits.estimation.scoring import choose_threshold, compute_metrics, make_scorer
from samebits.keys.config import Config
from samebits.keys.judging import Business, Costs


def draw_responses(seed: int = 0, decimals: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    is_positive = rng.random(400) < 0.4
    return is_positive, np.round(is_positive * 0.5 + rng.random(400), decimals)


def test_the_threshold_has_the_highest_recall_that_keeps_the_precision() -> None:
    rng = np.random.default_rng(0)
    is_positive = rng.random(400) < 0.4
    responses = is_positive * 0.5 + rng.random(400)

    threshold = choose_threshold(Business(target_precision=0.8), is_positive, responses, "predict_proba")

    called = responses >= threshold.value
    assert threshold.precision == (is_positive & called).sum() / called.sum() >= 0.8
    assert threshold.recall == (is_positive & called).sum() / is_positive.sum()
    precision, recall, _ = precision_recall_curve(is_positive, responses)
    assert threshold.recall == recall[:-1][precision[:-1] >= 0.8].max()


def test_a_precision_out_of_reach_is_said_and_not_pretended() -> None:
    threshold = choose_threshold(
        Business(target_precision=0.99), np.array([True, False, True, False]), np.array([0.1, 0.9, 0.2, 0.8]), "predict_proba"
    )

    assert threshold.precision < threshold.goal["target_precision"]


def test_a_target_precision_is_described_as_it_always_was() -> None:
    threshold = choose_threshold(Business(target_precision=0.8), *draw_responses(), "predict_proba")

    assert list(threshold.describe()) == ["value", "response_method", "precision", "recall", "target_precision"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_f_beta_is_highest_at_the_threshold_and_lower_at_every_higher_one(beta: float, seed: int) -> None:
    is_positive, responses = draw_responses(seed)

    threshold = choose_threshold(Business(f_beta=beta), is_positive, responses, "predict_proba")

    scores = {value: fbeta_score(is_positive, responses >= value, beta=beta) for value in np.unique(responses).tolist()}
    assert threshold.goal == {"method": "f_beta", "f_beta": beta, "reached": pytest.approx(max(scores.values()), abs=1e-12)}
    assert scores[threshold.value] == pytest.approx(max(scores.values()), abs=1e-12)
    assert all(score < threshold.goal["reached"] for value, score in scores.items() if value > threshold.value)


def count_cost(costs: Costs, is_positive: np.ndarray, called: np.ndarray) -> float:
    _, false_positives, false_negatives, _ = confusion_matrix(is_positive, called, labels=[False, True]).ravel().tolist()
    return costs.false_positive * false_positives + costs.false_negative * false_negatives


@pytest.mark.parametrize("pair", [(1.0, 5.0), (5.0, 1.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)])
def test_no_threshold_costs_less_and_every_higher_one_costs_more(pair: tuple[float, float]) -> None:
    costs = Costs(false_positive=pair[0], false_negative=pair[1])
    is_positive, responses = draw_responses()

    threshold = choose_threshold(Business(costs=costs), is_positive, responses, "predict_proba")

    totals = {value: count_cost(costs, is_positive, responses >= value) for value in [*np.unique(responses).tolist(), 9.0]}
    assert threshold.goal["reached"] == min(totals.values()) == count_cost(costs, is_positive, responses >= threshold.value)
    assert all(total > threshold.goal["reached"] for value, total in totals.items() if threshold.value < value < 9.0)


def test_where_calling_nobody_costs_least_nobody_is_called() -> None:
    costs = Costs(false_positive=100.0, false_negative=1.0)
    is_positive, responses = np.array([True, False, False]), np.array([0.5, 0.9, 0.9])

    threshold = choose_threshold(Business(costs=costs), is_positive, responses, "predict_proba")

    assert not (responses >= threshold.value).any()
    assert (threshold.precision, threshold.recall, threshold.goal["reached"]) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("value", [0.0, 0.7, -3.5])
def test_a_fixed_threshold_is_taken_as_it_is_with_the_precision_and_recall_it_comes_to(value: float) -> None:
    is_positive, responses = draw_responses()

    threshold = choose_threshold(Business(threshold=value), is_positive, responses, "decision_function")

    called = responses >= value
    described: dict[str, Any] = threshold.describe()
    assert described == {
        "value": value,
        "response_method": "decision_function",
        "precision": (is_positive & called).sum() / called.sum(),
        "recall": (is_positive & called).sum() / is_positive.sum(),
        "method": "threshold",
    }


def score(name: str, task: str, y: list[Any], model: Any, positive: Any = None) -> float:
    labels = np.unique(y)
    config = Config.model_construct(scoring=name)  # type: ignore[call-arg]
    target = Target(task, np.array(y), labels, positive)  # type: ignore[arg-type]
    return float(make_scorer(config, target)(model, np.zeros((len(y), 1)), np.array(y)))


class Saying:
    """A fitted classifier that says what it was told to."""

    _estimator_type = "classifier"

    def __init__(self, labels: list[Any], responses: Any) -> None:
        self.classes_, self.responses = np.array(labels), np.array(responses)

    def __sklearn_tags__(self) -> Any:
        return LogisticRegression().__sklearn_tags__()

    def fit(self) -> None: ...

    def predict(self, X: Any) -> np.ndarray:
        labels: np.ndarray = self.classes_[self.responses.argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:
        return self.responses


@pytest.mark.parametrize("positive", ["bad", "good"])
def test_the_positive_class_is_the_one_that_was_named(positive: str) -> None:
    y = ["bad"] * 5 + ["good"] * 3
    bad = np.array([0.9, 0.8, 0.6, 0.4, 0.7, 0.55, 0.2, 0.1])
    model = Saying(["bad", "good"], np.column_stack([bad, 1 - bad]))
    is_positive, called = np.array(y) == positive, (bad > 0.5) == (positive == "bad")
    hits, alarms = called[is_positive].mean(), called[~is_positive].mean()
    errors = is_positive - (bad if positive == "bad" else 1 - bad)

    assert score("positive_likelihood_ratio", "binary", y, model, positive) == pytest.approx(hits / alarms)
    assert score("neg_negative_likelihood_ratio", "binary", y, model, positive) == pytest.approx(-(1 - hits) / (1 - alarms))
    explained = 1 - (errors**2).mean() / (is_positive - is_positive.mean()).var()
    assert score("d2_brier_score", "binary", y, model, positive) == pytest.approx(explained)


@pytest.mark.parametrize("name", ["d2_brier_score", "d2_log_loss_score", "neg_brier_score", "neg_log_loss"])
def test_rows_that_lack_a_class_are_scored_by_all_of_the_targets(name: str) -> None:
    target = Target("multiclass", np.array([]), np.array(["a", "b", "c"]), None)
    model = Saying(["a", "b", "c"], [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.2, 0.3]])

    config = Config.model_construct(scoring=name)  # type: ignore[call-arg]

    found = make_scorer(config, target)(model, np.zeros((3, 1)), np.array(["a", "b", "b"]))

    assert np.isfinite(found)


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [3, 7], ["a", "b", "c"]])
def test_metrics_are_those_of_the_labels_whatever_they_are(labels: list[Any]) -> None:
    rng = np.random.default_rng(3)
    names = np.array(labels)
    y, predicted = names[rng.integers(0, len(labels), 200)], names[rng.integers(0, len(labels), 200)]
    is_binary = len(labels) == 2
    target = Target("binary" if is_binary else "multiclass", y, names, labels[0] if is_binary else None)

    found = compute_metrics(target, y, Prediction(predicted, None))

    asked: dict[str, Any] = {"pos_label": labels[0]} if is_binary else {"average": "macro"}
    assert found["precision" if is_binary else "precision_macro"] == precision_score(y, predicted, **asked)
    assert found["balanced_accuracy"] == balanced_accuracy_score(y, predicted)


def test_what_a_strangers_model_says_beside_the_labels_counts_as_wrong() -> None:
    y = np.array(["a", "b", "c", "a"])
    target = Target("multiclass", y, np.array(["a", "b", "c"]))

    found = compute_metrics(target, y, Prediction(np.array(["a", "b", "d", "b"]), None))

    assert found["accuracy"] == 0.5
