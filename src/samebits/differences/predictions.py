"""How the predictions of two runs differ: which rows, which labels flip, how far the responses moved.

It reads two `predictions.csv` as `result` writes them, without pandas, so that the command that uses it starts at once. Numbers are
compared as the floats that the text stands for, to the bit: -0.0 is not 0.0, and NaN is NaN.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from samebits.config.catalog import CLASSIFICATION, Task
from samebits.errors import LineageError, Problem

LEADING_COLUMNS = ["row", "recorded", "predicted"]
RESPONSE = "response"
PROBABILITY = "probability_"
MAX_EXAMPLES = 5
_REMEDY = "Fetch the artifact again; if it stays so, the run's record is damaged."


class Flip(NamedTuple):
    """A row whose predicted label is another on the right than on the left."""

    row: int
    recorded: str
    left: str
    right: str


@dataclass(frozen=True)
class PredictionDifference:
    """What differs between two tables of predictions.

    Parameters
    ----------
    only_left, only_right
        Row numbers that one side alone has, sorted.
    columns_only_left, columns_only_right
        Columns of responses that one side alone has, such as the probability of a class that the other never saw.
    is_reordered
        Whether the rows in both come in another order.
    n_flips
        Rows in both whose predicted label differs; 0 under regression.
    flips_by_class
        Of those, how many by recorded label (the left one's), most first.
    n_changed
        Rows in both of which any predicted value, response or probability differs.
    largest_change
        Largest absolute change of any response or probability, of the prediction under regression. From or to NaN is infinite.
    largest_change_row
        The first row with it; None if no number differs.
    largest_change_by_class
        Only classes with a change. Multi-class: by the probability's own label. Binary: by the row's recorded label, the left one's.
    n_recorded_changed
        Rows in both whose recorded target differs: the data changed, not the model alone.
    """

    n_left: int
    n_right: int
    only_left: list[int]
    only_right: list[int]
    columns_only_left: list[str]
    columns_only_right: list[str]
    is_reordered: bool
    n_flips: int
    flips_by_class: dict[str, int]
    flip_examples: list[Flip]
    n_changed: int
    largest_change: float
    largest_change_row: int | None
    largest_change_by_class: dict[str, float]
    n_recorded_changed: int

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        one_sided = self.only_left or self.only_right or self.columns_only_left or self.columns_only_right
        return not (one_sided or self.is_reordered or self.n_changed or self.n_recorded_changed)


class _Row(NamedTuple):
    recorded: Any
    predicted: Any
    numbers: dict[str, float]


class _Predictions(NamedTuple):
    columns: list[str]
    rows: dict[int, _Row]


class _Change(NamedTuple):
    row: int
    label: str | None
    size: float


def compare_predictions(left: bytes, right: bytes, task: Task) -> PredictionDifference:
    r"""Return how two predictions.csv differ.

    Parameters
    ----------
    left, right
        Their content: `row,recorded,predicted`, then `response` (binary) or `probability_<label>`s (multi-class) or nothing.
    task
        Of both runs; it says whether `predicted` is a label or a number.

    Raises
    ------
    LineageError
        One is no such table: cut off, other columns, a field that is no number, a row twice.

    Examples
    --------
    >>> left = b"row,recorded,predicted,response\n4,no,no,0.25\n7,yes,no,0.5\n"
    >>> difference = compare_predictions(left, left.replace(b"no,0.5", b"yes,0.75"), "binary")
    >>> difference.flip_examples
    [Flip(row=7, recorded='yes', left='no', right='yes')]
    >>> difference.largest_change, difference.largest_change_row
    (0.25, 7)
    """
    one, other = _read_predictions(left, "left", task), _read_predictions(right, "right", task)
    shared = [row for row in one.rows if row in other.rows]
    columns = [name for name in one.columns if name in other.columns]
    changes = [change for row in shared for change in _list_changes(row, one.rows[row], other.rows[row], columns, task)]
    flips = list(_list_flips(shared, one, other)) if task in CLASSIFICATION else []
    largest = max(changes, key=lambda change: change.size, default=None)
    return PredictionDifference(
        n_left=len(one.rows),
        n_right=len(other.rows),
        only_left=sorted(one.rows.keys() - other.rows.keys()),
        only_right=sorted(other.rows.keys() - one.rows.keys()),
        columns_only_left=[name for name in one.columns if name not in other.columns],
        columns_only_right=[name for name in other.columns if name not in one.columns],
        is_reordered=shared != [row for row in other.rows if row in one.rows],
        n_flips=len(flips),
        flips_by_class=dict(Counter(flip.recorded for flip in flips).most_common()),
        flip_examples=flips[:MAX_EXAMPLES],
        n_changed=len({change.row for change in changes} | {flip.row for flip in flips}),
        largest_change=largest.size if largest else 0.0,
        largest_change_row=largest.row if largest else None,
        largest_change_by_class=_find_largest_by_class(changes),
        n_recorded_changed=sum(not _is_same(one.rows[row].recorded, other.rows[row].recorded) for row in shared),
    )


def _list_changes(row: int, left: _Row, right: _Row, columns: list[str], task: Task) -> Iterator[_Change]:
    if task not in CLASSIFICATION:
        pairs: list[tuple[str | None, float, float]] = [(None, left.predicted, right.predicted)]
    else:
        pairs = [(_label(name, left), left.numbers[name], right.numbers[name]) for name in columns]
    for label, before, after in pairs:
        if not _is_same(before, after):
            yield _Change(row, label, _measure_change(before, after))


def _label(column: str, row: _Row) -> str:
    return str(row.recorded) if column == RESPONSE else column.removeprefix(PROBABILITY)


def _list_flips(shared: list[int], left: _Predictions, right: _Predictions) -> Iterator[Flip]:
    for row in shared:
        one, other = left.rows[row], right.rows[row]
        if one.predicted != other.predicted:
            yield Flip(row, one.recorded, one.predicted, other.predicted)


def _find_largest_by_class(changes: list[_Change]) -> dict[str, float]:
    largest: dict[str, float] = {}
    for change in changes:
        if change.label is not None:
            largest[change.label] = max(change.size, largest.get(change.label, 0.0))
    return largest


def _is_same(left: Any, right: Any) -> bool:
    if isinstance(left, float):
        both_nan = left != left and right != right
        return both_nan or (left == right and math.copysign(1.0, left) == math.copysign(1.0, right))
    return bool(left == right)


def _measure_change(left: float, right: float) -> float:
    change = abs(right - left)
    return math.inf if math.isnan(change) else change


def _read_predictions(content: bytes, side: str, task: Task) -> _Predictions:
    where = f"{side} predictions.csv"
    try:
        text = content.decode("utf-8")
        if not text.endswith("\n"):  # the file always ends with one
            raise ValueError("a last line that is cut off")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        columns = _read_header(next(reader), task)
        rows: dict[int, _Row] = {}
        for fields in reader:
            where = f"{side} predictions.csv:{reader.line_num}"
            number, row = _read_row(fields, columns, task)
            if number in rows:
                raise ValueError(f"row {number} twice")
            rows[number] = row
        if not rows:
            raise ValueError("no rows")
    except (ValueError, csv.Error) as error:
        raise LineageError(Problem(where, f"the predictions of a {task} run", str(error), _REMEDY)) from None
    return _Predictions(columns, rows)


def _read_header(names: list[str], task: Task) -> list[str]:
    """Return the columns of numbers that follow the leading ones."""
    columns = names[len(LEADING_COLUMNS) :]
    if task == "multiclass":
        is_right = all(name.startswith(PROBABILITY) for name in columns) and len(set(columns)) == len(columns)
    else:
        is_right = columns in ([], [RESPONSE]) if task == "binary" else not columns
    if names[: len(LEADING_COLUMNS)] != LEADING_COLUMNS or not is_right:
        raise ValueError(f"the columns {', '.join(names)}")
    return columns


def _read_row(fields: list[str], columns: list[str], task: Task) -> tuple[int, _Row]:
    n_expected = len(LEADING_COLUMNS) + len(columns)
    if len(fields) != n_expected:
        raise ValueError(f"{len(fields)} fields in place of {n_expected}")
    number, recorded, predicted, *rest = fields
    numbers = dict(zip(columns, map(_parse_number, rest), strict=True))
    if not number.isdecimal():
        raise ValueError(f"{number!r} as a row's number")
    if task in CLASSIFICATION:
        return int(number), _Row(recorded, predicted, numbers)
    return int(number), _Row(_parse_number(recorded), _parse_number(predicted), numbers)


def _parse_number(text: str) -> float:
    """An empty field is how pandas writes NaN."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        raise ValueError(f"{text!r}, which is no number") from None
