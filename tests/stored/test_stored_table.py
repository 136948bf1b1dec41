"""A table on disk answers as the `pandas.DataFrame` of the same columns does."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from samebits.errors import DataError
from samebits.stored.stored_table import StoredTable, store_column
from samebits.stored.taken_rows import ask_blocks, read_blocks, read_rows

TEXT = pd.StringDtype("python", na_value=np.nan)
FRAME = pd.DataFrame(
    {
        "number": [1.5, np.nan, -0.0, 4.0],
        "boolean": [True, False, True, True],
        "maybe": pd.Series([True, None, False, True], dtype="boolean"),
        "text": pd.Series(["b", None, "a", "b"], dtype=TEXT),
        "date": pd.to_datetime(pd.Series(["2026-01-01", None, "2026-01-03", "1700-02-03"])).astype("datetime64[us]"),
        "nothing": pd.Series([None] * 4, dtype=TEXT),
    }
)


@pytest.fixture
def table() -> StoredTable:
    return StoredTable({name: store_column(FRAME[name]) for name in FRAME}, len(FRAME), batch_rows=3)


def test_no_column_holds_a_file_open(table: StoredTable) -> None:
    """A process may have 1,024 of them, and a table more columns."""
    before = len(list(Path("/proc/self/fd").iterdir()))

    more = [store_column(FRAME["number"]) for _ in range(5)]

    assert len(list(Path("/proc/self/fd").iterdir())) == before and len(more) == 5


def test_all_rows_and_some_in_any_order_are_those_of_the_frame(table: StoredTable) -> None:
    rows = np.array([3, 1, 1])

    pd.testing.assert_frame_equal(table.read(), FRAME)
    pd.testing.assert_frame_equal(table.take(rows).read(), FRAME.take(rows))
    pd.testing.assert_frame_equal(table.take(rows).take(np.array([2, 0])).read(), FRAME.take(rows[[2, 0]]))
    pd.testing.assert_frame_equal(table[["text", "number"]].read(1, 3), FRAME[["text", "number"]].iloc[1:3])


def test_a_column_is_read_by_its_name_with_the_rows_numbers(table: StoredTable) -> None:
    for name in FRAME:
        pd.testing.assert_series_equal(table[name], FRAME[name])
        pd.testing.assert_series_equal(table.take(np.array([2, 0]))[name], FRAME[name].iloc[[2, 0]])


def test_shape_size_and_names_are_those_of_the_frame(table: StoredTable) -> None:
    some = table.take(np.array([0, 2]))

    assert (len(some), some.shape, some.size, some.columns) == (2, (2, 6), 12, list(FRAME))


def test_blocks_join_to_the_whole(table: StoredTable) -> None:
    assert [len(block) for block in read_blocks(table)] == [3, 1]
    pd.testing.assert_frame_equal(pd.concat(read_blocks(table)), FRAME)
    assert ask_blocks(lambda X: X["number"].to_numpy(), table).tolist()[2:] == [-0.0, 4.0]
    assert read_rows(FRAME) is FRAME and list(read_blocks(FRAME)) == [FRAME]


def test_a_stored_column_keeps_nothing_of_it_in_memory() -> None:
    values = np.arange(1000.0)
    kept = weakref.ref(values)
    column = store_column(pd.Series(values, copy=False))

    del values
    gc.collect()

    assert kept() is None and column.read(slice(1, 3)).tolist() == [1.0, 2.0]


def test_a_table_of_no_rows_is_one_empty_block(table: StoredTable) -> None:
    assert [len(block) for block in read_blocks(table.take(np.array([], dtype=np.int64)))] == [0]


def test_a_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, _: object) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("samebits.stored.stored_table.open_scratch", Full)

    with pytest.raises(DataError, match=r"no room left.*TMPDIR"):
        store_column(FRAME["number"])


def test_a_folder_for_scratch_that_cannot_be_made_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "file" / "below"))

    with pytest.raises(DataError, match="TMPDIR"):
        store_column(FRAME["number"])
