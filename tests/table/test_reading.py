"""A table is read as its owner wrote it: cases from public reports, and others of their kinds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas._libs.parsers import STR_NA_VALUES

from samebits.data.dataset import Dataset, list_reading_lines, load_dataset
from samebits.errors import DataError
from samebits.keys.table import Data
from samebits.table import reading
from samebits.table.columns import MISSING_WORDS
from samebits.table.files import digest_table, list_table_files, read_partitions

BIG = 2**53


def load(path: Path, content: str | bytes | None = None, target: str = "y", drop: tuple[str, ...] = (), **read: Any) -> Dataset:
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return load_dataset(Data.model_validate({"path": str(path), "target": target, "drop": list(drop), "read": read}), path)


def load_arrow(path: Path, columns: dict[str, Any], **read: Any) -> Dataset:
    pq.write_table(pa.table(columns), path)
    return load(path, **read)


def refuse(path: Path, content: str | bytes | None = None, **read: Any) -> str:
    with pytest.raises(DataError) as caught:
        load(path, content, **read)
    return str(caught.value)


def days(dataset: Dataset, name: str) -> list[str]:
    return [str(day)[:10] for day in dataset.frame[name]]


def values(dataset: Dataset, name: str) -> list[Any]:
    return [None if value is None or value != value else value for value in dataset.frame[name].tolist()]


# Nothing passes through a number ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("types", [{}, {"day": "text"}])
def test_dates_of_eight_digits_are_read_as_written(tmp_path: Path, types: dict[str, str]) -> None:
    text = "day,x,y\n01022020,1.5,a\n15112020,2.5,b\n03042020,0.5,a\n"

    dataset = load(tmp_path / "a.csv", text, dates={"day": "%d%m%Y"}, types=types)

    assert days(dataset, "day") == ["2020-02-01", "2020-11-15", "2020-04-03"]


def test_dates_and_versions_with_dots_stay_what_they_are_beside_a_thousands_dot(tmp_path: Path) -> None:
    text = "datum;menge;version;y\n31.12.2020;1.234,5;1.2.3;a\n01.02.2021;12,0;12.3;b\n05.10.2021;7,5;1.23;a\n"

    dataset = load(tmp_path / "a.csv", text, sep=";", decimal=",", thousands=".", dates={"datum": "%d.%m.%Y"})

    assert days(dataset, "datum") == ["2020-12-31", "2021-02-01", "2021-10-05"]
    assert values(dataset, "menge") == [1234.5, 12.0, 7.5]
    assert values(dataset, "version") == ["1.2.3", "12.3", "1.23"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,234", "12", "1,234,567.5"], [1234.0, 12.0, 1234567.5]),
        (["1,234", "-1,000", "+2"], [1234.0, -1000.0, 2.0]),
        (["1,234", "", "5e3"], [1234.0, None, 5000.0]),
    ],
)
def test_a_thousands_mark_counts_between_groups_of_three(tmp_path: Path, cells: list[str], expected: list[float | None]) -> None:
    text = "x;y\n" + "".join(f"{cell};a\n" for cell in cells)

    assert values(load(tmp_path / "a.csv", text, sep=";", thousands=","), "x") == expected


@pytest.mark.parametrize("cell", ["1,23", "12,3456", "1234,567", ",123", "1,,234"])
def test_a_thousands_mark_elsewhere_is_no_number(tmp_path: Path, cell: str) -> None:
    found = refuse(tmp_path / "a.csv", f"x;y\n1;a\n2;b\n{cell};a\n", sep=";", thousands=",")

    assert found.startswith("column 'x': expected numbers") and repr(cell) in found


@pytest.mark.parametrize("kind", ["category", "text"])
def test_codes_keep_every_sign_in_every_part(tmp_path: Path, kind: str) -> None:
    load(tmp_path / "parts/a.csv", "code,y\n007,1\n01e3,2\n")

    dataset = load(tmp_path / "parts/b.csv", "code,y\n1.50,1\nTRUE,2\n") and load(tmp_path / "parts", types={"code": kind})

    assert values(dataset, "code") == ["007", "01e3", "1.50", "TRUE"]


def test_a_part_whose_codes_look_like_numbers_is_text_where_another_part_is(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/a.csv").write_text("code,flag,y\n007,TRUE,1\n010,FALSE,2\n", encoding="utf-8")
    (tmp_path / "parts/b.csv").write_text("code,flag,y\nA1,maybe,1\nB2,,2\n", encoding="utf-8")

    dataset = load(tmp_path / "parts")

    assert values(dataset, "code") == ["007", "010", "A1", "B2"]
    assert values(dataset, "flag") == ["TRUE", "FALSE", "maybe", None]


@pytest.mark.parametrize("other", ["", "5", "0.5", "-1e3"])
def test_integers_beyond_floating_point_are_refused_whatever_else_the_column_holds(tmp_path: Path, other: str) -> None:
    found = refuse(tmp_path / "a.csv", f"id,y\n{BIG + 1},a\n{other},b\n")

    assert "column 'id': expected numbers, found integers beyond 2**53 such as 9007199254740993" in found
    assert "data.read.types: {id: category}" in found
    kept = load(tmp_path / "a.csv", f"id,y\n{BIG + 1},a\n{other},b\n{BIG},b\n", types={"id": "category"})
    assert values(kept, "id")[0] == str(BIG + 1) and values(kept, "id")[2] == str(BIG)


@pytest.mark.parametrize("cell", [str(10**30), "9.007.199.254.740.993", f"-{BIG + 1}"])
def test_longer_and_marked_integers_are_refused_too(tmp_path: Path, cell: str) -> None:
    assert "integers beyond 2**53" in refuse(tmp_path / "a.csv", f"id;y\n{cell};a\n1;b\n", sep=";", decimal=",", thousands=".")


def test_large_quantities_with_a_fraction_or_an_exponent_are_numbers(tmp_path: Path) -> None:
    dataset = load(tmp_path / "a.csv", "x,y\n1e20,a\n123456789012345678.5,b\n,a\n")

    assert values(dataset, "x") == [1e20, 123456789012345678.5, None]


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()])
def test_parquet_integers_are_kept_exactly_as_text_or_refused_as_numbers(tmp_path: Path, kind: pa.DataType) -> None:
    columns = {"id": pa.array([BIG + 1, None, BIG, BIG + 1], kind), "y": list("abab")}

    kept = load_arrow(tmp_path / "a.parquet", columns, types={"id": "category"})

    assert values(kept, "id") == [str(BIG + 1), None, str(BIG), str(BIG + 1)]
    assert "integers beyond 2**53" in refuse(tmp_path / "a.parquet")


# Missing ----------------------------------------------------------------------------------------------------------------------------


def test_an_empty_field_of_a_number_is_missing_though_na_is_namibia(tmp_path: Path) -> None:
    dataset = load(tmp_path / "a.csv", "x,country,y\n1,NA,a\n,DE,b\n3,,a\n", keep_default_na=False)

    assert dataset.kinds["x"] == "numeric" and values(dataset, "x") == [1.0, None, 3.0]
    assert values(dataset, "country") == ["NA", "DE", ""]


def test_what_is_missing_may_be_said_by_column(tmp_path: Path) -> None:
    text = "country,pool,x,y\nNA,NA,-1,a\nDE,Ex,-1,b\nFR,NA,3,a\n"

    dataset = load(tmp_path / "a.csv", text, keep_default_na={"country": False}, na_values={"x": [-1]})

    assert values(dataset, "country") == ["NA", "DE", "FR"]
    assert values(dataset, "pool") == [None, "Ex", None]
    assert values(dataset, "x") == [None, None, 3.0]


def test_a_missing_word_in_a_column_of_numbers_leaves_numbers(tmp_path: Path) -> None:
    dataset = load(tmp_path / "a.csv", "n,b,d,y\n1,TRUE,2020-01-02,a\nNA,N/A,null,b\n0.1,FALSE,2020-01-03,a\n")

    assert dataset.kinds == {"n": "numeric", "b": "boolean", "d": "date", "y": "categorical"}
    assert values(dataset, "n") == [1.0, None, 0.1]
    assert [value is pd.NA for value in dataset.frame["b"]] == [False, True, False]


def test_the_words_for_missing_are_those_of_pandas() -> None:
    assert set(STR_NA_VALUES) - {""} == MISSING_WORDS


def test_numbers_are_to_the_bit_those_of_pandas(tmp_path: Path) -> None:
    numbers = [repr(float(value)) for value in np.random.default_rng(3).normal(size=500) * 10.0 ** np.arange(-250, 250)]
    plain, marked = tmp_path / "plain.csv", tmp_path / "marked.csv"

    found = load(plain, "x,y\n" + "".join(f"{n},a\n" for n in numbers)).frame["x"]
    again = load(marked, "x,y\n" + "".join(f"{n},a\n" for n in [*numbers, "NA"])).frame["x"][:-1]

    np.testing.assert_array_equal(found, pd.read_csv(plain)["x"])
    np.testing.assert_array_equal(again, found)


# Numbers with an odd mark ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "shown", "remedy", "read", "expected"),
    [
        (["0", "1", "2", "?"], "'?' (1)", 'na_values: {x: ["?"]}', {"na_values": ["?"]}, [0, 1, 2, None]),
        (["29.85", "1889.5", " "], "' ' (1)", 'na_values: {x: [" "]}', {"na_values": {"x": [" "]}}, [29.85, 1889.5, None]),
        (["13,6", "7,2", "5"], "'13,6' (1)", 'data.read.decimal: ","', {"decimal": ","}, [13.6, 7.2, 5.0]),
        (["1,234", "12", "2,500"], "'1,234' (1)", 'data.read.thousands: {x: ","}', {"thousands": ","}, [1234, 12, 2500]),
        (["1.234,5", "2.000,5"], "'1.234,5' (1)", 'decimal: {x: ","} and data.read.thousands: {x: "."}', {"decimal": ",", "thousands": "."}, [1234.5, 2000.5]),
        (["$5", "$1200", "$7.50"], "'$5' (1)", 'data.read.signs: ["$"]', {"signs": ["$"]}, [5, 1200, 7.5]),
        (["-$5", "12 $"], "'-$5' (1)", 'data.read.signs: ["$"]', {"signs": ["$"]}, [-5, 12]),
        (["10%", "20 %"], "'10%' (1)", 'data.read.signs: ["%"]', {"signs": ["%"]}, [10, 20]),
        (["1 234", "5 600", "7"], "'1 234' (1)", 'data.read.thousands: {x: " "}', {"thousands": " "}, [1234, 5600, 7]),
        (["1", "2", "3+"], "'3+' (1)", "data.read.types: {x: category}", {"types": {"x": "category"}}, ["1", "2", "3+"]),
    ],
)  # fmt: skip
def test_numbers_with_an_odd_mark_are_refused_with_the_key_that_mends_them(
    tmp_path: Path, cells: list[str], shown: str, remedy: str, read: dict[str, Any], expected: list[Any]
) -> None:
    text = "x;y\n" + "".join(f"{cell};a\n" for cell in cells)

    found = refuse(tmp_path / "a.csv", text, sep=";")

    assert found.startswith("column 'x': expected numbers, as most of its values are, found numbers in ")
    assert shown in found and remedy in found
    assert values(load(tmp_path / "a.csv", text, sep=";", **read), "x") == expected


@pytest.mark.parametrize(
    ("cells", "remedy"),
    [
        (["1,5", "2.5", "3,25"], "written in several ways"),
        (["1,23,456", "2,34,567"], "elsewhere than between groups of three digits"),
        (["1,23,456", "12", "7"], "elsewhere than between groups of three digits"),
        (["(123)", "45", "67"], "Write negative numbers with a minus before them"),
        (["123-", "45", "67"], "Write negative numbers with a minus before them"),
        (["$(5)", "7", "8"], "Write negative numbers with a minus before them"),
        (["($5)", "7", "8", "9"], "Write negative numbers with a minus before them"),
        (["₹1,23,456", "7", "8"], "elsewhere than between groups of three digits"),
    ],
)
def test_numbers_that_no_key_mends_are_refused_without_one(tmp_path: Path, cells: list[str], remedy: str) -> None:
    found = refuse(tmp_path / "a.csv", "x;y\n" + "".join(f"{cell};a\n" for cell in cells), sep=";")

    assert remedy in found and "data.read.types: {x: category}" in found
    assert not any(key in found for key in ("data.read.decimal", "data.read.thousands", "na_values"))


MARKS = "x;z;y\n1,5;1.5;a\n2,25;20;b\n3;1.234;a\n"


def test_marks_may_be_said_by_column(tmp_path: Path) -> None:
    dataset = load(tmp_path / "a.csv", MARKS, sep=";", decimal={"x": ","})
    grouped = load(
        tmp_path / "a.csv", "x;z;y\n1,500.5;1.500,5;a\n2;3;b\n", sep=";", decimal={"z": ","}, thousands={"x": ",", "z": "."}
    )

    assert values(dataset, "x") == [1.5, 2.25, 3.0] and values(dataset, "z") == [1.5, 20.0, 1.234]
    assert values(grouped, "x") == [1500.5, 2.0] and values(grouped, "z") == [1500.5, 3.0]


@pytest.mark.parametrize(
    ("read", "remedy"),
    [
        ({}, 'column \'x\': expected numbers, as most of its values are, found numbers in 1 rows, and in 2 \'1,5\' (1), \'2,25\' (1). Set data.read.decimal: ","'),
        ({"decimal": ","}, 'Set data.read.decimal by column, for those alone that have ","'),
        ({"decimal": {"x": ",", "z": ","}}, "Set data.read.decimal without z"),
        ({"decimal": {"z": "."}}, 'Set data.read.decimal: {x: ","} beside the columns that it names'),
    ],
)  # fmt: skip
def test_the_remedy_for_one_columns_mark_breaks_no_other_column(tmp_path: Path, read: dict[str, Any], remedy: str) -> None:
    assert remedy in refuse(tmp_path / "a.csv", MARKS, sep=";", **read)


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (["1,500.5", "2,500.25", "3,100.5"], {"decimal": ",", "thousands": "."}),
        (["1,500.5", "2,500.25", "3.5"], {"decimal": {"x": ","}, "thousands": {"x": "."}}),
        (["2,5", "7,25", "3,5"], {"thousands": {"x": ","}}),
        (["1.500,5", "2.500,25", "3,5"], {"thousands": ","}),
        (["1.5", "2.5", "0.5"], {"decimal": ","}),
    ],
)
def test_numbers_under_the_wrong_marks_are_no_categories(tmp_path: Path, cells: list[str], read: dict[str, Any]) -> None:
    found = refuse(tmp_path / "a.csv", "x;y\n" + "".join(f"{cell};a\n" for cell in cells), sep=";", **read)

    assert "Set data.read." in found and "na_values" not in found


def test_decimals_of_parquet_keep_their_values_whatever_the_marks(tmp_path: Path) -> None:
    columns = {"x": pa.array([Decimal("1.125"), Decimal("2.5")], pa.decimal128(8, 3)), "y": ["a", "b"]}

    for read in ({"decimal": {"x": ","}, "thousands": {"x": "."}}, {"decimal": ",", "thousands": "."}):
        assert values(load_arrow(tmp_path / "a.parquet", columns, **read), "x") == [1.125, 2.5]


def test_a_column_whose_mark_is_said_must_be_there(tmp_path: Path) -> None:
    assert "data.read.decimal: expected a column of" in refuse(tmp_path / "a.csv", MARKS, sep=";", decimal={"q": ","})


@pytest.mark.parametrize("read", [{}, {"decimal": ","}, {"signs": ["$"]}])
def test_the_minus_sign_of_typography_is_a_minus(tmp_path: Path, read: dict[str, Any]) -> None:
    dataset = load(tmp_path / "a.csv", "x;y\n\u22125;a\n7;b\n \u22123 ;a\n", sep=";", **read)

    assert values(dataset, "x") == [-5.0, 7.0, -3.0]


def test_it_is_one_before_a_sign_and_in_an_exponent_too(tmp_path: Path) -> None:
    exponents = load(tmp_path / "a.csv", "x;y\n1e\u22125;a\n2e-3;b\n", sep=";")

    assert values(exponents, "x") == [1e-5, 2e-3]
    assert 'data.read.signs: ["$"]' in refuse(tmp_path / "a.csv", "x;y\n\u2212$5;a\n7;b\n8;a\n", sep=";")
    assert values(load(tmp_path / "a.csv", "x;y\n\u2212$5;a\n7;b\n", sep=";", signs=["$"]), "x") == [-5.0, 7.0]


def test_an_odd_mark_is_found_among_any_number_of_different_values(tmp_path: Path) -> None:
    numbers = [f"{i}.5" for i in range(3000)]

    found = refuse(tmp_path / "a.csv", "x,y\n" + "".join(f"{cell},a\n" for cell in [*numbers, "n.d.", "n.d."]))

    assert "numbers in 3,000 rows, and in 2 'n.d.' (2)" in found and 'na_values: {x: ["n.d."]}' in found


def test_the_target_is_held_to_it_too(tmp_path: Path) -> None:
    found = refuse(tmp_path / "a.csv", "x;y\n1;1,5\n2;2,5\n3;3,5\n", sep=";")

    assert found.startswith("column 'y': expected numbers") and 'Set data.read.decimal: ","' in found


@pytest.mark.parametrize("cells", [["a1", "b2", "3"], ["10-20", "20-30", "5"], ["low", "1", "high", "mid"], ["1st", "2nd"]])
def test_words_with_a_few_numbers_among_them_are_categories(tmp_path: Path, cells: list[str]) -> None:
    dataset = load(tmp_path / "a.csv", "x,y\n" + "".join(f"{cell},a\n" for cell in cells))

    assert dataset.kinds["x"] == "categorical" and values(dataset, "x") == cells


def test_a_parquet_column_of_text_is_no_number_but_odd_ones_are_refused(tmp_path: Path) -> None:
    codes = load_arrow(tmp_path / "a.parquet", {"x": ["0", "1", "1"], "y": list("aba")})

    assert codes.kinds["x"] == "categorical"
    pq.write_table(pa.table({"x": ["0", "1", "?"], "y": list("aba")}), tmp_path / "a.parquet")
    assert "found numbers in 2 rows, and in 1 '?' (1)" in refuse(tmp_path / "a.parquet")


# Parquet by Arrow's own types -----------------------------------------------------------------------------------------------------


def test_dates_with_a_time_zone_are_on_record(tmp_path: Path) -> None:
    zoned = pa.array([0, None], pa.timestamp("us", tz="Europe/Berlin"))
    texts = {"z": ["2026-01-01T10:00Z", "2026-01-02T10:00+01:00"], "m": ["2026-01-01T10:00Z", "2026-01-02"], "n": ["2026-01-01", None]}

    dataset = load_arrow(tmp_path / "a.parquet", {"x": zoned, **texts, "y": list("ab")})

    assert dataset.reading["zones"] == {"x": "given", "z": "given", "m": "mixed"}
    assert "zones" not in load_arrow(tmp_path / "b.parquet", {"x": [1, 2], "y": list("ab")}).reading


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("types", [{}, {"x": "number"}])
def test_durations_are_seconds_whatever_the_files_unit(tmp_path: Path, unit: str, types: dict[str, str]) -> None:
    minute = 60 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    columns = {"x": pa.array([minute, None, 2 * minute], pa.duration(unit)), "y": list("aba")}

    dataset = load_arrow(tmp_path / "a.parquet", columns, types=types)

    assert values(dataset, "x") == [60.0, None, 120.0]
    assert dataset.reading["units"] == {"x": "seconds"}


def test_a_duration_is_no_date(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": pa.array([1], pa.duration("us")), "y": ["a"]}), tmp_path / "a.parquet")

    assert "expected dates, found durations, which are numbers of seconds" in refuse(tmp_path / "a.parquet", dates=["x"])


@pytest.mark.parametrize(
    ("array", "read", "expected"),
    [
        (pa.array([1, None, 3], pa.int8()), {}, [1.0, None, 3.0]),
        (pa.array(["1.10", None, "3.25"]).cast(pa.decimal128(8, 2)), {}, [1.1, None, 3.25]),
        (pa.array(["1.10", None, "3.25"]).cast(pa.decimal128(8, 2)), {"types": {"x": "category"}}, ["1.10", None, "3.25"]),
        (pa.array([3600, None, 61], pa.time32("s")), {}, [3600.0, None, 61.0]),
        (pa.array([1_500_000, None, 0], pa.time64("us")), {}, [1.5, None, 0.0]),
        (pa.array(["a", None, "b"]).dictionary_encode(), {}, ["a", None, "b"]),
        (pa.array([1.5, None, 2.0], pa.float32()), {"types": {"x": "text"}}, ["1.5", None, "2"]),
        (pa.array([True, None, False]), {"types": {"x": "category"}}, ["True", None, "False"]),
        (pa.array([b"a", None, b"b"]), {}, ["a", None, "b"]),
        (pa.nulls(3), {}, [None, None, None]),
        (pa.array([1, None, 0]), {"types": {"x": "boolean"}}, [True, pd.NA, False]),
        (pa.array([20200131, None, 20200201]), {"dates": {"x": "%Y%m%d"}}, [pd.Timestamp("2020-01-31"), None, pd.Timestamp("2020-02-01")]),
        (pa.array([18262, None, 18263], pa.date32()), {}, [pd.Timestamp("2020-01-01"), None, pd.Timestamp("2020-01-02")]),
        (pa.array([1, 0, 2]), {"na_values": {"x": [0]}}, [1.0, None, 2.0]),
        (pa.array(["u", "?", "v"]), {"na_values": ["?"]}, ["u", None, "v"]),
    ],
)  # fmt: skip
def test_a_parquet_column_is_read_by_its_own_type(tmp_path: Path, array: pa.Array, read: dict[str, Any], expected: list[Any]) -> None:
    dataset = load_arrow(tmp_path / "a.parquet", {"x": array, "y": list("aba")}, **read)

    found = [value if value is pd.NA or not pd.isna(value) else None for value in dataset.frame["x"]]
    assert found == expected or (found[1] is pd.NA and [found[0], found[2]] == [expected[0], expected[2]])


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}])
def test_values_inside_values_are_refused_in_words_unless_dropped(tmp_path: Path, value: Any) -> None:
    pq.write_table(pa.table({"x": [value], "z": [1], "y": ["a"]}), tmp_path / "a.parquet")

    found = refuse(tmp_path / "a.parquet")

    assert found.startswith("column 'x': expected plain values, found values inside values (") and "Name it in data.drop" in found
    assert list(load(tmp_path / "a.parquet", drop=("x",)).frame) == ["z", "y"]


def test_names_that_are_no_text_are_read_as_text(tmp_path: Path) -> None:
    frame = pd.DataFrame(np.arange(8).reshape(4, 2))
    frame[2] = ["a", "b"] * 2
    frame.to_parquet(tmp_path / "a.parquet")

    dropped = load(tmp_path / "a.parquet", target="2", drop=("0",))
    masked = load(tmp_path / "a.parquet", target="2", na_values={"0": [0]})

    assert list(dropped.frame) == ["1", "2"]
    assert values(masked, "0") == [None, 2.0, 4.0, 6.0]


# Folders --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_hive_partitions_become_columns(tmp_path: Path, form: str) -> None:
    for year, city in ((2020, "S%C3%A3o"), (2021, "__HIVE_DEFAULT_PARTITION__")):
        folder = tmp_path / f"hive/year={year}/city={city}"
        folder.mkdir(parents=True)
        frame = pd.DataFrame({"x": [year, 1.5], "y": ["a", "b"]})
        frame.to_parquet(folder / "p.parquet") if form == "parquet" else frame.to_csv(folder / "p.csv", index=False)

    dataset = load(tmp_path / "hive", target="y")

    assert list(dataset.frame) == ["x", "y", "year", "city"]
    assert values(dataset, "year") == [2020.0, 2020.0, 2021.0, 2021.0]
    assert values(dataset, "city") == ["São", "São", None, None]
    assert values(load(tmp_path / "hive", types={"year": "category"}), "year") == ["2020", "2020", "2021", "2021"]


def test_markers_are_no_part_of_the_table_nor_of_its_digest(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})
    (tmp_path / "spark").mkdir()
    frame.to_parquet(tmp_path / "spark/part-00000.snappy.parquet")
    before = load(tmp_path / "spark").digest
    for name in ("_SUCCESS", ".part-00000.crc", "_metadata"):
        (tmp_path / "spark" / name).write_bytes(b"")

    after = load(tmp_path / "spark", format="parquet")

    assert after.digest == before == digest_table(tmp_path / "spark")
    assert len(after.frame) == 2
    assert list(list_table_files(tmp_path / "spark")) == ["part-00000.snappy.parquet"]


def test_files_of_another_kind_are_named(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv.gz", "README.md", "notes.docx"):
        (tmp_path / "parts").mkdir(exist_ok=True)
        (tmp_path / "parts" / name).write_bytes(b"x,y\n1,2\n")

    assert "found 2 of kind csv and beside them README.md, notes.docx. Move them out" in refuse(tmp_path / "parts")


def test_the_files_name_becomes_a_column_on_wish(tmp_path: Path) -> None:
    for number in (1, 2):
        load(tmp_path / f"parts/part-{number}.csv", f"x,y\n{number},a\n")

    dataset = load(tmp_path / "parts", file_column="part")

    assert values(dataset, "part") == ["part-1.csv", "part-2.csv"] and dataset.kinds["part"] == "categorical"
    assert "expected a folder of files in data.path" in refuse(tmp_path / "parts/part-1.csv", file_column="part")
    assert "expected each column once, found 'x' twice" in refuse(tmp_path / "parts", file_column="x")


def test_a_partition_that_is_a_column_too_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t/x=1").mkdir(parents=True)
    (tmp_path / "t/x=1/a.csv").write_text("x,y\n1,a\n", encoding="utf-8")

    assert "found 'x' twice" in refuse(tmp_path / "t")


def test_partitions_are_read_from_folders_alone() -> None:
    assert read_partitions("a=1.csv") == {}
    assert read_partitions("plain/a=b=c/p.csv") == {"a": "b=c"}


# Compression and foreign formats --------------------------------------------------------------------------------------------------

TABLE = b"x,y\n1,a\n2,b\n"


def pack_zip(*names: str, content: bytes = TABLE) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


def pack_zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)  # type: ignore[no-any-return]


PACKED = {
    "gz": gzip.compress(TABLE),
    "bz2": bz2.compress(TABLE),
    "xz": lzma.compress(TABLE),
    "zst": pack_zstd(TABLE),
    "zip": pack_zip("t.csv", "__MACOSX/._t.csv"),
}


@pytest.mark.parametrize("suffix", PACKED)
def test_a_compressed_table_is_read_and_its_digest_is_of_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.csv.{suffix}"

    dataset = load(path, PACKED[suffix])

    assert values(dataset, "x") == [1.0, 2.0] and dataset.digest == digest_table(path)


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst"])
def test_a_cut_file_is_one_sentence(tmp_path: Path, suffix: str) -> None:
    assert "found a damaged or cut one. Fetch it again." in refuse(tmp_path / f"t.csv.{suffix}", PACKED[suffix][:-9])


FOREIGN: dict[str, tuple[bytes, str]] = {
    "lfs.csv": (b"version https://git-lfs.github.com/spec/v1\noid sha256:7\nsize 1\n", "a Git LFS pointer to it. Fetch the table itself: git lfs pull."),
    "book.xlsx": (pack_zip("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook (.xlsx). Save the table as CSV"),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "an old Excel workbook (.xls)"),
    "sheet.ods": (pack_zip("mimetype", content=b"application/vnd.oasis.opendocument.spreadsheet"), "an OpenDocument file"),
    "a.h5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 99, "an HDF5 file"),
    "a.json": (b'[{"x": 1, "y": "a"}]', "a JSON file"),
    "a.jsonl": (b'{"x": 1, "y": "a"}\n', "a JSON file"),
    "a.db": (b"SQLite format 3\x00" + b"\0" * 99, "an SQLite database"),
    "a.pkl": (b"\x80\x04\x95\x10\x00", "a Python pickle, which is never loaded"),
    "a.npz": (pack_zip("arr_0.npy"), "NumPy arrays (.npz)"),
    "a.html": (b"<!DOCTYPE html><html>", "a web page (HTML)"),
    "a.arff": (b"% comment\n@RELATION iris\n", "a Weka file (ARFF)"),
    "a.orc": (b"ORC\x00\x01", "an ORC file"),
    "two.zip": (pack_zip("a.csv", "b.csv"), "2 (a.csv, b.csv). Unpack it"),
    "a.json.gz": (gzip.compress(b'{"x": 1}'), "a JSON file"),
    "a.parquet.gz": (gzip.compress(b"PAR1" + b"\0" * 99), "a compressed Parquet file. Unpack it"),
    "a.tar.gz": (gzip.compress(b"\0" * 257 + b"ustar" + b"\0" * 300), "a tar archive"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_another_format_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    content, expected = FOREIGN[name]

    assert expected in refuse(tmp_path / name, content)


def test_a_pointer_is_named_though_the_pin_is_of_the_real_bytes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(FOREIGN["lfs.csv"][0])
    data = Data.model_validate({"path": "t.csv", "target": "y", "digest": "sha256:" + "0" * 64})

    with pytest.raises(DataError, match="a Git LFS pointer"):
        load_dataset(data, tmp_path / "t.csv")


@pytest.mark.parametrize("header", ["ORCHARD,y", "FEA1,y", "BZhang,y", "q,y", "[x],y", "id {a},y"])
def test_a_header_that_begins_like_another_format_is_a_header(tmp_path: Path, header: str) -> None:
    assert list(load(tmp_path / "a.csv", f"{header}\n1,a\n2,b\n").frame) == header.split(",")


# Rows and words -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a,b,y\n1,2,a\n1,2\n", {}),
        ("a,b,y\n1,2,a\n\n1\n", {}),
        ('a,b,y\n"1,5",2,a\n"x,y",2\n', {}),
        ("a b y\n1 2 a\n1 2\n", {"sep": r"\s+"}),
        ('a b y\n1  2\t"a"\n1 "2 3"\n', {"sep": r"\s+", "types": {"b": "text"}}),
        ('a,b,y\n1,"x # y",a\n1,2 # end\n', {"comment": "#", "types": {"b": "text"}}),
        ("note\na;b;y\n1;2;a\n# none\n1;2 # short\n", {"sep": ";", "comment": "#", "skip_rows": 1}),
        ("a||b||y\n1||2||a\n1||2\n", {"sep": r"\|\|"}),
    ],
)
def test_short_rows_are_refused_unless_allowed(tmp_path: Path, text: str, read: dict[str, Any]) -> None:
    found = refuse(tmp_path / "a.csv", text, **read)

    assert "expected 3 fields in line " in found and "data.read.allow_short_rows: true" in found
    assert values(load(tmp_path / "a.csv", text, allow_short_rows=True, **read), "y") == ["a", None]


def test_a_short_row_is_refused_beside_words_and_long_integers(tmp_path: Path) -> None:
    """pandas then gives an empty text, not a missing value."""
    assert "expected 2 fields in line 3" in refuse(tmp_path / "a.csv", f"a,y\n1,{'9' * 30}\n2\n3,w\n")


def test_integers_beyond_floating_point_are_refused_beside_a_number_that_means_missing(tmp_path: Path) -> None:
    assert f"such as {BIG + 1}" in refuse(tmp_path / "a.csv", f"a,y\n-999,x\n{BIG + 1},y\n", na_values=[-999])
    assert values(load(tmp_path / "a.csv", f"a,y\n{BIG * 8},x\n5,y\n", na_values=[BIG * 8]), "a") == [None, 5.0]


def test_an_empty_last_field_is_no_short_row(tmp_path: Path) -> None:
    assert values(load(tmp_path / "a.csv", "a,b,y\n1,2,a\n3,4,\n\n5,6,b\n"), "y") == ["a", None, "b"]


@pytest.mark.parametrize(
    ("content", "read", "expected"),
    [
        (b"a,y\n1,2,3\n4\n5,6,7,8\n", {}, "expected 3 fields in line 4, as before it, found 4. Mend the line, or check data.read.sep"),
        (b'a,y\n"1,2\n3,4\n', {}, "expected quotes that are closed, found one that opens in row 1 and is never closed"),
        ("a,y\né,2\n".encode("cp1252"), {}, "expected text in utf-8, found the byte 0xe9. Set data.read.encoding"),
        (b"day,y\n2020-01-02,1\n31.12.2020,2\n", {"dates": ["day"]}, "found '31.12.2020' in 1 rows (first in row 2)"),
        (b"day,y\n2020-13-02,1\n", {"dates": {"day": "%Y-%m-%d"}}, "expected dates of the form '%Y-%m-%d', found '2020-13-02'"),
        (b"day,y\n2020-01-02,1\n", {"dates": {"day": "%Q"}}, "found a format that Python does not take"),
    ],
)
def test_what_a_parser_cannot_read_is_said_in_whole_sentences(
    tmp_path: Path, content: bytes, read: dict[str, Any], expected: str
) -> None:
    found = refuse(tmp_path / "a.csv", content, **read)

    assert expected in found and "C error" not in found and found.endswith(".")


def test_dates_in_several_forms_are_read_as_mixed(tmp_path: Path) -> None:
    text = "day,y\n2020-01-02,1\nJan 5 2021,2\n"

    assert "or mixed where each value has its own" in refuse(tmp_path / "a.csv", text, dates=["day"])
    assert days(load(tmp_path / "a.csv", text, dates={"day": "mixed"}), "day") == ["2020-01-02", "2021-01-05"]


def test_what_was_read_is_said_in_a_few_lines(tmp_path: Path) -> None:
    text = "pool,x,when,id,y\n" + "".join(f"NA,{i if i % 3 else ''},2020-01-02,{i},{'ab'[i % 2]}\n" for i in range(12)) + "Ex,1,,9,b\n"

    dataset = load(tmp_path / "a.csv", text, drop=("id",))

    assert dataset.reading["words"] == {"pool": {"NA": 12}} and dataset.reading["missing"] == {"pool": 12, "x": 4, "when": 1}
    assert list_reading_lines(dataset.reading) == [
        "read    13 rows, 5 columns: 2 categorical, 1 date, 1 numeric, 1 left out",
        "missing pool 12, x 4, when 1",
        "missing by their words: pool ('NA' 12 times); if such a word is a value, write data.read.keep_default_na: {pool: false}",
    ]


def test_a_few_missing_words_need_no_remark(tmp_path: Path) -> None:
    dataset = load(tmp_path / "a.csv", "x,y\nNA,a\n1,b\n2,a\n")

    assert len(list_reading_lines(dataset.reading)) == 2


def test_all_that_is_wrong_with_columns_is_said_at_once(tmp_path: Path) -> None:
    found = refuse(tmp_path / "a.csv", f"a,b,c,y\n?,{BIG + 1},1,a\n1,1,x,b\n2,2,2,b\n")

    assert [line.split(":")[0] for line in found.splitlines()] == ["column 'a'", "column 'b'", "column 'c'"]


@pytest.mark.parametrize(("n_columns", "n_lines"), [(4, 4), (5, 4), (30, 4)])
@pytest.mark.parametrize("cells", [["1,5", "2,5"], ["7", "?"]])
def test_many_columns_of_one_kind_of_fault_are_said_in_a_few_lines(
    tmp_path: Path, n_columns: int, n_lines: int, cells: list[str]
) -> None:
    names = [f"n{number}" for number in range(n_columns)]
    rows = [";".join([cell] * n_columns + ["ab"[row % 2]]) for row, cell in enumerate([cells[0], *cells * 2])]

    lines = refuse(tmp_path / "a.csv", "\n".join([";".join([*names, "y"]), *rows]) + "\n", sep=";").splitlines()

    assert len(lines) == n_lines
    assert n_columns == 4 or (lines[3].startswith(f"{n_columns - 3} more columns: ") and "n3, n4" in lines[3])


def test_columns_that_another_key_mends_are_said_too(tmp_path: Path) -> None:
    row = ";".join(["1,5"] * 3 + ["$5"] * 5)
    found = refuse(tmp_path / "a.csv", f"a;b;c;d;e;f;g;h;y\n{row};x\n{row};z\n", sep=";").splitlines()

    assert [line.split(":")[0] for line in found] == [*(f"column '{name}'" for name in "abcdef"), "2 more columns"]


def test_a_file_that_changes_between_two_readings_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    parse = reading._parse_file

    def parse_and_change(*arguments: Any) -> Any:
        part = parse(*arguments)
        path.write_text("x,y\n1,a\n2,b\n", encoding="utf-8")
        return part

    monkeypatch.setattr(reading, "_parse_file", parse_and_change)

    assert "expected a file that stays as it is while it is read" in refuse(path, "x,y\n1,a\n3,\n")


def test_whole_numbers_are_known_as_such_however_they_are_marked(tmp_path: Path) -> None:
    dataset = load(tmp_path / "a.csv", "a;b;c;y\n1;1,000;1.0;1\n2;2;2.5;2\n", sep=";", thousands=",")

    assert dataset.integers == ["a", "b", "y"]
    assert math.isclose(dataset.frame["b"][0], 1000.0)


def test_a_value_that_is_named_missing_is_missing_also_where_empty_fields_are_text(tmp_path: Path) -> None:
    dataset = load(tmp_path / "a.csv", "k,y\n?,a\nx,b\n,a\n", keep_default_na=False, na_values=["?"])

    assert values(dataset, "k") == [None, "x", ""]


def test_a_missing_value_of_parquet_is_never_empty_text(tmp_path: Path) -> None:
    dataset = load_arrow(tmp_path / "a.parquet", {"x": ["u", None, ""], "y": list("aba")}, keep_default_na=False)

    assert values(dataset, "x") == ["u", None, ""]


@pytest.mark.parametrize("types", [{}, {"x": "category"}])
def test_a_word_in_parquet_is_a_word(tmp_path: Path, types: dict[str, str]) -> None:
    dataset = load_arrow(tmp_path / "a.parquet", {"x": ["NA", None, "DE"], "y": list("aba")}, types=types)

    assert values(dataset, "x") == ["NA", None, "DE"]


def test_a_float_that_is_written_with_a_point_is_a_float(tmp_path: Path) -> None:
    assert values(load(tmp_path / "a.csv", "x,y\n9615559741469126.0,a\n1.5,b\n"), "x") == [9615559741469126.0, 1.5]


def test_true_among_the_missing_values_leaves_ones_alone(tmp_path: Path) -> None:
    assert values(load(tmp_path / "a.csv", "x,y\n1,a\n2,b\n", na_values=[True]), "x") == [1.0, 2.0]


# What an hour of attack found -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["x,y\n,0\n5,1\n", "x,y\n1.5,0\n", "x,y\n,0\n", "x,y\n18446744073709551615,0\n"])
def test_integers_beyond_floats_are_found_whatever_another_part_holds(tmp_path: Path, other: str) -> None:
    load_part = tmp_path / "parts"
    load_part.mkdir()
    (load_part / "a.csv").write_text(f"x,y\n{BIG + 1},0\n{BIG},1\n", encoding="utf-8")
    (load_part / "b.csv").write_text(other, encoding="utf-8")

    assert "integers beyond 2**53" in refuse(load_part)
    assert values(load(load_part, types={"x": "category"}), "x")[:2] == [str(BIG + 1), str(BIG)]


@pytest.mark.parametrize("cell", [f"{BIG + 1}.00", f"{BIG + 1}e0", f"{BIG + 1}."])
def test_an_integer_with_a_point_is_an_integer(tmp_path: Path, cell: str) -> None:
    assert "integers beyond 2**53" in refuse(tmp_path / "a.csv", f"x,y\n{cell},a\n1,b\n,a\n")


@pytest.mark.parametrize("cell", ["now", "today", "NaT", "nan"])
@pytest.mark.parametrize("form", ["%d.%m.%Y", "mixed"])
def test_no_word_is_a_day(tmp_path: Path, cell: str, form: str) -> None:
    text = f"d,y\n31.12.2020,a\n{cell},b\n"

    assert f"{cell!r} in 1 rows (first in row 2)" in refuse(tmp_path / "a.csv", text, dates={"d": form}, keep_default_na=False)


@pytest.mark.parametrize("cell", ["12:30", "May", "Jan 5", "5 Mar", "01/02/2020", "10:30:15"])
def test_mixed_dates_name_a_day_that_can_be_taken_one_way_only(tmp_path: Path, cell: str) -> None:
    assert f"{cell!r}" in refuse(tmp_path / "a.csv", f"d,y\n2020-01-02,a\n{cell},b\n", dates={"d": "mixed"})


def test_dates_may_be_counted(tmp_path: Path) -> None:
    text = "s,ms,e,y\n1577923200,1577923200000,43832,a\n,,,b\n"
    forms = {"s": "epoch_seconds", "ms": "epoch_milliseconds", "e": "excel_days"}

    dataset = load(tmp_path / "a.csv", text, dates=forms)

    assert [days(dataset, name) for name in forms] == [["2020-01-02", "NaT"]] * 3


@pytest.mark.parametrize("cells", [["1", "2", "?", "?"], ["1.5", "2.5", "-", "-", "-"], ["0.5", "1.5", "2.5", *["unknown"] * 4]])
def test_a_few_words_for_missing_beside_numbers_are_odd_whatever_their_share(tmp_path: Path, cells: list[str]) -> None:
    text = "x,y\n" + "".join(f"{cell},a\n" for cell in cells)

    found = refuse(tmp_path / "a.csv", text)

    assert f'data.read.na_values: {{x: ["{cells[-1]}"]}}' in found
    assert load(tmp_path / "a.csv", text, na_values={"x": [cells[-1]]}).kinds["x"] == "numeric"


def test_a_group_that_begins_with_zero_is_a_fraction(tmp_path: Path) -> None:
    text = "x;y\n0,125;a\n0,250;b\n1,500;a\n2;b\n"

    assert 'Set data.read.decimal: ","' in refuse(tmp_path / "a.csv", text, sep=";")
    assert values(load(tmp_path / "a.csv", text, sep=";", decimal=","), "x") == [0.125, 0.25, 1.5, 2.0]


def test_remedies_add_to_what_is_named_already_and_are_valid_yaml(tmp_path: Path) -> None:
    found = refuse(tmp_path / "a.csv", '"price, EUR",y\n1,a\n2,b\n-,a\n?,b\n', na_values={"price, EUR": ["-"]})

    assert 'data.read.na_values: {"price, EUR": ["-", "?"]}' in found
    assert 'data.read.types: {"price, EUR": category}' in found
    assert 'data.read.signs: ["$", "€"]' in refuse(tmp_path / "b.csv", "x,y\n$5,a\n€6,b\n")


def test_old_timestamps_of_spark_do_not_wrap(tmp_path: Path) -> None:
    instants = pa.array([pd.Timestamp("9999-12-31").to_pydatetime(), pd.Timestamp("1600-12-31").to_pydatetime()], pa.timestamp("us"))
    pq.write_table(pa.table({"d": instants, "y": ["a", "b"]}), tmp_path / "a.parquet", use_deprecated_int96_timestamps=True)

    assert days(load(tmp_path / "a.parquet"), "d") == ["9999-12-31", "1600-12-31"]


@pytest.mark.parametrize("mark", ["_delta_log/0.json", ".hoodie/x", "metadata/v1.metadata.json"])
def test_a_folder_of_another_table_format_is_named(tmp_path: Path, mark: str) -> None:
    for name in ("a.csv", mark):
        (tmp_path / "t" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "t" / name).write_text("x,y\n1,a\n", encoding="utf-8")

    assert "the folder also holds rows that were removed" in refuse(tmp_path / "t")


def test_a_linked_folder_is_part_of_the_table(tmp_path: Path) -> None:
    for name in ("t/a.csv", "elsewhere/z.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("x,y\n1,a\n", encoding="utf-8")
    (tmp_path / "t/more").symlink_to(tmp_path / "elsewhere")

    assert len(load(tmp_path / "t").frame) == 2


def test_quotes_may_be_escaped(tmp_path: Path) -> None:
    text = 'x,y\n"say \\"hi\\", you",a\n"b",\n'

    assert values(load(tmp_path / "a.csv", text, escapechar="\\"), "x") == ['say "hi", you', "b"]


def test_a_missing_partition_is_missing_where_empty_fields_are_text(tmp_path: Path) -> None:
    for value in ("a", "__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / f"t/d={value}").mkdir(parents=True)
        (tmp_path / f"t/d={value}/p.csv").write_text("x,y\n1,a\n", encoding="utf-8")

    assert sorted(map(str, values(load(tmp_path / "t", keep_default_na=False), "d"))) == ["None", "a"]


def test_a_part_without_rows_and_parts_in_another_order_fit(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    for name, text in (("a.csv", "x,y\n1,a\n"), ("b.csv", "x,y\n"), ("c.csv", "y,x\nb,2\n")):
        (tmp_path / "t" / name).write_text(text, encoding="utf-8")

    assert values(load(tmp_path / "t"), "x") == [1.0, 2.0]


@pytest.mark.parametrize("cell", ["١٢", "１２"])
def test_digits_of_another_script_are_odd(tmp_path: Path, cell: str) -> None:
    assert f"'{cell}' (1)" in refuse(tmp_path / "a.csv", f"x,y\n1,a\n2,b\n3,a\n{cell},b\n")


@pytest.mark.parametrize("sep", ["**", "(x", "||"])
def test_a_separator_that_is_no_pattern_is_said(tmp_path: Path, sep: str) -> None:
    assert "Write a backslash before each of" in refuse(tmp_path / "a.csv", "x||y\n1||a\n", sep=sep)


@pytest.mark.parametrize(
    "content",
    [
        b"version https://git-lfs.github.com/spec/v1\r\noid sha256:7\r\n",
        b"\xef\xbb\xbfversion https://git-lfs.github.com/spec/v1\noid sha256:7\n",
        b"version https://hawser.github.com/spec/v1\noid sha256:7\n",
    ],
)
def test_a_pointer_is_known_in_any_dress(tmp_path: Path, content: bytes) -> None:
    assert "a Git LFS pointer" in refuse(tmp_path / "a.csv", content)


def test_what_is_named_missing_is_so_in_dates_and_booleans_of_parquet(tmp_path: Path) -> None:
    columns = {
        "d": pa.array([pd.Timestamp("9999-12-31").to_pydatetime(), None], pa.timestamp("us")),
        "b": [True, False],
        "y": ["a", "b"],
    }

    dataset = load_arrow(tmp_path / "a.parquet", columns, na_values={"d": ["9999-12-31"], "b": ["false"]})

    assert dataset.frame["d"].isna().all() and dataset.frame["b"].isna().tolist() == [False, True]


def test_a_sentinel_beyond_floats_may_be_named(tmp_path: Path) -> None:
    text = "x,y\n1,a\n9223372036854775807,b\n"

    assert values(load(tmp_path / "a.csv", text, na_values=[9223372036854775807]), "x") == [1.0, None]


def test_a_frame_whose_index_was_dropped_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}, index=pd.Index([7, 8], name="id"))
    pq.write_table(pa.Table.from_pandas(frame).drop_columns(["id"]), tmp_path / "a.parquet")

    assert list(load(tmp_path / "a.parquet").frame) == ["x", "y"]


def test_periods_are_refused_and_decimals_may_be_booleans(tmp_path: Path) -> None:
    pd.DataFrame({"p": pd.period_range("2020-01", periods=2, freq="M"), "y": ["a", "b"]}).to_parquet(tmp_path / "p.parquet")
    columns = {"b": pa.array(["1", "0"]).cast(pa.decimal128(1, 0)), "y": ["a", "b"]}

    assert "found values of type pandas.period" in refuse(tmp_path / "p.parquet")
    assert values(load_arrow(tmp_path / "b.parquet", columns, types={"b": "boolean"}), "b") == [True, False]


def test_an_empty_field_beside_a_word_and_an_integer_of_thirty_digits_is_missing(tmp_path: Path) -> None:
    """pandas forgets it there: the field would be a category of its own."""
    dataset = load(tmp_path / "t.csv", "y,code\n1,\n2,123456789012345678901234567890\n3,x\n")

    assert values(dataset, "code") == [None, "123456789012345678901234567890", "x"]
