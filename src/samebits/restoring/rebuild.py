"""Rebuilds a recorded environment under the recorded Python: from its lock, or from its packages' names.

Every package is held to the hash that uv.lock has of it, or else to the digest of its RECORD. A lineage is somebody's word: the
recorded Python is a version and never a path, and nothing is written through a link.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from samebits.digests import digest_file
from samebits.errors import Problem, ProvenanceError
from samebits.installed.distributions import list_distributions, normalise_name
from samebits.installed.kept import KeptPackage
from samebits.project import expand_home
from samebits.restoring.interpreter import HERE, list_missing_packages, list_site_folders
from samebits.trust.variables import list_installer_variables, name_scheme

_PYTHON = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?:(?:a|b|rc)[0-9]{1,3})?\+?")
# What a store is reached by, by its address's scheme; whichever of them the caller has.
_DRIVERS = {
    "s3": ("boto3",),
    "gs": ("google-cloud-storage",),
    "wasbs": ("azure-storage-blob", "azure-identity"),
    "abfss": ("azure-storage-file-datalake", "azure-identity"),
    "postgresql": ("psycopg", "psycopg-binary", "psycopg2", "psycopg2-binary", "pg8000"),
    "mysql": ("pymysql", "mysqlclient"),
    "mssql": ("pyodbc", "pymssql"),
}


def rebuild_environment(
    stage: dict[str, Any],
    project: Path,
    lock: Path | None,
    folder: Path,
    addresses: Sequence[str] = (),
    wheels: Mapping[str, Path] = MappingProxyType({}),
) -> Path:
    """Make an environment in a fresh folder by a lock, and return its Python.

    Parameters
    ----------
    stage
        The lineage's environment stage.
    project
        The restored project, whose pyproject.toml the lock belongs to.
    lock
        The recorded uv.lock.
    addresses
        Of the tracking server and of its artifacts: what these are reached by is brought too.
    wheels
        Those that the run kept, by package: they are taken instead of what the lock says, which may be a path of another machine.

    Raises
    ------
    ProvenanceError
        No lock was recorded, uv or the Python is not installed, or a package cannot be had as it was.
    """
    if lock is None:
        raise ProvenanceError(Problem("environment", "a recorded uv.lock", "none", f"Add one to the project for later runs, {HERE}"))
    _check_python(stage["python"])
    uv = _find_uv()
    _put_lock(lock, project)
    interpreter = _find_python(uv, stage["python"])
    drivers = _list_drivers(addresses)
    kept = [word for name in wheels for word in ("--no-install-package", name)]
    _sync(uv, project, folder, interpreter, ["--no-dev", *_list_extras(project, drivers), *kept], stage)
    python = folder / "bin" / "python"
    for wheel in wheels.values():
        install_wheel(python, wheel)
    missing = list_missing_packages(python, stage["packages"])
    # A package that the config allows may stand in an extra or a group: those that name it come first, since others may be gigabytes.
    for words in (_list_extras(project, _list_named(missing)), ["--all-groups"], ["--all-groups", "--all-extras"]):
        if missing and words and not _are_beside(missing, stage):
            with contextlib.suppress(ProvenanceError):  # what is still missing then is the clearer thing to say
                _sync(uv, project, folder, interpreter, [*words, "--inexact", *kept], stage)
            missing = list_missing_packages(python, stage["packages"])
    if missing:
        remedy = f"The lock does not hold them: they were installed by hand. Add them to the project for later runs, {HERE}"
        raise ProvenanceError(Problem("environment", "the recorded packages", ", ".join(missing), remedy))
    _bring_drivers(uv, python, drivers, stage)
    return python


def rebuild_from_packages(
    stage: dict[str, Any], packages: list[KeptPackage], wheels: Mapping[str, Path], folder: Path, addresses: Sequence[str] = ()
) -> Path:
    """Make an environment in a fresh folder by its packages' names, hold each to its recorded files, and return its Python.

    Parameters
    ----------
    wheels
        Those that the run kept, by package: of samebits itself, and of what came from its own machine's disk.

    Raises
    ------
    ProvenanceError
        uv or the Python is not installed, or a package cannot be had, or not with the files that it had.
    """
    _check_python(stage["python"])
    uv = _find_uv()
    interpreter = _find_python(uv, stage["python"])
    _run_uv([uv, "venv", "-q", "--no-project", "--python", interpreter, str(folder)], folder.parent, interpreter, stage)
    listed = folder / "packages.txt"
    listed.write_text("".join(f"{_choose_requirement(one)}\n" for one in packages if one.name not in wheels), encoding="utf-8")
    python = folder / "bin" / "python"
    install = [uv, "pip", "install", "-q", "--no-deps", "--python", str(python), "-r", str(listed)]
    _run_uv([*install, *map(str, wheels.values())], folder, interpreter, stage)
    _hold_to_records(packages, folder)
    _bring_drivers(uv, python, _list_drivers(addresses), stage)
    return python


def install_wheel(python: Path, wheel: Path) -> None:
    """Put one wheel into an environment, without what it needs.

    Raises
    ------
    ProvenanceError
        It cannot be installed.
    """
    command = [_find_uv(), "pip", "install", "-q", "--no-deps", "--offline", "--python", str(python), str(wheel)]
    _run_uv(command, python.parent, str(python), {"python": ""})


def _check_python(version: str) -> None:
    """An interpreter is asked for by its version: what a record says may be the path of anything."""
    if not _PYTHON.fullmatch(version):
        remedy = "The lineage was edited: `samebits verify` says more."
        raise ProvenanceError(Problem("environment: python", "a version of Python", repr(version)[:60], remedy))


def _find_uv() -> str:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise ProvenanceError(Problem("environment", "uv, which rebuilds it", "none on PATH", f"pip install uv, {HERE}"))
    return uv


def _put_lock(lock: Path, project: Path) -> None:
    """Put the recorded lock into the project, in the place of whatever has its name there, a link too, and never through it."""
    target = project / "uv.lock"
    if target.is_file() and not target.is_symlink() and digest_file(target) == digest_file(lock):
        return
    try:
        with tempfile.TemporaryDirectory(prefix=".samebits-", dir=project) as folder:  # beside it, so that it can be put there whole
            scratch = Path(folder, "uv.lock")
            scratch.write_bytes(lock.read_bytes())
            scratch.replace(target)
    except OSError as error:
        remedy = f"The restored project has something else in its place; {HERE}"
        raise ProvenanceError(Problem("environment: uv.lock", "a file", str(error.strerror), remedy)) from None


def _are_beside(missing: list[str], stage: dict[str, Any]) -> bool:
    """Tell whether a missing package is one that the lock did not have when the run was made, so that nothing of it brings that."""
    return not _list_named(missing).keys().isdisjoint(str(said).split(" ")[0] for said in stage.get("beside_lock", []))


def _list_named(missing: list[str]) -> dict[str, str]:
    """Return what `list_missing_packages` says of each package, by its name."""
    return dict(said.split(maxsplit=1) for said in missing)


def _list_drivers(addresses: Sequence[str]) -> dict[str, str]:
    """Return version by name of what the caller reaches some addresses by."""
    wanted = {name for address in addresses for name in _DRIVERS.get(name_scheme(address), ())}
    return {name: found.version for name, found in list_distributions().items() if name in wanted} if wanted else {}


def _list_extras(project: Path, drivers: dict[str, str]) -> list[str]:
    """Return the options by which a project's own lock brings some of these."""
    try:
        declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8")) if drivers else {}
    except (OSError, ValueError):
        return []
    optional = declared.get("project", {}).get("optional-dependencies", {})
    groups = declared.get("dependency-groups", {})
    chosen = [("--extra", name) for name, needs in optional.items() if _names_any(needs, drivers)]
    chosen += [("--group", name) for name, needs in groups.items() if name != "dev" and _names_any(needs, drivers)]
    return [word for pair in chosen for word in pair]


def _names_any(requirements: list[Any], names: dict[str, str]) -> bool:
    found = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements if isinstance(requirement, str))
    return any(match is not None and normalise_name(match[0]) in names for match in found)


def _bring_drivers(uv: str, python: Path, drivers: dict[str, str], stage: dict[str, Any]) -> None:
    """Install what the store is reached by as the caller has it, where the recorded packages do not: these stay as they are."""
    there = list_distributions(list_site_folders(python)) if drivers else {}
    missing = [f"{name}=={version}" for name, version in drivers.items() if name not in there]
    if missing:
        recorded = python.parent.parent / "recorded.txt"
        recorded.write_text("".join(f"{name}=={found.version}\n" for name, found in there.items()), encoding="utf-8")
        command = [uv, "pip", "install", "-q", "--no-build", "--python", str(python), "--constraint", str(recorded), *missing]
        _run_uv(command, python.parent, str(python), stage)


def _choose_requirement(package: KeptPackage) -> str:
    """A wheel that lay on the disk of whoever made the run may be had from an index here: it is held to its files all the same."""
    is_gone = package.url is not None and package.url.startswith("file:") and not Path(package.url.removeprefix("file://")).exists()
    return f"{package.name}=={package.version}" if is_gone else package.requirement


def _hold_to_records(packages: list[KeptPackage], folder: Path) -> None:
    installed = list_distributions(list_site_folders(folder / "bin" / "python"))
    wrong = []
    for package in packages:
        found = installed.get(package.name)
        if found is None or found.version != package.version:
            wrong.append(f"{package.name} {found.version if found else 'not installed'} (recorded {package.version})")
        elif package.record_digest and found.record_digest != package.record_digest:
            wrong.append(f"{package.name} {package.version} with other files than it had")
    if wrong:
        remedy = f"Offer the same wheels from a cache or a mirror, {HERE}"
        raise ProvenanceError(Problem("environment", "the recorded packages", ", ".join(wrong), remedy))


def _find_python(uv: str, version: str) -> str:
    """Return an interpreter of exactly this version; where none is here, the version itself, which uv may know how to fetch."""
    own = ".".join(map(str, sys.version_info[:3]))
    if own == version:
        return str(Path(getattr(sys, "_base_executable", sys.executable)))
    command = [uv, "python", "find", "--no-python-downloads", "--no-project", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=list_installer_variables(), cwd="/")
    of_pyenv = Path(os.environ.get("PYENV_ROOT", expand_home("~/.pyenv")), "versions", version, "bin", "python")
    if found.returncode == 0:
        return found.stdout.strip()
    return str(of_pyenv) if of_pyenv.is_file() else version


def _sync(uv: str, project: Path, folder: Path, interpreter: str, groups: list[str], stage: dict[str, Any]) -> None:
    command = [uv, "sync", "-q", "--frozen", *groups, "--python", interpreter]
    _run_uv(command, project, interpreter, stage, {"UV_PROJECT_ENVIRONMENT": str(folder)})


def _run_uv(command: list[str], cwd: Path, interpreter: str, stage: dict[str, Any], further: dict[str, str] | None = None) -> None:
    environment = {**list_installer_variables(), **(further or {})}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, errors="replace")
    if done.returncode == 0:
        return
    reason = " ".join(done.stderr.replace("error:", "").split())[:600]
    if interpreter == stage["python"]:
        remedy = f"uv python install {interpreter}, {HERE}"
        raise ProvenanceError(Problem(f"Python {interpreter}", "the recorded Python", f"not installed ({reason})", remedy))
    expected = "every package of the recorded uv.lock" if command[1] == "sync" else "every recorded package"
    remedy = f"If a package is gone from its registry, offer it from a cache or a mirror, {HERE}"
    raise ProvenanceError(Problem("environment", expected, reason, remedy))
