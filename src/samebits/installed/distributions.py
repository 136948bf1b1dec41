"""The distributions that are installed, each with its RECORD: the digests of its files, as its installer wrote them (PEP 376, 627).

Two installations of the same wheel have the same record digest, whoever installed them and wherever: what an installer adds of its
own (scripts, byte code, where the wheel came from) is left out of it.
"""

from __future__ import annotations

import base64
import binascii
import csv
import functools
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.digests import PREFIX, digest_manifest
from samebits.errors import Problem, ProvenanceError

SITES = ("site-packages", "dist-packages")  # folders that installers fill
METADATA = (".dist-info", ".egg-info")  # how the folders end that say what is installed
# What an installer writes beside a wheel's own files, by its name in the .dist-info folder.
_OF_INSTALLERS = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json")


@dataclass(frozen=True)
class Distribution:
    """One installed distribution.

    Parameters
    ----------
    name
        Normalised, as an index has it.
    folder
        That its RECORD's paths start from.
    requirements
        What it needs, as it says itself.
    """

    name: str
    version: str
    folder: Path
    metadata: importlib.metadata.Distribution
    requirements: list[str] = field(default_factory=list)

    @functools.cached_property
    def record_text(self) -> str | None:
        """Its RECORD; None where it has none that is text."""
        return read_record_text(self.metadata)

    @functools.cached_property
    def paths(self) -> dict[str, str]:
        """Each file of its RECORD inside its folder, with its hash as RECORD has it; empty where it has none."""
        return read_record(self.record_text or "")

    @functools.cached_property
    def files(self) -> dict[str, str]:
        """Digest of each file that the installed wheel itself had; those without a SHA-256 in RECORD are not among them."""
        return take_digests(self.paths)

    @property
    def record_digest(self) -> str | None:
        """The digest of its files' digests; None where RECORD has none."""
        return digest_manifest(self.files.items()) if self.files else None

    @functools.cached_property
    def origin(self) -> dict[str, object]:
        """Where it came from, where not from an index (PEP 610)."""
        try:
            found = json.loads(self.metadata.read_text("direct_url.json") or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def is_local(self) -> bool:
        """Tell whether it was unpacked from a folder or a file of this machine."""
        settings = self.origin.get("dir_info")
        is_editable = isinstance(settings, dict) and bool(settings.get("editable"))
        is_file = str(self.origin.get("url", "")).startswith("file:") and "vcs_info" not in self.origin
        return is_file and not is_editable and not self._is_of_conda

    @property
    def _is_of_conda(self) -> bool:
        return (self.metadata.read_text("INSTALLER") or "").strip() == "conda"

    @property
    def why_not_held(self) -> str | None:
        """Why its RECORD does not say which bytes it has; None where it does."""
        settings = self.origin.get("dir_info")
        if isinstance(settings, dict) and settings.get("editable"):
            return "an editable installation: its sources lie elsewhere"
        if self._is_of_conda:
            return "installed by conda, which changes files as it installs them"
        if self.record_text is None:
            return "installed without a RECORD"
        return None if self.files else "its RECORD has no hashes"


def list_distributions(search: list[str] | None = None) -> dict[str, Distribution]:
    """Return what is installed, by normalised name; of two the first on the path, which is the one that is imported.

    Parameters
    ----------
    search
        Folders to look into instead of the running program's path.

    Raises
    ------
    ProvenanceError
        One of them describes itself in bytes that are no text.
    """
    found: dict[str, Distribution] = {}
    for metadata in importlib.metadata.distributions(path=sys.path if search is None else search):
        described = _read_description(metadata)
        name = normalise_name(str(described["Name"]))
        if name not in found:
            needs = described.get_all("Requires-Dist")
            if needs is None and metadata.read_text("requires.txt"):  # of an egg
                needs = metadata.requires
            found[name] = Distribution(name, described["Version"], Path(str(metadata.locate_file(""))), metadata, needs or [])
    return found


def _read_description(metadata: importlib.metadata.Distribution) -> Any:
    """It is read anew each time it is asked for: once is a third of the time."""
    try:
        return metadata.metadata
    except UnicodeDecodeError as error:
        where = str(getattr(metadata, "_path", "an installed package"))
        raise ProvenanceError(Problem(where, "METADATA that is UTF-8", error.reason, "Install that package again.")) from None


def read_record_text(metadata: importlib.metadata.Distribution) -> str | None:
    """Return a distribution's RECORD; None where it has none that is text."""
    try:
        return metadata.read_text("RECORD")
    except UnicodeDecodeError:
        return None


def read_record(text: str) -> dict[str, str]:
    """Return the hash, as it is written there, of each path of a RECORD that leads to a file inside its folder."""
    rows = csv.reader(text.splitlines())
    return {row[0]: row[1] if len(row) > 1 else "" for row in rows if row and _is_inside(row[0])}


def take_digests(hashes: dict[str, str]) -> dict[str, str]:
    """Return the digest of each file that the wheel itself had, from the hashes of a RECORD."""
    return {path: digest for path, written in hashes.items() if not _is_of_installer(path) and (digest := read_hash(written))}


def normalise_name(name: str) -> str:
    """Return a distribution's name as indexes compare it (PEP 503).

    >>> normalise_name("Typing.Extensions")
    'typing-extensions'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def read_hash(written: str) -> str | None:
    """Return a hash of RECORD as a digest; None where it is no SHA-256.

    >>> read_hash("sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    algorithm, _, encoded = written.partition("=")
    try:
        content = base64.urlsafe_b64decode(f"{encoded}{'=' * (-len(encoded) % 4)}") if algorithm == "sha256" else b""
    except (binascii.Error, ValueError):
        return None
    return f"{PREFIX}{content.hex()}" if len(content) == 32 else None


def write_hash(digest: str) -> str:
    """Return a digest as RECORD has it.

    >>> write_hash("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    'sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'
    """
    encoded = base64.urlsafe_b64encode(bytes.fromhex(digest.removeprefix(PREFIX))).decode("ascii")
    return f"sha256={encoded.rstrip('=')}"


def list_import_names(paths: Iterable[str]) -> set[str]:
    """Return the names that a distribution's files are imported by: its top folders and modules.

    >>> sorted(list_import_names(["a/__init__.py", "b.py", "c.abi3.so", "a-1.dist-info/METADATA", "x.pth"]))
    ['a', 'b', 'c']
    """
    firsts = ((path.partition("/")[0], "/" in path, path.endswith((".py", ".so", ".pyd"))) for path in paths)
    names = (first if is_below else first.partition(".")[0] for first, is_below, is_code in firsts if is_below or is_code)
    return {name for name in names if name.isidentifier()}


def _is_inside(path: str) -> bool:
    return not path.startswith(("/", "..")) and "/../" not in path


def _is_of_installer(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder.endswith(".dist-info") and "/" not in folder and name in _OF_INSTALLERS
