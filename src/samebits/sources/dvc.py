"""Tables that DVC tracks, found by their MD5 in its cache or its remote; nothing of DVC need be installed.

The MD5 is an address alone: what comes is held to it once, and to its SHA-256 ever after. Formats: a `.dvc` file and `dvc.lock` are
YAML with `outs`; a cache has `files/md5/ab/cdef…` (`ab/cdef…` before DVC 3), a folder's entry is a JSON list at `….dir`
(https://doc.dvc.org/user-guide/project-structure).
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from samebits.config.documents import read_document
from samebits.errors import ConfigError, DataError, Problem
from samebits.plain_files import read_pieces, read_plain
from samebits.sources.address import BUCKETS, WEB, parse_address
from samebits.sources.buckets import open_address, open_object
from samebits.sources.web import open_web
from samebits.transfers.origin import Held, Origin, open_file

_FOLDER = ".dir"
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
_MOST_LISTED_BYTES = 256 << 20
_OTHER_SCHEMES = {"azure": "az", "gcs": "gs"}
_SETTINGS = {"endpointurl": "endpoint", "region": "region"}


@dataclass(frozen=True)
class Tracked:
    """A table that DVC tracks.

    Parameters
    ----------
    by
        The file that says so.
    md5
        Of its bytes, or of the list of a folder's files, with `.dir` after it.
    inner
        The path inside the tracked folder that is meant; empty where the whole is.
    """

    by: Path
    repository: Path
    md5: str
    inner: str = ""


def find_tracked(path: Path) -> Tracked | None:
    """Return what DVC's files say of a path at which nothing lies; None where they do not name it.

    Raises
    ------
    DataError
        A file of DVC's cannot be read.
    """
    path = path.absolute()
    repository = next((folder for folder in path.parents if (folder / ".dvc").is_dir()), None)
    if repository is None:
        return None
    for by, place, md5 in _list_outputs(path, repository):
        if (path == place or place in path.parents) and _MD5.fullmatch(md5):
            inner = "" if path == place else path.relative_to(place).as_posix()
            if not inner or md5.endswith(_FOLDER):
                return Tracked(by, repository, md5, inner)
    return None


def _list_outputs(path: Path, repository: Path) -> Iterator[tuple[Path, Path, str]]:
    """Yield the file that names an output, its place and its MD5, of all files that may name a path."""
    for place in (path, *path.parents):
        if place == repository:
            break
        if (by := place.with_name(f"{place.name}.dvc")).is_file():
            yield from _read_outputs(by, _read(by))
    for folder in path.parents:
        if (by := folder / "dvc.lock").is_file():
            stages = _read(by).get("stages")
            for stage in stages.values() if isinstance(stages, dict) else ():
                yield from _read_outputs(by, stage)
        if folder == repository:
            return


def _read(by: Path) -> dict[str, Any]:
    try:
        value = read_document(by).value
    except ConfigError as error:
        raise DataError(*error.problems) from None
    return value if isinstance(value, dict) else {}


def _read_outputs(by: Path, section: Any) -> Iterator[tuple[Path, Path, str]]:
    folder = by.parent / str(section.get("wdir", ".") if isinstance(section, dict) else ".")
    for out in section.get("outs", []) if isinstance(section, dict) else []:
        if isinstance(out, dict) and "path" in out and "md5" in out:
            yield by, Path(os.path.normpath(folder / str(out["path"]))), str(out["md5"])


@dataclass(frozen=True)
class DvcStore:
    """Where DVC keeps a repository's files.

    Parameters
    ----------
    cache
        On this machine.
    remote
        Its address or folder; empty where none is configured.
    options
        Of its bucket.
    """

    cache: Path
    remote: str
    options: dict[str, str]

    def open(self, md5: str) -> Iterator[Origin]:
        """Yield the places at which a file of an MD5 may lie, the nearest first."""
        for name in (f"files/md5/{md5[:2]}/{md5[2:]}", f"{md5[:2]}/{md5[2:]}"):
            if (self.cache / name).is_file():
                yield open_file(self.cache / name, md5)
        for name in (f"files/md5/{md5[:2]}/{md5[2:]}", f"{md5[:2]}/{md5[2:]}"):
            if self.remote:
                yield self._open_remote(name, md5)

    def _open_remote(self, name: str, md5: str) -> Origin:
        if "://" not in self.remote:
            return open_file(Path(self.remote) / name, md5)
        address = parse_address(f"{self.remote.rstrip('/')}/{name}", "DVC's remote")
        origin = open_web(address) if address.scheme in WEB else open_object(*open_address(address, self.options))
        return Origin(origin.where, partial(_look_by_md5, origin, md5), origin.read)


def _look_by_md5(origin: Origin, md5: str) -> Held:
    """What has an MD5 for its name changes no more."""
    held = origin.look()
    return Held(held.size_bytes, held.tag or md5, held.version)


def find_store(repository: Path) -> DvcStore:
    """Return where a repository's files are kept, by .dvc/config and .dvc/config.local.

    Raises
    ------
    DataError
        Its remote is of a kind that is not read here, or the config cannot be parsed.
    """
    parser, folder = configparser.ConfigParser(strict=False, interpolation=None), repository / ".dvc"
    try:
        parser.read([folder / "config", folder / "config.local"], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise DataError(Problem(str(folder / "config"), "DVC's config", str(error).splitlines()[0], "Mend it.")) from None
    cache = (folder / parser.get("cache", "dir", fallback="cache")).resolve()
    name = parser.get("core", "remote", fallback="")
    section = next((one for one in parser.sections() if re.fullmatch(rf"""['"]?remote\s+"{re.escape(name)}"['"]?""", one)), None)
    settings = dict(parser[section]) if section is not None and name else {}
    options = {own: settings[key] for key, own in _SETTINGS.items() if key in settings}
    return DvcStore(cache, _settle_remote(settings.get("url", ""), folder), options)


def _settle_remote(url: str, folder: Path) -> str:
    scheme, is_address, rest = url.partition("://")
    if not url or not is_address:
        return str((folder / url).resolve()) if url else ""
    scheme = _OTHER_SCHEMES.get(scheme, scheme)
    if scheme not in (*BUCKETS, *WEB):
        remedy = "Fetch the table with DVC itself: dvc pull."
        raise DataError(Problem(str(folder / "config"), "a remote that is a folder, s3://, gs://, azure:// or https://", url, remedy))
    return f"{scheme}://{rest}"


def check_md5(md5: str, path: Path) -> None:
    """Hold a file to the MD5 by which DVC named it: of its bytes, or before DVC 3 of a text with its line ends made plain.

    Raises
    ------
    DataError
        It is another file.
    """
    wanted = md5.removesuffix(_FOLDER)
    if wanted not in (_digest_md5(path, is_text=False), _digest_md5(path, is_text=True)):
        remedy = "DVC's own store is damaged there: dvc fetch, or push again where the table is."
        raise DataError(Problem(str(path), f"the file of MD5 {wanted}", "another one", remedy))


def _digest_md5(path: Path, is_text: bool) -> str:
    md5, kept = hashlib.md5(usedforsecurity=False), b""
    for piece in read_pieces(path):
        piece = kept + piece
        kept = b"\r" if is_text and piece.endswith(b"\r") else b""
        piece = piece[: len(piece) - len(kept)]
        md5.update(piece.replace(b"\r\n", b"\n") if is_text else piece)
    md5.update(kept)
    return md5.hexdigest()


def read_listing(path: Path, inner: str) -> dict[str, str]:
    """Return the MD5 of each file of a tracked folder by its path, of those below an inner path; of one file under the empty name.

    Raises
    ------
    DataError
        The list is none.
    """
    try:
        entries = [(str(entry["relpath"]), str(entry["md5"])) for entry in json.loads(read_plain(path, _MOST_LISTED_BYTES))]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(Problem(str(path), "DVC's list of a folder's files", str(error)[:200], "dvc fetch it again.")) from None
    if not inner:
        return dict(entries)
    found = {name.removeprefix(inner).lstrip("/"): md5 for name, md5 in entries if name == inner or name.startswith(f"{inner}/")}
    return found
