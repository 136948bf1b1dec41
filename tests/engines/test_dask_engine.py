"""Units on a real scheduler with worker processes: the same outcomes, whatever becomes of a worker."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import engine_units
import pytest
from conftest import ROOT
from dask_cluster import Cluster, start_cluster

from samebits.engines.units import Call
from samebits.errors import ConfigError, DataError, ProvenanceError
from samebits.voice import Voice

pytestmark = pytest.mark.xdist_group("dask")
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler: each test has as many workers as it asks for."""
    pytest.importorskip("distributed", reason="the extra samebits[dask] is not installed")
    with start_cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
def open_engine() -> Iterator[Callable[..., Any]]:
    """Return what opens the engine of a cluster, whose workers are held to what one of them is: the tests' process is not pinned."""
    from distributed import Client
    from distributed.protocol.pickle import loads

    from samebits.engines import on_worker
    from samebits.engines.admission import Request
    from samebits.engines.dask_engine import DaskEngine

    with contextlib.ExitStack() as stack:

        def open_now(cluster: Cluster, say: Callable[[str], None] = lambda _: None) -> DaskEngine:
            client = Client(cluster.address, set_as_default=False)
            stack.callback(client.close, timeout=5)
            told = client.run(on_worker.ask_facts, [], [])
            facts = next(loads(found) for found in told.values() if loads(found).threads == 1)
            return DaskEngine(client, cluster.address, Request(facts, [], [], ROOT), Voice(say, say))

        yield open_now


def make_calls(function: Any, n: int) -> list[Call]:
    return [Call(f"unit {number}", function, (number,)) for number in range(n)]


def draw_here(n: int) -> list[float]:
    return [random.Random(5 + number).random() for number in range(n)]


def test_outcomes_come_in_order_from_two_workers_and_the_first_failure_in_order_is_told(
    cluster: Cluster, open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samebits.engines import admission

    monkeypatch.setattr(admission, "PIECE_BYTES", 2)
    cluster.have_workers(2)
    engine = open_engine(cluster)

    processes = list(engine.run(None, make_calls(engine_units.tell_process, 12)))
    drawn = list(engine.run(5, make_calls(engine_units.draw, 20)))
    failing = [Call("slow", engine_units.fail, (0, 1.5)), *[Call("quick", engine_units.fail, (n, 0.0)) for n in range(1, 9)]]
    with pytest.raises(DataError, match="unit 0"):
        list(engine.run(None, failing))

    assert {process.pid for process in cluster.workers} == set(processes)
    assert drawn == draw_here(20)
    assert engine.describe()["workers"] == 2


def test_a_worker_killed_in_the_middle_changes_nothing_and_one_that_comes_later_gets_work(
    cluster: Cluster, open_engine: Open, tmp_path: Path
) -> None:
    cluster.have_workers(2)
    engine = open_engine(cluster)

    outcomes = engine.run(str(tmp_path / "mark"), [*make_calls(engine_units.die_once, 3), *make_calls(engine_units.tell_process, 40)])
    first = [next(outcomes) for _ in range(5)]
    later = cluster.add_worker()
    rest = list(outcomes)

    assert first[:3] == [0, 1, 2]
    assert sum(process.poll() is not None for process in cluster.workers) == 1
    assert later.pid in rest


def test_when_every_worker_is_gone_others_go_on_where_they_were(cluster: Cluster, open_engine: Open) -> None:
    cluster.have_workers(1)
    engine = open_engine(cluster)

    outcomes = engine.run(1, make_calls(engine_units.wait_and_add, 12))
    first = [next(outcomes) for _ in range(3)]
    cluster.workers[0].kill()
    cluster.workers[0].wait()
    coming = threading.Thread(target=cluster.add_worker)
    coming.start()
    rest = list(outcomes)
    coming.join()

    assert first + rest == [1 + number for number in range(12)]


def test_a_unit_that_kills_each_worker_is_named(cluster: Cluster, open_engine: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from samebits.engines import batch

    monkeypatch.setattr(batch, "_MOST_LOST", 1)
    cluster.have_workers(1)
    engine = open_engine(cluster)

    with pytest.raises(DataError, match=r"models\.x, fold 1 of cv: expected a worker that lives through it, found \d that died"):
        list(engine.run(None, [Call("models.x, fold 1 of cv", engine_units.die)]))


def test_a_worker_under_a_nanny_or_of_two_threads_gets_no_work_and_is_named(cluster: Cluster, open_engine: Open) -> None:
    cluster.have_workers(1)
    said: list[str] = []
    engine = open_engine(cluster, said.append)
    dask_worker = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.address, "--no-dashboard", "--nthreads"]
    cluster.add_worker(*dask_worker, "1", OPENBLAS_CORETYPE="Haswell")
    cluster.add_worker(*dask_worker, "2", "--no-nanny")

    processes = list(engine.run(None, make_calls(engine_units.tell_process, 6)))

    assert set(processes) == {cluster.workers[0].pid}
    assert len(said) == 2
    assert sum("PYTHONHASHSEED" in line and line.endswith("It gets no work.") for line in said) == 1
    assert sum("found 2 threads" in line for line in said) == 1


def test_a_cluster_of_unfit_workers_alone_is_refused_at_once(cluster: Cluster, open_engine: Open) -> None:
    cluster.have_workers(1)
    engine = open_engine(cluster)
    cluster.workers[0].kill()
    wait_for_none(cluster)
    cluster.add_worker(sys.executable, "-m", "distributed.cli.dask_worker", cluster.address, "--no-dashboard", "--nthreads", "1")

    with pytest.raises(ProvenanceError, match=r"worker tcp://127\.0\.0\.1:\d+: expected texts hashed"):
        engine.wait_for_workers()


def wait_for_none(cluster: Cluster) -> None:
    while cluster.list_workers():
        time.sleep(0.1)


def test_a_worker_is_no_scheduler(cluster: Cluster) -> None:
    from samebits.engines.opening import find_scheduler

    cluster.have_workers(1)
    (worker,) = cluster.list_workers()

    find_scheduler(cluster.address, 60)
    with pytest.raises(ConfigError, match=rf"expected a Dask scheduler at {worker}, found a Dask worker\."):
        find_scheduler(worker, 60)


def test_a_scheduler_that_is_gone_and_workers_that_never_come_are_said(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from samebits.engines import dask_engine

    monkeypatch.setattr(dask_engine, "WORKERS_SECONDS", 0.5)
    with start_cluster(tmp_path) as own:
        own.have_workers(1)
        engine = open_engine(own)
        engine._client._timeout = 1  # for which it would look for its scheduler again
        os.kill(own.workers[0].pid, signal.SIGKILL)
        wait_for_none(own)
        with pytest.raises(ProvenanceError, match=r"expected a worker, found none for 0 s\. Start workers: samebits worker tcp://127"):
            engine.wait_for_workers()

        own.scheduler.kill()
        own.scheduler.wait()

        with pytest.raises(ProvenanceError, match="expected a scheduler that answers, found none any more"):
            list(engine.run(1, make_calls(engine_units.add, 3)))
