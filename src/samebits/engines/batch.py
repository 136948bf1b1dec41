"""The units of one call, on their way: those that wait, those that workers have, those that are done and not yet handed out.

A unit is sent to the workers that are fit as it is sent, short ones several together, since each message costs some milliseconds.
Where all of these workers are gone it is taken back and sent to others, alone, unless it is what ends them.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import queue
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
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
_MOST_TOGETHER, _TOGETHER_SECONDS = 8, 0.2  # of which so many come by one message


@dataclass(frozen=True)
class _Sent:
    """Units on their way together, by their numbers, and the workers that they were meant for."""

    future: Future
    numbers: list[int]
    places: list[str]


class Batch:
    """The units of one call: those that wait, those on their way, those that are done and not yet handed out."""

    def __init__(self, client: Client, admission: Admission, payload: bytes, calls: Sequence[Call]) -> None:
        self._client, self._admission, self._payload, self._calls = client, admission, payload, calls
        self.digest = digest_bytes(payload)
        self._waiting = deque(range(len(calls)))
        self._sent: dict[str, _Sent] = {}
        self._alone: set[int] = set()
        self._done: dict[int, Any] = {}
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
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
        n_ahead, n_together = self._choose_numbers()
        n_free = n_ahead * len(self._workers) - sum(len(sent.numbers) for sent in self._sent.values())
        if n_free >= n_together or not self._sent:
            self._send_some([self._waiting.popleft() for _ in range(min(n_free, len(self._waiting)))], n_together)
        return self._workers

    def _choose_numbers(self) -> tuple[int, int]:
        """Return how many units each worker may have, and how many of them come together.

        Two, each by itself; or of short ones as many as hide the way to a worker and back.
        """
        n_done = self._n_handed + len(self._done)
        if n_done == 0:
            return _LEAST_AHEAD, 1
        seconds = max((time.monotonic() - self._started) * len(self._workers) / n_done, 1e-3)
        n_ahead = min(_MOST_AHEAD, max(_LEAST_AHEAD, 1 + int(_AHEAD_SECONDS / seconds)))
        return n_ahead, min(_MOST_TOGETHER, max(1, int(_TOGETHER_SECONDS / seconds)))

    def _look(self) -> None:
        """See now and then which workers there are; those that are fit go on while a new one is asked, which may take long."""
        if self._looking is None and time.monotonic() >= self._next_look:
            self._looking = self._beside.submit(self._admission.hand, self.digest, self._payload)
        if self._looking is None or (self._workers and not self._looking.done()):
            return
        workers = self._workers = self._looking.result()
        self._looking, self._next_look = None, time.monotonic() + LOOK_SECONDS
        for sent in list(self._sent.values()):
            if not set(sent.places) & set(workers) and sent.future.status == "pending":  # Dask would wait for just those
                self._note_lost(sent)

    def _send_some(self, numbers: list[int], n_together: int) -> None:
        """Send units by one message; Dask takes those that go together for one of its own."""
        if not numbers:
            return
        parts = [[number] for number in numbers if number in self._alone]
        together = [number for number in numbers if number not in self._alone]
        n_each = max(1, min(n_together, len(together) // len(self._workers)))  # the last ones are for all workers
        parts += [together[start : start + n_each] for start in range(0, len(together), n_each)]
        packed = [[bytes(dumps((self._calls[one].function, self._calls[one].arguments))) for one in part] for part in parts]
        keys = [f"{self._calls[part[0]].name} {uuid.uuid4().hex}" for part in parts]
        futures = self._client.map(
            on_worker.run_units, [self.digest] * len(parts), packed, [_TOGETHER_SECONDS] * len(parts),
            key=keys, workers=self._workers, pure=False,
        )  # fmt: skip
        for part, future in zip(parts, futures, strict=True):
            self._sent[future.key] = _Sent(future, part, self._workers)
            future.add_done_callback(self._ended.put)

    def _note_lost(self, sent: _Sent) -> None:
        """All workers that units were meant for are gone: others may have them, unless it is one of them that ends them."""
        self._take_back(sent, alone=True)
        for number in sent.numbers:
            self._n_lost[number] += 1
            if self._n_lost[number] == _MOST_LOST:
                self._waiting.remove(number)
                self._keep(number, self._describe_deadly(number))

    def _describe_deadly(self, number: int) -> DataError:
        found = f"{_MOST_LOST} that died while they had it"
        remedy = "Give the workers more memory, or change the model."
        return DataError(Problem(self._calls[number].name, "a worker that lives through it", found, remedy))

    def _take_back(self, sent: _Sent, alone: bool = False) -> None:
        """Let units wait again; where one of them may be to blame each by itself, so that it shows which it was."""
        del self._sent[sent.future.key]
        sent.future.cancel()
        self._alone |= set(sent.numbers if alone else ())
        self._waiting.extendleft(reversed(sent.numbers))

    def collect(self, seconds: float) -> Iterator[Any]:
        """Wait for a unit to end, for so long at most, and hand out what is next in order."""
        ended = self._list_ended(seconds)
        found = self._gather([sent.future for sent in ended if sent.future.status == "finished"])
        for sent in ended:
            self._note(sent, found.get(sent.future.key))
        while self._n_handed in self._done:
            self._n_handed += 1
            yield self._done.pop(self._n_handed - 1)

    def _list_ended(self, seconds: float) -> list[_Sent]:
        ended = []
        with contextlib.suppress(queue.Empty):
            ended.append(self._ended.get(timeout=seconds))
            while True:
                ended.append(self._ended.get_nowait())
        return [self._sent[future.key] for future in ended if future.key in self._sent]

    def _gather(self, futures: list[Future]) -> dict[str, Any]:
        """Return by key what units gave, fetched at once; nothing where a worker went away with it."""

        async def gather() -> Any:
            return await self._client.gather(futures)

        try:
            found = self._client.sync(gather, callback_timeout=_FETCH_SECONDS) if futures else []
        except (OSError, TimeoutError, CancelledError):
            return {}
        return dict(zip((future.key for future in futures), found, strict=True))

    def _note(self, sent: _Sent, found: Any) -> None:
        if isinstance(found, list):
            del self._sent[sent.future.key]
            self._waiting.extendleft(reversed(sent.numbers[len(found) :]))  # for which the worker had no time
            for number, outcome in zip(sent.numbers, found, strict=False):
                self._keep(number, loads(outcome))
            return
        if sent.future.status == "error" and len(sent.numbers) > 1:
            self._take_back(sent, alone=True)
            return
        if sent.future.status == "error":
            self._raise_unless_deadly(sent.future)
            del self._sent[sent.future.key]
            self._keep(sent.numbers[0], self._describe_deadly(sent.numbers[0]))
            return
        if isinstance(found, on_worker.NotHeld):
            self._admission.forget(found.address)
            self._next_look = 0.0
        self._take_back(sent)

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
            self._client.cancel([sent.future for sent in self._sent.values()], force=True)
        self._sent.clear()
        self._beside.shutdown(wait=False, cancel_futures=True)
