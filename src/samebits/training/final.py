"""The final fit: a candidate fitted on all training rows, with its threshold, and what it says of training rows and of others."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import Pipeline

from samebits.candidates.fitting import FAILURES, FINAL, Fit, describe_failure, divide_rows, fit_model, lend_threads_to_predict
from samebits.candidates.materials import Materials
from samebits.candidates.selection import CandidateScore
from samebits.errors import DataError
from samebits.estimation.prediction import Answers, Prediction, decide_by_threshold, join_folds, name_response_method, predict_rows
from samebits.estimation.scoring import Threshold, choose_threshold, compute_metrics
from samebits.keys.config import Config
from samebits.training.exploration import Found, explore


@dataclass(frozen=True)
class Final:
    """A candidate fitted on all training rows.

    Parameters
    ----------
    fitted, model
        By itself, and as what decides by its threshold.
    is_settled
        Whether the fit converged.
    threads
        That it may predict over.
    """

    name: str
    fitted: Pipeline
    model: Any
    threshold: Threshold | None
    is_settled: bool
    threads: int


def fit_finally(config: Config, materials: Materials, candidate: CandidateScore, fits: Mapping[str, Fit]) -> Final:
    """Return a candidate's fit on all training rows, made now where it is not among those that are there."""
    fit = fits.get(candidate.name) or _fit_now(config, materials, candidate.name)
    model, threshold = _apply_threshold(fit.pipeline, config, materials, candidate)
    return Final(candidate.name, fit.pipeline, model, threshold, fit.is_settled, joblib.effective_n_jobs(config.n_jobs))


def fit_others(
    config: Config, materials: Materials, candidates: list[CandidateScore], fits: Mapping[str, Fit]
) -> dict[str, tuple[Final, dict[str, float]]]:
    """Fit the candidates that were not chosen too, each with a threshold of its own."""
    found = {}
    for candidate in candidates:
        final = fit_finally(config, materials, candidate, fits)
        found[candidate.name] = (final, _score_held_back(final, candidate, materials)[2])
    return found


@dataclass(frozen=True)
class Judged:
    """What the chosen candidate's final fit comes to.

    Parameters
    ----------
    rows, predicted
        That show how good it is, and what it said of them.
    test, train
        Its metrics on those rows, and on the training rows.
    explored
        What only the model can tell; None: it is still to be asked.
    """

    rows: np.ndarray
    predicted: Prediction
    test: dict[str, float]
    train: dict[str, float]
    explored: Future[Found] | None


def judge_final(config: Config, materials: Materials, final: Final, best: CandidateScore, beside: ThreadPoolExecutor | None) -> Judged:
    """Score the chosen candidate's final fit, on training rows and on others.

    Parameters
    ----------
    beside
        Where it may be asked of several things at once; None: a stranger's model may draw as it predicts, and is asked in one order.
    """
    score_train = functools.partial(_score, final, materials, materials.split.train_rows)
    if beside is None:
        held_back = _score_held_back(final, best, materials)
        return Judged(*held_back, score_train()[1], None)
    trained = beside.submit(score_train)
    # what a full report asks for is fitted anew, which draws and warns
    explored = beside.submit(explore_final, config, materials, final, 1) if config.report.detail == "short" else None
    held_back = _score_held_back(final, best, materials)
    return Judged(*held_back, trained.result()[1], explored)


def explore_final(config: Config, materials: Materials, final: Final, threads: int) -> Found:
    """Return what only the fitted model can tell."""
    return explore(config, materials, final.name, final.model, final.fitted, threads)


def _fit_now(config: Config, materials: Materials, name: str) -> Fit:
    return fit_model(name, materials.candidates[name], materials.take_training(), config.seed, config.n_jobs)


def _apply_threshold(
    fitted: Pipeline, config: Config, materials: Materials, candidate: CandidateScore
) -> tuple[Any, Threshold | None]:
    """Return the model that decides by the threshold, so that whoever loads it gets the same decisions."""
    target, split = materials.target, materials.split
    method = name_response_method(fitted)
    if config.business.method is None or method is None:
        return fitted, None
    responses = [found.responses for found in candidate.predictions if found.responses is not None]
    y = target.values[split.train_rows]
    is_positive = np.concatenate([y[score_rows] for _, score_rows in split.folds]) == target.positive
    threshold = choose_threshold(config.business, is_positive, np.concatenate(responses), method)
    model = FixedThresholdClassifier(
        FrozenEstimator(fitted), threshold=threshold.value, pos_label=target.positive, response_method=method
    )
    return model.fit(np.zeros((2, 1)), target.labels), threshold


def _score_held_back(final: Final, candidate: CandidateScore, materials: Materials) -> tuple[np.ndarray, Prediction, dict[str, float]]:
    """Return the rows that show how good a candidate is, what was said of them, and the metrics: test rows, or else all folds'."""
    rows, target = materials.split.test_rows, materials.target
    if len(rows):
        return rows, *_score(final, materials, rows)
    rows, prediction = join_folds(materials.split, candidate.predictions)
    if final.threshold is not None:
        prediction = decide_by_threshold(prediction, final.threshold.value, target)
    return rows, prediction, compute_metrics(target, target.values[rows], prediction)


def _score(final: Final, materials: Materials, rows: np.ndarray) -> tuple[Prediction, dict[str, float]]:
    """Return what the model says of some rows of the table, and the metrics."""
    X, y = materials.take(rows)
    X = divide_rows(X, final.fitted)
    try:
        with lend_threads_to_predict(final.fitted, final.threads):
            prediction = predict_rows(Answers(final.model, X), X, materials.target)
        return prediction, compute_metrics(materials.target, y, prediction)
    except FAILURES as error:
        raise DataError(describe_failure(final.name, f"predictions of the {FINAL}", error)) from error
