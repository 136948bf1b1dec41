"""Workers of this machine: started, started again, ended, and given no key to a tracking server."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT

from samebits.engines import local_workers
from samebits.engines.local_workers import LocalWorkers

SECURITY = SimpleNamespace(tls_ca_file="ca", tls_worker_cert="cert", tls_worker_key="key")


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two processes that only wait."""
    own = local_workers.subprocess.Popen
    monkeypatch.setattr(local_workers.subprocess, "Popen", lambda _, **keys: own(["sleep", "600"], **keys))
    workers = LocalWorkers("tls://127.0.0.1:1", SECURITY, 2, ROOT)
    yield workers
    workers.end()


def test_one_that_died_is_started_again_until_too_many_did(two: LocalWorkers) -> None:
    two.mend()
    first = two.ids

    for _ in range(local_workers._RESTARTS * 2 - 1):
        os.kill(two.ids[0], signal.SIGKILL)
        two._processes[0].wait()
        two.mend()

    assert len(first) == 2
    assert len(two.ids) == 1
    os.kill(two.ids[0], signal.SIGKILL)
    two._processes[0].wait()
    assert two.are_given_up


def test_the_end_leaves_none(two: LocalWorkers) -> None:
    two.mend()
    processes = list(two._processes)

    two.end()

    assert all(process.returncode == -signal.SIGTERM for process in processes)
    assert two.ids == []


def test_a_worker_gets_the_schedulers_key_and_no_tracking_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__WORKER__KEY", "another's")

    environment = local_workers._make_environment(SECURITY)

    assert "MLFLOW_TRACKING_PASSWORD" not in environment
    assert environment["DASK_DISTRIBUTED__COMM__TLS__WORKER__KEY"] == "key"
