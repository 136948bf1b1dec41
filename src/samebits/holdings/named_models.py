"""The run that a model belongs to: a logged model, a version of a registered one, or an alias of such a version.

A version says in words where its files are, and in which words depends on who registered it: the client, the page, a store of another
kind. Its files count, whatever else it says of a run: one whose files lie elsewhere is another model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from samebits.errors import Problem, TrackingError
from samebits.tracking.server import explain_failures

_LOGGED = re.compile(r"models:/(m-[0-9a-f]{32})(?:/.*)?")  # a name may begin so too
_OF_A_RUN = re.compile(r"runs:/([0-9a-f]{32})/(.+)")
_VERSION = re.compile(r"models:/(.+)/(\d+)")
_COPIES = 5  # a version may be a copy of a version


@dataclass(frozen=True)
class NamedModel:
    """A model that a user named.

    Parameters
    ----------
    run_id
        Of the run that it names as its own.
    source
        Where its files are, in the words of whoever registered it.
    """

    run_id: str
    source: str


def find_named_model(client: Any, reference: str) -> NamedModel:
    """Return the model that `models:/…` means.

    Raises
    ------
    TrackingError
        There is none, or no run logged it.
    """
    if logged := _LOGGED.fullmatch(reference):
        found = NamedModel(_find_source_run(client, logged[1]) or "", f"models:/{logged[1]}")
    else:
        found = _read_version(client, reference)
    if not found.run_id:
        raise TrackingError(Problem(reference, "a model that a run logged", "one without a run", "Name the run itself."))
    return found


def _find_version(client: Any, reference: str) -> Any:
    if version := _VERSION.fullmatch(reference):
        return explain_failures(f"find {reference}", lambda: client.get_model_version(version[1], version[2]))
    if alias := re.fullmatch(r"models:/(.+)@([^@/]+)", reference):
        return explain_failures(f"find {reference}", lambda: client.get_model_version_by_alias(alias[1], alias[2]))
    raise TrackingError(Problem(reference, "models:/name/version or models:/name@alias", "another form", "Name it so."))


def _read_version(client: Any, reference: str) -> NamedModel:
    """Follow copies to the version that was registered first."""
    run_id, source = "", reference
    for _ in range(_COPIES):
        found = _find_version(client, source)
        run_id = run_id or str(found.run_id or "")
        source = str(found.source or (f"models:/{found.model_id}" if found.model_id else ""))
        if not _VERSION.fullmatch(source) or _LOGGED.fullmatch(source):
            break
    return NamedModel(run_id or _find_run_of_source(client, source), source)


def _find_run_of_source(client: Any, source: str) -> str:
    """A version may be registered by its files alone."""
    if of_a_run := _OF_A_RUN.fullmatch(source):
        return of_a_run[1]
    logged = _LOGGED.fullmatch(source) or re.search(r"/models/(m-[0-9a-f]+)/artifacts(?:/|$)", source)
    return _find_source_run(client, logged[1]) or "" if logged else ""


def _find_source_run(client: Any, model_id: str) -> str | None:
    found: str | None = explain_failures(f"find model {model_id}", lambda: client.get_logged_model(model_id)).source_run_id
    return found


def list_models(client: Any, run: Any) -> list[Any]:
    """Return the models of a run; it records one, the first: whatever was logged into it later is one too many."""
    outputs = run.outputs.model_outputs if run.outputs else []
    models = [client.get_logged_model(output.model_id) for output in outputs]
    return sorted(models, key=lambda model: model.creation_timestamp)


def check_model_is_the_runs(client: Any, run: Any, reference: str, named: NamedModel) -> None:
    """Refuse a model that names a run and whose files are not those of the model that the run recorded.

    Raises
    ------
    TrackingError
        They are not: the run's record says nothing of it.
    """
    models = explain_failures("find the run's model", lambda: list_models(client, run))
    if models and _is_of(named.source, models, run.info.run_id):
        return
    expected = f"the model that run {run.info.run_id} recorded ({models[0].model_id if models else 'none'})"
    found = f"files from elsewhere ({named.source})" if named.source else "no files"
    raise TrackingError(Problem(reference, expected, found, "Register the run's own model, or name the run itself."))


def _is_of(source: str, models: list[Any], run_id: str) -> bool:
    """Tell whether a source means the first of a run's models."""
    own = models[0]
    if logged := _LOGGED.fullmatch(source):
        return bool(logged[1] == own.model_id)
    if of_a_run := _OF_A_RUN.fullmatch(source):
        named = [model for model in models if model.name == of_a_run[2].partition("/")[0]]
        return of_a_run[1] == run_id and named == [own]  # of two of a name, the later would be taken
    place, given = _normalise(str(own.artifact_location)), _normalise(source)
    return ".." not in given[1].split("/") and given[0] == place[0] and f"{given[1]}/".startswith(f"{place[1]}/")


def _normalise(location: str) -> tuple[str, str]:
    """Return the store and the path of a location, equal for all ways of writing the same one."""
    parts = urlsplit(location)
    if parts.scheme in ("", "file"):
        return "", unquote(parts.path).rstrip("/") if parts.scheme else location.rstrip("/")
    if parts.scheme == "mlflow-artifacts":
        return parts.scheme, parts.path.rstrip("/")
    proxied = re.fullmatch(r"/api/2\.0/mlflow-artifacts/artifacts(/.*)", parts.path)
    if parts.scheme in ("http", "https") and proxied:
        return "mlflow-artifacts", proxied[1].rstrip("/")
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
