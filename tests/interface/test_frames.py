from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from samebits.application.input_columns import InputColumns
from samebits.errors import DataError
from samebits.interface.tables import settle_inputs
from samebits.keys.table import Read
from samebits.table.columns import Kind

KINDS: dict[str, Kind] = {"n": "numeric", "c": "categorical", "b": "boolean", "d": "date", "t": "text"}
FRAME = pd.DataFrame(
    {
        "t": ["x y", "z"],
        "d": pd.to_datetime(["2026-01-01", "2026-01-02"]),
        "b": [True, False],
        "c": ["1", "2"],
        "n": [1.0, np.nan],
        "more": [0, 0],
    },
    index=[7, 3],
)


def settle(frame: pd.DataFrame, zones: dict[str, str] | None = None) -> pd.DataFrame:
    types = {"n": "number", "c": "category", "b": "boolean", "t": "text"}
    read = Read().model_copy(update={"types": types, "dates": {"d": None}})
    return settle_inputs(InputColumns(KINDS, read, frozenset(), zones=zones), frame)


def test_columns_come_in_the_models_order_under_the_tables_own_index() -> None:
    settled = settle(FRAME)

    assert list(settled.columns) == list(KINDS) and list(settled.index) == [7, 3]
    assert settled["n"].dtype == np.float64 and settled["b"].dtype == bool


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("c", pd.Series([1, 2], index=[7, 3])),
        ("c", pd.Series([1.0, 2.0], index=[7, 3])),
        ("c", pd.Series(["1", "2"], index=[7, 3], dtype="category")),
        ("c", pd.Series(["1", "2"], index=[7, 3], dtype=object)),
        ("n", pd.Series(["1", None], index=[7, 3], dtype=object)),
        ("n", pd.Series([1, None], index=[7, 3], dtype="Int64")),
        ("b", pd.Series(["True", "False"], index=[7, 3])),
        ("d", pd.Series(["2026-01-01", "2026-01-02"], index=[7, 3])),
        ("d", pd.to_datetime(pd.Series(["2026-01-01T02:00+02:00", "2026-01-02T02:00+02:00"], index=[7, 3]))),
    ],
)
def test_a_column_of_another_type_is_taken_as_its_file_would_be(name: str, values: pd.Series) -> None:
    pd.testing.assert_frame_equal(settle(FRAME.assign(**{name: values})), settle(FRAME), check_dtype=False)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.iloc[:0], "frame: expected rows, found none"),
        (pd.concat([FRAME, FRAME[["n"]]], axis=1), "frame: expected each column once, found 'n' twice"),
        ("table.csv", "frame: expected a DataFrame, found a str"),
        (FRAME.assign(n=[1 + 2j, 2]), "column 'n': expected numeric, as in training, found complex numbers"),
        (FRAME.assign(n=[True, False]), "column 'n': expected numeric, as in training, found boolean"),
    ],
)
def test_what_is_no_table_of_the_models_columns_is_said(frame: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        settle(frame)


def test_instants_are_taken_where_the_runs_table_had_a_time_zone_too() -> None:
    zoned = FRAME.assign(d=FRAME["d"].dt.tz_localize("Europe/Berlin"))

    assert len(settle(zoned, {"d": "given"})) == 2
    for frame, zones in ((zoned, {}), (FRAME, {"d": "given"})):
        with pytest.raises(DataError, match=r"column 'd': expected dates with(out)? a time zone, as in training"):
            settle(frame, zones)


def test_missing_columns_are_named_with_what_is_near() -> None:
    with pytest.raises(DataError, match=r"frame: expected the columns 'n', 't', which the model takes, found .*\. Did you mean 'N'\?"):
        settle(FRAME.rename(columns={"n": "N"}).drop(columns="t"))


def test_every_column_that_holds_something_else_is_said_at_once() -> None:
    with pytest.raises(DataError) as caught:
        settle(FRAME.assign(n=["x", "y"], d=[1, 2]))

    assert [problem.where for problem in caught.value.problems] == ["column 'n'", "column 'd'"]
