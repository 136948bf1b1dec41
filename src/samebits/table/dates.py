"""Dates written as text: by a strptime format, by ISO 8601, counted from an instant, or each in a form of its own; one moment as well.

Nothing is a date that does not name its day: pandas reads `now` as this moment, and a time as today's.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import pandas as pd

# Formats of data.read.dates that strptime has not: a number of units since an instant.
COUNTED_DATES: dict[str | None, tuple[Any, str]] = {
    "epoch_seconds": ("s", "1970-01-01"),
    "epoch_milliseconds": ("ms", "1970-01-01"),
    "excel_days": ("D", "1899-12-30"),
}
_EXACT = 2**53  # below which a float holds every integer
_NO_DATES = frozenset({"now", "today"})  # which pandas takes for this moment
_ENDS_IN_ZONE = re.compile(
    r"(?i)(?:\d{4}-?\d{2}-?\d{2}[T ]\d{2,6}|:\d{2})(?:[.,]\d+)?\s*(?:[ap]m\s*)?(?:z|utc|gmt|[+-]\d{2}(?::?\d{2})?)\s*$"
)
_NAMES_A_DAY = re.compile(r"\d{4}|\d{1,2}[^\d:]+\d{1,2}[^\d:]+\d{2}")


def parse_dates(known: pd.Series, date_format: str | None, errors: Literal["raise", "coerce"]) -> pd.Series:
    """Return texts as instants in UTC.

    Parameters
    ----------
    date_format
        Of strptime, or one of those above; `mixed` where each text has its own; None for ISO 8601.
    errors
        Whether a text that is no date is refused, or is none.

    Raises
    ------
    ValueError, TypeError, OverflowError
        A text is no date of the format, or the format is none.
    """
    is_none = known.str.strip().str.lower().isin(_NO_DATES).fillna(False)
    if date_format == "mixed":
        is_none |= (~known.str.contains(_NAMES_A_DAY)).fillna(False) | _find_ambiguous(known)
    if errors == "raise" and is_none.any():
        raise ValueError("no day of its own")
    known = known.mask(is_none)
    if date_format in COUNTED_DATES:
        unit, origin = COUNTED_DATES[date_format]
        counted: Any = pd.to_numeric(known, errors=errors)
        counted_dates: pd.Series = pd.to_datetime(counted, unit=unit, origin=origin, utc=True, errors=errors)
        return counted_dates
    dates: pd.Series = pd.to_datetime(known, format=date_format or "ISO8601", utc=True, errors=errors)
    return dates


def read_moment(written: str | int | float, times: np.ndarray) -> Any:
    """Return a time that a config names as a column has it: a date in UTC, or a number.

    >>> read_moment("2026-11-26T10:00+01", np.array([], "datetime64[us]")), read_moment(3, np.array([0.5]))
    (np.datetime64('2026-11-26T09:00:00.000000'), 3.0)

    Raises
    ------
    ValueError
        It is of another kind than the column, said as what was expected.
    """
    if not np.issubdtype(times.dtype, np.datetime64):
        if isinstance(written, str):
            raise ValueError("a number, as the column has")
        return float(written)
    try:
        dates = parse_dates(pd.Series([written if isinstance(written, str) else ""]), None, "raise")
    except (ValueError, TypeError, OverflowError):
        dates = pd.to_datetime(pd.Series([None]), utc=True)
    if dates.isna().any():
        raise ValueError("a date by ISO 8601 (2026-11-25, 2026-11-25T10:00), as the column has dates")
    return dates.dt.tz_localize(None).to_numpy("datetime64[us]")[0]


def write_moment(time: Any) -> str | int | float:
    """Return a column's time as a config names it, in as few letters as say it.

    >>> [write_moment(np.datetime64(text, "us")) for text in ("2026-11-26", "2026-11-26T10:00", "2026-11-26T10:00:00.5")]
    ['2026-11-26', '2026-11-26T10:00:00', '2026-11-26T10:00:00.500000']
    >>> write_moment(3.0), write_moment(0.5)
    (3, 0.5)
    """
    if not isinstance(time, np.datetime64):
        return int(time) if float(time).is_integer() and abs(time) < _EXACT else float(time)
    day, second = time.astype("datetime64[D]"), time.astype("datetime64[s]")
    return str(day if time == day else second if time == second else time)


def has_zone(text: str) -> bool:
    """Tell whether a date written as text ends in a time zone, after a time of day.

    >>> [has_zone(text) for text in ("2026-11-26", "2026-11-26 10:00", "2026-11-26T10:00Z", "2026-11-26 10:00:00.5+01")]
    [False, False, True, True]
    """
    return _ENDS_IN_ZONE.search(text) is not None


def _find_ambiguous(known: pd.Series) -> pd.Series:
    """Tell which texts may put the day before the month or after it: under mixed nobody says which, and both are read."""
    is_iso = known.str.match(r"\s*\d{4}\D").fillna(False)
    readings = [
        pd.to_datetime(known.mask(is_iso), format="mixed", dayfirst=first, utc=True, errors="coerce") for first in (False, True)
    ]
    return (readings[0] != readings[1]) & readings[0].notna() & readings[1].notna()
