from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from conftest import ROOT

from samebits.lineage.manifest import write_lineage
from samebits.lineage.tracked_values import digest_test_rows, list_metrics, list_params, list_tags

LINEAGE: dict[str, Any] = json.loads((ROOT / "tests/goldens/lineage_2.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("method", ["f_beta", "costs"])
def test_what_a_threshold_reached_stands_on_the_server_by_its_method(method: str) -> None:
    lineage = copy.deepcopy(LINEAGE)
    lineage["stages"]["threshold"] = {"value": 0.3, "precision": 0.8, "recall": 0.9, "method": method, "reached": 12.5, "digest": "x"}

    values = list_metrics(lineage)

    assert {name: value for name, value in values.items() if name.startswith("threshold")} == {
        "threshold": 0.3,
        "threshold_cv_precision": 0.8,
        "threshold_cv_recall": 0.9,
        f"threshold_cv_{method}": 12.5,
    }


def test_metrics_of_the_training_rows_and_of_every_candidate_kept_stand_on_the_server() -> None:
    lineage = copy.deepcopy(LINEAGE)
    lineage["stages"]["metrics"] = {"test": {"r2": 0.5}, "train": {"r2": 0.75}, "candidates": {"knn": {"r2": 0.25}}, "digest": "x"}

    values = list_metrics(lineage)

    assert {name: value for name, value in values.items() if "r2" in name} == {"test_r2": 0.5, "train_r2": 0.75, "test_r2_knn": 0.25}


def test_an_infinity_is_the_same_param_before_and_after_it_was_written_down() -> None:
    lineage = json.loads((ROOT / "tests/goldens/lineage_4.json").read_text(encoding="utf-8"))
    lineage["stages"]["config"]["resolved"]["features"]["derived"] = [{"name": "a", "bins": {"column": "b", "edges": [-math.inf, 0]}}]

    assert list_params(lineage) == list_params(json.loads(write_lineage(lineage)))


def test_runs_are_tested_on_the_same_rows_whatever_they_learned_from() -> None:
    other = copy.deepcopy(LINEAGE)
    other["stages"]["config"]["resolved"]["models"] = {"knn": {}}
    other["stages"]["split"]["train_rows"] = "sha256:another"

    assert digest_test_rows(other["stages"]) == digest_test_rows(LINEAGE["stages"])


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [("data", "digest", "x"), ("data", "test", {"digest": "x"}), ("split", "test_rows", "x"), ("config", "resolved", {"data": {}})],
)
def test_another_table_target_or_choice_of_rows_is_another_test(place: str, key: str, value: Any) -> None:
    other = copy.deepcopy(LINEAGE)
    other["stages"][place][key] = value

    assert digest_test_rows(other["stages"]) not in (digest_test_rows(LINEAGE["stages"]), None)


def test_a_run_without_test_rows_has_no_digest_of_them() -> None:
    lineage = copy.deepcopy(LINEAGE)
    lineage["stages"]["metrics"]["test"] = {}

    assert digest_test_rows(lineage["stages"]) is None
    assert "test_rows" not in list_tags({**lineage, "schema": 5}, b"")


def test_the_test_rows_stand_as_a_tag_since_schema_5() -> None:
    assert list_tags({**LINEAGE, "schema": 5}, b"")["test_rows"] == digest_test_rows(LINEAGE["stages"])
    assert "test_rows" not in list_tags({**LINEAGE, "schema": 4}, b"")
