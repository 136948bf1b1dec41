from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from samebits.data.dataset import Dataset, load_dataset
from samebits.digests import digest_file, digest_folder
from samebits.errors import DataError
from samebits.keys.table import Data


def load(path: Path, content: str | bytes | None = None, target: str = "y", **data: Any) -> Dataset:
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return load_dataset(Data.model_validate({"path": str(path), "target": target, **data}), path)


def test_the_digest_is_of_the_bytes_that_were_parsed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"

    dataset = load(path, "x,y\n1,2\n3,4\n")

    assert dataset.digest == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert dataset.size_bytes == path.stat().st_size


def test_a_large_file_is_digested_to_its_last_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = "x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(300_000))

    before = load(path, lines).digest
    after = load(path, lines[:-2] + ("1" if lines[-2] == "0" else "0") + "\n")

    assert before != after.digest == digest_file(path)
    assert len(after.frame) == 300_000


def test_other_bytes_than_the_pinned_ones_are_refused_with_both_digests(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    pinned = load(path, "x,y\n1,2\n").digest

    with pytest.raises(DataError) as caught:
        load(path, "x,y\n1,3\n", digest=pinned)

    assert str(caught.value).startswith(f"{path}: expected the pinned {pinned}, found {digest_file(path)}. Restore the file")


def test_a_pin_that_does_not_match_is_said_before_a_parsers_complaint(tmp_path: Path) -> None:
    pinned = load(tmp_path / "a.csv", "x,y\n1,2\n").digest

    with pytest.raises(DataError, match="expected the pinned"):
        load(tmp_path / "a.csv", 'x,y\n"1,3\n2,3,4\n', digest=pinned)


READS: list[tuple[str, bytes, dict[str, Any], dict[str, list[Any]]]] = [
    ("separator", b"x;y\n1;2\n", {"sep": ";"}, {"x": [1.0]}),
    ("decimal comma", b"x;y\n1,5;2\n", {"sep": ";", "decimal": ","}, {"x": [1.5]}),
    ("thousands", b'x,y\n"1,234",2\n', {"thousands": ","}, {"x": [1234.0]}),
    ("cp1252", "é,y\nü,2\n".encode("cp1252"), {"encoding": "cp1252"}, {"é": ["ü"]}),
    ("utf-16", "é,y\nü,2\n".encode("utf-16"), {"encoding": "utf-16"}, {"é": ["ü"]}),
    ("byte-order mark", b"\xef\xbb\xbfx,y\n1,2\n", {}, {"x": [1.0]}),
    ("CRLF", b"x,y\r\n1,2\r\n3,4", {}, {"x": [1.0, 3.0]}),
    ("country NA", b"x,y\nNA,1\nDE,2\n", {"keep_default_na": False}, {"x": ["NA", "DE"]}),
    ("-200 and ?", b"x,z,y\n-200,?,1\n3,4,2\n", {"na_values": [-200, "?"]}, {"x": [np.nan, 3.0], "z": [np.nan, 4.0]}),
    ("by column", b"x,z,y\n-1,-1,1\n", {"na_values": {"x": [-1]}}, {"x": [np.nan], "z": [-1.0]}),
    ("dates by format", b"x,y\n31.12.2025,1\n", {"dates": {"x": "%d.%m.%Y"}}, {"x": [pd.Timestamp("2025-12-31")]}),
    ("ISO dates", b"x,y\n2025-12-31,1\n2026-01-01,2\n", {}, {"x": [pd.Timestamp("2025-12-31"), pd.Timestamp("2026-01-01")]}),
    ("codes", b"x,y\n007,1\n1,2\n", {"types": {"x": "category"}}, {"x": ["007", "1"]}),
    ("booleans", b"x,y\nTRUE,1\nFALSE,2\n", {}, {"x": [True, False]}),
    ("comment", b"# made by hand\nx,y\n1,2\n", {"comment": "#"}, {"x": [1.0]}),
    ("lines before", b"report\n\nx,y\n1,2\n", {"skip_rows": 2}, {"x": [1.0]}),
]


@pytest.mark.parametrize(("content", "read", "columns"), [case[1:] for case in READS], ids=[case[0] for case in READS])
def test_real_files_are_read_as_told(tmp_path: Path, content: bytes, read: dict[str, Any], columns: dict[str, list[Any]]) -> None:
    frame = load(tmp_path / "a.csv", content, read=read).frame

    for name, values in columns.items():
        pd.testing.assert_series_equal(frame[name], pd.Series(values, name=name, dtype=frame[name].dtype), check_dtype=False)


def test_parquet_of_every_kind_gives_the_same_columns_as_csv(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "number": [1, 2, None],
            "category": pd.Categorical(["a", "b", None]),
            "when": pd.to_datetime(["2026-01-01T01:00+01:00", "2026-06-01T02:00+02:00", None], utc=True).tz_convert("Europe/Berlin"),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "whole": pd.array([1, None, 3], dtype="Int64"),
            "ünï": ["x", "y", "x"],
            "y": [0, 1, 0],
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    text = frame.assign(when=["2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", None]).to_csv(index=False)

    from_parquet, from_csv = load(tmp_path / "a.parquet"), load(tmp_path / "a.csv", text)

    assert from_parquet.kinds == from_csv.kinds
    assert from_parquet.kinds == {
        "number": "numeric", "category": "categorical", "when": "date", "flag": "boolean", "whole": "numeric",
        "ünï": "categorical", "y": "numeric",
    }  # fmt: skip
    pd.testing.assert_frame_equal(from_parquet.frame, from_csv.frame)


def test_a_folder_is_one_table_and_its_digest_the_manifests(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "b.csv").write_text("x,y\n3,4\n", encoding="utf-8")
    (folder / "a.csv").write_text("x,y\n1,2\n", encoding="utf-8")

    dataset = load(folder)

    assert dataset.frame["x"].tolist() == [1.0, 3.0]
    assert dataset.digest == digest_folder(folder)


@pytest.mark.parametrize(
    ("content", "data", "expected"),
    [
        ("x,z\n1,2\n", {}, r"data\.target: expected a column of .*found 'y'"),
        ("x,y\n1,2\n", {"drop": ["X"]}, r"data\.drop: expected a column of .*found 'X'\. Did you mean 'x'\?"),
        ("x,y\n", {}, r"expected rows, found none"),
        ("", {}, r"expected a table as data\.read says, found an empty file"),
        ("x,y\n1,2\n", {"read": {"encoding": "no-such"}}, r"expected a known encoding in data\.read\.encoding, found 'no-such'"),
        ("x,y\nsoon,2\n", {"read": {"dates": ["x"]}}, r"column 'x': expected dates"),
        ("x,y\nsoon,2\n", {"read": {"types": {"x": "number"}}}, r"column 'x': expected numbers"),
        ("x,y\n1,2\ninf,3\n", {}, r"column 'x': expected numbers, found an infinity in row 2"),
        ("x,y\n1152921504606846977,3\n", {}, r"column 'x': expected numbers, found integers beyond 2\*\*53"),
        ("x,y\n1,2\n", {"read": {"na_values": {"xx": [1]}}}, r"data\.read\.na_values: .*Did you mean 'x'\?"),
        ("x,y\nsoon,2\n", {"read": {"types": {"x": "boolean"}}}, r"column 'x': expected booleans, found 'soon'"),
    ],
)
def test_a_table_that_does_not_fit_is_one_sentence(tmp_path: Path, content: str, data: dict[str, Any], expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        load(tmp_path / "a.csv", content, **data)


def test_columns_are_never_shifted_renamed_joined_or_lost_in_silence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rows with more fields than the header has names"):
        load(tmp_path / "a.csv", "y,b\n0,1,3\n1,0,4\n")
    assert load(tmp_path / "a.csv", "id,y,b\n1,1,3,\n2,0,4,\n").frame["y"].tolist() == [1.0, 0.0]
    with pytest.raises(DataError, match="expected each column once, found 'a' twice"):
        load(tmp_path / "a.csv", "a,a,y\n1,2,3\n")
    assert list(load(tmp_path / "a.csv", "a,a.1,y\n1,2,3\n").frame) == ["a", "a.1", "y"]
    pd.DataFrame({"a": [1], "y": [2]}).set_index("a").to_parquet(tmp_path / "a.parquet")
    assert list(load(tmp_path / "a.parquet").frame) == ["a", "y"]
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "a.csv").write_text("x,y\n1,2\n", encoding="utf-8")
    (folder / "b.csv").write_text("z,y\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"b\.csv: expected the columns of a\.csv, found a difference in x, z"):
        load(folder)


def test_a_dropped_column_may_hold_anything_unless_the_split_needs_it(tmp_path: Path) -> None:
    pd.DataFrame({"l": [[1], [2]], "when": ["2026-01-01", "2026-01-02"], "y": [0, 1]}).to_parquet(tmp_path / "a.parquet")
    data = Data.model_validate({"path": "a", "target": "y", "drop": ["l", "when"]})

    assert list(load_dataset(data, tmp_path / "a.parquet").frame) == ["y"]
    with pytest.raises(DataError, match="column 'l': expected plain values, found values inside values"):
        load(tmp_path / "a.parquet")
    assert list(load_dataset(data, tmp_path / "a.parquet", kept=["when"]).frame) == ["when", "y"]


@pytest.mark.parametrize("sep", ["||", r"\s+", r";\s*"])
def test_a_separator_may_be_long_or_a_pattern(tmp_path: Path, sep: str, recwarn: pytest.WarningsRecorder) -> None:
    text = "x{0}y\n1{0}2\n".format({"||": "||", r"\s+": "   ", r";\s*": "; "}[sep])

    frame = load(tmp_path / "a.csv", text, read={"sep": sep.replace("|", r"\|")}).frame

    assert frame["x"].tolist() == [1.0]
    assert not recwarn.list


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected the table, found no such file\. Check data\.path\."):
        load(tmp_path / "nope.csv")


def test_of_a_missing_table_the_near_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "houses.csv").touch()

    with pytest.raises(DataError, match=r"found no such file\. Did you mean 'houses\.csv'\?"):
        load(tmp_path / "house.csv")


def test_seventeen_digit_numbers_are_read_exactly(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=2000)
    text = "x,y\n" + "".join(f"{value!r},1\n" for value in values.tolist())

    assert load(tmp_path / "a.csv", text).frame["x"].tolist() == values.tolist()


def test_a_run_changes_no_raw_data(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,2\n", encoding="utf-8")
    path.chmod(0o444)

    load(path)

    assert path.read_text(encoding="utf-8") == "x,y\n1,2\n"
