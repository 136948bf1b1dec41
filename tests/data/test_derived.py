"""Derived columns: what each makes of a row, and that a stored model makes them by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import SMALL, merge

from samebits.data.dataset import Dataset
from samebits.data.derived import list_steps
from samebits.data.features import list_features, list_model_inputs
from samebits.data.preparation import prepare_dataset
from samebits.errors import ConfigError, DataError
from samebits.keys.config import Config
from samebits.keys.derivation import Derived
from samebits.row_columns import RowColumns

TABLE = pd.DataFrame(
    {
        "a": [1.0, 4.0, np.nan],
        "b": [2.0, 0.0, 5.0],
        "city": [" Oslo ", "bergen", None],
        "start": pd.to_datetime(["2020-02-28T00:00", "2020-12-31T23:30", None]),
        "end": pd.to_datetime(["2020-03-01", "2021-01-01", "2021-01-01"]),
        "flag": pd.array([True, None, False], dtype="boolean"),
        "y": ["no", "yes", "no"],
    }
)


def prepare(tmp_path: Path, *derived: dict[str, Any], **data: Any) -> tuple[Config, Dataset]:
    path = tmp_path / "t.parquet"
    TABLE.to_parquet(path)
    raw = merge(SMALL, {"data": {"path": str(path), "target": "y", "positive": "yes", "drop": [], **data}})
    config = Config.model_validate({**raw, "features": {"derived": list(derived)}, "allow": ["test_derived"]})
    return config, prepare_dataset(config, path)


def made(tmp_path: Path, derived: dict[str, Any]) -> list[Any]:
    _, dataset = prepare(tmp_path, {"name": "new", **derived})
    return [None if pd.isna(value) else value for value in dataset.read_column("new")]


@pytest.mark.parametrize(
    ("derived", "expected"),
    [
        ({"sum": ["a", "b"]}, [3.0, 4.0, None]),
        ({"difference": ["a", "b"]}, [-1.0, 4.0, None]),
        ({"product": ["a", "b", "b"]}, [4.0, 0.0, None]),
        ({"ratio": ["a", "b"]}, [0.5, None, None]),
        ({"ratio": ["b", 10]}, [0.2, 0.0, 0.5]),
        ({"difference": [100, "b"]}, [98.0, 100.0, 95.0]),
        ({"log": "a"}, [0.0, float(np.log(4.0)), None]),
        ({"log1p": "b"}, [float(np.log1p(2.0)), 0.0, float(np.log1p(5.0))]),
        ({"power": {"column": "a", "exponent": 0.5}}, [1.0, 2.0, None]),
        ({"bins": {"column": "a", "edges": [0, 1, 4]}}, ["(0, 1]", "(1, 4]", None]),
        ({"bins": {"column": "a", "edges": [1, 4], "right": False, "labels": ["low"]}}, ["low", None, None]),
        ({"bins": {"column": "b", "edges": [-np.inf, 0, np.inf], "labels": ["none", "some"]}}, ["some", "none", "some"]),
        ({"bins": {"column": "b", "edges": [0, 1.00000025, 1e6, 1000002]}}, ["(1.00000025, 1000000]", None, "(1.00000025, 1000000]"]),
        ({"map": {"column": "b", "values": {"2.0": 1, "0": 2, "5.00": 3}}}, [1.0, 2.0, 3.0]),
        ({"map": {"column": "flag", "values": {"true": 1, "false": 0}}}, [1.0, None, 0.0]),
        ({"map": {"column": "y", "values": {"no": 0}, "otherwise": "default", "default": 9}}, [0.0, 9.0, 0.0]),
        ({"join": {"columns": ["b", "y"], "separator": "/"}}, ["2/no", "0/yes", "5/no"]),
        ({"map": {"column": "y", "values": {"no": 0, "yes": 1}}}, [0.0, 1.0, 0.0]),
        ({"map": {"column": "y", "values": {"no": "n"}, "otherwise": "keep"}}, ["n", "yes", "n"]),
        ({"map": {"column": "b", "values": {"2": True}, "otherwise": "missing"}}, [True, None, None]),
        ({"part": {"column": "start", "of": "month"}}, [2.0, 12.0, None]),
        ({"part": {"column": "start", "of": "weekday"}}, [4.0, 3.0, None]),
        ({"part": {"column": "end", "of": "week"}}, [9.0, 53.0, 53.0]),
        ({"between": {"start": "start", "end": "end", "unit": "days"}}, [2.0, 0.5 / 24, None]),
        ({"text": {"column": "city", "case": "lower"}}, ["oslo", "bergen", None]),
        ({"text": {"column": "city", "strip": False, "case": "upper"}}, [" OSLO ", "BERGEN", None]),
        ({"fill": {"column": "a", "value": -1}}, [1.0, 4.0, -1.0]),
        ({"fill": {"column": "city", "value": "none"}}, [" Oslo ", "bergen", "none"]),
        ({"fill": {"column": "flag", "value": False}}, [True, False, False]),
        ({"fill": {"column": "start", "value": "2000-01-01"}}, [TABLE.start[0], TABLE.start[1], pd.Timestamp("2000-01-01")]),
        ({"function": {"path": "test_derived.add_one", "columns": ["a"]}}, [2.0, 5.0, None]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_derived_column_is_what_its_operation_says(tmp_path: Path, derived: dict[str, Any], expected: list[Any]) -> None:
    assert made(tmp_path, derived) == expected


def add_one(frame: pd.DataFrame) -> pd.Series:
    return frame["a"] + 1


def measure_width(frame: pd.DataFrame) -> pd.Series:
    return frame["b"].astype(str).str.len()


def number_rows(frame: pd.DataFrame) -> np.ndarray:
    return frame.index.to_numpy()


def centre(frame: pd.DataFrame) -> pd.Series:
    return frame["b"] - frame["b"].mean()


def break_off(frame: pd.DataFrame) -> pd.Series:
    raise KeyError("nothing")


def test_each_may_use_earlier_ones_and_replace_what_it_is_made_of(tmp_path: Path) -> None:
    steps: list[dict[str, Any]] = [
        {"name": "city", "text": {"column": "city", "case": "lower"}},
        {"name": "city", "fill": {"column": "city", "value": "?"}},
        {"name": "place", "join": {"columns": ["city", "y"]}},
    ]

    config, dataset = prepare(tmp_path, *steps, drop=["place"])

    assert dataset.read_column("place").tolist() == ["oslo_no", "bergen_yes", "?_no"]
    assert dataset.frame["city"].tolist()[0] == " Oslo "  # what a model takes is the table's own
    assert "place" not in list_features(config, dataset)


def test_a_model_takes_the_tables_own_columns_and_makes_the_rest(tmp_path: Path) -> None:
    steps: list[dict[str, Any]] = [
        {"name": "stay", "between": {"start": "start", "end": "end", "unit": "days"}},
        {"name": "unused", "log1p": "b"},
    ]

    config, dataset = prepare(tmp_path, *steps, drop=["start", "end", "unused", "b"])

    assert list_features(config, dataset) == ["a", "city", "flag", "stay"]
    assert list_model_inputs(dataset, list_features(config, dataset)) == ["a", "city", "start", "end", "flag"]


def test_the_target_may_be_derived_but_not_be_read_off_a_feature(tmp_path: Path) -> None:
    good = {"name": "good", "map": {"column": "b", "values": {"2": "no", "0": "no", "5": "yes"}}}

    config, dataset = prepare(tmp_path, good, target="good", drop=["b"])
    assert dataset.read_column("good").tolist() == ["no", "no", "yes"]
    assert "b" not in list_features(config, dataset)
    with pytest.raises(DataError, match=r"expected none that the target .good. is made of, found b\. Name"):
        list_features(*prepare(tmp_path, good, target="good"))
    with pytest.raises(DataError, match="expected none made of the target 'y', found again"):
        list_features(*prepare(tmp_path, {"name": "again", "text": {"column": "y"}}))


@pytest.mark.parametrize(
    ("derived", "message"),
    [
        ({"sum": ["a", "c"]}, r"features\.derived\.0\.sum: expected a column of .*found 'c'"),
        ({"sum": ["a", "city"]}, r"expected a column that is numeric or boolean, found 'city', which is categorical"),
        ({"part": {"column": "a", "of": "year"}}, r"expected a column that is date, found 'a', which is numeric"),
        ({"log": "b"}, r"expected values of 'b' for which it is defined, found 0\.0 in row 2, and 0 more"),
        ({"bins": {"column": "a", "edges": [1, 1]}}, r"expected rising edges"),
        ({"bins": {"column": "a", "edges": [1, 2, 3], "labels": ["x"]}}, r"expected 2 names, found 1"),
        ({"map": {"column": "y", "values": {"no": 0}}}, r"expected every value of 'y', found none for 'yes'"),
        ({"fill": {"column": "a", "value": "x"}}, r"expected a number, as its column has, found 'x'"),
        ({"fill": {"column": "start", "value": "soon"}}, r"expected a date, found 'soon'"),
        ({"name": "b", "log1p": "a"}, r"expected a new name, or that of the column it is made of, found 'b'"),
        ({"function": {"path": "test_derived.centre", "columns": ["b"]}}, r"expected a value for each row that depends on this row alone"),
        ({"function": {"path": "test_derived.number_rows", "columns": ["b"]}}, r"expected a value for each row that depends on this row alone"),
        ({"function": {"path": "test_derived.break_off", "columns": ["b"]}}, r"expected a value for every row, found KeyError"),
    ],
)  # fmt: skip
def test_what_cannot_be_derived_is_one_sentence(tmp_path: Path, derived: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepare(tmp_path, {"name": "new", **derived})


def test_a_function_of_a_package_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="If you trust os, add it to allow:"):
        prepare(tmp_path, {"name": "new", "function": {"path": "os.getcwd", "columns": ["a"]}})


def test_every_operation_is_tried_here() -> None:
    tried = {next(iter(case.values[0])) for case in _cases() if isinstance(case.values[0], dict)}  # type: ignore[attr-defined]

    assert tried == set(Derived.model_fields) - {"name"}


def _cases() -> list[Any]:
    mark = next(mark for mark in test_a_derived_column_is_what_its_operation_says.pytestmark)  # type: ignore[attr-defined]
    return [pytest.param(*values) for values in mark.args[1]]


def test_serving_types_give_the_same_columns_as_training_types(tmp_path: Path) -> None:
    config, dataset = prepare(
        tmp_path, {"name": "n", "sum": ["a", "b"]}, {"name": "c", "join": {"columns": ["b", "city"]}}, {"name": "d", "part": {"column": "end", "of": "day"}}
    )  # fmt: skip
    step = RowColumns(list_steps(config)).fit(dataset.frame)
    served = dataset.frame.assign(b=[2, 0, 5], city=dataset.frame["city"].astype(object), end=dataset.frame["end"].astype(str))

    left, right = step.transform(dataset.frame), step.transform(served)

    pd.testing.assert_frame_equal(left[["n", "c", "d"]], right[["n", "c", "d"]])
    assert list(step.get_feature_names_out()) == list(left)


def test_a_function_sees_the_types_of_training_whatever_is_served(tmp_path: Path) -> None:
    config, dataset = prepare(tmp_path, {"name": "w", "function": {"path": "test_derived.measure_width", "columns": ["b"]}})
    step = RowColumns(list_steps(config), {"test_derived.measure_width": measure_width}).fit(dataset.frame)

    served = step.transform(dataset.frame.assign(b=[2, 0, 5]))

    assert served["w"].tolist() == dataset.read_column("w").tolist()


def test_one_of_two_columns_does_not_tell_their_difference(tmp_path: Path) -> None:
    stay = {"name": "stay", "between": {"start": "start", "end": "end", "unit": "days"}}
    month = {"name": "month", "part": {"column": "start", "of": "month"}}
    other = {"name": "other", "part": {"column": "end", "of": "month"}}

    config, dataset = prepare(tmp_path, stay, month, target="stay", drop=["start", "end"])

    assert "month" in list_features(config, dataset)
    with pytest.raises(DataError, match=r"expected none that the target 'stay' is made of, found end, start"):
        list_features(*prepare(tmp_path, stay, month, other, target="stay", drop=["start", "end"]))
