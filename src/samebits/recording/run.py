"""One training recorded as one run: opened on the server, trained, packed, delivered, and compared with earlier runs."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from samebits.config.loading import LoadedConfig
from samebits.delivery.open_run import Place, open_run
from samebits.delivery.orphans import close_orphans
from samebits.digests import digest_bytes
from samebits.errors import Undelivered
from samebits.lineage.manifest import write_lineage
from samebits.parcels.packing import pack_training
from samebits.proof.ledger import enter_ledger
from samebits.provenance.blobs import describe_changed_blobs
from samebits.recording.looks import AskedLooks
from samebits.recording.made import Made
from samebits.recording.shelf import Shelf
from samebits.registry.registration import say_registration
from samebits.stores.store import bring_to_place
from samebits.table.files import list_table_files
from samebits.text import warn
from samebits.training.stages import list_input_paths
from samebits.training.training import Beforehand, make_training
from samebits.trust.own_runs import note_own_run
from samebits.voice import Voice, keep_stdout


@dataclass(frozen=True)
class Job:
    """What a process was asked to train, and what it knows by then.

    Parameters
    ----------
    conf_file
        As the caller named it.
    started
        When the run began.
    """

    conf_file: str
    uri: str
    root: Path
    voice: Voice
    beforehand: Beforehand
    started: datetime.datetime
    is_json: bool = False


def record_run(loaded: LoadedConfig, job: Job, tell: Callable[[Made], None], place: Place | None = None) -> dict[str, Any]:
    """Train what a config says, record it as one run on the tracking server, and return its lineage.

    Parameters
    ----------
    tell
        Called with what was made, delivered or waiting.
    place
        Of one of several runs below another.

    Raises
    ------
    SamebitsError
        Something that the user can mend; the run, where one was opened, ends as FAILED with the reason.
    Undelivered
        The run is made, and waits in the spool.
    """
    with open_run(loaded.config.name, job.conf_file, job.uri, job.root, loaded.config.tracking.offline, place) as run:
        if run.client is not None:
            close_orphans(run.client, job.root)
        looks, shelf = AskedLooks(run.client), Shelf(job.root, loaded.config.data.archive)
        with keep_stdout(job.is_json):
            training = make_training(
                loaded, job.root, job.voice, job.beforehand, looks.note_rows, shelf.keep_tables, partial(bring_to_place, job.root)
            )
        lineage = pack_training(run.parcel, training, job.started, job.root, looks.count(training.stages), shelf.kept)
        training.journal.forget()  # what came of it is in the parcel
        note_own_run(run.run_id, digest_bytes(write_lineage(lineage)))
        try:
            run_id = run.deliver()
        except Undelivered as error:
            with contextlib.suppress(BrokenPipeError):  # nobody reads it: that the run waits is what counts
                tell(Made(run.run_id, lineage, None, error))
            raise
    with contextlib.suppress(BrokenPipeError):  # nobody reads it: it is registered all the same
        tell(Made(run_id, lineage, run.parcel.note["experiment_id"]))
    with contextlib.suppress(BrokenPipeError), keep_stdout(job.is_json):
        say_registration(run.client, run_id, lineage)
    _say_changed_blobs(job.root, list_input_paths(training.loaded, job.root)[1:])
    enter_ledger(run.client, run_id, lineage)
    return lineage


def _say_changed_blobs(root: Path, inputs: list[Path]) -> None:
    for path in inputs:
        for line in describe_changed_blobs(root, list(list_table_files(path).values())):
            warn(line)
