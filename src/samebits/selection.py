"""Cross-validation of the candidates, and the fit of the best one: the same bits at any number of processes.

Each fold is one unit of work that plants its own seeds and runs on one thread, in this process or in a worker; so where it runs
changes nothing. Whether workers are started at all is decided by how long the first units took.
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

from samebits.catalog import OPENMP_FITS, THREADED_FITS
from samebits.errors import DataError, Problem
from samebits.seeds import plant_seeds
from samebits.split import Split

WORKERS_AFTER_SECONDS = 4.0  # starting processes that import scikit-learn takes about this long
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
    units = [
        _Unit(name, number, candidates[name], fit_rows, score_rows)
        for name in candidates
        for number, (fit_rows, score_rows) in enumerate(split.folds)
    ]
    results = _run_units(units, X, y, scorers, root_seed, n_jobs)
    scored = []
    for name in candidates:
        own = [result for unit, result in zip(units, results, strict=True) if unit.name == name]
        responses = [result["response"] for result in own] if "response" in scorers else None
        scored.append(CandidateScore(name, [float(result["score"]) for result in own], responses))
    return scored


def _run_units(
    units: list[_Unit], X: pd.DataFrame, y: np.ndarray, scorers: dict[str, Any], root_seed: int, n_jobs: int
) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    is_large = X.size > WORKERS_FROM_CELLS
    deadline = time.monotonic() + (0 if is_large else WORKERS_AFTER_SECONDS)
    while len(results) < len(units) and (n_jobs == 1 or time.monotonic() < deadline):
        results.append(_run_unit(units[len(results)], X, y, scorers, root_seed))
    rest = units[len(results) :]
    if rest:
        run = joblib.delayed(_run_unit)
        results += joblib.Parallel(n_jobs=n_jobs, backend="loky")(run(unit, X, y, scorers, root_seed) for unit in rest)
    return results


def _run_unit(unit: _Unit, X: pd.DataFrame, y: np.ndarray, scorers: dict[str, Any], root_seed: int) -> dict[str, Any]:
    plant_seeds(root_seed, f"cv.{unit.name}.{unit.fold}")
    pipeline = clone(unit.pipeline)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # said once, of the final fit
            pipeline.fit(X.iloc[unit.fit_rows], y[unit.fit_rows])
        found = check_scoring(pipeline, scoring=scorers)(pipeline, X.iloc[unit.score_rows], y[unit.score_rows])
    except (ValueError, TypeError, AttributeError, ArithmeticError, np.linalg.LinAlgError) as error:
        raise DataError(_describe_failure(unit.name, f"fold {unit.fold + 1} of cv", error)) from error
    if not np.isfinite(found["score"]):
        remedy = "Choose another scoring, or other parameters."
        raise DataError(Problem(f"models.{unit.name}, fold {unit.fold + 1} of cv", "a finite score", str(found["score"]), remedy))
    return dict(found)


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
    kind = type(pipeline.steps[-1][1]).__name__
    threads = joblib.effective_n_jobs(n_jobs)
    try:
        if kind in THREADED_FITS:
            with joblib.parallel_config("threading", n_jobs=threads):
                return clone(pipeline).fit(X, y)
        with threadpool_limits(threads if kind in OPENMP_FITS else 1, user_api="openmp"):
            return clone(pipeline).fit(X, y)
    except (ValueError, TypeError, AttributeError, ArithmeticError, np.linalg.LinAlgError) as error:
        raise DataError(_describe_failure(name, "final fit", error)) from error
