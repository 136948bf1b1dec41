"""Units on the workers of a Dask cluster: sent a few at a time, their outcomes handed out in the units' order.

A unit of a worker that dies is run again elsewhere; of units that fail the first in order is told, not the first by the clock. A
scheduler that is gone, or workers that all are, end the run in words within a bounded time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import distributed
from distributed import Client
from distributed.protocol.pickle import dumps

from samebits.engines.admission import Admission, Request
from samebits.engines.batch import LOOK_SECONDS, Batch
from samebits.engines.local_workers import LocalWorkers
from samebits.engines.units import Call
from samebits.errors import Problem, ProvenanceError, SamebitsError
from samebits.voice import Voice

WORKERS_SECONDS = 120.0  # so long there may be no worker at all


class DaskEngine:
    """One cluster, for as long as a training lasts."""

    def __init__(self, client: Client, place: str, request: Request, voice: Voice, own: LocalWorkers | None = None) -> None:
        self._client, self._place, self._own = client, place, own
        self._admission, self._voice = Admission(client, place, request), voice
        self._said: set[str] = set()
        self._batches: list[Batch] = []
        self._held = ""

    def wait_for_workers(self) -> None:
        """Return when a worker is there that may run units.

        Raises
        ------
        ProvenanceError
            All that are there are refused, or none came.
        """
        last = time.monotonic() + WORKERS_SECONDS
        while not self._admit():
            self._refuse_if_hopeless(last)
            time.sleep(LOOK_SECONDS / 4)

    def _admit(self) -> list[str]:
        if self._own is not None:
            self._own.mend()
        fit = self._admission.admit()
        self._tell_refused(fit)
        return fit

    def _tell_refused(self, fit: list[str]) -> None:
        """Say once of each worker why it gets no work; where none is left that does, the run is refused by the same words."""
        for address, problem in self._admission.refused.items() if fit else ():
            if address not in self._said:
                self._said.add(address)
                self._voice.say(f"{problem} It gets no work.")

    def _refuse_if_hopeless(self, last: float) -> None:
        refused = list(self._admission.refused.values())
        if refused and (self._own is None or time.monotonic() > last):
            raise ProvenanceError(*refused)
        if self._own is not None and self._own.are_given_up:
            problem = Problem("engine local", "workers that live", "none that does", "Look at what they said, above.")
            raise ProvenanceError(problem)
        if time.monotonic() > last:
            remedy = f"Start workers: samebits worker {'ADDRESS' if self._own else self._place}"
            raise ProvenanceError(Problem(f"engine {self._place}", "a worker", f"none for {WORKERS_SECONDS:.0f} s", remedy))

    def describe(self) -> dict[str, Any]:
        """Return what stands of it on record."""
        return {"dask": self._place, "version": distributed.__version__, "workers": self._admission.n_admitted}

    def run(self, shared: Any, calls: Sequence[Call]) -> Iterator[Any]:
        """Run units on what they share, and hand their outcomes out in their order.

        Raises
        ------
        SamebitsError
            What the first unit in order raised that failed; or the cluster is gone.
        """
        batch = Batch(self._client, self._admission, bytes(dumps(shared)), calls)
        if self._held not in ("", batch.digest):
            self.release()
        self._held = batch.digest
        self._batches.append(batch)
        yield from self._drive(batch)
        self._batches.remove(batch)
        batch.end()

    def release(self) -> None:
        """Let the workers drop what units worked on, which they hold so that a next call need not bring it again."""
        if self._held and self._client.status == "running":
            self._admission.release(self._held)
        self._held = ""

    def end(self) -> None:
        """Take back what is still on its way, whatever ended it."""
        while self._batches:
            with contextlib.suppress(Exception):  # of a scheduler that is gone, which was said
                self._batches.pop().end()
        with contextlib.suppress(Exception):
            self.release()

    def _drive(self, batch: Batch) -> Iterator[Any]:
        last = time.monotonic() + WORKERS_SECONDS
        while not batch.is_done:
            if self._own is not None:
                self._own.mend()
            if workers := batch.send():
                self._tell_refused(workers)
                last = time.monotonic() + WORKERS_SECONDS
            else:
                self._refuse_if_hopeless(last)
            for outcome in batch.collect(LOOK_SECONDS):
                if isinstance(outcome, SamebitsError):
                    raise outcome
                yield outcome
