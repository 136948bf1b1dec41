"""`samebits train CONF`: reads and checks the config, pins the numeric profile, trains, and records the run."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import gc
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebits.commands.train_summary import Ended, tell_end
from samebits.config.documents import Document
from samebits.config.loading import check_document, read_config_document
from samebits.digests import digest_bytes
from samebits.errors import EXIT_BROKEN_CLAIM, SamebitsError, TrackingError, Undelivered
from samebits.lineage.manifest import SCHEMA, write_lineage
from samebits.numerics.profile import pin_profile
from samebits.project import find_config, find_project_root, list_code_folders
from samebits.text import warn
from samebits.tracking.patience import ServerGone
from samebits.tracking.server import prepare_tracking
from samebits.trust.own_runs import note_own_run
from samebits.voice import choose_voice

_REUSE_TRIED = "SAMEBITS_REUSE_TRIED"


@dataclass(frozen=True)
class TrainWishes:
    """What the caller wants beside the training.

    Parameters
    ----------
    reuse
        Hand back the finished run with the same inputs, if there is one whose artifacts still verify, instead of training.
    quiet
        Say nothing of what was read and how far it is.
    strict
        Whether a broken claim of the config's has an exit code of its own.
    as_json
        Print what was made as one JSON document; whatever else is printed meanwhile goes to stderr.
    """

    reuse: bool = False
    quiet: bool = False
    strict: bool = False
    as_json: bool = False


def run_train(conf_file: str, wishes: TrainWishes) -> int:
    """Train what a config file says, record it as one run on the tracking server, and return the exit code.

    Raises
    ------
    SamebitsError
        Something that the user can mend; the run, where one was opened, ends as FAILED with the reason.
    Undelivered
        The run is made, and waits in the spool.
    """
    root = find_project_root()
    try:
        path = find_config(conf_file, root)
        document = read_config_document(path)
        if wishes.reuse and (found := _hand_back(document, root, wishes)) is not None:
            return _choose_exit(found, wishes)
        profile = document.value.get("numeric_profile", "portable")
        pin_profile(profile if profile in ("portable", "native") else "portable")
    except SamebitsError as error:
        _report_to_adopted_run(error, root)
        raise
    return _choose_exit(_train_pinned(conf_file, document, root, wishes), wishes)


def _choose_exit(lineage: dict[str, Any], wishes: TrainWishes) -> int:
    """Runs that knew no claims have none that is broken."""
    is_broken = any(not claim["kept"] for claim in lineage["stages"].get("assessment", {}).get("claims", []))
    return EXIT_BROKEN_CLAIM if wishes.strict and is_broken else 0


def _hand_back(document: Document, root: Path, wishes: TrainWishes) -> dict[str, Any] | None:
    """Print the finished run with the same inputs as if it had been trained now, say that it was not, and return its lineage."""
    if os.environ.pop(_REUSE_TRIED, None):  # by this process, before it pinned its profile
        return None
    from samebits.proof.reuse import find_reusable_run

    try:
        found = find_reusable_run(document, root)
    except ServerGone as error:
        warn(f"no earlier run was looked for: {error}")
        found = None
    if found is None:
        os.environ[_REUSE_TRIED] = "1"
        return None
    run_id, lineage = found
    tell_end(Ended(run_id, lineage, lineage["run"]["experiment_id"], is_reused=True), wishes.as_json)
    warn(f"reused: trained {lineage['run']['started']} from the same inputs; its artifacts verify")
    return lineage


def _train_pinned(conf_file: str, document: Document, root: Path, wishes: TrainWishes) -> dict[str, Any]:
    started = datetime.datetime.now(datetime.UTC)
    uri = prepare_tracking(root)
    os.chdir(root)
    sys.path += list_code_folders(root)  # where a project's own modules lie, through whichever door it is run
    from samebits.provenance.code import identify_code
    from samebits.provenance.imports import watch_imports
    from samebits.provenance.patches import list_wanted

    try:
        watch_imports().note_loaded()
        code = identify_code(root, list_wanted(document.value))  # before anything of the user's is imported
        with _keep_stdout(wishes.as_json):
            loaded = check_document(document)
    except SamebitsError as error:
        _report_to_adopted_run(error, root)
        raise
    from samebits.delivery.open_run import open_run
    from samebits.delivery.orphans import close_orphans
    from samebits.holdings.data_store import bring_to_place
    from samebits.parcels.packing import pack_training
    from samebits.proof.ledger import enter_ledger
    from samebits.registry.registration import say_registration
    from samebits.training.stages import list_input_paths
    from samebits.training.training import make_training

    gc.freeze()  # what was imported stays
    gc.enable()
    with open_run(loaded.config.name, conf_file, uri, root, loaded.config.tracking.offline) as run:
        if run.client is not None:
            close_orphans(run.client, root)
        looks = _Looks(run.client)
        with _keep_stdout(wishes.as_json):
            training = make_training(loaded, root, choose_voice(wishes.quiet), code, looks.note_rows, bring_to_place)
        lineage = pack_training(run.parcel, training, started, root, looks.count(training.stages))
        training.journal.forget()  # what came of it is in the parcel
        note_own_run(run.run_id, digest_bytes(write_lineage(lineage)))
        try:
            run_id = run.deliver()
        except Undelivered as error:
            with contextlib.suppress(BrokenPipeError):  # nobody reads it: that the run waits is what counts
                tell_end(Ended(run.run_id, lineage, None, error), wishes.as_json)
            raise
    with contextlib.suppress(BrokenPipeError):  # nobody reads it: it is registered all the same
        tell_end(Ended(run_id, lineage, run.parcel.note["experiment_id"]), wishes.as_json)
    with contextlib.suppress(BrokenPipeError), _keep_stdout(wishes.as_json):
        say_registration(run.client, run_id, lineage)
    _say_changed_blobs(root, list_input_paths(loaded, root)[1:])
    enter_ledger(run.client, run_id, lineage)
    return lineage


class _Looks:
    """Who was judged by the rows that a run holds back: asked before anything is trained, so that nothing computed waits for it.

    Nothing depends on the looks: where the server cannot be asked then, they are not said.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._judged: list[Any] | None = None

    def note_rows(self, stages: dict[str, Any]) -> None:
        from samebits.holdings.looks import find_judged

        try:
            self._judged = find_judged(self._client, stages) if self._client is not None else None
        except TrackingError as error:
            warn(f"how often these test rows were looked at is not known: {error}")

    def count(self, stages: dict[str, Any]) -> dict[str, Any] | None:
        from samebits.holdings.looks import count_looks
        from samebits.lineage.tracked_values import list_params

        if self._judged is None:
            return None
        try:  # of what others wrote on the server
            return dataclasses.asdict(count_looks(self._judged, stages, list_params({"schema": SCHEMA, "stages": stages})))
        except Exception as error:
            warn(f"how often these test rows were looked at is not known: {type(error).__name__}: {error}")
            return None


@contextlib.contextmanager
def _keep_stdout(as_json: bool) -> Iterator[None]:
    """Let what a config's own classes print, in any process, go to stderr, where stdout is to hold JSON alone."""
    if not as_json:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _say_changed_blobs(root: Path, inputs: list[Path]) -> None:
    from samebits.provenance.blobs import describe_changed_blobs
    from samebits.table.files import list_table_files

    for path in inputs:
        for line in describe_changed_blobs(root, list(list_table_files(path).values())):
            warn(line)


def _report_to_adopted_run(error: SamebitsError, root: Path) -> None:
    """Where `mlflow run` has created the run, say there why nothing was trained; it ends the run by our exit code."""
    if not os.environ.get("MLFLOW_RUN_ID"):
        return
    uri = prepare_tracking(root)
    from samebits.delivery.open_run import fail_adopted_run  # after what MLflow reads as it is imported was set

    fail_adopted_run(os.environ["MLFLOW_RUN_ID"], uri, error)
