"""The places in a report's page for what is said of one run alone: its id, its times, proofs gathered later. The rest is an output.

Each stands between two comments, which nothing that was written by others can hold, since the page escapes it. How the page is made is
told in `report`; here is what need be known to hold it to its lineage.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from samebits.digests import digest_bytes

BEGIN, END = b"<!-- this run -->", b"<!-- /this run -->"
EMPTY_PLACE = (BEGIN + END).decode("ascii")
N_PLACES = 2
_PLACE = re.compile(re.escape(BEGIN) + b".*?" + re.escape(END), flags=re.DOTALL)


def fill_places(page: bytes, write: Callable[[], bytes]) -> bytes:
    """Return a page with what is written in each of its places, in order."""
    return _PLACE.sub(lambda _: BEGIN + b"\n" + write() + b"\n" + END, page, count=N_PLACES)


def digest_page(page: bytes) -> str:
    """Return the digest of a page with nothing in its places."""
    return digest_bytes(_PLACE.sub(lambda _: BEGIN + END, page, count=N_PLACES))
