"""Writes a training to its run on the tracking server: the model first, the lineage last. A run without a lineage is not finished."""

from __future__ import annotations

import datetime
import getpass
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from samebits import mlflow_flavor
from samebits.config import MLFLOW_NAME
from samebits.dataset import Dataset as Table
from samebits.digests import digest_bytes
from samebits.errors import Problem, TrackingError
from samebits.lineage import assemble_lineage, write_lineage
from samebits.model_file import list_trusted_types
from samebits.tracking import MAX_TAG_LENGTH, OpenRun, explain_failures
from samebits.training import Training

MAX_PARAM_LENGTH = 6000  # MLflow cuts longer ones silently
N_EXAMPLE_ROWS = 5
_BATCH = 100  # parameters in one call, at most
_METRICS_BATCH = 1000
_DATASET_DIGEST_LENGTH = 36  # of MLflow's own dataset input; the whole digest is in the lineage and the tags
_SERVING_PACKAGES = ("mlflow", "scikit-learn", "numpy", "scipy", "pandas", "skops", "joblib", "threadpoolctl")
_MLFLOW_TYPES = {"numeric": "double", "categorical": "string", "text": "string", "boolean": "boolean", "date": "datetime"}


def record_training(run: OpenRun, training: Training, started: datetime.datetime) -> dict[str, Any]:
    """Write a training to its run and return the lineage.

    Raises
    ------
    TrackingError
        The server stopped answering; everything the run made is then kept in a folder that the message names.
    """
    model_files = {"model/model.skops": training.result.model_file}
    lineage = _make_lineage(run, training, model_files, started)
    kept = Path(tempfile.mkdtemp(prefix="samebits-run-"))
    _write_files(kept / "artifacts", training.files)
    _write_files(kept, {**model_files, "lineage.json": write_lineage(lineage)})
    try:
        explain_failures("record the run", lambda: _record(run, training, lineage, kept))
    except TrackingError as error:
        remedy = f"Nothing is lost: what the run made is kept in {kept}."
        raise TrackingError(*error.problems, Problem(f"run {run.run_id}", "a complete record", "a partial one", remedy)) from None
    shutil.rmtree(kept)
    return lineage


def _make_lineage(run: OpenRun, training: Training, model_files: dict[str, bytes], started: datetime.datetime) -> dict[str, Any]:
    files = sorted({**training.files, **model_files}.items())
    artifacts = {name: {"digest": digest_bytes(content), "size_bytes": len(content)} for name, content in files}
    seconds = (datetime.datetime.now(datetime.UTC) - started).total_seconds()
    facts = {
        "run_id": run.run_id,
        "experiment_id": run.experiment_id,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "user": getpass.getuser(),
    }
    return assemble_lineage(training.stages, artifacts, facts)


def _write_files(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _record(run: OpenRun, training: Training, lineage: dict[str, Any], kept: Path) -> None:
    client = run.client
    _log_model(run, training)  # before the metrics: over HTTP, MLflow asks for each metric that the run already has
    params = [Param(name, value) for name, value in sorted(_list_params(training).items())]
    for start in range(0, len(params), _BATCH):
        client.log_batch(run.run_id, params=params[start : start + _BATCH])
    client.log_inputs(run.run_id, [DatasetInput(_describe_dataset(training), [InputTag("mlflow.data.context", "training")])])
    metrics = _list_metrics(training)
    for start in range(0, len(metrics), _METRICS_BATCH):
        client.log_batch(run.run_id, metrics=metrics[start : start + _METRICS_BATCH])
    tags = [RunTag(name, value[:MAX_TAG_LENGTH]) for name, value in _list_tags(training, lineage).items()]
    client.log_batch(run.run_id, tags=tags)
    client.log_artifacts(run.run_id, str(kept / "artifacts"))
    client.log_artifact(run.run_id, str(kept / "lineage.json"))


def _list_params(training: Training) -> dict[str, str]:
    params = {name: _as_text(value) for name, value in flatten_config(training.loaded.resolved).items()}
    params["data_hash"] = training.materials.dataset.digest
    params["git_commit"] = training.code.commit or "none"
    return {name: value[:MAX_PARAM_LENGTH] for name, value in params.items()}


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


def _describe_dataset(training: Training) -> Dataset:
    dataset = training.materials.dataset
    columns = [{"type": _MLFLOW_TYPES[kind], "name": name, "required": True} for name, kind in dataset.kinds.items()]
    return Dataset(
        name=dataset.path.stem[:500],
        digest=dataset.digest[:_DATASET_DIGEST_LENGTH],
        source_type="local",
        source=json.dumps({"uri": str(dataset.path)}),
        schema=json.dumps({"mlflow_colspec": columns}) if len(columns) < 500 else None,  # the server takes 65,535 characters
        profile=json.dumps({"num_rows": len(dataset.frame), "num_elements": int(dataset.frame.size)}),
    )


def _list_metrics(training: Training) -> list[Metric]:
    result = training.result
    values = {f"test_{name}": value for name, value in result.metrics.items()}
    values["cv_score"] = result.best.mean
    values.update({f"cv_score_{candidate.name}": candidate.mean for candidate in result.scored})
    if result.threshold:
        values["threshold"] = result.threshold.value
        values["threshold_cv_precision"] = result.threshold.precision
        values["threshold_cv_recall"] = result.threshold.recall
    now = int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
    by_fold = [
        Metric(f"fold_score_{candidate.name}", score, now, fold)
        for candidate in result.scored
        for fold, score in enumerate(candidate.scores)
    ]
    return [Metric(name, value, now, 0) for name, value in values.items()] + by_fold


def _list_tags(training: Training, lineage: dict[str, Any]) -> dict[str, str]:
    code, config = training.code, training.loaded.config
    tags = {
        "data_hash": training.materials.dataset.digest,
        "git_commit": code.commit or "none",
        "git_dirty": str(code.is_dirty).lower(),
        "model_digest": training.result.model_digest,
        "inputs_digest": lineage["inputs_digest"],
        "outputs_digest": lineage["outputs_digest"],
        "config_version": config.version,
        "numeric_profile": config.numeric_profile,
        "seed": str(config.seed),
        "best_model": training.result.best.name,
        "task": training.materials.target.task,
        "mlflow.note.content": describe_run(training),
    }
    if code.commit:
        tags["mlflow.source.git.commit"] = code.commit
        tags["mlflow.source.git.dirty"] = str(code.is_dirty).lower()
    if code.branch:
        tags["mlflow.source.git.branch"] = code.branch
    if code.remote:
        tags["mlflow.source.git.repoURL"] = code.remote
    if code.patch:
        tags["mlflow.source.git.diff"] = code.patch.decode("utf-8", "replace")
    return tags


def describe_run(training: Training) -> str:
    """Return the run's description, Markdown; its first two lines say what came out, since the page folds the rest."""
    best = training.result.best
    scores = ", ".join(f"{candidate.name} {candidate.mean:.4f}" for candidate in training.result.scored)
    shown = list(training.result.metrics.items())[:4]
    dirty = f", uncommitted files: {len(training.code.changes)}" if training.code.is_dirty else ""
    lines = [
        f"**{best.name}** is best of {len(training.result.scored)} by cross-validated {training.materials.scoring}: {best.mean:.4f}",
        "Test: " + ", ".join(f"{name} {value:.4f}" for name, value in shown),
        "",
        f"All candidates: {scores}",
        f"- data `{training.materials.dataset.digest}`",
        f"- model `{training.result.model_digest}`",
        f"- commit `{training.code.commit or 'none'}`{dirty}",
    ]
    if training.result.threshold:
        threshold = training.result.threshold
        reached = "" if threshold.precision >= threshold.target_precision else " (the target was not reached)"
        lines.append(
            f"- threshold {threshold.value:.6g}: precision {threshold.precision:.4f}, recall {threshold.recall:.4f} "
            f"on training folds, for a target precision of {threshold.target_precision}{reached}"
        )
    return "\n".join(lines)


def _log_model(run: OpenRun, training: Training) -> None:
    labels = training.materials.target.labels
    output = "double" if labels is None else {"b": "boolean", "i": "long", "f": "double"}.get(labels.dtype.kind, "string")
    Model.log(
        artifact_path=None,
        flavor=mlflow_flavor,
        name="model",
        run_id=run.run_id,
        model_file=training.result.model_file,
        trusted_types=list_trusted_types(training.result.model_file, training.loaded.config.allow),
        signature=ModelSignature(
            inputs=Schema([ColSpec(_choose_type(training.materials.dataset, name), name) for name in training.materials.features]),
            outputs=Schema([ColSpec(output)]),
        ),
        input_example=_take_example(training),
        pip_requirements=_pin_requirements(training),
        validate_serving_input=False,
        tags={"model_digest": training.result.model_digest, "data_hash": training.materials.dataset.digest},
    )


def _take_example(training: Training) -> pd.DataFrame:
    X, _ = training.materials.take(training.materials.split.train_rows[:N_EXAMPLE_ROWS])
    integers = {name: np.int64 for name in training.materials.dataset.integers if name in X.columns}
    return X.reset_index(drop=True).astype(integers)


def _choose_type(dataset: Table, name: str) -> str | AnyType:
    """MLflow's type of a column as the table has it, so that the table itself is an input that MLflow's loader takes."""
    if dataset.kinds[name] == "boolean" and dataset.frame[name].isna().any():
        return AnyType()  # MLflow's boolean has no missing value
    return "long" if name in dataset.integers else _MLFLOW_TYPES[dataset.kinds[name]]


def _pin_requirements(training: Training) -> list[str]:
    versions = training.environment.packages
    return [f"{name}=={versions[name]}" for name in _SERVING_PACKAGES if name in versions]
