"""What of a lineage stands on the tracking server beside it: the params, metrics and tags that the UI shows and filters by.

They are made from the lineage alone, so that a recorded run's values can be held to it again at any time. Which run has which is
decided by its lineage's schema: from schema 5 on, what a reader compares, and nothing twice. What of each candidate stands on a run
of its own is `tracked_candidates`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from samebits.config.catalog import name_metric
from samebits.digests import canonical_json, digest_bytes, digest_value
from samebits.keys.sections import MLFLOW_NAME
from samebits.lineage.found_values import take_found
from samebits.lineage.manifest import take_held_back

MAX_PARAM_LENGTH = 6000  # MLflow cuts longer ones silently
VIEW = "samebits"  # a saved view of the runs table, by the name that its address and the menu of views give it
DATASET_DIGEST_LENGTH = 36  # of MLflow's own dataset input; the whole digest is in the lineage and the tags
_CHOSEN_SINCE = 5  # the schema whose runs have what a reader compares, under the metrics' own names
# Not among the params from then on: what a tag says, what changes no result, and how a table is read where that is as usual.
_SAID_ELSEWHERE = ("data.archive", "data.digest", "engine.dask", "n_jobs", "name", "numeric_profile", "tracking.offline", "version")
_OF_NO_RESULT = ("report.", "drift.", "registry.")
_USUAL = {
    "data.read.allow_short_rows": False,
    "data.read.decimal": ".",
    "data.read.encoding": "utf-8",
    "data.read.format": "auto",
    "data.read.keep_default_na": True,
    "data.read.quotechar": '"',
    "data.read.sep": ",",
    "data.read.skip_rows": 0,
    "features.epsilon": 1e-6,
}
_NEGATED = "neg_"  # how scikit-learn names a scorer of which less is better


def list_params(lineage: dict[str, Any]) -> dict[str, str]:
    """Return the params of a run, as text."""
    stages = lineage["stages"]
    resolved = json.loads(canonical_json(stages["config"]["resolved"]))  # as it is read back: JSON has no infinity
    scores = stages["cross_validation"]
    values = {**flatten_config(resolved), **json.loads(canonical_json(take_found(scores, scores["best"])))}
    if has_chosen_values(lineage):
        return choose_params(values)
    return write_params({**values, "data_hash": stages["data"]["digest"], "git_commit": stages["code"]["commit"] or "none"})


def choose_params(values: dict[str, Any]) -> dict[str, str]:
    """Return of a config's keys, by their dotted names, those that a reader compares, as text."""
    unsaid = {"split.test_size"} if any(name == "split.train_until" or name.startswith("backtest.") for name in values) else set()
    return write_params({name: value for name, value in values.items() if name not in unsaid and not _is_left_out(name, value)})


def has_chosen_values(lineage: dict[str, Any]) -> bool:
    """Tell whether a run has what a reader compares, and its candidates as runs of their own, or all that earlier ones had."""
    return bool(lineage["schema"] >= _CHOSEN_SINCE)


def _is_left_out(name: str, value: Any) -> bool:
    is_elsewhere = name in _SAID_ELSEWHERE or name.startswith(_OF_NO_RESULT)
    return is_elsewhere or says_nothing(value) or (name in _USUAL and value == _USUAL[name])


def says_nothing(value: Any) -> bool:
    """Tell whether a key's value is null or empty."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def write_params(values: dict[str, Any]) -> dict[str, str]:
    """Return values as MLflow takes them for params."""
    return {name: _as_text(value)[:MAX_PARAM_LENGTH] for name, value in values.items()}


def digest_test_rows(stages: dict[str, Any]) -> str | None:
    """Digest what a run was tested on: its tables, the target, and which rows were held back; None where no row was.

    Runs of the same test rows have scores that may be held against each other, whatever they learned from.
    """
    return digest_held_rows(stages) if stages["metrics"]["test"] else None


def digest_held_rows(stages: dict[str, Any]) -> str:
    """Digest the same of a run that holds rows back, of which no metric need be known."""
    tested = {
        "data": stages["data"]["digest"],
        "test_data": stages["data"].get("test", {}).get("digest"),
        "target": stages["config"]["resolved"]["data"].get("target"),
        "rows": stages["split"].get("test_rows"),
    }
    return digest_value(tested)


def flatten_config(resolved: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested keys as dotted names; lists, what is empty, and mappings with keys that MLflow does not take stay as they are.

    >>> flatten_config({"a": {"b": 1, "c": [2]}, "d": {}, "e": {"x [m]": 1}})
    {'a.b': 1, 'a.c': [2], 'd': {}, 'e': {'x [m]': 1}}
    """
    flat: dict[str, Any] = {}
    for key, value in resolved.items():
        if isinstance(value, dict) and value and all(map(MLFLOW_NAME.fullmatch, value)):
            flat.update(flatten_config(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def list_metrics(lineage: dict[str, Any]) -> dict[str, float]:
    """Return the metrics of a run that have one value, in the order in which its page shows them: the one that chose first.

    What JSON has no number for stands in a lineage as text.
    """
    values = _list_chosen(lineage) if has_chosen_values(lineage) else _list_all(lineage)
    return {name: float(value) for name, value in {**values, **_list_threshold(lineage["stages"]["threshold"])}.items()}


def _list_chosen(lineage: dict[str, Any]) -> dict[str, Any]:
    """The metric that chose with its interval and baseline, how it was in the folds, and the others on the rows held back."""
    stages = lineage["stages"]
    assessment, metrics, scores = stages["assessment"], stages["metrics"], stages["cross_validation"]
    rows, metric = assessment["rows"], assessment["metric"]
    found, folds = metrics[rows], scores["candidates"][scores["best"]]
    low, high = assessment["uncertainty"]["intervals"].get(metric, (None, None))
    values = {
        f"{rows}_{metric}": found[metric],
        f"{rows}_{metric}_low": low,
        f"{rows}_{metric}_high": high,
        f"baseline_{metric}": assessment["baseline"]["metrics"].get(metric),
        **list_cv_metrics(scores["scoring"], folds),
        **_list_nested(scores),
        f"train_{metric}": metrics["train"].get(metric),
        **{f"{rows}_{name}": value for name, value in found.items()},
    }
    return {name: value for name, value in values.items() if value is not None}


def _list_nested(scores: dict[str, Any]) -> dict[str, float]:
    """What a search scores by itself, where that was asked."""
    nested = [float(fold["score"]) for fold in scores.get("search", {}).get("nested", [])]
    return (
        {f"nested_{name_score(scores['scoring'])}": turn_score(scores["scoring"], math.fsum(nested) / len(nested))} if nested else {}
    )


def list_cv_metrics(scoring: str, folds: dict[str, Any]) -> dict[str, float]:
    """Return how a candidate was in the folds: the mean, and the spread where there is one to tell; errors as they are measured.

    >>> list_cv_metrics("neg_root_mean_squared_error", {"mean": -2.0, "scores": [-1.0, -3.0]})
    {'cv_rmse': 2.0, 'cv_spread': 1.0}
    """
    spread = measure_spread(take_scores(scoring, folds))
    mean = turn_score(scoring, float(folds["mean"]))
    return {f"cv_{name_score(scoring)}": mean, **({"cv_spread": spread} if spread is not None else {})}


def measure_spread(scores: Sequence[float]) -> float | None:
    """Return the standard deviation; None of one score, and of what is no number."""
    if len(scores) < 2 or not all(map(math.isfinite, scores)):
        return None
    mean = math.fsum(scores) / len(scores)
    return math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / len(scores))


def take_scores(scoring: str, folds: dict[str, Any]) -> list[float]:
    """Return a candidate's score in each fold, errors as positive numbers."""
    return [turn_score(scoring, float(score)) for score in folds["scores"]]


def name_score(scoring: str) -> str:
    """Return what a scorer measures, by the metric's name.

    >>> name_score("neg_mean_squared_error"), name_score("neg_mean_absolute_error"), name_score("roc_auc")
    ('mean_squared_error', 'mae', 'roc_auc')
    """
    return name_metric(scoring).removeprefix(_NEGATED)


def turn_score(scoring: str, score: float) -> float:
    """Return a score as its metric is measured, where scikit-learn turns an error's sign."""
    return 0.0 - score if is_turned(scoring) else score


def is_turned(scoring: str) -> bool:
    """Tell whether a scorer gives an error with its sign turned, so that less of what it measures is better."""
    return scoring.startswith(_NEGATED)


def _list_all(lineage: dict[str, Any]) -> dict[str, Any]:
    """What runs before schema 5 have: each metric on each kind of rows, and scores under scikit-learn's sign."""
    stages = lineage["stages"]
    candidates, metrics = stages["cross_validation"]["candidates"], stages["metrics"]
    values = {f"{rows}_{name}": value for rows in ("test", "out_of_fold", "train") for name, value in metrics.get(rows, {}).items()}
    scored, _ = take_held_back(metrics)
    for candidate, found in metrics.get("candidates", {}).items():
        values.update({f"{scored}_{name}_{candidate}": value for name, value in found.items()})
    values["cv_score"] = candidates[stages["cross_validation"]["best"]]["mean"]
    values.update({f"cv_score_{name}": candidate["mean"] for name, candidate in candidates.items()})
    return values


def _list_threshold(threshold: dict[str, Any]) -> dict[str, Any]:
    values = {}
    if threshold.get("value") is not None:
        values["threshold"] = threshold["value"]
        values["threshold_cv_precision"] = threshold["precision"]
        values["threshold_cv_recall"] = threshold["recall"]
    if threshold.get("reached") is not None:
        values[f"threshold_cv_{threshold['method']}"] = threshold["reached"]
    return values


def list_fold_scores(lineage: dict[str, Any]) -> dict[str, list[float]]:
    """Return the metrics of a run that have a value for each fold."""
    scores = lineage["stages"]["cross_validation"]
    candidates = scores["candidates"]
    if has_chosen_values(lineage):
        return {f"fold_{name_score(scores['scoring'])}": take_scores(scores["scoring"], candidates[scores["best"]])}
    return {f"fold_score_{name}": [float(score) for score in candidate["scores"]] for name, candidate in candidates.items()}


def list_datasets(lineage: dict[str, Any]) -> dict[str, str]:
    """Return the digest of each dataset that a run has as an input of MLflow's, by what it is there for.

    MLflow shows no more than a digest's beginning. Test rows of the one table go by that table's digest and theirs.
    """
    stages = lineage["stages"]
    found = {"training": stages["data"]["digest"]}
    if has_chosen_values(lineage) and stages["metrics"]["test"]:
        of_rows = digest_value({"data": stages["data"]["digest"], "test_rows": stages["split"].get("test_rows")})
        found["test"] = stages["data"]["test"]["digest"] if "test" in stages["data"] else of_rows
    return {context: digest[:DATASET_DIGEST_LENGTH] for context, digest in found.items()}


def list_tags(lineage: dict[str, Any], lineage_bytes: bytes) -> dict[str, str]:
    """Return the tags of a run that follow from its lineage."""
    stages = lineage["stages"]
    code, config = stages["code"], stages["config"]
    tags = {
        "data_hash": stages["data"]["digest"],
        "git_commit": code["commit"] or "none",
        "git_dirty": str(code["dirty"]).lower(),
        "model_digest": stages["model"]["digest"],
        "inputs_digest": lineage["inputs_digest"],
        "outputs_digest": lineage["outputs_digest"],
        "config_version": config["version"],
        "numeric_profile": stages["numeric_profile"]["name"],
        "best_model": stages["model"]["name"],
    }
    if not has_chosen_values(lineage):
        tags["seed"] = str(stages["seeds"]["root"])  # a param too
    if lineage["schema"] > 1:
        tags["lineage_digest"] = digest_bytes(lineage_bytes)
        tags["request_digest"] = lineage["request_digest"]
    if lineage["schema"] >= 5 and (test_rows := digest_test_rows(stages)):
        tags["test_rows"] = test_rows
    if code["commit"]:
        tags["mlflow.source.git.commit"] = code["commit"]
        tags["mlflow.source.git.dirty"] = str(code["dirty"]).lower()
    return tags
