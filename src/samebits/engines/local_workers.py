"""The workers that this program starts on its own machine for `engine: {dask: local}`: started, started again, ended with it.

Each is a `samebits worker` in a session of its own, so that a key pressed in the terminal reaches this program alone, which then ends
them. They inherit the numeric profile. The key that lets them in goes by their environment, which only this user reads.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from samebits.numerics.profile import PINNED_MARK
from samebits.project import PACKAGE, is_checkout
from samebits.signals import end_groups, hold_signals

_RESTARTS = 12  # in all, for each worker: what kills them again and again is told, also when it came with others at first
_STOP_SECONDS = 3


class LocalWorkers:
    """Some worker processes of one scheduler."""

    def __init__(self, address: str, security: Any, n: int, root: Path) -> None:
        self._address, self._root = address, root
        self._environment = _make_environment(security)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._n, self._n_left = n, n * _RESTARTS

    def mend(self) -> None:
        """Start those that are not there; after too many starts, no more."""
        self._processes = [process for process in self._processes if process.poll() is None]
        while len(self._processes) < self._n and self._n_left > 0:
            self._n_left -= 1
            self._start()

    @property
    def ids(self) -> list[int]:
        """The processes' ids."""
        return [process.pid for process in self._processes]

    @property
    def are_given_up(self) -> bool:
        """Whether none is there and none will be."""
        return self._n_left <= 0 and all(process.poll() is not None for process in self._processes)

    def _start(self) -> None:
        program = [str(PACKAGE)] if is_checkout() else ["-P", "-m", PACKAGE.name]
        command = [sys.executable, *program, "worker", self._address, "--quiet", "--profile", os.environ.get(PINNED_MARK, "portable")]
        with hold_signals():
            process = subprocess.Popen(
                command, cwd=self._root, env=self._environment, stdin=subprocess.DEVNULL, start_new_session=True
            )  # fmt: skip
            self._processes.append(process)

    def end(self) -> None:
        """End them all, within seconds."""
        end_groups(self._processes, _STOP_SECONDS)
        self._processes = []


def _make_environment(security: Any) -> dict[str, str]:
    """Return this process's variables, but for those by which a tracking server is reached, and with the key to the scheduler."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "DASK_"))}
    return {
        **kept,
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True",
        "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": security.tls_ca_file,
        "DASK_DISTRIBUTED__COMM__TLS__WORKER__CERT": security.tls_worker_cert,
        "DASK_DISTRIBUTED__COMM__TLS__WORKER__KEY": security.tls_worker_key,
    }
