"""A table on disk gives the same rows, columns and target as one in memory; its rows are used in the table's order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import merge

from samebits.config.loading import LoadedConfig, load_config
from samebits.data.preparation import PreparedRows, prepare_rows
from samebits.errors import DataError
from samebits.stored.stored_table import StoredTable
from samebits.stored.taken_rows import read_rows

N = 3400
GENERATOR = np.random.default_rng(1)
TABLE = pd.DataFrame(
    {
        "n": np.round(GENERATOR.normal(size=N), 3),
        "k": GENERATOR.choice(["a", "b", "c"], N),
        "d": pd.date_range("2020-01-01", periods=N, freq="h"),
        "f": GENERATOR.random(N) < 0.5,
        "g": np.arange(N) // 20,
        "y": GENERATOR.choice(["u", "v"], N),
    }
)
TABLE.loc[::50, "n"] = np.nan
TABLE.loc[::70, "k"] = None
RULES: list[dict[str, Any]] = [
    {"drop_missing": ["n"]},
    {"drop_duplicates": ["n", "k"]},
    {"keep": {"double": {"max": 4}}},
    {"min_class_rows": 2},
    {"sample": 0.9},
    {"first": 2500},
]
DERIVED = [
    {"name": "double", "product": ["n", 2]},
    {"name": "hour", "part": {"column": "d", "of": "hour"}},
    {"name": "both", "join": {"columns": ["k", "f"], "separator": "-"}},
]


def prepare(write: Any, tmp_path: Path, batches: dict[str, int] | None, **changes: Any) -> PreparedRows:
    path = tmp_path / "t.parquet"
    TABLE.to_parquet(path)
    raw = {"data": {"path": str(path), "target": "y", "positive": ..., "drop": []}, "batches": batches, "business": ...}
    loaded: LoadedConfig = load_config(write(merge(raw, changes)))
    return prepare_rows(loaded, tmp_path)


BATCHES = {"rows": 1000}


def test_rules_and_derived_columns_come_to_the_same_rows_in_the_same_order(write_config: Any, tmp_path: Path) -> None:
    changes = {"data": {"rows": RULES}, "features": {"derived": DERIVED}}

    whole, stored = (prepare(write_config, tmp_path, batches, **changes) for batches in (None, BATCHES))

    assert isinstance(stored.dataset.frame, StoredTable) and stored.dataset.reading == whole.dataset.reading
    pd.testing.assert_frame_equal(read_rows(stored.dataset.frame), read_rows(whole.dataset.frame))
    assert stored.dataset.row_numbers.tolist() == whole.dataset.row_numbers.tolist()
    for name in ("double", "hour", "both"):
        pd.testing.assert_series_equal(stored.dataset.read_column(name), whole.dataset.read_column(name))
    assert (stored.features, stored.inputs) == (whole.features, whole.inputs)
    np.testing.assert_array_equal(stored.target.values, whole.target.values)


@pytest.mark.parametrize(
    "split",
    [
        {},
        {"method": "group", "column": "g"},
        {"method": "value", "column": "k", "test": ["a"]},
        {"method": "order"},
        {"method": "none"},
    ],
)
def test_the_same_rows_are_held_back_and_all_are_used_in_the_tables_order(
    write_config: Any, tmp_path: Path, split: dict[str, Any]
) -> None:
    changes = {"split": split, "data": {"rows": [{"drop_missing": ["k"]}]}}

    whole, stored = (prepare(write_config, tmp_path, batches, **changes).split for batches in (None, BATCHES))

    for name in ("train_rows", "test_rows"):
        assert getattr(stored, name).tolist() == sorted(getattr(whole, name).tolist())
    for fit, score in stored.folds:
        assert fit.tolist() == sorted(fit.tolist()) and sorted([*fit, *score]) == list(range(len(stored.train_rows)))


def test_rows_by_time_stay_in_times_order(write_config: Any, tmp_path: Path) -> None:
    split = {"method": "time", "column": "d"}

    whole, stored = (prepare(write_config, tmp_path, batches, split=split).split for batches in (None, BATCHES))

    assert stored.train_rows.tolist() == whole.train_rows.tolist()
    assert [(fit.tolist(), score.tolist()) for fit, score in stored.folds] == [(f.tolist(), s.tolist()) for f, s in whole.folds]


def test_rows_that_are_equal_in_every_column_cannot_be_asked_for(write_config: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="drop_duplicates: expected columns, of a table that is read in batches"):
        prepare(write_config, tmp_path, BATCHES, data={"rows": [{"drop_duplicates": "all"}]})
