"""A real scheduler, and workers of it, each a process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conftest import PROGRAM, ROOT, TESTS
from servers import choose_port


@dataclass
class Cluster:
    """A scheduler with the processes that were started for it.

    Parameters
    ----------
    log
        What all of them say.
    """

    address: str
    scheduler: subprocess.Popen[bytes]
    log: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _further: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def have_workers(self, n: int) -> None:
        """Have as many of samebits' own workers, and no others: those that an earlier test left stay, or are ended, or are joined."""
        for process in [*self._further, *self.workers[n:]]:
            process.kill()
            process.wait()
        self.workers[:] = [process for process in self.workers[:n] if process.poll() is None]
        self._further.clear()
        wait_until(lambda: len(self.list_workers()) == len(self.workers), self.log)
        while len(self.workers) < n:
            self.add_worker()

    def add_worker(self, *command: str, **env: str) -> subprocess.Popen[bytes]:
        """Start one, by default one of samebits' own, and return it when the scheduler has it."""
        before = len(self.list_workers())
        words = list(command) or [*PROGRAM, "worker", self.address]
        process = start(words, self.log, **env)
        (self._further if command else self.workers).append(process)
        wait_until(lambda: len(self.list_workers()) > before, self.log)
        return process

    def list_workers(self) -> list[str]:
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            return sorted(client.scheduler_info()["workers"])


def start(words: list[str], log: Path, **env: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "OPENBLAS_"))}
    with log.open("ab") as output:
        return subprocess.Popen(words, cwd=ROOT, env={**own, "PYTHONPATH": path, **env}, stdout=output, stderr=output)


def wait_until(is_so: Callable[[], Any], log: Path, seconds: float = 300) -> None:
    last = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < last, log.read_text(encoding="utf-8", errors="replace")[-2000:]
        time.sleep(0.1)


@contextlib.contextmanager
def start_cluster(folder: Path) -> Iterator[Cluster]:
    port, log = choose_port(), folder / "cluster.log"
    words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    scheduler = start([*words, "--dashboard-address", "127.0.0.1:0"], log)
    cluster = Cluster(f"tcp://127.0.0.1:{port}", scheduler, log)
    try:
        wait_until(lambda: "Scheduler at" in log.read_text(encoding="utf-8", errors="replace"), log)
        yield cluster
    finally:
        for process in [*cluster.workers, *cluster._further, scheduler]:
            process.kill()
            process.wait()
