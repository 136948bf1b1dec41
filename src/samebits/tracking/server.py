"""The tracking server: where a run goes, the run that is open there, and how it ended. What is written to it is `recording`.

Where a run goes is decided outside: by `mlflow run` (MLFLOW_RUN_ID), by MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME, and only then
by the config's name and the project's own folder.
"""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from samebits.errors import Interrupted, Problem, SamebitsError, TrackingError
from samebits.text import hide_credentials
from samebits.tracking.database_lock import lock_database

MAX_TAG_LENGTH = 8000  # MLflow cuts longer ones silently
# Unanswered, MLflow's own settings wait four minutes a call, and twenty where a server hangs.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
T = TypeVar("T")
# GitPython otherwise fails as it is imported, where Git is not installed; `code` says it in words when Git is needed.
_QUIET = {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # what stands there is for programs to read; `train` says it on stderr
}


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


class OpenRun:
    """A run that stands as RUNNING on the server until this closes it, as FINISHED, FAILED or KILLED.

    Parameters
    ----------
    run_id
        Its id on the server.
    """

    def __init__(self, client: Any, run_id: str, experiment_id: str) -> None:
        self.client = client
        self.run_id = run_id
        self.experiment_id = experiment_id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            explain_failures("close the run", lambda: self.client.set_terminated(self.run_id, "FINISHED"))
            return
        status = "KILLED" if isinstance(error, Interrupted | KeyboardInterrupt) else "FAILED"
        is_bug = not isinstance(error, SamebitsError | Interrupted | KeyboardInterrupt)
        reason = f"{type(error).__name__}: {error}" if is_bug else str(error) or "stopped from the keyboard"
        text = "".join(traceback.format_exception(kind, error, trace)) if is_bug else reason + "\n"
        # The error that ends the run is the one to report: where the server is gone too, nothing can be added to it.
        with contextlib.suppress(Exception):
            self.client.set_tag(self.run_id, "mlflow.note.content", f"**{status}.** {reason}"[:MAX_TAG_LENGTH])
            self.client.log_text(self.run_id, text, "failure.txt")
            self.client.set_terminated(self.run_id, status)


def _make_client() -> Any:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(
        logging.CRITICAL
    )  # logs the traceback of what it raises; that is said in words
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)  # warns that uv's environments have no pip
    import mlflow

    with contextlib.chdir(_choose_store_folder()):
        return explain_failures("open the tracking store", mlflow.MlflowClient)


def _choose_store_folder() -> Path:
    """MLflow puts the artifacts of a database's new experiments into the current folder: let that be the database's own."""
    database = re.fullmatch(r"sqlite:///(/[^?]+)(\?.*)?", os.environ.get("MLFLOW_TRACKING_URI", ""))
    folder = Path(database[1]).parent if database else Path.cwd()
    return folder if folder.is_dir() else Path.cwd()


def connect(project_root: Path) -> Any:
    """Return MLflow's client of the server where runs go; mlflow must not be imported yet.

    Raises
    ------
    TrackingError
        The server cannot be reached.
    """
    uri = prepare_tracking(project_root)
    os.chdir(project_root)
    with lock_database(uri):
        return _make_client()


def open_run(experiment_name: str, conf_file: str, uri: str) -> OpenRun:
    """Adopt the run that `mlflow run` created, or create one in the experiment that the environment or the config names.

    Raises
    ------
    TrackingError
        The server cannot be reached, or has no such run or experiment.
    """
    run_id = os.environ.get("MLFLOW_RUN_ID")
    with lock_database(uri):
        client = _make_client()
        if run_id:
            found = explain_failures(f"find run {run_id} (MLFLOW_RUN_ID)", lambda: client.get_run(run_id))
            return _enter(OpenRun(client, run_id, found.info.experiment_id))
        experiment_id = explain_failures("find or create the experiment", lambda: _find_experiment(client, experiment_name))
    tags = {
        "mlflow.user": name_user(),
        "mlflow.source.name": conf_file,
        "mlflow.source.type": "LOCAL",
    }
    run_name = os.environ.get("MLFLOW_RUN_NAME")
    made = explain_failures("create a run", lambda: client.create_run(experiment_id, tags=tags, run_name=run_name))
    run = OpenRun(client, made.info.run_id, experiment_id)
    explain_failures("log a parameter", lambda: client.log_param(run.run_id, "conf_file", conf_file))
    return _enter(run)


def _enter(run: OpenRun) -> OpenRun:
    """MLflow stores a model in the experiment that the environment names, whatever the run's own."""
    os.environ["MLFLOW_EXPERIMENT_ID"] = run.experiment_id
    return run


def _find_experiment(client: Any, name: str) -> str:
    if experiment_id := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return str(client.get_experiment(experiment_id).experiment_id)
    wanted = os.environ.get("MLFLOW_EXPERIMENT_NAME") or name
    found = client.get_experiment_by_name(wanted)
    if found is not None and found.lifecycle_stage == "deleted":
        remedy = "Restore it with `mlflow experiments restore`, or rename the config's name."
        raise TrackingError(Problem(f"experiment {wanted!r}", "an active experiment", "a deleted one", remedy))
    return str(found.experiment_id if found is not None else _create_experiment(client, wanted))


def _create_experiment(client: Any, name: str) -> str:
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(name))
    except MlflowException:
        made = client.get_experiment_by_name(name)  # by another run that started at the same time
        if made is None:
            raise
        return str(made.experiment_id)


def name_user() -> str:
    """Return the name of the user who runs this, or the number of one who has no name, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def set_tags(client: Any, run_id: str, tags: dict[str, str]) -> None:
    """Set tags of a run in one call.

    Raises
    ------
    TrackingError
        The server does not take them.
    """
    from mlflow.entities import RunTag

    entries = [RunTag(name, str(value)[:MAX_TAG_LENGTH]) for name, value in tags.items()]
    explain_failures("take tags", lambda: client.log_batch(run_id, tags=entries))


def explain_failures(action: str, call: Callable[[], T]) -> T:
    """Call, and turn what MLflow, the database or the network raises into one sentence.

    Raises
    ------
    TrackingError
        The action failed for a reason outside this program.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return call()
    except (MlflowException, RequestException, SQLAlchemyError, OSError, ImportError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        uri = hide_credentials(os.environ.get("MLFLOW_TRACKING_URI", ""))
        found = f"{type(error).__name__}: {lines[0][:500]}"
        raise TrackingError(Problem(uri, f"a tracking store that can {action}", found, "Check the URI and the server.")) from None
