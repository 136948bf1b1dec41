from __future__ import annotations

from typing import Any

import pytest

from samebits.parcels.page import name_model, name_run

NAMES = {"plain": "knn", "with signs": "a/b:c.d%e\"f'g"}


def make_lineage(name: str, value: float = 0.994298) -> dict[str, Any]:
    config = {"resolved": {"name": "wdbc"}, "version": "2026.11.0"}
    return {"stages": {"config": config, "model": {"name": name}, "assessment": {"value": value}}}


def test_a_runs_name_says_what_was_chosen_how_good_it_is_and_of_what() -> None:
    assert name_run(make_lineage("logistic_regression")) == "logistic_regression 0.994 · wdbc 2026.11.0"
    assert name_run(make_lineage("ridge", 51.121)) == "ridge 51.1 · wdbc 2026.11.0"


def test_a_runs_name_cannot_move_a_terminals_cursor() -> None:
    assert "\x1b" not in name_run(make_lineage("\x1b[2Jknn"))


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_models_name_has_only_letters_that_mlflow_takes(name: str) -> None:
    assert not set("/:.%\"'") & set(name_model(make_lineage(name)))
