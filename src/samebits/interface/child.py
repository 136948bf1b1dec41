"""A samebits process, started afresh and awaited: what it says is shown as it comes, what it answers is one JSON document.

The numbers are pinned before NumPy is imported, which in a notebook's kernel was long ago: therefore a process of its own. What it
refuses is raised here with the same sentence. An interrupt is handed down, and waited for: the process closes its run first.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import IO, Any

from samebits import errors
from samebits.errors import EXIT_BUG, EXIT_WAITING, Problem, SamebitsError
from samebits.project import PACKAGE, is_checkout
from samebits.text import warn
from samebits.verdicts import EXIT_CODES

_ANSWERED = (*EXIT_CODES.values(), EXIT_WAITING)
_PIECE = 1 << 16
_PAUSE_SECONDS = 1.0  # after which it is asked whether the process has ended, though something of its holds a pipe open
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)  # one for each time that somebody interrupts


def ask_command(*words: str) -> Any:
    """Run a command of samebits that prints JSON, and return what it printed.

    Raises
    ------
    SamebitsError
        What the command refuses, in its own class.
    RuntimeError
        It ended by a bug, or was ended from outside.
    KeyboardInterrupt
        Somebody interrupted, and the command has closed its run.
    """
    program = [str(PACKAGE)] if is_checkout() else ["-P", "-m", PACKAGE.name]
    return _ask(f"samebits {words[0]}", [sys.executable, *program, *words], {})


def ask_module(name: str, *words: str) -> Any:
    """Run a module of this package as a program that prints JSON, and return what it printed; raises as `ask_command` does."""
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]))
    return _ask(name, [sys.executable, "-P", "-m", f"{PACKAGE.name}.{name}", *words], {"PYTHONPATH": path})


def _ask(what: str, command: list[str], variables: dict[str, str]) -> Any:
    kept = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}  # the kernel's own, which draws into it
    process = subprocess.Popen(
        command, env={**kept, "PYTHONIOENCODING": "utf-8", **variables}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    listener = _Listener(process)
    with contextlib.ExitStack() as stack:
        for stream in listener.streams:
            stack.enter_context(stream)
        try:
            listener.listen()
            exit_code = process.wait()
        except BaseException:
            _stop(process, listener)
            raise
    return _take_answer(what, exit_code, listener)


def _stop(process: subprocess.Popen[bytes], listener: _Listener) -> None:
    """Ask the process to end, and wait until it has; whoever interrupts again is more urgent."""
    for number in _STOPS:
        with contextlib.suppress(KeyboardInterrupt):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number) if number == signal.SIGKILL else process.send_signal(number)
            listener.listen()
            process.wait()
            return


def _take_answer(what: str, exit_code: int, listener: _Listener) -> Any:
    answer = listener.read_answer()
    if isinstance(answer, dict) and "error" in answer:
        raise read_error(answer["error"])
    if exit_code in _ANSWERED and answer is not None:
        return answer
    if exit_code == EXIT_BUG:
        raise RuntimeError(f"{what} ended by a bug of samebits: what it said stands above")
    ended = f"it was ended by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    found = f"{ended}: {listener.last_line or 'it said nothing'}"
    raise SamebitsError(Problem(what, "an answer", found, "Run it at the command line to see more."))


def read_error(document: dict[str, Any]) -> SamebitsError:
    """Return the exception that a process described by `SamebitsError.as_document`."""
    kind = getattr(errors, str(document.get("class")), SamebitsError)
    is_ours = isinstance(kind, type) and issubclass(kind, SamebitsError)
    error: SamebitsError = (kind if is_ours else SamebitsError)(*(Problem(**problem) for problem in document["problems"]))
    return error


@dataclass
class _Listener:
    """What a process answers on stdout, kept, and what it says on stderr, shown; what is raised as an error is not shown as well."""

    process: subprocess.Popen[bytes]
    last_line: str = ""
    _answer: bytearray = field(default_factory=bytearray)
    _begun: bytearray = field(default_factory=bytearray)

    @property
    def streams(self) -> list[IO[bytes]]:
        """What the process prints, the answer first: it may be an error that is then not shown as well."""
        return [stream for stream in (self.process.stdout, self.process.stderr) if stream is not None]

    def listen(self) -> None:
        """Hear the process until it ends; again, where that was interrupted."""
        with selectors.DefaultSelector() as selector:
            for stream in self.streams:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                ready = [key.fileobj for key, _ in selector.select(_PAUSE_SECONDS)]
                if not ready and self.process.poll() is not None:
                    return
                for stream in (stream for stream in self.streams if stream in ready):
                    if not self._take(os.read(stream.fileno(), _PIECE), stream is self.process.stdout):
                        selector.unregister(stream)

    def _take(self, piece: bytes, is_answer: bool) -> bool:
        if is_answer:
            self._answer += piece
            return bool(piece)
        self._begun += piece or b"\n"
        *lines, rest = self._begun.split(b"\n")
        self._begun = bytearray(rest)
        for line in filter(None, (line.decode("utf-8", "replace") for line in lines)):
            self._show(line)
        return bool(piece)

    def _show(self, line: str) -> None:
        self.last_line = line
        answer = self.read_answer()
        if not (isinstance(answer, dict) and "error" in answer and line in read_error(answer["error"]).list_sentences()):
            warn(line)

    def read_answer(self) -> Any:
        """Return what was answered; None where nothing was, or not all of it yet."""
        try:
            return json.loads(self._answer) if self._answer else None
        except ValueError:
            return None
