"""Storing: a fitted model becomes its file, which is loaded back and compared; and the rehearsal of that before a long training.

A pipeline of scikit-learn's and samebits' classes is known to be storable and is not rehearsed. Any other is fitted on a few rows
and stored: what will be refused after the training is refused before it. A fit that fails for lack of rows proves nothing.
"""

from __future__ import annotations

import functools
import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import Birch
from sklearn.pipeline import Pipeline

from samebits.errors import ConfigError, LineageError, Problem
from samebits.model.file import dump_model, is_trusted, load_model, settle_model
from samebits.model.fingerprint import digest_model
from samebits.numerics.generators import plant_seeds
from samebits.stored.taken_rows import Rows, read_rows

REHEARSAL_ROWS = 50
_KNOWN_PACKAGES = ("sklearn", "samebits", "numpy", "pandas", "builtins")


def store_model(model: Any, allow: Sequence[str]) -> tuple[bytes, str]:
    """Return a model's file and digest, having loaded the file and found the same model in it.

    To be called before it predicts: some models count their queries.

    Raises
    ------
    LineageError
        The model cannot be stored without pickle.
    """
    settle_model(model)
    content, digest = dump_model(model), digest_model(model)
    if digest_model(load_model(content, allow)) != digest:
        remedy = "This class cannot be stored without pickle: use another."
        raise LineageError(Problem("model file", f"a model of digest {digest}", "another when it is loaded", remedy))
    return content, digest


def rehearse_storing(candidates: dict[str, Pipeline], X: Rows, y: np.ndarray, allow: Sequence[str], root_seed: int) -> None:
    """Fit each candidate that is not known to be storable on a few rows, and store it; the global generators are left as they were.

    Raises
    ------
    ConfigError
        A candidate cannot be stored.
    """
    problems = []
    with _keep_generators():
        for name in candidates:
            if not _is_known(candidates[name]):
                plant_seeds(root_seed, f"rehearsal.{name}")
                problems += _find_problems(name, candidates[name], X, y, allow)
    if problems:
        raise ConfigError(*problems)


@contextmanager
def _keep_generators() -> Iterator[None]:
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def _find_problems(name: str, pipeline: Pipeline, X: Rows, y: np.ndarray, allow: Sequence[str]) -> list[Problem]:
    rows = _choose_rows(y)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = clone(pipeline).fit(read_rows(X.take(rows)), y[rows])
    except (Exception, SystemExit):  # whatever a stranger's class raises of so few rows
        return []
    try:
        store_model(fitted, allow)
    except LineageError as error:
        return [replace(problem, where=f"models.{name}") for problem in error.problems]
    return []


def _choose_rows(y: np.ndarray) -> np.ndarray:
    """The first rows of every class, six at least (five folds may be made of them); of a quantity, the first rows."""
    if y.dtype.kind == "f":
        return np.arange(min(len(y), REHEARSAL_ROWS))
    labels, codes = np.unique(y, return_inverse=True)
    wanted = max(6, REHEARSAL_ROWS // len(labels))
    return np.sort(np.concatenate([np.flatnonzero(codes == code)[:wanted] for code in range(len(labels))]))


def _is_known(value: Any) -> bool:
    """Tell whether a pipeline is made of nothing but what is known to be storable."""
    if isinstance(value, dict):
        return type(value) is dict and all(map(_is_known, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_known, value))
    if isinstance(value, functools.partial):
        return all(map(_is_known, (value.func, *value.args, *value.keywords.values())))
    if isinstance(value, BaseEstimator):
        return _is_known(type(value)) and not isinstance(value, Birch) and all(map(_is_known, value.get_params(deep=False).values()))
    kind = value if isinstance(value, type) else type(value)
    if callable(value) and not isinstance(value, type):
        return is_trusted(f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}")
    return kind.__module__.partition(".")[0] in _KNOWN_PACKAGES
