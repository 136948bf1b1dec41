"""Signals that ask a process to end: the moments in which they must wait or go unheard, and the end of what this process started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from types import FrameType

# From the keyboard, a shell that ends, and a batch system that gives notice: whichever would end the process without a word.
ENDING = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU, signal.SIGALRM),
)


@contextlib.contextmanager
def hold_signals() -> Iterator[None]:
    """Let signals wait until the block is through; the first one is raised then."""
    held: list[int] = []

    def hold(number: int, _: FrameType | None) -> None:
        held.append(number)

    handlers = {number: signal.getsignal(number) for number in ENDING}
    with contextlib.suppress(ValueError):  # only the main thread hears signals
        for number, handler in handlers.items():
            if callable(handler):  # not where it is ignored, or ends this process at once
                signal.signal(number, hold)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])


@contextlib.contextmanager
def ended_with_us(patience_seconds: float) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Where the block is interrupted or fails, end the processes that were put into the list, each with all that it started."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        yield processes
    except BaseException as error:
        if not isinstance(error, Exception):  # after a failure there is more to come, which may be interrupted later
            ignore_signals()
        end_groups(processes, patience_seconds)
        raise


def end_groups(processes: Sequence[subprocess.Popen[bytes]], patience_seconds: float) -> None:
    """Ask processes that lead groups of their own to end, with all that they started; kill what is there after that long each."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience_seconds)


def ignore_signals() -> None:
    """Hear no further one: what the first one asked for is being done."""
    with contextlib.suppress(ValueError):
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
