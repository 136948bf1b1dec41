"""Sends a parcel: everything in it to its run, the lineage last; then the server lists it all back, and only then is the run finished.

Each step can be taken again: what is there already is found by the parcel's id, or by its name and size, so that a parcel that was
sent in part or twice is one run with one model and each value once.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils import name_utils

from samebits.delivery.artifact_store import ArtifactStore
from samebits.delivery.experiment import describe_experiment
from samebits.delivery.nested import METRICS_BATCH, PARAMS_BATCH, cut, is_kept, send_candidates, take_latest
from samebits.errors import Problem, TrackingError
from samebits.holdings.archive import Archive
from samebits.holdings.looks import ask_looks, describe_looks
from samebits.holdings.runs import PARCEL_TAG
from samebits.lineage.manifest import FILE_NAME
from samebits.lineage.standing import NOTE_TAG
from samebits.parcels.checking import check_parcel
from samebits.parcels.packing import ARCHIVE, ARTIFACTS, MODEL, list_files
from samebits.parcels.parcel import Parcel
from samebits.text import hide_credentials, shorten_list, warn
from samebits.tracking.address import is_http
from samebits.tracking.patience import ServerGone
from samebits.tracking.server import MAX_TAG_LENGTH, explain_failures, find_experiment, insist, name_user, take_id

MODEL_NAME = "model"  # where a parcel of before names none
RUN_NAME_TAG = "mlflow.runName"
_LATER_TAGS = ("level", NOTE_TAG)  # which a proof of a finished run writes anew
_PREDICATES, _NOUNS = (frozenset(getattr(name_utils, f"_GENERATOR_{words}", ())) for words in ("PREDICATES", "NOUNS"))
_ROUNDS = 2  # the second for what a gateway answered in the server's place, as for files


def send_parcel(client: Any, parcel: Parcel) -> str:
    """Deliver a parcel and return the id of its run on the server, which is finished and complete afterwards.

    Raises
    ------
    TrackingError
        The parcel is not what its run left, or the server did not take all of it; the parcel stays as it is.
    """
    values = parcel.read_values()
    check_parcel(parcel, values)
    was_known = parcel.note.get("server_run_id") is not None
    found = find_run(client, parcel)
    _refuse_other_record(found, values)
    is_anew = parcel.note.get("is_sent") is True or (not was_known and (found is not None or parcel.note.get("is_asked") is True))
    run = found or create_run(client, parcel, values["started"])
    run_id = str(run.info.run_id)
    parcel.write_note(is_sent=True)
    values = _keep_given_name(parcel, run, _keep_later_words(run, _add_looks(client, parcel, values)))
    model = _send_model(client, parcel, run, values, is_anew)
    experiment = explain_failures("find the run's experiment", lambda: client.get_experiment(run.info.experiment_id))
    _send_archive(client, parcel, experiment)
    missing = []
    for _ in range(_ROUNDS):
        _send_values(client, run, values, model.model_id)
        missing = [*_list_missing_values(client, run_id, values), *_close_model(client, model.model_id, values)]
        if not missing:
            break
    missing += send_candidates(client, parcel, run, values, _list_common_tags(parcel), is_anew)
    describe_experiment(client, experiment, values)
    store = ArtifactStore(run.info.artifact_uri, client.tracking_uri)
    store.send(list_files(parcel.folder / ARTIFACTS), is_anew)
    store.send({FILE_NAME: parcel.folder / FILE_NAME}, is_anew=False)
    if is_anew:
        explain_failures("search its runs", lambda: _drop_others(client, parcel, run_id))
    finish_run(client, run_id, values["ended"], missing)
    return run_id


def _add_looks(client: Any, parcel: Parcel, values: dict[str, Any]) -> dict[str, Any]:
    """Say in the description of a run that was made without a server which place it has among the runs of this one."""
    lineage = json.loads((parcel.folder / FILE_NAME).read_bytes())
    stages, note = lineage["stages"], values["tags"].get(NOTE_TAG)
    if lineage.get("looks") is not None or note is None or "assessment" not in stages:
        return values
    try:
        looks = ask_looks(client, stages, values["params"])
    except TrackingError:  # nothing depends on it
        return values
    return values if looks is None else {**values, "tags": {**values["tags"], NOTE_TAG: f"{note}\n{describe_looks(looks)}"}}


def _keep_later_words(run: Any, values: dict[str, Any]) -> dict[str, Any]:
    """A run that was finished may have been proved since, or described by somebody: a copy of its parcel knows nothing of that."""
    if run.info.status != "FINISHED":
        return values
    later = {name for name in _LATER_TAGS if name in run.data.tags}
    return {**values, "tags": {name: value for name, value in values["tags"].items() if name not in later}}


def _keep_given_name(parcel: Parcel, run: Any, values: dict[str, Any]) -> dict[str, Any]:
    """A run gets a name that speaks where it has one that MLflow drew: one that somebody gave stays."""
    is_given = parcel.note.get("run_name") or not is_drawn_name(str(run.info.run_name or ""))
    if is_given or not values.get("run_name"):
        return values
    return {**values, "tags": {**values["tags"], RUN_NAME_TAG: values["run_name"]}}


def is_drawn_name(name: str) -> bool:
    """Tell whether a run's name is one that MLflow drew for want of any, such as `bold-crab-12`."""
    words = re.fullmatch(r"([a-z]+)-([a-z]+)-\d+", name)
    return not name or (words is not None and words[1] in _PREDICATES and words[2] in _NOUNS)


def _refuse_other_record(run: Any | None, values: dict[str, Any]) -> None:
    """A copy of a parcel is the same parcel; what bears its id and holds another record is somebody else's work."""
    held = run.data.tags.get("lineage_digest") if run is not None else None
    if run is not None and held not in (None, values["tags"].get("lineage_digest")):
        remedy = "Two parcels have one id: one of them was edited. Name the run to keep, and delete the other."
        raise TrackingError(Problem(f"run {run.info.run_id}", "the record of this parcel, or none yet", "another one", remedy))


def _drop_others(client: Any, parcel: Parcel, run_id: str) -> None:
    """A request for a run that was on its way as an earlier try broke off may have come through since."""
    for run in _search_by_parcel(client, parcel):
        if run.info.run_id != run_id:
            client.delete_run(run.info.run_id)


def finish_run(client: Any, run_id: str, ended: int, missing: list[str]) -> None:
    """Close a run of which the server shows every value, and see that it is closed.

    Parameters
    ----------
    ended
        In milliseconds since 1970.
    missing
        In words, what the server does not show.

    Raises
    ------
    TrackingError
        Something is missing, or it is not closed.
    """
    if not missing:
        explain_failures("close the run", lambda: client.set_terminated(run_id, "FINISHED", end_time=ended))
        status = explain_failures("show the run", lambda: client.get_run(run_id)).info.status
        missing = [] if status == "FINISHED" else [f"status FINISHED ({status})"]
    if missing:
        remedy = "Check what stands between here and the server: a proxy, a login page."
        found = f"an answer that it has them, and not: {', '.join(missing[:5])}"
        raise TrackingError(Problem(name_server(client), "a server that keeps what it took", found, remedy))


def _list_missing_values(client: Any, run_id: str, values: dict[str, Any]) -> list[str]:
    """Return the params, tags, metrics and links that the server does not show of a run as they were sent."""
    run = explain_failures("show the run", lambda: client.get_run(run_id))
    tags = {name: value[:MAX_TAG_LENGTH] for name, value in values["tags"].items()}
    missing = [f"param {name}" for name, value in values["params"].items() if run.data.params.get(name) != value]
    missing += [f"tag {name}" for name, value in tags.items() if run.data.tags.get(name) != value]
    latest = take_latest(values["metrics"])
    missing += [f"metric {name}" for name, value in latest.items() if not is_kept(value, run.data.metrics.get(name))]
    held = _list_digests(run)
    missing += [f"the dataset input {dataset['name']}" for _, dataset in _list_datasets(values) if dataset["digest"] not in held]
    missing += ["the model"] if not _list_outputs(run) else []
    return missing


def find_run(client: Any, parcel: Parcel) -> Any | None:
    """Return the run that stands for a parcel on this server; None where there is none.

    Raises
    ------
    TrackingError
        The server cannot be asked, or the run that the note names is not the parcel's.
    """
    note = parcel.note
    known = note.get("server_run_id") if note.get("server") == name_server(client) else None
    if known is not None:
        run = explain_failures(f"find run {known}", lambda: _take_run(client, known))
        if run is not None and run.data.tags.get(PARCEL_TAG) != parcel.parcel_id:  # whoever handed it over may have named any run
            remedy = "Its parcel.json was edited: delete server_run_id in it, and it gets a run of its own."
            raise TrackingError(Problem(f"run {known}", f"the run of parcel {parcel.parcel_id}", "another's", remedy))
        return run if run is None or run.info.lifecycle_stage == "active" else None
    found = explain_failures("search its runs", lambda: _search_by_parcel(client, parcel))
    if found:
        parcel.write_note(server=name_server(client), server_run_id=str(found[0].info.run_id))
    return found[0] if found else None


def name_server(client: Any) -> str:
    """Return the address of a client's server as a parcel notes it, without credentials."""
    return hide_credentials(client.tracking_uri)


def _take_run(client: Any, run_id: str) -> Any | None:
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _search_by_parcel(client: Any, parcel: Parcel) -> list[Any]:
    """Return the runs with a parcel's id, the first that was made before the others; no experiment is made for that."""
    experiment_id = _name_wanted(client, parcel)
    if experiment_id is None:
        experiment = client.get_experiment_by_name(parcel.note["experiment_name"])
        if experiment is None:
            return []
        experiment_id = experiment.experiment_id
    found = client.search_runs([experiment_id], f"tags.{PARCEL_TAG} = '{parcel.parcel_id}'")
    return sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))


def _name_wanted(client: Any, parcel: Parcel) -> str | None:
    """An experiment's id means something on its own server only."""
    return parcel.note.get("wanted_experiment_id") if parcel.note.get("server") == name_server(client) else None


def create_run(client: Any, parcel: Parcel, started: int | None = None) -> Any:
    """Make the parcel's run on the server, note its id in the parcel, and return it.

    Parameters
    ----------
    started
        When the run began, in milliseconds since 1970; now where it is not given.

    Raises
    ------
    TrackingError
        The server does not make one.
    """
    name, wanted = parcel.note["experiment_name"], _name_wanted(client, parcel)
    experiment_id = explain_failures("find or create the experiment", lambda: find_experiment(client, name, wanted))
    tags = {**list_first_tags(parcel), **parcel.note.get("tags", {})}
    run_name = parcel.note.get("run_name")
    parcel.write_note(is_asked=True)  # from now on the server may have it, whether or not its answer comes
    try:
        made = explain_failures(
            "create a run", lambda: client.create_run(experiment_id, start_time=started, tags=tags, run_name=run_name)
        )
        if is_http(client.tracking_uri):
            made = explain_failures("search its runs", lambda: _keep_one(client, parcel, made))
        take_id(client, "a run", made.info.run_id)
    except ServerGone:
        raise
    except TrackingError:  # a refusal is an answer: if there is a run all the same, it is found by the parcel's id
        parcel.write_note(is_asked=False)
        raise
    parcel.write_note(server=name_server(client), server_run_id=str(made.info.run_id), is_closed=False)
    explain_failures("log a parameter", lambda: client.log_param(made.info.run_id, "conf_file", parcel.note["conf_file"]))
    return made


def list_first_tags(parcel: Parcel) -> dict[str, str]:
    """Return the tags that a run has from its beginning on: whose it is, and which process makes it."""
    owner = {PARCEL_TAG: parcel.parcel_id, "host": str(parcel.note["host"]), "process": str(parcel.note["process"])}
    return {**_list_common_tags(parcel), **owner}


def _list_common_tags(parcel: Parcel) -> dict[str, str]:
    """Return the tags that a run and its candidates share."""
    return {"mlflow.user": name_user(), "mlflow.source.name": parcel.note["conf_file"], "mlflow.source.type": "LOCAL"}


def _keep_one(client: Any, parcel: Parcel, made: Any) -> Any:
    """Where the answer to the request for a run was lost, MLflow asked again, and there are two: all but the first go."""
    first, *others = _search_by_parcel(client, parcel) or [made]
    for other in others:
        client.delete_run(other.info.run_id)
    return first


def _send_model(client: Any, parcel: Parcel, run: Any, values: dict[str, Any], is_anew: bool) -> Any:
    """Have the model of a run on the server with its files; it is READY once its metrics are there too."""
    run_id, files = run.info.run_id, list_files(parcel.folder / MODEL)
    found = explain_failures("find the model", lambda: _find_models(client, run)) if is_anew else []
    linked = _list_outputs(run)
    found.sort(key=lambda model: model.model_id not in linked)
    model = found[0] if found else explain_failures("take a model", lambda: _create_model(client, run, values))
    explain_failures("take one model", lambda: _drop_unfinished(client, found[1:], values))
    if model.model_id not in linked:
        explain_failures("link the model", lambda: client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)]))
    ArtifactStore(model.artifact_location, client.tracking_uri).send(files, is_anew)
    return model


def _drop_unfinished(client: Any, others: list[Any], values: dict[str, Any]) -> None:
    """Where every answer to a request for the model was lost, each try has left one; what somebody else logged is not among these."""
    digest = values["model_tags"]["model_digest"]
    for model in others:
        if str(model.status) != "READY" and (model.tags or {}).get("model_digest") == digest:
            client.delete_logged_model(model.model_id)


def _create_model(client: Any, run: Any, values: dict[str, Any]) -> Any:
    info, own = run.info, values.get("model", {})
    made = client.create_logged_model(
        info.experiment_id,
        name=own.get("name", MODEL_NAME),
        source_run_id=info.run_id,
        tags={**values["model_tags"], **({NOTE_TAG: own["note"]} if "note" in own else {})},
        params=own.get("params"),
    )
    if is_http(client.tracking_uri):  # as for a run, the answer may have been lost once
        made, *others = _find_models(client, run) or [made]
        for other in others:
            client.delete_logged_model(other.model_id)
    take_id(client, "a model", made.model_id)
    return made


def _close_model(client: Any, model_id: str, values: dict[str, Any]) -> list[str]:
    """Say that the model is READY, and return what its server does not show of it in the answer."""
    model = explain_failures("finalize the model", lambda: client.finalize_logged_model(model_id, "READY"))
    own = values.get("model", {})
    shown = {metric.key for metric in model.metrics or []}
    missing = [] if str(model.status) == "READY" else ["the model's status"]
    missing += [f"the model's param {name}" for name in own.get("params", {}) if name not in (model.params or {})]
    return missing + [f"the model's metric {name}" for name in own.get("metrics", {}) if name not in shown]


def _list_outputs(run: Any) -> list[str]:
    return [output.model_id for output in run.outputs.model_outputs] if run.outputs else []


def _find_models(client: Any, run: Any) -> list[Any]:
    found = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    return sorted(found, key=lambda model: (model.creation_timestamp, model.model_id))


def _send_archive(client: Any, parcel: Parcel, experiment: Any) -> None:
    """Keep tables and commits once per experiment, under the names that their folders in the parcel have."""
    archive = Archive(experiment.artifact_location, client.tracking_uri)
    for folder in sorted(path for path in (parcel.folder / ARCHIVE).glob("*/*") if path.is_dir()):
        name = folder.relative_to(parcel.folder / ARCHIVE).as_posix()
        if name.startswith("code/") and archive.is_sound(name):  # bundles of one commit differ in their bytes: the first serves
            continue
        if mended := archive.put(name, list_files(folder)):
            warn(f"the archive's {name} was damaged, and is mended: {shorten_list(mended, 3)}")


def _send_values(client: Any, run: Any, values: dict[str, Any], model_id: str) -> None:
    """Values that are there already are the same ones: MLflow takes them again and keeps each once."""
    run_id = run.info.run_id
    params = [Param(name, value) for name, value in sorted(values["params"].items())]
    tags = [RunTag(name, value[:MAX_TAG_LENGTH]) for name, value in values["tags"].items()]
    for batch in cut(params, PARAMS_BATCH):
        explain_failures("take params", partial(client.log_batch, run_id, params=batch))
    held = _list_digests(run)
    missing = [
        DatasetInput(Dataset(**dataset), [InputTag("mlflow.data.context", context)])
        for context, dataset in _list_datasets(values)
        if dataset["digest"] not in held
    ]
    if missing:  # runs of one table that end at the same moment: each finds no row for it, and one makes it twice
        insist("take the dataset input", lambda: client.log_inputs(run_id, missing))
    first, *others = cut(_list_metrics(values, model_id), METRICS_BATCH)
    explain_failures("take metrics and tags", lambda: client.log_batch(run_id, metrics=first, tags=tags))
    for batch in others:
        explain_failures("take metrics", partial(client.log_batch, run_id, metrics=batch))


def _list_metrics(values: dict[str, Any], model_id: str) -> list[Metric]:
    """Return a run's metrics; those of its model on a dataset say so."""
    datasets, own = dict(_list_datasets(values)), values.get("model", {}).get("metrics", {})
    metrics = []
    for name, value, when, step in values["metrics"]:
        dataset = datasets.get(own.get(name, ""))
        link = {} if dataset is None else {"model_id": model_id, "dataset_name": dataset["name"], "dataset_digest": dataset["digest"]}
        metrics.append(Metric(name, value, when, step, **link))
    return metrics


def _list_datasets(values: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the datasets of a run, each with what it is there for."""
    test = values.get("test_dataset")
    return [("training", values["dataset"]), *([("test", test)] if test is not None else [])]


def _list_digests(run: Any) -> list[str]:
    return [found.dataset.digest for found in run.inputs.dataset_inputs] if run.inputs else []
