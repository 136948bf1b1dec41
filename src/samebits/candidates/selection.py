"""Cross-validation of the candidates: the same bits at any number of processes or threads.

Each fold is one unit of work that plants its own seeds, in this process or in a worker; so where it runs changes nothing. Whether
workers are started at all is decided by how long every candidate's first fold took. What draws nothing and is fitted outside
Python's lock (histogram boosting) needs no workers: its fits stand beside each other in threads.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import joblib
import numpy as np
from joblib.externals.loky import get_reusable_executor
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed

from samebits.candidates.fitting import (
    FAILURES,
    FINAL,
    Fit,
    describe_failure,
    fit_settled,
    fit_stage,
    fit_watched,
    lend_threads_to_predict,
    predicts_over_threads,
    stands_beside_others,
)
from samebits.candidates.materials import Materials, Sample
from samebits.candidates.progress import Progress
from samebits.data.target import Target
from samebits.errors import DataError, Problem
from samebits.estimation.prediction import RESPONSE_METHODS, Answers, Prediction, predict_rows
from samebits.numerics.seeds import plant_seeds
from samebits.voice import SILENT, Voice

WORKERS_START_SECONDS = 4.0  # starting processes that import scikit-learn takes about this long
WORKERS_FROM_CELLS = 4_000_000  # a table of more values is shared out from the start
# Of fewer values, fits in threads wait for each other longer than they compute: measured, at 100,000 x 16 as long as one after the
# other, at 5,000 x 16 twice as long; from 200,000 x 16 on, four fifths of it.
THREADS_FROM_CELLS = 2_000_000


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
class Comparison:
    """The candidates' cross-validations, in their order.

    Parameters
    ----------
    finals
        The candidates' fits on all training rows, in the same order, where these were asked for and stand beside the folds: each is
        handed out when it is done. Else nothing.
    """

    scored: list[CandidateScore]
    finals: Iterator[Fit]


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
    seconds: float


def score_candidates(
    materials: Materials,
    training: Sample,
    root_seed: int,
    n_jobs: int,
    needs_responses: bool = False,
    wants_finals: bool = False,
    voice: Voice = SILENT,
) -> Comparison:
    """Cross-validate every candidate on the training rows, in the order given.

    Parameters
    ----------
    training
        The training rows of the materials, in the split's order.
    n_jobs
        Worker processes or threads, -1 for one per core.
    needs_responses
        Whether a threshold is to be found, which takes more than labels.
    wants_finals
        Whether every candidate will be fitted on all training rows: that may then be done here, beside the folds.
    voice
        Told how far it is.

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
    finals: Iterator[Fit] = iter(())
    is_large = training.X.size > THREADS_FROM_CELLS
    if is_large and all(stands_beside_others(pipeline) for pipeline in materials.candidates.values()):
        found, finals = _run_beside(units, materials.candidates if wants_finals else {}, task, joblib.effective_n_jobs(n_jobs))
    else:
        found = _run_units(units, len(materials.candidates), task, joblib.effective_n_jobs(n_jobs))
    outcomes = []
    with Progress(voice, dict.fromkeys(materials.candidates, len(materials.split.folds)), materials.scoring) as progress:
        for unit, outcome in zip(units, found, strict=True):
            outcomes.append(outcome)
            progress.note(unit.name, outcome.score, outcome.seconds)
    scored = []
    for name in materials.candidates:
        own = [outcome for unit, outcome in zip(units, outcomes, strict=True) if unit.name == name]
        n_unsettled = sum(not outcome.is_settled for outcome in own)
        predictions = [outcome.prediction for outcome in own]
        scored.append(CandidateScore(name, [outcome.score for outcome in own], predictions, n_unsettled))
    return Comparison(scored, finals)


def _run_beside(
    units: list[_Unit], candidates: dict[str, Pipeline], task: _Task, n_jobs: int
) -> tuple[Iterator[_Outcome], Iterator[Fit]]:
    """Run units, and then the candidates' fits on all rows, in threads; the last one to start may use those of all that ended."""
    threads = [*[1] * (len(units) + len(candidates) - 1), n_jobs]
    call = delayed(_return_failure)
    calls = [call(_run_fold, unit, task, n, fit_settled) for unit, n in zip(units, threads, strict=False)]
    calls += [
        call(fit_stage, name, FINAL, candidates[name], task.sample, n, fit_settled)
        for name, n in zip(candidates, threads[len(units) :], strict=True)
    ]
    found = Parallel(n_jobs=n_jobs, backend="threading", pre_dispatch="all", return_as="generator")(calls)
    in_order = map(_raise_failure, found)
    return itertools.islice(in_order, len(units)), in_order


def _return_failure(function: Callable[..., Any], *arguments: Any) -> Any:
    """Of several that fail, the first in order is to be told, not the first by the clock: so a call returns its failure."""
    try:
        return function(*arguments)
    except DataError as error:
        return error


def _raise_failure(done: Any) -> Any:
    if isinstance(done, DataError):
        raise done
    return done


def _run_units(units: list[_Unit], n_first: int, task: _Task, n_jobs: int) -> Iterator[_Outcome]:
    """Run units, and hand each outcome out when it is there, in their order."""
    here = (_run_unit(unit, task, n_jobs) for unit in units)
    if all(predicts_over_threads(unit.pipeline) for unit in units):
        yield from here
        return
    started = time.monotonic()
    n_here = n_first if n_jobs == 1 or task.sample.X.size <= WORKERS_FROM_CELLS else 0
    yield from itertools.islice(here, n_here)
    rest = units[n_here:]
    seconds_left = (time.monotonic() - started) * len(rest) / max(n_here, 1)
    if n_here and (n_jobs == 1 or seconds_left * (1 - 1 / n_jobs) < WORKERS_START_SECONDS):
        yield from here
        return
    run = joblib.delayed(_run_unit)
    workers = joblib.Parallel(n_jobs=n_jobs, backend="loky", return_as="generator")
    yield from workers(run(unit, task, 1) for unit in rest)
    # now: they would keep their memory through the final fit, and the program from ending
    get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


def _run_unit(unit: _Unit, task: _Task, threads: int) -> _Outcome:
    plant_seeds(task.root_seed, f"cv.{unit.name}.{unit.fold}")
    return _run_fold(unit, task, threads, fit_watched)


def _run_fold(unit: _Unit, task: _Task, threads: int, fit: Callable[[Pipeline, Sample, int], Fit]) -> _Outcome:
    stage, started = f"fold {unit.fold + 1} of cv", time.monotonic()
    fitted = fit_stage(unit.name, stage, unit.pipeline, task.sample.take(unit.fit_rows), threads, fit)
    scored = task.sample.take(unit.score_rows)
    model = Answers(fitted.pipeline, scored.X)
    try:
        with lend_threads_to_predict(fitted.pipeline, threads):
            score = float(task.scorer(model, scored.X, scored.y))
            prediction = predict_rows(model, scored.X, task.target, with_probabilities=False)
    except FAILURES as error:
        raise DataError(describe_failure(unit.name, stage, error)) from error
    if task.needs_responses and prediction.responses is None:
        expected = f"a model with {' or '.join(RESPONSE_METHODS)}"
        raise DataError(Problem(f"models.{unit.name}", expected, "neither", "Remove it, or what business asks for."))
    if not np.isfinite(score):
        remedy = "Choose another scoring, or other parameters."
        raise DataError(Problem(f"models.{unit.name}, {stage}", "a finite score", str(score), remedy))
    return _Outcome(score, prediction, fitted.is_settled, time.monotonic() - started)


def choose_best(scored: list[CandidateScore]) -> CandidateScore:
    """Return the candidate of highest mean score; of equal ones the first by name."""
    return min(scored, key=lambda candidate: (-candidate.mean, candidate.name))
