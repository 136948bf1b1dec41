from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from proposed_tables import N, list_lines, make_frame, propose_for

from samebits.proposal.proposal import Proposal


def read_preprocessing(proposal: Proposal) -> dict[str, Any]:
    value: dict[str, Any] = proposal.document.value["preprocessing"]
    return value


def find_comment(proposal: Proposal, key: str) -> str:
    """Return a key's line with the lines of comment around it."""
    lines = proposal.document.text.splitlines()
    place = next(index for index, line in enumerate(lines) if line.strip().startswith(f"{key}:"))
    return " ".join(part.strip().removeprefix("# ") for part in lines[place - 2 : place + 2])


def test_no_number_is_clipped_and_the_comment_says_what_it_would_do(tmp_path: Path) -> None:
    proposal = propose_for(make_frame(), tmp_path)

    assert read_preprocessing(proposal)["outlier_factor"] is None
    assert "1.5 would cut off the long tail of a skewed column" in find_comment(proposal, "outlier_factor")


def test_a_category_that_is_often_empty_is_filled_by_one_of_its_own_and_that_is_said(tmp_path: Path) -> None:
    frame = make_frame().assign(deck=np.where(np.arange(N) % 5 > 0, None, "C"))
    frame["income"] = frame.income.where(frame.index % 9 > 0)

    proposal = propose_for(frame, tmp_path)

    assert read_preprocessing(proposal)["categorical_imputer"] == "constant"
    assert "a category of its own" in find_comment(proposal, "categorical_imputer")
    (line,) = list_lines(proposal, "missing")
    assert line.endswith("filled by preprocessing: deck 160 by a category of its own, missing_value; income 23 by the median")


def test_many_categories_that_are_often_empty_are_filled_so_too(tmp_path: Path) -> None:
    draws = np.random.default_rng(31)
    frame = pd.concat([make_frame()] * 15).assign(
        x=draws.normal(size=15 * N), part=draws.choice([f"z{i}" for i in range(140)], 15 * N)
    )
    frame["part"] = frame.part.where(draws.random(15 * N) < 0.95)

    (group,) = read_preprocessing(propose_for(frame, tmp_path))["columns"]

    assert group["columns"] == ["part"] and group["transformers"][0]["strategy"] == "constant"


def test_a_category_that_is_seldom_empty_is_filled_by_the_most_frequent(tmp_path: Path) -> None:
    frame = make_frame().assign(deck=np.where(np.arange(N) == 50, None, "C"))
    frame.loc[:20, "deck"] = "A"

    proposal = propose_for(frame, tmp_path)

    assert read_preprocessing(proposal)["categorical_imputer"] == "most_frequent"
    assert list_lines(proposal, "missing") == ["empty in some rows, filled by preprocessing: deck 1 by the most frequent value"]


@pytest.mark.parametrize("name", ["Telefon", "phone_number", "reference"])
def test_long_whole_numbers_that_are_nearly_unique_are_an_id(name: str, tmp_path: Path) -> None:
    numbers = np.random.default_rng(32).integers(300_000_000, 999_999_999, N)

    proposal = propose_for(make_frame().assign(**{name: numbers}), tmp_path)

    assert list_lines(proposal, "id") == [f"{name}: an id, unique; dropped"]


def test_short_whole_numbers_that_are_nearly_unique_are_a_quantity(tmp_path: Path) -> None:
    frame = make_frame().assign(area=np.random.default_rng(33).permutation(90_000)[:N] + 10_000)

    assert propose_for(frame, tmp_path).document.value["data"]["drop"] == []


def test_whole_numbers_of_few_values_are_asked_about_but_counts_are_not(tmp_path: Path) -> None:
    draws = np.random.default_rng(34)
    frame = make_frame().assign(
        season=draws.integers(1, 5, N),
        weekday=np.repeat(range(5), [41, 40, 39, 40, 40]),
        Region=draws.integers(1, 10, N),
        sibsp=draws.poisson(0.5, N),
        n_rooms=draws.integers(1, 6, N),
    )

    assert list_lines(propose_for(frame, tmp_path), "codes?") == [
        "season, weekday, Region: whole numbers of few values; where they are names of kinds, say so: data.read.types: {season: category}"
    ]
