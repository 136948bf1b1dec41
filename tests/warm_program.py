"""The program, started once and forked for each command: what it imports, two to four seconds of a command's time, is imported once.

Each command still has a process of its own, with its own variables, folder, signals, output and exit code. What a real start does
besides (pinning the numeric profile, importing in the program's own order) is tried by the tests that use `run_fresh`.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import re
import resource
import runpy
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# pyarrow's allocator otherwise starts a thread, and a process with threads is not to be forked.
_NO_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
SRC = Path(__file__).resolve().parent.parent / "src"


@dataclass(frozen=True)
class Ended:
    """How a command ended that ran within limits.

    Parameters
    ----------
    exit_code
        Minus the number of the signal that ended it; `TOO_LONG` where its time was over.
    cpu_seconds
        Of it and of all that it started and waited for: what a busy machine does not change.
    peak_mib
        Of the largest process among it and those that it started and waited for.
    """

    exit_code: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    stdout: bytes
    stderr: bytes

    def name_traceback(self) -> str | None:
        """Return the kind of an exception whose traceback was shown, and the last place in samebits that it passed."""
        text = self.stderr.decode("utf-8", "replace")
        if self.exit_code != 70 and "Traceback (most recent call last)" not in text:
            return None
        places = re.findall(r'File "[^"]*/samebits/([^"]+)", line (\d+), in \w+', text)
        lines = [line for line in text.splitlines() if re.match(r"[\w.]+(Error|Exception|Exit|Interrupt|Warning)\b", line)]
        return f"{lines[-1][:120] if lines else '?'} in {':'.join(places[-1]) if places else '?'}"


TOO_LONG = -1000
TYPED = "python -m samebits "  # as pages have it once `uv run` is taken away


class WarmProgram:
    """A process that stands ready to be forked, until this one ends.

    Parameters
    ----------
    source
        The folder that samebits is imported from.
    """

    def __init__(self, environment: dict[str, str], source: Path = SRC) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), str(source)], env={**environment, **_NO_THREAD}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        atexit.register(self._process.communicate)

    def run(self, words: list[str], environment: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        ended = self.run_within(words, environment, cwd)
        return subprocess.CompletedProcess(words, ended.exit_code, ended.stdout.decode(), ended.stderr.decode())

    def run_typed(self, line: str, environment: dict[str, str], cwd: Path) -> str:
        """Run a line as a shell's user types it, `;` and `&&` and what follows a `|` included, and return what it shows.

        The program of this project, typed as `python -m samebits WORDS`, is forked; whatever else stands there is the shell's.
        """
        shown = ""
        for part in re.split(r"; | && ", line):
            command, _, rest = part.partition(" | ")
            if command.startswith(TYPED):
                text = self._run_shown(shlex.split(command.removeprefix(TYPED).removesuffix(" 2>&1")), environment, cwd)
                shown += _run_in_shell(rest, environment, cwd, text) if rest else text
            else:
                shown += _run_in_shell(part, environment, cwd)
        return shown

    def _run_shown(self, words: list[str], environment: dict[str, str], cwd: Path) -> str:
        with tempfile.TemporaryDirectory(prefix="samebits-warm-") as folder:
            path = Path(folder, "terminal")
            self._ask({"words": words, "environment": environment, "cwd": str(cwd), "outputs": [str(path)] * 2})
            return path.read_text(encoding="utf-8")

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"seconds": 0, "n_bytes": 0, "silence_seconds": None, **request}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def run_within(
        self,
        words: list[str],
        environment: dict[str, str],
        cwd: Path,
        seconds: float = 0,
        n_bytes: int = 0,
        silence_seconds: float | None = None,
    ) -> Ended:
        """Run one command to its end, or to the end of its seconds, or with so many bytes of address space; 0 is no limit.

        Parameters
        ----------
        silence_seconds
            For how long the server may be silent, where a test does not have the time that a user has.
        """
        with tempfile.TemporaryDirectory(prefix="samebits-warm-") as folder:
            outputs = [Path(folder, name) for name in ("stdout", "stderr")]
            request = {"words": words, "environment": environment, "cwd": str(cwd), "outputs": list(map(str, outputs))}
            answer = self._ask({**request, "seconds": seconds, "n_bytes": n_bytes, "silence_seconds": silence_seconds})
            return Ended(**answer, stdout=outputs[0].read_bytes(), stderr=outputs[1].read_bytes())

    def signal_command(self, number: int) -> None:
        """Send a signal to the command that is running; another thread waits for its end."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text(encoding="ascii").split()
        for child in children:
            os.kill(int(child), number)


def _run_in_shell(line: str, environment: dict[str, str], cwd: Path, piped: str = "") -> str:
    """Return what a line of a shell's shows, errors and all."""
    return subprocess.run(
        line, shell=True, env=environment, cwd=cwd, input=piped, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        check=False,
    ).stdout  # fmt: skip


def _import_all() -> None:
    sys.path.insert(0, sys.argv[1])
    from samebits.tracking.server import prepare_tracking

    prepare_tracking(Path(sys.argv[1]).parent)
    import mlflow.pyfunc
    import mlflow.sklearn
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    from mlflow.utils import requirements_utils

    import samebits.commands.data_pin
    import samebits.commands.diff
    import samebits.commands.report
    import samebits.commands.reproduce
    import samebits.commands.train
    import samebits.commands.verify
    import samebits.delivery.open_run
    import samebits.parcels.packing
    import samebits.proof.reuse
    import samebits.report.gallery
    import samebits.training.training  # noqa: F401

    requirements_utils._init_packages_to_modules_map()  # of what is installed, for each model that is saved
    gc.collect()
    gc.freeze()


def _become(request: dict[str, Any]) -> None:
    """Be the process that the request asks for; does not return."""
    if request["seconds"]:
        os.setpgid(0, 0)  # what it starts ends with it, where its time is over
    if request["n_bytes"]:
        resource.setrlimit(resource.RLIMIT_AS, (request["n_bytes"],) * 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where whoever started the tests ignores it
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["cwd"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(request["outputs"], start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    sys.argv = [f"{sys.argv[1]}/samebits", *request["words"]]
    sys.orig_argv = [sys.executable, *sys.argv]  # with which the program replaces itself where it must
    sys.path[0:0] = list(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    from samebits.__main__ import run_program
    from samebits.tracking import server

    server.SILENCE_SECONDS = request["silence_seconds"] or server.SILENCE_SECONDS
    if request["words"][:1] == ["-m"]:
        sys.argv = request["words"][1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        sys.exit()
    run_program()


def _serve() -> None:
    _import_all()
    assert len(list(Path("/proc/self/task").iterdir())) == 1
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
        print(json.dumps(_wait(child, json.loads(line)["seconds"])), flush=True)


def _wait(child: int, seconds: float) -> dict[str, Any]:
    started, is_over = time.monotonic(), False
    while seconds and not is_over and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.005)
        is_over = time.monotonic() - started > seconds
    if is_over:
        os.killpg(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    exit_code = TOO_LONG if is_over else os.waitstatus_to_exitcode(status)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return {
        "exit_code": exit_code,
        "seconds": time.monotonic() - started,
        "cpu_seconds": cpu_seconds,
        "peak_mib": usage.ru_maxrss / 1024,
    }


if __name__ == "__main__":
    _serve()
