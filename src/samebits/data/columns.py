"""The columns of a table: what kind each is, and one canonical form per kind, the same from CSV and Parquet."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import pandas as pd

from samebits.config.keys import Read
from samebits.errors import DataError, Problem

Kind = Literal["numeric", "categorical", "boolean", "date", "text"]
TEXT_MIN_DISTINCT = 50  # more values than this, and than TEXT_MIN_SHARE of the rows: free text, not categories
TEXT_MIN_SHARE = 0.05
MAX_EXACT_INTEGER = 2**53  # of a float64's 53 significant bits
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")


def canonicalise_columns(frame: pd.DataFrame, read: Read) -> tuple[pd.DataFrame, dict[str, Kind]]:
    """Return a table with its columns in canonical form, and what each holds.

    Numbers become float64, dates naive datetime64[us] in UTC, categories and text str, booleans bool or, with missing values, boolean.

    Raises
    ------
    DataError
        A column does not hold what data.read says of it, or numbers that floating point cannot hold.
    """
    columns: dict[str, pd.Series] = {}
    kinds: dict[str, Kind] = {}
    for name in frame.columns:
        column, kind = _canonicalise_column(frame[name], str(name), read)
        columns[str(name)], kinds[str(name)] = column, kind
    return pd.DataFrame(columns), kinds


def _canonicalise_column(column: pd.Series, name: str, read: Read) -> tuple[pd.Series, Kind]:
    wanted = read.types.get(name)
    if name in read.dates:
        return _as_dates(column, name, read.dates[name] if isinstance(read.dates, dict) else None), "date"
    if wanted == "number":
        return _as_numbers(column, name), "numeric"
    if wanted in ("category", "text"):
        return _as_text(column), "categorical" if wanted == "category" else "text"
    if wanted == "boolean" or _holds_booleans(column):
        return _as_booleans(column, name), "boolean"
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _as_text(column), "categorical"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return _as_dates(column, name, None), "date"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return _as_numbers(column, name), "numeric"
    try:
        distinct = column.dropna().unique().tolist()
    except TypeError:  # lists and the like, which is then said
        return _as_numbers(column, name), "numeric"
    if not distinct:
        return pd.Series(np.full(len(column), np.nan), index=column.index), "numeric"
    if all(isinstance(value, str) for value in distinct):
        if all(_ISO_DATE.fullmatch(value) for value in distinct):
            return _as_dates(column, name, None), "date"
        is_text = len(distinct) > TEXT_MIN_DISTINCT and len(distinct) > TEXT_MIN_SHARE * column.count()
        return _as_text(column), "text" if is_text else "categorical"
    if all(hasattr(value, "isoformat") for value in distinct):
        return _as_dates(column, name, None), "date"
    return _as_numbers(column, name), "numeric"


def _holds_booleans(column: pd.Series) -> bool:
    if pd.api.types.is_bool_dtype(column.dtype):
        return True
    known = column.dropna() if column.dtype == object else column[:0]
    return len(known) > 0 and bool(known.map(lambda value: isinstance(value, bool | np.bool_)).all())


def _as_booleans(column: pd.Series, name: str) -> pd.Series:
    words = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False, "yes": True, "no": False}
    values = column.map(lambda value: value if pd.isna(value) else words.get(str(value).lower(), value))
    strange = values[~values.isin([True, False]) & values.notna()]
    if len(strange):
        raise DataError(Problem(f"column {name!r}", "booleans", repr(strange.iloc[0]), "Take it off data.read.types."))
    return values.astype("boolean") if values.isna().any() else values.astype(bool)


def _as_numbers(column: pd.Series, name: str) -> pd.Series:
    try:
        values = pd.to_numeric(column)
        if pd.api.types.is_integer_dtype(values) and (values.dropna().abs() > MAX_EXACT_INTEGER).any():
            raise ValueError("integers beyond 2**53, which floating point cannot tell apart")
        floats = values.astype(np.float64)
        if np.isinf(floats).any():
            raise ValueError(f"an infinity in row {int(np.flatnonzero(np.isinf(floats))[0]) + 1}")
        return floats
    except (ValueError, TypeError) as error:
        reason = (str(error).splitlines() or ["something else"])[0]
        remedy = "Name the odd values in data.read.na_values, or the column in data.drop or data.read.types."
        raise DataError(Problem(f"column {name!r}", "numbers", reason, remedy)) from None


def _as_text(column: pd.Series) -> pd.Series:
    """Values as str; a whole float as its integer, since a missing value beside integers makes them floats."""
    values = column.astype(object)
    texts = {value: _write_text(value) for value in values.dropna().unique().tolist()}
    return values.map(texts).astype("str")


def _write_text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _as_dates(column: pd.Series, name: str, date_format: str | None) -> pd.Series:
    try:
        dates = pd.to_datetime(column, format=date_format or "ISO8601", utc=True)
    except (ValueError, TypeError) as error:
        reason = (str(error).splitlines() or ["something else"])[0]
        remedy = "Give its strptime format: data.read.dates: {column: format}."
        raise DataError(Problem(f"column {name!r}", "dates", reason, remedy)) from None
    return dates.dt.tz_localize(None).astype("datetime64[us]")
