"""The rule by which an alias moves: better than what has it by a margin, on the same test rows, at a level of proof.

Pure: it compares two lineages. What cannot be compared moves nothing, and the reason says what stands in the way.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from samebits.config.catalog import is_lower_better, name_metric
from samebits.keys.keeping import Registry
from samebits.lineage.tracked_values import digest_test_rows
from samebits.verdicts import Level

_LEVELS = list(Level)


@dataclass(frozen=True)
class Rule:
    """What a run's config says of registering its model.

    Parameters
    ----------
    margin
        In the unit of the metric that chose.
    """

    name: str
    alias: str
    margin: float
    level: Level


@dataclass(frozen=True)
class Decision:
    """Whether an alias moves, and why."""

    moves: bool
    reason: str


def read_rule(lineage: dict[str, Any]) -> Rule | None:
    """Return the rule that a run recorded; None where its model is not to be registered, or what it says is no rule."""
    said = lineage["stages"]["config"]["resolved"].get("registry")
    try:
        registry = Registry(**said) if isinstance(said, dict) else Registry()
    except ValueError:
        return None
    if registry.name is None or re.fullmatch(r"\.{1,2}", registry.name):
        return None
    return Rule(registry.name, registry.alias, registry.margin, next(level for level in Level if level.startswith(registry.level)))


def decide(rule: Rule, level: Level, lineage: dict[str, Any], champion: dict[str, Any] | str | None, champion_name: str) -> Decision:
    """Return whether the alias moves to a run.

    Parameters
    ----------
    level
        How far the run is proved.
    champion
        The lineage of what has the alias, or in words why it cannot be had; None where nothing has it.
    champion_name
        What a reason calls it.
    """
    obstacle = _find_obstacle(rule, level, lineage, champion, champion_name)
    if obstacle is not None:
        return Decision(False, f"not {rule.alias}: {obstacle}")
    metric, value = _take_score(lineage)
    if not isinstance(champion, dict):
        return Decision(True, f"{rule.alias}: the first, {metric} {value:.4f} on the test rows")
    best = _read_metric(champion, metric)
    ahead = (best - value) if is_lower_better(metric) else (value - best)
    found = f"{metric} {value:.4f}", f"{best:.4f} of {champion_name}", f"(margin {rule.margin:g}), same test rows"
    if ahead > 0 and ahead >= rule.margin:
        return Decision(True, f"{rule.alias}: {found[0]} beats {found[1]} by {ahead:.4g} {found[2]}")
    short = "equals" if ahead == 0 else "is better than" if ahead > 0 else "is behind"
    by = "" if ahead == 0 else f" by {abs(ahead):.4g}" if ahead < 0 else f" by only {ahead:.4g}"
    return Decision(False, f"not {rule.alias}: {found[0]} {short} {found[1]}{by} {found[2]}")


def _find_obstacle(
    rule: Rule, level: Level, lineage: dict[str, Any], champion: dict[str, Any] | str | None, champion_name: str
) -> str | None:
    """Return what makes a comparison needless or void."""
    if _LEVELS.index(level) < _LEVELS.index(rule.level):
        return f"proved as {level}, and the rule asks for {rule.level}"
    metric, value = _take_score(lineage)
    if math.isnan(value):
        return f"no {metric} on test rows is on record"
    if champion is None:
        return None
    if isinstance(champion, str):
        return f"{champion_name} cannot be compared ({champion}); move the alias by hand"
    if digest_test_rows(champion["stages"]) != digest_test_rows(lineage["stages"]):
        return f"{champion_name} was tested on other rows; move the alias by hand"
    if _take_positive(champion) != _take_positive(lineage):
        return f"{champion_name} has another data.positive; move the alias by hand"
    if math.isnan(_read_metric(champion, metric)):
        return f"{champion_name} has no {metric} on its test rows; move the alias by hand"
    return None


def _take_score(lineage: dict[str, Any]) -> tuple[str, float]:
    metric = name_metric(str(lineage["stages"]["cross_validation"].get("scoring")))
    return metric, _read_metric(lineage, metric)


def _read_metric(lineage: dict[str, Any], metric: str) -> float:
    """What JSON has no number for stands in a lineage as text."""
    return float(lineage["stages"]["metrics"]["test"].get(metric, math.nan))


def _take_positive(lineage: dict[str, Any]) -> Any:
    return lineage["stages"]["config"]["resolved"]["data"].get("positive")
