"""Units of a cross-validation: one candidate fitted on some rows and scored on others; the same bits wherever a unit runs.

Each unit plants its own seeds, in this process or in a worker; so where it runs changes nothing. Whether workers are started at all
is decided by how long every candidate's first unit took. What draws nothing and is fitted outside Python's lock (histogram boosting)
needs no workers: its fits stand beside each other in threads.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed

from samebits.candidates.fitting import (
    FAILURES,
    FINAL,
    Fit,
    describe_failure,
    fit_model,
    fit_settled,
    fit_stage,
    fit_watched,
    lend_threads_to_predict,
    predicts_over_threads,
    stands_beside_others,
)
from samebits.candidates.materials import Sample
from samebits.data.target import Target
from samebits.engines.units import Call, Engine, raise_failure, return_failure, run_over_workers
from samebits.errors import DataError, Problem
from samebits.estimation.prediction import RESPONSE_METHODS, Answers, Prediction, name_response_method, predict_rows
from samebits.numerics.generators import plant_seeds

WORKERS_START_SECONDS = 4.0  # starting processes that import scikit-learn takes about this long
WORKERS_FROM_CELLS = 4_000_000  # a table of more values is shared out from the start
# Of fewer values, fits in threads wait for each other longer than they compute: measured, at 100,000 x 16 as long as one after the
# other, at 5,000 x 16 twice as long; from 200,000 x 16 on, four fifths of it.
THREADS_FROM_CELLS = 2_000_000


@dataclass(frozen=True)
class Unit:
    """A candidate in one fold.

    Parameters
    ----------
    name
        Of the candidate, or the trial of one, as it is said.
    candidate
        Whose seeds it plants: all trials of a candidate draw alike.
    fold
        Counted from 0.
    fit_rows, score_rows
        Positions within the sample.
    is_trial
        Whether its failure is an outcome, and not the end; and whether predictions are handed back only where they cost nothing
        beside the score, since those of one trial alone are wanted in the end.
    """

    name: str
    candidate: str
    fold: int
    pipeline: Pipeline
    fit_rows: np.ndarray
    score_rows: np.ndarray
    is_trial: bool = False


@dataclass(frozen=True)
class Task:
    """What all units share.

    Parameters
    ----------
    target
        Without its values, which the sample has.
    needs_responses
        Whether a threshold is to be found, which takes more than labels.
    place
        Before the names of the places whose seeds are planted.
    """

    sample: Sample
    target: Target
    scorer: Any
    root_seed: int
    needs_responses: bool
    place: str = "cv"


@dataclass(frozen=True)
class Outcome:
    """What came of a unit; of one that failed, why.

    Parameters
    ----------
    prediction
        Of the fold's rows; of more than two classes, labels alone. None: it was not asked for.
    seconds
        It took, where it ran.
    """

    score: float
    prediction: Prediction | None
    is_settled: bool
    seconds: float
    failure: str | None = None


def run_units(
    units: Sequence[Unit],
    task: Task,
    n_jobs: int,
    finals: Mapping[str, Pipeline] | None = None,
    n_more: int = 0,
    engine: Engine | None = None,
) -> tuple[Iterator[Outcome], Iterator[Fit]]:
    """Run units, and hand each outcome out when it is there, in their order; and fits on all rows, where these may stand beside them.

    Parameters
    ----------
    units
        The first of each candidate before any second one, so that what is left can be foretold.
    n_jobs
        Worker processes or threads, 1 at least.
    finals
        Pipelines by name that will be fitted on all rows of the sample.
    n_more
        So many units will be run after these.
    engine
        Where every unit runs; None: here, and in processes of this machine where that is worth while.

    Raises
    ------
    DataError
        A unit fails, and it is no trial's.
    """
    if engine is not None:
        return _run_on_engine(units, dict(finals or {}), task, engine)
    is_large = task.sample.X.size > THREADS_FROM_CELLS
    if is_large and task.sample.batches is None and all(stands_beside_others(unit.pipeline) for unit in units):
        return _run_beside(units, dict(finals or {}), task, n_jobs)
    return _run_apart(units, task, n_jobs, n_more), iter(())


def _run_on_engine(
    units: Sequence[Unit], candidates: dict[str, Pipeline], task: Task, engine: Engine
) -> tuple[Iterator[Outcome], Iterator[Fit]]:
    """Run units, and then the candidates' fits on all rows, on an engine's workers, which fit over one thread."""
    calls = [_describe_call(unit) for unit in units]
    task = replace(task, sample=task.sample.copy())
    calls += [Call(f"models.{name}, {FINAL}", _fit_finally, (name, pipeline)) for name, pipeline in candidates.items()]
    found = run_over_workers(task, calls, 1, engine)
    return itertools.islice(found, len(units)), found


def _describe_call(unit: Unit) -> Call:
    return Call(f"models.{unit.name}, fold {unit.fold + 1} of cv", _run_unit_alone, (unit,))


def _run_unit_alone(task: Task, unit: Unit) -> Outcome:
    return _run_unit(unit, task, 1)


def _fit_finally(task: Task, name: str, pipeline: Pipeline) -> Fit:
    return fit_model(name, pipeline, task.sample, task.root_seed, 1)


def _run_beside(
    units: Sequence[Unit], candidates: dict[str, Pipeline], task: Task, n_jobs: int
) -> tuple[Iterator[Outcome], Iterator[Fit]]:
    """Run units, and then the candidates' fits on all rows, in threads; the last one to start may use those of all that ended."""
    threads = [*[1] * (len(units) + len(candidates) - 1), n_jobs]
    call = delayed(return_failure)
    calls = [call(_try_fold, unit, task, n, fit_settled) for unit, n in zip(units, threads, strict=False)]
    calls += [
        call(fit_stage, name, FINAL, candidates[name], task.sample, n, fit_settled)
        for name, n in zip(candidates, threads[len(units) :], strict=True)
    ]
    found = Parallel(n_jobs=n_jobs, backend="threading", pre_dispatch="all", return_as="generator")(calls)
    in_order = map(raise_failure, found)
    return itertools.islice(in_order, len(units)), in_order


def _run_apart(units: Sequence[Unit], task: Task, n_jobs: int, n_more: int) -> Iterator[Outcome]:
    """Run units one after the other, or in worker processes where those repay their start."""
    here = (_run_unit(unit, task, n_jobs) for unit in units)
    if task.sample.batches is not None or all(predicts_over_threads(unit.pipeline) for unit in units):
        yield from here
        return
    spend = _watch_cost()
    n_first = len({unit.candidate for unit in units})
    n_here = n_first if n_jobs == 1 or task.sample.X.size <= WORKERS_FROM_CELLS else 0
    yield from itertools.islice(here, n_here)
    rest = units[n_here:]
    seconds_left = spend() * (len(rest) + n_more) / max(n_here, 1)
    if n_here and (n_jobs == 1 or seconds_left * (1 - 1 / n_jobs) < WORKERS_START_SECONDS):
        yield from here
        return
    shared = replace(task, sample=task.sample.copy())
    yield from run_over_workers(shared, [_describe_call(unit) for unit in rest], n_jobs, goes_on=n_more > 0)


def _watch_cost() -> Callable[[], float]:
    """Return what tells the seconds of work since now: by the clock, but for those in which others had the cores.

    On a machine that is busy all takes longer, and more processes make it busier: sixteen runs at once, each of which would take its
    share of the cores for slowness of its own, start thirty-two that import scikit-learn for a table that needs none.
    """
    wall, cpu = time.monotonic(), time.process_time()
    return lambda: min(time.monotonic() - wall, time.process_time() - cpu)


def _run_unit(unit: Unit, task: Task, threads: int) -> Outcome:
    plant_seeds(task.root_seed, f"{task.place}.{unit.candidate}.{unit.fold}")
    return _try_fold(unit, task, threads, fit_watched)


def _try_fold(unit: Unit, task: Task, threads: int, fit: Callable[[Pipeline, Sample, int], Fit]) -> Outcome:
    try:
        return _run_fold(unit, task, threads, fit)
    except DataError as error:
        if not unit.is_trial:
            raise
        return Outcome(float("nan"), None, True, 0.0, str(error))


def _run_fold(unit: Unit, task: Task, threads: int, fit: Callable[[Pipeline, Sample, int], Fit]) -> Outcome:
    stage, started = f"fold {unit.fold + 1} of cv", time.monotonic()
    fitted = fit_stage(unit.name, stage, unit.pipeline, task.sample.take(unit.fit_rows), threads, fit)
    scored = task.sample.take(unit.score_rows).copy()
    model = Answers(fitted.pipeline, scored.X)
    try:
        with lend_threads_to_predict(fitted.pipeline, threads):
            score = float(task.scorer(model, scored.X, scored.y))
            if unit.is_trial and not _costs_nothing(model, task.target):
                prediction = None
            else:
                prediction = predict_rows(model, scored.X, task.target, with_probabilities=False)
    except FAILURES as error:
        raise DataError(describe_failure(unit.name, stage, error)) from error
    if task.needs_responses and name_response_method(fitted.pipeline) is None:
        expected = f"a model with {' or '.join(RESPONSE_METHODS)}"
        raise DataError(Problem(f"models.{unit.candidate}", expected, "neither", "Remove it, or what business asks for."))
    if not np.isfinite(score):
        remedy = "Choose another scoring, or other parameters."
        raise DataError(Problem(f"models.{unit.name}, {stage}", "a finite score", str(score), remedy))
    return Outcome(score, prediction, fitted.is_settled, time.monotonic() - started)


def _costs_nothing(model: Answers, target: Target) -> bool:
    method = name_response_method(model) if target.task == "binary" else None
    return model.has_said("predict", *([method] if method else []))
