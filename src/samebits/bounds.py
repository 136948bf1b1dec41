"""How much a value that somebody else wrote may hold: a config, a lineage, a report. Whatever walks it may then trust it to end."""

from __future__ import annotations

import re
from typing import Any

MAX_DIGITS = 300  # of an integer: no float is larger, and Python writes none of over 4,300
_SURROGATE = re.compile("[\ud800-\udfff]")


def find_excess(value: Any, most_values: int, most_levels: int) -> tuple[str, str] | None:
    """Return what of a plain value is more than it may be, as (expected, found); None where nothing is.

    >>> find_excess({"a": [1, 2]}, most_values=3, most_levels=9)
    ('at most 3 values', 'more')
    """
    level, n_levels, n_values = [value], 0, 0
    while level:
        n_levels, n_values = n_levels + 1, n_values + len(level)
        if n_values > most_values:
            return f"at most {most_values} values", "more"
        if n_levels > most_levels:
            return f"values at most {most_levels} levels deep", "deeper ones"
        if any(isinstance(member, int) and member.bit_length() > MAX_DIGITS * 10 // 3 for member in level):
            return f"integers of at most {MAX_DIGITS} digits", "a longer one"
        texts = [text for member in level for text in (member if isinstance(member, dict) else [member]) if isinstance(text, str)]
        if any(map(_SURROGATE.search, texts)):
            return "text that is UTF-8", "half of a surrogate pair"
        members = [list(owner.values()) if isinstance(owner, dict) else owner for owner in level if isinstance(owner, dict | list)]
        level = [member for listed in members for member in listed]
    return None
