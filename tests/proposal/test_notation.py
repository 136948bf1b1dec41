from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from proposed_tables import N, list_lines, make_frame, propose, write

CODES = [f"{number:05}" for number in np.random.default_rng(41).integers(1000, 1030, N)]


@pytest.mark.parametrize(
    ("sep", "encoding", "options"),
    [
        (",", "utf-8", {}),
        (";", "cp1252", {}),
        ("\t", "utf-16", {}),
        (",", "utf-8", {"quoting": 1}),
        (",", "utf-8", {"columns": ["PLZ"]}),
    ],
)
def test_digits_with_zeros_before_them_are_codes(sep: str, encoding: str, options: dict[str, Any], tmp_path: Path) -> None:
    frame = make_frame().assign(PLZ=CODES)
    columns = [*options.pop("columns", []), *(name for name in frame if "columns" not in options or name != "PLZ")]
    text = frame[list(dict.fromkeys(columns))].to_csv(index=False, sep=sep, **options)

    proposal = propose(write(tmp_path / "table.csv", text, encoding))

    assert proposal.document.value["data"]["read"]["types"] == {"PLZ": "category"}
    assert list_lines(proposal, "category") == [
        f"PLZ: zeros before its digits, such as {CODES[0]!r}: read as codes, and as no numbers (data.read.types)"
    ]


def test_codes_with_empty_fields_keep_their_zeros(tmp_path: Path) -> None:
    frame = make_frame().assign(PLZ=CODES)
    frame["PLZ"] = frame.PLZ.where(frame.index % 7 > 0)

    proposal = propose(write(tmp_path / "table.csv", frame.to_csv(index=False)))

    assert proposal.document.value["data"]["read"]["types"] == {"PLZ": "category"}


def test_months_and_numbers_below_one_are_no_codes(tmp_path: Path) -> None:
    frame = make_frame().assign(month=[f"{1 + index % 12:02}" for index in range(N)], share=[f"0.{index:03}" for index in range(N)])

    proposal = propose(write(tmp_path / "table.csv", frame.to_csv(index=False)))

    assert proposal.document.value["data"]["read"]["types"] == {}


@pytest.mark.parametrize("word", ["k.A.", "unknown", "Unbekannt"])
def test_a_word_that_often_says_that_nothing_is_known_is_asked_about(word: str, tmp_path: Path) -> None:
    frame = make_frame()
    frame["city"] = frame.city.where(frame.index % 4 > 0, word)

    lines = list_lines(propose(write(tmp_path / "table.csv", frame.to_csv(index=False))), "missing")

    assert lines == [f"city: {word!r} in 50 of 200 rows is a category; if it means missing, name it in data.read.na_values"]


def test_a_word_in_a_few_rows_is_let_be(tmp_path: Path) -> None:
    frame = make_frame()
    frame.loc[3, "city"] = "unknown"

    assert list_lines(propose(write(tmp_path / "table.csv", frame.to_csv(index=False))), "missing") == []
