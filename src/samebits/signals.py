"""Signals that ask this process to end, and the moments in which they must wait or go unheard, so that nothing is left half done."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
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


def ignore_signals() -> None:
    """Hear no further one: what the first one asked for is being done."""
    with contextlib.suppress(ValueError):
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
