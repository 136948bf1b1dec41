"""The folds of cross-validation over the training rows, or the one validation part by which candidates are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    TimeSeriesSplit,
)

from samebits.config.components import build_component
from samebits.data.dataset import Dataset
from samebits.data.split import (
    Holding,
    bin_evenly,
    find_time_border,
    hold_rows_back,
    is_stratified,
    read_split_column,
    refuse_splitter,
)
from samebits.data.target import Target, check_class_sizes
from samebits.errors import DataError, Problem
from samebits.keys.config import Config
from samebits.numerics.seeds import seed_component

DEFAULT_FOLDS = 5
DEFAULT_VALIDATION_SIZE = 0.2
Fold = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Split:
    """Rows as positions among those in use.

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
    folds: list[Fold]
    seeds: dict[str, int]


def split_rows(config: Config, dataset: Dataset, target: Target, test_numbers: np.ndarray | None = None) -> Split:
    """Divide the rows as the config says: into training and test rows, and the training rows into folds.

    Raises
    ------
    DataError
        The split's column is not in the table or has missing values, or a class is too small for it.
    ConfigError
        A splitter refuses its parameters or its rows.
    """
    held = _put_in_order(config, hold_rows_back(config, dataset, target, test_numbers))
    seeds = dict(held.seeds)
    if held.validation_rows is not None:
        folds = _take_validation_part(held.train_rows, held.validation_rows)
    else:
        folds, planted = _fold(config, dataset, target, held.train_rows)
        seeds.update(planted)
    _check_folds(config, target, held.train_rows, folds)
    if config.batches is not None:
        folds = [(np.sort(fit), np.sort(score)) for fit, score in folds]
    return Split(held.train_rows, held.test_rows, folds, seeds)


def _put_in_order(config: Config, held: Holding) -> Holding:
    """Rows on disk are used in the table's order, so that a batch lies in one place; by time they stay in time's order."""
    if config.batches is None or config.split.method == "time":
        return held
    return replace(held, train_rows=np.sort(held.train_rows), test_rows=np.sort(held.test_rows))


def fold_rows(config: Config, dataset: Dataset, target: Target, rows: np.ndarray) -> list[Fold]:
    """Divide some of the training rows into folds as the config divides all of them.

    Raises
    ------
    DataError, ConfigError
        They are too few for it.
    """
    folds, _ = _fold(config, dataset, target, rows)
    _check_folds(config, target, rows, folds)
    return folds


def _take_validation_part(train_rows: np.ndarray, validation_rows: np.ndarray) -> list[Fold]:
    is_scored = np.isin(train_rows, validation_rows)
    return [(np.flatnonzero(~is_scored), np.flatnonzero(is_scored))]


def _fold(config: Config, dataset: Dataset, target: Target, train_rows: np.ndarray) -> tuple[list[Fold], dict[str, int]]:
    if config.cv.n_splits == 1 and config.split.method == "time" and config.cv.class_ is None:
        n_fit = len(train_rows) - int(np.ceil(_size_validation(config) * len(train_rows)))
        return _keep_times_whole([(np.arange(n_fit), np.arange(n_fit, len(train_rows)))], config, dataset, train_rows), {}
    strata = _find_fold_strata(config, target, train_rows)
    splitter = _build_splitter(config, target, train_rows, has_strata=strata is not None)
    seeds = seed_component(splitter, config.seed, "cv")
    takes_groups = config.split.is_grouped or (config.split.column is not None and "Group" in type(splitter).__name__)
    groups = read_split_column(config, dataset)[train_rows] if takes_groups else None
    labels = strata if strata is not None else target.values[train_rows]
    try:
        folds = [
            (np.asarray(fit, dtype=np.int64), np.asarray(score, dtype=np.int64))
            for fit, score in splitter.split(np.zeros(len(train_rows)), labels, groups)
        ]
    except (ValueError, TypeError) as error:
        raise refuse_splitter(error) from None
    by_time = config.split.method == "time" and config.cv.class_ is None
    return _keep_times_whole(folds, config, dataset, train_rows) if by_time else folds, seeds


def _keep_times_whole(folds: list[Fold], config: Config, dataset: Dataset, train_rows: np.ndarray) -> list[Fold]:
    """Folds of consecutive rows, in the order of time, begin and end where the time changes."""
    times = read_split_column(config, dataset)[train_rows]
    moved = []
    for _, score in folds:
        start, end = (find_time_border(times, int(position)) for position in (score[0], score[-1] + 1))
        if start == 0 or start == end:
            expected = f"more different times of {config.split.column!r}, of which each fold has its own"
            found = f"{len(np.unique(times)):,} in the training rows for cv.n_splits: {len(folds)}"
            raise DataError(Problem("cv", expected, found, "Take fewer folds, or name a finer split.column."))
        moved.append((np.arange(start), np.arange(start, end)))
    return moved


def _find_fold_strata(config: Config, target: Target, train_rows: np.ndarray) -> np.ndarray | None:
    """Bins of the target are strata of the folds too; classes are so by themselves."""
    n_bins = config.split.strata_bins
    if n_bins is None or config.split.column is not None or config.cv.class_ is not None:
        return None
    return bin_evenly(target.values[train_rows], n_bins, "target")


def _size_validation(config: Config) -> float:
    return config.cv.validation_size or DEFAULT_VALIDATION_SIZE


def _build_splitter(config: Config, target: Target, train_rows: np.ndarray, has_strata: bool) -> Any:
    if config.cv.class_ is not None:
        spec = config.cv.model_dump(by_alias=True, exclude_none=True)
        return build_component(spec, config.allow, ("cv",))
    n_splits = config.cv.n_splits or DEFAULT_FOLDS
    by_strata = has_strata or is_stratified(config, target)
    if n_splits == 1:
        size = _size_validation(config)
        if config.split.is_grouped:
            return GroupShuffleSplit(n_splits=1, test_size=size)
        return StratifiedShuffleSplit(1, test_size=size) if by_strata else ShuffleSplit(1, test_size=size)
    if config.split.method == "time":
        return TimeSeriesSplit(n_splits)
    if by_strata and not has_strata:
        check_class_sizes(target, train_rows, n_splits)
    if config.split.is_grouped:
        return StratifiedGroupKFold(n_splits, shuffle=True) if by_strata else GroupKFold(n_splits)
    return StratifiedKFold(n_splits, shuffle=True) if by_strata else KFold(n_splits, shuffle=True)


def _check_folds(config: Config, target: Target, train_rows: np.ndarray, folds: list[Fold]) -> None:
    """A fold that never sees a class would fail, or score nonsense, in the middle of training; unless that was asked for."""
    if target.labels is None:
        return
    values = target.values[train_rows]
    for number, (fit, _) in enumerate(folds, start=1):
        unseen = np.setdiff1d(target.labels, values[fit])
        found = f"none of {', '.join(map(repr, unseen.tolist()))}"
        if len(unseen) and is_stratified(config, target):
            remedy = "Change cv or split, or set split.stratify: false."
            raise DataError(Problem(f"fold {number} of cv", "rows of every class to fit on", found, remedy))
        if len(target.labels) - len(unseen) < 2:
            raise DataError(Problem(f"fold {number} of cv", "rows of two classes to fit on", found, "Change cv or split."))
