"""Mapped arrays have the same values, and what is given back of them is read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from samebits.stored import mapped_arrays
from samebits.stored.mapped_arrays import list_plain, map_arrays, put_in
from samebits.stored.taken_rows import read_rows, take_rows

FRAME = pd.DataFrame(
    {
        "number": [1.5, np.nan, -0.0],
        "boolean": [True, False, True],
        "text": pd.Series(["b", None, "a"], dtype=pd.StringDtype("python", na_value=np.nan)),
        "maybe": pd.Series([True, None, False], dtype="boolean"),
        "date": pd.to_datetime(pd.Series(["2026-01-01", None, "1700-02-03"])).astype("datetime64[us]"),
    },
).set_axis([4, 9, 2])
ARRAYS = [
    np.arange(5),
    np.array(["yes", "n"]),
    np.empty(0, dtype=np.int64),
    np.array([[0.5], [np.nan]]),
    np.array([True]),
    np.empty(0),
]


def test_mapped_arrays_are_the_arrays_and_stay_so_when_their_memory_is_given_back() -> None:
    mapped, pages = map_arrays(ARRAYS)

    assert pages is not None
    for _ in range(2):
        for array, found in zip(ARRAYS, mapped, strict=True):
            np.testing.assert_array_equal(found, array)
            assert (found.dtype, found.shape, found.flags.writeable and found.size > 0) == (array.dtype, array.shape, False)
        pages.release()


def test_a_table_with_mapped_columns_is_the_table() -> None:
    plain = list_plain(FRAME)
    mapped, pages = map_arrays([*plain.values()])
    table = put_in(FRAME, dict(zip(plain, mapped, strict=True)))

    assert list(plain) == ["number", "boolean", "date"] and pages is not None
    pages.release()
    pd.testing.assert_frame_equal(table, FRAME)
    assert np.shares_memory(table["number"].to_numpy(), mapped[0])


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not tell what is in memory")
def test_taking_rows_gives_the_tables_memory_back() -> None:
    large = pd.DataFrame({f"x{place}": np.arange(200_000.0) for place in range(8)})
    mapped, pages = map_arrays([*list_plain(large).values()])
    table = put_in(large, dict(zip(large.columns, mapped, strict=True)))
    rows = np.arange(0, 200_000, 2)

    table.sum()
    assert count_bytes() > 12_000_000
    pd.testing.assert_frame_equal(read_rows(take_rows(table, rows, pages)), large.take(rows))
    assert count_bytes() < 1_000_000


def count_bytes() -> int:
    """Return the bytes in memory of shared maps of files that have no name any more, or never had one."""
    is_counted, total = False, 0
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if not line.split(" ", 1)[0].endswith(":"):
            is_counted = line.endswith("(deleted)") and " r--s " in line
        elif is_counted and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


def test_where_there_is_no_room_and_where_there_is_nothing_the_arrays_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert map_arrays([ARRAYS[2]]) == ([ARRAYS[2]], None)

    def fail() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mapped_arrays, "open_scratch", fail)
    found, pages = map_arrays(ARRAYS)
    assert pages is None and all(one is array for one, array in zip(found, ARRAYS, strict=True))
