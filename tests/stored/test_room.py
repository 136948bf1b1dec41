"""What is said of memory before a table is read into it."""

import subprocess
import sys
from pathlib import Path

import pytest

from samebits.errors import DataError
from samebits.stored import room
from samebits.stored.room import count_rows_that_fit, judge_room, read_available_bytes


def write(folder: Path, n_bytes: int) -> Path:
    path = folder / "t.csv"
    path.write_bytes(b"x" * n_bytes)
    return path


def give(monkeypatch: pytest.MonkeyPatch, n_bytes: int) -> None:
    monkeypatch.setattr(room, "read_available_bytes", lambda: n_bytes)


def test_a_table_that_fits_costs_no_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, 10_000)

    assert judge_room([write(tmp_path, 1000)]) is None


def test_one_that_may_not_fit_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, 9_999)

    assert "batches: {rows: 500000}" in str(judge_room([write(tmp_path, 1000)]))


def test_one_that_cannot_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, 499)

    with pytest.raises(DataError, match=r"batches: \{rows: 500000\}"):
        judge_room([write(tmp_path, 1000)])


def test_rows_that_fit_are_told_to_two_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, 80 * 10 * 123_456)

    assert count_rows_that_fit(10) == 120_000


def test_this_machines_memory_is_a_number_of_bytes() -> None:
    assert 1 << 24 < read_available_bytes() < 1 << 50


def test_memory_of_a_freed_array_is_the_systems_again() -> None:
    """In a process of its own, since the setting stays."""
    script = """
import gc, sys
import numpy as np
from samebits.stored.room import return_memory_at_once
def read_anonymous():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))
return_memory_at_once()
for size in (4, 8, 16, 24):  # each freed one raises what glibc keeps
    np.ones(size << 17)
before = read_anonymous()
kept = [np.ones(2 << 17) for _ in range(40)]
last = np.ones(10)
del kept
print(read_anonymous() - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 20_000  # kilobytes, of 80,000
