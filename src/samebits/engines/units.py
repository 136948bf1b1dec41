"""Units of work, and the one function that runs them: in processes of this machine, or on an engine.

Each unit is a function of what all units of a training share, sent once, and of its own arguments. It plants its own seeds, so where
and in which order they run changes no bit; their outcomes come in their own order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import joblib
from joblib.externals.loky import get_reusable_executor

from samebits.errors import SamebitsError


@dataclass(frozen=True)
class Call:
    """One unit.

    Parameters
    ----------
    name
        As a sentence names it.
    function
        Called with what is shared, and the arguments; found by its import path where it runs.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


class Engine(Protocol):
    """Workers elsewhere, for as long as a training lasts."""

    def run(self, shared: Any, calls: Sequence[Call]) -> Iterator[Any]:
        """Run units on what they share, and hand their outcomes out in their order."""

    def release(self) -> None:
        """Let the workers drop what units worked on."""

    def describe(self) -> dict[str, Any]:
        """Return what stands of it on record."""


def run_over_workers(
    shared: Any, calls: Sequence[Call], n_jobs: int, engine: Engine | None = None, goes_on: bool = False
) -> Iterator[Any]:
    """Run units on what they share, and hand each outcome out in the units' order.

    Parameters
    ----------
    n_jobs
        Processes of this machine, where there is no engine.
    goes_on
        More units come after these, for the same processes.

    Raises
    ------
    SamebitsError
        What the first unit in order raised that failed, whichever failed first by the clock.
    """
    if engine is not None:
        yield from engine.run(shared, calls)
        return
    run = joblib.delayed(return_failure)
    workers = joblib.Parallel(n_jobs=n_jobs, backend="loky", return_as="generator")
    yield from map(raise_failure, workers(run(call.function, shared, *call.arguments) for call in calls))
    if not goes_on:  # now: they would keep their memory through the final fit, and the program from ending
        get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


def return_failure(function: Callable[..., Any], *arguments: Any) -> Any:
    """Of several that fail, the first in order is to be told, not the first by the clock: so a call returns its failure."""
    try:
        return function(*arguments)
    except SamebitsError as error:
        return error


def raise_failure(outcome: Any) -> Any:
    """Return what a call gave, or raise the failure that it returned."""
    if isinstance(outcome, SamebitsError):
        raise outcome
    return outcome
