from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from proposed_tables import N, list_lines, make_frame, propose, propose_for, write

from samebits.data.target import Target
from samebits.proposal.choices import choose_positive, list_divisions
from samebits.proposal.survey import Seen

DAYS = pd.date_range("2020-01-01", periods=N)


def make_subjects(name: str) -> pd.DataFrame:
    return make_frame().assign(**{name: np.random.default_rng(21).integers(100, 140, N)})


@pytest.mark.parametrize(("labels", "why"), [([0, 1], "by its value"), (["no", "yes"], "by its word"), ([False, True], "by its word")])
def test_a_number_is_no_word(labels: list[object], why: str) -> None:
    values = np.array(labels * 10)

    _, finding = choose_positive(Target("binary", values, np.unique(values)))

    assert finding is not None and f"taken for the positive class, {why}:" in finding.text


@pytest.mark.parametrize(
    "name", ["subject", "Kundennr", "KundenNummer", "patient_no", "customerId", "user_key", "order_id", "ticketNr", "member code"]
)
def test_numbers_that_name_what_has_several_rows_divide_by_group(name: str, tmp_path: Path) -> None:
    split = propose_for(make_subjects(name), tmp_path).document.value["split"]

    assert (split["method"], split["column"]) == ("group", name)


@pytest.mark.parametrize("form", ["{}", "p{}"])
def test_who_is_always_of_one_class_divides_by_group_and_is_no_leak(form: str, tmp_path: Path) -> None:
    frame = make_subjects("patient")
    frame["bought"] = np.where(frame.patient % 2 > 0, "yes", "no")
    frame["patient"] = [form.format(number) for number in frame.patient]

    proposal = propose_for(frame, tmp_path)

    assert proposal.document.value["split"]["column"] == "patient" and list_lines(proposal, "leak") == []


@pytest.mark.parametrize("name", ["users", "n_users", "num_sessions", "no_of_rooms", "week_no", "zip_code", "Kunden", "amount"])
def test_numbers_that_count_or_place_things_are_no_groups(name: str, tmp_path: Path) -> None:
    assert propose_for(make_subjects(name), tmp_path).document.value["split"]["method"] == "random"


def test_where_time_divides_the_rows_what_has_several_rows_is_no_feature_and_said() -> None:
    frame = make_subjects("Kundennr").assign(day=DAYS)
    kinds = {"age": "numeric", "income": "numeric", "city": "categorical", "bought": "categorical"}
    seen = Seen(frame, {**kinds, "Kundennr": "numeric", "day": "date"}, ["age", "Kundennr"], "bought")  # type: ignore[arg-type]
    target = Target("binary", frame.bought.to_numpy(dtype=str), np.array(["no", "yes"]), "yes")

    by_time = next(way for way in list_divisions(seen, target, seen.others) if way.split["method"] == "time")

    (group,) = [finding for finding in by_time.findings if finding.topic == "group"]
    assert group.text.startswith("Kundennr: 39 different in 200 rows") and dict(group.dropped).keys() == {"Kundennr"}


def test_a_table_of_dates_is_always_told_which_divides_its_rows_or_why_none_does(tmp_path: Path) -> None:
    mixed = DAYS[np.random.default_rng(22).permutation(N)]
    frame = make_frame()
    tables = {
        "day: the rows are divided by it": frame.assign(day=DAYS),
        "pickup (the rows are not in its order), dropoff (the rows are not in its order); where later rows are to be predicted: "
        "split: {method: time, column: pickup}": frame.assign(pickup=mixed, dropoff=mixed + pd.Timedelta("3h")),
        "birth (of birth)": frame.assign(birth=DAYS),
        "day (patient goes before)": frame.assign(day=DAYS, patient=np.arange(N) // 5),
        "day (empty in some rows)": frame.assign(day=pd.Series(DAYS).where(frame.index % 7 > 0)),
        "year (numbers of years)": frame.assign(year=np.random.default_rng(23).integers(1990, 2015, N)),
    }

    for said, table in tables.items():
        (line,) = list_lines(propose_for(table, tmp_path), "date")
        assert said in line


def test_a_table_without_dates_is_told_nothing_of_them(tmp_path: Path) -> None:
    assert list_lines(propose(write(tmp_path / "table.csv", make_frame().to_csv(index=False))), "date") == []
