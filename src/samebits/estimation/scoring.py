"""Scores: the one that chooses between candidates, the metrics of the final test, and the decision threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import metrics

from samebits.config.catalog import DEFAULT_SCORING, is_regression_scoring
from samebits.data.target import Target
from samebits.errors import ConfigError, Problem
from samebits.estimation.prediction import RESPONSE_METHODS, Prediction
from samebits.keys.config import Config
from samebits.keys.judging import Business, Costs

# scorers that ask which class is the positive one; some of them only of two classes
_BY_POSITIVE_CLASS: dict[str, tuple[Callable[..., float], Any, bool]] = {
    "d2_brier_score": (metrics.d2_brier_score, "predict_proba", True),
    "average_precision": (metrics.average_precision_score, RESPONSE_METHODS, True),
    "f1": (metrics.f1_score, "predict", True),
    "precision": (metrics.precision_score, "predict", True),
    "recall": (metrics.recall_score, "predict", True),
    "jaccard": (metrics.jaccard_score, "predict", True),
    "neg_brier_score": (metrics.brier_score_loss, "predict_proba", False),
}
# These take the second class for the positive one, and another only by the order of both: which of the two ratios it is
_RATIOS = {"positive_likelihood_ratio": (0, 1), "neg_negative_likelihood_ratio": (1, -1)}
# By themselves these take the classes from the fold's own rows.
_BY_ALL_CLASSES: dict[str, tuple[Callable[..., float], bool]] = {
    "d2_brier_score": (metrics.d2_brier_score, True),
    "d2_log_loss_score": (metrics.d2_log_loss_score, True),
    "neg_brier_score": (metrics.brier_score_loss, False),
    "neg_log_loss": (metrics.log_loss, False),
}
_OF_TWO_CLASSES = ("roc_auc", "f1", "precision", "recall", "jaccard", *_RATIOS)


@dataclass(frozen=True)
class Threshold:
    """The response at and above which a row is called positive.

    Parameters
    ----------
    response_method
        What the threshold is compared with: `predict_proba` or `decision_function`.
    precision, recall
        On the training folds, each row scored by a model that had not seen it; a precision of no row called positive is 0.
    goal
        What was asked for, by its key, and, where that is a quantity, what was `reached` on the training folds.
    """

    value: float
    response_method: str
    precision: float
    recall: float
    goal: dict[str, Any]

    def describe(self) -> dict[str, Any]:
        """Return the threshold as plain values; a goal of precision is named by its value alone, as it always was."""
        own = {"value": self.value, "response_method": self.response_method, "precision": self.precision, "recall": self.recall}
        return {**own, **self.goal}


def name_scoring(config: Config, target: Target) -> str:
    """Return the scorer's name in force."""
    return config.scoring or DEFAULT_SCORING[target.task]


def make_scorer(config: Config, target: Target) -> Any:
    """Return the scikit-learn scorer by which candidates are compared; greater is better.

    Raises
    ------
    ConfigError
        The scorer is for another task.
    """
    name = name_scoring(config, target)
    if is_regression_scoring(name) != (target.task == "regression"):
        remedy = "Choose one of scikit-learn's scorers for it, or set task:."
        raise ConfigError(Problem("scoring", f"a scorer for a {target.task} target", repr(name), remedy))
    if name.endswith("_samples") or (name in _OF_TWO_CLASSES and target.task == "multiclass"):
        other = "roc_auc_ovr" if name == "roc_auc" else "balanced_accuracy" if name in _RATIOS else _name_averages(name)
        raise ConfigError(Problem("scoring", f"a scorer for a {target.task} target", repr(name), f"Use {other}."))
    if name in _BY_POSITIVE_CLASS and target.task == "binary":
        function, response_method, greater_is_better = _BY_POSITIVE_CLASS[name]
        return metrics.make_scorer(
            function, response_method=response_method, greater_is_better=greater_is_better, pos_label=target.positive
        )
    if name in _RATIOS:
        return metrics.make_scorer(_compute_ratio, name=name, labels=_put_positive_last(target))
    if name in _BY_ALL_CLASSES and target.task == "multiclass":
        function, greater_is_better = _BY_ALL_CLASSES[name]
        return metrics.make_scorer(
            function, response_method="predict_proba", greater_is_better=greater_is_better, labels=target.labels
        )
    return metrics.get_scorer(name)


def _name_averages(name: str) -> str:
    stem = name.removesuffix("_samples")
    return f"{stem}_macro or {stem}_weighted"


def _put_positive_last(target: Target) -> list[Any]:
    labels = [] if target.labels is None else target.labels.tolist()
    return sorted(labels, key=lambda label: label == target.positive)


def _compute_ratio(y_true: np.ndarray, y_predicted: np.ndarray, name: str, labels: list[Any]) -> float:
    place, sign = _RATIOS[name]
    return float(sign * metrics.class_likelihood_ratios(y_true, y_predicted, labels=labels, replace_undefined_by=1.0)[place])


def choose_threshold(business: Business, is_positive: np.ndarray, responses: np.ndarray, response_method: str) -> Threshold:
    """Return the threshold that the config's business section asks for; the higher one on a tie.

    Parameters
    ----------
    business
        One of its keys is set.
    is_positive
        Shape (n_rows,), bool.
    responses
        Shape (n_rows,): each from a model that had not seen the row.
    """
    if business.target_precision is not None:
        return _keep_precision(is_positive, responses, response_method, business.target_precision)
    choose: dict[str, Callable[..., tuple[float, dict[str, Any]]]] = {
        "threshold": _take_fixed,
        "f_beta": _maximise_f_beta,
        "costs": _minimise_costs,
    }
    method = str(business.method)
    value, goal = choose[method](getattr(business, method), is_positive, responses)
    (hits,), (false_alarms,) = _count_called(is_positive, responses, np.array([value]))
    precision = hits / (hits + false_alarms) if hits + false_alarms else 0.0
    recall = hits / is_positive.sum() if is_positive.any() else 0.0
    return Threshold(float(value), response_method, float(precision), float(recall), {"method": method, **goal})


def _keep_precision(is_positive: np.ndarray, responses: np.ndarray, response_method: str, target_precision: float) -> Threshold:
    """Where no threshold reaches the target, the one of highest precision is returned, and its precision says so."""
    precision, recall, values = metrics.precision_recall_curve(is_positive, responses)
    precision, recall = precision[:-1], recall[:-1]  # the last point has no threshold
    enough = np.flatnonzero(precision >= target_precision)
    best = enough[np.lexsort((values[enough], recall[enough]))[-1]] if len(enough) else np.lexsort((recall, precision))[-1]
    goal = {"target_precision": target_precision}
    return Threshold(float(values[best]), response_method, float(precision[best]), float(recall[best]), goal)


def _take_fixed(threshold: float, is_positive: np.ndarray, responses: np.ndarray) -> tuple[float, dict[str, Any]]:
    return float(threshold), {}


def _maximise_f_beta(beta: float, is_positive: np.ndarray, responses: np.ndarray) -> tuple[float, dict[str, Any]]:
    """F-beta = (1 + beta^2) TP / ((1 + beta^2) TP + beta^2 FN + FP), van Rijsbergen 1979."""
    weight = float(beta) ** 2
    values = np.unique(responses)
    hits, false_alarms = _count_called(is_positive, responses, values)
    weighted = (1 + weight) * hits
    scores = weighted / (weighted + weight * (is_positive.sum() - hits) + false_alarms)
    best = _find_last(scores, scores.max())
    return float(values[best]), {"f_beta": float(beta), "reached": float(scores[best])}


def _minimise_costs(costs: Costs, is_positive: np.ndarray, responses: np.ndarray) -> tuple[float, dict[str, Any]]:
    """To call no row positive may be what costs least: the last threshold lies just above every response."""
    values = np.append(np.unique(responses), np.nextafter(responses.max(), np.inf))
    hits, false_alarms = _count_called(is_positive, responses, values)
    totals = costs.false_positive * false_alarms + costs.false_negative * (is_positive.sum() - hits)
    best = _find_last(totals, totals.min())
    return float(values[best]), {"costs": costs.model_dump(), "reached": float(totals[best])}


def _find_last(values: np.ndarray, wanted: float) -> int:
    return int(np.flatnonzero(values == wanted)[-1])


def _count_called(is_positive: np.ndarray, responses: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each threshold, how many positive and how many negative rows are called positive."""
    positives, negatives = np.sort(responses[is_positive]), np.sort(responses[~is_positive])
    return len(positives) - np.searchsorted(positives, values), len(negatives) - np.searchsorted(negatives, values)


def compute_metrics(target: Target, y_true: np.ndarray, prediction: Prediction) -> dict[str, float]:
    """Return the task's metrics on some rows, by name; those of responses only where there are some."""
    y_predicted, responses = prediction.values, prediction.responses
    if target.task == "regression":
        return _compute_regression(y_true, y_predicted)
    target, y_true, y_predicted = _number_labels(target, y_true, y_predicted)
    found = {
        "accuracy": metrics.accuracy_score(y_true, y_predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(y_true, y_predicted),
        "matthews_corrcoef": metrics.matthews_corrcoef(y_true, y_predicted),
    }
    compute = _compute_binary if target.task == "binary" else _compute_multiclass
    found.update(compute(target, y_true, y_predicted, responses))
    return {name: float(value) for name, value in found.items()}


def _number_labels(target: Target, y_true: np.ndarray, y_predicted: np.ndarray) -> tuple[Target, np.ndarray, np.ndarray]:
    """Return the same with 0, 1, … for the labels in their order: scikit-learn counts texts one by one, and these at once."""
    labels = target.labels
    assert labels is not None
    numbered = [np.minimum(np.searchsorted(labels, values), len(labels) - 1) for values in (y_true, y_predicted)]
    if not all(np.array_equal(labels[codes], values) for codes, values in zip(numbered, (y_true, y_predicted), strict=True)):
        return target, y_true, y_predicted  # a stranger's model says what is no label
    positive = None if target.positive is None else int(np.flatnonzero(labels == target.positive)[0])
    return Target(target.task, numbered[0], np.arange(len(labels)), positive), numbered[0], numbered[1]


def _compute_binary(target: Target, y_true: np.ndarray, y_predicted: np.ndarray, responses: np.ndarray | None) -> dict[str, float]:
    by_class: dict[str, Any] = {"pos_label": target.positive, "zero_division": 0.0}
    found = {
        "precision": metrics.precision_score(y_true, y_predicted, **by_class),
        "recall": metrics.recall_score(y_true, y_predicted, **by_class),
        "f1": metrics.f1_score(y_true, y_predicted, **by_class),
    }
    is_positive = y_true == target.positive
    if responses is not None and 0 < is_positive.sum() < len(is_positive):
        found["roc_auc"] = metrics.roc_auc_score(is_positive, responses)
        found["average_precision"] = metrics.average_precision_score(is_positive, responses)
        if responses.min() >= 0 and responses.max() <= 1:
            found["brier_score"] = metrics.brier_score_loss(is_positive, responses)
            found["log_loss"] = metrics.log_loss(is_positive, responses, labels=[False, True])
    return found


def _compute_multiclass(target: Target, y_true: np.ndarray, y_predicted: np.ndarray, responses: np.ndarray | None) -> dict[str, float]:
    found = {}
    for average in ("macro", "weighted"):
        settings: dict[str, Any] = {"average": average, "zero_division": 0.0, "labels": target.labels}
        found[f"precision_{average}"] = metrics.precision_score(y_true, y_predicted, **settings)
        found[f"recall_{average}"] = metrics.recall_score(y_true, y_predicted, **settings)
        found[f"f1_{average}"] = metrics.f1_score(y_true, y_predicted, **settings)
    if responses is not None and target.labels is not None:
        found["log_loss"] = metrics.log_loss(y_true, responses, labels=target.labels)
        if len(np.unique(y_true)) == len(target.labels):
            found["roc_auc_ovr"] = metrics.roc_auc_score(y_true, responses, multi_class="ovr", labels=target.labels)
    return found


def _compute_regression(y_true: np.ndarray, y_predicted: np.ndarray) -> dict[str, float]:
    found = {
        "r2": metrics.r2_score(y_true, y_predicted),
        "rmse": metrics.root_mean_squared_error(y_true, y_predicted),
        "mae": metrics.mean_absolute_error(y_true, y_predicted),
        "median_absolute_error": metrics.median_absolute_error(y_true, y_predicted),
        "max_error": metrics.max_error(y_true, y_predicted),
        "explained_variance": metrics.explained_variance_score(y_true, y_predicted),
    }
    return {name: float(value) for name, value in found.items()}
