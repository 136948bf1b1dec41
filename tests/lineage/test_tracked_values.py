from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from conftest import ROOT

from samebits.lineage.manifest import write_lineage
from samebits.lineage.tracked_candidates import list_candidates
from samebits.lineage.tracked_values import (
    digest_test_rows,
    list_datasets,
    list_fold_scores,
    list_metrics,
    list_params,
    list_tags,
)

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


FIFTH: dict[str, Any] = copy.deepcopy(LINEAGE)
FIFTH["schema"] = 5
FIFTH["stages"] |= {
    "assessment": {
        "rows": "test",
        "metric": "rmse",
        "value": 2.0,
        "baseline": {"metrics": {"rmse": 9.0, "mae": 8.0}},
        "uncertainty": {"intervals": {"rmse": [1.5, 2.5], "mae": [0.5, 1.5]}},
    },
    "metrics": {"test": {"mae": 1.0, "rmse": 2.0}, "train": {"mae": 0.5, "rmse": 1.0}, "digest": "x"},
    "cross_validation": {
        "scoring": "neg_root_mean_squared_error",
        "best": "deep",
        "candidates": {"deep": {"scores": [-1.0, -3.0], "mean": -2.0}, "flat": {"scores": [-4.0, -4.0], "mean": -4.0}},
    },
    "threshold": {"value": None},
}
FIFTH["stages"]["config"]["resolved"] |= {
    "models": {"deep": {"max_depth": 8, "class": "a.Tree"}, "flat": {"max_depth": 2, "class": None}}
}


def test_the_metric_that_chose_comes_first_with_what_it_is_worth_and_errors_are_positive() -> None:
    values = list_metrics(FIFTH)

    assert list(values.items()) == [
        *(("test_rmse", 2.0), ("test_rmse_low", 1.5), ("test_rmse_high", 2.5), ("baseline_rmse", 9.0)),
        *(("cv_rmse", 2.0), ("cv_spread", 1.0), ("train_rmse", 1.0), ("test_mae", 1.0)),
    ]
    assert list_fold_scores(FIFTH) == {"fold_rmse": [1.0, 3.0]}


def test_each_candidate_has_what_all_have_as_params_and_the_rest_in_one() -> None:
    deep, flat = list_candidates(FIFTH)

    assert deep.params == {"candidate": "deep", "max_depth": "8", "parameters": "class=a.Tree"}
    assert flat.params == {"candidate": "flat", "max_depth": "2", "parameters": "none of its own"}
    assert (flat.metrics, flat.folds) == ({"cv_rmse": 4.0, "cv_spread": 0.0}, {"fold_rmse": [4.0, 4.0]})
    assert [one.tags["chosen"] for one in (deep, flat)] == ["true", "false"]


def test_a_run_before_schema_5_has_what_it_had() -> None:
    params, metrics = list_params(LINEAGE), list_metrics(LINEAGE)

    assert {"data_hash", "git_commit", "name", "version"} <= set(params) and "null" in params.values()
    assert "cv_score" in metrics and all(name.startswith("fold_score_") for name in list_fold_scores(LINEAGE))
    assert list_candidates(LINEAGE) == [] and set(list_datasets(LINEAGE)) == {"training"}
    assert "seed" in list_tags(LINEAGE, b"")


def test_params_are_what_a_reader_compares() -> None:
    params = list_params(FIFTH)

    assert params["models.deep.max_depth"] == "8" and params["seed"] == "42"
    assert not set(params) & {"data_hash", "git_commit", "name", "version", "numeric_profile", "n_jobs", "data.read.sep"}
    assert not set(params.values()) & {"null", "[]", "{}", ""}
    assert "seed" not in list_tags(FIFTH, b"")


def test_test_rows_go_by_their_tables_digest_and_theirs_and_a_table_of_their_own_by_its() -> None:
    apart, other = copy.deepcopy(FIFTH), copy.deepcopy(FIFTH)
    apart["stages"]["data"]["test"] = {"digest": "sha256:" + "5" * 64}
    other["stages"]["split"]["test_rows"] = "sha256:" + "6" * 64

    assert list_datasets(apart)["test"] == ("sha256:" + "5" * 64)[:36]
    assert len({list_datasets(one)["test"] for one in (FIFTH, apart, other)}) == 3
    assert list_datasets(FIFTH)["training"] == list_datasets(other)["training"]


def test_a_candidates_parameters_are_the_same_before_and_after_they_were_written_down() -> None:
    lineage = json.loads((ROOT / "tests/goldens/lineage_5.json").read_text(encoding="utf-8"))
    models = lineage["stages"]["config"]["resolved"]["models"]
    lineage["stages"]["cross_validation"]["candidates"] |= {name: {"mean": 0.5, "scores": [0.5]} for name in ("c1", "c2")}
    lineage["stages"]["config"]["resolved"]["models"] = {**models, "c1": {"C": math.inf, "weight": {"ü": 1, "ö": 2}}, "c2": {}}

    assert list_candidates(lineage) == list_candidates(json.loads(write_lineage(lineage)))
