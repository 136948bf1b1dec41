"""What must be so before hours are trained: the server takes runs, its store takes, gives and deletes, this process may write.

Everything here takes well under two seconds where all is well. A server that gives no answer is no mistake: the run is then made
without it.
"""

from __future__ import annotations

import re
import resource
from pathlib import Path
from typing import Any

import requests

from samebits.errors import Problem, TrackingError
from samebits.text import hide_credentials
from samebits.tracking.address import is_http
from samebits.tracking.patience import ServerGone
from samebits.tracking.server import explain_failures

_ANSWER_SECONDS = 2.0
_OLDEST_MAJOR = 3
LEAST_FILE_BYTES = 1 << 30  # that a limit on the size of files must allow
_PROBE = "samebits-preflight.txt"
_CONTENT = "Written, read and deleted again before a training, to see that its results can be kept here.\n"


def check_limits() -> None:
    """Make sure that this process may write files as large as a model.

    Raises
    ------
    TrackingError
        A limit of the shell's or the batch system's forbids it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft == resource.RLIM_INFINITY or soft >= LEAST_FILE_BYTES:
        return
    if hard == resource.RLIM_INFINITY or hard >= LEAST_FILE_BYTES:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        return
    expected = f"files of {LEAST_FILE_BYTES >> 20} MiB to be allowed"
    raise TrackingError(Problem("this process", expected, f"a limit of {hard} bytes", "Lift it: ulimit -f unlimited."))


def check_server(uri: str) -> None:
    """Make sure that the address is that of an MLflow server which knows logged models.

    Raises
    ------
    ServerGone
        Nobody answers.
    TrackingError
        Something else answers there, an MLflow of before 3, or somebody who does not let this user in.
    """
    check_limits()
    if not is_http(uri):
        return
    answer = _ask_version(uri)
    where, said = hide_credentials(uri), answer.text.strip()
    if answer.status_code in (401, 403):
        remedy = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
        raise TrackingError(Problem(where, "a server that lets this user in", f"status {answer.status_code}", remedy))
    if answer.status_code == 404:  # a hosted server that tells no version: what follows will show
        return
    if answer.status_code >= 500:
        raise ServerGone(Problem(where, "an MLflow server", f"status {answer.status_code}", "Check the server."))
    version = re.fullmatch(r"(\d+)\.\d+\.\d+\S*", said)
    if version is None:
        found = "a page" if "<" in said[:200] else repr(said[:40])
        raise TrackingError(Problem(where, "an MLflow server", f"{found} in place of its version", "Check the address, and log in."))
    if int(version[1]) < _OLDEST_MAJOR:
        remedy = f"Upgrade the server (mlflow>={_OLDEST_MAJOR}); it has no logged models."
        raise TrackingError(Problem(where, f"an MLflow server of version {_OLDEST_MAJOR} or later", said, remedy))


def _ask_version(uri: str) -> Any:
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        return http_request(
            get_default_host_creds(uri), "/version", "GET", max_retries=0, timeout=_ANSWER_SECONDS, raise_on_status=False
        )
    except Exception as error:
        cause = error.__cause__ or error.__context__ or error
        if isinstance(cause, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
            raise TrackingError(Problem(hide_credentials(uri), "an address", str(cause), "Check MLFLOW_TRACKING_URI.")) from None
        raise ServerGone(Problem(hide_credentials(uri), "a tracking server that answers", _name_cause(cause), "Check it.")) from None


def _name_cause(cause: BaseException) -> str:
    """The innermost reason that a network gives stands last, behind the names of the libraries' own classes."""
    said = str(cause).rpartition("Caused by ")[2]
    return said.rpartition("): ")[2].rstrip("')\"") or type(cause).__name__


def check_store(location: str, tracking_uri: str, scratch: Path) -> None:
    """Make sure that an artifact store takes a small file, gives it back, and deletes it.

    Parameters
    ----------
    scratch
        A folder for the file.

    Raises
    ------
    TrackingError
        It does not, or its driver is not installed.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = explain_failures("open its artifacts", lambda: get_artifact_repository(location, tracking_uri))
    path, back = scratch / _PROBE, scratch / "back"
    path.write_text(_CONTENT, encoding="utf-8")
    back.mkdir(exist_ok=True)
    explain_failures("take artifacts", lambda: repository.log_artifact(str(path)))
    given = explain_failures("give artifacts", lambda: repository.download_artifacts(_PROBE, str(back)))
    if Path(given).read_text(encoding="utf-8", errors="replace") != _CONTENT:
        where = hide_credentials(location)
        raise TrackingError(Problem(where, "an artifact store that gives what it took", "other bytes", "Check what stands before it."))
    explain_failures("delete artifacts", lambda: repository.delete_artifacts(_PROBE))
