"""Columns made of others row by row: nothing is fitted, so that nothing leaks. Served alone with a model, like `transformers`.

`RowColumns` stands first in a stored pipeline, so whoever loads the model gives it the table's own columns. The same functions make
the columns that target, split and row rules are read from. Model files name the class by this module: the place is on record.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from samebits.transformers import take_table

_SECONDS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86_400.0, "weeks": 604_800.0, "years": 365.2425 * 86_400.0}
_PARTS = {"weekday": "day_of_week"}
Step = Mapping[str, Any]


class RowColumns(TransformerMixin, BaseEstimator):
    """Adds columns to a DataFrame, or replaces them, each made of the row's own values.

    Parameters
    ----------
    steps
        In order: `{"name": new column, operation: its arguments}`, as a config's features.derived has them.
    functions
        By import path, the callables that steps of the operation `function` name.
    """

    def __init__(self, steps: list[dict[str, Any]] | None = None, functions: dict[str, Callable[..., Any]] | None = None) -> None:
        self.steps = steps
        self.functions = functions

    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember the columns; nothing is learned."""
        take_table(self, X, reset=True)
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Return the columns that were fitted, with those made put in place or after them; other columns are left out.

        Raises
        ------
        ValueError
            A column that was fitted is missing.
        """
        check_is_fitted(self)
        table = take_table(self, X, reset=False)
        for step in self.steps or []:
            table = table.assign(**{step["name"]: compute_column(table, step, self.functions or {})})
        return table

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns that `transform` gives."""
        given = _check_feature_names_in(self, input_features)
        return np.asarray(list(dict.fromkeys([*given, *(step["name"] for step in self.steps or [])])), dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []  # it gives a table, which has no one dtype
        return tags


def list_inputs(step: Step) -> list[str]:
    """Return the columns that a step is made of, in order."""
    operation = name_operation(step)
    arguments = step[operation]
    if operation == "between":
        return [arguments["start"], arguments["end"]]
    if operation in ("join", "function"):
        return list(arguments["columns"])
    if isinstance(arguments, Mapping):
        return [arguments["column"]]
    return [arguments] if isinstance(arguments, str) else [name for name in arguments if isinstance(name, str)]


def name_operation(step: Step) -> str:
    """Return a step's operation: its one key beside the name."""
    return next(key for key, value in step.items() if key != "name" and value is not None)


def compute_column(X: pd.DataFrame, step: Step, functions: Mapping[str, Callable[..., Any]]) -> pd.Series:
    """Return a step's column, shape (n_rows,), with the index of X.

    Numbers come as float64 with missing ones as NaN, categories and text as str, dates as datetime64.
    """
    operation = name_operation(step)
    if operation == "function":
        return _call(functions[step["function"]["path"]], X, step["function"])
    made = _OPERATIONS[operation](X, step[operation])
    return made if isinstance(made, pd.Series) else pd.Series(made, index=X.index)


def _settle(column: pd.Series) -> pd.Series:
    """Return a column as training has it, whatever a server sends: a function may look at types."""
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    if pd.api.types.is_numeric_dtype(column.dtype):
        return pd.Series(read_numbers(column), index=column.index)
    return column.astype("str")


def _call(function: Callable[..., Any], X: pd.DataFrame, arguments: Mapping[str, Any]) -> pd.Series:
    made = function(pd.DataFrame({name: _settle(X[name]).to_numpy() for name in arguments["columns"]}))
    values = made.to_numpy() if isinstance(made, pd.Series | pd.Index) else np.asarray(made)
    if values.shape != (len(X),):
        raise ValueError(f"{arguments['path']} gave shape {values.shape} for {len(X)} rows")
    if arguments["kind"] == "numeric":
        return pd.Series(pd.array(values).to_numpy(dtype=np.float64, na_value=np.nan), index=X.index)
    dtype: Any = {"categorical": "str", "boolean": "boolean", "date": "datetime64[us]"}[arguments["kind"]]
    typed: pd.Series = pd.Series(pd.array(values), index=X.index).astype(dtype)
    return typed


def read_numbers(column: pd.Series) -> np.ndarray:
    """Return a column as float64, missing values as NaN."""
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def read_texts(column: pd.Series) -> pd.Series:
    """Return a column as str: a whole number without a point, a date by ISO 8601."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        dates = read_dates(column)
        written = dates.dt.strftime("%Y-%m-%dT%H:%M:%S").str.removesuffix("T00:00:00")
        exact = dates.dt.strftime("%Y-%m-%dT%H:%M:%S.%f")
        dated: pd.Series = written.where(dates.dt.microsecond.fillna(0) == 0, exact).astype("str")
        return dated
    if pd.api.types.is_bool_dtype(column.dtype) or not pd.api.types.is_numeric_dtype(column.dtype):
        return column.astype("str")
    numbers = read_numbers(column)
    texts = [None if value != value else str(int(value)) if float(value).is_integer() else str(value) for value in numbers.tolist()]
    return pd.Series(texts, index=column.index, dtype="str")


def read_dates(column: pd.Series) -> pd.Series:
    """Return a column as naive datetime64[us] in UTC."""
    dates: pd.Series = pd.to_datetime(column, utc=True).dt.tz_localize(None).astype("datetime64[us]")
    return dates


Operand = str | int | float


def _read_operands(X: pd.DataFrame, operands: Sequence[Operand]) -> list[np.ndarray]:
    """Return columns, and numbers as if they were columns, each of shape (n_rows,)."""
    return [read_numbers(X[one]) if isinstance(one, str) else np.full(len(X), float(one)) for one in operands]


def _sum(X: pd.DataFrame, operands: Sequence[Operand]) -> np.ndarray:
    return functools.reduce(np.add, _read_operands(X, operands))


def _multiply(X: pd.DataFrame, operands: Sequence[Operand]) -> np.ndarray:
    return functools.reduce(np.multiply, _read_operands(X, operands))


def _subtract(X: pd.DataFrame, operands: Sequence[Operand]) -> np.ndarray:
    return functools.reduce(np.subtract, _read_operands(X, operands))


def _divide(X: pd.DataFrame, operands: Sequence[Operand]) -> np.ndarray:
    above, below = _read_operands(X, operands)
    return np.where(below == 0, np.nan, above / np.where(below == 0, 1.0, below))


def _transform_number(function: Callable[[np.ndarray], Any]) -> Callable[[pd.DataFrame, str], np.ndarray]:
    def transform(X: pd.DataFrame, name: str) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            made = np.asarray(function(read_numbers(X[name])))
        return np.where(np.isfinite(made), made, np.nan)

    return transform


def _raise_to_power(X: pd.DataFrame, power: Mapping[str, Any]) -> np.ndarray:
    return _transform_number(lambda values: np.power(values, power["exponent"]))(X, power["column"])


def _bin(X: pd.DataFrame, bins: Mapping[str, Any]) -> pd.Series:
    edges, right = [float(edge) for edge in bins["edges"]], bins["right"]
    labels = bins["labels"] or [
        f"({_write_edge(low)}, {_write_edge(high)}]" if right else f"[{_write_edge(low)}, {_write_edge(high)})"
        for low, high in itertools.pairwise(edges)
    ]
    values = read_numbers(X[bins["column"]])
    places = np.searchsorted(edges, values, side="left" if right else "right") - 1
    is_inside = ~np.isnan(values) & (places >= 0) & (places < len(labels))
    taken = pd.array(list(labels), dtype="str").take(np.where(is_inside, places, -1), allow_fill=True)
    return pd.Series(taken, index=X.index)


def _write_edge(edge: float) -> str:
    return str(int(edge)) if edge.is_integer() else repr(edge)


def _join(X: pd.DataFrame, join: Mapping[str, Any]) -> pd.Series:
    texts = [read_texts(X[name]) for name in join["columns"]]
    joined = texts[0]
    for text in texts[1:]:
        joined = joined + join["separator"] + text
    return joined


def _map(X: pd.DataFrame, lookup: Mapping[str, Any]) -> pd.Series:
    column = X[lookup["column"]]
    values = {write_as(key, column): value for key, value in lookup["values"].items()}
    texts = read_texts(column)
    if lookup["otherwise"] == "default":
        values = {**dict.fromkeys(texts.dropna().unique(), lookup["default"]), **values}
    if lookup["otherwise"] == "keep":
        return texts.map(lambda text: values.get(text, text) if isinstance(text, str) else text).astype("str")
    made = texts.map(lambda text: values.get(text) if isinstance(text, str) else None)
    dtype = name_mapped_kind(lookup)
    return made.astype("Float64").astype(np.float64) if dtype == "numeric" else made.astype("boolean" if dtype == "boolean" else "str")


def write_as(text: str, column: pd.Series) -> str:
    """Return a config's text as `read_texts` writes the same value of a column: 1.0 as 1, true as True, a day by ISO 8601."""
    if pd.api.types.is_bool_dtype(column.dtype):
        return text.capitalize()
    try:
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            return str(read_texts(pd.Series(pd.to_datetime([text], utc=True)))[0])
        if pd.api.types.is_numeric_dtype(column.dtype):
            return str(read_texts(pd.Series([float(text)]))[0])
    except ValueError:
        pass
    return text


def _name_type(values: Mapping[str, Any]) -> str:
    known = [value for value in values.values() if value is not None]
    if all(isinstance(value, bool) for value in known):
        return "boolean"
    return "numeric" if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known) else "categorical"


def name_mapped_kind(lookup: Mapping[str, Any]) -> str:
    """Return the kind of what a lookup gives: numeric or boolean where all new values are, else categorical."""
    default = {"": lookup["default"]} if lookup["otherwise"] == "default" else {}
    return "categorical" if lookup["otherwise"] == "keep" else _name_type({**lookup["values"], **default})


def _take_part(X: pd.DataFrame, part: Mapping[str, Any]) -> np.ndarray:
    dates = read_dates(X[part["column"]]).dt
    made = dates.isocalendar().week if part["of"] == "week" else getattr(dates, _PARTS.get(part["of"], part["of"]))
    return read_numbers(made)


def _measure_time(X: pd.DataFrame, between: Mapping[str, Any]) -> np.ndarray:
    start, end = (read_dates(X[between[name]]) for name in ("start", "end"))
    return read_numbers((end - start).dt.total_seconds()) / _SECONDS[between["unit"]]


def _make_plain(X: pd.DataFrame, text: Mapping[str, Any]) -> Any:
    made = read_texts(X[text["column"]])
    made = made.str.strip() if text["strip"] else made
    return made if text["case"] is None else getattr(made.str, text["case"])()


def _fill(X: pd.DataFrame, fill: Mapping[str, Any]) -> Any:
    column = X[fill["column"]]
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.fillna(bool(fill["value"])).astype(bool)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.fillna(read_dates(pd.Series([fill["value"]]))[0])
    if pd.api.types.is_numeric_dtype(column.dtype):
        return pd.Series(read_numbers(column), index=column.index).fillna(float(fill["value"]))
    return column.astype("str").fillna(str(fill["value"]))


_OPERATIONS: dict[str, Callable[[pd.DataFrame, Any], Any]] = {
    "sum": _sum,
    "difference": _subtract,
    "product": _multiply,
    "ratio": _divide,
    "log": _transform_number(np.log),
    "log1p": _transform_number(np.log1p),
    "power": _raise_to_power,
    "bins": _bin,
    "join": _join,
    "map": _map,
    "part": _take_part,
    "between": _measure_time,
    "text": _make_plain,
    "fill": _fill,
}
