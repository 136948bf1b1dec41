"""Which windows a backtest has, by the times in its table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import SMALL, merge

from samebits.backtesting.cutoffs import Window, compare_windows, derive_windows, describe_windows, settle_windows
from samebits.data.dataset import Dataset
from samebits.errors import SamebitsError
from samebits.keys.config import Config
from samebits.keys.division import Backtest

HOURS = np.arange("2011-01-01", "2011-03-01", dtype="datetime64[h]").astype("datetime64[us]")
TENTHS = np.arange(100) / 10


def settle(times: np.ndarray, **backtest: Any) -> list[Window]:
    kind = "date" if times.dtype.kind == "M" else "numeric"
    config = Config.model_validate(merge(SMALL, {"split": {"method": "time", "column": "t"}, "backtest": backtest}))
    return settle_windows(config, Dataset(pd.DataFrame({"t": times}), {"t": kind}, [], []))  # type: ignore[dict-item]


def test_the_last_window_ends_with_the_table_and_no_row_is_tested_twice() -> None:
    windows = settle(HOURS, windows=3, horizon="7d")

    assert [window.cutoff for window in windows] == ["2011-02-08", "2011-02-15", "2011-02-22"]
    assert [window.bounds["test_until"] for window in windows] == ["2011-02-15", "2011-02-22", "2011-03-01"]
    assert [window.n_test for window in windows] == [168, 168, 168]
    assert [window.n_train for window in windows] == [912, 1080, 1248]
    assert all("train_from" not in window.bounds for window in windows)


def test_a_sliding_window_forgets_and_a_gap_is_left_out() -> None:
    (window,) = settle(HOURS, windows=1, horizon="12h", gap="2d", training="4w", until="2011-02-20")

    assert window.bounds == {
        "train_from": "2011-01-20T12:00:00",
        "train_until": "2011-02-17T12:00:00",
        "test_from": "2011-02-19T12:00:00",
        "test_until": "2011-02-20",
    }
    assert (window.n_train, window.n_test) == (28 * 24, 12)


def test_cutoffs_may_be_named_and_steps_overlap() -> None:
    named = settle(HOURS, cutoffs=["2011-02-01", "2011-02-10T06:00Z"], horizon="86400s")
    stepped = settle(HOURS, windows=3, horizon="7d", step="1d")

    assert [window.cutoff for window in named] == ["2011-02-01", "2011-02-10T06:00:00"]
    assert [window.cutoff for window in stepped] == ["2011-02-20", "2011-02-21", "2011-02-22"]


def test_a_column_of_numbers_has_durations_in_numbers() -> None:
    windows = settle(TENTHS, windows=2, horizon=1.5)

    assert [(window.cutoff, window.n_train, window.n_test) for window in windows] == [(7, 70, 15), (8.5, 85, 15)]


@pytest.mark.parametrize("horizon", [0.1, 0.3, 0.7])
@pytest.mark.parametrize("gap", [0, 0.2])
def test_numbers_end_to_the_bit_where_the_next_window_begins(horizon: float, gap: float) -> None:
    """In floats, 1.7000000000000002 + 0.1 is past 1.8."""
    windows = settle(TENTHS, windows=12, horizon=horizon, gap=gap)

    starts = [window.bounds.get("test_from", window.cutoff) for window in windows]
    assert starts[1:] == [window.bounds["test_until"] for window in windows[:-1]]
    assert {window.n_test for window in windows} == {round(horizon * 10)}
    assert all(border == round(float(border), 1) for window in windows for border in window.bounds.values())


def test_numbers_that_are_named_meet_too() -> None:
    windows = settle(TENTHS, cutoffs=[1.7, 1.8, 1.9], horizon=0.1, training=0.3)

    assert [window.bounds["test_until"] for window in windows] == [1.8, 1.9, 2.0]
    assert [window.bounds["train_from"] for window in windows] == [1.4, 1.5, 1.6]


def test_numbers_at_the_end_of_what_floats_are_overflow_nothing() -> None:
    with pytest.raises(SamebitsError, match="window 1 of 2"):
        settle(TENTHS, cutoffs=[-1e308, 1e308], horizon=1e308, gap=1e308)


@pytest.mark.parametrize(
    ("times", "backtest"),
    [
        (HOURS, {"windows": 3, "horizon": "7d", "gap": "36h", "training": "2w", "step": "1d"}),
        (HOURS, {"windows": 2, "horizon": "7d", "until": "2011-02-20"}),
        (HOURS, {"cutoffs": ["2011-02-01", "2011-02-10T06:00Z"], "horizon": "86400s"}),
        *((TENTHS, {"windows": 5, "horizon": horizon, "gap": 0.7, "training": 2.2}) for horizon in (0.1, 0.3, 1 / 3, np.pi / 4, 1.5)),
        (TENTHS / 3, {"windows": 4, "horizon": 0.5}),
        (TENTHS, {"cutoffs": [1 / 3, 2.5], "horizon": 2 / 3}),
    ],
)
def test_recorded_cutoffs_come_to_the_windows_that_were_settled(times: np.ndarray, backtest: dict[str, Any]) -> None:
    windows = settle(times, **backtest)

    derived = derive_windows(Backtest.model_validate(backtest), "t", [window.cutoff for window in windows])

    recorded = [window.bounds for window in windows]
    later = [{**bounds, "test_until": "2012-01-01" if times is HOURS else bounds["test_until"] + 1e-9} for bounds in recorded]
    assert compare_windows(derived, recorded) == [True] * len(windows)
    assert compare_windows(derived, later) == [False] * len(windows)


def test_an_end_that_the_config_says_is_not_taken_from_a_cutoff() -> None:
    said = Backtest.model_validate({"windows": 1, "horizon": "7d", "until": "2011-02-20"})

    assert derive_windows(said, "t", ["2011-02-01"]) == [{"train_until": "2011-02-13", "test_until": "2011-02-20"}]


def test_rows_of_equal_time_are_in_one_part() -> None:
    (window,) = settle(np.repeat(HOURS[::24], 5), windows=1, horizon="10d")

    assert (window.n_train, window.n_test) == (49 * 5, 10 * 5)


def test_the_windows_are_said_in_a_line_each() -> None:
    assert list(describe_windows(settle(HOURS, windows=1, horizon="7d", training="10d"), "t"))[1:] == [
        "window  1 of 1  2011-02-22: 240 rows to train from 2011-02-12 on, 168 to test from 2011-02-22 to before 2011-03-01"
    ]


@pytest.mark.parametrize(
    ("times", "backtest", "message"),
    [
        (
            HOURS,
            {"windows": 10, "horizon": "7d"},
            "backtest: window 1 of 10 (2010-12-21), and 1 more: expected training rows before 2010-12-21, "
            "found none: 't' goes from 2011-01-01 to 2011-02-28T23:00:00. "
            "Take fewer windows, a shorter horizon or step, or other cut-off times.",
        ),
        (
            HOURS,
            {"cutoffs": ["2011-05-01"], "horizon": "7d"},
            "backtest: window 1 of 1 (2011-05-01): expected test rows from 2011-05-01 and before 2011-05-08, "
            "found none: 't' goes from 2011-01-01 to 2011-02-28T23:00:00. "
            "Take fewer windows, a shorter horizon or step, or other cut-off times.",
        ),
        (
            HOURS,
            {"cutoffs": ["2011-02-02", "2011-02-01"], "horizon": "7d"},
            "backtest.cutoffs: expected times that rise, found one that does not. Put them in order, each once.",
        ),
        (
            HOURS,
            {"windows": 1, "horizon": 7},
            "backtest.horizon: expected a time such as 30d, as the column has dates, found 7. Write it so.",
        ),
        (TENTHS, {"windows": 1, "horizon": "7d"}, "backtest.horizon: expected a number, as the column has, found '7d'. Write it so."),
        (np.ones(5), {"windows": 1, "horizon": 1}, "split.column: 't': expected two times or more, found one. Name another column."),
        (
            np.array([0.0, 1.0, np.inf]),
            {"windows": 1, "horizon": 1},
            "split.column: 't': expected finite numbers, found an infinite one. Leave such rows out: data.rows.",
        ),
    ],
)
def test_windows_that_cannot_be_are_refused(times: np.ndarray, backtest: dict[str, Any], message: str) -> None:
    with pytest.raises(SamebitsError) as refused:
        settle(times, **backtest)

    assert str(refused.value) == message


def test_a_thousand_far_windows_are_refused_and_overflow_nothing() -> None:
    with pytest.raises(SamebitsError, match="and 999 more: expected training rows"):
        settle(HOURS, windows=1000, horizon="99999w")
