"""The tracking server: opens the run that is recorded, writes what training made, the lineage last, and says how it ended.

Where a run goes is decided outside: by `mlflow run` (MLFLOW_RUN_ID), by MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME, and only then
by the config's name and the project's own folder. A run without a lineage is not a finished run.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import getpass
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from samebits.errors import Interrupted, Problem, SamebitsError, TrackingError

if TYPE_CHECKING:
    from samebits.training import Training

_MAX_PARAM = 6000  # MLflow cuts longer values silently
_MAX_TAG = 8000
_BATCH = 100  # parameters and tags in one call
_DATASET_DIGEST_LENGTH = 36
# Unanswered, MLflow's own settings wait four minutes a call, and twenty where a server hangs.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_UV_AUTO_DETECT": "false"}


def prepare_tracking(project_root: Path) -> str:
    """Settle where runs go, as an absolute URI in MLFLOW_TRACKING_URI, and return it; mlflow must not be imported yet.

    Raises
    ------
    TrackingError
        `mlflow run` passed a relative SQLite path from another folder: the same text would name two databases.
    """
    for name, value in {**_PATIENCE, **_QUIET}.items():
        os.environ.setdefault(name, value)
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root / 'mlflow.db'}"
    relative = re.fullmatch(r"sqlite:///(?!/)([^?]+)", uri)
    if relative:
        uri = f"sqlite:///{_find_database(relative[1])}"
    elif "://" not in uri and not uri.startswith("databricks"):
        uri = str(Path(uri).absolute())
    os.environ["MLFLOW_TRACKING_URI"] = uri
    return uri


def _find_database(path: str) -> Path:
    """Return a relative database path as an absolute one.

    `mlflow run` hands its own relative URI to a program that it starts in the project's folder, where the same text names another
    file; the folder that was meant is the one in which a process above this one stands.
    """
    here = Path.cwd()
    if not os.environ.get("MLFLOW_RUN_ID") or (here / path).exists():
        return here / path
    for folder in _list_callers_folders():
        if (folder / path).exists():
            return folder / path
    remedy = f"Give the absolute path, sqlite:////…: this program runs in {here}."
    raise TrackingError(Problem("MLFLOW_TRACKING_URI", "a database that exists", f"sqlite:///{path}", remedy))


def _list_callers_folders() -> Iterator[Path]:
    """Yield the current folder of each process above this one; nothing where the system does not tell."""
    process_id = os.getppid()
    with contextlib.suppress(OSError, ValueError, IndexError):
        while process_id > 1:
            yield Path(f"/proc/{process_id}/cwd").readlink()
            status = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8")
            process_id = int(status.rpartition(")")[2].split()[1])


@contextlib.contextmanager
def _lock_database(uri: str) -> Iterator[None]:
    """Hold a lock that is one per database on this machine: processes that create its tables at once break it for good."""
    if "://" not in uri or uri.startswith(("http://", "https://")):
        yield
        return
    name = hashlib.sha256(uri.encode("utf-8")).hexdigest()[:16]
    with Path(tempfile.gettempdir(), f"samebits-{os.getuid()}-{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class OpenRun:
    """A run that stands as RUNNING on the server until this closes it, as FINISHED, FAILED or KILLED.

    Parameters
    ----------
    run_id
        Its id on the server.
    is_adopted
        Whether `mlflow run` created it, and logged conf_file.
    """

    def __init__(self, client: Any, run_id: str, experiment_id: str, is_adopted: bool) -> None:
        self.client = client
        self.run_id = run_id
        self.experiment_id = experiment_id
        self.is_adopted = is_adopted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            _explain_failures("close the run", lambda: self.client.set_terminated(self.run_id, "FINISHED"))
            return
        status = "KILLED" if isinstance(error, Interrupted | KeyboardInterrupt) else "FAILED"
        reason = str(error) or "stopped from the keyboard"
        if not isinstance(error, SamebitsError | Interrupted | KeyboardInterrupt):
            reason = f"{type(error).__name__}: {reason}"
        # The error that ends the run is the one to report: where the server is gone too, nothing can be added to it.
        with contextlib.suppress(Exception):
            self.client.set_tag(self.run_id, "mlflow.note.content", f"**{status}.** {reason}"[:_MAX_TAG])
            if not isinstance(error, SamebitsError | Interrupted | KeyboardInterrupt):
                text = "".join(traceback.format_exception(kind, error, trace))
                self.client.log_text(self.run_id, text, "failure.txt")
            else:
                self.client.log_text(self.run_id, reason + "\n", "failure.txt")
            self.client.set_terminated(self.run_id, status)


def open_run(experiment_name: str, conf_file: str, uri: str, git_commit: str | None) -> OpenRun:
    """Adopt the run that `mlflow run` created, or create one in the experiment that the environment or the config names.

    Raises
    ------
    TrackingError
        The server cannot be reached, or has no such run or experiment.
    """
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)  # warns that uv's environments have no pip
    import mlflow

    run_id = os.environ.get("MLFLOW_RUN_ID")
    with _lock_database(uri):
        client = _explain_failures("open the tracking store", mlflow.MlflowClient)
        if run_id:
            found = _explain_failures(f"find run {run_id} (MLFLOW_RUN_ID)", lambda: client.get_run(run_id))
            return OpenRun(client, run_id, found.info.experiment_id, is_adopted=True)
        experiment_id = _explain_failures("find or create the experiment", lambda: _find_experiment(client, experiment_name))
    tags = {
        "mlflow.user": getpass.getuser(),
        "mlflow.source.name": conf_file,
        "mlflow.source.type": "LOCAL",
        **({"mlflow.source.git.commit": git_commit} if git_commit else {}),
    }
    name = os.environ.get("MLFLOW_RUN_NAME")
    made = _explain_failures("create a run", lambda: client.create_run(experiment_id, tags=tags, run_name=name))
    run = OpenRun(client, made.info.run_id, experiment_id, is_adopted=False)
    _explain_failures("log a parameter", lambda: client.log_param(run.run_id, "conf_file", conf_file))
    return run


def _find_experiment(client: Any, name: str) -> str:
    if experiment_id := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return str(client.get_experiment(experiment_id).experiment_id)
    wanted = os.environ.get("MLFLOW_EXPERIMENT_NAME") or name
    found = client.get_experiment_by_name(wanted)
    if found is not None and found.lifecycle_stage == "deleted":
        remedy = "Restore it with `mlflow experiments restore`, or rename the config's name."
        raise TrackingError(Problem(f"experiment {wanted!r}", "an active experiment", "a deleted one", remedy))
    return str(found.experiment_id if found is not None else client.create_experiment(wanted))


def _explain_failures(action: str, call: Any) -> Any:
    """Call, and turn what MLflow, the database or the network raises into one sentence."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return call()
    except (MlflowException, RequestException, SQLAlchemyError, OSError, ImportError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        uri = re.sub(r"(?<=://)[^/@]*@", "", os.environ.get("MLFLOW_TRACKING_URI", ""))
        found = f"{type(error).__name__}: {lines[0][:500]}"
        raise TrackingError(Problem(uri, f"a tracking store that can {action}", found, "Check the URI and the server.")) from None


def record_training(run: OpenRun, training: Training, started: datetime.datetime, flat_config: dict[str, Any]) -> dict[str, Any]:
    """Write a training to the run: the model first, the lineage last. Return the lineage.

    Raises
    ------
    TrackingError
        The server stopped answering; everything the run made is then kept in a folder that the message names.
    """
    from samebits.lineage import assemble_lineage, write_lineage

    folder = Path(tempfile.mkdtemp(prefix="samebits-run-"))
    model_files = _list_model_files(training)
    artifacts = {name: _describe_file(content) for name, content in sorted({**training.files, **model_files}.items())}
    finished = datetime.datetime.now(datetime.UTC)
    lineage = assemble_lineage(
        training.stages,
        artifacts,
        {
            "run_id": run.run_id,
            "experiment_id": run.experiment_id,
            "started": started.isoformat(timespec="seconds"),
            "seconds": round((finished - started).total_seconds(), 3),
            "user": getpass.getuser(),
        },
    )
    for name, content in {**training.files, **model_files, "lineage.json": write_lineage(lineage)}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    try:
        _explain_failures("record the run", lambda: _record(run, training, lineage, flat_config, folder))
    except TrackingError as error:
        remedy = f"Nothing is lost: what the run made is kept in {folder}."
        raise TrackingError(*error.problems, Problem(f"run {run.run_id}", "a complete record", "a partial one", remedy)) from None
    shutil.rmtree(folder)
    return lineage


def _list_model_files(training: Training) -> dict[str, bytes]:
    return {"model/model.skops": training.model_file}


def _describe_file(content: bytes) -> dict[str, Any]:
    from samebits.digests import digest_bytes

    return {"digest": digest_bytes(content), "size_bytes": len(content)}


def _record(run: OpenRun, training: Training, lineage: dict[str, Any], flat_config: dict[str, Any], folder: Path) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    client, now = run.client, int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
    _log_model(run, training)  # before the metrics: over HTTP, MLflow asks for each metric that the run already has
    params = {**flat_config, "data_hash": training.dataset.digest, "git_commit": training.code.commit or "none"}
    entries = [Param(name, _as_text(value)[:_MAX_PARAM]) for name, value in sorted(params.items())]
    for start in range(0, len(entries), _BATCH):
        client.log_batch(run.run_id, params=entries[start : start + _BATCH])
    source = json.dumps({"uri": str(training.dataset.path)})
    columns = [{"type": _MLFLOW_TYPES[kind], "name": name, "required": True} for name, kind in training.dataset.kinds.items()]
    dataset = Dataset(
        name=training.dataset.path.stem[:500],
        digest=training.dataset.digest[:_DATASET_DIGEST_LENGTH],
        source_type="local",
        source=source,
        schema=json.dumps({"mlflow_colspec": columns}) if len(columns) < 500 else None,
        profile=json.dumps({"num_rows": len(training.dataset.frame), "num_elements": int(training.dataset.frame.size)}),
    )
    client.log_inputs(run.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    metrics = [Metric(name, value, now, 0) for name, value in _list_metrics(training).items()]
    for candidate in training.scored:
        metrics += [Metric(f"fold_score_{candidate.name}", score, now, fold) for fold, score in enumerate(candidate.scores)]
    tags = [RunTag(name, value[:_MAX_TAG]) for name, value in _list_tags(training, lineage).items()]
    client.log_batch(run.run_id, metrics=metrics[:1000], tags=tags)
    (folder / "model" / "model.skops").unlink()
    (folder / "model").rmdir()
    lineage_path = folder / "lineage.json"
    content = lineage_path.read_bytes()
    lineage_path.unlink()
    client.log_artifacts(run.run_id, str(folder))
    lineage_path.write_bytes(content)
    client.log_artifact(run.run_id, str(lineage_path))


_MLFLOW_TYPES = {"numeric": "double", "categorical": "string", "text": "string", "boolean": "boolean", "date": "datetime"}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _list_metrics(training: Training) -> dict[str, float]:
    found = {f"test_{name}": value for name, value in training.metrics.items()}
    found["cv_score"] = training.best.mean
    for candidate in training.scored:
        found[f"cv_score_{candidate.name}"] = candidate.mean
    if training.threshold:
        found["threshold"] = training.threshold.value
        found["threshold_cv_precision"] = training.threshold.precision
        found["threshold_cv_recall"] = training.threshold.recall
    return found


def _list_tags(training: Training, lineage: dict[str, Any]) -> dict[str, str]:
    code = training.code
    tags = {
        "data_hash": training.dataset.digest,
        "git_commit": code.commit or "none",
        "git_dirty": str(code.is_dirty).lower(),
        "model_digest": training.stages["model"]["digest"],
        "inputs_digest": lineage["inputs_digest"],
        "outputs_digest": lineage["outputs_digest"],
        "config_version": training.stages["config"]["version"],
        "numeric_profile": training.stages["numeric_profile"]["name"],
        "seed": str(training.stages["seeds"]["root"]),
        "best_model": training.best.name,
        "task": training.target.task,
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
    best = training.best
    scores = ", ".join(f"{candidate.name} {candidate.mean:.4f}" for candidate in training.scored)
    shown = list(training.metrics.items())[:4]
    dirty = f", with {len(training.code.changes)} uncommitted files" if training.code.is_dirty else ""
    lines = [
        f"**{best.name}** is best of {len(training.scored)} by cross-validated {training.scoring}: {best.mean:.4f}",
        "Test: " + ", ".join(f"{name} {value:.4f}" for name, value in shown),
        "",
        f"All candidates: {scores}",
        f"- data `{training.dataset.digest}`",
        f"- model `{training.stages['model']['digest']}`",
        f"- commit `{training.code.commit or 'none'}`{dirty}",
    ]
    if training.threshold:
        threshold = training.threshold
        reached = "" if threshold.precision >= threshold.target_precision else " (the target was not reached)"
        lines.append(
            f"- threshold {threshold.value:.6g}: precision {threshold.precision:.4f}, recall {threshold.recall:.4f} "
            f"on training folds, for a target precision of {threshold.target_precision}{reached}"
        )
    return "\n".join(lines)


def _log_model(run: OpenRun, training: Training) -> None:
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema

    from samebits import mlflow_flavor
    from samebits.model_file import list_trusted_types

    kinds = training.dataset.kinds
    labels = training.target.labels
    output = "double" if labels is None else {"b": "boolean", "i": "long", "f": "double"}.get(labels.dtype.kind, "string")
    Model.log(
        artifact_path=None,
        flavor=mlflow_flavor,
        name="model",
        run_id=run.run_id,
        model_file=training.model_file,
        trusted_types=list_trusted_types(training.model_file, training.stages["config"]["resolved"]["allow"]),
        signature=ModelSignature(
            inputs=Schema([ColSpec(_MLFLOW_TYPES[kinds[name]], name) for name in training.features]),
            outputs=Schema([ColSpec(output)]),
        ),
        input_example=training.example,
        pip_requirements=_pin_requirements(training),
        validate_serving_input=False,
        tags={"model_digest": training.stages["model"]["digest"], "data_hash": training.dataset.digest},
    )


_SERVING_PACKAGES = ("mlflow", "scikit-learn", "numpy", "scipy", "pandas", "skops", "joblib", "threadpoolctl")


def _pin_requirements(training: Training) -> list[str]:
    versions = training.environment.packages
    return [f"{name}=={versions[name]}" for name in _SERVING_PACKAGES if name in versions]
