"""Derived columns: which of them a run makes, of what kind they are, and what the table must have for them.

They are made twice by the same functions (`row_columns`): here over the whole table, for target, split and row rules; and first in
each pipeline, so that a stored model takes the table's own columns. Nothing is fitted, so both are the same.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from samebits.config.components import build_component
from samebits.data.dataset import Dataset, raise_for_unknown_columns
from samebits.errors import DataError, Problem
from samebits.keys.config import Config
from samebits.row_columns import Step, compute_column, list_inputs, name_mapped_kind, name_operation, read_dates, read_texts, write_as
from samebits.table.columns import Kind
from samebits.text import quote_key, shorten_list, shorten_text

_NUMBERS: tuple[Kind, ...] = ("numeric", "boolean")
_WORDS: tuple[Kind, ...] = ("categorical", "text")
# The kinds of column that an operation takes, where it does not take any.
_TAKES: dict[str, tuple[Kind, ...]] = {
    **dict.fromkeys(("sum", "difference", "product", "ratio", "log", "log1p", "power", "bins"), _NUMBERS),
    **dict.fromkeys(("part", "between"), ("date",)),
    "text": _WORDS,
}
_UNDEFINED = ("log", "log1p", "power")  # where their function has no value for a number that is there
_PROBED_ROWS = 200


def list_steps(config: Config) -> list[dict[str, Any]]:
    """Return the derivations of a config as plain values, in order, without what is not said."""
    return [derived.model_dump(by_alias=True) for derived in config.features.derived]


def build_functions(config: Config) -> dict[str, Callable[..., Any]]:
    """Return the user's functions that derivations name, by import path.

    Raises
    ------
    ConfigError
        One cannot be found, or its package is not allowed.
    """
    functions = {}
    for index, derived in enumerate(config.features.derived):
        if derived.function is not None:
            path = derived.function.path
            key_path = ("features", "derived", index, "function", "path")
            functions[path] = build_component({"function": path}, config.allow, key_path)
    return functions


def trace_inputs(steps: Sequence[Step], wanted: Iterable[str]) -> tuple[list[Step], set[str]]:
    """Return the steps that some columns need, in order, and the columns that these start from.

    Parameters
    ----------
    wanted
        Columns of the table, or derived ones.
    """
    needed, used = set(wanted), []
    for step in reversed(steps):
        if step["name"] in needed:
            used.append(step)
            needed.discard(step["name"])
            needed.update(list_inputs(step))
    return used[::-1], needed


def add_derived_columns(config: Config, dataset: Dataset) -> Dataset:
    """Return the dataset with its derived columns.

    Raises
    ------
    DataError
        A derivation names a column that is not there or of the wrong kind, takes the name of another column, or has no value for a
        number that is there.
    ConfigError
        A function is not to be found or not allowed.
    """
    steps = list_steps(config)
    if not steps:
        return dataset
    functions = build_functions(config)
    kinds, made = dict(dataset.kinds), dict[str, pd.Series]()
    made_kinds: dict[str, Kind] = {}
    for index, step in enumerate(steps):
        where = f"features.derived.{index}"
        _check_step(step, kinds, where, dataset)
        inputs = {name: made[name] if name in made else dataset.frame[name] for name in list_inputs(step)}
        made[step["name"]] = _compute(pd.DataFrame(inputs), step, functions, where).rename(step["name"])
        made_kinds[step["name"]] = kinds[step["name"]] = name_derived_kind(step, kinds)
    return dataclasses.replace(dataset, steps=steps, made=made, made_kinds=made_kinds)


def name_derived_kind(step: Step, kinds: Mapping[str, Kind]) -> Kind:
    """Return the kind of the column that a step makes of columns of some kinds."""
    operation = name_operation(step)
    if operation == "function":
        kind: Kind = step["function"]["kind"]
        return kind
    if operation in ("text", "fill"):
        return kinds[step[operation]["column"]]
    if operation == "map":
        return name_mapped_kind(step["map"])  # type: ignore[return-value]
    return "categorical" if operation in ("bins", "join") else "numeric"


def _check_step(step: Step, kinds: Mapping[str, Kind], where: str, dataset: Dataset) -> None:
    operation, inputs = name_operation(step), list_inputs(step)
    if not inputs:
        raise DataError(Problem(f"{where}.{operation}", "at least one column", "numbers alone", "Name a column."))
    raise_for_unknown_columns([(f"{where}.{operation}", name) for name in inputs], list(kinds), dataset.path)
    takes = _TAKES.get(operation)
    for name in inputs if takes is not None else []:
        if kinds[name] not in takes:  # type: ignore[operator]
            remedy = "Set data.read.types or data.read.dates for it, or name another."
            found = f"{name!r}, which is {kinds[name]}"
            raise DataError(Problem(f"{where}.{operation}", f"a column that is {' or '.join(takes or ())}", found, remedy))
    if step["name"] in kinds and step["name"] not in inputs:
        found = f"{step['name']!r}, a column that it is not made of"
        raise DataError(Problem(f"{where}.name", "a new name, or that of the column it is made of", found, "Rename it."))
    _check_arguments(operation, step[operation], kinds, where)


def _check_arguments(operation: str, arguments: Any, kinds: Mapping[str, Kind], where: str) -> None:
    if operation == "bins":
        edges, labels = arguments["edges"], arguments["labels"]
        if any(high <= low for low, high in itertools.pairwise(edges)):
            raise DataError(Problem(f"{where}.bins.edges", "rising edges", str(edges), "Sort them."))
        if labels is not None and len(labels) != len(edges) - 1:
            raise DataError(Problem(f"{where}.bins.labels", f"{len(edges) - 1} names", str(len(labels)), "Name each interval once."))
    if operation == "fill" and kinds[arguments["column"]] == "numeric" and not _is_number(arguments["value"]):
        raise DataError(Problem(f"{where}.fill.value", "a number, as its column has", repr(arguments["value"]), "Write one."))
    if operation == "fill" and kinds[arguments["column"]] == "boolean" and not isinstance(arguments["value"], bool):
        raise DataError(Problem(f"{where}.fill.value", "true or false, as its column has", repr(arguments["value"]), "Write one."))
    if operation == "fill" and kinds[arguments["column"]] == "date":
        try:
            read_dates(pd.Series([arguments["value"]]))
        except (ValueError, TypeError):
            raise DataError(Problem(f"{where}.fill.value", "a date", repr(arguments["value"]), "Write 2026-11-25.")) from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compute(frame: pd.DataFrame, step: Step, functions: Mapping[str, Callable[..., Any]], where: str) -> pd.Series:
    operation = name_operation(step)
    if operation == "function":
        return _call_function(frame, step, functions, f"{where}.function")
    made = compute_column(frame, step, functions)
    if operation in _UNDEFINED:
        lost = made.isna() & frame[list_inputs(step)[0]].notna()
        _refuse_undefined(frame, lost, list_inputs(step)[0], f"{where}.{operation}")
    if operation == "map" and step["map"]["otherwise"] == "refuse":
        _refuse_unlisted(frame, step["map"], f"{where}.map.values")
    return made


def _refuse_undefined(frame: pd.DataFrame, lost: pd.Series, name: str, where: str) -> None:
    if lost.any():
        row = int(np.flatnonzero(lost)[0])
        found = f"{frame[name].iloc[row]} in row {frame.index[row] + 1}, and {int(lost.sum()) - 1:,} more"
        remedy = f"Leave such rows out (data.rows: [{{keep: {{{quote_key(name)}: {{above: 0}}}}}}]), or use log1p."
        raise DataError(Problem(where, f"values of {name!r} for which it is defined", found, remedy))


def _refuse_unlisted(frame: pd.DataFrame, lookup: Mapping[str, Any], where: str) -> None:
    texts = read_texts(frame[lookup["column"]]).dropna()
    unlisted = sorted(set(texts) - {write_as(key, frame[lookup["column"]]) for key in lookup["values"]})
    if unlisted:
        found = shorten_list([shorten_text(text) for text in unlisted])
        remedy = "List them, or set otherwise: keep, or missing."
        raise DataError(Problem(where, f"every value of {lookup['column']!r}", f"none for {found}", remedy))


def _call_function(frame: pd.DataFrame, step: Step, functions: Mapping[str, Callable[..., Any]], where: str) -> pd.Series:
    """Call a user's function, and hold it to its rows: asked about some of them alone, it must say the same."""
    some = frame.iloc[:: max(2, len(frame) // _PROBED_ROWS)].iloc[::-1]
    try:
        made = compute_column(frame, step, functions)
        again = compute_column(some, step, functions)
    except Exception as error:  # a user's function may raise anything
        found = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise DataError(Problem(where, "a value for every row", found, "Mend the function.")) from error
    expected = made.loc[some.index]
    is_same = (expected == again) | (expected.isna() & again.isna())
    if not bool(is_same.fillna(False).all()):
        found = f"others when {len(some)} rows were asked about alone"
        remedy = "Use nothing but the row: what is learned from a table belongs into preprocessing."
        raise DataError(Problem(where, "a value for each row that depends on this row alone", found, remedy))
    return made
