"""`samebits train CONF`: reads and checks the config, pins the numeric profile, trains, and records the run."""

from __future__ import annotations

import datetime
import gc
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebits.commands.train_summary import tell_end
from samebits.config.documents import Document
from samebits.config.loading import check_document, read_config_document
from samebits.errors import EXIT_BROKEN_CLAIM, SamebitsError
from samebits.numerics.profile import pin_profile
from samebits.project import find_config, find_project_root, list_code_folders
from samebits.recording.made import Made
from samebits.text import warn
from samebits.tracking.patience import ServerGone
from samebits.tracking.server import prepare_tracking
from samebits.voice import choose_voice, keep_stdout

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


def _choose_exit(lineages: list[dict[str, Any]], wishes: TrainWishes) -> int:
    """Runs that knew no claims have none that is broken."""
    claims = [claim for lineage in lineages for claim in lineage["stages"].get("assessment", {}).get("claims", [])]
    is_broken = any(not claim["kept"] for claim in claims)
    return EXIT_BROKEN_CLAIM if wishes.strict and is_broken else 0


def _hand_back(document: Document, root: Path, wishes: TrainWishes) -> list[dict[str, Any]] | None:
    """Print the finished run with the same inputs as if it had been trained now, say that it was not, and return its lineage.

    Of a backtest, those of its windows.
    """
    if os.environ.pop(_REUSE_TRIED, None):  # by this process, before it pinned its profile
        return None
    hand_back = _hand_back_run if document.value.get("backtest") is None else _hand_back_backtest
    try:
        found = hand_back(document, root, wishes.as_json)
    except ServerGone as error:
        warn(f"no earlier run was looked for: {error}")
        found = None
    if found is None:
        os.environ[_REUSE_TRIED] = "1"
    return found


def _hand_back_run(document: Document, root: Path, as_json: bool) -> list[dict[str, Any]] | None:
    from samebits.proof.reuse import find_reusable_run

    found = find_reusable_run(document, root)
    if found is None:
        return None
    run_id, lineage = found
    tell_end(Made(run_id, lineage, lineage["run"]["experiment_id"], is_reused=True), as_json)
    warn(f"reused: trained {lineage['run']['started']} from the same inputs; its artifacts verify")
    return [lineage]


def _hand_back_backtest(document: Document, root: Path, as_json: bool) -> list[dict[str, Any]] | None:
    from samebits.backtesting.summary import EndedBacktest, summarise
    from samebits.backtesting.verification import find_finished_backtest
    from samebits.commands.backtest_summary import tell_backtest
    from samebits.proof.reuse import look_for_request

    found = look_for_request(document, root, find_finished_backtest)
    if found is None:
        return None
    run_id, record, lineages = found
    summary, data_digest = summarise(record["config"]["resolved"], lineages), lineages[0]["stages"]["data"]["digest"]
    tell_backtest(
        EndedBacktest(run_id, summary, record["windows"], data_digest, record["run"]["experiment_id"], is_reused=True), as_json
    )
    warn(f"reused: trained {record['run']['started']} from the same inputs; its artifacts and those of its windows verify")
    return lineages


def _train_pinned(conf_file: str, document: Document, root: Path, wishes: TrainWishes) -> list[dict[str, Any]]:
    """Return the lineage of the run, or those of a backtest's windows."""
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
        with keep_stdout(wishes.as_json):
            loaded = check_document(document)
    except SamebitsError as error:
        _report_to_adopted_run(error, root)
        raise
    from samebits.recording.run import Job, record_run
    from samebits.training.training import Beforehand

    gc.freeze()  # what was imported stays
    gc.enable()
    job = Job(conf_file, uri, root, choose_voice(wishes.quiet), Beforehand(code), started, wishes.as_json)
    if loaded.config.backtest is not None:
        from samebits.backtesting.running import train_windows
        from samebits.commands.backtest_summary import tell_backtest

        return train_windows(loaded, job, lambda ended: tell_backtest(ended, wishes.as_json))

    def tell(made: Made) -> None:
        tell_end(made, wishes.as_json)

    return [record_run(loaded, job, tell)]


def _report_to_adopted_run(error: SamebitsError, root: Path) -> None:
    """Where `mlflow run` has created the run, say there why nothing was trained; it ends the run by our exit code."""
    if not os.environ.get("MLFLOW_RUN_ID"):
        return
    uri = prepare_tracking(root)
    from samebits.delivery.open_run import fail_adopted_run  # after what MLflow reads as it is imported was set

    fail_adopted_run(os.environ["MLFLOW_RUN_ID"], uri, error)
