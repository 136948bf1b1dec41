"""What of each candidate of a run stands on the tracking server: a nested run with its own parameters and scores.

Like `tracked_values` it is made from the lineage alone, so that `verify` can hold the nested runs to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from samebits.digests import canonical_json
from samebits.lineage.found_values import list_shown_trials, name_trial, shorten_key, take_found
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
    """Return each candidate of a run that has several, and each trial of a search that is shown.

    One candidate alone is what the run itself shows. A parameter that all of them have is a param of its own, and a line's axis where
    they are compared; the others stand in one.
    """
    if not has_chosen_values(lineage):
        return []
    scores = lineage["stages"]["cross_validation"]
    trials = [_describe_trial(scores, trial) for trial in list_shown_trials(scores)]
    if len(scores["candidates"]) < 2:
        return trials
    own = {name: list_parameters(lineage, name) for name in sorted(scores["candidates"])}
    shared = set.intersection(*(set(parameters) for parameters in own.values()))
    return [*(_describe(lineage, name, parameters, shared) for name, parameters in own.items()), *trials]


def list_parameters(lineage: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the parameters that a candidate was given, or a search found, without those that say nothing."""
    stages = lineage["stages"]
    wished = json.loads(canonical_json(stages["config"]["resolved"]["models"].get(name) or {}))  # as it is read back
    found = json.loads(canonical_json(take_found(stages["cross_validation"], name)))
    own = {**flatten_config(wished), **{shorten_key(key, name): value for key, value in found.items()}}
    return {key: value for key, value in own.items() if not says_nothing(value)}


def _describe_trial(scores: dict[str, Any], trial: dict[str, Any]) -> TrackedCandidate:
    name, number = trial["candidate"], trial["trial"]
    is_chosen = name == scores["best"] and number == scores["candidates"][name].get("trial") and "rows" not in trial
    of_rows = {"rows": trial["rows"]} if "rows" in trial else {}
    values = json.loads(canonical_json({shorten_key(key, name): value for key, value in trial["values"].items()}))
    return TrackedCandidate(
        name_trial(name, number, trial.get("rows")),
        is_chosen,
        write_params({"candidate": name, "trial": number, **of_rows, **values}),
        list_cv_metrics(scores["scoring"], trial),
        {},  # each fold's score is in search.csv: a hundred histories would take a server longer than the search took
    )


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
