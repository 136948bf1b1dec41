"""One candidate fitted: over how many threads, whether it converged, and what is said where it cannot be fitted.

Threads are lent where that was measured to change no bit of what is fitted (`config.catalog`), and nowhere else.
"""

from __future__ import annotations

import functools
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

import joblib
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from threadpoolctl import ThreadpoolController

from samebits.candidates.batch_fitting import fit_batches
from samebits.candidates.materials import Sample
from samebits.config.catalog import OPENMP_FITS, OPENMP_PREDICTS, PLAIN_STEPS, THREADED_FITS
from samebits.errors import DataError, Problem
from samebits.estimation.boosting import name_library, set_fit_threads
from samebits.estimation.medians import finding_medians_by_column
from samebits.estimation.target_transform import find_estimator
from samebits.numerics.generators import plant_seeds
from samebits.stored.taken_rows import Rows, TakenRows, copy_rows

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
    (
        r"class_weight 'balanced' is not supported for partial_fit",
        "class weights that are known before a batch is seen",
        "class_weight: balanced",
        "Write weights: {classes: balanced} instead, which counts all rows of a fit.",
    ),
]
_KNOWN_MODULES = ("sklearn.", "samebits.")
# OpenMP's threads wait for each other at every node of a tree. Of a small table they wait longer than they compute; where others have
# the cores, far longer: measured on two busy ones, over two threads against one, 100 trees of 353 rows took 16 times as long, of
# 60,000 rows 4 times.
CELLS_A_THREAD = 250_000
_BLOCK_CELLS = 4_000_000  # of rows that a model is asked of at once: the steps before it hold them four times
FINAL = "final fit"  # the name of that stage, beside those of the folds
# What estimators raise of rows or parameters that they cannot work with, or that there is no memory for; and what would end the
# program with an exit code of its own.
FAILURES = (
    *(ValueError, TypeError, AttributeError, ArithmeticError, LookupError, RuntimeError, AssertionError, MemoryError),
    *(StopIteration, SystemExit),
)


@dataclass(frozen=True)
class Fit:
    """A fitted pipeline.

    Parameters
    ----------
    is_settled
        Whether it converged.
    """

    pipeline: Pipeline
    is_settled: bool


def fit_model(name: str, pipeline: Pipeline, sample: Sample, root_seed: int, n_jobs: int) -> Fit:
    """Return the candidate fitted on all training rows, over threads where that was shown to change no bit.

    Raises
    ------
    DataError
        It cannot be fitted.
    """
    plant_seeds(root_seed, f"fit.{name}")
    return fit_stage(name, FINAL, pipeline, sample, joblib.effective_n_jobs(n_jobs), fit_watched)


def fit_stage(
    name: str, stage: str, pipeline: Pipeline, sample: Sample, threads: int, fit: Callable[[Pipeline, Sample, int], Fit]
) -> Fit:
    """Return what a fit gives; where it fails, candidate and stage are named.

    Raises
    ------
    DataError
        It cannot be fitted.
    """
    try:
        return fit(pipeline, sample, threads)
    except FAILURES as error:
        raise DataError(describe_failure(name, stage, error)) from error


def fit_watched(pipeline: Pipeline, sample: Sample, threads: int) -> Fit:
    """Return a fitted copy, and whether it converged; not to be called from two threads at once, since warnings are the process's."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        fitted = _fit_copy(pipeline, sample, threads)
    others = [warning for warning in caught if not issubclass(warning.category, ConvergenceWarning)]
    for warning in others:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return Fit(fitted, len(others) == len(caught))


def fit_settled(pipeline: Pipeline, sample: Sample, threads: int) -> Fit:
    """Return a fitted copy of what `stands_beside_others`, which always converges."""
    return Fit(_fit_copy(pipeline, sample, threads), is_settled=True)


def _fit_copy(pipeline: Pipeline, sample: Sample, threads: int) -> Pipeline:
    """Return a fitted copy, its fit over threads where that was measured to change no bit of what is fitted."""
    if sample.batches is not None:
        with _leave_threads(pipeline, threads):
            return fit_batches(pipeline, sample, threads)
    sample_weight = sample.weights.weigh(sample.y)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    fitted = clone(pipeline)
    set_fit_threads(fitted, threads)
    with _leave_threads(pipeline, threads):
        rows = copy_rows(sample.X)
        if len(fitted.steps) > 1:
            with finding_medians_by_column(fitted):
                rows = fitted[:-1].fit_transform(rows, sample.y)  # what it was given is needed no more
        with _lend_openmp(pipeline, sample, threads):
            fitted.steps[-1][1].fit(rows, sample.y, **weights)
    return fitted


def _leave_threads(pipeline: Pipeline, threads: int) -> AbstractContextManager[object]:
    if _name_estimator(pipeline) in THREADED_FITS:
        leave: AbstractContextManager[object] = joblib.parallel_config("threading", n_jobs=threads)
        return leave
    return _limit_openmp(1)


def _lend_openmp(pipeline: Pipeline, sample: Sample, threads: int) -> AbstractContextManager[object]:
    """Lend OpenMP's threads to the last step alone: the pool is one for all, and KMeans before it adds as threads arrive."""
    is_free = _name_estimator(pipeline) in OPENMP_FITS or name_library(find_estimator(pipeline)) == "xgboost"
    return _limit_openmp(_spare_threads(sample, threads)) if is_free else nullcontext()


def _spare_threads(sample: Sample, threads: int) -> int:
    """Return how many threads a table keeps busy, of as many as there are."""
    return max(1, min(threads, sample.X.size // CELLS_A_THREAD))


def _limit_openmp(threads: int) -> AbstractContextManager[object]:
    limits: AbstractContextManager[object] = _find_pools(len(sys.modules)).limit(limits=threads, user_api="openmp")
    return limits


@functools.lru_cache(maxsize=1)
def _find_pools(_n_modules: int) -> ThreadpoolController:
    """Return all thread pools of the process: to look for them takes as long as a small fit, and more come by imports alone."""
    return ThreadpoolController()


@contextmanager
def lend_threads_to_predict(pipeline: Pipeline, threads: int) -> Iterator[None]:
    """Let a pipeline predict over threads, where that changes no bit."""
    with _limit_openmp(threads if predicts_over_threads(pipeline) else 1):
        yield


def predicts_over_threads(pipeline: Pipeline) -> bool:
    """Tell whether a pipeline predicts over threads as well as many processes would, with no bit changed."""
    return _name_estimator(pipeline) in OPENMP_PREDICTS


def stands_beside_others(pipeline: Pipeline) -> bool:
    """Tell whether fits of a pipeline may stand beside each other in one process.

    Such a fit draws from no global generator, always settles, and spends its time outside Python's lock.
    """
    members = pipeline.get_params(deep=True)
    estimators = [member for member in members.values() if isinstance(member, BaseEstimator)]
    known = PLAIN_STEPS | OPENMP_PREDICTS
    is_known = all(type(one).__name__ in known and type(one).__module__.startswith(_KNOWN_MODULES) for one in estimators)
    return is_known and predicts_over_threads(pipeline) and not members.get("row_columns__functions")


def divide_rows(X: Rows, pipeline: Pipeline) -> Rows:
    """Return rows as a fitted pipeline is to be asked of them: many in blocks, where what it says of one depends on no other."""
    if not isinstance(X, TakenRows) or X.size <= _BLOCK_CELLS or not stands_beside_others(pipeline):
        return X
    return replace(X, block_rows=max(1, _BLOCK_CELLS // len(X.columns)))


def _name_estimator(pipeline: Pipeline) -> str:
    return type(find_estimator(pipeline)).__name__


def describe_failure(name: str, stage: str, error: BaseException) -> Problem:
    """Return what an estimator raised, as a problem of its candidate: in our words where they say what to do."""
    reason = " ".join(str(error).partition("Stack trace:")[0].split()).rstrip(".")  # which XGBoost adds, page by page
    for pattern, expected, found, remedy in _KNOWN_FAILURES:
        if match := re.search(pattern, reason):
            return Problem(f"models.{name}, {stage}", expected, found.format(*match.groups()), remedy)
    return Problem(f"models.{name}, {stage}", "a model that fits this table", f"{type(error).__name__}: {reason}", "Change one.")
