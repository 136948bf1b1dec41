"""What of a lineage stands on the tracking server beside it: the params, metrics and tags that the UI shows and filters by.

They are made from the lineage alone, so that a recorded run's values can be held to it again at any time.
"""

from __future__ import annotations

import json
from typing import Any

from samebits.config.keys import MLFLOW_NAME
from samebits.digests import canonical_json, digest_bytes, digest_value

MAX_PARAM_LENGTH = 6000  # MLflow cuts longer ones silently
DATASET_DIGEST_LENGTH = 36  # of MLflow's own dataset input; the whole digest is in the lineage and the tags


def list_params(lineage: dict[str, Any]) -> dict[str, str]:
    """Return the params of a run, as text."""
    stages = lineage["stages"]
    resolved = json.loads(canonical_json(stages["config"]["resolved"]))  # as it is read back: JSON has no infinity
    params = {name: _as_text(value) for name, value in flatten_config(resolved).items()}
    params["data_hash"] = stages["data"]["digest"]
    params["git_commit"] = stages["code"]["commit"] or "none"
    return {name: value[:MAX_PARAM_LENGTH] for name, value in params.items()}


def digest_test_rows(stages: dict[str, Any]) -> str | None:
    """Digest what a run was tested on: its tables, the target, and which rows were held back; None where no row was.

    Runs of the same test rows have scores that may be held against each other, whatever they learned from.
    """
    if not stages["metrics"]["test"]:
        return None
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
    """Return the metrics of a run that have one value."""
    stages = lineage["stages"]
    candidates, threshold = stages["cross_validation"]["candidates"], stages["threshold"]
    metrics = stages["metrics"]
    values = {f"{rows}_{name}": value for rows in ("test", "out_of_fold", "train") for name, value in metrics.get(rows, {}).items()}
    scored = "test" if metrics["test"] else "out_of_fold"
    for candidate, found in metrics.get("candidates", {}).items():
        values.update({f"{scored}_{name}_{candidate}": value for name, value in found.items()})
    values["cv_score"] = candidates[stages["cross_validation"]["best"]]["mean"]
    values.update({f"cv_score_{name}": candidate["mean"] for name, candidate in candidates.items()})
    if threshold.get("value") is not None:
        values["threshold"] = threshold["value"]
        values["threshold_cv_precision"] = threshold["precision"]
        values["threshold_cv_recall"] = threshold["recall"]
    if threshold.get("reached") is not None:
        values[f"threshold_cv_{threshold['method']}"] = threshold["reached"]
    return {name: float(value) for name, value in values.items()}  # what JSON has no number for stands in a lineage as text


def list_fold_scores(lineage: dict[str, Any]) -> dict[str, list[float]]:
    """Return the metrics of a run that have a value for each fold."""
    candidates = lineage["stages"]["cross_validation"]["candidates"]
    return {f"fold_score_{name}": [float(score) for score in candidate["scores"]] for name, candidate in candidates.items()}


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
        "seed": str(stages["seeds"]["root"]),
        "best_model": stages["model"]["name"],
    }
    if lineage["schema"] > 1:
        tags["lineage_digest"] = digest_bytes(lineage_bytes)
        tags["request_digest"] = lineage["request_digest"]
    if lineage["schema"] >= 5 and (test_rows := digest_test_rows(stages)):
        tags["test_rows"] = test_rows
    if code["commit"]:
        tags["mlflow.source.git.commit"] = code["commit"]
        tags["mlflow.source.git.dirty"] = str(code["dirty"]).lower()
    return tags
