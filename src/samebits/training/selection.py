"""Cross-validation of the candidates, and the fit of the best one: the same bits at any number of processes.

Each fold is one unit of work that plants its own seeds, in this process or in a worker; so where it runs changes nothing. Whether
workers are started at all is decided by how long every candidate's first fold took.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import joblib
import numpy as np
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from samebits.config.catalog import OPENMP_FITS, OPENMP_PREDICTS, THREADED_FITS
from samebits.data.target import Target
from samebits.errors import DataError, Problem
from samebits.estimation.boosting import set_fit_threads
from samebits.estimation.prediction import RESPONSE_METHODS, Answers, Prediction, predict_rows
from samebits.estimation.target_transform import find_estimator
from samebits.numerics.seeds import plant_seeds
from samebits.training.materials import Materials, Sample

# What scikit-learn says of tables that need another preprocessing, and what it means here.
_KNOWN_FAILURES = [
    (
        r"Input (?:X )?contains NaN",
        "rows without missing values, which this model does not take",
        "some",
        "Set preprocessing.numeric_imputer and categorical_imputer, drop such rows by data.rows, or take another model.",
    ),
    (
        r"could not convert string to float: (.{1,40})",
        "numbers alone",
        "the text {0}",
        "Give its column a transformer that makes numbers of it, in preprocessing.columns, or leave it to the defaults.",
    ),
]
WORKERS_START_SECONDS = 4.0  # starting processes that import scikit-learn takes about this long
# What estimators raise of rows or parameters that they cannot work with.
FAILURES = (ValueError, TypeError, AttributeError, ArithmeticError, np.linalg.LinAlgError)
WORKERS_FROM_CELLS = 4_000_000  # a table of more values is shared out from the start


@dataclass(frozen=True)
class CandidateScore:
    """A candidate's cross-validation.

    Parameters
    ----------
    scores
        One per fold; greater is better.
    predictions
        One per fold: what it said of the fold's rows, without having seen them; of more than two classes, labels alone.
    n_unsettled
        Folds in which it did not converge.
    """

    name: str
    scores: list[float]
    predictions: list[Prediction]
    n_unsettled: int

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


@dataclass(frozen=True)
class _Task:
    """What all units share; the target goes without its values, which the sample has."""

    sample: Sample
    target: Target
    scorer: Any
    root_seed: int
    needs_responses: bool


@dataclass(frozen=True)
class _Outcome:
    score: float
    prediction: Prediction
    is_settled: bool


def score_candidates(
    materials: Materials, training: Sample, root_seed: int, n_jobs: int, needs_responses: bool = False
) -> list[CandidateScore]:
    """Cross-validate every candidate on the training rows, in the order given.

    Parameters
    ----------
    training
        The training rows of the materials, in the split's order.
    n_jobs
        Worker processes, -1 for one per core.
    needs_responses
        Whether a threshold is to be found, which takes more than labels.

    Raises
    ------
    DataError
        A candidate cannot be fitted or scored on these rows.
    """
    # every candidate's first fold first, so that what is left can be foretold
    units = [
        _Unit(name, number, pipeline, fit_rows, score_rows)
        for number, (fit_rows, score_rows) in enumerate(materials.split.folds)
        for name, pipeline in materials.candidates.items()
    ]
    target = replace(materials.target, values=materials.target.values[:0])
    task = _Task(training, target, materials.scorer, root_seed, needs_responses)
    outcomes = _run_units(units, len(materials.candidates), task, joblib.effective_n_jobs(n_jobs))
    scored = []
    for name in materials.candidates:
        own = [outcome for unit, outcome in zip(units, outcomes, strict=True) if unit.name == name]
        n_unsettled = sum(not outcome.is_settled for outcome in own)
        scored.append(CandidateScore(name, [one.score for one in own], [one.prediction for one in own], n_unsettled))
    return scored


def _run_units(units: list[_Unit], n_first: int, task: _Task, n_jobs: int) -> list[_Outcome]:
    def run_here(some: list[_Unit]) -> list[_Outcome]:
        return [_run_unit(unit, task, n_jobs) for unit in some]

    if all(_name_estimator(unit.pipeline) in OPENMP_PREDICTS for unit in units):
        return run_here(units)
    started = time.monotonic()
    results = run_here(units[:n_first]) if n_jobs == 1 or task.sample.X.size <= WORKERS_FROM_CELLS else []
    rest = units[len(results) :]
    seconds_left = (time.monotonic() - started) * len(rest) / max(len(results), 1)
    if results and (n_jobs == 1 or seconds_left * (1 - 1 / n_jobs) < WORKERS_START_SECONDS):
        return results + run_here(rest)
    run = joblib.delayed(_run_unit)
    workers = joblib.Parallel(n_jobs=n_jobs, backend="loky")
    results += workers(run(unit, task, 1) for unit in rest)
    # now: they would keep their memory through the final fit, and the program from ending
    get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)
    return results


def _run_unit(unit: _Unit, task: _Task, threads: int) -> _Outcome:
    plant_seeds(task.root_seed, f"cv.{unit.name}.{unit.fold}")
    try:
        pipeline, is_settled = _fit(unit.pipeline, task.sample.take(unit.fit_rows), threads)
        scored = task.sample.take(unit.score_rows)
        model = Answers(pipeline, scored.X)
        with lend_threads_to_predict(pipeline, threads):
            score = float(task.scorer(model, scored.X, scored.y))
            prediction = predict_rows(model, scored.X, task.target, with_probabilities=False)
    except FAILURES as error:
        raise DataError(describe_failure(unit.name, f"fold {unit.fold + 1} of cv", error)) from error
    if task.needs_responses and prediction.responses is None:
        expected = f"a model with {' or '.join(RESPONSE_METHODS)}"
        raise DataError(Problem(f"models.{unit.name}", expected, "neither", "Remove it, or what business asks for."))
    if not np.isfinite(score):
        remedy = "Choose another scoring, or other parameters."
        raise DataError(Problem(f"models.{unit.name}, fold {unit.fold + 1} of cv", "a finite score", str(score), remedy))
    return _Outcome(score, prediction, is_settled)


def _fit(pipeline: Pipeline, sample: Sample, threads: int) -> tuple[Pipeline, bool]:
    """Return a fitted copy, over threads where that was measured to change no bit of what is fitted; and whether it converged."""
    sample_weight = sample.weights.weigh(sample.y)
    weights = {} if sample_weight is None else {"model__sample_weight": sample_weight}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        fitted = clone(pipeline)
        set_fit_threads(fitted, threads)
        with _leave_threads(pipeline, threads):
            fitted.fit(sample.X, sample.y, **weights)
    others = [warning for warning in caught if not issubclass(warning.category, ConvergenceWarning)]
    for warning in others:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return fitted, len(others) == len(caught)


@contextmanager
def _leave_threads(pipeline: Pipeline, threads: int) -> Iterator[None]:
    kind = _name_estimator(pipeline)
    if kind in THREADED_FITS:
        with joblib.parallel_config("threading", n_jobs=threads):
            yield
    else:
        with threadpool_limits(threads if kind in OPENMP_FITS else 1, user_api="openmp"):
            yield


@contextmanager
def lend_threads_to_predict(pipeline: Pipeline, threads: int) -> Iterator[None]:
    """Let a pipeline predict over threads, where that changes no bit."""
    with threadpool_limits(threads if _name_estimator(pipeline) in OPENMP_PREDICTS else 1, user_api="openmp"):
        yield


def _name_estimator(pipeline: Pipeline) -> str:
    return type(find_estimator(pipeline)).__name__


def describe_failure(name: str, stage: str, error: Exception) -> Problem:
    """Return what an estimator raised, as a problem of its candidate: in our words where they say what to do."""
    reason = " ".join(str(error).split()).rstrip(".")
    for pattern, expected, found, remedy in _KNOWN_FAILURES:
        if match := re.search(pattern, reason):
            return Problem(f"models.{name}, {stage}", expected, found.format(*match.groups()), remedy)
    return Problem(f"models.{name}, {stage}", "a model that fits this table", f"{type(error).__name__}: {reason}", "Change one.")


def choose_best(scored: list[CandidateScore]) -> CandidateScore:
    """Return the candidate of highest mean score; of equal ones the first by name."""
    return min(scored, key=lambda candidate: (-candidate.mean, candidate.name))


def fit_model(name: str, pipeline: Pipeline, sample: Sample, root_seed: int, n_jobs: int) -> tuple[Pipeline, bool]:
    """Return the candidate fitted on all training rows, over threads where that was shown to change no bit; and whether it converged.

    Raises
    ------
    DataError
        It cannot be fitted.
    """
    plant_seeds(root_seed, f"fit.{name}")
    try:
        return _fit(pipeline, sample, joblib.effective_n_jobs(n_jobs))
    except FAILURES as error:
        raise DataError(describe_failure(name, "final fit", error)) from error
