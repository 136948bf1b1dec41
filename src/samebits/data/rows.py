"""Which rows of the table a run uses, by the config's rules in order; what each rule dropped is counted."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from samebits.config.keys import ROW_RULES, Config, Range, RowRule
from samebits.data.dataset import Dataset
from samebits.data.target import MAX_CLASSES_OF_INTEGERS
from samebits.errors import DataError, Problem
from samebits.numerics.seeds import derive_seed
from samebits.row_columns import read_texts
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
    frame, kinds = pd.DataFrame({name: dataset.read_column(name) for name in dataset.all_kinds}), dataset.all_kinds
    for index, rule in list(enumerate(config.data.rows))[first:last]:
        where = f"data.rows.{index}"
        kept = _apply(rule, frame, kinds, config, where, seeds)
        counted.append({"rule": describe_rule(rule), "dropped": len(frame) - len(kept), "left": len(kept)})
        if kept.empty:
            raise DataError(Problem(where, "a rule that leaves rows", f"none left of {len(frame):,}", "Change the rule."))
        frame = kept
    own = {name: frame[name] for name in dataset.made}
    return dataclasses.replace(
        dataset,
        frame=dataset.frame.loc[frame.index],
        made=own,
        reading={**dataset.reading, "rows": counted},
        seeds={**dataset.seeds, **seeds},
    )


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


def _apply(
    rule: RowRule, frame: pd.DataFrame, kinds: dict[str, Kind], config: Config, where: str, seeds: dict[str, int]
) -> pd.DataFrame:
    if rule.drop_missing is not None:
        return frame.dropna(subset=None if rule.drop_missing == "any" else rule.drop_missing)
    if rule.drop_duplicates is not None:
        return frame.drop_duplicates(subset=None if rule.drop_duplicates == "all" else rule.drop_duplicates)
    if rule.keep is not None:
        return frame[_find_matches(frame, rule.keep, kinds, f"{where}.keep")]
    if rule.drop is not None:
        return frame[~_find_matches(frame, rule.drop, kinds, f"{where}.drop")]
    if rule.min_class_rows is not None:
        if kinds[config.data.target] == "numeric" and frame[config.data.target].nunique() > MAX_CLASSES_OF_INTEGERS:
            raise DataError(Problem(f"{where}.min_class_rows", "a target of classes", "a quantity", "Remove the rule."))
        sizes = frame[config.data.target].map(frame[config.data.target].value_counts())
        return frame[(sizes >= rule.min_class_rows).fillna(False)]
    if rule.first is not None:
        return frame.iloc[: rule.first]
    return _draw(rule, frame, config, where, seeds)


def _draw(rule: RowRule, frame: pd.DataFrame, config: Config, where: str, seeds: dict[str, int]) -> pd.DataFrame:
    wanted = rule.sample if isinstance(rule.sample, int) else None
    share = rule.sample if wanted is None else None
    if (wanted or 0) > len(frame) or (share or 0) > 1:
        raise DataError(Problem(f"{where}.sample", f"at most {len(frame):,} rows", str(rule.sample), "Draw fewer."))
    seed = rule.random_state if rule.random_state is not None else derive_seed(config.seed, f"{where}.random_state")
    seeds[f"{where}.random_state"] = seed
    return frame.sample(n=wanted, frac=share, random_state=np.random.RandomState(seed))


def _find_matches(frame: pd.DataFrame, conditions: dict[str, Any], kinds: dict[str, Kind], where: str) -> np.ndarray:
    """Return which rows meet every condition, shape (n_rows,), bool; a missing value meets none but `missing: true`."""
    found = np.ones(len(frame), dtype=bool)
    for name, condition in conditions.items():
        found &= _match(frame[name], kinds[name], condition, f"{where}.{name}")
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
