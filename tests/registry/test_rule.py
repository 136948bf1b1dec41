from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from conftest import ROOT

from samebits.keys.keeping import Registry
from samebits.registry.rule import Decision, Rule, decide, read_rule
from samebits.verdicts import Level

RULE = Rule("shop", "champion", 0.01, Level.L0)
GOLDEN: dict[str, Any] = json.loads((ROOT / "tests/goldens/lineage_2.json").read_text(encoding="utf-8"))


def score(value: float | str | None, metric: str = "average_precision", scoring: str = "average_precision") -> dict[str, Any]:
    """Return a lineage whose model has a score on the test rows."""
    lineage = copy.deepcopy(GOLDEN)
    lineage["stages"]["cross_validation"]["scoring"] = scoring
    lineage["stages"]["metrics"]["test"] = {"accuracy": 0.9} if value is None else {metric: value}
    return lineage


def ask(new: dict[str, Any], champion: Any, rule: Rule = RULE, level: Level = Level.L0) -> Decision:
    return decide(rule, level, new, champion, "version 3")


def test_the_first_of_a_name_is_its_champion() -> None:
    assert ask(score(0.5), None) == Decision(True, "champion: the first, average_precision 0.5000 on the test rows")


@pytest.mark.parametrize(
    ("new", "champion", "moves", "said"),
    [
        (0.99, 0.95, True, "champion: average_precision 0.9900 beats 0.9500 of version 3 by 0.04 (margin 0.01), same test rows"),
        (0.955, 0.95, False, "not champion: average_precision 0.9550 is better than 0.9500 of version 3 by only 0.005 (margin 0.01)"),
        (0.94, 0.95, False, "not champion: average_precision 0.9400 is behind 0.9500 of version 3 by 0.01 (margin 0.01)"),
        (0.95, 0.95, False, "not champion: average_precision 0.9500 equals 0.9500 of version 3 (margin 0.01)"),
    ],
)
def test_a_champion_is_beaten_by_the_margin_and_by_no_less(new: float, champion: float, moves: bool, said: str) -> None:
    decision = ask(score(new), score(champion))

    assert decision.moves is moves and decision.reason.startswith(said)


def test_without_a_margin_an_equal_model_still_moves_nothing() -> None:
    assert not ask(score(0.95), score(0.95), Rule("shop", "champion", 0.0, Level.L0)).moves


def test_of_an_error_less_is_better() -> None:
    new, champion = (score(value, "rmse", "neg_root_mean_squared_error") for value in (50.0, 56.0))

    assert ask(new, champion).reason == "champion: rmse 50.0000 beats 56.0000 of version 3 by 6 (margin 0.01), same test rows"
    assert not ask(champion, new).moves


@pytest.mark.parametrize("place", ["data", "split"])
def test_nothing_moves_on_other_test_rows(place: str) -> None:
    champion = score(0.5)
    champion["stages"][place]["test_rows" if place == "split" else "digest"] = "sha256:another"

    assert ask(score(0.9), champion).reason == "not champion: version 3 was tested on other rows; move the alias by hand"


def test_nothing_moves_where_another_class_is_the_positive_one() -> None:
    champion = score(0.5)
    champion["stages"]["config"]["resolved"]["data"]["positive"] = "another"

    assert ask(score(0.9), champion).reason.startswith("not champion: version 3 has another data.positive")


@pytest.mark.parametrize(
    ("new", "champion", "said"),
    [
        (score(None), None, "no average_precision on test rows is on record"),
        (score("NaN"), score(0.5), "no average_precision on test rows is on record"),
        (score(0.9), score(None), "version 3 has no average_precision on its test rows"),
        (score(0.9), "its run has no lineage", "version 3 cannot be compared (its run has no lineage)"),
    ],
)
def test_what_cannot_be_compared_moves_nothing_and_says_why(new: Any, champion: Any, said: str) -> None:
    decision = ask(new, champion)

    assert not decision.moves
    assert decision.reason.startswith(f"not champion: {said}")


@pytest.mark.parametrize("level", list(Level))
def test_an_alias_waits_for_the_level_that_its_rule_asks_for(level: Level) -> None:
    decision = ask(score(0.9), None, Rule("shop", "champion", 0.0, Level.L2), level)

    assert decision.moves is (level in (Level.L2, Level.L3))
    assert decision.moves or decision.reason == f"not champion: proved as {level}, and the rule asks for L2 repeatable"


@pytest.mark.parametrize("said", [None, "shop", {}, {"name": 5}, {"name": ".."}, {"name": "a", "margin": -1}, {"name": "a/b"}])
def test_what_is_no_rule_registers_nothing(said: Any) -> None:
    lineage = score(0.9)
    lineage["stages"]["config"]["resolved"]["registry"] = said

    assert read_rule(lineage) is None


def test_a_recorded_rule_is_the_one_of_the_config() -> None:
    lineage = score(0.9)
    lineage["stages"]["config"]["resolved"]["registry"] = Registry(name="shop", alias="prod", margin=0.5, level="L1").model_dump()

    assert read_rule(lineage) == Rule("shop", "prod", 0.5, Level.L1)
