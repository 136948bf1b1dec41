"""The cut-off times of a backtest, settled from the times in the table before anything is trained; refused where a window has no rows.

Times are counted in whole microseconds, or in exact decimals as they are written: floats come at last, one for each border, so that
where one window ends is to the bit where the next begins.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from samebits.data.dataset import Dataset
from samebits.data.split import read_bound, read_split_column
from samebits.errors import ConfigError, DataError, Problem
from samebits.keys.config import Config
from samebits.keys.division import Backtest
from samebits.table.dates import write_moment

_MICROSECONDS = {"w": 604_800_000_000, "d": 86_400_000_000, "h": 3_600_000_000, "s": 1_000_000}
_LIMIT = 2**63 - 1  # of what a time is counted in
Written = str | int | float  # a time as a config names it
Count = int | Fraction
Bounds = Mapping[str, Written]  # the split's keys of a window


@dataclass(frozen=True)
class Window:
    """One cut-off time, and the keys of the split that it comes to.

    Parameters
    ----------
    number
        From 1, in the order of time.
    cutoff
        Where the training rows end; itself none of them.
    bounds
        The split's keys: train_from, train_until, test_from, test_until, those that say something.
    n_train, n_test
        Rows.
    """

    number: int
    cutoff: Written
    bounds: dict[str, Written]
    n_train: int
    n_test: int


def settle_windows(config: Config, dataset: Dataset) -> list[Window]:
    """Return the windows of a config's backtest, the earliest first.

    Raises
    ------
    ConfigError, DataError
        A time or a duration is of another kind than the column's, cut-off times do not rise, or a window has no rows.
    """
    assert config.backtest is not None
    times = np.sort(read_split_column(config, dataset))
    axis = _Axis(str(config.split.column), times)
    cutoffs = _list_cutoffs(config.backtest, axis)
    compared = cutoffs if axis.has_dates else [axis.round(cutoff) for cutoff in cutoffs]  # two decimals may come to one float
    if any(later <= earlier for earlier, later in itertools.pairwise(compared)):
        raise ConfigError(Problem("backtest.cutoffs", "times that rise", "one that does not", "Put them in order, each once."))
    windows = [_settle(number, cutoff, config.backtest, axis) for number, cutoff in enumerate(cutoffs, start=1)]
    _refuse_empty(windows, axis)
    return windows


class _Axis:
    """A column of times, sorted, and the counts in which it is reckoned."""

    def __init__(self, name: str, times: np.ndarray) -> None:
        self.name = name
        self.times = times
        self.has_dates = bool(np.issubdtype(times.dtype, np.datetime64))
        self.counts = times.astype("datetime64[us]").astype(np.int64) if self.has_dates else times.astype(np.float64)
        if not self.has_dates and not np.isfinite(self.counts[[0, -1]]).all():
            raise DataError(Problem(f"split.column: {name!r}", "finite numbers", "an infinite one", "Leave such rows out: data.rows."))

    def count(self, written: Written, key: str) -> Count:
        """Return a time that the config names."""
        bound = read_bound(written, self.times, key)
        return int(bound.astype(np.int64)) if self.has_dates else _read_decimal(bound)

    def measure(self, duration: Written | None, key: str) -> Count:
        """Return a duration that the config names; 0 is one of either kind."""
        if isinstance(duration, str) == self.has_dates or not duration:
            if isinstance(duration, str):
                return int(duration[:-1]) * _MICROSECONDS[duration[-1]]
            return 0 if self.has_dates else _read_decimal(duration or 0)
        expected = "a time such as 30d, as the column has dates" if self.has_dates else "a number, as the column has"
        raise ConfigError(Problem(f"backtest.{key}", expected, repr(duration), "Write it so."))

    def find_end(self) -> Count:
        """Return the time just past the last: one step further, a step being the least that lies between two times."""
        known = np.unique(self.counts)
        if len(known) == 1:
            raise DataError(Problem(f"split.column: {self.name!r}", "two times or more", "one", "Name another column."))
        least = int(np.diff(known).argmin())
        read = int if self.has_dates else _read_decimal
        end = read(known[-1]) + read(known[least + 1]) - read(known[least])
        return end if self.has_dates else max(end, _read_decimal(min(np.nextafter(known[-1], np.inf), sys.float_info.max)))

    def round(self, count: Count) -> int | float:
        """Return a time as the column could have it."""
        bound = _LIMIT if self.has_dates else Fraction(sys.float_info.max)
        within = max(-bound, min(bound, count))
        return int(within) if self.has_dates else float(within)

    def place(self, count: Count) -> int:
        """Return how many rows are before a time."""
        return int(np.searchsorted(self.counts, self.round(count)))

    def write(self, count: Count) -> Written:
        """Return a time as a config names it."""
        return write_moment(np.datetime64(int(self.round(count)), "us")) if self.has_dates else self.round(count)


def _read_decimal(number: Any) -> Fraction:
    """Return a number as it is written: 0.1 is a tenth, and not the float nearest to it."""
    return Fraction(repr(float(number)))


def _list_cutoffs(backtest: Backtest, axis: _Axis, last: Count | None = None) -> list[Count]:
    if backtest.cutoffs is not None:
        return [axis.count(written, f"backtest.cutoffs.{index}") for index, written in enumerate(backtest.cutoffs)]
    horizon, gap = axis.measure(backtest.horizon, "horizon"), axis.measure(backtest.gap, "gap")
    step = axis.measure(backtest.step, "step") if backtest.step is not None else horizon
    n_windows = backtest.windows or 0
    if backtest.until is not None:
        end = axis.count(backtest.until, "backtest.until")
    else:
        end = axis.find_end() if last is None else last + gap + horizon
    return [end - horizon - gap - (n_windows - number) * step for number in range(1, n_windows + 1)]


def _settle(number: int, cutoff: Count, backtest: Backtest, axis: _Axis) -> Window:
    training = axis.measure(backtest.training, "training") if backtest.training is not None else None
    gap, horizon = axis.measure(backtest.gap, "gap"), axis.measure(backtest.horizon, "horizon")
    start, end = cutoff + gap, cutoff + gap + horizon
    counts = {
        **({"train_from": cutoff - training} if training is not None else {}),
        "train_until": cutoff,
        **({"test_from": start} if gap else {}),
        "test_until": end,
    }
    first = axis.place(counts["train_from"]) if training is not None else 0
    n_train, n_test = axis.place(cutoff) - first, axis.place(end) - axis.place(start)
    return Window(number, axis.write(cutoff), {key: axis.write(count) for key, count in counts.items()}, n_train, n_test)


def derive_windows(backtest: Backtest, column: str, cutoffs: Sequence[Written]) -> list[dict[str, Written]]:
    """Return the keys of the split that a backtest comes to without its table: where that would say the end, the last cut-off does.

    Raises
    ------
    ConfigError, DataError, ValueError
        A time or a duration is of another kind.
    """
    times = np.array(list(cutoffs), dtype="datetime64[us]" if isinstance(cutoffs[0], str) else np.float64)
    axis = _Axis(column, np.sort(times))
    counts = _list_cutoffs(backtest, axis, last=axis.count(cutoffs[-1], "backtest.cutoffs"))
    return [_settle(number, count, backtest, axis).bounds for number, count in enumerate(counts, start=1)]


def compare_windows(derived: Sequence[Bounds], recorded: Sequence[Bounds]) -> list[bool]:
    """Return of each window whether its recorded times are the derived ones.

    Numbers are reckoned here from a cut-off rounded to a float, and in a training from the exact one: they may part by as much.
    """
    numbers = [abs(time) for one in derived for time in one.values() if not isinstance(time, str)]
    slack = 4 * math.ulp(max(numbers, default=0.0))
    return [
        one.keys() == other.keys() and all(_is_same_time(time, other[key], slack) for key, time in one.items())
        for one, other in zip(derived, recorded, strict=True)
    ]


def _is_same_time(left: Written, right: Written, slack: float) -> bool:
    return left == right if isinstance(left, str) or isinstance(right, str) else abs(left - right) <= slack


def _refuse_empty(windows: list[Window], axis: _Axis) -> None:
    empty = [window for window in windows if not window.n_train or not window.n_test]
    if not empty:
        return
    first, n_more = empty[0], len(empty) - 1
    part = "training" if not first.n_train else "test"
    where = f"backtest: window {first.number} of {len(windows)} ({first.cutoff})" + (f", and {n_more} more" if n_more else "")
    found = f"none: {axis.name!r} goes from {write_moment(axis.times[0])} to {write_moment(axis.times[-1])}"
    remedy = "Take fewer windows, a shorter horizon or step, or other cut-off times."
    raise DataError(Problem(where, f"{part} rows {_say_part(first, part)}", found, remedy))


def _say_part(window: Window, part: str) -> str:
    """Return from when to when a part of a window goes."""
    bounds = window.bounds
    start = bounds.get("train_from") if part == "training" else bounds.get("test_from", bounds["train_until"])
    end = bounds["train_until"] if part == "training" else bounds["test_until"]
    return f"before {end}" if start is None else f"from {start} and before {end}"


def describe_windows(windows: list[Window], column: str) -> Iterator[str]:
    """Yield what is said of the windows before anything is trained: a line for all, and one for each."""
    yield f"windows {len(windows)} by {column}: each trained on rows before its cut-off, tested on those after it"
    for window in windows:
        start, end = window.bounds.get("test_from", window.cutoff), window.bounds["test_until"]
        since = f" from {window.bounds['train_from']} on" if "train_from" in window.bounds else ""
        rows = f"{window.n_train:,} rows to train{since}, {window.n_test:,} to test from {start} to before {end}"
        yield f"window  {window.number} of {len(windows)}  {window.cutoff}: {rows}"
