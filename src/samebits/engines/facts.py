"""What a worker must share with the process that trains, so that a unit gives the same bits there: read, and compared.

Read from what took effect, never from the variables that ask for it: a worker may say one hash seed and have another. The same is
read wherever it is asked, with nothing of Dask's.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebits.digests import digest_bytes
from samebits.errors import Problem
from samebits.numerics.profile import UNFUSED_PROBE, Kernels, read_kernels
from samebits.provenance.code import read_sources_digest
from samebits.provenance.environment import Environment, read_environment
from samebits.provenance.imports import list_noted
from samebits.provenance.modules import list_files

_HASHED = "samebits"
_PINNED = "Start it by `samebits worker ADDRESS`, which pins all of this."
_INSTALLED = "Install the same lock there, and start it again."
_COPIED = "Put the same files there, in its project's folder, and start it again."


@dataclass(frozen=True)
class Facts:
    """One process, as far as it decides what a unit gives.

    Parameters
    ----------
    python
        Version and implementation.
    packages, modified, startup
        As the environment's stage of a lineage has them.
    sources
        Digest of samebits' own files.
    modules
        Digest of each file of the modules that a config allows and no installer put there, as it was compiled where it was.
    text_hash
        Of a known text: it says which seed Python hashes by.
    threads
        Units that would run at once.
    kernels
        BLAS libraries, NumPy's dispatch, the probe.
    openmp_threads
        Most threads that an OpenMP runtime would use.
    """

    python: dict[str, Any]
    packages: dict[str, Any]
    modified: dict[str, Any]
    startup: dict[str, Any]
    sources: str
    modules: dict[str, Any]
    text_hash: int
    threads: int
    kernels: dict[str, Any]
    openmp_threads: int


def make_facts(environment: Environment, kernels: Kernels, sources_digest: str, modules: dict[str, str]) -> Facts:
    """Return the facts of this process, of which the rest was read before."""
    numeric = dataclasses.asdict(kernels)
    openmp = numeric.pop("openmp_threads")
    libraries = {
        f"{one['internal_api']} {one['version']}": f"{one['architecture']}, {one['num_threads']}" for one in numeric.pop("blas")
    }
    return Facts(
        python={environment.implementation: environment.python},
        packages=dict(environment.packages),
        modified=dict(environment.modified),
        startup=dict(environment.startup),
        sources=sources_digest,
        modules=modules,
        text_hash=hash(_HASHED),
        threads=1,
        kernels={**numeric.pop("probe"), "dispatch": ", ".join(numeric.pop("cpu_dispatch")), **libraries, **numeric},
        openmp_threads=max(openmp, default=1),
    )


def read_facts(allow: Sequence[str], names: Sequence[str], root: Path) -> Facts:
    """Return the facts of a process that has yet to be held to them.

    Parameters
    ----------
    allow
        Import names of the packages that a config allows; those that are installed are imported, since they bring kernels.
    names
        Of the modules whose files count.
    """
    by_import_name = importlib.metadata.packages_distributions() if allow else {}
    for name in allow:
        if name in by_import_name:
            importlib.import_module(name)
    environment = read_environment(root, list(allow))
    kernels = read_kernels("torch" in environment.packages, False)
    return make_facts(environment, kernels, read_sources_digest(), read_modules(names, root))


def list_module_names(allow: Sequence[str]) -> list[str]:
    """Return the names of the modules whose files count: those allowed, and what was imported here beside packages."""
    return sorted({*allow, *(name.partition(".")[0] for name, *_ in list_noted())})


def read_modules(names: Sequence[str], root: Path) -> dict[str, str]:
    """Return the digest of each module's files by their places: of what was compiled where it was, else as they lie there."""
    compiled = {path.resolve(): content for _, _, path, content in list_noted()}
    files = {place: path for name in names for path, place in list_files(name, root)}
    return {place: digest_bytes(compiled.get(path.resolve()) or path.read_bytes()) for place, path in sorted(files.items())}


def find_difference(where: str, wanted: Facts, found: Facts) -> Problem | None:
    """Return the first thing by which a worker is not what it must be; None where it is."""
    if found.threads != 1:
        return Problem(where, "one unit at a time, since units share the global generators", f"{found.threads} threads", _PINNED)
    checks = [
        ("", wanted.python, found.python, _INSTALLED),
        ("", wanted.packages, found.packages, _INSTALLED),
        ("", wanted.modified, found.modified, _INSTALLED),
        ("", wanted.startup, found.startup, "Start it without what runs before the program there, or here with it too."),
        ("", {"samebits' own files": wanted.sources}, {"samebits' own files": found.sources}, "Install the same samebits there."),
        ("module ", wanted.modules, found.modules, _COPIED),
    ]
    for kind, here, there, remedy in checks:
        if problem := _compare(where, kind, here, there, remedy):
            return problem
    if found.text_hash != wanted.text_hash:
        return Problem(
            where, "texts hashed by this process's seed (PYTHONHASHSEED)", "another", f"{_PINNED} Dask's nanny sets its own."
        )
    if found.openmp_threads != 1:
        return Problem(where, "1 OpenMP thread", str(found.openmp_threads), _PINNED)
    asked = {name: value for name, value in found.kernels.items() if name in wanted.kernels or name != UNFUSED_PROBE}
    return _compare(where, "kernels: ", wanted.kernels, asked, _PINNED)


def _compare(where: str, kind: str, wanted: dict[str, Any], found: dict[str, Any], remedy: str) -> Problem | None:
    for name in sorted(wanted.keys() | found.keys()):
        here, there = (values.get(name, "none") for values in (wanted, found))
        if here != there:
            return Problem(where, f"{kind}{name} {_shorten(here)}", _shorten(there), remedy)
    return None


def _shorten(value: Any) -> str:
    """A digest is told from another by its beginning."""
    text = str(value)
    return f"{text[:19]}…" if text.startswith("sha256:") else text or "none"
