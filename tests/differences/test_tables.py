from __future__ import annotations

import datetime
import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from samebits.differences.tables import TableDifference, compare_tables, read_plain_table
from samebits.errors import DataError
from samebits.keys.table import Read
from samebits.table import formats

N_ROWS = 20_000


def write_and_read(path: Path, content: str | bytes, **read: Any) -> dict[str, list[str]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return read_plain_table(path, Read(**read)).to_dict("list")


READS: list[tuple[str, bytes, dict[str, Any], dict[str, list[str]]]] = [
    ("as written", b"x,y\n1.50,TRUE\n007,2026-01-01\n", {}, {"x": ["1.50", "007"], "y": ["TRUE", "2026-01-01"]}),
    ("no word is missing", b"x,y\nNA,\nnull,N/A\n", {}, {"x": ["NA", "null"], "y": ["", "N/A"]}),
    ("spaces", b"x,y\n 1, a \n", {}, {"x": [" 1"], "y": [" a "]}),
    ("too few fields", b"x,y\n1\n", {}, {"x": ["1"], "y": [""]}),
    ("quotes", b"x,y\n'a,b',2\n", {"quotechar": "'"}, {"x": ["a,b"], "y": ["2"]}),
    ("separator", b"x;y\n1,5;2\n", {"sep": ";", "decimal": ",", "thousands": "."}, {"x": ["1,5"], "y": ["2"]}),
    ("two characters between", b"x::y\n1::2\n", {"sep": "::"}, {"x": ["1"], "y": ["2"]}),
    ("a pattern between", b"x||y\n1||2\n3\n", {"sep": r"\|\|"}, {"x": ["1", "3"], "y": ["2", ""]}),
    ("blanks between", b"x  y\n1   2\n", {"sep": r"\s+"}, {"x": ["1"], "y": ["2"]}),
    ("cp1252", "é\nü\n".encode("cp1252"), {"encoding": "cp1252"}, {"é": ["ü"]}),
    ("byte-order mark", b"\xef\xbb\xbfx\n1\n", {}, {"x": ["1"]}),
    ("CRLF", b"x\r\n1\r\n", {}, {"x": ["1"]}),
    ("comment and lines before", b"report\n# by hand\nx\n1\n", {"comment": "#", "skip_rows": 1}, {"x": ["1"]}),
    ("missing values and types of the config", b"x\n-200\n1\n", {"na_values": [-200], "types": {"x": "number"}}, {"x": ["-200", "1"]}),
    ("a header alone", b"x,y\n", {}, {"x": [], "y": []}),
]  # fmt: skip


@pytest.mark.parametrize(("content", "read", "columns"), [case[1:] for case in READS], ids=[case[0] for case in READS])
def test_every_cell_is_the_text_that_was_written(
    tmp_path: Path, content: bytes, read: dict[str, Any], columns: dict[str, list[str]]
) -> None:
    assert write_and_read(tmp_path / "a.csv", content, **read) == columns


def test_a_parquet_files_cells_are_their_values_and_a_missing_one_changes_no_other(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "float": [0.1, np.nan],
            "single": np.array([0.1, 2], dtype="float32"),
            "whole": pd.array([1, None], dtype="Int64"),
            "flag": pd.array([True, None], dtype="boolean"),
            "category": pd.Categorical(["a", None]),
            "when": pd.to_datetime(["2026-01-01T00:00:00Z", None]),
            "day": [datetime.date(2026, 1, 1), None],
            "list": [[1] * 2000, None],
        }
    )
    frame.index.name = "id"
    frame.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").rename(tmp_path / "a")

    columns = read_plain_table(tmp_path / "a", Read(format="parquet")).to_dict("list")

    assert columns.pop("list") == [str([1] * 2000), ""]
    assert columns == {
        "id": ["0", "1"], "float": ["0.1", ""], "single": [str(float(np.float32(0.1))), "2.0"], "whole": ["1", ""], "flag": ["True", ""],
        "category": ["a", ""], "when": ["2026-01-01 00:00:00+00:00", ""], "day": ["2026-01-01", ""],
    }  # fmt: skip


@pytest.mark.parametrize("suffix", [".parquet", ".PQ"])
def test_parquet_is_told_by_its_suffix(tmp_path: Path, suffix: str) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "a")
    path = (tmp_path / "a").rename(tmp_path / f"a{suffix}")

    assert read_plain_table(path, Read()).to_dict("list") == {"x": ["1"]}


def test_a_csv_may_have_parquets_suffix(tmp_path: Path) -> None:
    assert write_and_read(tmp_path / "a.parquet", "x\n1\n", format="csv") == {"x": ["1"]}


def test_nan_in_a_parquet_file_is_missing_and_an_empty_file_is_of_text_too(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1.0, float("nan")]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": pa.array([], pa.int64())}), tmp_path / "empty.parquet")

    full, empty = (read_plain_table(tmp_path / name, Read()) for name in ("a.parquet", "empty.parquet"))

    assert full.to_dict("list") == {"x": ["1.0", ""]}
    assert empty.dtypes.tolist() == full.dtypes.tolist()
    assert compare_tables(empty, full, []).rows_added == 2


def test_a_folder_is_its_files_one_after_the_other(tmp_path: Path) -> None:
    for name, content in (("b.csv", "x\n2\n"), ("a.csv", "x\n1\n"), (".hidden", "z\n3\n")):
        (tmp_path / name).write_text(content, encoding="utf-8")

    frame = read_plain_table(tmp_path, Read())

    assert frame.to_dict("list") == {"x": ["1", "2"]}
    assert frame.index.tolist() == [0, 1]


UNREADABLE: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("empty", b"", {}, "a.csv: expected a table as data.read says, found No columns to parse from file. Check data.read"),
    ("too many fields", b"x,y\n1,2,3\n", {}, "found Length of header or names does not match"),
    ("an open quote", b'x,y\n"1,2\n', {}, "found Error tokenizing data"),
    ("not UTF-8", b"x\n\xff\n", {}, "can't decode byte 0xff"),
    ("no such encoding", b"x\n1\n", {"encoding": "nonsense"}, "found unknown encoding: nonsense"),
    ("no Parquet", b"x\n1\n", {"format": "parquet"}, "Parquet"),
]


@pytest.mark.parametrize(("content", "read", "message"), [case[1:] for case in UNREADABLE], ids=[case[0] for case in UNREADABLE])
def test_what_cannot_be_parsed_is_refused(tmp_path: Path, content: bytes, read: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        write_and_read(tmp_path / "a.csv", content, **read)


def test_what_is_not_there_or_not_readable_or_not_one_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.csv").write_text("x,y\n", encoding="utf-8")
    (tmp_path / "parts" / "b.csv").write_text("x,z\n", encoding="utf-8")

    with pytest.raises(DataError, match="found no such file"):
        read_plain_table(tmp_path / "nothing.csv", Read())
    with pytest.raises(DataError, match="found an empty folder"):
        read_plain_table(tmp_path / "empty", Read())
    with pytest.raises(DataError, match=r"b\.csv: expected the columns of a\.csv, found x, z\."):
        read_plain_table(tmp_path / "parts", Read())


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.symlink_to(path)

    with pytest.raises(DataError, match="expected a readable file, found Too many levels of symbolic links"):
        read_plain_table(path, Read())


def make_table(n_rows: int = N_ROWS) -> pd.DataFrame:
    """A table of text whose rows are named by `id` and by nothing else."""
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 365, n_rows), unit="D")
    return pd.DataFrame(
        {
            "size": rng.normal(10, 2, n_rows).round(9).astype(str),
            "flag": rng.choice(["TRUE", "FALSE"], n_rows),
            "day": days.strftime("%Y-%m-%d"),
            "id": [f"c{i}" for i in rng.permutation(n_rows)],
            "kind": rng.choice(["a", "b", ""], n_rows),
        },
        dtype="str",
    )


TABLE = make_table()
KEYLESS = TABLE.drop(columns="id")


def change(table: pd.DataFrame, row: int, column: str, value: str) -> pd.DataFrame:
    changed = table.copy()
    changed.loc[row, column] = value
    return changed


@pytest.mark.parametrize("table", [TABLE, KEYLESS, TABLE.head(0), TABLE[[]]], ids=["keyed", "keyless", "no rows", "no columns"])
def test_a_table_has_no_difference_from_itself(table: pd.DataFrame) -> None:
    difference = compare_tables(table, table.copy(), ["id"])

    assert difference.is_equal
    assert difference.examples == []
    assert difference.changed_by_column == {}


@pytest.mark.parametrize("keys", [["id"], [], ["kind", "absent"]], ids=["named", "found", "named in vain"])
@pytest.mark.parametrize("column", ["size", "flag", "day", "kind"])
def test_one_cell_in_row_15000_is_found_by_its_key(keys: list[str], column: str) -> None:
    difference = compare_tables(TABLE, change(TABLE, 15_000, column, "other"), keys)

    assert difference == TableDifference(
        N_ROWS, N_ROWS, [], [], False, ["id"], 0, 0, 1, False, {column: 1},
        [{"key": TABLE.loc[15_000, "id"], "row": 15_000, "column": column, "left": TABLE.loc[15_000, column], "right": "other"}],
    )  # fmt: skip
    assert not difference.is_equal


def test_without_a_key_the_position_is_taken() -> None:
    difference = compare_tables(KEYLESS, change(KEYLESS, 15_000, "flag", "other"), [])

    assert (difference.key, difference.rows_changed, difference.rows_added, difference.rows_removed) == (None, 1, 0, 0)
    assert difference.examples == [{"key": "", "row": 15_000, "column": "flag", "left": KEYLESS.loc[15_000, "flag"], "right": "other"}]


@pytest.mark.parametrize(("table", "key"), [(TABLE, ["id"]), (KEYLESS, None)], ids=["keyed", "keyless"])
def test_rows_in_another_order_are_reordered_and_not_changed(table: pd.DataFrame, key: list[str] | None) -> None:
    difference = compare_tables(table, table.sample(frac=1, random_state=0, ignore_index=True), [])

    assert (difference.key, difference.rows_reordered, difference.rows_changed) == (key, True, 0)
    assert (difference.rows_added, difference.rows_removed, difference.examples) == (0, 0, [])
    assert not difference.is_equal


@pytest.mark.parametrize("table", [TABLE, KEYLESS], ids=["keyed", "keyless"])
def test_rows_added_and_removed_are_counted_and_change_no_other(table: pd.DataFrame) -> None:
    right = pd.concat([table.iloc[3:], table.head(1).replace("", "x") + "'"], ignore_index=True)

    difference = compare_tables(table, right, ["id"])

    assert (difference.n_rows_left, difference.n_rows_right) == (N_ROWS, N_ROWS - 2)
    assert (difference.rows_added, difference.rows_removed, difference.rows_changed) == (1, 3, 0)
    assert not difference.rows_reordered
    assert not difference.is_equal


def test_a_row_put_in_at_the_top_for_one_taken_off_the_end_is_no_change_of_all() -> None:
    right = pd.concat([KEYLESS.head(1) + "'", KEYLESS.iloc[:-1]], ignore_index=True)

    difference = compare_tables(KEYLESS, right, [])

    assert (difference.rows_added, difference.rows_removed, difference.rows_changed) == (1, 1, 0)
    assert not difference.rows_reordered


@pytest.mark.parametrize(("right", "changed", "added"), [("bcx", 0, 1), ("bax", 0, 1), ("bxc", 2, 0), ("axc", 1, 0), ("bac", 0, 0)])
def test_whole_rows_are_paired_only_where_that_leaves_less_than_half_as_many(right: str, changed: int, added: int) -> None:
    left, other = (pd.DataFrame({"x": list(rows), "y": list(rows)}).replace("z", "") for rows in ("zzabc", f"zz{right}"))

    difference = compare_tables(left, other, [])

    assert (difference.key, difference.rows_changed, difference.rows_added, difference.rows_removed) == (None, changed, added, added)
    assert difference.rows_reordered == (right == "bac")


def test_many_cells_changed_in_their_place_are_changed_and_not_replaced_rows() -> None:
    right = KEYLESS.assign(flag=KEYLESS["flag"].replace({"TRUE": "yes", "FALSE": "no"}))

    difference = compare_tables(KEYLESS, right, [])

    assert (difference.rows_added, difference.rows_removed, difference.rows_changed) == (0, 0, N_ROWS)
    assert difference.changed_by_column == {"flag": N_ROWS}


def test_a_row_that_is_there_once_more_is_an_added_row() -> None:
    once = pd.DataFrame({"x": ["1", "1", "2"], "y": ["a", "a", "b"]})
    twice = pd.DataFrame({"x": ["1", "1", "1", "2"], "y": ["a", "a", "a", "b"]})

    assert compare_tables(once, twice, []).rows_added == 1
    assert compare_tables(twice, once, []).rows_removed == 1
    assert compare_tables(once, twice.iloc[[0, 3, 3]].reset_index(drop=True), []).rows_changed == 1


def test_columns_added_removed_and_reordered_are_named_and_the_others_compared() -> None:
    left = pd.DataFrame({"a": ["1", "2"], "b": ["3", "4"], "gone": ["5", "6"]})
    right = pd.DataFrame({"new": ["7", "8"], "b": ["3", "0"], "a": ["1", "2"]})

    difference = compare_tables(left, right, [])

    assert (difference.columns_added, difference.columns_removed, difference.columns_reordered) == (["new"], ["gone"], True)
    assert difference.changed_by_column == {"b": 1}
    assert not compare_tables(left[["a", "b"]], left, []).columns_reordered
    assert not compare_tables(left, left[["a", "b"]], []).columns_reordered


@pytest.mark.parametrize("columns", [["a"], ["b", "a"], ["a", "b", "c"]])
def test_a_difference_of_columns_alone_is_one(columns: list[str]) -> None:
    table = pd.DataFrame({"a": ["1"], "b": ["2"], "c": ["3"]})

    assert not compare_tables(table[["a", "b"]], table[columns], []).is_equal


def test_the_first_preferred_column_that_names_rows_in_both_tables_is_the_key() -> None:
    table = pd.DataFrame({"twice": ["1", "1"], "empty": ["", "1"], "fresh": ["1", "2"], "code": ["x", "y"], "late": ["p", "q"]})
    right = table.assign(fresh=["2", "2"])

    assert compare_tables(table, right, ["twice", "empty", "fresh", "late", "code"]).key == ["late"]
    assert compare_tables(right, table, ["twice", "empty", "fresh", "late", "code"]).key == ["late"]


def test_a_preferred_key_is_believed_though_no_row_is_shared() -> None:
    table = pd.DataFrame({"id": ["1", "2"], "x": ["a", "a"]})

    difference = compare_tables(table, table.assign(id=["3", "4"]), ["id"])

    assert (difference.key, difference.rows_added, difference.rows_removed) == (["id"], 2, 2)


NO_KEYS: dict[str, tuple[list[str], list[str]]] = {
    "twice": (["a", "a", "c", "d"], ["a", "a", "c", "d"]),
    "twice on the right": (["a", "b", "c", "d"], ["a", "b", "b", "d"]),
    "empty": (["", "b", "c", "d"], ["", "b", "c", "d"]),
    "a measurement": (["1.5", "2.0", "3.0", "4.0"], ["1.5", "2.0", "3.0", "4.0"]),
    "a measurement with a comma": (["1,5", "2", "3", "4"], ["1,5", "2", "3", "4"]),
    "a small measurement": (["1e-05", "2", "3", "4"], ["1e-05", "2", "3", "4"]),
    "a measurement on the left": (["1.5", "2", "3", "4"], ["2", "3", "4", "5"]),
    "a measurement on the right": (["2", "3", "4", "5"], ["1.5", "2", "3", "4"]),
    "a measurement further down": ([*map(str, range(1500)), "0.5"], [*map(str, range(1500)), "0.5"]),
    "twice, further down": ([*map(str, range(1500)), "1"], [*map(str, range(1501))]),
    "twice on the right, further down": ([*map(str, range(1501))], [*map(str, range(1500)), "1"]),
    "shared by less than half": (["a", "b", "c"], ["x", "a", "y"]),
    "shared by nothing": ([], ["a", "b"]),
    "edited in its place": (["a", "b", "c", "d"], ["a", "x", "c", "d"]),
}


@pytest.mark.parametrize(("left", "right"), NO_KEYS.values(), ids=NO_KEYS)
def test_these_columns_are_no_keys(left: list[str], right: list[str]) -> None:
    one, other = (pd.DataFrame({"x": values}, dtype="str") for values in (left, right))

    assert compare_tables(one, other, []).key is None


@pytest.mark.parametrize(
    "values", [["1", "2"], ["1.0", "20.0"], ["2026-01-01", "2026-01-02"], ["1234e567", "abcd0123"], ["31.12.2025", "01.01.2026"]]
)
def test_these_columns_are_keys(values: list[str]) -> None:
    table = pd.DataFrame({"x": values})

    assert compare_tables(table, table.iloc[::-1].reset_index(drop=True), []).key == ["x"]


@pytest.mark.parametrize("right", [["a"], ["b", "c", "d", "e"], ["a", "b", "x", "y", "z"], ["d", "c", "y", "x"]])
def test_a_column_that_half_the_rows_share_out_of_place_is_a_key(right: list[str]) -> None:
    assert compare_tables(pd.DataFrame({"x": ["a", "b", "c", "d"]}), pd.DataFrame({"x": right}), []).key == ["x"]


def test_a_part_of_the_rows_is_matched_by_the_key_that_it_shares() -> None:
    difference = compare_tables(TABLE, TABLE.sample(100, random_state=0, ignore_index=True), [])

    assert (difference.key, difference.rows_removed, difference.rows_added, difference.rows_changed) == (["id"], N_ROWS - 100, 0, 0)


def test_five_examples_show_as_many_columns_as_can_be() -> None:
    left = TABLE.rename(columns={"kind": "alike"})
    right = change(left.assign(flag="x", alike="z"), 19_999, "day", "y")

    difference = compare_tables(left, right, [])

    shown = [(example["row"], example["column"]) for example in difference.examples]
    assert shown == [(0, "flag"), (0, "alike"), (19_999, "day"), (1, "flag"), (1, "alike")]
    assert difference.changed_by_column == {"flag": N_ROWS, "day": 1, "alike": N_ROWS}
    assert difference.rows_changed == N_ROWS


def test_an_examples_row_is_the_right_tables() -> None:
    right = change(TABLE, 15_000, "flag", "other").iloc[::-1].reset_index(drop=True)

    difference = compare_tables(TABLE, right, [])

    example = difference.examples[0]
    assert right.loc[example["row"], "flag"] == "other" == example["right"]
    assert right.loc[example["row"], "id"] == example["key"] == TABLE.loc[15_000, "id"]
    assert example["left"] == TABLE.loc[15_000, "flag"]


CELLS = st.sampled_from(["", "a", "b", "1.5"])
ROWS = st.lists(st.tuples(CELLS, CELLS), max_size=6)


@given(ROWS, ROWS)
def test_tables_without_a_key_balance_and_are_equal_exactly_when_their_rows_are(left: list[Any], right: list[Any]) -> None:
    one, other = (pd.DataFrame(rows, columns=["x", "y"], dtype="str") for rows in (left, right))

    difference = compare_tables(one, other, [])

    assert difference.is_equal == (left == right)
    assert difference.n_rows_left - difference.rows_removed == difference.n_rows_right - difference.rows_added
    if difference.key is None:
        assert difference.rows_reordered == (left != right and Counter(left) == Counter(right))
    if difference.key is None and difference.rows_changed == 0:
        assert difference.rows_added == (Counter(right) - Counter(left)).total()
        assert difference.rows_removed == (Counter(left) - Counter(right)).total()


def test_a_real_table_is_read_and_compared_with_its_edited_copy(tmp_path: Path) -> None:
    source = ROOT / "data/raw/wdbc.csv"
    text = source.read_text(encoding="utf-8")
    (tmp_path / "edited.csv").write_text(text.replace("\n2,M,20.57,", "\n2,B,20.570,"), encoding="utf-8")

    difference = compare_tables(read_plain_table(source, Read()), read_plain_table(tmp_path / "edited.csv", Read()), ["id"])

    assert difference.changed_by_column == {"diagnosis": 1, "mean_radius": 1}
    assert [(example["key"], example["left"], example["right"]) for example in difference.examples] == [
        ("2", "M", "B"),
        ("2", "20.57", "20.570"),
    ]


def test_a_table_that_expands_without_end_is_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 100_000))
    monkeypatch.setattr(formats, "MOST_COMPARED_BYTES", 1000)

    with pytest.raises(DataError, match=r"expected at most \d+ GiB to compare row by row, found more"):
        read_plain_table(tmp_path / "t.csv.gz", Read())


def test_a_parquet_file_of_one_value_repeated_without_end_is_not_compared(tmp_path: Path) -> None:
    column = pa.repeat(pa.scalar(1, pa.int8()), 60_000_000)
    pq.write_table(pa.table({"a": column}), tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size < 1 << 20

    with pytest.raises(DataError, match="expected at most 50000000 cells to compare, found 60000000 rows of 1"):
        read_plain_table(tmp_path / "t.parquet", Read())
