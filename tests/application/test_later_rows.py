"""A later table in parts has the values that the whole has, wherever the parts end, and what is refused names it in words."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.neural_network import MLPClassifier

from samebits.application.input_columns import InputColumns, _settle_read
from samebits.application.later_rows import LaterTable, read_ahead, regroup
from samebits.digests import digest_file
from samebits.errors import DataError
from samebits.keys.table import Read
from samebits.table.columns import Kind
from samebits.table.reading import read_table

KINDS: dict[str, Kind] = {"n": "numeric", "c": "categorical", "b": "boolean", "d": "date", "t": "text"}
N_ROWS = 500


def make_frame() -> pd.DataFrame:
    """Return a table whose every column looks otherwise in some parts than in the whole."""
    rng = np.random.default_rng(0)
    places = np.arange(N_ROWS)
    return pd.DataFrame(
        {
            "n": [f"{value!r}" if place % 70 else "NA" for place, value in zip(places, rng.normal(size=N_ROWS).tolist(), strict=True)],
            "c": [str(place % 7) if place < 200 else "abcdefg"[place % 7] for place in places],  # first codes, then words
            "b": [["true", "false", ""][place % 3 if place > 200 else place % 2] for place in places],
            "d": [f"20{place % 30:02}-01-0{1 + place % 9}" if place % 50 else "" for place in places],
            "t": [f"text {place}" for place in places],
            "extra": places,
        }
    )


def make_inputs(with_missing: frozenset[str] = frozenset({"b"})) -> InputColumns:
    return InputColumns(KINDS, _settle_read(Read(), KINDS), with_missing)


def write(folder: Path, text: str, name: str = "later.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("part_rows", [1, 3, 64, 499, 1000])
def test_parts_of_any_size_give_the_values_that_training_read(part_rows: int, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    make_frame().to_csv(path, index=False)
    whole = read_table([path], [None], Read()).canonicalise(list(KINDS), Read())
    table = LaterTable(path, make_inputs(), part_rows)

    found = pd.concat(list(read_ahead(table.read_parts())), ignore_index=True)

    assert {name: column.kind for name, column in whole.items()} == KINDS
    pd.testing.assert_frame_equal(found, pd.DataFrame({name: column.values for name, column in whole.items()})[list(KINDS)])
    assert (table.n_rows, table.digest, table.size_bytes) == (N_ROWS, digest_file(path), path.stat().st_size)
    assert table.ignored == ["extra"]


@pytest.mark.parametrize("part_rows", [1, 64, 1000])
def test_parquet_by_row_groups_gives_the_same_values_as_csv(part_rows: int, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"n": np.arange(200) / 7, "c": ["a", "b"] * 100, "b": [True, False] * 100, "t": [f"t {i}" for i in range(200)]}
    )
    frame["d"] = pd.date_range("2020-01-01", periods=200)
    frame.to_parquet(tmp_path / "later.parquet", row_group_size=30)
    frame.to_csv(tmp_path / "later.csv", index=False)
    tables = [LaterTable(tmp_path / name, make_inputs(frozenset()), part_rows) for name in ("later.parquet", "later.csv")]

    parquet, text = (pd.concat(list(table.read_parts()), ignore_index=True) for table in tables)

    pd.testing.assert_frame_equal(parquet, text)
    assert tables[0].digest == digest_file(tmp_path / "later.parquet")


def test_a_folder_is_one_table_with_the_columns_that_its_paths_name(tmp_path: Path) -> None:
    for value in ("x", "y"):
        (tmp_path / f"c={value}").mkdir()
        write(tmp_path / f"c={value}", "n\n1\n2\n")
    kinds: dict[str, Kind] = {"n": "numeric", "c": "categorical"}
    table = LaterTable(tmp_path, InputColumns(kinds, _settle_read(Read(), kinds), frozenset()), 10)

    found = pd.concat(list(table.read_parts()), ignore_index=True)

    assert found["c"].tolist() == ["x", "x", "y", "y"] and found["n"].tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a table as data.read says, found an empty file. Check the path"),
        ("N\n1\n", r"the column 'n', which the model takes, found none of that name \(N\). Did you mean 'N'"),
        ("x;n\n1;2\n", r"Is it separated otherwise than the run's table was \(sep: ','\)"),
        ("n,x\n", "expected rows, found none"),
        ("n,x\nTrue,1\nFalse,2\n", "column 'n': expected numeric, as in training, found boolean"),
        ("n,x\n1,2\n2,3\nword,3\n4,4\n5,5\n", "column 'n': expected numbers, found .*'word'.* Mend the table"),
        ("n,x\n1,2\n2,3\n3\n", "expected 2 fields in line 4, as the header has, found 1"),
        ("n,x\n1,2\n2,inf\n3,1\ninf,2\n", "column 'n': expected numbers, found an infinity in row 4"),
    ],
)
def test_what_cannot_be_read_as_the_runs_table_is_said(text: str, message: str, tmp_path: Path) -> None:
    kinds: dict[str, Kind] = {"n": "numeric"}
    table = LaterTable(write(tmp_path, text), InputColumns(kinds, _settle_read(Read(), kinds), frozenset()), 2)

    with pytest.raises(DataError, match=message):
        list(read_ahead(table.read_parts()))


def test_times_are_no_numbers_but_where_they_were_in_training(tmp_path: Path) -> None:
    pd.DataFrame({"n": pd.to_timedelta([1, 2], unit="s")}).to_parquet(tmp_path / "t.parquet")
    kinds: dict[str, Kind] = {"n": "numeric"}
    read = _settle_read(Read(), kinds)
    as_numbers, as_times = (InputColumns(kinds, read, frozenset(), units=units) for units in ({}, {"n": "seconds"}))

    with pytest.raises(DataError, match=r"column 'n': expected numeric, as in training, found times \(seconds\)"):
        list(LaterTable(tmp_path / "t.parquet", as_numbers, 5).read_parts())
    assert next(LaterTable(tmp_path / "t.parquet", as_times, 5).read_parts())["n"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("zones", "written", "zoned", "message"),
    [
        ({}, "2026-01-01 10:00", None, None),
        (
            {},
            "2026-01-01T10:00:00.5+02:00",
            "UTC",
            r"'d': expected dates without a time zone, as in training, found with a time zone\.",
        ),
        (
            {"d": "given"},
            "2026-01-01",
            None,
            r"expected dates with a time zone, as in training, found without a time zone\. .*\(Z where",
        ),
        ({"d": "given"}, "2026-01-01 10:00Z", "Europe/Berlin", None),
        ({"d": "mixed"}, "2026-01-01 10:00Z", "UTC", None),
        (None, "2026-01-01 10:00Z", "UTC", None),
        ({}, "", None, None),
    ],
)
def test_dates_have_a_time_zone_only_where_they_had_in_training(
    zones: dict[str, str] | None, written: str, zoned: str | None, message: str | None, tmp_path: Path
) -> None:
    kinds: dict[str, Kind] = {"d": "date"}
    inputs = InputColumns(kinds, _settle_read(Read(), kinds), frozenset(), zones=zones)
    instants = pd.Series(pd.to_datetime([written or None])).dt.tz_localize(None).dt.tz_localize(zoned)
    instants.to_frame("d").to_parquet(tmp_path / "later.parquet")

    for path in (write(tmp_path, f"d,e\n{written},1\n"), tmp_path / "later.parquet"):
        with pytest.raises(DataError, match=message) if message else contextlib.nullcontext():
            list(LaterTable(path, inputs, 2).read_parts())


def test_a_file_that_is_none_or_of_another_format_is_said(tmp_path: Path) -> None:
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 and nothing else")
    for path, message in ((tmp_path / "no.csv", "no such file. Check the path"), (tmp_path / "damaged.parquet", "a Parquet file")):
        with pytest.raises(DataError, match=message):
            list(LaterTable(path, make_inputs(), 5).read_parts())


def test_blocks_are_of_one_size_and_the_last_is_never_a_small_rest() -> None:
    frame = pd.DataFrame({"n": np.arange(1000)})
    parts = (frame.iloc[start : start + 37] for start in range(0, 1000, 37))

    blocks = list(regroup(parts, 128))

    assert [len(block) for block in blocks] == [128] * 6 + [232]
    assert np.array_equal(pd.concat(blocks)["n"], frame["n"])


def test_blocks_give_the_bits_of_the_whole_also_for_matrix_products() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(3001, 15)))
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, X[0] > 0)

    blocks = [model.predict_proba(block) for block in regroup((X.iloc[i : i + 7] for i in range(0, 3001, 7)), 1024)]

    assert np.array_equal(np.concatenate(blocks), model.predict_proba(X))
