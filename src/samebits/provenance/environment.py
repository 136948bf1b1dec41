"""The environment: Python, packages, platform, CPU, and the lock they came from, as found rather than as asked for."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import platform
import re
import sys
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.digests import digest_file
from samebits.installed.distributions import Distribution, list_distributions, normalise_name
from samebits.installed.held import hold_packages
from samebits.installed.startup import find_startup
from samebits.numerics.profile import read_cpu_flags
from samebits.project import PACKAGE
from samebits.provenance.modules import list_files

_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_LOCKED = re.compile(r'^name = "([^"\n]+)"\nversion = "([^"\n]+)"$', flags=re.MULTILINE)
# What samebits itself imports beside a library that an allowed package needs (samebits.networks): it decides as much.
_BESIDE = {"torch": ("skorch", "safetensors")}
_CPU_FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512vl", "avx512bw", "avx512dq", "asimd", "sve")


@dataclass(frozen=True)
class Environment:
    """What ran the training.

    Parameters
    ----------
    packages
        Version of each installed package that samebits, or a package the config allows, needs: these can change a result.
    bystanders
        Version of every other installed package.
    lock_digest
        Of uv.lock; None where the project has none.
    modified
        Digest of each file of these packages that is other than it was installed, by its path; none where all are as they were.
    startup
        Digest of what runs before the program, or stands before a package on the path, and that no installer put there.
    not_held
        Why a package could not be held to what its installer wrote down.
    beside_lock
        The packages that uv.lock does not have, or not in this version: they were installed by hand.
    local
        The packages that came from a folder or a file of this machine.
    """

    python: str
    implementation: str
    packages: dict[str, str]
    bystanders: dict[str, str]
    lock_digest: str | None
    machine: str
    platform: str
    libc: str
    cpu: str
    cpu_flags: list[str]
    n_cores: int
    modified: dict[str, str] = field(default_factory=dict)
    startup: dict[str, str] = field(default_factory=dict)
    not_held: dict[str, str] = field(default_factory=dict)
    beside_lock: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)


def read_environment(project_root: Path, allow: list[str]) -> Environment:
    """Return the facts of the running environment.

    Parameters
    ----------
    allow
        Import names of further packages whose versions count, with those of what they import.
    """
    installed = list_distributions()
    needed = _close_over(_list_roots(project_root, allow), installed)
    startup = find_startup(installed, needed)
    held = hold_packages((installed[name] for name in sorted(needed | startup.runs_code)), installed.values())
    versions = {name: found.version for name, found in sorted(installed.items()) if not name.startswith("samebits")}
    packages = {name: version for name, version in versions.items() if name in needed}
    lock = project_root / "uv.lock"
    return Environment(
        python=platform.python_version(),
        implementation=sys.implementation.name,
        packages=packages,
        bystanders={name: version for name, version in versions.items() if name not in needed},
        lock_digest=digest_file(lock) if lock.is_file() else None,
        machine=platform.machine(),
        platform=platform.platform(),
        libc=" ".join(platform.libc_ver()),
        cpu=_read_cpu_name(),
        cpu_flags=sorted(read_cpu_flags() & set(_CPU_FLAGS)),
        n_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        modified=held.modified,
        startup=startup.found,
        not_held=held.not_held,
        beside_lock=_list_beside_lock(lock, packages) if lock.is_file() else [],
        local=[name for name in packages if installed[name].is_local],
    )


def _list_beside_lock(lock: Path, packages: dict[str, str]) -> list[str]:
    locked = {(normalise_name(name), version) for name, version in _LOCKED.findall(lock.read_text(encoding="utf-8", errors="replace"))}
    return [f"{name} {version}" for name, version in packages.items() if (name, version) not in locked]


def _list_roots(project_root: Path, allow: list[str]) -> list[str]:
    """Return samebits' own requirements, from the checkout's pyproject.toml or the installed wheel, and the allowed packages."""
    pyproject = PACKAGE.parent.parent / "pyproject.toml"
    if pyproject.is_file():
        requirements = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]
    else:
        requirements = importlib.metadata.requires("samebits") or []
    by_import_name = importlib.metadata.packages_distributions() if allow else {}
    names = _close_over_imports(allow, by_import_name.keys(), project_root)
    names |= {beside for name in names for beside in _BESIDE.get(name, ())}
    return [*requirements, *(distribution for name in sorted(names) for distribution in by_import_name.get(name, []))]


def _close_over_imports(allow: list[str], installed: Collection[str], project_root: Path) -> set[str]:
    """Return the names that allowed modules are imported by, and those that they and what they import say they import.

    They are read, not run, so that the same is found before a training and without one.
    """
    found: set[str] = set()
    waiting = list(allow)
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        if name in found or top in sys.stdlib_module_names:
            continue
        found |= {name, top}
        if top not in installed:
            waiting += [one for path, _ in list_files(name, project_root) for one in _read_imports(path)]
    return found


def _read_imports(path: Path) -> set[str]:
    """Return the topmost names that a module imports, wherever in it; of what is no Python, none."""
    try:
        tree = ast.parse(path.read_bytes()) if path.suffix == ".py" else ast.Module([], [])
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.partition(".")[0] for name in names}


def _close_over(requirements: list[str], installed: dict[str, Distribution]) -> set[str]:
    """Return the installed packages that some requirements lead to; extras are not followed."""
    needed: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        match = _NAME.match(requirement)
        name = normalise_name(match[1]) if match else ""
        if name in installed and name not in needed and "extra ==" not in requirement:
            needed.add(name)
            waiting += installed[name].requirements
    return needed


def _read_cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    facts: dict[str, Any] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    known = [facts.get(key) for key in ("vendor_id", "model name", "cpu family", "model")]
    return " ".join(fact for fact in known if fact) or platform.processor()
