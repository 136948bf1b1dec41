"""Rows whose fields are one column off are no table to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samebits.errors import DataError
from samebits.keys.table import Read
from samebits.proposal.notation import read_columns
from samebits.table.reading import read_table

ROWS = [[str(i), str(i * 2), ("red", "blue")[i % 2], str(i / 4), str(i % 7), ("yes", "no")[i % 3 > 0]] for i in range(60)]


def write(folder: Path, rows: list[list[str]]) -> Path:
    path = folder / "t.csv"
    path.write_text("\n".join(",".join(row) for row in (["a", "b", "colour", "c", "d", "y"], *rows)) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> None:
    read_columns(read_table([path], [None], Read()), Read())


@pytest.mark.parametrize("rows", [range(40, 60), range(30, 60), [7]])
@pytest.mark.parametrize("form", ["lost", "extra", "turned"])
def test_rows_with_a_field_lost_or_too_many_are_refused_with_the_first(rows: range, form: str, tmp_path: Path) -> None:
    forms = {
        "lost": lambda row: [*row[:1], *row[2:], ""],
        "extra": lambda row: [*row[:1], "", *row[1:-1]],
        "turned": lambda row: [*row[:1], *row[2:], row[1]],
    }
    path = write(tmp_path, [forms[form](row) if i in rows else row for i, row in enumerate(ROWS)])

    side = "right" if form == "extra" else "left"
    first = rf"{len(rows)} rows \(first in row {rows[0] + 1}\) whose values stand one column further {side}: '(red|blue)'"
    with pytest.raises(DataError, match=rf"t\.csv: expected each value in its own column, found {first} in .*'colour'"):
        read(path)


def test_one_column_of_words_shows_a_shift_by_a_word_of_its_own(tmp_path: Path) -> None:
    rows = [[*row[:5], str(i)] for i, row in enumerate(ROWS)]

    with pytest.raises(DataError, match="'red' in 'b', where 'colour' has such words"):
        read(write(tmp_path, [[*row[:1], *row[2:], ""] if i == 8 else row for i, row in enumerate(rows)]))


def test_words_for_missing_and_empty_fields_are_no_shift(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = [list(row) for row in ROWS]
    for row in rows:
        for place in rng.integers(0, 6, 2):
            row[place] = str(rng.choice(["", "unknown", "<1", "?", "n/a"]))

    read(write(tmp_path, rows))
