"""Arrow's own files are read as Parquet is, whole or some rows at a time, and a saved dataset as the table of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from samebits.differences.tables import _read_part
from samebits.errors import DataError
from samebits.keys.table import Read
from samebits.table.files import choose_parts, digest_table
from samebits.table.reading import read_table

TABLE = pa.table(
    {
        "number": pa.array([1, None, 3] * 50, pa.int64()),
        "price": pa.array([0.1, 2.5, None] * 50),
        "when": pa.array(pd.to_datetime(["2026-01-01", "2026-02-02", None] * 50)),
        "kind": pa.array(["a", "b", "a"] * 50).dictionary_encode(),
        "name": pa.array(["x", "é", None] * 50),
    }
)


def write(path: Path, kind: str) -> Path:
    if kind == "parquet":
        pq.write_table(TABLE, path)
        return path
    make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with make(path, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=40)
    return path


def read(path: Path, batch_rows: int | None = None) -> dict[str, Any]:
    table = read_table([path], [None], Read(), batch_rows)
    return {name: (column.kind, column.values) for name, column in table.canonicalise(table.names, Read()).items()}


@pytest.mark.parametrize("kind", ["file", "stream"])
@pytest.mark.parametrize("batch_rows", [None, 7])
@pytest.mark.parametrize("suffix", [".arrow", ".feather", ".data"])
def test_an_arrow_file_is_the_table_that_parquet_would_be(tmp_path: Path, kind: str, batch_rows: int | None, suffix: str) -> None:
    expected = read(write(tmp_path / "t.parquet", "parquet"))

    found = read(write(tmp_path / f"t{suffix}", kind), batch_rows)

    assert {name: one[0] for name, one in found.items()} == {name: one[0] for name, one in expected.items()}
    for name, (_, values) in expected.items():
        pd.testing.assert_series_equal(pd.Series(np.asarray(found[name][1])), pd.Series(np.asarray(values)))


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_differences_are_told_of_arrow_files_too(tmp_path: Path, kind: str) -> None:
    expected = _read_part(write(tmp_path / "t.parquet", "parquet"), Read())

    pd.testing.assert_frame_equal(_read_part(write(tmp_path / "t.arrow", kind), Read()), expected)


@pytest.mark.parametrize("cut", [8, 100, -40])
def test_a_cut_arrow_file_is_one_sentence(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "t.arrow", "file")
    path.write_bytes(path.read_bytes()[:cut])

    with pytest.raises(DataError, match="one that Arrow cannot read"):
        read(path)


def save_dataset(folder: Path, **state: Any) -> Path:
    """Write what `datasets.Dataset.save_to_disk` writes (datasets 5)."""
    folder.mkdir()
    names = ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    for name in names:
        write(folder / name, "stream")
    told = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "f", "_split": None, **state}
    (folder / "state.json").write_text(json.dumps(told), "utf-8")
    (folder / "dataset_info.json").write_text("{}", "utf-8")
    return folder


def test_a_saved_dataset_is_the_table_of_its_arrow_files(tmp_path: Path) -> None:
    folder = save_dataset(tmp_path / "saved")

    columns = read(folder)
    before = digest_table(folder)
    (folder / "state.json").write_text((folder / "state.json").read_text("utf-8") + " ", "utf-8")

    assert len(columns["number"][1]) == 2 * TABLE.num_rows
    assert digest_table(folder) == before


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"_indices_files": [{"filename": "indices.arrow"}]}, "a selection of their rows"),
        ({"_data_files": [{"filename": "data-00001-of-00002.arrow"}]}, "in another order or number"),
        ({"_data_files": 3}, "what save_to_disk writes"),
    ],
)
def test_a_saved_dataset_that_is_not_all_rows_of_its_files_is_refused(tmp_path: Path, state: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        choose_parts(save_dataset(tmp_path / "saved", **state))


def test_of_several_saved_datasets_one_must_be_named(tmp_path: Path) -> None:
    for name in ("train", "test"):
        save_dataset(tmp_path / name)
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}', "utf-8")

    with pytest.raises(DataError, match=r"several \(test, train\)\. Name the folder of one"):
        choose_parts(tmp_path)
