"""What runs before a program's own first line, and what stands before its packages on the path; only where no installer put it there.

A sitecustomize, a line of code in a .pth file, a folder of PYTHONPATH that has another json or another sklearn, a preloaded library:
each can change every number, and none is in a lock.
"""

from __future__ import annotations

import importlib.machinery
import io
import os
import re
import site
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from samebits.digests import PREFIX, digest_bytes, digest_file, digest_folder
from samebits.installed.distributions import Distribution, list_import_names

_HOOK_CODE = b"import _virtualenv"
# Of `_virtualenv.py` in each version since 2022; it mends distutils' configuration and nothing else. `mlflow run` makes such
# environments, whose runs are equal to those of any other.
_HOOKS = frozenset(
    {
        "684b8c07932ba4a84ac2e5ae9afe49ef04e92bac3d8d4191d455cf09d093e5fc",
        "c9199315871b11b12df226f890a38e66e63191e1adbfb11a66e6861151b33fca",
        "0aeb86546345c1d0fada097536e35525714d5cdbcc2d8eb3f9912a955044fcff",
        "0f20351ea7e90039c46d3fabdef991f28b1e3ff33eb13ee6f0d5cd21ea0e8b14",
        "bec6155ff7bfc88f8e79e481f27fd7ee0a3b40eeca9bfeb41f4c4b997b2f8100",
        "e8c426ce260f866254ff35cefedc8b3efbd6d1446d99d7a4cdeb0095f98a8b8f",
        "cfe56cafbd68fd31a0e87100f111d7d2f6b7157241096500013c07e88d80a22f",
    }
)


@dataclass(frozen=True)
class Startup:
    """What came before the program.

    Parameters
    ----------
    found
        Digest of each thing that runs first or stands before an installed package or a module of Python's own, by its name.
    runs_code
        The installed distributions that run code at each start, by a .pth of theirs that is as it was installed.
    """

    found: dict[str, str] = field(default_factory=dict)
    runs_code: set[str] = field(default_factory=set)


def find_startup(installed: dict[str, Distribution], needed: Iterable[str]) -> Startup:
    """Return what came before the program in this process.

    Parameters
    ----------
    needed
        The distributions whose modules the program imports.
    """
    startup = Startup()
    if not sys.flags.no_site:
        startup.found.update(_find_customizations(installed))
        for folder in _list_site_folders():
            _look_for_code(folder, installed, startup)
    startup.found.update(_find_shadows(installed, needed))
    startup.found.update(_find_preloaded())
    if sys.flags.optimize:
        startup.found["python -O"] = str(sys.flags.optimize)
    return startup


def _find_customizations(installed: dict[str, Distribution]) -> dict[str, str]:
    """A module that another distribution installed is held to its RECORD like any .pth of one."""
    found = {}
    for name in ("sitecustomize", *(() if not site.ENABLE_USER_SITE else ("usercustomize",))):
        origin = getattr(sys.modules.get(name), "__file__", None) or _find_origin(name, _list_paths_at_start())
        if origin and _find_owner(Path(origin), installed) is None:
            found[name] = _digest_module(Path(origin))
    return found


def _list_paths_at_start() -> list[str]:
    """Return where Python looks as it starts: neither beside the script nor in the project, which come to the path later."""
    here = os.path.realpath(Path.cwd())
    return [entry for entry in sys.path[0 if sys.flags.safe_path else 1 :] if entry and os.path.realpath(entry) != here]


def _list_site_folders() -> list[Path]:
    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    return [Path(folder) for folder in dict.fromkeys(folders) if Path(folder).is_dir()]


def _look_for_code(folder: Path, installed: dict[str, Distribution], startup: Startup) -> None:
    for path in sorted(folder.glob("*.pth")):
        if not path.is_file() or not _holds_code(path):
            continue
        owner = _find_owner(path, installed)
        if owner is not None:
            startup.runs_code.add(owner)
        elif not _is_environments_hook(path):
            startup.found[path.name] = digest_file(path)


def _holds_code(path: Path) -> bool:
    """Tell whether Python executes a line of a .pth file (module `site`)."""
    lines = io.StringIO(path.read_bytes().decode("utf-8-sig", "replace"), newline=None)
    return any(line.startswith(("import ", "import\t")) for line in lines)


def _is_environments_hook(path: Path) -> bool:
    hook = path.with_name("_virtualenv.py")
    known = path.name == "_virtualenv.pth" and path.read_bytes().strip() == _HOOK_CODE and hook.is_file()
    return known and digest_file(hook).removeprefix(PREFIX) in _HOOKS


def _find_owner(path: Path, installed: dict[str, Distribution]) -> str | None:
    """Return the distribution whose RECORD lists a file with the bytes that it has."""
    for distribution in installed.values():
        if path.is_relative_to(distribution.folder):
            name = path.relative_to(distribution.folder).as_posix()
            if name in distribution.files and distribution.files[name] == digest_file(path):
                return distribution.name
    return None


def _find_shadows(installed: dict[str, Distribution], needed: Iterable[str]) -> dict[str, str]:
    """Return each module that is imported instead of an installed package's, or of Python's own, by its name."""
    found = {}
    for distribution in (installed[name] for name in needed):
        for name in list_import_names(distribution.files):
            origin = _find_origin(name, sys.path)
            if origin and not _is_of(Path(origin), distribution, installed):
                found[f"module {name}"] = _digest_module(Path(origin))
    before_python = _list_paths_before_python()
    for name in sys.stdlib_module_names - set(sys.builtin_module_names) if before_python else ():
        if origin := _find_origin(name, before_python):
            found[f"module {name}"] = _digest_module(Path(origin))
    return found


def _is_of(origin: Path, distribution: Distribution, installed: dict[str, Distribution]) -> bool:
    """Tell whether a module is a distribution's own, or another's that has the same name."""
    owners = [distribution, *(other for other in installed.values() if other is not distribution)]
    return any(origin.is_relative_to(owner.folder) and origin.relative_to(owner.folder).as_posix() in owner.paths for owner in owners)


def _list_paths_before_python() -> list[str]:
    own = [os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    places = [number for number, entry in enumerate(sys.path) if os.path.realpath(entry) in own]
    of_python = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    return [entry or os.getcwd() for entry in sys.path[: min(places, default=0)] if Path(entry).name != of_python]  # noqa: PTH109


def _find_origin(name: str, search: list[str]) -> str | None:
    spec = importlib.machinery.PathFinder.find_spec(name, search)
    return spec.origin if spec is not None and spec.has_location else None


def _digest_module(origin: Path) -> str:
    """Of a module inside an archive, the archive."""
    if archive := next((folder for folder in origin.parents if folder.is_file()), None):
        return digest_file(archive)
    if origin.stem == "__init__":
        return digest_folder(origin.parent)
    return digest_file(origin) if origin.is_file() else digest_bytes(str(origin.name).encode("utf-8", "surrogateescape"))


def _find_preloaded() -> dict[str, str]:
    found = {}
    for variable in ("LD_PRELOAD", "LD_AUDIT"):
        for word in filter(None, re.split(r"[ :]", os.environ.get(variable, ""))):
            path = Path(word)
            found[f"{variable} {path.name}"] = digest_file(path) if path.is_file() else "by its name"
    return found
