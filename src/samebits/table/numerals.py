"""Numbers written as text: which texts are numbers under a config's marks, and what numbers they are.

A thousands mark counts only between groups of three digits; the minus sign of typography (U+2212) is a minus. Texts become numbers as
pandas' own parser makes them, so that a column has the same values whether it went through here or not.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

import numpy as np
import pandas as pd

from samebits.keys.table import Read

_DIGITS_IN_DOUBT = 16  # a shorter text holds no integer beyond it but by an exponent of ten, which nobody writes ids with
_EXACT = Context(prec=5000)
MAX_EXACT_INTEGER = 2**53  # of a float64's 53 significant bits
_MINUS = "[+\u2212-]?"
_EXPONENT = rf"(?:[eE]{_MINUS}[0-9]+)?"
_INFINITY = r"(?:inf|infinity)"


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

    @functools.cache  # noqa: B019  a handful of ways to write numbers, asked of millions of texts
    def compile(self) -> re.Pattern[str]:
        """Return the pattern that a whole text must match; group `number` is what is left of it without signs and blanks."""
        decimal = re.escape(self.decimal)
        whole = r"[0-9]+"
        if self.thousands is not None:  # a group that begins with 0 is no thousands: 0,125 is a fraction
            whole = rf"(?:[1-9][0-9]{{0,2}}(?:{re.escape(self.thousands)}[0-9]{{3}})+|[0-9]+)"
        signs = "|".join(re.escape(sign) for sign in sorted(self.signs, key=len, reverse=True))
        around = rf"(?:\s*(?:{signs}))?\s*" if signs else r"\s*"
        plain = rf"(?:{whole}(?:{decimal}[0-9]*)?|{decimal}[0-9]+){_EXPONENT}|{_INFINITY}"
        return re.compile(rf"\s*(?P<minus>{_MINUS}){around}(?P<number>(?P<inner>{_MINUS})(?:{plain})){around}", re.IGNORECASE)

    def clean(self, number: str) -> str:
        """Return a number's text with a point as decimal mark and nothing between its digits."""
        text = number.replace(self.thousands, "") if self.thousands else number
        text = text.replace("\u2212", "-")
        return text.replace(self.decimal, ".") if self.decimal != "." else text


def read_numerals(read: Read, name: str) -> Numerals:
    """Return how a config says that a column's numbers are written."""
    decimal = read.decimal.get(name, ".") if isinstance(read.decimal, dict) else read.decimal
    thousands = read.thousands.get(name) if isinstance(read.thousands, dict) else read.thousands
    return Numerals(decimal, thousands, tuple(read.signs))


def clean_numbers(texts: Sequence[str], numerals: Numerals) -> list[str | None]:
    """Return each text as a plain number's text, or None where it is no number under the marks given."""
    if numerals == Numerals() and _are_plain(texts):
        return list(texts)
    pattern = numerals.compile()
    matches = (pattern.fullmatch(text) for text in texts)
    return [_join(match, numerals) if match and not (match["minus"] and match["inner"]) else None for match in matches]


def _are_plain(texts: Sequence[str]) -> bool:
    """Tell quickly of most columns that all their texts are plain numbers; of others nothing is said."""
    if not set("".join(texts)) <= set("0123456789+-.eE"):
        return False
    return bool(pd.to_numeric(pd.Series(list(texts), dtype=object), errors="coerce").notna().all())


def _join(match: re.Match[str], numerals: Numerals) -> str:
    return match["minus"].replace("\u2212", "-") + numerals.clean(match["number"])


def to_floats(cleaned: Sequence[str]) -> np.ndarray:
    """Return plain numbers' texts as float64, shape (n,), as `pandas.read_csv` parses them."""
    return pd.to_numeric(pd.Series(list(cleaned), dtype=object)).to_numpy(dtype=np.float64)


def are_whole(cleaned: Sequence[str]) -> bool:
    """Tell whether all texts are integers as they are written."""
    return all(re.fullmatch(r"[+-]?[0-9]+", text) for text in cleaned)


def find_inexact_integer(cleaned: Sequence[str]) -> str | None:
    """Return a whole number beyond 2**53, which floating point cannot tell from its neighbours; None where there is none.

    One that is written with a point or an exponent is taken where a float is written so: its shortest text.
    """
    for text in cleaned:
        if len(text) < _DIGITS_IN_DOUBT or "inf" in text.lower():
            continue
        number = Decimal(text)
        is_whole = number == number.to_integral_value(context=_EXACT)
        is_float = not text.lstrip("+-").isdigit() and number == Decimal(repr(float(text)))
        if is_whole and abs(number) > MAX_EXACT_INTEGER and not is_float:
            return text
    return None
