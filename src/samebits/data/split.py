"""The split: which rows are held back for the final test, and the folds of cross-validation over the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)

from samebits.config.catalog import CLASSIFICATION
from samebits.config.components import build_component, make_split_spec
from samebits.config.keys import Config
from samebits.data.dataset import Dataset, raise_for_unknown_columns
from samebits.data.target import Target, check_class_sizes
from samebits.errors import ConfigError, DataError, Problem
from samebits.numerics.seeds import derive_seed, seed_component

DEFAULT_FOLDS = 5


@dataclass(frozen=True)
class Split:
    """Row numbers of the table, counted from 0.

    Parameters
    ----------
    train_rows, test_rows
        In the order in which they are used; int64.
    folds
        Pairs (fit, score) of positions within train_rows; int64.
    seeds
        The seeds planted, by place.
    """

    train_rows: np.ndarray
    test_rows: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]
    seeds: dict[str, int]


def split_rows(config: Config, dataset: Dataset, target: Target) -> Split:
    """Divide the rows as the config says.

    Raises
    ------
    DataError
        The split's column is not in the table or has missing values, or a class is too small for it.
    ConfigError
        A splitter refuses its parameters or its rows.
    """
    if config.split.column is not None:
        raise_for_unknown_columns([("split.column", config.split.column)], list(dataset.kinds), dataset.path)
    seeds: dict[str, int] = {}
    try:
        train_rows, test_rows = _hold_back(config, dataset, target, seeds)
    except ValueError as error:
        remedy = "Change split (stratify: false takes classes of any size), or the table."
        raise DataError(Problem("split", "rows that can be divided so", str(error), remedy)) from None
    for name, rows in (("training", train_rows), ("test", test_rows)):
        if len(rows) == 0:
            raise DataError(Problem("split", f"{name} rows", "none", "Change split.test_size."))
    folds = _fold(config, dataset, target, train_rows, seeds)
    return Split(train_rows.astype(np.int64), test_rows.astype(np.int64), folds, seeds)


def _hold_back(config: Config, dataset: Dataset, target: Target, seeds: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    split = config.split
    rows = np.arange(len(target.values))
    column = _read_column(config, dataset) if split.column is not None else None
    if split.class_ is not None:
        splitter = build_component(make_split_spec(split.model_dump(by_alias=True, exclude_unset=True)), config.allow, ("split",))
        seeds.update(seed_component(splitter, config.seed, "split"))
        train, test = next(iter(splitter.split(rows, target.values, column)))
        return np.asarray(train), np.asarray(test)
    if split.method == "time" and column is not None:
        order = np.argsort(column, kind="stable")  # an unstable sort orders ties by the CPU
        n_test = int(np.ceil(split.test_size * len(rows)))
        return order[: len(rows) - n_test], order[len(rows) - n_test :]
    seed = split.random_state if split.random_state is not None else derive_seed(config.seed, "split.random_state")
    seeds["split.random_state"] = seed
    if split.method == "group":
        splitter = GroupShuffleSplit(n_splits=1, test_size=split.test_size, random_state=seed)
        train, test = next(iter(splitter.split(rows, target.values, column)))
        return train, test
    strata = column if column is not None else target.values if split.stratify or _is_stratified(config, target) else None
    train, test = train_test_split(rows, test_size=split.test_size, random_state=seed, stratify=strata)
    return train, test


def _is_stratified(config: Config, target: Target) -> bool:
    return target.task in CLASSIFICATION and config.split.stratify is not False


def _read_column(config: Config, dataset: Dataset) -> np.ndarray:
    name = str(config.split.column)
    column = dataset.frame[name]
    if column.isna().any():
        found = f"{int(column.isna().sum())} missing"
        raise DataError(Problem(f"split.column: {name!r}", "a value in every row", found, "Fill or remove these rows."))
    if dataset.kinds[name] in ("categorical", "text") and config.split.method == "time":
        remedy = "Name it in data.read.dates with its format."
        raise DataError(Problem(f"split.column: {name!r}", "dates or numbers", repr(column.iloc[0]), remedy))
    return column.to_numpy(dtype=np.str_) if dataset.kinds[name] in ("categorical", "text") else column.to_numpy()


def _fold(
    config: Config, dataset: Dataset, target: Target, train_rows: np.ndarray, seeds: dict[str, int]
) -> list[tuple[np.ndarray, np.ndarray]]:
    splitter = _build_splitter(config, target, train_rows)
    seeds.update(seed_component(splitter, config.seed, "cv"))
    takes_groups = config.split.is_grouped or (config.split.column is not None and "Group" in type(splitter).__name__)
    groups = _read_column(config, dataset)[train_rows] if takes_groups else None
    try:
        folds = [
            (np.asarray(fit, dtype=np.int64), np.asarray(score, dtype=np.int64))
            for fit, score in splitter.split(np.zeros(len(train_rows)), target.values[train_rows], groups)
        ]
    except (ValueError, TypeError) as error:
        raise ConfigError(Problem("cv", "folds that these rows allow", str(error), "Change cv.")) from None
    _check_folds(config, target, train_rows, folds)
    return folds


def _build_splitter(config: Config, target: Target, train_rows: np.ndarray) -> Any:
    if config.cv.class_ is not None:
        return build_component(config.cv.model_dump(by_alias=True, exclude_none=True), config.allow, ("cv",))
    n_splits = config.cv.n_splits or DEFAULT_FOLDS
    is_stratified = _is_stratified(config, target)
    if config.split.method == "time":
        return TimeSeriesSplit(n_splits)
    if is_stratified:
        check_class_sizes(target, train_rows, n_splits)
    if config.split.is_grouped:
        return StratifiedGroupKFold(n_splits, shuffle=True) if is_stratified else GroupKFold(n_splits)
    return StratifiedKFold(n_splits, shuffle=True) if is_stratified else KFold(n_splits, shuffle=True)


def _check_folds(config: Config, target: Target, train_rows: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """A fold that never sees a class would fail, or score nonsense, in the middle of training; unless that was asked for."""
    if target.labels is None:
        return
    values = target.values[train_rows]
    for number, (fit, _) in enumerate(folds, start=1):
        unseen = np.setdiff1d(target.labels, values[fit])
        found = f"none of {', '.join(map(repr, unseen.tolist()))}"
        if len(unseen) and _is_stratified(config, target):
            remedy = "Change cv or split, or set split.stratify: false."
            raise DataError(Problem(f"fold {number} of cv", "rows of every class to fit on", found, remedy))
        if len(target.labels) - len(unseen) < 2:
            raise DataError(Problem(f"fold {number} of cv", "rows of two classes to fit on", found, "Change cv or split."))
