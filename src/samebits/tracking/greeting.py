"""The first question to a server, before any that matters: who answers at the address, and does it know what a run needs.

A server that gives no answer within two seconds is no mistake of the caller's, but it is said at once.
"""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

import requests

from samebits.errors import Problem, TrackingError
from samebits.text import hide_credentials, warn
from samebits.tracking.address import is_http
from samebits.tracking.drivers import find_missing_driver
from samebits.tracking.patience import Patience, ServerGone, name_cause

_ANSWER_SECONDS = 2.0
_OLDEST_MAJOR = 3
_CERTIFICATES = "MLFLOW_TRACKING_SERVER_CERT_PATH"


def check_server(uri: str) -> None:
    """Make sure that the address is that of an MLflow server which knows logged models.

    Raises
    ------
    ServerGone
        Nobody answers.
    TrackingError
        Something else answers there, an MLflow of before 3, or somebody who does not let this user in; or its driver is missing.
    """
    if missing := find_missing_driver(uri):
        raise TrackingError(missing)
    if not is_http(uri):
        return
    _check_certificate()
    answer = _ask_version(uri)
    where, said = hide_credentials(uri), answer.text.strip()
    if answer.status_code == 403 and "host header" in said.lower():
        remedy = "Give the server's --allowed-hosts this name too, with its port, or use one that it lists."
        raise TrackingError(Problem(where, "a server that answers to this name", said[:80], remedy))
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


def looks_alive(uri: str) -> bool:
    """Tell whether a server says its version, for which it needs neither its database nor its store."""
    try:
        answer = _ask_version(uri)
    except TrackingError:
        return False
    return bool(answer.status_code == 200 and re.fullmatch(r"\d+\.\d+\.\d+\S*", answer.text.strip()))


def _check_certificate() -> None:
    """Whose certificates count is the caller's to say: what he names must be there, and that none is asked for is said."""
    named = os.environ.get(_CERTIFICATES)
    if named and not Path(named).exists():
        raise TrackingError(
            Problem(_CERTIFICATES, "a file of certificates", f"no {named}", "Name the server's own, or its authority's.")
        )
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")  # else one for each request
        warn("the server's certificate is not checked (MLFLOW_TRACKING_INSECURE_TLS): whoever stands between may read and change all")


def _ask_version(uri: str) -> Any:
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    def ask() -> Any:
        return http_request(
            get_default_host_creds(uri), "/version", "GET", max_retries=0, timeout=_ANSWER_SECONDS, raise_on_status=False
        )

    try:
        return Patience(_ANSWER_SECONDS).ask(ask)  # in all, also where one byte comes after the other
    except ServerGone:
        raise ServerGone(Problem(hide_credentials(uri), "a tracking server that answers", "no answer for 2 s", "Check it.")) from None
    except Exception as error:
        cause = error.__cause__ or error.__context__ or error
        if isinstance(cause, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
            raise TrackingError(Problem(hide_credentials(uri), "an address", str(cause), "Check MLFLOW_TRACKING_URI.")) from None
        found = name_cause(cause)
        remedy = f"Name the file that it goes by in {_CERTIFICATES}." if "certificate verify failed" in found else "Check it."
        raise ServerGone(Problem(hide_credentials(uri), "a tracking server that answers", found, remedy)) from None
