"""Numbers written as text: which texts are numbers under a config's marks, which are numbers with an odd mark, and what mends them.

A thousands mark counts only between groups of three digits. Texts become numbers as pandas' own parser makes them, so that a column
has the same values whether it went through here or not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from samebits.config.keys import Read
from samebits.text import shorten_list, shorten_text

MAX_EXACT_INTEGER = 2**53  # of a float64's 53 significant bits
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_INFINITY = r"(?:inf|infinity)"
_CURRENCY = r"[$€£¥₹₽₩₪₺₴₦฿¢%‰°]"
_SHOWN = 5


@dataclass(frozen=True)
class Numerals:
    """How numbers are written.

    Parameters
    ----------
    decimal
        The decimal mark.
    thousands
        Between groups of three digits; None for no such mark.
    signs
        Around a number, without meaning: such as a currency.
    """

    decimal: str = "."
    thousands: str | None = None
    signs: tuple[str, ...] = ()

    def compile(self) -> re.Pattern[str]:
        """Return the pattern that a whole text must match; group `number` is what is left of it without signs and blanks."""
        decimal = re.escape(self.decimal)
        whole = r"\d+"
        if self.thousands is not None:
            whole = rf"(?:\d{{1,3}}(?:{re.escape(self.thousands)}\d{{3}})+|\d+)"
        signs = "|".join(re.escape(sign) for sign in sorted(self.signs, key=len, reverse=True))
        around = rf"(?:\s*(?:{signs}))?\s*" if signs else r"\s*"
        plain = rf"(?:{whole}(?:{decimal}\d*)?|{decimal}\d+){_EXPONENT}|{_INFINITY}"
        return re.compile(rf"\s*(?P<minus>[+-]?){around}(?P<number>(?P<inner>[+-]?)(?:{plain})){around}", re.IGNORECASE)

    def clean(self, number: str) -> str:
        """Return a number's text with a point as decimal mark and nothing between its digits."""
        text = number.replace(self.thousands, "") if self.thousands else number
        return text.replace(self.decimal, ".") if self.decimal != "." else text


def read_numerals(read: Read) -> Numerals:
    """Return how a config says that numbers are written."""
    return Numerals(read.decimal, read.thousands, tuple(read.signs))


def clean_numbers(texts: Sequence[str], numerals: Numerals) -> list[str | None]:
    """Return each text as a plain number's text, or None where it is no number under the marks given."""
    pattern = numerals.compile()
    matches = (pattern.fullmatch(text) for text in texts)
    return [_join(match, numerals) if match and not (match["minus"] and match["inner"]) else None for match in matches]


def _join(match: re.Match[str], numerals: Numerals) -> str:
    return match["minus"] + numerals.clean(match["number"])


def to_floats(cleaned: Sequence[str]) -> np.ndarray:
    """Return plain numbers' texts as float64, shape (n,), as `pandas.read_csv` parses them."""
    return pd.to_numeric(pd.Series(list(cleaned), dtype=object)).to_numpy(dtype=np.float64)


def are_whole(cleaned: Sequence[str]) -> bool:
    """Tell whether all texts are integers as they are written."""
    return all(re.fullmatch(r"[+-]?\d+", text) for text in cleaned)


def find_inexact_integer(cleaned: Sequence[str]) -> str | None:
    """Return a whole number beyond 2**53, which floating point cannot tell from its neighbours; None where there is none."""
    for text in cleaned:
        whole = re.fullmatch(r"([+-]?\d{16,})", text)
        if whole and abs(int(whole[1])) > MAX_EXACT_INTEGER:
            return whole[1]
    return None


def describe_odd_numbers(texts: Sequence[str], counts: Sequence[int], name: str, read: Read) -> tuple[str, str] | None:
    """Tell what is odd about a column most of whose values are numbers, if it is one, and which key mends it.

    Parameters
    ----------
    texts
        The column's different values; not all are numbers.
    counts
        Rows of each.

    Returns
    -------
    tuple or None
        What was found and the remedy, as an error says them; None where most values are no numbers of any kind.
    """
    numerals = read_numerals(read)
    plain = clean_numbers(texts, numerals)
    odd_kinds = {text: _name_oddity(text, numerals) for text, number in zip(texts, plain, strict=True) if number is None}
    by_text = dict(zip(texts, counts, strict=True))
    n_rows = sum(counts)
    n_alike = n_rows - sum(count for text, count in by_text.items() if odd_kinds.get(text, "number") == "other")
    if not odd_kinds or 2 * n_alike <= n_rows:
        return None
    shown = shorten_list(
        [f"{shorten_text(text)} ({by_text[text]:,})" for text in sorted(odd_kinds, key=lambda t: -by_text[t])], _SHOWN
    )
    n_odd = sum(by_text[text] for text in odd_kinds)
    found = f"numbers in {n_rows - n_odd:,} rows, and in {n_odd:,} {shown}"
    return found, _name_remedy(name, odd_kinds, numerals)


def _list_relaxed(numerals: Numerals) -> list[tuple[str, Numerals]]:
    """Return other ways to write numbers, each with the keys that say it; a mark that has its own meaning here is left it."""
    other = "," if numerals.decimal == "." else "."
    ways = []
    if other != numerals.thousands:
        ways.append((f'data.read.thousands: "{other}"', Numerals(numerals.decimal, other, numerals.signs)))
        ways.append((f'data.read.decimal: "{other}"', Numerals(other, None, numerals.signs)))
        both = f'data.read.decimal: "{other}" and data.read.thousands: "{numerals.decimal}"'
        ways.append((both, Numerals(other, numerals.decimal, numerals.signs)))
    for blank in (" ", "\u00a0", "\u202f", "'"):
        if numerals.thousands is None:
            ways.append((f"data.read.thousands: {_quote(blank)}", Numerals(numerals.decimal, blank, numerals.signs)))
            key = f'data.read.decimal: "{other}" and data.read.thousands: {_quote(blank)}'
            ways.append((key, Numerals(other, blank, numerals.signs)))
    return ways


def _quote(mark: str) -> str:
    return f'"\\u{ord(mark):04x}"' if ord(mark) > 127 else f'"{mark}"'


def _name_oddity(text: str, numerals: Numerals) -> str:
    """Return the keys that make a number of a text, "blank", or "other"."""
    if not text.strip():
        return "blank"
    for key, way in _list_relaxed(numerals):
        if clean_numbers([text], way)[0] is not None:
            return key
    sign = re.match(rf"\s*[+-]?\s*({_CURRENCY}|[A-Z]{{3}}\s)|.*?\d\s*({_CURRENCY}|\s[A-Z]{{3}})\s*$", text)
    mark = (sign[1] or sign[2]).strip() if sign else ""
    if mark:
        signed = Numerals(numerals.decimal, numerals.thousands, (*numerals.signs, mark))
        for extra, way in [("", signed), *_list_relaxed(signed)]:
            if clean_numbers([text], way)[0] is not None:
                return f'data.read.signs: ["{mark}"]' + (f" and {extra}" if extra else "")
    return "other"


def _name_remedy(name: str, odd_kinds: dict[str, str], numerals: Numerals) -> str:
    """Say the keys that explain all odd values together; else name them as missing, or the column as one of categories."""
    candidates = sorted({kind for kind in odd_kinds.values() if kind not in ("blank", "other")}, key=len)
    for key in candidates:
        if _explains(key, odd_kinds, numerals):
            return f"Set {key}; or data.read.types: {{{name}: category}} if these are codes."
    values = [text for text, kind in odd_kinds.items() if kind in ("blank", "other")]
    keys = f"Set {shorten_list(candidates)}, and " if candidates else ""
    if not values:
        return f"Set {shorten_list(candidates)} where it is so for the whole table; or data.read.types: {{{name}: category}}."
    listed = ", ".join(_quote_value(text) for text in values[:_SHOWN]) + (", …" if len(values) > _SHOWN else "")
    word = "name" if keys else "Name"
    return (
        f"{keys}{word} what is missing in data.read.na_values: {{{name}: [{listed}]}}; "
        f"or set data.read.types: {{{name}: category}} if these are codes, or text."
    )


def _explains(key: str, odd_kinds: dict[str, str], numerals: Numerals) -> bool:
    """Tell whether one way of writing makes a number of every odd value."""
    way = dict(_list_relaxed(numerals)).get(key)
    if way is None:
        return set(odd_kinds.values()) == {key}
    return all(number is not None for number in clean_numbers(list(odd_kinds), way))


def _quote_value(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
