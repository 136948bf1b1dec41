"""What stands beside a score: a baseline, candidates as good, groups, claims."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, mean_absolute_error, recall_score

from samebits.candidates.materials import Materials
from samebits.candidates.selection import CandidateScore
from samebits.keys.judging import Claims
from samebits.report.words import describe_claim
from samebits.training.assessment import judge_claims, list_as_good
from samebits.training.groups import MISSING, RARER, _name_groups
from samebits.training.remarks import _remark_overfit, count_repeated
from samebits.training.result import Result

Train = Callable[..., tuple[Materials, Result]]
TREE = {"decision_tree": {"max_depth": 3}}


def make_table(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=(2, n))
    site = rng.choice(["north", "south", "east"], n)
    frame = pd.DataFrame(
        {"x": x, "z": z, "site": site, "age": rng.uniform(20, 90, n), "y": np.where(x + rng.normal(size=n) > 0, 1, 0)}
    )
    frame.loc[::17, "site"] = None
    return frame


def test_a_baseline_knows_the_share_of_classes_alone(train: Train) -> None:
    materials, result = train(make_table(), models=TREE)

    y = materials.target.values
    common = np.bincount(y[materials.split.train_rows]).argmax()
    baseline = result.assessment["baseline"]
    assert baseline["strategy"] == "prior"
    assert baseline["metrics"]["accuracy"] == accuracy_score(
        y[materials.split.test_rows], np.full(len(materials.split.test_rows), common)
    )
    assert baseline["metrics"]["roc_auc"] == 0.5


def test_the_baseline_of_absolute_errors_is_the_median(train: Train) -> None:
    frame = make_table().assign(y=lambda frame: np.exp(frame["x"]))
    materials, result = train(frame, models={"ridge": {}}, scoring="neg_mean_absolute_error")

    y = materials.target.values
    expected = mean_absolute_error(
        y[materials.split.test_rows], np.full(len(materials.split.test_rows), np.median(y[materials.split.train_rows]))
    )
    assert result.assessment["metric"] == "mae" and result.assessment["lower_is_better"]
    assert result.assessment["baseline"]["metrics"]["mae"] == pytest.approx(expected, rel=1e-12)


def test_groups_are_scored_apart_whether_or_not_they_are_features(train: Train) -> None:
    materials, result = train(make_table(), models=TREE, data={"drop": ["site"]}, report={"groups": ["site", "age"]})

    rows = materials.split.test_rows
    sites = materials.dataset.read_column("site").iloc[rows]
    found = {group["value"]: group for group in result.assessment["groups"]["site"]}
    assert list(found) == ["east", "north", "south", MISSING]
    assert sum(group["n_rows"] for group in found.values()) == len(rows)
    predicted = pd.read_csv(io.BytesIO(result.predictions))
    of_north = (sites == "north").to_numpy(dtype=bool, na_value=False)
    assert found["north"]["metrics"]["recall"] == recall_score(
        predicted["recorded"][of_north], predicted["predicted"][of_north], zero_division=0.0
    )
    ages = [group["value"] for group in result.assessment["groups"]["age"]]
    assert len(ages) == 4 and all(" to " in name for name in ages)


def test_values_that_are_rare_are_one_group(train: Train) -> None:
    frame = make_table().assign(site=[f"s{number % 40:02}" for number in range(200)])
    _, result = train(frame, models=TREE, report={"groups": ["site"]})

    groups = result.assessment["groups"]["site"]
    assert len(groups) <= 21 and groups[-1]["value"] == RARER


def judge(claims: dict[str, Any], metrics: dict[str, float], groups: dict[str, Any] | None = None) -> list[bool]:
    return [one["kept"] for one in judge_claims(Claims.model_validate(claims), metrics, groups or {})]


def test_a_claim_is_kept_at_its_bound_and_broken_beyond_it() -> None:
    claims = {"recall": {"at_least": 0.9}, "log_loss": {"at_most": 0.1}, "f1": {"at_least": 0.5, "at_most": 0.6}}

    assert judge(claims, {"recall": 0.9, "log_loss": 0.1, "f1": 0.6}) == [True, True, True]
    assert judge(claims, {"recall": 0.89, "log_loss": 0.11, "f1": 0.61}) == [False, False, False]


def test_a_claim_on_a_metric_without_a_value_is_not_kept() -> None:
    assert judge({"roc_auc": {"at_least": 0.1}}, {}) == [False]
    found = judge_claims(Claims.model_validate({"roc_auc": {"at_least": 0.1}}), {}, {})
    assert describe_claim(found[0]) == "ROC AUC not computed, claimed at least 0.1"


def test_a_gap_is_from_the_worst_group_to_the_best() -> None:
    gap = {"group_gap": {"column": "site", "metric": "recall", "at_most": 0.2}}
    groups = {"site": [{"value": name, "n_rows": 1, "metrics": {"recall": recall}} for name, recall in {"a": 0.5, "b": 0.75}.items()]}

    assert judge(gap, {}, groups) == [False]
    assert judge({"group_gap": {**gap["group_gap"], "at_most": 0.25}}, {}, groups) == [True]


def test_a_gap_needs_two_groups_and_those_without_the_metric_are_named() -> None:
    gap = {"group_gap": {"column": "site", "metric": "roc_auc", "at_most": 0.2}}
    groups: Any = {"site": [{"value": "a", "metrics": {"roc_auc": 0.9}}, {"value": "b", "metrics": {"recall": 0.0}}]}

    (one,) = judge_claims(Claims.model_validate(gap), {}, groups)
    (two,) = judge_claims(Claims.model_validate(gap), {}, {"site": [*groups["site"], {"value": "c", "metrics": {"roc_auc": 0.8}}]})

    assert (one["found"], one["kept"]) == (None, False)
    assert two["kept"]
    said = "gap of ROC AUC between groups of site 0.1000 (not computed for b), claimed at most 0.2"
    assert describe_claim(two) == said


@pytest.mark.parametrize("values", [[1000001, 1000002, 1000003], [1e-9, 2e-9, 0.1 + 0.2], [0.3, 0.1 + 0.2]])
def test_values_that_look_alike_in_six_digits_are_groups_of_their_own(values: list[float]) -> None:
    named = _name_groups(pd.Series(values * 4, dtype=np.float64))
    days = _name_groups(pd.Series(np.arange(20230101, 20230129, dtype=np.float64)))

    assert named.nunique() == len(values)
    assert sorted(days.unique()) == sorted(set(days)) and days.nunique() == 4
    assert days.iloc[0].startswith("20230101 to ")


def score(name: str, scores: list[float]) -> CandidateScore:
    return CandidateScore(name, scores, [], 0)


def test_candidates_that_folds_cannot_tell_apart_are_as_good() -> None:
    best = score("best", [0.9, 0.8, 0.9, 0.8])

    found = list_as_good(
        [best, score("same", best.scores), score("near", [0.91, 0.78, 0.9, 0.8]), score("worse", [0.8, 0.7, 0.8, 0.7])], best
    )

    assert found == ["same", "near"]


def test_a_class_or_group_named_nan_has_one_place_whatever_the_order() -> None:
    from itertools import permutations

    from samebits.report import account
    from samebits.training import groups

    names = ["2", "nan", "10", "a"]

    assert {tuple(sorted(order, key=account._rank)) for order in permutations(names)} == {("2", "10", "a", "nan")}
    assert len({tuple(sorted(order, key=groups._rank)) for order in permutations(names)}) == 1


def test_infinite_values_are_in_a_group_as_well() -> None:
    named = _name_groups(pd.Series([*np.arange(40.0), *[np.inf] * 20]))

    assert named.iloc[-1].endswith(" to inf") and "nan" not in " ".join(named.unique())


OVERFIT = {"metric": "accuracy", "lower_is_better": False, "value": 0.74, "baseline": {"metrics": {"accuracy": 0.5}}}


@pytest.mark.parametrize(
    ("changes", "train", "is_said"),
    [
        ({}, {"accuracy": 1.0}, True),  # 0.24 of 0.5 is left
        ({"value": 0.75}, {"accuracy": 1.0}, False),  # half of it
        ({"value": 0.4}, {"accuracy": 0.5}, False),  # nothing was learned
        ({"metric": "rmse", "lower_is_better": True, "value": 9.0, "baseline": {"metrics": {"rmse": 10.0}}}, {"rmse": 1.0}, True),
        ({"metric": "rmse", "lower_is_better": True, "value": 5.0, "baseline": {"metrics": {"rmse": 10.0}}}, {"rmse": 1.0}, False),
        ({"baseline": {"metrics": {}}}, {"accuracy": 1.0}, False),
    ],
)
def test_a_model_of_which_less_than_half_holds_on_new_rows_is_said(
    changes: dict[str, Any], train: dict[str, float], is_said: bool
) -> None:
    said = _remark_overfit({**OVERFIT, **changes}, train, "test")

    assert bool(said) == is_said
    if not changes:
        assert said == [
            "accuracy is 1 on the training rows and 0.74 on the test rows, where knowing nothing scores 0.5: "
            "less than half of what was learned holds there."
        ]


def test_rows_that_were_trained_on_and_test_too_are_said(train: Train) -> None:
    frame = make_table()
    doubled = pd.concat([frame, frame], ignore_index=True)

    _, once = train(frame, models=TREE)
    materials, twice = train(doubled, models=TREE)

    n_test = len(materials.split.test_rows)
    said = [remark for remark in twice.remarks if "equal to a training row" in remark]
    assert not any("equal to a training row" in remark for remark in once.remarks)
    assert len(said) == 1 and said[0].startswith(f"{count_repeated(*take_rows(materials))} of {n_test} test rows are equal")
    assert count_repeated(*take_rows(materials)) > n_test // 2
    changed = doubled.assign(y=[*frame["y"], *(1 - frame["y"])])  # another target: another row
    assert not any("equal to a training row" in remark for remark in train(changed, models=TREE)[1].remarks)


def take_rows(materials: Materials) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    split = materials.split
    return materials.dataset.frame[materials.inputs], materials.target.values, split.train_rows, split.test_rows
