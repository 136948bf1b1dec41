"""A table whose rows are read some at a time has the columns that it has when it is read whole, and is refused in the same words."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebits.errors import DataError, Problem
from samebits.keys.table import Read
from samebits.table.reading import read_table

NUMBERS = ["1", "2.5", "", "0017", "-0", "1e400", "9007199254740993", "123456789012345678901234567890", "1e300"]
WORDS = ["", "NA", "x", "é", "True", "FALSE", "2026-01-02", "2026-01-02T03:04:05Z", "1,5", "x y"]
CELLS = st.sampled_from(NUMBERS) | st.sampled_from(WORDS)
COLUMNS = st.integers(1, 9).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=3))


def read(path: Path, batch_rows: int | None, **keys: Any) -> Any:
    """Return the columns in canonical form, or what is said of them."""
    settings = Read.model_validate(keys)
    try:
        table = read_table([path], [None], settings, batch_rows)
        columns = table.canonicalise(table.names, settings)
    except DataError as error:
        return str(error)
    facts = {name: (one.kind, one.is_whole, one.words, one.unit, one.zone) for name, one in columns.items()}
    return facts, [source.digest for source in table.sources], table.parts, {name: one.values for name, one in columns.items()}


def assert_same(found: Any, expected: Any) -> None:
    if isinstance(expected, str):
        assert found == expected
        return
    assert found[:3] == expected[:3] and [*found[3]] == [*expected[3]]
    for name, values in expected[3].items():
        pd.testing.assert_series_equal(found[3][name], values)
        if values.dtype == np.float64:
            assert np.signbit(found[3][name]).tolist() == np.signbit(values).tolist()


@given(COLUMNS, st.integers(1, 4))
def test_columns_are_those_of_the_whole_text(
    tmp_path_factory: pytest.TempPathFactory, columns: list[list[str]], batch_rows: int
) -> None:
    path = tmp_path_factory.mktemp("text") / "t.csv"
    names = [f"c{number}" for number in range(len(columns))]
    rows = [names, *zip(*columns, strict=True)]
    path.write_text("".join(",".join(f'"{cell}"' if "," in cell else cell for cell in row) + "\n" for row in rows), encoding="utf-8")

    assert_same(read(path, batch_rows), read(path, None))


@pytest.mark.parametrize(
    ("rows", "signed"), [(["-0", "5", "1.5", "2"], [0]), (["-0", "", "1.5", "-0.0"], [0, 3]), (["-0", "5", "", "7"], [])]
)
def test_a_zero_keeps_the_sign_that_it_has_in_the_whole_column(tmp_path: Path, rows: list[str], signed: list[int]) -> None:
    (tmp_path / "a.csv").write_text("n,t\n" + "".join(f"{row},x\n" for row in rows))
    (tmp_path / "b.csv").write_text("n,t\n-0,x\n1,y\n")  # whole numbers alone, whose zero has no sign

    found = read(tmp_path, 2)

    assert_same(found, read(tmp_path, None))
    assert np.flatnonzero(np.signbit(found[3]["n"])).tolist() == signed


def test_booleans_of_which_some_are_missing_stay_booleans(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("b,t\nTrue,x\n,x\nFalse,x\nTrue,x\n")

    assert_same(read(tmp_path / "t.csv", 2), read(tmp_path / "t.csv", None))


@pytest.mark.parametrize("keys", [{"types": {"n": "boolean"}}, {"na_values": [1]}])
def test_integers_beyond_floating_point_are_refused_in_the_same_words(tmp_path: Path, keys: dict[str, Any]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("n\n1\n2\n9007199254740993\n")

    assert "such as 9007199254740993" in read(path, None, **keys)
    assert read(path, 1, **keys) == read(path, None, **keys)


def test_the_parts_of_a_folder_are_joined_and_counted_by_file(tmp_path: Path) -> None:
    for name, rows in (("a.csv", "1,x\n2,y\n3,x\n"), ("b.csv", "007,x\n8,\n")):
        (tmp_path / name).write_text(f"n,t\n{rows}")

    found = read(tmp_path, 2)

    assert_same(found, read(tmp_path, None))
    assert found[2] == [("a.csv", 3), ("b.csv", 2)]


def test_a_short_row_in_a_later_batch_is_refused_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3,4\n5,6\n7\n8,9\n")

    assert "line 5" in read(path, 2)
    assert_same(read(path, 2, allow_short_rows=True), read(path, None, allow_short_rows=True))


@pytest.mark.parametrize("kind", ["plain", "pandas with a named index", "categories", "no rows in a group"])
def test_columns_are_those_of_the_whole_parquet_file(tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame({"n": [1.5, None, 3.0, 4.0, 5.0], "w": [1, 2, 3, 5, 4], "t": ["a", None, "b", "a", "c"]})
    frame["d"] = pd.to_datetime(["2026-01-01", None, "2026-01-03", "2026-01-04", "2026-01-05"])
    frame["b"] = [True, False, None, True, False]
    if kind == "categories":
        frame["t"] = frame["t"].astype("category")
    if kind == "pandas with a named index":
        frame = frame.set_index("w")
    table = pa.Table.from_pandas(frame)
    with pq.ParquetWriter(tmp_path / "t.parquet", table.schema) as writer:
        for part in (table.slice(0, 2), *([table.slice(0, 0)] if kind == "no rows in a group" else []), table.slice(2)):
            writer.write_table(part)

    found = read(tmp_path / "t.parquet", 2)

    assert_same(found, read(tmp_path / "t.parquet", None))
    assert next(iter(found[3])) == ("w" if kind == "pandas with a named index" else "n")


def test_a_parquet_file_without_rows_or_that_is_none_is_refused_alike(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "empty.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1" + b"x" * 40 + b"PAR1")

    for name in ("empty.parquet", "broken.parquet"):
        assert read(tmp_path / name, 2) == read(tmp_path / name, None)


def test_a_parquet_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1, 2, 3]}), path)

    def change(*arguments: Any) -> pa.Table:
        pq.write_table(pa.table({"a": [1, 2, 4]}), path)
        return pa.table({"a": [1, 2, 3]})

    monkeypatch.setattr("samebits.table.reading.store_typed", change)

    assert "stays as it is" in read(path, 2)


def test_what_a_column_is_kept_in_refuses_for_all_columns_at_once(tmp_path: Path) -> None:
    """A disk that is full is so for the next column too."""
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    settings = Read()
    table = read_table([tmp_path / "t.csv"], [None], settings, 1)

    def refuse(name: str, column: Any) -> Any:
        raise DataError(Problem(name, "room", "none", "Make some."))

    with pytest.raises(DataError) as caught:
        table.canonicalise(table.names, settings, refuse)
    assert len(caught.value.problems) == 1
