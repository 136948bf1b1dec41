from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from samebits.errors import DataError, Problem
from samebits.transfers.abreast import AT_ONCE, Watch, run_abreast
from samebits.transfers.origin import Held, Origin


def test_several_are_on_their_way_at_once_and_come_in_the_order_asked_for() -> None:
    together = threading.Barrier(AT_ONCE, timeout=60)

    def transfer(item: int, _: Watch) -> int:
        together.wait()
        return item * 10

    assert run_abreast(transfer, range(AT_ONCE)) == [item * 10 for item in range(AT_ONCE)]


def test_the_first_failure_ends_those_that_are_on_their_way_and_none_begins_after_it() -> None:
    begun: list[int] = []
    together = threading.Barrier(AT_ONCE, timeout=60)

    def transfer(item: int, watch: Watch) -> None:
        begun.append(item)
        if item < AT_ONCE:
            together.wait()
        if item == 0:
            raise DataError(Problem("a", "b", "c", "d"))
        for _ in watch.follow(itertools.repeat(b"x")):  # without end
            pass

    with pytest.raises(DataError, match="expected b"):
        run_abreast(transfer, range(5 * AT_ONCE))

    assert len(begun) < 5 * AT_ONCE


def test_a_source_that_is_followed_gives_its_pieces_until_that_is_to_end() -> None:
    watch = Watch()

    def read(_: Held, offset: int) -> tuple[int, Iterator[bytes]]:
        return offset, iter([b"a", b"b", b"c"])

    begun, pieces = watch.follow_origin(Origin("x", lambda: Held(3, None), read)).read(Held(3, None), 7)

    assert (begun, next(pieces)) == (7, b"a")
    watch.end()
    with pytest.raises(InterruptedError):
        next(pieces)
