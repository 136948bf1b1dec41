"""Cross-validation of the candidates, and the fit of the best one: the same bits at any number of processes.

Each fold is one unit of work that plants its own seeds, in this process or in a worker; so where it runs changes nothing. Whether
workers are started at all is decided by how long every candidate's first fold took.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from samebits.config.catalog import OPENMP_FITS, THREADED_FITS
from samebits.data.split import Split
from samebits.errors import DataError, Problem
from samebits.numerics.seeds import plant_seeds
from samebits.training.boosting import set_fit_threads

WORKERS_START_SECONDS = 4.0  # starting processes that import scikit-learn takes about this long
# What estimators raise of rows or parameters that they cannot work with.
_FAILURES = (ValueError, TypeError, AttributeError, ArithmeticError, np.linalg.LinAlgError)
WORKERS_FROM_CELLS = 4_000_000  # a table of more values is shared out from the start


@dataclass(frozen=True)
class CandidateScore:
    """A candidate's cross-validation.

    Parameters
    ----------
    scores
        One per fold; greater is better.
    responses
        Per fold, shape (n_scored_rows,): the responses for the positive class; None where no threshold is sought.
    """

    name: str
    scores: list[float]
    responses: list[np.ndarray] | None

    @property
    def mean(self) -> float:
        """Mean score over the folds."""
        return float(np.mean(self.scores))


@dataclass(frozen=True)
class _Unit:
    name: str
    fold: int
    pipeline: Pipeline
    fit_rows: np.ndarray
    score_rows: np.ndarray


def score_candidates(
    candidates: dict[str, Pipeline],
    X: pd.DataFrame,
    y: np.ndarray,
    split: Split,
    scorers: dict[str, Any],
    root_seed: int,
    n_jobs: int,
) -> list[CandidateScore]:
    """Cross-validate every candidate on the training rows, in the order given.

    Parameters
    ----------
    X, y
        The training rows, in the split's order.
    scorers
        `score`, and `response` where responses are wanted.
    n_jobs
        Worker processes, -1 for one per core.

    Raises
    ------
    DataError
        A candidate cannot be fitted or scored on these rows.
    """
    # every candidate's first fold first, so that what is left can be foretold
    units = [
        _Unit(name, number, candidates[name], fit_rows, score_rows)
        for number, (fit_rows, score_rows) in enumerate(split.folds)
        for name in candidates
    ]
    results = _run_units(units, len(candidates), X, y, scorers, root_seed, joblib.effective_n_jobs(n_jobs))
    scored = []
    for name in candidates:
        own = [result for unit, result in zip(units, results, strict=True) if unit.name == name]
        responses = [result["response"] for result in own] if "response" in scorers else None
        scored.append(CandidateScore(name, [float(result["score"]) for result in own], responses))
    return scored


def _run_units(
    units: list[_Unit], n_first: int, X: pd.DataFrame, y: np.ndarray, scorers: dict[str, Any], root_seed: int, n_jobs: int
) -> list[dict[str, Any]]:
    def run_here(some: list[_Unit]) -> list[dict[str, Any]]:
        return [_run_unit(unit, X, y, scorers, root_seed, n_jobs) for unit in some]

    started = time.monotonic()
    results = run_here(units[:n_first]) if n_jobs == 1 or X.size <= WORKERS_FROM_CELLS else []
    rest = units[len(results) :]
    seconds_left = (time.monotonic() - started) * len(rest) / max(len(results), 1)
    if results and (n_jobs == 1 or seconds_left * (1 - 1 / n_jobs) < WORKERS_START_SECONDS):
        return results + run_here(rest)
    run = joblib.delayed(_run_unit)
    workers = joblib.Parallel(n_jobs=n_jobs, backend="loky")
    return results + list(workers(run(unit, X, y, scorers, root_seed, 1) for unit in rest))


def _run_unit(unit: _Unit, X: pd.DataFrame, y: np.ndarray, scorers: dict[str, Any], root_seed: int, threads: int) -> dict[str, Any]:
    plant_seeds(root_seed, f"cv.{unit.name}.{unit.fold}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # said once, of the final fit
            pipeline = _fit(unit.pipeline, X.iloc[unit.fit_rows], y[unit.fit_rows], threads)
        found = check_scoring(pipeline, scoring=scorers)(pipeline, X.iloc[unit.score_rows], y[unit.score_rows])
    except _FAILURES as error:
        raise DataError(_describe_failure(unit.name, f"fold {unit.fold + 1} of cv", error)) from error
    if not np.isfinite(found["score"]):
        remedy = "Choose another scoring, or other parameters."
        raise DataError(Problem(f"models.{unit.name}, fold {unit.fold + 1} of cv", "a finite score", str(found["score"]), remedy))
    return dict(found)


def _fit(pipeline: Pipeline, X: pd.DataFrame, y: np.ndarray, threads: int) -> Pipeline:
    """Return a fitted copy; over threads where that was measured to change no bit of what is fitted."""
    kind = type(pipeline.steps[-1][1]).__name__
    copied = clone(pipeline)
    set_fit_threads(copied, threads)
    if kind in THREADED_FITS:
        with joblib.parallel_config("threading", n_jobs=threads):
            return copied.fit(X, y)
    with threadpool_limits(threads if kind in OPENMP_FITS else 1, user_api="openmp"):
        return copied.fit(X, y)


def _describe_failure(name: str, stage: str, error: Exception) -> Problem:
    reason = " ".join(str(error).split())
    return Problem(f"models.{name}, {stage}", "a model that fits this table", f"{type(error).__name__}: {reason}", "Change one.")


def choose_best(scored: list[CandidateScore]) -> CandidateScore:
    """Return the candidate of highest mean score; of equal ones the first by name."""
    return min(scored, key=lambda candidate: (-candidate.mean, candidate.name))


def fit_model(name: str, pipeline: Pipeline, X: pd.DataFrame, y: np.ndarray, root_seed: int, n_jobs: int) -> Pipeline:
    """Return the candidate fitted on all training rows, over threads where that was shown to change no bit.

    Raises
    ------
    DataError
        It cannot be fitted.
    """
    plant_seeds(root_seed, f"fit.{name}")
    try:
        return _fit(pipeline, X, y, joblib.effective_n_jobs(n_jobs))
    except _FAILURES as error:
        raise DataError(_describe_failure(name, "final fit", error)) from error
