"""Addresses of tables: which scheme, which place, which version; what is a path; what would leave a secret in a record.

`hf://` is Hugging Face's own notation (huggingface_hub, HfFileSystem): OWNER/NAME@REVISION/FILE below `datasets/`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit

from samebits.errors import ConfigError, Problem
from samebits.text import hide_credentials, holds_secret

BUCKETS = ("s3", "gs", "az")
WEB = ("https", "http")
HUB = "hf"
_SCHEMES = (*BUCKETS, *WEB, HUB)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_VERSIONS = {"s3": "versionId", "gs": "generation", "az": "versionId"}
_HUB_FILE = re.compile(r"hf://datasets/([\w.-]+(?:/[\w.-]+)?)@([^/@]+)/(.+)")
_ENDPOINT = "https://huggingface.co"


@dataclass(frozen=True)
class Address:
    """Where a table lies that is on no disk of this machine.

    Parameters
    ----------
    text
        As the config has it.
    root, key
        Of a bucket: `s3://name`, and the object's key in it. Of the web: what is asked for, and nothing.
    version
        Of an object, as its bucket calls it; None: the latest.
    """

    text: str
    scheme: str
    root: str
    key: str
    version: str | None = None

    @property
    def name(self) -> str:
        """The file's name, by whose suffix it is read where its first bytes do not tell."""
        return (self.key or urlsplit(self.root).path).rstrip("/").rpartition("/")[2] or "table"

    @property
    def is_folder(self) -> bool:
        """Whether all objects below a key are the table."""
        return self.scheme in BUCKETS and self.key.endswith("/")

    def name_version(self, version: str | None) -> str:
        """Return the address of one version of it: what was read stays to be had there after others were written."""
        if version is None or self.version is not None or self.scheme not in BUCKETS:
            return self.text
        return f"{self.text}?{_VERSIONS[self.scheme]}={quote(version, safe='')}"


def is_address(named: str) -> bool:
    """Tell whether what a config names is an address rather than a path.

    >>> is_address("s3://bucket/churn.csv"), is_address("data/churn.csv")
    (True, False)
    """
    return _ADDRESS.match(named) is not None


def parse_address(text: str, where: str = "data.path") -> Address:
    """Return what an address means.

    Parameters
    ----------
    where
        The key that holds it, for a refusal.

    Raises
    ------
    ConfigError
        Its scheme is not known, it names no object, no revision, or holds what a record must not.

    >>> parse_address("s3://team/raw/churn.csv?versionId=3").version
    '3'
    """
    scheme = text.partition("://")[0].lower()
    if scheme not in _SCHEMES:
        known = ", ".join(f"{one}://" for one in _SCHEMES)
        remedy = "Write a path without file://." if scheme == "file" else "Name one of these, or a path."
        raise ConfigError(Problem(where, f"a path, or an address that begins with one of {known}", repr(text), remedy))
    if holds_secret(text):
        found = f"{hide_credentials(text)} with some"
        remedy = "Let them come from where the store's own programs find them: docs/how-to/remote-tables.md."
        raise ConfigError(Problem(where, "an address without credentials, since it is recorded", found, remedy))
    if scheme == HUB:
        return _parse_hub(text, where)
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise ConfigError(Problem(where, "an address", f"{text} ({error})", "Write it anew.")) from None
    if not parts.netloc or not parts.path.strip("/"):
        raise ConfigError(Problem(where, "an address of a file, or of a bucket's folder with a / at its end", text, "Name it whole."))
    if scheme in WEB:
        return Address(text, scheme, text, "")
    named, own = parse_qs(parts.query, keep_blank_values=True), _VERSIONS[scheme]
    if parts.fragment or "#" in text or set(named) - {own} or len(named.get(own, [])) > 1:
        remedy = "Write a ? or # that belongs to the key as %3F or %23."
        raise ConfigError(Problem(where, f"nothing after the key but ?{own}=…", text, remedy))
    key = unquote(parts.path.lstrip("/"))
    return Address(text, scheme, f"{scheme}://{parts.netloc}", key, named[own][0] if own in named else None)


def _parse_hub(text: str, where: str) -> Address:
    found = _HUB_FILE.fullmatch(text)
    if found is None:
        expected = "hf://datasets/OWNER/NAME@REVISION/FILE, its revision a commit or a tag"
        raise ConfigError(Problem(where, expected, text, "Without a revision it would be another table after the next upload."))
    name, revision, file = found.groups()
    endpoint = os.environ.get("HF_ENDPOINT", _ENDPOINT).rstrip("/")
    return Address(text, HUB, f"{endpoint}/datasets/{name}/resolve/{quote(revision, safe='')}/{quote(file)}", "")
