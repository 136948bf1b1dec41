"""A config with `backtest:` trained: a run for each cut-off time, made as `train` makes it, and one above that tells of all.

The table is read once for all of them. What is finished is taken and not trained again, so that the same command goes on where an
earlier one ended, for whatever reason.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from samebits.backtesting.cutoffs import Window, describe_windows, settle_windows
from samebits.backtesting.resuming import find_window
from samebits.backtesting.sending import send_telling
from samebits.backtesting.summary import EndedBacktest, summarise
from samebits.backtesting.telling import TrainedWindow, make_telling
from samebits.candidates.materials import prepare_materials
from samebits.config.loading import LoadedConfig, load_document
from samebits.config.variants import place_window
from samebits.data.dataset import Dataset, load_dataset
from samebits.data.preparation import prepare_own_dataset
from samebits.delivery.open_run import OpenRun, Place, open_run
from samebits.delivery.orphans import close_orphans
from samebits.errors import ConfigError, DataError, Problem, Undelivered
from samebits.holdings.runs import PARENT_TAG, WINDOW_TAG
from samebits.lineage.manifest import Stage
from samebits.numerics.generators import plant_seeds
from samebits.provenance.environment import read_environment
from samebits.provenance.modules import identify_modules
from samebits.recording.made import Made
from samebits.recording.run import Job, record_run
from samebits.sources.bringing import bring_inputs
from samebits.steps.stage import make_steps
from samebits.stores.store import bring_to_place
from samebits.tracking.server import name_user
from samebits.training.stages import digest_request
from samebits.training.training import make_room, read_own_kernels
from samebits.voice import Voice, keep_stdout

_PUSH = "`samebits push`, then run the same command again: none of them is trained anew."


@dataclass(frozen=True)
class _Planned:
    """A window whose config is found sound, and the digest by which its run is found."""

    window: Window
    loaded: LoadedConfig
    request_digest: str


def train_windows(loaded: LoadedConfig, job: Job, tell: Callable[[EndedBacktest], None]) -> list[dict[str, Any]]:
    """Train a backtest, record it, and return the lineages of its windows.

    Parameters
    ----------
    tell
        Called with what was made, on the server or waiting.

    Raises
    ------
    SamebitsError
        Something that the user can mend; windows that are finished stay so.
    Undelivered
        Windows wait in the spool, or the run that tells of them is not on the server.
    """
    config = loaded.config
    with open_run(config.name, job.conf_file, job.uri, job.root, config.tracking.offline) as parent:
        if parent.client is not None:
            close_orphans(parent.client, job.root)
        with keep_stdout(job.is_json):
            with loaded.naming_lines():
                steps = make_steps(loaded, job.root, job.voice, partial(bring_to_place, job.root))
                loaded = bring_inputs(loaded, job.root, job.voice.follow)
            planned, own_digest, job = _plan(loaded, steps, job)
        trained = [_take_or_train(one, len(planned), parent, job) for one in planned]
        ended = _end(loaded, job, parent, trained, own_digest, tell)
    with contextlib.suppress(BrokenPipeError):  # nobody reads it: it is recorded all the same
        tell(ended)
    return [one.lineage for one in trained]


def _plan(loaded: LoadedConfig, steps: Stage, job: Job) -> tuple[list[_Planned], str, Job]:
    """Read the table, settle its windows, say them, and refuse all that would stop one of them later.

    Returns
    -------
    tuple
        The windows; the digest of the whole request; and the job with what its trainings have in common.
    """
    config, root = loaded.config, job.root
    environment = read_environment(root, config.further_packages)
    kernels = read_own_kernels(loaded, environment)  # before any training has loaded more of them
    make_room(loaded, root, job.voice)
    beforehand = dataclasses.replace(job.beforehand, kernels=kernels, read=_read_once())
    job = dataclasses.replace(job, beforehand=beforehand, voice=_say_once(job.voice))
    plant_seeds(config.seed, "run")
    with loaded.naming_lines():
        dataset = prepare_own_dataset(loaded, root, beforehand.read or load_dataset)
        windows = settle_windows(config, dataset)
    for line in describe_windows(windows, str(config.split.column)):
        job.voice.follow(line)
    placed = [_place(loaded, window) for window in windows]
    for window, of_window in zip(windows, placed, strict=True):
        _check(window, of_window, job)
    assert beforehand.code is not None
    code = identify_modules(beforehand.code, config.allow, root)
    digests = [digest_request(one, code, environment, steps, dataset.digest, root) for one in (*placed, loaded)]
    planned = [_Planned(*one) for one in zip(windows, placed, digests[:-1], strict=True)]
    return planned, digests[-1], job


def _read_once() -> Any:
    """Return what reads a table the first time it is called, and hands it on ever after: the windows' keys of data are the same."""
    known: list[Dataset] = []

    def read(*args: Any) -> Dataset:
        if not known:
            known.append(load_dataset(*args))
        return known[0]

    return read


def _say_once(voice: Voice) -> Voice:
    """Return a voice that tells of the table and the code once, and not for each window again."""
    said: set[str] = set()

    def tell_new(tell: Callable[[str], None]) -> Callable[[str], None]:
        def tell_once(line: str) -> None:
            if line not in said:
                said.add(line)
                tell(line)

        return tell_once

    return dataclasses.replace(voice, say=tell_new(voice.say), follow=tell_new(voice.follow))


def _place(loaded: LoadedConfig, window: Window) -> LoadedConfig:
    placed = load_document(dataclasses.replace(loaded.document, value=place_window(loaded.document.value, window.bounds)))
    return dataclasses.replace(placed, brought=loaded.brought)


def _check(window: Window, loaded: LoadedConfig, job: Job) -> None:
    try:
        prepare_materials(loaded, job.root, job.beforehand.read or load_dataset)
    except (ConfigError, DataError) as error:
        where = f"window {window.number} of backtest ({window.cutoff})"
        raise type(error)(*(dataclasses.replace(one, where=f"{where}: {one.where}") for one in error.problems)) from None


def _take_or_train(planned: _Planned, n_windows: int, parent: OpenRun, job: Job) -> TrainedWindow:
    window = planned.window
    parent_id = parent.run_id if parent.client is not None else None
    if (found := find_window(parent.client, job.root, planned.request_digest, parent_id)) is not None:
        run_id, lineage, is_waiting = found
        waits = Undelivered(Problem(f"run {run_id}", "a server that takes it", "none", f"It waits: samebits push {run_id}"))
        trained = TrainedWindow(window, run_id, lineage, is_taken=True, waits=waits if is_waiting else None)
    else:
        trained = _train(planned, parent, job)
    job.voice.follow(trained.say(n_windows))
    return trained


def _train(planned: _Planned, parent: OpenRun, job: Job) -> TrainedWindow:
    window, config = planned.window, planned.loaded.config
    below = {PARENT_TAG: parent.run_id} if parent.client is not None else {}
    experiment_id = parent.parcel.note["experiment_id"]
    tags = {**below, WINDOW_TAG: str(window.cutoff), "backtest_window": str(window.number)}
    place = Place(f"{window.cutoff} · {config.name} {config.version}", experiment_id, tags)
    made: list[Made] = []
    with contextlib.suppress(Undelivered):  # it waits, and the others are trained all the same
        record_run(planned.loaded, dataclasses.replace(job, started=datetime.datetime.now(datetime.UTC)), made.append, place)
    [ended] = made
    return TrainedWindow(window, ended.run_id, ended.lineage, waits=ended.waits)


def _end(
    loaded: LoadedConfig,
    job: Job,
    parent: OpenRun,
    trained: list[TrainedWindow],
    request_digest: str,
    tell: Callable[[EndedBacktest], None],
) -> EndedBacktest:
    """Tell of the windows on the run above them, once all are on the server.

    Raises
    ------
    Undelivered
        They are not, or the server does not take it; what was made is told all the same.
    """
    summary = summarise(loaded.resolved, [one.lineage for one in trained])
    windows, data_digest = [one.describe() for one in trained], trained[0].lineage["stages"]["data"]["digest"]
    ended = EndedBacktest(parent.run_id, summary, windows, data_digest, parent.parcel.note["experiment_id"])
    try:
        if waiting := [problem for one in trained if one.waits is not None for problem in one.waits.problems]:
            raise Undelivered(
                *waiting, Problem(f"backtest {parent.run_id}", "all its windows on the server", f"{len(waiting)} that wait", _PUSH)
            )
        facts = {"run_id": parent.run_id, "experiment_id": ended.experiment_id, "started": job.started.isoformat(timespec="seconds")}
        telling = make_telling(loaded, job.root, trained, summary, {**facts, "user": name_user()}, request_digest)
        parent.complete(send_telling(telling, parent.parcel.scratch, is_named=bool(parent.parcel.note.get("run_name"))))
    except Undelivered as error:
        with contextlib.suppress(BrokenPipeError):
            tell(dataclasses.replace(ended, waits=error))
        raise
    return ended
