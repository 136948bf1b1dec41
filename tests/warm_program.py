"""The program, started once and forked for each command: what it imports, two to four seconds of a command's time, is imported once.

Each command still has a process of its own, with its own variables, folder, signals, output and exit code. What a real start does
besides (pinning the numeric profile, importing in the program's own order) is tried by the tests that use `run_fresh`.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# pyarrow's allocator otherwise starts a thread, and a process with threads is not to be forked.
_NO_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
SRC = Path(__file__).resolve().parent.parent / "src"


class WarmProgram:
    """A process that stands ready to be forked, until this one ends."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))], env={**environment, **_NO_THREAD}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            encoding="utf-8",
        )  # fmt: skip
        atexit.register(self._process.communicate)

    def run(self, words: list[str], environment: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with tempfile.TemporaryDirectory(prefix="samebits-warm-") as folder:
            outputs = [Path(folder, name) for name in ("stdout", "stderr")]
            request = {"words": words, "environment": environment, "cwd": str(cwd), "outputs": list(map(str, outputs))}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            exit_code = int(self._process.stdout.readline())
            stdout, stderr = (path.read_text(encoding="utf-8") for path in outputs)
        return subprocess.CompletedProcess(words, exit_code, stdout, stderr)


def _import_all() -> None:
    sys.path.insert(0, str(SRC))
    from samebits.tracking.server import prepare_tracking

    prepare_tracking(SRC.parent)
    import mlflow.pyfunc
    import mlflow.sklearn
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    import samebits.commands.data_pin
    import samebits.commands.diff
    import samebits.commands.reproduce
    import samebits.commands.reuse
    import samebits.commands.train
    import samebits.commands.verify
    import samebits.delivery.open_run
    import samebits.parcels.packing
    import samebits.training.training  # noqa: F401

    gc.collect()
    gc.freeze()


def _become(request: dict[str, Any]) -> None:
    """Be the process that the request asks for; does not return."""
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["cwd"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(request["outputs"], start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.argv = [str(SRC / "samebits"), *request["words"]]
    sys.orig_argv = [sys.executable, *sys.argv]  # with which the program replaces itself where it must
    sys.path[0:0] = list(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    from samebits.__main__ import run_program

    run_program()


def _serve() -> None:
    _import_all()
    assert len(list(Path("/proc/self/task").iterdir())) == 1
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
