"""The units of one call, on their way: those that wait, those that workers have, those that are done and not yet handed out.

A unit is sent to the workers that are fit as it is sent. Where all of them are gone it is taken back and sent to others, unless it is
what ends them.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import queue
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

from distributed import Client, Future, KilledWorker
from distributed.protocol.pickle import dumps, loads

from samebits.digests import digest_bytes
from samebits.engines import on_worker
from samebits.engines.admission import Admission
from samebits.engines.units import Call
from samebits.errors import DataError, Problem, SamebitsError

LOOK_SECONDS = 1.0  # between two looks at which workers there are
_FETCH_SECONDS = 60.0
_MOST_LOST = 4  # as often as Dask itself, by default, tries what its worker died of
_LEAST_AHEAD, _MOST_AHEAD, _AHEAD_SECONDS = 2, 16, 0.5  # units that a worker may have at once


class Batch:
    """The units of one call: those that wait, those on their way, those that are done and not yet handed out."""

    def __init__(self, client: Client, admission: Admission, payload: bytes, calls: Sequence[Call]) -> None:
        self._client, self._admission, self._payload, self._calls = client, admission, payload, calls
        self.digest = digest_bytes(payload)
        self._waiting = deque(range(len(calls)))
        self._sent: dict[int, tuple[Future, list[str]]] = {}
        self._done: dict[int, Any] = {}
        self._ended: queue.SimpleQueue[tuple[int, Future]] = queue.SimpleQueue()
        self._n_lost = dict.fromkeys(range(len(calls)), 0)
        self._n_handed = 0
        self._workers: list[str] = []
        self._started = time.monotonic()
        self._beside = ThreadPoolExecutor(1)
        self._looking: concurrent.futures.Future[list[str]] | None = None
        self._next_look = 0.0

    @property
    def is_done(self) -> bool:
        return self._n_handed == len(self._calls)

    def send(self) -> list[str]:
        """Send as many units as the workers that are there have use for, and return these."""
        self._look()
        n_free = self._choose_ahead() * len(self._workers) - len(self._sent)
        self._send_some([self._waiting.popleft() for _ in range(min(n_free, len(self._waiting)))])
        return self._workers

    def _choose_ahead(self) -> int:
        """Return how many units each worker may have: two, or of short ones as many as hide the way to a worker and back."""
        n_done = self._n_handed + len(self._done)
        if n_done == 0:
            return _LEAST_AHEAD
        seconds = (time.monotonic() - self._started) * len(self._workers) / n_done
        return min(_MOST_AHEAD, max(_LEAST_AHEAD, 1 + int(_AHEAD_SECONDS / max(seconds, 1e-3))))

    def _look(self) -> None:
        """See now and then which workers there are; those that are fit go on while a new one is asked, which may take long."""
        if self._looking is None and time.monotonic() >= self._next_look:
            self._looking = self._beside.submit(self._admission.hand, self.digest, self._payload)
        if self._looking is None or (self._workers and not self._looking.done()):
            return
        workers = self._workers = self._looking.result()
        self._looking, self._next_look = None, time.monotonic() + LOOK_SECONDS
        for number, (future, places) in list(self._sent.items()):
            if not set(places) & set(workers) and future.status == "pending":  # Dask would wait for just those
                self._note_lost(number)

    def _send_some(self, numbers: list[int]) -> None:
        """Send units by one message; Dask takes each for one of its own."""
        if not numbers:
            return
        calls = [self._calls[number] for number in numbers]
        packed = [bytes(dumps((call.function, call.arguments))) for call in calls]
        keys = [f"{call.name} {uuid.uuid4().hex}" for call in calls]
        futures = self._client.map(
            on_worker.run_unit, [self.digest] * len(calls), packed, key=keys, workers=self._workers, pure=False
        )  # fmt: skip
        for number, future in zip(numbers, futures, strict=True):
            self._sent[number] = (future, self._workers)
            future.add_done_callback(functools.partial(self._note_ended, number))

    def _note_ended(self, number: int, future: Future) -> None:
        self._ended.put((number, future))

    def _note_lost(self, number: int) -> None:
        """All workers that a unit was meant for are gone: others may have it, unless it is what ends them."""
        self._take_back(number)
        self._n_lost[number] += 1
        if self._n_lost[number] == _MOST_LOST:
            self._waiting.remove(number)
            self._keep(number, self._describe_deadly(number))

    def _describe_deadly(self, number: int) -> DataError:
        found = f"{_MOST_LOST} that died while they had it"
        remedy = "Give the workers more memory, or change the model."
        return DataError(Problem(self._calls[number].name, "a worker that lives through it", found, remedy))

    def _take_back(self, number: int) -> None:
        future, _ = self._sent.pop(number)
        future.cancel()
        self._waiting.appendleft(number)

    def collect(self, seconds: float) -> Iterator[Any]:
        """Wait for a unit to end, for so long at most, and hand out what is next in order."""
        ended = self._list_ended(seconds)
        found = self._gather([future for _, future in ended if future.status == "finished"])
        for number, future in ended:
            self._note(number, future, found.get(future.key))
        while self._n_handed in self._done:
            self._n_handed += 1
            yield self._done.pop(self._n_handed - 1)

    def _list_ended(self, seconds: float) -> list[tuple[int, Future]]:
        ended = []
        with contextlib.suppress(queue.Empty):
            ended.append(self._ended.get(timeout=seconds))
            while True:
                ended.append(self._ended.get_nowait())
        return [(number, future) for number, future in ended if number in self._sent and self._sent[number][0] is future]

    def _gather(self, futures: list[Future]) -> dict[str, Any]:
        """Return by key what units gave, fetched at once; nothing where a worker went away with it."""

        async def gather() -> Any:
            return await self._client.gather(futures)

        try:
            found = self._client.sync(gather, callback_timeout=_FETCH_SECONDS) if futures else []
        except (OSError, TimeoutError, CancelledError):
            return {}
        return dict(zip((future.key for future in futures), found, strict=True))

    def _note(self, number: int, future: Future, found: Any) -> None:
        if isinstance(found, bytes):
            del self._sent[number]
            self._keep(number, loads(found))
            return
        if future.status == "error":
            self._raise_unless_deadly(future)
            del self._sent[number]
            self._keep(number, self._describe_deadly(number))
            return
        if isinstance(found, on_worker.NotHeld):
            self._admission.forget(found.address)
            self._next_look = 0.0
        self._take_back(number)

    def _raise_unless_deadly(self, future: Future) -> None:
        with contextlib.suppress(KilledWorker):
            future.result(timeout=_FETCH_SECONDS)

    def _keep(self, number: int, outcome: Any) -> None:
        self._done[number] = outcome
        if isinstance(outcome, SamebitsError):  # what comes after it will not be asked for
            self._waiting = deque(waiting for waiting in self._waiting if waiting < number)

    def end(self) -> None:
        """Take back what is still on its way; what units worked on stays where it is."""
        if self._sent and self._client.status == "running":
            self._client.cancel([future for future, _ in self._sent.values()], force=True)
        self._sent.clear()
        self._beside.shutdown(wait=False, cancel_futures=True)
