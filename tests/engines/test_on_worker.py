"""What runs in a worker, called here without one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import engine_units
import pytest

pytest.importorskip("distributed", reason="the extra samebits[dask] is not installed")

from distributed.protocol.pickle import dumps, loads

from samebits.digests import digest_bytes
from samebits.engines import on_worker
from samebits.errors import DataError, Problem


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = SimpleNamespace(address="tcp://a:1", state=SimpleNamespace(nthreads=1))
    monkeypatch.setattr(on_worker, "get_worker", lambda: found)
    return found


def hand(worker: Any, shared: Any) -> str:
    payload = dumps(shared)
    digest = digest_bytes(payload)
    half = len(payload) // 2
    assert on_worker.take_piece(digest, 0, 2, payload[:half], dask_worker=worker) is None
    assert on_worker.take_piece(digest, 1, 2, payload[half:], dask_worker=worker) is None
    return digest


def run(digest: str, function: Any, *arguments: Any) -> Any:
    found = on_worker.run_units(digest, [dumps((function, arguments))], 0.2)
    return loads(*found) if isinstance(found, list) else found


def test_a_unit_runs_on_what_came_in_pieces(worker: Any) -> None:
    digest = hand(worker, 40)

    assert run(digest, engine_units.add, 2) == 42


def test_units_that_came_together_are_given_back_when_time_is_over(worker: Any) -> None:
    digest = hand(worker, 40)
    packed = [dumps((engine_units.add, (number,))) for number in range(3)]

    assert [loads(one) for one in on_worker.run_units(digest, packed, 60.0)] == [40, 41, 42]  # type: ignore[union-attr]
    assert [loads(one) for one in on_worker.run_units(digest, packed, -1.0)] == [40]  # type: ignore[union-attr]


def test_a_worker_started_anew_says_that_it_holds_nothing(worker: Any) -> None:
    assert run("sha256:0", engine_units.add, 2) == on_worker.NotHeld("tcp://a:1")
    digest = hand(worker, 40)
    on_worker.drop_shared(digest, dask_worker=worker)

    assert run(digest, engine_units.add, 2) == on_worker.NotHeld("tcp://a:1")


def test_other_bytes_than_were_sent_are_not_read(worker: Any) -> None:
    assert on_worker.take_piece("sha256:0", 0, 1, dumps(1), dask_worker=worker) == "other bytes arrived than were sent"


def test_what_a_worker_cannot_import_is_said(worker: Any) -> None:
    payload = b"\x80\x04\x8c\x0bno_such_mod\x8c\x01f\x93."

    said = on_worker.take_piece(digest_bytes(payload), 0, 1, payload, dask_worker=worker)

    assert said == "ModuleNotFoundError: No module named 'no_such_mod'"


def test_a_refusal_comes_back_as_a_value_and_so_does_what_cannot_be_sent(worker: Any) -> None:
    digest = hand(worker, None)

    assert "unit 7" in str(run(digest, engine_units.fail, 7, 0.0))
    unsent = run(digest, engine_units.give_unsendable)
    assert isinstance(unsent, DataError)
    assert "TypeError: not to be sent" in str(unsent)


def test_only_a_few_tables_are_held(worker: Any) -> None:
    digests = [hand(worker, number) for number in range(6)]

    assert isinstance(run(digests[0], engine_units.add, 1), on_worker.NotHeld)
    assert run(digests[5], engine_units.add, 1) == 6


def test_packages_that_changed_since_the_start_are_seen(worker: Any) -> None:
    holding = on_worker.note_start(worker)
    holding.started["numpy"] = "1.0"

    told = loads(on_worker.ask_facts([], [], dask_worker=worker))

    assert isinstance(told, Problem)
    assert "the packages that it started with, found another numpy since" in str(told)
