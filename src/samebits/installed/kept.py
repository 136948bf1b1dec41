"""What a run keeps of an environment that no lock describes: its packages by name, version and record digest, and samebits' own wheel.

No installer keeps the hash of the wheel that it unpacked, and asking an index for it would need a network while a run is recorded.
The RECORD that each wheel brings has the hash of every file in it: its digest is as good, and what is installed by name and version
later is held to it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebits.digests import digest_bytes, list_files
from samebits.errors import LineageError, Problem
from samebits.installed.distributions import Distribution, list_distributions
from samebits.installed.wheels import pack_wheel, read_wheel_files
from samebits.project import PACKAGE, is_checkout
from samebits.secret_files import find_secret_name, find_secrets
from samebits.text import hide_credentials

PACKAGES_FILE = "packages.json"
_MOST_BYTES = 10 << 20  # of all packages together that are kept since they came from this machine's own disk
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.!+_-]*")
_URL = re.compile(r"(git\+)?(https?|ssh|file)://[^\s;#'\"]+")


@dataclass(frozen=True)
class KeptPackage:
    """One package as it can be installed again.

    Parameters
    ----------
    url
        Where it came from, where that was no index.
    record_digest
        Of the digests of its files; None where its installer wrote none.
    """

    name: str
    version: str
    url: str | None
    record_digest: str | None

    @property
    def requirement(self) -> str:
        """The words that an installer takes for it."""
        return f"{self.name} @ {self.url}" if self.url else f"{self.name}=={self.version}"


def collect_environment_files(packages: dict[str, str]) -> dict[str, bytes]:
    """Return what is kept of the running environment, by its name: the packages, and samebits' own wheel where it is one.

    Parameters
    ----------
    packages
        Version of each package that counts.
    """
    installed = list_distributions()
    described = [_describe(installed[name]) for name in sorted(packages) if name in installed]
    content = json.dumps({"schema": 1, "packages": described}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return {PACKAGES_FILE: content.encode("utf-8"), **pack_own_wheel()}


def _describe(distribution: Distribution) -> dict[str, Any]:
    url = _find_url(distribution)
    found = {"name": distribution.name, "version": distribution.version, "record": distribution.record_digest}
    return {**found, **({"url": url} if url else {})}


def _find_url(distribution: Distribution) -> str | None:
    url, versions = str(distribution.origin.get("url", "")), distribution.origin.get("vcs_info")
    if not url or "dir_info" in distribution.origin:
        return None
    if isinstance(versions, dict) and versions.get("vcs") == "git":
        url = f"git+{url}@{versions.get('commit_id', '')}"
    url = hide_credentials(url)
    return url if _URL.fullmatch(url) else None


def pack_own_wheel() -> dict[str, bytes]:
    """Return by its name the wheel that samebits was installed from, or one packed from its files; nothing in a checkout.

    The first is taken where it still lies on this machine, and nothing was changed since it was unpacked.
    """
    distribution = None if is_checkout() else list_distributions().get("samebits")
    if distribution is None:
        return {}
    path = Path(str(distribution.origin.get("url", "")).removeprefix("file://"))
    if path.suffix == ".whl" and path.is_file() and not _is_changed(distribution):
        content = path.read_bytes()
        if read_wheel_files(content) == distribution.files:
            return {path.name: content}
    return dict([pack_wheel(distribution, _list_own_files(distribution))])


def pack_local_wheels(packages: dict[str, str]) -> dict[str, bytes]:
    """Return by its name a wheel of each package that came from a folder or a file of this machine, and so is in no index.

    Left out are those that were changed since they were installed, that hold a secret, or are too large for all together.
    """
    installed, packed, room = list_distributions(), {}, _MOST_BYTES
    for distribution in (installed[name] for name in sorted(packages) if name in installed and installed[name].is_local):
        files = {name: distribution.folder / name for name in distribution.files}
        size = sum(path.stat().st_size for path in files.values() if path.is_file())
        if not files or size > room or not all(map(_is_open, files, files.values())):
            continue
        name, content = pack_wheel(distribution, files)
        if read_wheel_files(content) == distribution.files:
            packed[name], room = content, room - size
    return packed


def _is_open(name: str, path: Path) -> bool:
    """Tell whether a file is there and may be read by whoever reads the run."""
    return path.is_file() and find_secret_name(name) is None and not any(find_secrets(name, path.read_bytes()))


def _list_own_files(distribution: Distribution) -> dict[str, Path]:
    """Return the files that run, changed ones and further ones too, and what the wheel said of itself."""
    own = {path.relative_to(PACKAGE.parent).as_posix(): path for path in list_files(PACKAGE)}
    described = {name: distribution.folder / name for name in distribution.files if not name.startswith(f"{PACKAGE.name}/")}
    return {**own, **{name: path for name, path in described.items() if path.is_file()}}


def _is_changed(distribution: Distribution) -> bool:
    files = _list_own_files(distribution)
    return {name: digest_bytes(path.read_bytes()) for name, path in files.items()} != distribution.files


def read_kept_packages(content: bytes, where: str) -> list[KeptPackage]:
    """Return the packages that a run kept; nothing in them is taken for an option by an installer.

    Raises
    ------
    LineageError
        It is no list of packages.
    """
    try:
        listed = json.loads(content)["packages"]
        found = [KeptPackage(one["name"], one["version"], one.get("url"), one["record"]) for one in listed]
        sound = all(map(_is_sound, found))
    except (ValueError, KeyError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise LineageError(Problem(where, "packages by name, version and record", "something else", "It was edited: fetch it again."))
    return found


def _is_sound(package: KeptPackage) -> bool:
    return (
        _NAME.fullmatch(package.name) is not None
        and _VERSION.fullmatch(package.version) is not None
        and (package.url is None or _URL.fullmatch(package.url) is not None)
        and (package.record_digest is None or re.fullmatch(r"sha256:[0-9a-f]{64}", package.record_digest) is not None)
    )
