"""Which workers of a Dask cluster may run units: each is asked for its facts before its first one, and then handed the table, once.

A worker that is not what it must be is refused by its address and the first fact that differs. The others go on without it. Nothing
here waits for longer than is said: a worker that does not answer is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client
from distributed.protocol.pickle import loads

from samebits.engines import on_worker
from samebits.engines.facts import Facts, find_difference
from samebits.errors import Problem, ProvenanceError

ANSWER_SECONDS = 120.0  # a worker that starts imports scikit-learn from a slow disk
PIECE_BYTES = 64 << 20  # of the table, that a scheduler passes on at once


@dataclass(frozen=True)
class Request:
    """What this process is, and by which names a worker finds the same.

    Parameters
    ----------
    allow
        Packages that the config allows.
    names
        Modules whose files count.
    root
        The project's folder here.
    """

    facts: Facts
    allow: list[str]
    names: list[str]
    root: Path


class Admission:
    """The workers of one cluster, those that may run units and those that may not."""

    def __init__(self, client: Client, place: str, request: Request) -> None:
        self._client, self._place, self._request = client, place, request
        self._fit: set[str] = set()
        self._holders: dict[str, set[str]] = {}
        self._refused: dict[str, Problem] = {}
        self.n_admitted = 0

    @property
    def refused(self) -> dict[str, Problem]:
        """Why each worker may not, of those that are there and may not."""
        return dict(self._refused)

    def list_present(self) -> list[str]:
        """Return the address of each worker that the scheduler has.

        Raises
        ------
        ProvenanceError
            The scheduler is gone, or does not answer.
        """
        if self._client.status != "running":
            raise self._describe_gone()
        try:
            identity = self._client.sync(self._client.scheduler.identity, n_workers=-1, callback_timeout=ANSWER_SECONDS)
        except (OSError, TimeoutError):  # a connection that breaks is one of these
            raise self._describe_gone() from None
        return sorted(identity["workers"])

    def _describe_gone(self) -> ProvenanceError:
        remedy = "Look at its log, start it again, and run this again."
        return ProvenanceError(Problem(f"engine {self._place}", "a scheduler that answers", "none any more", remedy))

    def admit(self) -> list[str]:
        """Return the workers that are there and fit; new ones are asked first."""
        present = self.list_present()
        self._fit &= set(present)
        self._refused = {address: problem for address, problem in self._refused.items() if address in present}
        new = [address for address in present if address not in self._fit and address not in self._refused]
        answers = self._ask(new, on_worker.ask_facts, self._request.allow, self._request.names)
        for address, answer in zip(new, answers, strict=True):
            problem = self._judge(address, answer)
            if problem is None:
                self._fit.add(address)
                self.n_admitted += 1
            elif not isinstance(answer, OSError):  # it is asked again as long as it is there
                self._refused[address] = problem
        return sorted(self._fit)

    def _judge(self, address: str, answer: Any) -> Problem | None:
        where = f"worker {address}"
        if isinstance(answer, Exception):
            found = f"{type(answer).__name__}: {answer}"
            return Problem(where, "a worker with this samebits", found, "Install the same lock there, and start it again.")
        told = loads(answer)
        return told if isinstance(told, Problem) else find_difference(where, self._request.facts, told)

    def hand(self, digest: str, payload: bytes) -> list[str]:
        """Return the workers that are fit and hold what units work on; those that do not are handed it."""
        fit = self.admit()
        holders = self._holders.setdefault(digest, set())
        holders &= set(fit)
        without = [address for address in fit if address not in holders]
        starts = range(0, len(payload), PIECE_BYTES) if without else range(0)
        for number, start in enumerate(starts):
            piece = payload[start : start + PIECE_BYTES]
            answers = self._ask(without, on_worker.take_piece, digest, number, len(starts), piece)
            taken = dict(zip(without, answers, strict=True))
            for address, answer in taken.items():
                self._note_handed(address, answer, number == len(starts) - 1, holders)
            without = [address for address, answer in taken.items() if answer is None and address in self._fit]
        return sorted(holders)

    def _note_handed(self, address: str, answer: Any, is_last: bool, holders: set[str]) -> None:
        if answer is None:
            holders |= {address} if is_last else set()
            return
        self._fit.discard(address)
        if isinstance(answer, str):  # else it went away meanwhile
            remedy = "Put the module there, in its project's folder, or install it, and start the worker again."
            self._refused[address] = Problem(f"worker {address}", "a process that reads what is trained on", answer, remedy)

    def forget(self, address: str) -> None:
        """Ask a worker again: it was started anew under its address."""
        self._fit.discard(address)
        for holders in self._holders.values():
            holders.discard(address)

    def release(self, digest: str) -> None:
        """Let the workers that are left drop what units worked on."""
        holders = self._holders.pop(digest, set())
        self._ask(sorted(holders), on_worker.drop_shared, digest, seconds=2.0)

    def _ask(
        self, addresses: Iterable[str], function: Callable[..., Any], *arguments: Any, seconds: float = ANSWER_SECONDS
    ) -> list[Any]:
        """Return what each worker answers: its exception where it raised one, an OSError where it did not answer."""
        client = self._client

        async def ask_one(address: str) -> Any:
            try:
                told = await asyncio.wait_for(client.run(function, *arguments, workers=[address], on_error="return"), seconds)
            except (OSError, TimeoutError):
                return OSError("no answer")
            return told.get(address, OSError("no answer"))

        async def ask_all() -> list[Any]:
            return await asyncio.gather(*map(ask_one, addresses))

        try:
            return list(client.sync(ask_all, callback_timeout=seconds + 5))
        except (OSError, TimeoutError):
            raise self._describe_gone() from None
