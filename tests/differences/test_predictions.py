from __future__ import annotations

import csv
import io
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebits.config.catalog import Task
from samebits.differences.predictions import Flip, PredictionDifference, compare_predictions
from samebits.errors import LineageError

BINARY = [["row", "recorded", "predicted", "response"], [4, "no", "no", 0.25], [7, "yes", "no", 0.5], [9, "no", "no", 0.125]]
MULTICLASS = [
    ["row", "recorded", "predicted", "probability_a", "probability_b, c"],
    [0, "a", "a", 0.75, 0.25],
    [1, "b, c", "a", 0.625, 0.375],
]
REGRESSION = [["row", "recorded", "predicted"], [3, 1.5, 1.25], [5, 2.5, 2.75]]
TABLES: dict[Task, list[list[Any]]] = {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION}


def write(table: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue().encode("utf-8")


def change(table: list[list[Any]], line: int, column: str, value: Any) -> list[list[Any]]:
    copied = [list(row) for row in table]
    copied[line][table[0].index(column)] = value
    return copied


def compare(left: list[list[Any]], right: list[list[Any]], task: Task = "binary") -> PredictionDifference:
    return compare_predictions(write(left), write(right), task)


@pytest.mark.parametrize("task", TABLES)
def test_equal_predictions_have_no_difference(task: Task) -> None:
    difference = compare(TABLES[task], TABLES[task], task)

    n_rows = len(TABLES[task]) - 1
    assert difference.is_equal
    assert difference == PredictionDifference(n_rows, n_rows, [], [], [], [], False, 0, {}, [], 0, 0.0, None, {}, 0)


def test_a_flip_is_counted_under_the_recorded_class_and_shown() -> None:
    difference = compare(BINARY, change(BINARY, 2, "predicted", "yes"))

    assert (difference.n_flips, difference.flips_by_class, difference.n_changed) == (1, {"yes": 1}, 1)
    assert difference.flip_examples == [Flip(7, "yes", "no", "yes")] == [(7, "yes", "no", "yes")]
    assert (difference.largest_change, difference.largest_change_row) == (0.0, None)


def test_every_flip_is_counted_and_five_are_shown_most_frequent_class_first() -> None:
    left = [BINARY[0], *([row, "b" if row % 4 else "a", "a", 0.5] for row in range(12))]
    right = [BINARY[0], *([row, "b" if row % 4 else "a", "b", 0.5] for row in range(12))]

    difference = compare(left, right)

    assert list(difference.flips_by_class.items()) == [("b", 9), ("a", 3)]
    assert [flip.row for flip in difference.flip_examples] == [0, 1, 2, 3, 4]


def test_the_largest_change_names_its_row_and_each_class_has_its_own() -> None:
    right = change(change(change(BINARY, 1, "response", 0.375), 2, "response", 0.0), 3, "response", 0.25)

    difference = compare(BINARY, right)

    assert (difference.n_changed, difference.largest_change, difference.largest_change_row) == (3, 0.5, 7)
    assert difference.largest_change_by_class == {"no": 0.125, "yes": 0.5}


def test_a_probabilitys_change_belongs_to_its_own_label() -> None:
    difference = compare(MULTICLASS, change(MULTICLASS, 1, "probability_b, c", 0.5), "multiclass")

    assert difference.largest_change_by_class == {"b, c": 0.25}
    assert (difference.n_flips, difference.n_changed, difference.largest_change_row) == (0, 1, 0)


def test_a_row_with_two_changed_numbers_is_one_changed_row() -> None:
    right = change(change(MULTICLASS, 1, "probability_a", 0.5), 1, "probability_b, c", 0.5)

    assert compare(MULTICLASS, right, "multiclass").n_changed == 1


def test_under_regression_the_prediction_is_the_number_and_nothing_flips() -> None:
    difference = compare(REGRESSION, change(REGRESSION, 2, "predicted", 2.5), "regression")

    assert (difference.n_flips, difference.flips_by_class, difference.largest_change_by_class) == (0, {}, {})
    assert (difference.n_changed, difference.largest_change, difference.largest_change_row) == (1, 0.25, 5)


@given(st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_numbers_are_equal_exactly_when_their_bits_are(left: float, right: float) -> None:
    def written(value: float) -> Any:
        return "" if math.isnan(value) else repr(value)

    difference = compare(
        change(REGRESSION, 1, "predicted", written(left)), change(REGRESSION, 1, "predicted", written(right)), "regression"
    )

    assert difference.is_equal == (repr(left) == repr(right))


def test_one_unit_in_the_last_place_and_the_sign_of_zero_are_changes() -> None:
    nudged = compare(BINARY, change(BINARY, 1, "response", math.nextafter(0.25, 1)))
    signed = compare(change(BINARY, 1, "response", "0.0"), change(BINARY, 1, "response", "-0.0"))

    assert (nudged.n_changed, nudged.largest_change) == (1, 2**-54)
    assert (signed.n_changed, signed.largest_change, signed.largest_change_row) == (1, 0.0, 4)


def test_missing_equals_missing_and_a_number_turned_missing_is_the_largest_change() -> None:
    missing = change(BINARY, 3, "response", "")

    assert compare(missing, missing).is_equal
    assert compare(change(BINARY, 1, "response", 0.5), missing).largest_change_row == 9
    assert compare(BINARY, missing).largest_change == compare(missing, BINARY).largest_change == math.inf


def test_rows_of_one_side_are_named_in_order_and_not_compared() -> None:
    header, first, _, third = BINARY

    difference = compare([header, third, first], [header, [7, "yes", "yes", 1.0], [2, "no", "no", 0.5], first])

    assert (difference.n_left, difference.n_right) == (2, 3)
    assert (difference.only_left, difference.only_right) == ([9], [2, 7])
    assert (difference.n_changed, difference.n_flips, difference.is_reordered) == (0, 0, False)
    assert not difference.is_equal


@pytest.mark.parametrize("reverse", [False, True])
def test_a_row_missing_from_either_side_alone_is_a_difference(reverse: bool) -> None:
    tables = [BINARY, BINARY[:-1]]

    difference = compare(*(tables[::-1] if reverse else tables))

    assert not difference.is_equal


def test_the_same_rows_in_another_order_are_reordered_and_not_changed() -> None:
    difference = compare(BINARY, [BINARY[0], *BINARY[:0:-1]])

    assert difference.is_reordered
    assert difference.n_changed == 0
    assert not difference.is_equal


def test_a_changed_target_is_told_from_a_changed_prediction() -> None:
    labels = compare(BINARY, change(BINARY, 1, "recorded", "yes"))
    numbers = compare(REGRESSION, change(REGRESSION, 1, "recorded", 1.75), "regression")

    assert (labels.n_recorded_changed, labels.n_changed, labels.is_equal) == (1, 0, False)
    assert (numbers.n_recorded_changed, numbers.n_changed, numbers.is_equal) == (1, 0, False)


def test_a_column_that_one_side_alone_has_is_named_and_the_others_are_compared() -> None:
    wider = [[*MULTICLASS[0], "probability_d"], *([*row, 0.0] for row in MULTICLASS[1:])]

    added, removed = compare(MULTICLASS, wider, "multiclass"), compare(wider, MULTICLASS, "multiclass")

    assert (added.columns_only_left, added.columns_only_right, added.n_changed) == ([], ["probability_d"], 0)
    assert (removed.columns_only_left, removed.columns_only_right) == (["probability_d"], [])
    assert not added.is_equal
    assert not removed.is_equal


MALFORMED: list[tuple[str, bytes, Task, str]] = [
    ("empty", b"", "binary", "left predictions.csv: expected the predictions of a binary run, found a last line that is cut off. Fetch"),
    ("no rows", b"row,recorded,predicted\n", "binary", "found no rows"),
    ("cut off in a number", write(BINARY)[:-2], "binary", "found a last line that is cut off"),
    ("cut off at a line, within quotes", b'row,recorded,predicted\n1,"a\n', "binary", "unexpected end of data"),
    ("too few fields", write([*BINARY, [11, "no"]]), "binary", "left predictions.csv:5: expected the predictions of a binary run, found 2 fields in"),
    ("too many fields", write([*BINARY, [11, "no", "no", 0.5, 0.5]]), "binary", "found 5 fields in place of 4"),
    ("a blank line", write(BINARY) + b"\n", "binary", "found 0 fields in place of 4"),
    ("other columns", write([["id", *BINARY[0][1:]], *BINARY[1:]]), "binary", "found the columns id, recorded, predicted, response"),
    ("another task's columns", write(BINARY), "regression", "found the columns row, recorded, predicted, response"),
    ("another task's columns", write(BINARY), "multiclass", "found the columns row, recorded, predicted, response"),
    ("another task's columns", write(MULTICLASS), "binary", "found the columns row, recorded, predicted, probability_a"),
    ("a column twice", b"row,recorded,predicted,probability_a,probability_a\n1,a,a,0,1\n", "multiclass", "found the columns"),
    ("a response in words", write(change(BINARY, 2, "response", "high")), "binary", "predictions.csv:3: .*found 'high', which is no number"),
    ("a prediction in words", write(change(REGRESSION, 2, "predicted", "high")), "regression", "found 'high', which is no number"),
    ("a row number in words", write(change(BINARY, 2, "row", "x")), "binary", "found 'x' as a row's number"),
    ("a row twice", write([*BINARY, BINARY[1]]), "binary", "predictions.csv:5: .*found row 4 twice"),
    ("not UTF-8", b"row,recorded,predicted\n1,\xff,a\n", "binary", "can't decode byte"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "task", "message"), [case[1:] for case in MALFORMED], ids=[case[0] for case in MALFORMED])
def test_what_is_no_table_of_predictions_is_refused_with_side_and_line(content: bytes, task: Task, message: str) -> None:
    with pytest.raises(LineageError, match=message):
        compare_predictions(content, write(TABLES[task]), task)


def test_the_right_side_is_refused_as_the_right_one() -> None:
    with pytest.raises(LineageError, match=r"^right predictions\.csv: "):
        compare_predictions(write(BINARY), b"", "binary")


def test_labels_with_commas_quotes_line_breaks_and_accents_survive() -> None:
    label = 'ä, "b"\nc\r\nd'
    left = change(change(BINARY, 1, "recorded", label), 1, "predicted", label)

    difference = compare(left, change(left, 1, "predicted", "no"))

    assert difference.flip_examples == [Flip(4, label, label, "no")]


def test_neither_pandas_nor_numpy_is_imported() -> None:
    code = "import sys, samebits.differences.predictions; print({'pandas', 'numpy'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)

    assert done.stdout.strip() == "set()"


def test_what_a_training_writes_can_be_read() -> None:
    import numpy as np
    import pandas as pd

    table = {"row": np.arange(3), "recorded": [True, False, True], "predicted": [True, True, True], "response": [0.1, np.nan, -np.inf]}
    content = pd.DataFrame(table).to_csv(index=False, lineterminator="\n").encode()

    assert compare_predictions(content, content, "binary").is_equal
