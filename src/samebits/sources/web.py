"""Files of the web and of the Hugging Face hub, through requests.

Credentials come from ~/.netrc, as curl takes them, and for the hub from HF_TOKEN or the file that `hf auth login` writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import requests
import urllib3

from samebits import __version__
from samebits.errors import DataError, Problem
from samebits.project import expand_home
from samebits.sources.address import HUB, Address
from samebits.transfers.origin import Held, Origin

_PIECE_BYTES = 1 << 20
_TIMEOUT_SECONDS = (20, 120)
_LINKED_TAG = "X-Linked-Etag"  # the hub redirects, and says first what stands behind; a redirect's own ETag is of the redirect


def open_web(address: Address) -> Origin:
    """Return a file of the web as a source."""
    session = requests.Session()
    session.headers.update({"User-Agent": f"samebits/{__version__}", "Accept-Encoding": "identity"})  # the bytes as they are stored
    token = _find_hub_token() if address.scheme == HUB else None
    if token is not None:
        session.headers["Authorization"] = f"Bearer {token}"
    return Origin(address.text, partial(_look, session, address), partial(_read, session, address))


def _find_hub_token() -> str | None:
    if os.environ.get("HF_TOKEN"):
        return os.environ["HF_TOKEN"]
    home = os.environ.get("HF_HOME")
    path = Path(os.environ.get("HF_TOKEN_PATH") or ((expand_home(home) if home else expand_home("~/.cache/huggingface")) / "token"))
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _look(session: requests.Session, address: Address) -> Held:
    """A server that answers no HEAD is asked for the file itself later: of it nothing is known beforehand."""
    try:
        answer = session.head(address.root, allow_redirects=False, timeout=_TIMEOUT_SECONDS)
        tag = answer.headers.get(_LINKED_TAG)
        if answer.is_redirect:
            answer = session.head(address.root, allow_redirects=True, timeout=_TIMEOUT_SECONDS)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise DataError(_describe(address, error)) from None
    if answer.status_code in (405, 501):
        return Held(None, None)
    _raise_for_status(address, answer)
    size = answer.headers.get("Content-Length", "")
    tag = tag or answer.headers.get("ETag")
    is_strong = tag is not None and not tag.startswith("W/")
    return Held(int(size) if size.isdecimal() else None, tag if is_strong else None)


def _read(session: requests.Session, address: Address, held: Held, offset: int) -> tuple[int, Iterator[bytes]]:
    headers = {"Range": f"bytes={offset}-", "If-Range": str(held.tag)} if offset else {}
    try:
        answer = session.get(address.root, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise DataError(_describe(address, error)) from None
    _raise_for_status(address, answer)
    return (offset if answer.status_code == 206 else 0), _read_pieces(address, answer)


def _read_pieces(address: Address, answer: requests.Response) -> Iterator[bytes]:
    """Yield the bytes as they are sent, and what came before a line breaks too."""
    try:
        with answer:
            while piece := answer.raw.read1(_PIECE_BYTES, decode_content=False):
                yield piece
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise DataError(_describe(address, error)) from None


def _raise_for_status(address: Address, answer: requests.Response) -> None:
    if answer.status_code == 404:
        raise FileNotFoundError(address.text)
    if answer.status_code in (401, 403):
        remedy = "Log in with `hf auth login`, or set HF_TOKEN." if address.scheme == HUB else "Put the host's login into ~/.netrc."
        raise DataError(Problem(address.text, "that it may be read", f"status {answer.status_code}", remedy))
    if not answer.ok:
        raise DataError(Problem(address.text, "the file", f"status {answer.status_code} {answer.reason}", "Try again later."))


def _describe(address: Address, error: Exception) -> Problem:
    reason = f"{type(error).__name__}: {error}"[:300]
    return Problem(address.text, "an answer", reason, "Check the address and the way to it (proxy, certificates).")
