"""The columns of a table: what kind each is, and one canonical form per kind, the same from CSV and Parquet.

A column comes as its file has it, in numbers or in text, and is brought from there to its kind directly: text to a date, a category or
a number, never through another. An empty field of a number, a date or a boolean is missing; which words are missing is the config's.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from samebits.errors import DataError, Problem
from samebits.keys.table import Read
from samebits.table.dates import has_zone, parse_dates
from samebits.table.numerals import (
    MAX_EXACT_INTEGER,
    Numerals,
    are_whole,
    clean_numbers,
    find_inexact_integer,
    read_numerals,
    to_floats,
)
from samebits.table.odd_numbers import describe_odd_numbers
from samebits.text import quote_key, shorten_list, shorten_text

Kind = Literal["numeric", "categorical", "boolean", "date", "text"]
Zone = Literal["given", "none", "mixed"]
TEXT_MIN_DISTINCT = 50  # more values than this, and than TEXT_MIN_SHARE of the rows: free text, not categories
TEXT_MIN_SHARE = 0.05
# What pandas takes for missing by default, but for the empty field.
MISSING_WORDS = frozenset(
    {
        *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
        *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    }
)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")
# pandas' own str, but equal texts are one object: encoders, which ask for Python's strings at each fit, need not make them anew.
_SHARED_TEXT = pd.StringDtype("python", na_value=np.nan)
_PLAIN_BOOLEANS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
_BOOLEAN_WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0", "0.0"), False),
}


@dataclass(frozen=True)
class RawColumn:
    """A column as its file has it.

    Parameters
    ----------
    values
        Numbers, booleans, instants or str; shape (n_rows,).
    is_category
        Its file calls it one of categories.
    is_typed
        Its file says that it is text: text of digits is then no number.
    is_number
        Its file says that it is numbers, written here as text, so that they are exact.
    unit
        Of numbers that stand for times, in words.
    has_empty
        What is missing is an empty field: a config may take it for empty text.
    is_zoned
        Of instants: its file has them with a time zone.
    """

    values: pd.Series
    is_category: bool = False
    is_typed: bool = False
    is_number: bool = False
    unit: str | None = None
    has_empty: bool = False
    is_zoned: bool = False


@dataclass(frozen=True)
class Column:
    """A column in canonical form.

    Parameters
    ----------
    values
        float64; bool or nullable boolean; str; or naive datetime64[us] in UTC.
    is_whole
        Its file has whole numbers, none missing; the values are float64 all the same.
    words
        Rows of each text that became missing.
    zone
        Of dates that say so: whether they are written with a time zone. None where there is no date, or a format says what it has.
    """

    values: pd.Series
    kind: Kind
    is_whole: bool = False
    unit: str | None = None
    words: dict[str, int] = field(default_factory=dict)
    zone: Zone | None = None


@dataclass(frozen=True)
class _Texts:
    """A column of text by its different values: row i holds `distinct[codes[i]]`, or nothing where the code is -1.

    Parameters
    ----------
    is_empty
        Rows whose field is there and empty, shape (n_rows,), bool; a file with missing values of its own has none.
    """

    name: str
    codes: np.ndarray
    distinct: list[str]
    counts: list[int]
    is_empty: np.ndarray

    def spread(self, values: np.ndarray, missing: float | None = None) -> np.ndarray:
        """Return a value for each row from one for each different text."""
        filler = np.array([missing], dtype=values.dtype)
        spread: np.ndarray = np.concatenate([values, filler])[self.codes]
        return spread

    def find_row(self, text: str) -> int:
        """Return the first row that holds a text, counted from 1."""
        return int(np.flatnonzero(self.codes == self.distinct.index(text))[0]) + 1


def canonicalise_column(raw: RawColumn, name: str, read: Read) -> Column:
    """Return a column in the canonical form of its kind.

    Raises
    ------
    DataError
        It does not hold what data.read says of it, numbers with odd values among them, or numbers that floating point cannot hold.
    """
    values = raw.values
    if isinstance(values.dtype, pd.StringDtype):
        return _canonicalise_text(raw, name, read)
    wanted = read.types.get(name)
    if name in read.dates or (pd.api.types.is_datetime64_any_dtype(values.dtype) and wanted is None):
        instants = _keep_instants(values, name)
        known = instants.mask(instants.isin(_list_missing_dates(name, read)))
        return Column(known, "date", zone=None if known.isna().all() else "given" if raw.is_zoned else "none")
    if values.dtype == object or pd.api.types.is_bool_dtype(values.dtype):
        missing = {form.lower() for value in _list_na_values(name, read) for form in _write_forms(value)}
        booleans = values.astype("boolean")
        booleans = booleans.mask(booleans.map({True: "true" in missing, False: "false" in missing}).fillna(False).astype(bool))
        if wanted == "number":
            return Column(pd.Series(booleans.to_numpy(dtype=np.float64, na_value=np.nan)), "numeric")
        return Column(_settle_booleans(booleans), "boolean")
    if not pd.api.types.is_numeric_dtype(values.dtype):
        raise DataError(Problem(f"column {name!r}", "numbers", "dates", "Take it off data.read.types."))
    is_missing = values.isin(_list_missing_numbers(name, read))
    _refuse_inexact_integers(values[~is_missing], name)  # before they are masked, which makes floats of them
    values = values.mask(is_missing) if is_missing.any() else values
    numbers = pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan))
    if wanted == "boolean":
        return Column(_numbers_as_booleans(numbers, name), "boolean")
    _refuse_infinity(numbers, name)
    is_whole = pd.api.types.is_integer_dtype(raw.values.dtype) and not numbers.isna().any()
    return Column(numbers, "numeric", is_whole, raw.unit)


def _keep_instants(values: pd.Series, name: str) -> pd.Series:
    if not pd.api.types.is_datetime64_any_dtype(values.dtype):
        if values.isna().all():
            return pd.Series(np.full(len(values), np.datetime64("NaT"), dtype="datetime64[us]"))
        raise DataError(Problem(f"column {name!r}", "dates", f"values of type {values.dtype}", "Take it off data.read.dates."))
    return values.astype("datetime64[us]")


def _settle_booleans(booleans: pd.Series) -> pd.Series:
    return booleans if booleans.isna().any() else booleans.astype(bool)


def _numbers_as_booleans(numbers: pd.Series, name: str) -> pd.Series:
    strange = numbers[~numbers.isin([0.0, 1.0]) & numbers.notna()]
    if len(strange):
        found = f"{strange.iloc[0]:g} in row {int(strange.index[0]) + 1}"
        raise DataError(Problem(f"column {name!r}", "booleans (0 and 1)", found, "Take it off data.read.types."))
    return _settle_booleans((numbers == 1.0).astype("boolean").mask(numbers.isna()))


def _refuse_inexact_integers(values: pd.Series, name: str) -> None:
    if not pd.api.types.is_integer_dtype(values.dtype):
        return
    known = values.dropna().to_numpy()
    beyond = known[(known > MAX_EXACT_INTEGER) | (known < -MAX_EXACT_INTEGER)]
    if len(beyond):
        raise _refuse_integer(str(beyond[0]), name)


def _refuse_integer(number: str, name: str) -> DataError:
    found = f"integers beyond 2**53 such as {number}, which floating point cannot tell apart"
    remedy = f"Set data.read.types: {{{quote_key(name)}: category}} or text, which keep every digit, or name it in data.drop."
    return DataError(Problem(f"column {name!r}", "numbers", found, remedy))


def _refuse_infinity(numbers: pd.Series, name: str) -> None:
    infinite = np.flatnonzero(np.isinf(numbers.to_numpy()))
    if len(infinite):
        found = f"an infinity in row {int(infinite[0]) + 1}"
        remedy = f"Name it in data.read.na_values: {{{quote_key(name)}: [.inf, -.inf]}}."
        raise DataError(Problem(f"column {name!r}", "numbers", found, remedy))


def _canonicalise_text(raw: RawColumn, name: str, read: Read) -> Column:
    texts, words = _mask_words(_group_texts(raw, name), raw, read)
    wanted = read.types.get(name)
    if name in read.dates:
        return _as_dates(texts, read.dates[name] if isinstance(read.dates, dict) else None, words)
    if wanted == "boolean":
        return Column(_as_booleans(texts), "boolean", words=words)
    if wanted == "number" or (raw.is_number and wanted is None):
        return _as_numbers(texts, Numerals() if raw.is_number else read_numerals(read, name), read, words, raw.unit)
    if wanted in ("category", "text"):
        kind: Kind = "categorical" if wanted == "category" else "text"
        return Column(_as_text(texts, read), kind, words=words)
    return _guess_kind(raw, texts, read, words)


def _guess_kind(raw: RawColumn, texts: _Texts, read: Read, words: dict[str, int]) -> Column:
    known = [text for text in texts.distinct if text]
    if not known and not raw.is_typed:
        return Column(pd.Series(np.full(len(texts.codes), np.nan)), "numeric", words=words)
    if not raw.is_category:
        if known and not raw.is_typed and all(text in _PLAIN_BOOLEANS for text in known):
            return Column(_as_booleans(texts), "boolean", words=words)
        numerals = read_numerals(read, texts.name)
        if known and not raw.is_typed and None not in clean_numbers(known, numerals):
            return _as_numbers(texts, numerals, read, words, raw.unit)
        if known and all(_ISO_DATE.fullmatch(text) for text in known):
            return _as_dates(texts, None, words)
        _refuse_odd_numbers(texts, read, is_typed=raw.is_typed)
    n_known = sum(texts.counts)
    is_text = not raw.is_category and len(texts.distinct) > TEXT_MIN_DISTINCT and len(texts.distinct) > TEXT_MIN_SHARE * n_known
    if not texts.distinct:
        return Column(pd.Series(np.full(len(texts.codes), np.nan)), "numeric", words=words)
    return Column(_as_text(texts, read), "text" if is_text else "categorical", words=words)


def _refuse_odd_numbers(texts: _Texts, read: Read, is_typed: bool) -> None:
    pairs = [(text, count) for text, count in zip(texts.distinct, texts.counts, strict=True) if text]
    distinct, counts = [text for text, _ in pairs], [count for _, count in pairs]
    if is_typed and None not in clean_numbers(distinct, read_numerals(read, texts.name)):
        return  # codes, says the file's own type
    odd = describe_odd_numbers(distinct, counts, texts.name, read)
    if odd is not None:
        raise DataError(Problem(f"column {texts.name!r}", "numbers, as most of its values are", *odd))


def _group_texts(raw: RawColumn, name: str) -> _Texts:
    codes, distinct = pd.factorize(raw.values)
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct)).tolist()
    is_empty = codes < 0 if raw.has_empty else np.zeros(len(codes), dtype=bool)
    return _Texts(name, codes, distinct.to_numpy(dtype=object).tolist(), counts, is_empty)


def _mask_words(texts: _Texts, raw: RawColumn, read: Read) -> tuple[_Texts, dict[str, int]]:
    """Take out the words that mean missing; Parquet has missing values of its own, so there only what na_values names."""
    missing = _list_missing_words(texts.name, read, is_typed=raw.is_typed or raw.is_number)
    words = {text: count for text, count in zip(texts.distinct, texts.counts, strict=True) if text in missing}
    if not words:
        return texts, {}
    kept = [text not in words for text in texts.distinct]
    renumbered = np.where(kept, np.cumsum(kept) - 1, -1)
    codes = texts.spread(renumbered.astype(np.int64), -1)
    distinct = [text for text in texts.distinct if text not in words]
    counts = [count for text, count in zip(texts.distinct, texts.counts, strict=True) if text not in words]
    return _Texts(texts.name, codes, distinct, counts, texts.is_empty), {text: count for text, count in words.items() if text}


def _list_missing_words(name: str, read: Read, is_typed: bool) -> Collection[str]:
    own = _list_na_values(name, read)
    written = {form for value in own for form in _write_forms(value)}
    return written if is_typed or not keeps_default_na(name, read) else written | MISSING_WORDS


def keeps_default_na(name: str, read: Read) -> bool:
    """Tell whether pandas' usual words mean missing in a column."""
    return read.keep_default_na.get(name, True) if isinstance(read.keep_default_na, Mapping) else read.keep_default_na


def _list_na_values(name: str, read: Read) -> list[str | int | float | bool]:
    return read.na_values.get(name, []) if isinstance(read.na_values, Mapping) else read.na_values


def _write_forms(value: str | int | float | bool) -> set[str]:
    """A number that means missing may stand in a text as an integer or with a point."""
    if isinstance(value, bool | str):
        return {str(value)}
    whole = {str(int(value)), f"{int(value)}.0"} if float(value).is_integer() else set()
    return {str(value), *whole}


def _list_missing_numbers(name: str, read: Read) -> list[int | float]:
    """Numbers as they are written, so that an integer is compared with every digit."""
    found: list[int | float] = []
    for value in _list_na_values(name, read):
        with contextlib.suppress(ValueError):
            if not isinstance(value, bool):
                found.append(value if isinstance(value, int | float) else float(value))
    return found


def _list_missing_dates(name: str, read: Read) -> list[pd.Timestamp]:
    found = []
    for value in _list_na_values(name, read):
        with contextlib.suppress(ValueError):
            found.append(pd.Timestamp(value) if isinstance(value, str) else pd.NaT)
    return [stamp for stamp in found if not pd.isna(stamp)]


def _as_text(texts: _Texts, read: Read) -> pd.Series:
    """An empty field stays empty text where the config keeps words; elsewhere it is missing."""
    column = pd.Series(pd.array(texts.distinct, dtype=_SHARED_TEXT).take(texts.codes, allow_fill=True))
    keeps_empty = not keeps_default_na(texts.name, read) and "" not in _list_missing_words(texts.name, read, is_typed=True)
    return column.mask(texts.is_empty, "") if keeps_empty else column


def _as_numbers(texts: _Texts, numerals: Numerals, read: Read, words: dict[str, int], unit: str | None) -> Column:
    known = [text for text in texts.distinct if text]
    cleaned = clean_numbers(known, numerals)
    numbers = [number for number in cleaned if number is not None]
    odd = [text for text, number in zip(known, cleaned, strict=True) if number is None]
    if odd:
        raise _describe_no_numbers(texts, odd, read)
    inexact = find_inexact_integer(numbers)
    if inexact is not None:
        raise _refuse_integer(inexact, texts.name)
    floats = np.full(len(texts.distinct), np.nan)
    floats[[bool(text) for text in texts.distinct]] = to_floats(numbers)
    column = pd.Series(texts.spread(floats, np.nan))
    column = column.mask(column.isin(_list_missing_numbers(texts.name, read)))
    _refuse_infinity(column, texts.name)
    return Column(column, "numeric", are_whole(numbers) and not column.isna().any(), unit, words)


def _describe_no_numbers(texts: _Texts, odd: list[str], read: Read) -> DataError:
    described = describe_odd_numbers(texts.distinct, texts.counts, texts.name, read)
    if described is None:
        found = f"{shorten_list([shorten_text(text) for text in odd])} (first in row {texts.find_row(odd[0])})"
        described = (
            found,
            f"Name the odd values in data.read.na_values: {{{quote_key(texts.name)}: [...]}}, or take it off data.read.types.",
        )
    return DataError(Problem(f"column {texts.name!r}", "numbers", *described))


def _as_booleans(texts: _Texts) -> pd.Series:
    known = [text for text in texts.distinct if text]
    strange = [text for text in known if text.lower() not in _BOOLEAN_WORDS]
    if strange:
        found = f"{shorten_list([shorten_text(text) for text in strange])} (first in row {texts.find_row(strange[0])})"
        remedy = (
            "Booleans are true, false, yes, no, 1 and 0; take the column off data.read.types, or name what is missing in na_values."
        )
        raise DataError(Problem(f"column {texts.name!r}", "booleans", found, remedy))
    values = np.array([float(_BOOLEAN_WORDS[text.lower()]) if text else np.nan for text in texts.distinct], dtype=np.float64)
    spread = pd.Series(texts.spread(values, np.nan))
    return _settle_booleans((spread == 1.0).astype("boolean").mask(spread.isna()))


def _as_dates(texts: _Texts, date_format: str | None, words: dict[str, int]) -> Column:
    known = pd.Series([text or None for text in texts.distinct], dtype="str")
    try:
        dates = parse_dates(known, date_format, errors="raise")
    except (ValueError, TypeError, OverflowError) as error:
        raise _describe_no_dates(texts, known, date_format, error) from None
    if (dates.isna() & known.notna()).any():  # a word that pandas takes for missing, and nobody else
        raise _describe_no_dates(texts, known, date_format, ValueError("no date"))
    instants = dates.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    nothing = np.array([np.datetime64("NaT")], dtype="datetime64[us]")
    values = pd.Series(np.concatenate([instants, nothing])[texts.codes])
    return Column(values, "date", words=words, zone=_tell_zone(known) if date_format in (None, "mixed") else None)


def _tell_zone(known: pd.Series) -> Zone | None:
    are_zoned = [has_zone(text) for text in known.dropna()]
    return None if not are_zoned else "given" if all(are_zoned) else "mixed" if any(are_zoned) else "none"


def _describe_no_dates(texts: _Texts, known: pd.Series, date_format: str | None, error: Exception) -> DataError:
    """Name the values that are no dates; where each alone is one, they only differ in form."""
    where = f"column {texts.name!r}"
    expected = f"dates of the form {date_format!r}" if date_format not in (None, "mixed") else "dates"
    if date_format is None:
        expected = "dates by ISO 8601 (2026-11-25)"
    try:
        read_apart = parse_dates(known, date_format, errors="coerce")
        strange = known[read_apart.isna() & known.notna()].tolist()
    except (ValueError, TypeError, OverflowError):  # of the format itself
        strange = []
    if not strange:
        remedy = "Write a strptime format, such as %d.%m.%Y, or mixed."
        return DataError(Problem(where, expected, f"a format that Python does not take ({error})", remedy))
    n_rows = sum(count for text, count in zip(texts.distinct, texts.counts, strict=True) if text in set(strange))
    shown = shorten_list([shorten_text(text) for text in strange], 3)
    found = f"{shown} in {n_rows:,} rows (first in row {texts.find_row(strange[0])})"
    remedy = (
        f"Give its strptime format (or epoch_seconds, excel_days), data.read.dates: {{{quote_key(texts.name)}: format}}, "
        "or mixed where each value has its own and names a "
        "day that can be taken one way only; name what is missing in na_values."
    )
    return DataError(Problem(where, expected, found, remedy))
