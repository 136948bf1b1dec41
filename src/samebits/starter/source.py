"""Where a project's samebits comes from: a wheel that lies in the project itself, or a Git address.

The wheel is the running samebits', unless another is given: so that a project needs nobody's index for it.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from samebits.errors import ConfigError, Problem, ProvenanceError, describe_unreadable
from samebits.installed.kept import pack_own_wheel
from samebits.installed.wheels import read_wheel_files
from samebits.plain_files import read_plain
from samebits.project import PACKAGE, expand_home, is_checkout
from samebits.starter.installer import run_uv
from samebits.text import hide_credentials

WHEELS = "wheels"
WHEEL_NAME = re.compile(r"samebits-[0-9][0-9A-Za-z.+!_]*-py3-none-any\.whl")
_ADDRESS = re.compile(
    r"(?:git\+)?(?P<url>(?:https|ssh|file)://[^\s'\"\\;#?/]*/[^\s'\"\\;#?@]+)(?:@(?P<rev>[\w.][\w./-]*))?",
)
_MOST_BYTES = 64 << 20
_REMEDY = "Name one: --samebits dist/samebits-VERSION-py3-none-any.whl, or --samebits git+https://host/team/samebits@VERSION."


@dataclass(frozen=True)
class Source:
    """A project's samebits.

    Parameters
    ----------
    entry
        Of `[tool.uv.sources]`, as TOML.
    wheel
        Its name and bytes; None where it comes from Git.
    """

    entry: str
    wheel: tuple[str, bytes] | None = None


def find_source(given: str | None) -> Source:
    """Return the samebits of a path or an address; of neither, the running one.

    Raises
    ------
    ConfigError
        What is given is neither a wheel of samebits nor a Git address that may be written down.
    ProvenanceError
        No wheel can be made of the running one.
    """
    if given is None:
        return _from_wheel(*(_build_wheel() if is_checkout() else _pack_wheel()))
    if given.endswith(".whl"):
        return _from_wheel(*_read_wheel(expand_home(given)))
    return _from_address(given)


def _from_address(given: str) -> Source:
    if hide_credentials(given) != given:
        remedy = "Leave it to Git's credential helper: it would be committed."
        raise ConfigError(Problem("--samebits", "an address without user and password", "one with them", remedy))
    match = _ADDRESS.fullmatch(given)
    if match is None:
        raise ConfigError(Problem(f"--samebits {given}", "a wheel, or an address such as git+https://…", "neither", _REMEDY))
    rev = f", rev = {json.dumps(match['rev'])}" if match["rev"] else ""
    return Source(f"{{ git = {json.dumps(match['url'])}{rev} }}")


def _from_wheel(name: str, content: bytes) -> Source:
    return Source(f'{{ path = "{WHEELS}/{name}" }}', (name, content))


def _read_wheel(path: Path) -> tuple[str, bytes]:
    try:
        content = read_plain(path, _MOST_BYTES)
    except OSError as error:
        raise ConfigError(describe_unreadable(path, error, "Check the path.")) from None
    if not WHEEL_NAME.fullmatch(path.name) or f"{PACKAGE.name}/__main__.py" not in read_wheel_files(content):
        raise ConfigError(Problem(str(path), "a wheel of samebits, under its own name", "another file", _REMEDY))
    return path.name, content


def _pack_wheel() -> tuple[str, bytes]:
    for name, content in pack_own_wheel().items():
        return name, content
    raise ProvenanceError(Problem(str(PACKAGE), "a samebits that was installed from a wheel", "files alone", _REMEDY))


def _build_wheel() -> tuple[str, bytes]:
    """Of the checkout as it lies here; committed, the bytes are those of `just package`."""
    with tempfile.TemporaryDirectory(prefix="samebits-wheel-") as folder:
        reason = run_uv(PACKAGE.parent.parent, "build", "--quiet", "--wheel", "--out-dir", folder)
        if reason is not None:
            raise ProvenanceError(Problem("samebits' wheel", "one that uv builds of this checkout", reason, _REMEDY))
        (path,) = Path(folder).glob("*.whl")
        return path.name, path.read_bytes()
