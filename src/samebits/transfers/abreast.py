"""Several files on their way at once, as a bucket's own programs have them: one after the other, each waits for an answer.

What a transfer has in hand when all are given up ends at its next piece, and leaves nothing under a final name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TypeVar

from samebits.transfers.origin import Held, Origin

AT_ONCE = 8
K = TypeVar("K")
T = TypeVar("T")
R = TypeVar("R")


class Watch:
    """What lets a transfer end between two pieces of its file."""

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


def run_abreast(transfer: Callable[[K, T, Watch], R], items: Mapping[K, T]) -> dict[K, R]:
    """Return what a transfer gives for each of some items, several of them at once.

    The first failure ends those that are on their way, which is waited for. A signal ends them too, and waits for nobody: one of them
    may wait for another process, or for an answer that never comes.
    """
    watch, pool = Watch(), ThreadPoolExecutor(AT_ONCE)
    try:
        futures = {key: pool.submit(transfer, key, item, watch) for key, item in items.items()}
        done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
        for future in futures.values():
            if future in done:
                future.result()  # raises what it failed with
        return {key: future.result() for key, future in futures.items()}
    except Exception:
        watch.end()
        pool.shutdown(cancel_futures=True)
        raise
    finally:
        watch.end()
        pool.shutdown(wait=False, cancel_futures=True)
