"""How the values of each column are written: decimal marks, signs, dates, words and numbers that mean missing; found by trying.

A key of data.read is proposed only where the column then reads as a whole; where nothing does, the column is taken for categories.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from samebits.errors import DataError
from samebits.keys.table import Read
from samebits.proposal.findings import Finding
from samebits.proposal.layout import has_leading_zeros, refuse_shifted_rows
from samebits.table.columns import Column, RawColumn, canonicalise_column
from samebits.table.numerals import Numerals, clean_numbers
from samebits.table.reading import RawTable, read_table
from samebits.text import shorten_list, shorten_text

_FEW = 200  # different values that show in which form a column's dates are
_SIGNS = ("$", "€", "£", "¥", "%", "EUR", "USD", "CHF")
_MISSING = {
    "?",
    "-",
    "--",
    "---",
    ".",
    "..",
    "*",
    "n.a.",
    "n. a.",
    "na.",
    "n/d",
    "missing",
    "unknown",
    "none",
    "nil",
    "keine",
    *("k.a.", "k. a.", "k.a", "ka", "unbekannt", "ohne angabe", "keine angabe", "not available", "not specified", "undefined", "unk"),
    "#",
}
_OFTEN = 0.03  # of the rows, for a word that may mean missing
_MOST_WORDS = 3  # that are no numbers, in a column of numbers
_SENTINELS = (-200, *(sign * int("9" * size) for size in range(2, 7) for sign in (-1, 1)), -8888, 8888, -7777)
_LEAST_SENTINELS = 3  # rows
_FEW_VALUES = 10
_TIMES = ("timestamp", "time", "epoch", "unix", "created", "updated", "date", "datetime", "_at", "_ts")
_DAYS = ("date", "day", "datum", "dt")
_DATE_FORMATS = (
    *("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y"),
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_PART_OF_TIME = re.compile(r"(?i)year|month|week|day|hour|minute|second|time|jahr|monat|woche|tag|stunde|uhr|quart|date|datum")
_DATE_LIKE = re.compile(r".*\d.*[/. -].*\d.*")


@dataclass(frozen=True)
class Notation:
    """Columns in canonical form, and what data.read must say for them.

    Parameters
    ----------
    reads
        The shortest first; a later one where the file does not read so after all.
    unreadable
        Columns that hold no plain values.
    """

    reads: list[Read]
    columns: dict[str, Column]
    unreadable: list[str]
    findings: list[Finding]


def read_columns(table: RawTable, read: Read) -> Notation:
    """Return each column of a table as it reads best.

    Raises
    ------
    DataError
        Some rows have their values one column off.
    """
    columns: dict[str, Column] = {}
    raws, unreadable = _take_all(table)
    refuse_shifted_rows(raws, table.sources[0].path, read)
    findings: list[Finding] = []
    codes = _find_codes(table, raws, read)
    for name, raw in raws.items():
        read = _amend(read, name, types="category") if name in codes else read
        read, columns[name], found = _settle(codes.get(name, raw), name, read)
        findings += [_describe_code(name, codes[name]), *found] if name in codes else found
    if unreadable:
        reason = "holds no plain values"
        text = f"{shorten_list(unreadable)}: values inside values, or bytes; dropped"
        findings.append(Finding("unread", text, tuple((name, reason) for name in unreadable)))
    if isinstance(read.decimal, dict):
        marks = sorted({("a comma" if mark == "," else repr(mark)) for mark in read.decimal.values()})
        findings.insert(0, Finding("numbers", f"{' or '.join(marks)} is the decimal mark: {shorten_list(read.decimal, 12)}"))
    return Notation(_join_marks(read, table, columns), columns, unreadable, findings)


def _take_all(table: RawTable) -> tuple[dict[str, RawColumn], list[str]]:
    raws, unreadable = {}, []
    for name in table.names:
        try:
            raws[name] = table.take(name)
        except DataError:
            unreadable.append(name)
    return raws, unreadable


def _find_codes(table: RawTable, raws: dict[str, RawColumn], read: Read) -> dict[str, RawColumn]:
    """Return, as text, the whole numbers that are written with zeros before them: codes, unless they are parts of a time."""
    path = table.sources[0].path
    whole = [name for name, raw in raws.items() if _is_whole(raw.values) and not _PART_OF_TIME.search(name)]
    if not whole or not has_leading_zeros(path, read):
        return {}
    texts = read_table([path], [table.sources[0].digest], read.model_copy(update={"types": dict.fromkeys(whole, "category")}))
    taken = {name: texts.take(name) for name in whole}
    return {name: raw for name, raw in taken.items() if raw.values.str.fullmatch("0[0-9]+").any()}


def _is_whole(values: pd.Series) -> bool:
    is_number = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)
    return is_number and not _has_fractions(values)


def _describe_code(name: str, raw: RawColumn) -> Finding:
    texts = raw.values
    shown = shorten_text(str(texts[texts.str.fullmatch("0[0-9]+").fillna(False)].iloc[0]))
    return Finding("category", f"{name}: zeros before its digits, such as {shown}: read as codes, and as no numbers (data.read.types)")


def _settle(raw: RawColumn, name: str, read: Read) -> tuple[Read, Column, list[Finding]]:
    try:
        column = canonicalise_column(raw, name, read)
    except DataError:
        return _mend(raw, name, read)
    if dated := _find_dates(raw, column, name, read):
        return dated
    if column.kind == "numeric":
        return _mask_sentinels(raw, column, name, read)
    if column.kind in ("categorical", "text"):
        return _mask_words(raw, column, name, read)
    return read, column, []


def _amend(read: Read, name: str, **said: Any) -> Read:
    """Return data.read with more said of one column."""
    present = {key: getattr(read, key) for key in said}
    return read.model_copy(update={key: {**(present[key] if isinstance(present[key], dict) else {}), name: said[key]} for key in said})


def _mend(raw: RawColumn, name: str, read: Read) -> tuple[Read, Column, list[Finding]]:
    """Find the keys under which a column of odd numbers is one of numbers, or else take it for categories."""
    if isinstance(raw.values.dtype, pd.StringDtype):
        for mended, text in _list_ways(raw, name, read):
            try:
                column = canonicalise_column(raw, name, mended)
            except DataError:
                continue
            if column.kind == "numeric":
                return mended, column, [Finding("numbers", f"{name}: {text}")] if text else []
    if pd.api.types.is_float_dtype(raw.values.dtype) or isinstance(raw.values.dtype, pd.StringDtype):
        mended = _amend(read, name, na_values=[*_find_infinities(raw.values), float("inf"), float("-inf")])
        with contextlib.suppress(DataError):
            column = canonicalise_column(raw, name, mended)
            if column.kind == "numeric":
                return mended, column, [Finding("missing", f"{name}: infinities are taken for missing")]
    mended = _amend(read, name, types="category")
    texts = raw if isinstance(raw.values.dtype, pd.StringDtype) else replace(raw, values=raw.values.astype("str"), is_typed=True)
    return mended, canonicalise_column(texts, name, mended), [Finding("category", f"{name}: no plain numbers; taken for categories")]


def _find_infinities(values: pd.Series) -> list[str]:
    if not isinstance(values.dtype, pd.StringDtype):
        return []
    return [text for text in values.dropna().unique() if text.strip().lstrip("+-").lower() in ("inf", "infinity")]


def _list_ways(raw: RawColumn, name: str, read: Read) -> Iterator[tuple[Read, str]]:
    distinct = [str(text) for text in raw.values.dropna().unique()]
    signs = [sign for sign in _SIGNS if any(sign in text for text in distinct[:_FEW])]
    for numerals in _list_numerals(read, signs):
        cleaned = clean_numbers(distinct, numerals)
        words = [text for text, number in zip(distinct, cleaned, strict=True) if number is None and text]
        if len(words) > _MOST_WORDS or len(words) > len(distinct) // 2:
            continue
        said: dict[str, Any] = {}
        if numerals.decimal != ".":
            said["decimal"] = numerals.decimal
        if numerals.thousands is not None:
            said["thousands"] = numerals.thousands
        if words:
            said["na_values"] = words
        mended = _amend(read, name, **said).model_copy(update={"signs": sorted({*read.signs, *numerals.signs})})
        yield mended, _say_numerals(numerals, words)


def _say_numerals(numerals: Numerals, words: Sequence[str]) -> str:
    said = [f"{', '.join(map(repr, numerals.signs))} around numbers"] if numerals.signs else []
    said += [f"{numerals.thousands!r} between thousands"] if numerals.thousands else []
    said += [f"{shorten_list([shorten_text(word) for word in words])} taken for missing"] if words else []
    return "; ".join(said)


def _list_numerals(read: Read, signs: Sequence[str]) -> Iterator[Numerals]:
    """Yield ways to write numbers, the likeliest first: what divides fields is seldom a decimal mark."""
    english = [(".", None), (".", ","), (".", " "), (".", "'"), (".", "\u2019"), (".", "\u00a0"), (".", "\u202f")]
    continental = [(",", None), (",", "."), (",", " "), (",", "'"), (",", "\u00a0"), (",", "\u202f")]
    pairs = [*english, *continental] if read.sep == "," else [english[0], *continental, *english[1:]]
    for own in [(), tuple(signs)] if signs else [()]:
        for decimal, thousands in pairs:
            yield Numerals(decimal, thousands, own)


def _find_dates(raw: RawColumn, column: Column, name: str, read: Read) -> tuple[Read, Column, list[Finding]] | None:
    """Return a column as dates where all its values are some, of one form; ISO 8601 is read without a word."""
    if column.kind == "date" or not column.values.notna().any():
        return None
    for form in _list_date_forms(column, name):
        mended = _amend(read, name, dates=form)
        texts = raw if isinstance(raw.values.dtype, pd.StringDtype) else _write_integers(raw)
        try:
            dates = canonicalise_column(texts, name, mended)
        except DataError:
            continue
        return mended, dates, [Finding("date", f"{name}: taken for dates of the form {form}{_doubt(form, texts, name, read)}")]
    return None


def _doubt(form: str, texts: RawColumn, name: str, read: Read) -> str:
    turned = form.replace("%m/%d", "%d/%m") if "%m/%d" in form else form.replace("%m-%d", "%d-%m")
    if turned == form:
        return ""
    try:
        canonicalise_column(texts, name, _amend(read, name, dates=turned))
    except DataError:
        return ""
    return f"; {turned} would do as well: say which"


def _list_date_forms(column: Column, name: str) -> Iterator[str]:
    known, lower = column.values.dropna(), name.lower()
    if column.kind == "numeric":
        if not column.is_whole or known.nunique() < 2:
            return
        least, greatest = known.min(), known.max()
        if any(word in lower for word in _DAYS) and least >= 1900_01_01 and greatest <= 2100_12_31:
            yield "%Y%m%d"
        if any(word in lower for word in _TIMES):
            yield from ["epoch_seconds"] if least >= 5e8 and greatest <= 4.1e9 else []
            yield from ["epoch_milliseconds"] if least >= 5e11 and greatest <= 4.1e12 else []
        return
    if column.kind not in ("categorical", "text"):
        return
    glance = [text.strip() for text in known.unique()[:_FEW]]
    if not all(_DATE_LIKE.match(text) for text in glance):
        return
    for form in (f"{day}{clock}" for day in _DATE_FORMATS for clock in _CLOCKS):
        if pd.to_datetime(pd.Series(glance, dtype="str"), format=form, errors="coerce").notna().all():
            yield form


def _write_integers(raw: RawColumn) -> RawColumn:
    return replace(raw, values=raw.values.astype("int64").astype("str"))


def _mask_sentinels(raw: RawColumn, column: Column, name: str, read: Read) -> tuple[Read, Column, list[Finding]]:
    """Take a number that stands far from all others, often, for a sign that a value is missing."""
    values = column.values.to_numpy(dtype=np.float64)
    known = values[~np.isnan(values)]
    ends = {known.min(), known.max()} if len(known) else set()
    signs = [sign for sign in _SENTINELS if _stands_apart(known, sign)] if ends & set(_SENTINELS) else []
    if not signs:
        return read, column, _suspect_minus_one(known, name)
    mended = _amend(read, name, na_values=signs)
    n_rows = int(np.isin(known, signs).sum())
    text = f"{name}: {', '.join(map(str, signs))} in {n_rows:,} rows stands far from all other values; taken for missing"
    return mended, canonicalise_column(raw, name, mended), [Finding("missing", text)]


def _stands_apart(known: np.ndarray, sign: int) -> bool:
    """It is the least or the greatest value, further from the others than these are from each other, and all but them are many."""
    n_rows = int((known == sign).sum())
    others = known[~np.isin(known, _SENTINELS)]
    if n_rows < _LEAST_SENTINELS or len(others) < n_rows / 9 or len(np.unique(others)) < 3:
        return False
    least, greatest = float(others.min()), float(others.max())
    gap = least - sign if sign < least else sign - greatest
    return gap > greatest - least


def _suspect_minus_one(known: np.ndarray, name: str) -> list[Finding]:
    """It may be a value, so it is only said."""
    n_rows = int((known == -1).sum())
    others = known[known != -1]
    if n_rows < _LEAST_SENTINELS or others.min(initial=0) < 0 or len(np.unique(others)) < _FEW_VALUES:
        return []
    text = f"{name}: -1 in {n_rows:,} rows and nothing else below 0; if it means missing, name it in data.read.na_values"
    return [Finding("missing", text, kept=(name,))]


def _mask_words(raw: RawColumn, column: Column, name: str, read: Read) -> tuple[Read, Column, list[Finding]]:
    """Take a sign such as "?" among words for missing; a word that says unknown may be a category of its own."""
    distinct = column.values.dropna().unique()
    signs = [text for text in distinct if not any(letter.isalnum() for letter in text) and text.strip() in _MISSING]
    said = _suspect_words(column.values, [text for text in distinct if text not in signs], name)
    if not signs or len(signs) == len(distinct):
        return read, column, said
    mended = _amend(read, name, na_values=signs)
    text = f"{name}: {shorten_list([shorten_text(sign) for sign in signs])} in {int(column.values.isin(signs).sum()):,} rows"
    try:
        settled = canonicalise_column(raw, name, mended)
    except DataError:
        return read, column, said
    return mended, settled, [Finding("missing", f"{text} taken for missing"), *said]


def _suspect_words(values: pd.Series, distinct: Sequence[str], name: str) -> list[Finding]:
    """A word that says that nothing is known may be a category of its own, so it is only said, where it is there often."""
    words = [text for text in distinct if text.strip().lower() in _MISSING]
    n_rows = int(values.isin(words).sum())
    if not words or len(words) == len(distinct) or n_rows < _OFTEN * len(values):
        return []
    shown = shorten_list([shorten_text(word) for word in words])
    text = f"{name}: {shown} in {n_rows:,} of {len(values):,} rows is a category; if it means missing, name it in data.read.na_values"
    return [Finding("missing", text, kept=(name,))]


def _join_marks(read: Read, table: RawTable, columns: dict[str, Column]) -> list[Read]:
    """Say a decimal mark once where every column of fractions has it: the others are whole in the file itself, or no numbers."""
    if not isinstance(read.decimal, dict):
        return [read]
    marks = set(read.decimal.values())
    others = [name for name, column in columns.items() if column.kind == "numeric" and name not in read.decimal]
    is_safe = all(not _has_fractions(table.take(name).values) for name in others)
    return [read.model_copy(update={"decimal": marks.pop()}), read] if len(marks) == 1 and is_safe else [read]


def _has_fractions(values: pd.Series) -> bool:
    return pd.api.types.is_float_dtype(values.dtype) and not bool((values.dropna() % 1 == 0).all())
