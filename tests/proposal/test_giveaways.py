from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from proposed_tables import N, list_lines, make_frame, propose_for

DRAWS = np.random.default_rng(11)


def make_rides() -> pd.DataFrame:
    """Fares of which the tip is nearly the rest of the total."""
    draws = np.random.default_rng(12)
    fare, tolls = np.round(np.exp(draws.normal(2.3, 0.6, 600)), 1), np.where(draws.random(600) < 0.2, 6.12, 0)
    tip = np.round(fare * draws.choice([0, 0.2, 0.4], 600), 2)
    total = np.round(fare + tip + tolls + draws.choice([0.5, 0.8], 600), 2)
    return pd.DataFrame({"fare": fare, "tolls": tolls, "total": total, "seats": draws.integers(1, 7, 600), "tip": tip})


def test_a_date_that_is_empty_where_the_target_has_one_class_is_dropped(tmp_path: Path) -> None:
    frame = make_frame()
    days = pd.Series(pd.date_range("2020-01-01", periods=N).strftime("%Y-%m-%d"))
    frame["cancelled_on"] = days.where(frame.bought == "no")

    proposal = propose_for(frame, tmp_path)

    assert proposal.document.value["data"]["drop"] == ["cancelled_on"]
    assert list_lines(proposal, "leak")[0].startswith("cancelled_on: whether it is empty tells the target alone")


@pytest.mark.parametrize("filled", ["2020-01-01", "a word", 3.5])
def test_emptiness_that_tells_one_class_of_several_is_found(filled: object, tmp_path: Path) -> None:
    kinds = np.random.default_rng(13).choice(["open", "won", "lost"], N)
    frame = make_frame().assign(kind=kinds, reason=[filled if kind == "lost" else None for kind in kinds])

    assert propose_for(frame, tmp_path, "kind").document.value["data"]["drop"] == ["reason"]


def test_gaps_by_chance_are_no_leak(tmp_path: Path) -> None:
    frame = make_frame()
    frame["paid"] = frame.age.where(np.random.default_rng(14).random(N) < 0.5)

    assert propose_for(frame, tmp_path).document.value["data"]["drop"] == []


def test_columns_that_nearly_give_a_quantity_together_are_asked_about_and_kept(tmp_path: Path) -> None:
    proposal = propose_for(make_rides(), tmp_path, "tip")

    (line,) = list_lines(proposal, "leak")
    named, _, asked = line.partition(" together nearly give ")
    assert {*named.split(", ")} == {"total", "fare", "tolls"}
    assert asked.startswith("tip (R2 0.9") and asked.endswith("): are they known before it is?")
    assert proposal.document.value["data"]["drop"] == []


def test_a_column_that_nearly_gives_a_quantity_alone_is_asked_about_in_the_singular(tmp_path: Path) -> None:
    draws = np.random.default_rng(15)
    x = draws.normal(size=400)
    frame = pd.DataFrame({"x": x, "other": draws.normal(size=400), "y": x + draws.normal(0, 0.25, 400)})

    (line,) = list_lines(propose_for(frame, tmp_path, "y"), "leak")

    assert line == "x nearly gives y (R2 0.94): is it known before it is?"


def test_what_a_line_does_not_give_on_other_rows_is_not_asked(tmp_path: Path) -> None:
    draws = np.random.default_rng(16)
    noise = pd.DataFrame(draws.normal(size=(120, 50)), columns=[f"x{number}" for number in range(50)])

    assert list_lines(propose_for(noise.assign(y=draws.normal(size=120)), tmp_path, "y"), "leak") == []


def test_a_column_that_is_dropped_is_never_said_to_be_kept(tmp_path: Path) -> None:
    draws = np.random.default_rng(17)
    registered = draws.integers(0, 5000, 2000)
    casual = draws.integers(0, 200, 2000)
    frame = pd.DataFrame({"casual": casual, "registered": registered, "x": draws.normal(size=2000), "cnt": casual + registered})

    proposal = propose_for(frame, tmp_path, "cnt")

    assert list_lines(proposal, "leak") == ["casual + registered = cnt; both dropped"]
