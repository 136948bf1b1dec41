"""Units on their way, with a client that runs them at once, here: which of them go together."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import engine_units
import pytest

pytest.importorskip("distributed", reason="the extra samebits[dask] is not installed")

from distributed import KilledWorker
from distributed.protocol.pickle import dumps, loads

from samebits.engines import batch
from samebits.engines.units import Call
from samebits.errors import DataError


class Ended:
    """A future that has ended as it is made."""

    def __init__(self, outcome: list[bytes] | None) -> None:
        self.key, self.outcome = uuid.uuid4().hex, outcome
        self.status = "error" if outcome is None else "finished"

    def add_done_callback(self, call: Callable[[Any], None]) -> None:
        call(self)

    def result(self, timeout: float) -> None:
        raise KilledWorker("unit", "worker", 3)

    def cancel(self) -> None:
        self.status = "cancelled"


class Cluster:
    """One worker, which some units end, with a clock of its own; and what it was sent together."""

    status = "running"

    def __init__(self, unit_seconds: float, deadly: Sequence[int] = (), slow_from: int = 1000) -> None:
        self.unit_seconds, self.deadly, self.slow_from, self.now = unit_seconds, deadly, slow_from, 0.0
        self.sent, self.ran = list[list[int]](), list[list[int]]()

    def map(self, _: Any, digests: list[str], packed: list[list[bytes]], seconds: list[float], **__: Any) -> list[Ended]:
        return [self._run([loads(one) for one in part], most) for part, most in zip(packed, seconds, strict=True)]

    def _run(self, part: list[Any], seconds: float) -> Ended:
        numbers, found, last = [arguments[0] for _, arguments in part], list[bytes](), self.now + seconds
        self.sent.append(numbers)
        assert len(self.sent) < 1000
        if set(numbers) & set(self.deadly):
            return Ended(None)
        for function, arguments in part:
            if not found or self.now <= last:
                self.now += 1.0 if arguments[0] >= self.slow_from else self.unit_seconds
                found.append(bytes(dumps(function(40, *arguments))))
        self.ran.append(numbers[: len(found)])
        return Ended(found)

    async def gather(self, futures: list[Ended]) -> list[Any]:
        return [future.outcome for future in futures]

    def sync(self, run: Callable[[], Any], callback_timeout: float) -> Any:
        return asyncio.run(run())

    def hand(self, digest: str, payload: bytes) -> list[str]:
        return ["worker"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    def run_units(cluster: Any, n: int) -> list[Any]:
        monkeypatch.setattr(batch, "time", SimpleNamespace(monotonic=lambda: cluster.now))
        calls = [Call(f"unit {number}", engine_units.add, (number,)) for number in range(n)]
        sent, found = batch.Batch(cluster, cluster, b"", calls), list[Any]()
        while not sent.is_done and not any(isinstance(one, DataError) for one in found):
            sent.send()
            found += sent.collect(5.0)
        sent.end()
        return found

    return run_units


def test_short_units_come_several_together_and_each_once(run: Callable[..., list[Any]]) -> None:
    cluster = Cluster(unit_seconds=0.04)

    assert run(cluster, 40) == [40 + number for number in range(40)]
    assert [number for part in cluster.sent for number in part] == list(range(40))
    assert [len(part) for part in cluster.sent[:4]] == [1, 1, 5, 5]


def test_long_units_come_alone(run: Callable[..., list[Any]]) -> None:
    cluster = Cluster(unit_seconds=0.25)

    assert run(cluster, 6) == [40 + number for number in range(6)]
    assert cluster.sent == [[number] for number in range(6)]


def test_units_that_came_with_a_deadly_one_come_again_alone_and_that_one_is_named(run: Callable[..., list[Any]]) -> None:
    cluster = Cluster(unit_seconds=0.04, deadly=[20])

    found = run(cluster, 40)

    assert found[:20] == [40 + number for number in range(20)]
    assert str(found[20]).startswith("unit 20: expected a worker that lives through it")
    together = next(part for part in cluster.sent if 20 in part)
    assert len(together) > 1
    assert [part for part in cluster.sent if set(part) & set(together)] == [together, *([number] for number in together)]


def test_long_units_that_came_with_short_ones_are_given_back(run: Callable[..., list[Any]]) -> None:
    cluster = Cluster(unit_seconds=0.04, slow_from=25)

    assert run(cluster, 40) == [40 + number for number in range(40)]
    assert any(len(part) > 1 and part[-1] > 25 for part in cluster.sent)
    assert all(sum(number >= 25 for number in ran) <= 1 for ran in cluster.ran)
