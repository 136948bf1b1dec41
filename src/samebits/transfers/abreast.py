"""Several files on their way at once, as programs of buckets have them: the results in the order asked for, all given up with one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from samebits.transfers.origin import Held, Origin

AT_ONCE = 8
T = TypeVar("T")
R = TypeVar("R")


class Watch:
    """What lets a transfer end before its file does."""

    def __init__(self) -> None:
        self._is_over = threading.Event()

    def end(self) -> None:
        """Let every transfer end at its next piece."""
        self._is_over.set()

    def follow(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield pieces until that is to end.

        Raises
        ------
        InterruptedError
            It is.
        """
        for piece in pieces:
            if self._is_over.is_set():
                raise InterruptedError
            yield piece

    def follow_origin(self, origin: Origin) -> Origin:
        """Return a source whose pieces come until that is to end."""

        def read(held: Held, offset: int) -> tuple[int, Iterator[bytes]]:
            begun, pieces = origin.read(held, offset)
            return begun, self.follow(pieces)

        return replace(origin, read=read)


def run_abreast(transfer: Callable[[T, Watch], R], items: Iterable[T]) -> list[R]:
    """Return what a transfer gives for each of some items, several of them at once; the first failure, or a signal, ends all."""
    watch = Watch()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(transfer, item, watch) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            watch.end()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
