"""What of each candidate of a run stands on the tracking server: a nested run with its own parameters and scores.

Like `tracked_values` it is made from the lineage alone, so that `verify` can hold the nested runs to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from samebits.digests import canonical_json
from samebits.lineage.tracked_values import (
    flatten_config,
    has_chosen_values,
    list_cv_metrics,
    name_score,
    says_nothing,
    take_scores,
    write_params,
)

CANDIDATE_TAG = "candidate_name"  # whose candidate it is stands in `mlflow.parentRunId`


@dataclass(frozen=True)
class TrackedCandidate:
    """A candidate as a nested run shows it.

    Parameters
    ----------
    folds
        Its score in each fold, by the name of the metric.
    """

    name: str
    is_chosen: bool
    params: dict[str, str]
    metrics: dict[str, float]
    folds: dict[str, list[float]]

    @property
    def tags(self) -> dict[str, str]:
        """What follows from the lineage of its tags."""
        return {CANDIDATE_TAG: self.name, "chosen": str(self.is_chosen).lower()}


def list_candidates(lineage: dict[str, Any]) -> list[TrackedCandidate]:
    """Return each candidate of a run that has several; one alone is what the run itself shows.

    A parameter that all of them have is a param of its own, and a line's axis where they are compared; the others stand in one.
    """
    scores = lineage["stages"]["cross_validation"]
    if not has_chosen_values(lineage) or len(scores["candidates"]) < 2:
        return []
    own = {name: list_parameters(lineage, name) for name in sorted(scores["candidates"])}
    shared = set.intersection(*(set(parameters) for parameters in own.values()))
    return [_describe(lineage, name, parameters, shared) for name, parameters in own.items()]


def list_parameters(lineage: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the parameters that a candidate was given, without those that say nothing."""
    wished = json.loads(canonical_json(lineage["stages"]["config"]["resolved"]["models"].get(name) or {}))  # as it is read back
    return {key: value for key, value in flatten_config(wished).items() if not says_nothing(value)}


def _describe(lineage: dict[str, Any], name: str, parameters: dict[str, Any], shared: set[str]) -> TrackedCandidate:
    stages, scores = lineage["stages"], lineage["stages"]["cross_validation"]
    folds, found = scores["candidates"][name], stages["metrics"].get("candidates", {}).get(name, {})
    held_back = "test" if stages["metrics"]["test"] else "out_of_fold"
    others = ", ".join(f"{key}={value}" for key, value in sorted(parameters.items()) if key not in shared)
    params = {key: value for key, value in parameters.items() if key in shared}
    metrics = {**list_cv_metrics(scores["scoring"], folds), **{f"{held_back}_{key}": value for key, value in found.items()}}
    return TrackedCandidate(
        name,
        name == scores["best"],
        write_params({**params, "candidate": name, "parameters": others or "none of its own"}),
        {key: float(value) for key, value in metrics.items()},
        {f"fold_{name_score(scores['scoring'])}": take_scores(scores["scoring"], folds)},
    )
