"""The target: which task it asks for, its values as scikit-learn takes them, and which class is the positive one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from samebits.config.catalog import CLASSIFICATION, Task
from samebits.config.loading import LoadedConfig
from samebits.data.dataset import Dataset
from samebits.errors import ConfigError, DataError, Problem
from samebits.keys.config import Config
from samebits.text import shorten_list

_SMALL = (
    "Lower cv.n_splits, leave such classes out by data.rows (min_class_rows), set split.stratify: false, or task: regression where "
    "classes are grades."
)
MAX_CLASSES_OF_INTEGERS = 20  # integers with more different values than this are quantities, not classes


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Parameters
    ----------
    values
        Shape (n_rows,): float64 under regression, else the class labels as bool, int64 or str.
    labels
        The classes, sorted; None under regression.
    positive
        The positive class; binary tasks only.
    """

    task: Task
    values: np.ndarray
    labels: np.ndarray | None
    positive: Any = None


def read_target(config: Config, dataset: Dataset) -> Target:
    """Return the target of a dataset.

    Raises
    ------
    DataError
        The target has missing values, one class only, other than two under binary, no number under regression, or not the
        positive class that the config names.
    """
    name = config.data.target
    column, kind = dataset.read_column(name), dataset.all_kinds[name]
    where = f"target {name!r}"
    missing = int(column.isna().sum())
    if missing:
        first = int(column.index[column.isna()][0])
        found = f"{missing} missing (the first in row {first + 1})"
        remedy = f"Fill them, or drop these rows: data.rows: [{{drop_missing: [{name}]}}]."
        raise DataError(Problem(where, "a value in every row", found, remedy))
    if kind == "date":
        raise DataError(Problem(where, "classes or numbers", "dates", "Make a number of it, or name another target."))
    task = config.task if config.task != "auto" else _choose_task(column, kind)
    if task == "regression":
        return Target(task, _as_quantities(column, where), None)
    values = _as_labels(column)
    labels = np.unique(values)
    _check_labels(task, labels, where)
    positive = choose_positive(config.data.positive, labels, where) if task == "binary" else None
    return Target(task, values, labels, positive)


def check_task(loaded: LoadedConfig, target: Target) -> None:
    """Hold what a config says of a positive class and of a threshold to the task.

    Raises
    ------
    ConfigError
        It is not binary.
    """
    config = loaded.config
    named = [("business", config.business.method)] if config.business.method else []
    named += [("data", "positive")] if config.data.positive is not None else []
    for key_path in named if target.task != "binary" else []:
        where = loaded.document.locate(key_path)
        raise ConfigError(Problem(where, "a binary task", f"a {target.task} target", "Remove the key, or set task:."))


def find_name(wanted: str, known: Sequence[str]) -> str | None:
    """Return the name that is meant: letter by letter, or else the only one that differs in nothing but the letters' case."""
    if wanted in known:
        return wanted
    alike = [name for name in known if name.casefold() == wanted.casefold()]
    return alike[0] if len(alike) == 1 else None


def _choose_task(column: pd.Series, kind: str) -> Task:
    distinct = column.nunique()
    if distinct <= 2:
        return "binary"
    if kind in ("categorical", "text", "boolean"):
        return "multiclass"
    values = column.to_numpy(dtype=np.float64) if kind == "numeric" else np.array([0.5])
    is_whole = bool(np.all(values == np.floor(values)))
    return "multiclass" if is_whole and distinct <= MAX_CLASSES_OF_INTEGERS else "regression"


def _as_quantities(column: pd.Series, where: str) -> np.ndarray:
    try:
        values = column.to_numpy(dtype=np.float64)
    except (ValueError, TypeError):
        raise DataError(Problem(where, "numbers, for regression", f"{column.iloc[0]!r}", "Set task:, or mend it.")) from None
    if not np.all(np.isfinite(values)):
        raise DataError(Problem(where, "finite numbers", "an infinity", "Remove these rows."))
    return values


def _as_labels(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=bool)
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64)
        return values.astype(np.int64) if np.all(values == np.floor(values)) else values.astype(np.str_)
    return write_texts(column)


def write_texts(column: pd.Series) -> np.ndarray:
    """Return a column of text, none missing, as NumPy's; each different value is written once."""
    codes, distinct = pd.factorize(column)
    texts: np.ndarray = distinct.astype(str).to_numpy(dtype=np.str_)[codes]
    return texts


def _check_labels(task: Task, labels: np.ndarray, where: str) -> None:
    shown = ", ".join(repr(label) for label in labels.tolist()[:10])
    if len(labels) < 2:
        raise DataError(Problem(where, "at least two classes", f"only {shown}", "Is this the right column, or part of the table?"))
    if task == "binary" and len(labels) != 2:
        raise DataError(
            Problem(
                where, "two classes, for binary", f"{len(labels)} ({shown}{', …' if len(labels) > 10 else ''})", _suggest_task(labels)
            )
        )


def _suggest_task(labels: np.ndarray) -> str:
    is_quantity = labels.dtype.kind in "if" or all(re.fullmatch(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", str(label)) for label in labels[:20])
    return "Set task: regression." if is_quantity and len(labels) > MAX_CLASSES_OF_INTEGERS else "Set task: multiclass or auto."


def describe_choice(config: Config, target: Target) -> list[str]:
    """Return what is to be said of a positive class that nobody named."""
    if target.labels is None or target.positive is None or config.data.positive is not None:
        return []
    classes = " and ".join(map(str, target.labels.tolist()))
    return [f"target  {config.data.target}: {classes}, of which {target.positive} counts as positive; data.positive names another"]


def choose_positive(wanted: Any, labels: np.ndarray, where: str) -> Any:
    """Return the positive class: the one that a config names, or by default the greater label, as scikit-learn takes it.

    Raises
    ------
    DataError
        What is named is no class.
    """
    if wanted is None:
        return labels[-1].item()
    same = [label for label in labels.tolist() if label == wanted and isinstance(label, bool) == isinstance(wanted, bool)]
    same = same or [label for label in labels.tolist() if str(label).lower() == str(wanted).lower()]
    if not same:
        shown = " or ".join(repr(label) for label in labels.tolist())
        raise DataError(Problem("data.positive", f"{shown}, a class of {where}", repr(wanted), "Name one of them."))
    return same[0]


def check_class_sizes(target: Target, rows: np.ndarray, n_splits: int) -> None:
    """Hold the training rows to what stratified folds need.

    Raises
    ------
    DataError
        A class has fewer training rows than there are folds.
    """
    if target.task not in CLASSIFICATION or target.labels is None:
        return
    values, counts = np.unique(target.values[rows], return_counts=True)
    sizes = dict(zip(values.tolist(), counts.tolist(), strict=True))
    small = [f"{label!r} with {sizes.get(label, 0)}" for label in target.labels.tolist() if sizes.get(label, 0) < n_splits]
    if small:
        found = small[0].rpartition(" with ")[2] if len(small) == 1 else shorten_list(small)
        where = f"class {small[0].partition(' with ')[0]} of the target" if len(small) == 1 else f"{len(small)} classes of the target"
        raise DataError(Problem(where, f"at least {n_splits} training rows, one for each of {n_splits} folds", found, _SMALL))
