"""What runs in a worker of a Dask cluster: it says what it is, takes the table once, and runs units on it.

Everything that the scheduler passes on is bytes to it: it needs this package, and no table. A worker that was started again has
neither been held to anything nor has it the table, and says so instead of running a unit.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from distributed import get_worker
from distributed.protocol.pickle import dumps, loads

from samebits.digests import digest_bytes
from samebits.errors import DataError, Problem, SamebitsError
from samebits.project import find_project_root, list_code_folders

_MOST_HELD = 4  # tables; a training that was killed leaves its own
_NAME = "samebits"


@dataclass
class Holding:
    """What one worker process holds, for as long as it lives.

    Parameters
    ----------
    started
        What it was when it was first asked, or started by `samebits worker`.
    pieces
        Of what is on its way here.
    shared
        What units work on, by its digest; only what this worker may run units of.
    """

    started: dict[str, str]
    pieces: dict[str, list[bytes]] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NotHeld:
    """A unit came to a worker that has not what it works on: it was started anew under the same address."""

    address: str


def note_start(worker: Any) -> Holding:
    """Note, once, what a worker runs from, so that a later change to it is seen: what was imported stays as it was."""
    from samebits.provenance.imports import watch_imports

    holding: Holding | None = getattr(worker, _NAME, None)
    if holding is None:
        watch_imports().note_loaded()
        sys.path += [folder for folder in list_code_folders(find_project_root()) if folder not in sys.path]
        holding = Holding(_read_installed())
        setattr(worker, _NAME, holding)
    return holding


def _read_installed() -> dict[str, str]:
    from samebits.installed.distributions import list_distributions
    from samebits.provenance.code import read_sources_digest

    versions = {name: found.version for name, found in list_distributions().items() if not name.startswith("samebits")}
    return {**versions, "samebits": read_sources_digest()}


def ask_facts(allow: list[str], names: list[str], dask_worker: Any = None) -> bytes:
    """Return this process's facts, or what stands in the way of them, as bytes."""
    from dataclasses import replace

    from samebits.engines.facts import read_facts

    where = f"worker {dask_worker.address}"
    started, now = note_start(dask_worker).started, _read_installed()
    changed = sorted(name for name in started.keys() | now.keys() if started.get(name) != now.get(name))
    if changed:
        problem = Problem(where, "the packages that it started with", f"another {changed[0]} since", "Start it again.")
        return bytes(dumps(problem))
    try:
        facts = read_facts(allow, names, find_project_root())
    except SamebitsError as error:
        return bytes(dumps(error.problems[0]))
    except ImportError as error:
        return bytes(dumps(Problem(where, f"a process that imports {', '.join(allow)}", str(error), "Install it there.")))
    return bytes(dumps(replace(facts, threads=dask_worker.state.nthreads)))


def take_piece(digest: str, number: int, n: int, piece: bytes, dask_worker: Any = None) -> str | None:
    """Take one of some pieces, in order; of the last one, return why the whole cannot be read here, or None.

    It is read only by a worker that was asked for its facts, and found to be fit.
    """
    holding = note_start(dask_worker)
    if digest in holding.shared:
        return None
    pieces = holding.pieces.setdefault(digest, [])
    if number == 0:
        pieces.clear()
    pieces.append(piece)
    if number < n - 1:
        return None
    whole = b"".join(holding.pieces.pop(digest))
    if digest_bytes(whole) != digest:
        return "other bytes arrived than were sent"
    try:
        shared = loads(whole)
    except (ImportError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    for old in list(holding.shared)[: len(holding.shared) - _MOST_HELD + 1]:
        del holding.shared[old]
    holding.shared[digest] = shared
    return None


def drop_shared(digest: str, dask_worker: Any = None) -> None:
    """Let go what the units of one training worked on."""
    holding: Holding | None = getattr(dask_worker, _NAME, None)
    if holding is not None:
        holding.shared.pop(digest, None)
        holding.pieces.pop(digest, None)


def run_units(digest: str, packed: list[bytes], seconds: float) -> list[bytes] | NotHeld:
    """Run units on what is held here, one after the other; what each gives, or how it was refused, goes back as bytes.

    Parameters
    ----------
    seconds
        After which no other unit is begun: those that are left may go to a worker with nothing to do.
    """
    worker = get_worker()
    holding: Holding | None = getattr(worker, _NAME, None)
    if holding is None or digest not in holding.shared:
        return NotHeld(worker.address)
    started, found = time.monotonic(), list[bytes]()
    for one in packed:
        if found and time.monotonic() - started > seconds:
            break
        found.append(_run_unit(holding.shared[digest], *loads(one)))
    return found


def _run_unit(shared: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    try:
        outcome = function(shared, *arguments)
    except SamebitsError as error:
        outcome = error
    return _pack(outcome)


def _pack(outcome: Any) -> bytes:
    try:
        return bytes(dumps(outcome))
    except Exception as error:  # whatever a stranger's class raises as it is taken apart
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        remedy = "Take a class that can be pickled, or train without engine:."
        return bytes(dumps(DataError(Problem("engine", "a fitted model that a worker can send back", reason, remedy))))
