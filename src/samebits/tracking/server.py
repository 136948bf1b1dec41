"""The tracking server: where runs go, the client that asks it, and how its failures are said. What is sent to it is `delivery`.

Where a run goes is decided outside: by `mlflow run` (MLFLOW_RUN_ID), by MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME, and only then
by the config's name and the project's own folder.
"""

from __future__ import annotations

import contextlib
import getpass
import logging
import math
import os
import random
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from samebits.errors import Problem, SamebitsError, TrackingError
from samebits.project import PACKAGE
from samebits.text import clean_text, hide_credentials
from samebits.tracking.address import find_database, is_http, is_remote, settle_address
from samebits.tracking.database_lock import lock_database
from samebits.tracking.greeting import check_server, looks_alive
from samebits.tracking.patience import PATIENCE, SILENCE_SECONDS, ServerGone, bound_answers, is_silence, name_cause, watch_transfers
from samebits.tracking.quick_reading import QuickReader

MAX_TAG_LENGTH = 8000  # MLflow cuts longer ones silently
# Unanswered, MLflow's own settings wait four minutes a call, and twenty where a server hangs. These outlast a server that starts
# again, and `patience` ends what takes longer.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30", "PGCONNECT_TIMEOUT": "10"}
# GitPython otherwise fails as it is imported, where Git is not installed; `code` says it in words when Git is needed.
_BUSY = re.compile(r"QueuePool limit of size|database is locked")  # of a server that many ask at once
_BUSY_SECONDS = (1.0, 3.0, 9.0)
_PAUSES_SECONDS = (0.2, 1.0)  # before a refused action is tried again
_QUIET = {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # MLflow draws one where tqdm is installed, which an extra may bring
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # what stands there is for programs to read; `train` says it on stderr
}
# Of what is said in words here or says nothing: tables being made, the traceback of what is raised, no pip, each try.
_LOUDNESS = {
    "alembic": logging.WARNING,
    "mlflow.store.db.utils": logging.CRITICAL,
    "mlflow.utils.environment": logging.ERROR,
    "urllib3": logging.ERROR,
}
T = TypeVar("T")


def prepare_tracking(project_root: Path) -> str:
    """Settle where runs go, as an absolute URI in MLFLOW_TRACKING_URI, and return it; mlflow must not be imported yet.

    Raises
    ------
    TrackingError
        `mlflow run` passed a relative SQLite path from another folder: the same text would name two databases.
    """
    for name, value in {**_PATIENCE, **_QUIET}.items():
        os.environ.setdefault(name, value)
    uri = settle_address(os.environ.get("MLFLOW_TRACKING_URI"), project_root)
    os.environ["MLFLOW_TRACKING_URI"] = uri
    PATIENCE.limit_seconds = SILENCE_SECONDS if is_remote(uri) else math.inf
    PATIENCE.looks_alive = partial(looks_alive, uri) if is_http(uri) else lambda: False
    watch_transfers()
    bound_answers()
    for name, level in _LOUDNESS.items():
        logging.getLogger(name).setLevel(level)
    return uri


def make_client(uri: str) -> Any:
    """Return MLflow's client of a server or store; its tables are made where it has none.

    Raises
    ------
    TrackingError
        The server cannot be reached.
    """
    import mlflow

    with lock_database(uri), contextlib.chdir(_choose_store_folder(uri)):
        return explain_failures("open the tracking store", lambda: mlflow.MlflowClient(tracking_uri=uri))


def _choose_store_folder(uri: str) -> Path:
    """MLflow puts the artifacts of a database's new experiments into the current folder: let that be the database's own."""
    database = find_database(uri)
    folder = database.parent if database else Path.cwd()
    return folder if folder.is_dir() else Path.cwd()


def connect(project_root: Path) -> Any:
    """Return MLflow's client of the server where runs go; mlflow must not be imported yet.

    Raises
    ------
    TrackingError
        The server cannot be reached, or is none for runs.
    """
    uri = prepare_tracking(project_root)
    os.chdir(project_root)
    check_server(uri)
    return make_client(uri)


def connect_to_read(project_root: Path) -> Any:
    """Return what `connect` does, for who asks for experiments, runs, metrics and models alone: of an SQLite database, without MLflow.

    Raises
    ------
    TrackingError
        As of `connect`.
    """
    uri = prepare_tracking(project_root)
    database = find_database(uri)
    if database is None or not database.is_file():
        return connect(project_root)
    os.chdir(project_root)
    return QuickReader(uri, database, partial(make_client, uri))


def find_experiment(client: Any, name: str, experiment_id: str | None) -> str:
    """Return the id of an experiment: the one that is named by its id, or else by its name, which is made where there is none.

    Raises
    ------
    TrackingError
        There is no such experiment, or it was deleted; or the server says that it has one, and not which.
    """
    found_id = client.get_experiment(experiment_id).experiment_id if experiment_id else _find_by_name(client, name)
    return take_id(client, "an experiment", found_id)


def take_id(client: Any, of_what: str, given: Any) -> str:
    """Return the id that a server gave to what it made.

    Raises
    ------
    TrackingError
        It gave none: whoever answered was no MLflow server.
    """
    if not given:
        remedy = "Check what stands between here and the server: a proxy, a login page."
        raise TrackingError(Problem(hide_credentials(client.tracking_uri), f"{of_what} with an id", "an answer without one", remedy))
    return str(given)


def _find_by_name(client: Any, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage == "deleted":
        remedy = "Restore it with `mlflow experiments restore`, or rename the config's name."
        raise TrackingError(Problem(f"experiment {name!r}", "an active experiment", "a deleted one", remedy))
    return str(found.experiment_id if found is not None else _create_experiment(client, name))


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
    """Call, within what patience is left, and turn what MLflow, a driver, the database or the network raises into one sentence.

    Raises
    ------
    ServerGone
        The server gave no answer.
    TrackingError
        The action failed for another reason outside this program.
    """
    for pause_seconds in (*_BUSY_SECONDS, None):
        try:
            answer = PATIENCE.ask(call)
        except SamebitsError:
            raise
        except Exception as error:  # each store has a driver with errors of its own, and a server that lies brings forth any
            if _is_own_mistake(error):
                raise
            if pause_seconds is None or PATIENCE.is_hurried or _BUSY.search(str(error)) is None:
                raise _explain(action, error) from None
            PATIENCE.note_sign_of_life()
            time.sleep(pause_seconds * random.SystemRandom().uniform(0.5, 1.5))  # others wait for the same
        else:
            break
    PATIENCE.note_sign_of_life()
    return answer


def insist(action: str, call: Callable[[], Any]) -> None:
    """Call as `explain_failures` does, and again after a pause: of two that make one row at the same moment, MLflow refuses one.

    Raises
    ------
    ServerGone
        The server gave no answer; it is not asked again.
    TrackingError
        The action failed each time.
    """
    for pause_seconds in (*_PAUSES_SECONDS, None):
        try:
            explain_failures(action, call)
            return
        except ServerGone:
            raise
        except TrackingError:
            if pause_seconds is None:
                raise
        time.sleep(pause_seconds)


def _is_own_mistake(error: Exception) -> bool:
    """Tell whether an error was raised in this package's own lines."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and Path(trace.tb_frame.f_code.co_filename).is_relative_to(PACKAGE)


def _explain(action: str, error: Exception) -> TrackingError:
    said = clean_text(str(error).partition("\n")[0]) or type(error).__name__
    uri = hide_credentials(os.environ.get("MLFLOW_TRACKING_URI", ""))
    is_silent = is_silence(error)
    found = name_cause(error) if is_silent else f"{type(error).__name__}: {said[:500]}"
    problem = Problem(uri, f"a tracking store that can {action}", found, "Check the URI and the server.")
    if is_silent:
        PATIENCE.is_gone = not math.isinf(PATIENCE.limit_seconds)
        return ServerGone(problem)
    PATIENCE.note_sign_of_life()
    return TrackingError(problem)
