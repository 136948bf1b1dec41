from __future__ import annotations

import pytest

from samebits.candidates.progress import Progress
from samebits.voice import Voice, ignore


class Clock:
    """Stands still but for what a test lets pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)


def test_a_candidate_is_said_once_with_its_last_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    said: list[str] = []
    progress = Progress(Voice(ignore, said.append), {"a": 2, "b": 1})

    progress.note("a", 0.5, 1.0)
    progress.note("b", 0.25, 4.0)
    progress.note("a", 0.7, 1.5)

    assert said == ["scored b 0.250000, 4.0 s", "scored a 0.600000 ± 0.100000 over 2 folds, 2.5 s"]


def test_an_error_is_said_without_the_sign_that_makes_it_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    said: list[str] = []

    Progress(Voice(ignore, said.append), {"a": 1}, "neg_root_mean_squared_error").note("a", -2.5, 1.0)

    assert said == ["scored a rmse 2.500000, 1.0 s"]


def test_what_is_left_is_reckoned_from_each_candidates_own_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    shown: list[str] = []
    progress = Progress(Voice(ignore, ignore, shown.append), {"quick": 3, "slow": 3})

    clock.now += 11 / 2  # two at a time
    progress.note("quick", 0.5, 1.0)
    progress.note("slow", 0.5, 10.0)

    assert shown[-1] == "scored 2 of 6 folds in 6 s, about 11 s left"


def test_where_no_line_can_be_replaced_only_a_long_silence_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    said: list[str] = []
    progress = Progress(Voice(ignore, said.append), {"a": 9})

    for seconds in (10, 10, 10, 10, 10):
        clock.now += seconds
        progress.note("a", 0.5, seconds)

    assert said == ["scored 4 of 9 folds in 40 s, about 50 s left"]


def test_what_was_to_be_written_over_is_taken_away_however_it_ends() -> None:
    shown: list[str] = []

    with pytest.raises(ValueError, match="bad fold"), Progress(Voice(ignore, ignore, shown.append), {"a": 3}) as progress:
        progress.note("a", 0.5, 1.0)
        raise ValueError("bad fold")

    assert shown[-1] == ""
