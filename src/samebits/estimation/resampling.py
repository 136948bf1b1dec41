"""Metrics of resampled rows: how far a metric might be off, had other rows of the same kind been held back.

The bootstrap of Efron (1979) with percentile intervals: rows, or whole groups where no split may part them, are drawn with
replacement, and each metric is computed from how often each row was drawn. What is computed here for rows drawn once each is what
`scoring` computes; a metric that is not here has no interval. A mean over classes is one over those of which rows were drawn, so that
balanced accuracy and macro recall, which are one number, have one interval.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from samebits.data.target import Target
from samebits.estimation.prediction import Prediction

CONFIDENCE = 0.95
_MOST_DRAWS = 10_000_000  # rows drawn in all, from which on there are fewer resamples
_MOST_RESAMPLES, _FEWEST_RESAMPLES = 1000, 200
_BLOCK_CELLS = 2_000_000
_MOST_CLASSES = 50
_MOST_ROWS = 1_000_000  # from more than these so many are drawn
Metrics = dict[str, np.ndarray]  # name: shape (n_resamples,), NaN where a metric has no value


@dataclass(frozen=True)
class Resampled:
    """Intervals of metrics.

    Parameters
    ----------
    intervals
        Lower and upper end, by metric.
    of_rows
        So many of the rows, drawn once each, were resampled; None: all.
    """

    n_resamples: int
    intervals: dict[str, tuple[float, float]]
    of_rows: int | None = None


def resample_metrics(
    target: Target, y_true: np.ndarray, prediction: Prediction, seed: int, groups: np.ndarray | None = None
) -> Resampled:
    """Return intervals of those metrics that are known here.

    Parameters
    ----------
    y_true
        Shape (n_rows,).
    seed
        Of the draws.
    groups
        Shape (n_rows,), integers from 0: rows that are drawn together. None: each by itself.
    """
    n_rows = len(y_true)
    if groups is None and n_rows > _MOST_ROWS:
        return _resample_some(target, y_true, prediction, seed)
    n_resamples = int(np.clip(_MOST_DRAWS // max(1, n_rows), _FEWEST_RESAMPLES, _MOST_RESAMPLES))
    compute = _prepare(target, y_true, prediction)
    blocks = [compute(counts) for counts in _draw(n_rows, n_resamples, seed, groups)]
    values = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    return Resampled(n_resamples, {name: ends for name, found in values.items() if (ends := _find_ends(found)) is not None})


def _resample_some(target: Target, y_true: np.ndarray, prediction: Prediction, seed: int) -> Resampled:
    """Widths shrink with the root of the number of rows: those of some rows are taken to all (m out of n, Bickel et al. 1997)."""
    n_rows = len(y_true)
    some = np.sort(np.random.default_rng(seed).choice(n_rows, _MOST_ROWS, replace=False))
    responses = None if prediction.responses is None else prediction.responses[some]
    drawn = Prediction(prediction.values[some], responses)
    found = resample_metrics(target, y_true[some], drawn, seed)
    whole, part = _compute_once(target, y_true, prediction), _compute_once(target, y_true[some], drawn)
    shrunk = np.sqrt(_MOST_ROWS / n_rows)
    intervals = {
        name: (float(whole[name] + (low - part[name]) * shrunk), float(whole[name] + (high - part[name]) * shrunk))
        for name, (low, high) in found.intervals.items()
    }
    return Resampled(found.n_resamples, intervals, _MOST_ROWS)


def _compute_once(target: Target, y_true: np.ndarray, prediction: Prediction) -> dict[str, float]:
    found = _prepare(target, y_true, prediction)(np.ones((1, len(y_true))))
    return {name: float(values[0]) for name, values in found.items()}


def _draw(n_rows: int, n_resamples: int, seed: int, groups: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield how often each row was drawn, shape (n_block, n_rows), some resamples at a time."""
    generator = np.random.default_rng(seed)
    n_units = n_rows if groups is None else int(groups.max()) + 1
    n_block = max(1, _BLOCK_CELLS // max(n_units, n_rows))
    for start in range(0, n_resamples, n_block):
        n = min(n_block, n_resamples - start)
        drawn = generator.integers(0, n_units, size=(n, n_units), dtype=np.int64)
        drawn += np.arange(n, dtype=np.int64)[:, np.newaxis] * n_units
        counts = np.bincount(drawn.ravel(), minlength=n * n_units).reshape(n, n_units)
        yield (counts if groups is None else counts[:, groups]).astype(np.float64)


def _find_ends(values: np.ndarray) -> tuple[float, float] | None:
    """A metric that most resamples have no value of has no interval."""
    known = values[np.isfinite(values)]
    if 2 * len(known) < len(values):
        return None
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _prepare(target: Target, y_true: np.ndarray, prediction: Prediction) -> Callable[[np.ndarray], Metrics]:
    """Return what computes the metrics of many resamples, from what need be computed once only."""
    if target.task == "regression":
        return _prepare_regression(y_true, prediction.values)
    assert target.labels is not None
    parts = [_prepare_labels(target, y_true, prediction.values)]
    responses = prediction.responses
    if responses is not None and responses.ndim == 1:
        parts.append(_prepare_responses(y_true == target.positive, responses))
    elif responses is not None:
        losses = -np.log(np.clip(responses[np.arange(len(y_true)), np.searchsorted(target.labels, y_true)], *_NEAR_CERTAIN))
        parts.append(lambda counts: {"log_loss": counts @ losses / counts.sum(axis=1)})

    def compute(counts: np.ndarray) -> Metrics:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of a mean over no class
            return {name: values for part in parts for name, values in part(counts).items()}

    return compute


_NEAR_CERTAIN = (np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)  # as scikit-learn's log_loss clips


def _prepare_regression(y_true: np.ndarray, predicted: np.ndarray) -> Callable[[np.ndarray], Metrics]:
    errors = y_true - predicted
    columns = np.column_stack([errors**2, np.abs(errors), errors, y_true, y_true**2])
    centre = y_true.mean()
    columns[:, 3:] = np.column_stack([y_true - centre, (y_true - centre) ** 2])

    def compute(counts: np.ndarray) -> Metrics:
        squared, absolute, bias, mean, square = (counts @ columns / counts.sum(axis=1, keepdims=True)).T
        variance = square - mean**2
        with np.errstate(all="ignore"):
            return {
                "r2": np.where(variance > 0, 1 - squared / variance, np.nan),
                "rmse": np.sqrt(squared),
                "mae": absolute,
                "explained_variance": np.where(variance > 0, 1 - (squared - bias**2) / variance, np.nan),
            }

    return compute


def _prepare_labels(target: Target, y_true: np.ndarray, predicted: np.ndarray) -> Callable[[np.ndarray], Metrics]:
    labels = target.labels
    assert labels is not None
    n_classes = len(labels)
    is_right = (y_true == predicted).astype(np.float64)
    if n_classes > _MOST_CLASSES:
        return lambda counts: {"accuracy": counts @ is_right / counts.sum(axis=1)}
    cells = np.searchsorted(labels, y_true) * n_classes + np.searchsorted(labels, predicted)
    order = np.argsort(cells, kind="stable")
    found, starts = np.unique(cells[order], return_index=True)
    is_absent = ~np.isin(labels, y_true)

    def compute(counts: np.ndarray) -> Metrics:
        confusion = np.zeros((len(counts), n_classes * n_classes))
        confusion[:, found] = np.add.reduceat(counts[:, order], starts, axis=1)
        return _score_confusion(target, confusion.reshape(-1, n_classes, n_classes), is_absent)

    return compute


def _score_confusion(target: Target, confusion: np.ndarray, is_absent: np.ndarray) -> Metrics:
    """Return the metrics of labels.

    Parameters
    ----------
    confusion
        Shape (n_resamples, true class, predicted class).
    is_absent
        Shape (n_classes,): classes that no row has, drawn or not; to macro metrics they are 0 here, as in `scoring`.
    """
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    true, called, total = confusion.sum(axis=2), confusion.sum(axis=1), confusion.sum(axis=(1, 2))
    recall = np.divide(hits, true, out=np.full_like(hits, np.nan), where=true > 0)
    precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
    f1 = np.divide(2 * hits, true + called, out=np.zeros_like(hits), where=true + called > 0)
    right = hits.sum(axis=1)
    spread = np.sqrt((total**2 - (called**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1)))
    correlation = right * total - (true * called).sum(axis=1)
    found = {
        "accuracy": right / total,
        "balanced_accuracy": np.nanmean(recall, axis=1),
        "matthews_corrcoef": np.divide(correlation, spread, out=np.zeros_like(total), where=spread > 0),
    }
    of_class = {"precision": precision, "recall": np.nan_to_num(recall), "f1": f1}
    if target.task == "binary":
        assert target.labels is not None
        positive = int(np.flatnonzero(target.labels == target.positive)[0])
        return {**found, **{name: values[:, positive] for name, values in of_class.items()}}
    shares = true / total[:, np.newaxis]
    counted = ((true > 0) | is_absent).astype(np.float64)
    found |= {f"{name}_macro": (values * counted).sum(axis=1) / counted.sum(axis=1) for name, values in of_class.items()}
    return {**found, **{f"{name}_weighted": (values * shares).sum(axis=1) for name, values in of_class.items()}}


def _prepare_responses(is_positive: np.ndarray, responses: np.ndarray) -> Callable[[np.ndarray], Metrics]:
    """Rows of equal response are one step of every curve."""
    order = np.argsort(-responses, kind="stable")
    starts = np.flatnonzero(np.diff(responses[order], prepend=np.inf))
    are_positive = is_positive[order].astype(np.float64)
    is_probability = bool(responses.min() >= 0 and responses.max() <= 1)
    squares = (responses - is_positive) ** 2
    losses = -np.log(np.clip(np.where(is_positive, responses, 1 - responses), *_NEAR_CERTAIN))

    def compute(counts: np.ndarray) -> Metrics:
        ordered, total = counts[:, order], counts.sum(axis=1)
        steps = np.add.reduceat(ordered, starts, axis=1)
        hits = np.add.reduceat(ordered * are_positive, starts, axis=1)
        n_hits, n_called = np.cumsum(hits, axis=1), np.cumsum(steps, axis=1)
        misses, n_positive = steps - hits, n_hits[:, -1]
        precision = np.divide(n_hits, n_called, out=np.zeros_like(n_hits), where=n_called > 0)
        below = (total - n_positive)[:, np.newaxis] - (n_called - n_hits)  # negatives of lower response
        pairs = n_positive * (total - n_positive)
        found = {
            "roc_auc": (hits * (below + misses / 2)).sum(axis=1) / pairs,
            "average_precision": np.where(pairs > 0, (hits * precision).sum(axis=1) / n_positive, np.nan),
        }
        if is_probability:
            found |= {"brier_score": counts @ squares / total, "log_loss": counts @ losses / total}
        return found

    return compute
