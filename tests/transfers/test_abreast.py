from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from samebits.errors import DataError, Problem
from samebits.transfers import abreast
from samebits.transfers.abreast import AT_ONCE, Watch, run_abreast
from samebits.transfers.origin import Held, Origin

MANY = dict.fromkeys(range(5 * AT_ONCE))


def test_several_are_on_their_way_at_once_and_come_under_their_names() -> None:
    together = threading.Barrier(AT_ONCE, timeout=60)

    def transfer(key: str, item: int, _: Watch) -> str:
        together.wait()
        return key * item

    assert run_abreast(transfer, dict.fromkeys("hgfedcba", 2)) == {letter: 2 * letter for letter in "hgfedcba"}


@pytest.mark.parametrize("failing", [0, 3])
def test_the_first_failure_ends_those_that_are_on_their_way_and_most_never_begin(failing: int) -> None:
    begun: list[int] = []
    together = threading.Barrier(AT_ONCE, timeout=60)

    def transfer(key: int, _: None, watch: Watch) -> None:
        begun.append(key)
        if key < AT_ONCE:
            together.wait()
        if key == failing:
            raise DataError(Problem("a", "b", "c", "d"))
        for _piece in watch.follow(itertools.repeat(b"x")):  # without end
            time.sleep(0.001)

    with pytest.raises(DataError, match="expected b"):
        run_abreast(transfer, MANY)

    assert len(begun) <= 2 * AT_ONCE


@pytest.mark.parametrize("moment", ["as they are handed out", "as they are waited for"])
def test_a_signal_waits_for_nobody_and_no_other_begins(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    begun, may_end = list[int](), threading.Event()

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def transfer(key: int, _: None, __: Watch) -> None:
        begun.append(key)
        may_end.wait()  # as for another process, or for an answer

    class Items(dict[int, None]):
        def items(self) -> Iterator[tuple[int, None]]:  # type: ignore[override]
            yield from itertools.islice(super().items(), 20)
            interrupt()

    monkeypatch.setattr(abreast, "wait", interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_abreast(transfer, Items(MANY) if "handed" in moment else MANY)
    finally:
        may_end.set()

    assert len(begun) <= 2 * AT_ONCE


def test_a_source_that_is_followed_gives_its_pieces_until_that_is_to_end() -> None:
    watch = Watch()

    def read(_: Held, offset: int) -> tuple[int, Iterator[bytes]]:
        return offset, iter([b"a", b"b", b"c"])

    begun, pieces = watch.follow_origin(Origin("x", lambda: Held(3, None), read)).read(Held(3, None), 7)

    assert (begun, next(pieces)) == (7, b"a")
    watch.end()
    with pytest.raises(InterruptedError):
        next(pieces)
