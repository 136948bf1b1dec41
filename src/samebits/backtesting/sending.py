"""The run that tells of a backtest, filled and closed: values, files, the record last; then all is listed back.

It stands in no parcel: whatever it says can be made again of its windows, by the same command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, RunTag

from samebits.backtesting.summary import Step
from samebits.delivery.artifact_store import ArtifactStore
from samebits.delivery.nested import METRICS_BATCH, PARAMS_BATCH, cut, is_kept
from samebits.delivery.sending import RUN_NAME_TAG, finish_run, is_drawn_name
from samebits.lineage.backtest_record import BACKTEST_FILE
from samebits.tracking.server import MAX_TAG_LENGTH, explain_failures


@dataclass(frozen=True)
class Telling:
    """What the run of a backtest has.

    Parameters
    ----------
    steps
        Of each window, at the moment that `moments` has of it, in milliseconds since 1970.
    files
        By their path on the server; the record is among them.
    """

    params: dict[str, str]
    metrics: dict[str, float]
    steps: list[Step]
    moments: list[int]
    tags: dict[str, str]
    run_name: str
    ended: int
    files: dict[str, bytes]


def send_telling(telling: Telling, scratch: Path, is_named: bool) -> Callable[[Any, str], None]:
    """Return what fills and closes a run.

    Parameters
    ----------
    scratch
        A folder for the files on their way.
    is_named
        Somebody gave the run a name.
    """

    def send(client: Any, run_id: str) -> None:
        run = explain_failures("find the run", lambda: client.get_run(run_id))
        named = {} if is_named or not is_drawn_name(str(run.info.run_name or "")) else {RUN_NAME_TAG: telling.run_name}
        tags = {name: value[:MAX_TAG_LENGTH] for name, value in {**telling.tags, **named}.items()}
        _send_values(client, run_id, telling, tags)
        _send_files(client, run, telling.files, scratch)
        shown = explain_failures("show the run", lambda: client.get_run(run_id)).data
        missing = [f"param {name}" for name, value in telling.params.items() if shown.params.get(name) != value]
        missing += [f"tag {name}" for name, value in tags.items() if shown.tags.get(name) != value]
        missing += [f"metric {name}" for name, value in telling.metrics.items() if not is_kept(value, shown.metrics.get(name))]
        finish_run(client, run_id, telling.ended, missing)

    return send


def _send_values(client: Any, run_id: str, telling: Telling, tags: dict[str, str]) -> None:
    single = [Metric(name, value, telling.ended, 0) for name, value in telling.metrics.items()]
    stepped = [Metric(name, value, telling.moments[number - 1], number) for name, value, number in telling.steps]
    params = cut([Param(name, value) for name, value in sorted(telling.params.items())], PARAMS_BATCH)
    metrics = cut([*single, *stepped], METRICS_BATCH)
    nothing: list[Any] = []
    for some_params, some_metrics in zip_longest(params, metrics, fillvalue=nothing):
        explain_failures("take params and metrics", partial(client.log_batch, run_id, params=some_params, metrics=some_metrics))
    entries = [RunTag(name, value) for name, value in tags.items()]
    explain_failures("take tags", lambda: client.log_batch(run_id, tags=entries))


def _send_files(client: Any, run: Any, files: dict[str, bytes], scratch: Path) -> None:
    paths = {}
    for name, content in files.items():
        paths[name] = scratch / name
        paths[name].parent.mkdir(parents=True, exist_ok=True)
        paths[name].write_bytes(content)
    store = ArtifactStore(run.info.artifact_uri, client.tracking_uri)
    store.send({name: path for name, path in paths.items() if name != BACKTEST_FILE}, is_anew=False)
    store.send({BACKTEST_FILE: paths[BACKTEST_FILE]}, is_anew=False)
