"""Rows taken from a table, in memory or on disk, are those that `pandas.DataFrame.take` gives; they are copied when they are asked for."""

import gc
import weakref

import numpy as np
import pandas as pd
import pytest

from samebits.stored.stored_table import StoredTable, store_column
from samebits.stored.taken_rows import Rows, TakenRows, ask_blocks, copy_rows, read_blocks, read_rows, take_rows

FRAME = pd.DataFrame({"number": [1.5, np.nan, -0.0, 4.0, 5.0], "date": pd.date_range("2026-01-01", periods=5)}, index=[7, 5, 3, 1, 9])
ROWS = np.array([4, 0, 2, 3])


def store(frame: pd.DataFrame) -> StoredTable:
    return StoredTable({str(name): store_column(frame[name]) for name in frame}, len(frame), batch_rows=3)


def test_rows_that_are_taken_are_those_of_pandas() -> None:
    taken = take_rows(FRAME, ROWS)
    again = taken.take(np.array([3, 1]))

    expected = FRAME.take(ROWS)
    pd.testing.assert_frame_equal(read_rows(taken), expected)
    pd.testing.assert_frame_equal(read_rows(again), expected.take([3, 1]))
    pd.testing.assert_frame_equal(taken.read(1, 3), expected.iloc[1:3])
    pd.testing.assert_series_equal(taken["date"], expected["date"])
    assert (len(taken), taken.shape, taken.size, list(taken.columns)) == (4, (4, 2), 8, ["number", "date"])


def test_taking_rows_copies_nothing_and_what_is_copied_is_its_own() -> None:
    taken = take_rows(FRAME, ROWS)
    copied = read_rows(taken)
    kept = weakref.ref(copied)

    copied.loc[7, "number"] = 99.0
    assert isinstance(taken, TakenRows) and taken.frame is FRAME
    assert FRAME.loc[7, "number"] == 1.5 and read_rows(taken).loc[7, "number"] == 1.5
    del copied
    gc.collect()
    assert kept() is None


def test_a_copy_is_in_memory_and_what_is_on_disk_stays_there() -> None:
    on_disk = take_rows(store(FRAME), ROWS)

    assert isinstance(on_disk, StoredTable) and copy_rows(on_disk) is on_disk
    assert copy_rows(FRAME) is FRAME
    pd.testing.assert_frame_equal(copy_rows(take_rows(FRAME, ROWS)), FRAME.take(ROWS))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("table", "lengths"),
    [
        (FRAME, [5]),
        (TakenRows(FRAME, ROWS), [4]),
        (TakenRows(FRAME, ROWS, block_rows=3), [3, 1]),
        (TakenRows(FRAME, ROWS[:0], block_rows=3), [0]),
        (TakenRows(FRAME, ROWS[:0]), [0]),
        (store(FRAME).take(ROWS), [3, 1]),
    ],
)
def test_blocks_join_to_the_whole(table: Rows, lengths: list[int]) -> None:
    blocks = list(read_blocks(table))

    assert [len(block) for block in blocks] == lengths
    expected = read_rows(table)["number"].to_numpy()
    np.testing.assert_array_equal(ask_blocks(lambda X: X["number"].to_numpy(), table), expected)
