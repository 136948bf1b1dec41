"""The split: which rows are held back for the final test. The folds of cross-validation over the others are `folds`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from samebits.config.catalog import CLASSIFICATION
from samebits.config.components import build_component, make_split_spec
from samebits.data.dataset import Dataset
from samebits.data.target import Target, find_name, write_texts
from samebits.digests import digest_bytes
from samebits.errors import ConfigError, DataError, Problem
from samebits.keys.config import Config
from samebits.keys.division import Split
from samebits.numerics.generators import derive_seed
from samebits.numerics.seeds import seed_component
from samebits.plain_files import read_plain
from samebits.row_columns import read_texts, write_as
from samebits.table.dates import read_moment, write_moment
from samebits.table.reading import check_pin
from samebits.text import shorten_list

_MOST_ROWS_BYTES = 1 << 30
_FAR = 2  # times more, or fewer, test rows than wished
_Rows = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Holding:
    """Which rows are for what, as positions among the rows in use, int64, in the order in which they are used.

    Parameters
    ----------
    validation_rows
        Of the training rows, the part by which candidates are compared, where the config names one; else None.
    seeds
        The seeds planted, by place.
    """

    train_rows: np.ndarray
    test_rows: np.ndarray
    validation_rows: np.ndarray | None
    seeds: dict[str, int]


def hold_rows_back(config: Config, dataset: Dataset, target: Target, test_numbers: np.ndarray | None = None) -> Holding:
    """Divide the rows into those to train on and those of the final test.

    Parameters
    ----------
    test_numbers
        Row numbers of the table that a file names as test rows.

    Raises
    ------
    DataError
        The split's column has missing values or not the values named, or nothing is left to train on or to test.
    ConfigError
        A splitter refuses its parameters.
    """
    seeds: dict[str, int] = {}
    try:
        if config.split.class_ is not None:
            train, test = _split_by_class(config, dataset, target, seeds)
        else:
            train, test = _METHODS[config.split.method](config, dataset, target, seeds, test_numbers)
    except ValueError as error:
        by_class = "Change split (stratify: false takes classes of any size), or the table."
        of_column = "Change split.test_size, what the rows are divided by, or the table."
        remedy = of_column if config.split.column is not None or config.split.strata_bins is not None else by_class
        raise DataError(Problem("split", "rows that can be divided so", str(error).rstrip("."), remedy)) from None
    for name, rows in (("training", train), ("test", test)):
        if len(rows) == 0 and (name == "training" or config.split.method != "none"):
            raise DataError(Problem("split", f"{name} rows", "none", "Change split."))
    train, test = np.asarray(train, dtype=np.int64), np.asarray(test, dtype=np.int64)
    return Holding(train, test, _find_validation_rows(config, dataset, train), seeds)


def _split_by_class(config: Config, dataset: Dataset, target: Target, seeds: dict[str, int]) -> _Rows:
    spec = make_split_spec(config.split.model_dump(by_alias=True, exclude_unset=True))
    splitter = build_component(spec, config.allow, ("split",))
    seeds.update(seed_component(splitter, config.seed, "split"))
    column = read_split_column(config, dataset) if config.split.column is not None else None
    train, test = next(iter(splitter.split(np.arange(len(target.values)), target.values, column)))
    return np.asarray(train), np.asarray(test)


def _split_at_random(config: Config, dataset: Dataset, target: Target, seeds: dict[str, int], _: Any) -> _Rows:
    split = config.split
    rows = np.arange(len(target.values))
    n_test = _count_test_rows(split.test_size, len(rows))
    strata = find_strata(config, target) if split.column is None else _find_column_strata(config, dataset)
    if strata is not None:
        _check_strata(strata, split.column)
    train, test = train_test_split(rows, test_size=n_test, random_state=_plant(config, seeds), stratify=strata)
    return train, test


def _check_strata(strata: np.ndarray, column: str | None) -> None:
    """What stands in one row cannot be in both parts."""
    values, counts = np.unique(strata, return_counts=True)
    alone = [repr(value) for value in values[counts < 2].tolist()]
    if alone:
        found = f"one row of {shorten_list(alone)}"
        where = "the target" if column is None else f"split.column {column!r}"
        of_target = "Leave such rows out by data.rows (min_class_rows: 2), or set split.stratify: false."
        remedy = (
            of_target if column is None else "Leave such rows out by data.rows (drop), set split.strata_bins, or name another column."
        )
        raise DataError(Problem(f"split by the values of {where}", "at least two rows of each", found, remedy))


def _plant(config: Config, seeds: dict[str, int]) -> int:
    own = config.split.random_state
    seeds["split.random_state"] = own if own is not None else derive_seed(config.seed, "split.random_state")
    return seeds["split.random_state"]


def is_stratified(config: Config, target: Target) -> bool:
    """Tell whether classes keep their proportions in the parts."""
    return target.task in CLASSIFICATION and config.split.stratify is not False


def find_strata(config: Config, target: Target) -> np.ndarray | None:
    """Return what keeps its proportions in the parts: classes, or bins of the target; shape (n_rows,), or None for nothing."""
    if config.split.strata_bins is not None and config.split.column is None:
        return bin_evenly(target.values, config.split.strata_bins, "target")
    return target.values if config.split.stratify or is_stratified(config, target) else None


def _find_column_strata(config: Config, dataset: Dataset) -> np.ndarray:
    column = read_split_column(config, dataset)
    n_bins = config.split.strata_bins
    return column if n_bins is None else bin_evenly(column, n_bins, f"split.column {config.split.column!r}")


def bin_evenly(values: np.ndarray, n_bins: int, where: str) -> np.ndarray:
    """Return the number of each value's bin, shape (n,); bins hold about equally many values (pandas.qcut).

    Raises
    ------
    DataError
        The values are no numbers or dates.
    """
    if where == "target" and values.dtype.kind != "f":
        raise DataError(
            Problem("split.strata_bins", "the target of a regression", "classes, which are strata themselves", "Remove the key.")
        )
    if not np.issubdtype(values.dtype, np.number) and not np.issubdtype(values.dtype, np.datetime64):
        raise DataError(Problem("split.strata_bins", f"numbers in {where}", f"{values.dtype}", "Remove the key: classes are strata."))
    return np.asarray(pd.qcut(values, n_bins, labels=False, duplicates="drop"))


def _count_test_rows(test_size: int | float, n_rows: int) -> int:
    """Return how many of some rows are held back: a number as it is said, a fraction rounded up, as scikit-learn does."""
    if test_size == 1:
        raise DataError(Problem("split.test_size", "two rows or more", "1", "Hold back more: of one row nothing can be measured."))
    if isinstance(test_size, int) and test_size >= n_rows:
        raise DataError(Problem("split.test_size", f"fewer than the {n_rows:,} rows in use", f"{test_size:,}", "Hold back fewer."))
    return test_size if isinstance(test_size, int) else int(np.ceil(test_size * n_rows))


def _split_by_time(config: Config, dataset: Dataset, target: Target, seeds: dict[str, int], _: Any) -> _Rows:
    times = read_split_column(config, dataset)
    order = np.argsort(times, kind="stable")  # an unstable sort orders ties by the CPU
    if config.split.bounds:
        return _take_between(config.split, times, order)
    n_test = _count_test_rows(config.split.test_size, len(order))
    cut = find_time_border(times[order], len(order) - n_test)
    _check_last_times(config, len(order), n_test, len(order) - cut)
    return order[:cut], order[cut:]


def _take_between(split: Split, times: np.ndarray, order: np.ndarray) -> _Rows:
    """Return the rows between the times that the config names; those of a gap, and later ones, are in no part."""
    bounds = {name: read_bound(value, times, f"split.{name}") for name, value in split.bounds.items()}
    bounds = {"test_from": bounds["train_until"], **bounds}
    if bounds["test_from"] < bounds["train_until"]:
        expected = f"a time from split.train_until ({split.train_until}) on"
        raise ConfigError(Problem("split.test_from", expected, f"{split.test_from}", "No row may be in both parts."))
    train = _take_part("train", "training", bounds, times[order], split)
    return order[train], order[_take_part("test", "test", bounds, times[order], split)]


def read_bound(written: str | int | float, times: np.ndarray, key: str) -> Any:
    """Return a time that the config names at a key, as the column of times has it.

    Raises
    ------
    DataError
        It is of another kind than the column.
    """
    try:
        return read_moment(written, times)
    except ValueError as error:
        raise DataError(Problem(key, str(error), repr(written), "Write it so.")) from None


def _take_part(part: str, name: str, bounds: dict[str, Any], times: np.ndarray, split: Split) -> slice:
    """Return where in some sorted times a part lies."""
    start, end = bounds.get(f"{part}_from"), bounds.get(f"{part}_until")
    first = 0 if start is None else int(np.searchsorted(times, start))
    after = len(times) if end is None else int(np.searchsorted(times, end))
    if first >= after:
        said = [f"{word} {write_moment(bound)}" for word, bound in (("from", start), ("before", end)) if bound is not None]
        found = f"none: {split.column!r} goes from {write_moment(times[0])} to {write_moment(times[-1])}"
        key = "split.train_until" if part == "train" else "split.test_from"
        raise DataError(Problem(key, f"{name} rows {' and '.join(said)}", found, "Move it."))
    return slice(first, after)


def find_time_border(times: np.ndarray, cut: int) -> int:
    """Return the position nearest to a cut at which no time stands on both sides; of two equally near, the earlier.

    Parameters
    ----------
    times
        Sorted, shape (n_rows,).

    Returns
    -------
    0 where all are of one time.
    """
    if cut in (0, len(times)) or times[cut - 1] != times[cut]:
        return cut
    first, after = np.searchsorted(times, times[cut], "left"), np.searchsorted(times, times[cut], "right")
    is_nearer = after < len(times) and (first == 0 or after - cut < cut - first)
    return int(after if is_nearer else first)


def _check_last_times(config: Config, n_rows: int, n_wished: int, n_found: int) -> None:
    """Rows of one time stay together; where the column is so coarse that the test part is another than wished, the user chooses."""
    column = config.split.column
    if n_found == n_rows > n_wished:
        remedy = "Name a finer column, or another split.method."
        raise DataError(Problem(f"split.column: {column!r}", "two times or more", "the same in all rows", remedy))
    if n_wished > _FAR * n_found or n_found > _FAR * n_wished:
        found = f"{n_found:,} ({n_found / n_rows:.0%}) as the nearest, since rows of equal {column!r} stay together"
        remedy = f"Name a finer column, or say split.test_size: {n_found}."
        raise DataError(Problem("split.test_size", f"about {n_wished:,} of {n_rows:,} rows", found, remedy))


def _split_by_group(config: Config, dataset: Dataset, target: Target, seeds: dict[str, int], _: Any) -> _Rows:
    groups = read_split_column(config, dataset)
    n_groups = len(np.unique(groups))
    if isinstance(config.split.test_size, int) and config.split.test_size >= n_groups:
        found = f"{config.split.test_size:,}"
        raise DataError(Problem("split.test_size", f"fewer than the {n_groups:,} groups", found, "Hold back fewer: it counts groups."))
    splitter = GroupShuffleSplit(n_splits=1, test_size=config.split.test_size, random_state=_plant(config, seeds))
    train, test = next(iter(splitter.split(np.arange(len(target.values)), target.values, groups)))
    return train, test


def _split_by_value(config: Config, dataset: Dataset, target: Target, seeds: dict[str, int], _: Any) -> _Rows:
    names = _read_names(config, dataset)
    last = [dataset.parts[-1][0]] if config.split.method == "file" else []
    wanted = _write_wanted(config.split.test or last, config, dataset)
    return _divide(_find_named(names, wanted, "split.test", config))


def _read_names(config: Config, dataset: Dataset) -> np.ndarray:
    """Return each row's value in the split's column, or the name of the file that it is from, as text; shape (n_rows,)."""
    if config.split.method == "file":
        if len(dataset.parts) < 2:
            raise DataError(Problem("split.method: file", "a folder of several files", f"{dataset.path}", "Choose another method."))
        named = np.repeat([name for name, _ in dataset.parts], [size for _, size in dataset.parts])
        return np.asarray(named[dataset.row_numbers])
    read_split_column(config, dataset)
    return read_texts(dataset.read_column(str(config.split.column))).to_numpy(dtype=np.str_)


def _find_named(names: np.ndarray, wanted: list[str], key: str, config: Config) -> np.ndarray:
    """Return which rows have one of some values, shape (n_rows,), bool; a value that no row has is refused."""
    known = [str(name) for name in np.unique(names)]
    found = {value: find_name(value, known) for value in wanted}
    strange = [value for value, name in found.items() if name is None]
    if strange:
        what = "files of the folder" if config.split.method == "file" else f"values of {config.split.column!r}"
        remedy = "Name what is there, letter by letter, or change data.rows."
        raise DataError(Problem(key, f"{what} ({shorten_list(known)})", shorten_list(strange), remedy))
    return np.isin(names, [name for name in found.values() if name is not None])


def _write_wanted(values: Sequence[Any], config: Config, dataset: Dataset) -> list[str]:
    """Return the config's values as the column's are written."""
    if config.split.method == "file":
        return [str(value) for value in values]
    column = dataset.read_column(str(config.split.column))
    return [write_as(str(value), column) for value in values]


def _divide(is_test: np.ndarray) -> _Rows:
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _split_by_path(config: Config, dataset: Dataset, target: Target, seeds: dict[str, int], _: Any) -> _Rows:
    return _divide(dataset.row_numbers >= dataset.sources[0].n_rows)


def _split_by_rows(config: Config, dataset: Dataset, target: Target, seeds: dict[str, int], numbers: np.ndarray | None) -> _Rows:
    named = numbers if numbers is not None else np.array([], dtype=np.int64)
    n_rows = sum(source.n_rows for source in dataset.sources)
    beyond = named[(named < 0) | (named >= n_rows)]
    if len(beyond):
        found = f"{beyond[0]} and {len(beyond) - 1:,} more such" if len(beyond) > 1 else str(beyond[0])
        raise DataError(Problem("split.rows_file", f"row numbers from 0 to {n_rows - 1:,}", found, "Rows are counted from 0."))
    return _divide(np.isin(dataset.row_numbers, named))


def _split_by_order(config: Config, dataset: Dataset, target: Target, seeds: dict[str, int], _: Any) -> _Rows:
    rows = np.arange(len(target.values))
    n_train = config.split.n_train
    if n_train is None:
        n_train = len(rows) - _count_test_rows(config.split.test_size, len(rows))
    return rows[:n_train], rows[n_train:]


def _split_not_at_all(config: Config, dataset: Dataset, target: Target, seeds: dict[str, int], _: Any) -> _Rows:
    return np.arange(len(target.values)), np.array([], dtype=np.int64)


_METHODS: dict[str, Callable[[Config, Dataset, Target, dict[str, int], np.ndarray | None], _Rows]] = {
    "random": _split_at_random,
    "time": _split_by_time,
    "group": _split_by_group,
    "value": _split_by_value,
    "file": _split_by_value,
    "path": _split_by_path,
    "rows": _split_by_rows,
    "order": _split_by_order,
    "none": _split_not_at_all,
}


def _find_validation_rows(config: Config, dataset: Dataset, train_rows: np.ndarray) -> np.ndarray | None:
    if config.split.validation is None:
        return None
    named = _find_named(
        _read_names(config, dataset), _write_wanted(config.split.validation, config, dataset), "split.validation", config
    )
    rows: np.ndarray = train_rows[named[train_rows]]
    if len(rows) == 0 or len(rows) == len(train_rows):
        found = "no training row" if len(rows) == 0 else "every training row"
        raise DataError(Problem("split.validation", "a part of the training rows", found, "Name other values."))
    return rows


def read_split_column(config: Config, dataset: Dataset) -> np.ndarray:
    """Return the split's column, shape (n_rows,); dates stay dates, categories are text.

    Raises
    ------
    DataError
        A value is missing, or has no order under method time.
    """
    name = str(config.split.column)
    column, kind = dataset.read_column(name), dataset.all_kinds[name]
    if column.isna().any():
        found = f"{int(column.isna().sum())} missing"
        remedy = f"Fill them, or drop these rows: data.rows: [{{drop_missing: [{name}]}}]."
        raise DataError(Problem(f"split.column: {name!r}", "a value in every row", found, remedy))
    if kind in ("categorical", "text") and config.split.method == "time":
        remedy = "Name it in data.read.dates with its format."
        raise DataError(Problem(f"split.column: {name!r}", "dates or numbers", repr(column.iloc[0]), remedy))
    return write_texts(column) if kind in ("categorical", "text") else column.to_numpy()


def read_row_numbers(path: Path, pin: str | None) -> tuple[np.ndarray, bytes]:
    """Return the row numbers that a file lists, one a line, and its bytes; blank lines and what follows a # are left out.

    Raises
    ------
    DataError
        It cannot be read, is not the pinned one, or holds something else.
    """
    try:
        content = read_plain(path, _MOST_ROWS_BYTES)
    except OSError as error:
        raise DataError(Problem(str(path), "a file of row numbers", str(error.strerror or error), "Check split.rows_file.")) from None
    check_pin(path, digest_bytes(content), pin)
    numbers = []
    for line, text in enumerate(content.decode("utf-8-sig", "replace").splitlines(), start=1):
        plain = text.partition("#")[0].strip()
        if plain and not re.fullmatch(r"[0-9]{1,18}", plain):
            raise DataError(Problem(f"{path}:{line}", "a row number, from 0", repr(plain[:40]), "Write one a line."))
        numbers += [int(plain)] if plain else []
    if not numbers:
        raise DataError(Problem(str(path), "row numbers", "none", "Write one a line."))
    return np.asarray(numbers, dtype=np.int64), content


def refuse_splitter(error: Exception) -> ConfigError:
    """Return the refusal of a splitter that these rows do not allow."""
    return ConfigError(Problem("cv", "folds that these rows allow", " ".join(str(error).split()).rstrip("."), "Change cv."))
