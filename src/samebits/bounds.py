"""How much a value that somebody else wrote may hold: a config, a lineage, a report. Whatever walks it may then trust it to end."""

from __future__ import annotations

import re
from typing import Any

MAX_DIGITS = 300  # of an integer: no float is larger, and Python writes none of over 4,300
NAME_LETTERS = 64  # of a value's name with those above it, as a list of differences writes it; a mean over as many values as may be
_SURROGATE = re.compile("[\ud800-\udfff]")


def find_excess(value: Any, most_values: int, most_levels: int) -> tuple[str, str] | None:
    """Return what of a plain value is more than it may be, as (expected, found); None where nothing is.

    >>> find_excess({"a": [1, 2]}, most_values=3, most_levels=9)
    ('at most 3 values', 'more')
    >>> find_excess({"a" * 99: [1, 2]}, most_values=4, most_levels=9)
    ('names of values that together have at most 256 letters', 'longer ones')
    """
    level, names, n_levels, n_values, n_letters = [value], [0], 0, 0, 0
    while level:
        n_levels, n_values, n_letters = n_levels + 1, n_values + len(level), n_letters + sum(names)
        if n_values > most_values:
            return f"at most {most_values} values", "more"
        if n_letters > most_values * NAME_LETTERS:
            return f"names of values that together have at most {most_values * NAME_LETTERS} letters", "longer ones"
        if n_levels > most_levels:
            return f"values at most {most_levels} levels deep", "deeper ones"
        if any(isinstance(member, int) and member.bit_length() > MAX_DIGITS * 10 // 3 for member in level):
            return f"integers of at most {MAX_DIGITS} digits", "a longer one"
        texts = [text for member in level for text in (member if isinstance(member, dict) else [member]) if isinstance(text, str)]
        if any(map(_SURROGATE.search, texts)):
            return "text that is UTF-8", "half of a surrogate pair"
        owners = [(owner, length) for owner, length in zip(level, names, strict=True) if isinstance(owner, dict | list)]
        names = [
            length + size for owner, length in owners for size in (map(len, owner) if isinstance(owner, dict) else [1] * len(owner))
        ]
        level = [member for owner, _ in owners for member in (owner.values() if isinstance(owner, dict) else owner)]
    return None
