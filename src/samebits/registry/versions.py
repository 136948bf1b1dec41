"""Registered models and their versions, on the server: found, made once, described; and who has an alias.

A version is one of a run if it names the run and its files are those of the model that the run recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from mlflow.exceptions import MlflowException

from samebits.errors import LineageError, Problem, TrackingError
from samebits.holdings.artifacts import read_artifact
from samebits.holdings.named_models import check_model_is_the_runs, find_named_model, list_models
from samebits.lineage.manifest import FILE_NAME, MAX_BYTES, read_lineage
from samebits.text import escape_markdown, hide_credentials
from samebits.tracking.address import is_http
from samebits.tracking.server import explain_failures, insist

DECISION_TAG = "decision"


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    name: str
    number: str
    tags: dict[str, str]
    description: str = ""

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"


def find_version(client: Any, name: str, run: Any) -> Version | None:
    """Return the version of a registered model that is a run's; None where there is none.

    Raises
    ------
    TrackingError
        The server cannot be searched.
    """
    return next(iter(_find_versions(client, name, run)), None)


def take_version(client: Any, name: str, run: Any, tags: dict[str, str]) -> Version:
    """Return the version of a registered model that is a run's, made where there is none, the registered model with it.

    Parameters
    ----------
    tags
        Of a version that is made.

    Raises
    ------
    TrackingError
        The server has no model of the run, or does not take a version.
    """
    models = explain_failures("find the run's model", lambda: list_models(client, run))
    if not models:
        raise TrackingError(Problem(f"run {run.info.run_id}", "a run with its model", "none", "Name another run."))
    if found := find_version(client, name, run):
        return found
    explain_failures("take a registered model", lambda: _make_registered_model(client, name))
    asked = {"run_id": run.info.run_id, "model_id": models[0].model_id, "tags": tags}
    insist("take a version", lambda: client.create_model_version(name, f"models:/{models[0].model_id}", **asked))
    made, *others = _find_versions(client, name, run) or [_refuse_loss(client, name)]
    for other in others if is_http(client.tracking_uri) else []:  # an answer was lost, and MLflow asked again
        explain_failures("delete a version", partial(client.delete_model_version, name, other.number))
    return made


def _refuse_loss(client: Any, name: str) -> Version:
    remedy = "Check what stands between here and the server: a proxy, a login page."
    found = f"an answer that it has a version of {name}, and none"
    raise TrackingError(Problem(hide_credentials(client.tracking_uri), "a server that keeps what it took", found, remedy))


def _find_versions(client: Any, name: str, run: Any) -> list[Version]:
    """Return the versions that are a run's, the first first."""
    condition = f"run_id = '{run.info.run_id}'"
    found = explain_failures("find versions", lambda: list(client.search_model_versions(condition)))
    own = [version for version in found if version.name == name and _is_the_runs(client, run, version)]
    return [_describe(version) for version in sorted(own, key=lambda version: int(version.version))]


def _is_the_runs(client: Any, run: Any, version: Any) -> bool:
    reference = f"models:/{version.name}/{version.version}"
    try:
        check_model_is_the_runs(client, run, reference, find_named_model(client, reference))
    except TrackingError:
        return False
    return True


def _describe(version: Any) -> Version:
    return Version(str(version.name), str(version.version), dict(version.tags or {}), str(version.description or ""))


def _make_registered_model(client: Any, name: str) -> None:
    words = (
        "Each version is the model of one run of samebits, which `samebits verify models:/NAME/VERSION` and `reproduce` take. "
        "An alias moves by the rule in the run's config; why it moved, or did not, stands on the version."
    )
    try:
        client.create_registered_model(name, description=words)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def find_holder(client: Any, name: str, alias: str) -> Version | None:
    """Return the version that has an alias; None where none has it."""
    registered = explain_failures(f"find {name}", lambda: client.get_registered_model(name))
    number = dict(registered.aliases or {}).get(alias)
    return None if number is None else _describe(explain_failures("find a version", lambda: client.get_model_version(name, number)))


def move_alias(client: Any, version: Version, alias: str) -> None:
    """Let a version have an alias."""
    insist("move an alias", lambda: client.set_registered_model_alias(version.name, alias, version.number))


def describe_version(client: Any, version: Version, decision: str, details: list[str] | None = None) -> None:
    """Write down on a version why it has an alias, or has it not.

    Parameters
    ----------
    details
        Lines of Markdown below it; None where those that stand there stay.
    """
    below = version.description.splitlines()[1:] if details is None else ["", *details]
    text = "\n".join([escape_markdown(decision), *below])
    set_tag = client.set_model_version_tag
    explain_failures("take a tag", lambda: set_tag(version.name, version.number, DECISION_TAG, decision))
    explain_failures("take words", lambda: client.update_model_version(version.name, version.number, text))


def read_lineage_of(client: Any, version: Version) -> dict[str, Any] | str:
    """Return the lineage of the run that a version is of, or in words why it cannot be had."""
    reference = f"models:/{version.name}/{version.number}"
    try:
        named = find_named_model(client, reference)
        run = explain_failures(f"find run {named.run_id}", lambda: client.get_run(named.run_id))
        check_model_is_the_runs(client, run, reference, named)
        content = read_artifact(client, run, FILE_NAME, MAX_BYTES)
        return "its run has no lineage" if content is None else read_lineage(content, f"run {named.run_id}")
    except LineageError:
        return "its run has no lineage that can be read"
    except TrackingError as error:
        return error.problems[0].found
