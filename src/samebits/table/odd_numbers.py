"""Columns of numbers with odd values among them: told from columns of words, and the keys that mend them.

A column is one of numbers where most of its rows are numbers of any kind of writing, or where a few words stand beside more different
numbers: words for missing. What is odd is shown, with keys that make numbers of it when they are followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from samebits.keys.table import Read
from samebits.table.numerals import Numerals, clean_numbers, read_numerals
from samebits.text import quote_key, shorten_list, shorten_text

_CURRENCY = r"[$€£¥₹₽₩₪₺₴₦฿¢%‰°]"
_SIGN = re.compile(rf"\s*[(+\u2212-]?\s*({_CURRENCY}|[A-Z]{{3}}(?=\s))|.*[0-9]\s*?({_CURRENCY}|(?<=\s)[A-Z]{{3}})\s*$")
_INDIAN = re.compile(r"[+\u2212-]?[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]*)?")
_NEGATIVE = re.compile(r"\s*(?:\((?P<inside>.+)\)|(?P<before>.+)[-\u2212])\s*")  # as accountants write it
_BLANKS = (" ", "\u00a0", "\u202f", "\u2009", "'", "\u2019")
_FEW_WORDS = 3
_SHOWN = 5
_LISTED = 8
_FEW_TEXTS = 20  # that show of most columns that they are no numbers
_GLANCE = 500  # different odd values that show that a column is one of words


def describe_odd_numbers(texts: Sequence[str], counts: Sequence[int], name: str, read: Read) -> tuple[str, str] | None:
    """Tell what is odd about a column of numbers, if it is one, and which key mends it.

    Parameters
    ----------
    texts
        The column's different values.
    counts
        Rows of each.

    Returns
    -------
    tuple or None
        What was found and the remedy, as an error says them; None where the column is one of words, or of plain numbers.
    """
    numerals = read_numerals(read, name)
    rows = dict(zip(texts, counts, strict=True))
    plain = clean_numbers(texts, numerals)
    odd = sorted((text for text, number in zip(texts, plain, strict=True) if number is None), key=lambda text: -rows[text])
    is_turned = bool(odd) and _find_turned(texts, numerals) is not None  # the config's marks are the wrong way round for this column
    if not odd or (not is_turned and _is_of_words(odd, rows, numerals)):
        return None
    words = [] if is_turned else [text for text in odd if not _is_number_anyhow(text, numerals)]
    others = [text for text in words if text.strip()]
    n_rows = sum(counts)
    is_mostly_numbers = 2 * (n_rows - sum(rows[text] for text in others)) > n_rows
    if not is_mostly_numbers and not 0 < len(others) <= min(_FEW_WORDS, len(texts) - len(words) - 1):
        return None
    shown = shorten_list([f"{shorten_text(text)} ({rows[text]:,})" for text in odd], _SHOWN)
    n_odd = sum(rows[text] for text in odd)
    return f"numbers in {n_rows - n_odd:,} rows, and in {n_odd:,} {shown}", _name_remedy(name, texts, words, numerals, read)


def _is_of_words(odd: Sequence[str], rows: dict[str, int], numerals: Numerals) -> bool:
    """Tell early of a long column of text that it is one, by a glance at its most frequent odd values."""
    glance = odd[:_GLANCE]
    words = [text for text in glance if text.strip() and not _is_number_anyhow(text, numerals)]
    share = len(words) / len(glance)
    return len(words) > _FEW_WORDS and 2 * share * sum(rows[text] for text in odd) >= sum(rows.values())


def _is_number_anyhow(text: str, numerals: Numerals) -> bool:
    if _INDIAN.fullmatch(_take_signs_off(text)):
        return True
    return any(clean_numbers([text], way)[0] is not None for way in _list_ways(numerals, _find_signs([text])))


def _take_signs_off(text: str) -> str:
    for sign in _find_signs([text]):
        text = text.replace(sign, "", 1)
    return "".join(text.split())


def _is_negative_otherwise(text: str, numerals: Numerals) -> bool:
    match = _NEGATIVE.fullmatch(_take_signs_off(text))
    return match is not None and _is_number_anyhow(match["inside"] or match["before"], numerals)


def _find_signs(texts: Sequence[str]) -> list[str]:
    matches = [_SIGN.match(text) for text in texts]
    return list(dict.fromkeys((match[1] or match[2]).strip() for match in matches if match))


def _list_ways(numerals: Numerals, signs: Sequence[str]) -> Iterator[Numerals]:
    """Yield other ways to write numbers, the likeliest first; a mark that has its own meaning here is left it."""
    other = "," if numerals.decimal == "." else "."
    new_signs = tuple(dict.fromkeys([*numerals.signs, *signs]))
    for own_signs in dict.fromkeys([numerals.signs, new_signs]):
        own = replace(numerals, signs=own_signs)
        yield own
        if other != numerals.thousands:
            yield replace(own, thousands=other)
            yield replace(own, decimal=other, thousands=None)
            yield replace(own, decimal=other, thousands=numerals.decimal)
        for blank in _BLANKS if numerals.thousands is None else ():
            yield replace(own, thousands=blank)
            yield replace(own, decimal=other, thousands=blank)


def _find_turned(texts: Sequence[str], numerals: Numerals) -> Numerals | None:
    """Return a way to write numbers, of marks that mean something else here, that makes numbers of all texts; None for none."""
    for decimal, thousands in ((".", None), (",", None), (".", ","), (",", ".")):
        way = replace(numerals, decimal=decimal, thousands=thousands)
        if way != numerals and None not in clean_numbers(texts[:_FEW_TEXTS], way) and None not in clean_numbers(texts, way):
            return way
    return None


def _name_remedy(name: str, texts: Sequence[str], words: Sequence[str], numerals: Numerals, read: Read) -> str:
    """Say the keys that make numbers of all values but words; these are named as missing, or the column as one of categories."""
    key = quote_key(name)
    as_category = f"data.read.types: {{{key}: category}}"
    others = set(words)
    marked = [text for text in texts if text not in others]
    if any(_is_negative_otherwise(text, numerals) for text in words):
        return (
            f"Write negative numbers with a minus before them, name the column in data.drop, or set {as_category} if these are codes."
        )
    ways = (way for way in _list_ways(numerals, _find_signs(marked)) if None not in clean_numbers(marked, way))
    way = next(ways, None) or _find_turned(marked, numerals)
    if way is None:
        how = "They are written in several ways, or with marks elsewhere than between groups of three digits"
        return f"{how}: write them in one way, name the column in data.drop, or set {as_category}."
    keys = " and ".join(_list_keys(name, numerals, way, read))
    if not words:
        return f"Set {keys}; or {as_category} if these are codes."
    missing = read.na_values.get(name, []) if isinstance(read.na_values, dict) else read.na_values
    values = [*missing, *words[:_LISTED]]
    listed = f"data.read.na_values: {{{key}: [{', '.join(json.dumps(value, ensure_ascii=False) for value in values)}]}}"
    more = f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    first = f"Set {keys}, and name" if keys else "Name"
    return f"{first} what is missing, {listed}{more}; or set {as_category} if these are codes, or text."


def _list_keys(name: str, numerals: Numerals, way: Numerals, read: Read) -> list[str]:
    keys = []
    if way.decimal != numerals.decimal:
        is_alone = read.thousands is None and way.thousands is None
        keys.append(_say_mark("decimal", name, way.decimal, read.decimal, ".", is_for_all=is_alone))
    if way.thousands != numerals.thousands:
        keys.append(_say_mark("thousands", name, way.thousands, read.thousands, None, is_for_all=False))
    if way.signs != numerals.signs:
        keys.append(f"data.read.signs: {json.dumps(list(way.signs), ensure_ascii=False)}")
    return keys


def _say_mark(
    key: str, name: str, mark: str | None, said: str | dict[str, str] | None, default: str | None, *, is_for_all: bool
) -> str:
    """Say a key for all columns only where that breaks none in silence: a mark between groups would make 1126 of another's 1.126."""
    by_column = f"data.read.{key}: {{{quote_key(name)}: {_quote(mark)}}}"
    if isinstance(said, dict):
        return f"{by_column} beside the columns that it names" if mark != default else f"data.read.{key} without {quote_key(name)}"
    if said == default:
        return f"data.read.{key}: {_quote(mark)}" if is_for_all else by_column
    return f"data.read.{key} by column, for those alone that have {_quote(said)}"


def _quote(mark: str | None) -> str:
    if mark is None:
        return "null"
    return json.dumps(mark) if mark.isspace() else json.dumps(mark, ensure_ascii=False)
