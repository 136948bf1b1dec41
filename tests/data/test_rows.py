from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import SMALL, merge

from samebits.data.dataset import Dataset, list_reading_lines
from samebits.data.preparation import prepare_dataset
from samebits.errors import DataError
from samebits.keys.config import Config

TABLE = pd.DataFrame(
    {
        "n": [1.0, 2.0, np.nan, 4.0, 4.0, 6.0],
        "k": ["a", "b", "b", None, "a", "c"],
        "d": pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01", None, "2021-06-01", "2023-01-01"]),
        "f": [True, False, True, False, False, True],
        "y": ["u", "v", "u", "u", None, "w"],
    }
)


def prepare(tmp_path: Path, *rules: dict[str, Any]) -> Dataset:
    path = tmp_path / "t.parquet"
    TABLE.to_parquet(path)
    raw = merge(SMALL, {"data": {"path": str(path), "target": "y", "positive": ..., "drop": [], "rows": list(rules)}})
    return prepare_dataset(Config.model_validate(raw), path)


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ({"drop_missing": ["y"]}, [0, 1, 2, 3, 5]),
        ({"drop_missing": "any"}, [0, 1, 5]),
        ({"drop_duplicates": ["k"]}, [0, 1, 3, 5]),
        ({"drop_duplicates": "all"}, [0, 1, 2, 3, 4, 5]),
        ({"keep": {"k": "a"}}, [0, 4]),
        ({"keep": {"k": ["a", "b"], "n": {"min": 2}}}, [1, 4]),
        ({"keep": {"n": {"above": 1, "below": 6}}}, [1, 3, 4]),
        ({"keep": {"n": {"max": 2}}}, [0, 1]),
        ({"keep": {"d": {"min": "2021-01-01", "below": "2023-01-01"}}}, [1, 2, 4]),
        ({"keep": {"f": True}}, [0, 2, 5]),
        ({"drop": {"k": "b"}}, [0, 3, 4, 5]),
        ({"drop": {"k": "b", "f": False}}, [0, 2, 3, 4, 5]),
        ({"drop": {"n": {"missing": True}}}, [0, 1, 3, 4, 5]),
        ({"keep": {"n": 4}}, [3, 4]),
        ({"min_class_rows": 2}, [0, 2, 3]),
        ({"first": 2}, [0, 1]),
    ],
)
def test_a_rule_keeps_the_rows_that_it_says(tmp_path: Path, rule: dict[str, Any], kept: list[int]) -> None:
    assert prepare(tmp_path, rule).row_numbers.tolist() == kept


def test_rules_are_applied_in_order_and_each_is_counted(tmp_path: Path) -> None:
    dataset = prepare(tmp_path, {"drop_missing": ["y", "n"]}, {"drop": {"k": ["c"]}})

    assert dataset.row_numbers.tolist() == [0, 1, 3]
    assert list_reading_lines(dataset.reading)[-2:] == [
        "rows    drop_missing y, n: 2 dropped, 4 left",
        "rows    drop k in c: 1 dropped, 3 left",
    ]


@pytest.mark.parametrize(("sample", "expected"), [(3, {"n": 3}), (0.5, {"frac": 0.5})])
def test_a_sample_is_drawn_as_pandas_draws_it(tmp_path: Path, sample: float, expected: dict[str, Any]) -> None:
    dataset = prepare(tmp_path, {"sample": sample, "random_state": 3})

    assert dataset.row_numbers.tolist() == TABLE.sample(**expected, random_state=3).index.tolist()
    assert dataset.seeds == {"data.rows.0.random_state": 3}


def test_a_sample_without_a_seed_of_its_own_takes_one_from_the_root(tmp_path: Path) -> None:
    left, right = (prepare(tmp_path, {"sample": 4}) for _ in range(2))

    assert left.row_numbers.tolist() == right.row_numbers.tolist()
    assert left.seeds["data.rows.0.random_state"] == right.seeds["data.rows.0.random_state"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"drop_missing": ["nn"]}, r"data\.rows\.0: expected a column of .*found 'nn'"),
        ({"keep": {"n": "x"}}, r"data\.rows\.0\.keep\.n: expected a number, as the column has, found 'x'"),
        ({"keep": {"d": {"min": "soon"}}}, r"data\.rows\.0\.keep\.d\.min: expected a date"),
        ({"keep": {"f": "yes"}}, r"expected true or false"),
        ({"keep": {"k": {"min": 10}}}, r"data\.rows\.0\.keep\.k\.min: expected text, as the column has, found 10"),
        ({"keep": {"n": 99}}, r"expected a rule that leaves rows, found none left of 6"),
        ({"sample": 7}, r"data\.rows\.0\.sample: expected at most 6 rows, found 7"),
    ],
)
def test_a_rule_that_does_not_fit_is_one_sentence(tmp_path: Path, rule: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepare(tmp_path, rule)


def test_rules_see_derived_columns_and_columns_that_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    TABLE.to_parquet(path)
    rows = [{"keep": {"year": {"min": 2021}}}, {"drop": {"k": "c"}}]
    raw = merge(SMALL, {"data": {"path": str(path), "target": "y", "positive": ..., "drop": ["k", "d", "year"], "rows": rows}})
    config = Config.model_validate({**raw, "features": {"derived": [{"name": "year", "part": {"column": "d", "of": "year"}}]}})

    assert prepare_dataset(config, path).row_numbers.tolist() == [1, 2, 4]


def test_of_equal_rows_the_first_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.concat([TABLE, TABLE[2:4]]).to_parquet(path)
    raw = merge(SMALL, {"data": {"path": str(path), "target": "y", "positive": ..., "drop": [], "rows": [{"drop_duplicates": "all"}]}})

    assert prepare_dataset(Config.model_validate(raw), path).row_numbers.tolist() == [0, 1, 2, 3, 4, 5]


def test_rows_without_a_logarithm_may_be_left_out_before_it_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    TABLE.assign(n=[0.0, 2.0, -1.0, 4.0, 4.0, 6.0]).to_parquet(path)
    rows = [{"keep": {"n": {"above": 0}}}, {"drop": {"log_n": {"max": 1.0}}}]
    raw = merge(SMALL, {"data": {"path": str(path), "target": "y", "positive": ..., "drop": [], "rows": rows}})
    config = Config.model_validate({**raw, "features": {"derived": [{"name": "log_n", "log": "n"}]}})

    dataset = prepare_dataset(config, path)

    assert dataset.row_numbers.tolist() == [3, 4, 5]
    assert [step["left"] for step in dataset.reading["rows"]] == [4, 3]


def test_a_quantity_has_no_classes_to_count(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"x": np.arange(30.0), "y": np.arange(30.0) / 7}).to_parquet(path)
    raw = merge(SMALL, {"data": {"path": str(path), "target": "y", "positive": ..., "drop": [], "rows": [{"min_class_rows": 2}]}})

    with pytest.raises(DataError, match="expected a target of classes, found a quantity"):
        prepare_dataset(Config.model_validate(raw), path)
