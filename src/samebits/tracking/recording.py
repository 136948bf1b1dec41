"""Writes a training to its run on the tracking server: the model first, the lineage last. A run without a lineage is not finished."""

from __future__ import annotations

import datetime
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from samebits.data.dataset import Dataset as Table
from samebits.digests import digest_file
from samebits.errors import Problem, TrackingError
from samebits.estimation.scoring import Threshold
from samebits.lineage.manifest import FILE_NAME, MODEL_FILE, assemble_lineage, write_lineage
from samebits.lineage.tracked_values import list_fold_scores, list_metrics, list_params, list_tags
from samebits.model import mlflow_flavor
from samebits.model.file import list_trusted_types
from samebits.provenance.checkout import bundle_commit
from samebits.table.files import digest_table, list_table_files
from samebits.table.reading import Source
from samebits.tracking.archive import CAP_BYTES, Archive, name_code_entry, name_data_entry
from samebits.tracking.server import MAX_TAG_LENGTH, OpenRun, explain_failures, name_user
from samebits.training.training import Training

N_EXAMPLE_ROWS = 5
_BATCH = 100  # parameters in one call, at most
_METRICS_BATCH = 1000
_DATASET_DIGEST_LENGTH = 36  # of MLflow's own dataset input; the whole digest is in the lineage and the tags
_SERVING_PACKAGES = ("mlflow", "scikit-learn", "numpy", "scipy", "pandas", "skops", "joblib", "threadpoolctl")
_MLFLOW_TYPES = {"numeric": "double", "categorical": "string", "text": "string", "boolean": "boolean", "date": "datetime"}
_ARTIFACTS = "artifacts"  # what goes into the run's own tree, in the folder where all is kept until the server has it


def record_training(run: OpenRun, training: Training, started: datetime.datetime) -> dict[str, Any]:
    """Write a training to its run and return the lineage.

    Raises
    ------
    TrackingError
        The server stopped answering; everything the run made is then kept in a folder that the message names.
    """
    kept = Path(tempfile.mkdtemp(prefix="samebits-run-"))
    _write_files(kept / _ARTIFACTS, training.files)
    _write_files(kept, {MODEL_FILE: training.result.model_file})
    facts = _describe_run(run, started)
    _write_files(kept, {FILE_NAME: write_lineage(_make_lineage(training, kept, facts, {}))})
    try:
        lineage = explain_failures("record the run", lambda: _record(run, training, kept, facts))
    except TrackingError as error:
        remedy = f"Nothing is lost: what the run made is kept in {kept}."
        raise TrackingError(*error.problems, Problem(f"run {run.run_id}", "a complete record", "a partial one", remedy)) from None
    except BaseException:
        shutil.rmtree(kept, ignore_errors=True)
        raise
    shutil.rmtree(kept)
    return lineage


def _describe_run(run: OpenRun, started: datetime.datetime) -> dict[str, Any]:
    seconds = (datetime.datetime.now(datetime.UTC) - started).total_seconds()
    return {
        "run_id": run.run_id,
        "experiment_id": run.experiment_id,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "user": name_user(),
    }


def _make_lineage(training: Training, kept: Path, facts: dict[str, Any], archived: dict[str, Any]) -> dict[str, Any]:
    files = {f"model/{name}": path for name, path in _list_files(kept / "model").items()} | _list_files(kept / _ARTIFACTS)
    artifacts = {name: {"digest": digest_file(path), "size_bytes": path.stat().st_size} for name, path in sorted(files.items())}
    sections = {"request_digest": training.request_digest, "archive": archived, "remarks": training.result.remarks}
    return assemble_lineage(training.stages, artifacts, facts, **sections)


def _list_files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def _write_files(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _record(run: OpenRun, training: Training, kept: Path, facts: dict[str, Any]) -> dict[str, Any]:
    client = run.client
    _log_model(run, training, kept / "model")  # before the metrics: over HTTP, MLflow asks for each metric that the run already has
    lineage = _make_lineage(training, kept, facts, _archive_inputs(run, training, kept))
    content = write_lineage(lineage)
    _write_files(kept, {FILE_NAME: content})
    params = [Param(name, value) for name, value in sorted(list_params(lineage).items())]
    for start in range(0, len(params), _BATCH):
        client.log_batch(run.run_id, params=params[start : start + _BATCH])
    client.log_inputs(run.run_id, [DatasetInput(_describe_dataset(training), [InputTag("mlflow.data.context", "training")])])
    metrics = _make_metrics(lineage)
    for start in range(0, len(metrics), _METRICS_BATCH):
        client.log_batch(run.run_id, metrics=metrics[start : start + _METRICS_BATCH])
    tags = {**list_tags(lineage, content), **_list_further_tags(training)}
    client.log_batch(run.run_id, tags=[RunTag(name, value[:MAX_TAG_LENGTH]) for name, value in tags.items()])
    client.log_artifacts(run.run_id, str(kept / _ARTIFACTS))
    client.log_artifact(run.run_id, str(kept / FILE_NAME))
    return lineage


def _archive_inputs(run: OpenRun, training: Training, kept: Path) -> dict[str, Any]:
    """Keep on the server what nobody but this machine has, and say of the table and the commit what became of them."""
    archive = Archive(run.client.get_experiment(run.experiment_id).artifact_location, run.client.tracking_uri)
    wish = training.loaded.config.data.archive
    kinds = ("data", "test_data")
    tables = {
        kind: _archive_table(archive, source, wish) for kind, source in zip(kinds, training.materials.dataset.sources, strict=False)
    }
    return {**tables, "code": _archive_code(archive, training, kept / "commit.bundle")}


def _archive_table(archive: Archive, source: Source, wish: str) -> str:
    if wish == "never":
        return "never"
    if wish == "auto" and source.size_bytes > CAP_BYTES:
        return "over the cap"
    if digest_table(source.path) != source.digest:
        return "changed meanwhile"  # under this digest's name, other bytes would be taken for it ever after
    archive.put(name_data_entry(source.digest), list_table_files(source.path))
    return "kept"


def _archive_code(archive: Archive, training: Training, path: Path) -> str:
    code = training.code
    if code.commit is None or code.root is None:
        return "no commit"
    if code.is_pushed:
        return "pushed"
    if archive.holds(name_code_entry(code.commit)):
        return "kept"
    bundle_commit(code.root, code.commit, path)
    if path.stat().st_size > CAP_BYTES:
        return "over the cap"
    archive.put(name_code_entry(code.commit), {path.name: path})
    return "kept"


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


def _make_metrics(lineage: dict[str, Any]) -> list[Metric]:
    now = int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
    single = [Metric(name, value, now, 0) for name, value in list_metrics(lineage).items()]
    by_fold = [
        Metric(name, score, now, fold) for name, scores in list_fold_scores(lineage).items() for fold, score in enumerate(scores)
    ]
    return single + by_fold


def _list_further_tags(training: Training) -> dict[str, str]:
    """Return the tags that are no copy of a value in the lineage."""
    code = training.code
    tags = {"task": training.materials.target.task, "mlflow.note.content": describe_run(training)}
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
    rows = "test" if training.result.metrics["test"] else "out_of_fold"
    shown = list(training.result.metrics[rows].items())[:4]
    dirty = f", uncommitted files: {len(training.code.changes)}" if training.code.is_dirty else ""
    lines = [
        f"**{best.name}** is best of {len(training.result.scored)} by cross-validated {training.materials.scoring}: {best.mean:.4f}",
        f"{rows.replace('_', ' ').capitalize()}: " + ", ".join(f"{name} {value:.4f}" for name, value in shown),
        "",
        f"All candidates: {scores}",
        f"- data `{training.materials.dataset.digest}`",
        f"- model `{training.result.model_digest}`",
        f"- commit `{training.code.commit or 'none'}`{dirty}",
    ]
    if training.result.threshold:
        lines.append(_describe_threshold(training.result.threshold))
    lines += [f"- {remark}" for remark in training.result.remarks]
    return "\n".join(lines)


def _describe_threshold(threshold: Threshold) -> str:
    goal = threshold.goal
    if "target_precision" in goal:
        reached = "" if threshold.precision >= goal["target_precision"] else " (the target was not reached)"
        wish = f"for a target precision of {goal['target_precision']}{reached}"
    elif "f_beta" in goal:
        wish = f"where F-beta of beta {goal['f_beta']:g} is highest: {goal['reached']:.4f}"
    elif "costs" in goal:
        wish = f"where the total cost is least: {goal['reached']:g}"
    else:
        wish = "as the config fixes it"
    found = f"precision {threshold.precision:.4f}, recall {threshold.recall:.4f} on training folds"
    return f"- threshold {threshold.value:.6g}: {found}, {wish}"


def _log_model(run: OpenRun, training: Training, kept: Path) -> None:
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
            inputs=Schema([ColSpec(_choose_type(training.materials.dataset, name), name) for name in training.materials.inputs]),
            outputs=Schema([ColSpec(output)]),
        ),
        input_example=_take_example(training),
        pip_requirements=_pin_requirements(training),
        validate_serving_input=False,
        kept=kept,
        own_code=_list_own_code(training.loaded.config.allow),
        tags={"model_digest": training.result.model_digest, "data_hash": training.materials.dataset.digest},
    )


def _list_own_code(allow: list[str]) -> list[Path]:
    """Return the allowed modules and packages that lie in the project: whoever loads the model has no other way to them."""
    found = []
    for name in allow:
        file = getattr(sys.modules.get(name), "__file__", None)
        path = Path(file) if file else None
        if path is not None and "site-packages" not in path.parts and not path.is_relative_to(sys.base_prefix):
            found.append(path.parent if path.name == "__init__.py" else path)
    return found


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
