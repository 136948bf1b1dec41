"""Which rows of the table a run uses, by the config's rules in order; what each rule dropped is counted."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from samebits.data.dataset import Dataset
from samebits.data.target import MAX_CLASSES_OF_INTEGERS
from samebits.errors import DataError, Problem
from samebits.keys.config import Config
from samebits.keys.table import ROW_RULES, Range, RowRule
from samebits.numerics.generators import derive_seed
from samebits.row_columns import read_texts
from samebits.stored.stored_table import StoredTable
from samebits.table.columns import Kind
from samebits.text import shorten_list


def count_early_rules(config: Config) -> int:
    """Return how many rules come before any that names a derived column: they are applied before these are made."""
    derived = {one.name for one in config.features.derived}
    named = [set(list_rule_columns(rule, config.data.target)) for rule in config.data.rows]
    return next((index for index, columns in enumerate(named) if columns & derived), len(named))


def keep_rows(config: Config, dataset: Dataset, first: int, last: int) -> Dataset:
    """Return the dataset with the rows that some rules keep; they keep their numbers (the frame's index).

    Parameters
    ----------
    first, last
        The rules by their places, the last one left out.

    Raises
    ------
    DataError
        A rule compares with a value of another kind, or leaves no row.
    """
    if first == last:
        return dataset
    counted: list[dict[str, Any]] = list(dataset.reading.get("rows", []))
    seeds = dict(dataset.seeds)
    for index, rule in list(enumerate(config.data.rows))[first:last]:
        where, n_rows = f"data.rows.{index}", len(dataset.frame)
        kept = _find_kept(rule, dataset, config, where, seeds)
        counted.append({"rule": describe_rule(rule), "dropped": n_rows - len(kept), "left": len(kept)})
        if not len(kept):
            raise DataError(Problem(where, "a rule that leaves rows", f"none left of {n_rows:,}", "Change the rule."))
        own = {name: column.take(kept) for name, column in dataset.made.items()}
        dataset = dataclasses.replace(dataset, frame=dataset.frame.take(kept), made=own)
    return dataclasses.replace(dataset, reading={**dataset.reading, "rows": counted}, seeds={**dataset.seeds, **seeds})


def list_rule_columns(rule: RowRule, target: str) -> list[str]:
    """Return the columns that a rule looks at, where it names them."""
    named = [*(rule.keep or {}), *(rule.drop or {})]
    for names in (rule.drop_missing, rule.drop_duplicates):
        named += names if isinstance(names, list) else []
    return [*named, *([target] if rule.min_class_rows else [])]


def describe_rule(rule: RowRule) -> str:
    """Return a rule as a line says it.

    >>> describe_rule(RowRule(drop_missing=["price"]))
    'drop_missing price'
    """
    name = name_rule(rule)
    value = getattr(rule, name)
    if isinstance(value, dict):
        return f"{name} " + shorten_list([f"{column} {_describe_condition(condition)}" for column, condition in value.items()])
    return f"{name} {shorten_list(value) if isinstance(value, list) else value}"


def name_rule(rule: RowRule) -> str:
    """Return which of the rules a rule is."""
    return next(name for name in ROW_RULES if getattr(rule, name) is not None)


def _describe_condition(condition: Any) -> str:
    if isinstance(condition, Range):
        return ", ".join(f"{name} {value}" for name, value in condition.model_dump(exclude_none=True).items())
    return f"in {shorten_list(map(str, condition))}" if isinstance(condition, list) else f"= {condition}"


def _find_kept(rule: RowRule, dataset: Dataset, config: Config, where: str, seeds: dict[str, int]) -> np.ndarray:
    """Return the positions of the rows that a rule keeps, in the order in which it keeps them; it reads the columns that it needs."""
    if rule.first is not None:
        return np.arange(min(rule.first, len(dataset.frame)))
    if rule.sample is not None:
        return _draw(rule, len(dataset.frame), config, where, seeds)
    if rule.drop_missing is not None:
        return np.flatnonzero(_has_all(dataset, [*dataset.all_kinds] if rule.drop_missing == "any" else rule.drop_missing))
    if rule.drop_duplicates is not None:
        return np.flatnonzero(~_is_repeated(dataset, rule.drop_duplicates, where))
    if rule.keep is not None:
        return np.flatnonzero(_find_matches(dataset, rule.keep, f"{where}.keep"))
    if rule.drop is not None:
        return np.flatnonzero(~_find_matches(dataset, rule.drop, f"{where}.drop"))
    return _find_large_classes(rule, dataset, config, where)


def _has_all(dataset: Dataset, names: list[str]) -> np.ndarray:
    found = np.ones(len(dataset.frame), dtype=bool)
    for name in names:
        found &= dataset.read_column(name).notna().to_numpy()
    return found


def _is_repeated(dataset: Dataset, names: list[str] | str, where: str) -> np.ndarray:
    if names == "all" and isinstance(dataset.frame, StoredTable):
        remedy = "Name the columns by which a row is known."
        raise DataError(Problem(f"{where}.drop_duplicates", "columns, of a table that is read in batches", "all", remedy))
    wanted = [*dataset.all_kinds] if names == "all" else names
    columns = pd.DataFrame({name: dataset.read_column(name) for name in wanted}, index=dataset.frame.index)
    return columns.duplicated().to_numpy()


def _find_large_classes(rule: RowRule, dataset: Dataset, config: Config, where: str) -> np.ndarray:
    name = config.data.target
    target = dataset.read_column(name)
    if dataset.all_kinds[name] == "numeric" and target.nunique() > MAX_CLASSES_OF_INTEGERS:
        raise DataError(Problem(f"{where}.min_class_rows", "a target of classes", "a quantity", "Remove the rule."))
    sizes = target.map(target.value_counts())
    return np.flatnonzero((sizes >= (rule.min_class_rows or 0)).fillna(False))


def _draw(rule: RowRule, n_rows: int, config: Config, where: str, seeds: dict[str, int]) -> np.ndarray:
    wanted = rule.sample if isinstance(rule.sample, int) else None
    share = rule.sample if wanted is None else None
    if (wanted or 0) > n_rows or (share or 0) > 1:
        raise DataError(Problem(f"{where}.sample", f"at most {n_rows:,} rows", str(rule.sample), "Draw fewer."))
    seed = rule.random_state if rule.random_state is not None else derive_seed(config.seed, f"{where}.random_state")
    seeds[f"{where}.random_state"] = seed
    return pd.Series(np.arange(n_rows)).sample(n=wanted, frac=share, random_state=np.random.RandomState(seed)).to_numpy()


def _find_matches(dataset: Dataset, conditions: dict[str, Any], where: str) -> np.ndarray:
    """Return which rows meet every condition, shape (n_rows,), bool; a missing value meets none but `missing: true`."""
    found = np.ones(len(dataset.frame), dtype=bool)
    for name, condition in conditions.items():
        found &= _match(dataset.read_column(name), dataset.all_kinds[name], condition, f"{where}.{name}")
    return found


def _match(column: pd.Series, kind: Kind, condition: Any, where: str) -> np.ndarray:
    if not isinstance(condition, Range):
        wanted = condition if isinstance(condition, list) else [condition]
        values = [_as_kind(value, kind, where) for value in wanted]
        return np.asarray((_comparable(column, kind).isin(values) & column.notna()).fillna(False), dtype=bool)
    found = np.ones(len(column), dtype=bool)
    if condition.missing is not None:
        found &= column.isna().to_numpy() == condition.missing
    values_of = _comparable(column, kind)
    for bound, holds in (("min", "ge"), ("max", "le"), ("above", "gt"), ("below", "lt")):
        limit = getattr(condition, bound)
        if limit is not None:
            met = getattr(values_of, holds)(_as_kind(limit, kind, f"{where}.{bound}", is_bound=True))
            found &= np.asarray((met & column.notna()).fillna(False), dtype=bool)
    return found


def _comparable(column: pd.Series, kind: Kind) -> pd.Series:
    return read_texts(column) if kind in ("categorical", "text") else column


def _as_kind(value: Any, kind: Kind, where: str, is_bound: bool = False) -> Any:
    """Return a config's value as a column of some kind holds it.

    Raises
    ------
    DataError
        It is of another kind.
    """
    try:
        if kind == "numeric" and not isinstance(value, bool):
            return float(value)
        if kind == "date":
            stamp = pd.Timestamp(str(value))
            return stamp.tz_convert("UTC").tz_localize(None) if stamp.tz is not None else stamp
    except (ValueError, TypeError):
        pass
    else:
        if kind in ("categorical", "text") and not (is_bound and not isinstance(value, str)):
            return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        if kind == "boolean" and isinstance(value, bool):
            return value
    expected = {"numeric": "a number", "date": "a date", "boolean": "true or false"}.get(kind, "text")
    raise DataError(Problem(where, f"{expected}, as the column has", repr(value), "Write one, or set data.read.types."))
