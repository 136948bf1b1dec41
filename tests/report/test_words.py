"""Sentences of the page: none says more than what is so, and numbers have the digits that say something."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from told_runs import make_account, make_predictions

from samebits.report.account import Account
from samebits.report.making import make_report
from samebits.report.words import list_cases, list_doubts, list_worth


def read_words(account: Account) -> str:
    page = make_report(account).page.decode("utf-8")
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(svg|style).*?</\1>", "", page)).split())


def make_certain(predictions: pd.DataFrame, ends: dict[str, list[float]], **config: Any) -> Account:
    account = make_account("binary", predictions, config)
    account.assessment["uncertainty"]["intervals"] = ends
    return account


def make_perfect() -> pd.DataFrame:
    return make_predictions("binary").assign(predicted=lambda table: table["recorded"])


@pytest.mark.parametrize("splitting", [{"split": {"method": "time", "column": "day"}}, {"cv": {"class": "a.TimeSeriesSplit"}}])
def test_rows_that_follow_each_other_make_intervals_too_narrow(splitting: dict[str, Any]) -> None:
    in_order, at_random = make_account("binary", None, splitting), make_account("binary")

    assert "the intervals are then too narrow" in read_words(in_order)
    assert "too narrow" not in read_words(at_random)


def test_rows_drawn_in_groups_are_not_said_to_be_drawn_one_by_one() -> None:
    account = make_account("binary", None, {"split": {"method": "time", "column": "day"}})
    account.assessment["uncertainty"]["resampled"] = "groups of day"

    assert list_doubts(account) == []


def test_an_interval_of_equal_ends_is_no_certainty() -> None:
    account = make_certain(make_perfect(), {"accuracy": [1.0, 1.0]})

    assert "which is no certainty" in list_worth(account)[0]
    assert "An interval of two equal ends (accuracy) is no certainty" in read_words(account)
    assert "No error in 90 test rows is compatible with an error rate of up to 3.3%" in read_words(account)


def test_where_some_rows_are_wrong_the_rule_of_three_counts_those_without_an_error() -> None:
    table = make_perfect()
    table.loc[np.flatnonzero(table["recorded"] == "yes")[0], "predicted"] = "no"
    n_called = int((table["predicted"] == "yes").sum())

    doubts = list_doubts(make_certain(table, {"precision": [1.0, 1.0], "accuracy": [0.9, 1.0]}))

    assert len(doubts) == 2 and f"No error in {n_called} test rows called outcome = yes is" in doubts[1]


def test_an_interval_of_equal_ends_with_errors_has_no_rule_of_three() -> None:
    table = make_predictions("binary").assign(predicted="no")

    assert len(list_doubts(make_certain(table, {"precision": [0.0, 0.0]}))) == 1
    assert list_doubts(make_certain(table, {"accuracy": [0.4, 0.6]})) == list_doubts(make_certain(table, {})) == []


@pytest.mark.parametrize(("label", "said"), [("1", "outcome = 1 in"), ("true", "outcome = true in"), ("malignant", "are malignant. ")])
def test_a_class_that_is_no_word_is_told_with_its_column(label: str, said: str) -> None:
    table = make_predictions("binary").replace({"yes": label, "no": "0" if label == "1" else "false" if label == "true" else "benign"})

    (cases,) = list_cases(make_account("binary", table, {"data": {"target": "outcome", "positive": label}}))

    assert said in cases and f"calls {label}" not in cases


def test_numbers_of_a_column_have_the_digits_that_say_something() -> None:
    account = make_account("regression")
    numbers = {"kind": "numeric", "n_missing": 0, "mean": 2.5, "std": 9.99e8, "edges": [0.42, 80.0], "counts": [3]}
    account.baseline["columns"] = {"age": numbers, "z": {**numbers, "mean": -1e-17, "std": 1.0, "edges": [-2.0, 2.0]}}

    words = read_words(account)

    assert "0.42 to 80, mean 2.5 ± 999,000,000" in words and "-2 to 2, mean 0 ± 1" in words


def test_what_rounding_left_of_a_score_is_nothing() -> None:
    account = make_account("regression")
    account.stages["metrics"]["test"] = {"rmse": 2e-13, "r2": 0.5, "explained_variance": -2.220446049250313e-16}

    words = read_words(account)

    assert "explained variance 0 " in words and "-2.22e-16" not in words
    assert "RMSE 2e-13" in words  # which may be much, in the target's own unit
    assert "R² 0.5000" in words


def test_what_the_model_does_not_learn_from_is_named() -> None:
    names = [f"column_{number}" for number in range(25)]
    config = {"data": {"target": "outcome", "positive": "yes", "drop": names}}

    assert "column_18, column_19 and 5 more (data.drop of the config)" in read_words(make_account("binary", None, config))
    assert "data.drop" not in read_words(make_account("binary"))


def test_the_first_remark_is_read_beside_the_score() -> None:
    remarks = (f"All is odd {'and so on ' * 30}", "Second.", "Third.")
    words = read_words(make_account("binary", remarks=remarks))

    card = words[words.index("How good is it?") : words.index("The question")]
    assert "Remarked : All is odd and so on" in card and "… whole below, and 2 more" in card and len(card) < 420
    assert words.count("Second.") == 1 and remarks[0].strip() in words
    assert "Remarked" not in read_words(make_account("binary", remarks=()))


def test_a_quantity_is_asked_for_in_a_sentence() -> None:
    assert "How much outcome is" in read_words(make_account("regression"))


def test_the_pictures_are_named_as_files_of_a_run_that_has_them() -> None:
    words = read_words(make_account("regression"))

    assert "files of the run: figures/observed.png, figures/residuals.png, figures/candidates.png, figures/importance.png;" in words
    assert "beside this page" not in words and "NAME" not in words
    assert "figures/" not in read_words(make_account("regression", keeps_figures=False))


def test_cases_add_up_where_their_shares_are_rounded() -> None:
    n_hits, n_wrong, n_missed, n_others = 43, 16, 16, 525
    table = pd.DataFrame(
        {
            "recorded": ["yes"] * n_hits + ["no"] * n_wrong + ["yes"] * n_missed + ["no"] * n_others,
            "predicted": ["yes"] * (n_hits + n_wrong) + ["no"] * (n_missed + n_others),
        }
    )

    (cases,) = list_cases(make_account("binary", table))

    assert "outcome = yes in 98. The model says so of 98: 72 rightly, 26 wrongly. It misses 26." in cases
