"""The candidates of a run, each sent as a run that MLflow nests below it: by its name once, however often and in how many pieces.

They are made from the parcel alone. A nested run is found again by the parcel's id and the candidate's name, and all of them are
listed back in one answer, with what they hold, before the run itself is finished.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from functools import partial
from itertools import zip_longest
from typing import Any

from mlflow.entities import Metric, Param, RunTag

from samebits.errors import TrackingError
from samebits.holdings.runs import PARENT_TAG
from samebits.lineage.tracked_candidates import CANDIDATE_TAG
from samebits.parcels.parcel import Parcel
from samebits.tracking.patience import hurried
from samebits.tracking.server import MAX_TAG_LENGTH, explain_failures

PARCEL_OF_CANDIDATE = "candidate_of"  # the id of the parcel that a nested run is from
PARAMS_BATCH, METRICS_BATCH = 100, 900  # MLflow takes 1000 entries in all: tags stand beside the first
_ROUNDS = 2  # the second for what a gateway answered in the server's place


def send_candidates(client: Any, parcel: Parcel, run: Any, values: dict[str, Any], tags: dict[str, str], is_anew: bool) -> list[str]:
    """Have a nested run on the server for each candidate, and return in words what the server does not show of them.

    Parameters
    ----------
    tags
        That every one of them has beside its own.
    is_anew
        Some may be there from an earlier try.

    Raises
    ------
    TrackingError
        The server does not take them.
    """
    wanted = [_complete(candidate, parcel, run, values, tags) for candidate in values.get("candidates", [])]
    if not wanted:
        return []
    held = _find_held(client, parcel, run.info.experiment_id) if is_anew else {}
    for _ in range(_ROUNDS):
        missing = [one for one in wanted if not any(_is_whole(found, one) for found in held.get(one["name"], []))]
        for one in missing:  # in a row: of a server's few connections to its database, runs that end together would each hold several
            explain_failures("take a candidate", partial(_send, client, run, one, held.get(one["name"], [])))
        held = _find_held(client, parcel, run.info.experiment_id)
        missing = [one for one in wanted if not any(_is_whole(found, one) for found in held.get(one["name"], []))]
        if not missing:
            _drop_others(client, held, wanted)
            return []
    return [f"the candidate {one['name']}" for one in missing]


def close_candidates(client: Any, parcel: Parcel, experiment_id: str) -> None:
    """End the nested runs of a run that is not completed now, so that none stands as RUNNING for ever; a push completes them."""
    if not parcel.note.get("is_sent"):
        return
    with hurried(), contextlib.suppress(TrackingError):
        for found in [found for others in _find_held(client, parcel, experiment_id).values() for found in others]:
            if found.info.status == "RUNNING":
                explain_failures("close the run", partial(client.set_terminated, found.info.run_id, "KILLED"))


def _complete(candidate: dict[str, Any], parcel: Parcel, run: Any, values: dict[str, Any], tags: dict[str, str]) -> dict[str, Any]:
    """Return a candidate with all the tags that its run has, and its times."""
    own = {**tags, **candidate["tags"], CANDIDATE_TAG: candidate["name"], PARCEL_OF_CANDIDATE: parcel.parcel_id}
    known = {name: value[:MAX_TAG_LENGTH] for name, value in {**own, PARENT_TAG: str(run.info.run_id)}.items()}
    return {**candidate, "tags": known, "started": run.info.start_time, "ended": values["ended"]}


def _send(client: Any, run: Any, candidate: dict[str, Any], held: list[Any]) -> None:
    """What a nested run holds already is the same: MLflow takes it again and keeps each once."""
    found = held[0] if held else _create(client, run, candidate)
    if not found.info.run_id:  # whoever answered was no MLflow server: the next round sees
        return
    run_id = found.info.run_id
    nothing: list[Any] = []
    params = cut([Param(name, value) for name, value in sorted(candidate["params"].items())], PARAMS_BATCH)
    metrics = cut([Metric(*metric) for metric in candidate["metrics"]], METRICS_BATCH)
    for some_params, some_metrics in zip_longest(params, metrics, fillvalue=nothing):
        client.log_batch(run_id, params=some_params, metrics=some_metrics)
    if held:
        client.log_batch(run_id, tags=[RunTag(name, value) for name, value in candidate["tags"].items()])
    client.set_terminated(run_id, "FINISHED", end_time=candidate["ended"])


def cut(entries: list[Any], size: int) -> Iterable[list[Any]]:
    """Return entries in the pieces that a server takes at once."""
    return (entries[start : start + size] for start in range(0, len(entries), size))


def _create(client: Any, run: Any, candidate: dict[str, Any]) -> Any:
    started, name = candidate["started"], candidate["run_name"]
    return client.create_run(run.info.experiment_id, start_time=started, tags=candidate["tags"], run_name=name)


def _find_held(client: Any, parcel: Parcel, experiment_id: str) -> dict[str, list[Any]]:
    """Return the nested runs of a parcel by the candidate's name, the first that was made before the others."""
    condition = f"tags.{PARCEL_OF_CANDIDATE} = '{parcel.parcel_id}'"
    found = explain_failures("search its candidates", lambda: client.search_runs([experiment_id], condition))
    held: dict[str, list[Any]] = {}
    for one in sorted(found, key=lambda one: (one.info.start_time, one.info.run_id)):
        held.setdefault(one.data.tags.get(CANDIDATE_TAG, ""), []).append(one)
    return held


def _is_whole(found: Any, candidate: dict[str, Any]) -> bool:
    latest = take_latest(candidate["metrics"])
    return bool(
        found.info.status == "FINISHED"
        and candidate["params"].items() <= found.data.params.items()
        and candidate["tags"].items() <= found.data.tags.items()
        and all(is_kept(value, found.data.metrics.get(name)) for name, value in latest.items())
    )


def take_latest(metrics: list[Any]) -> dict[str, float]:
    """Return the value of each metric that a server shows: that of its last step."""
    return {name: value for name, value, _, step in sorted(metrics, key=lambda metric: metric[3])}


def is_kept(sent: float, shown: float | None) -> bool:
    """Tell whether a server shows a metric as it was sent: MLflow keeps the largest float in place of infinity."""
    return shown is not None and (sent == shown or not math.isfinite(sent))


def _drop_others(client: Any, held: dict[str, list[Any]], wanted: list[dict[str, Any]]) -> None:
    """Where the answer to a request for a run was lost, MLflow asked again, and there are two: one that is whole stays."""
    for one in wanted:
        others = sorted(held[one["name"]], key=lambda found: not _is_whole(found, one))[1:]
        for other in others:
            explain_failures("delete a candidate that is there twice", partial(client.delete_run, other.info.run_id))
