"""`samebits train CONF`: reads and checks the config, pins the numeric profile, trains, and records the run."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import gc
import os
import sys
from pathlib import Path
from typing import Any

from samebits.config.catalog import name_metric
from samebits.config.documents import Document
from samebits.config.loading import check_document, read_config_document
from samebits.digests import digest_bytes
from samebits.errors import EXIT_BROKEN_CLAIM, SamebitsError, TrackingError, Undelivered
from samebits.lineage.gaps import list_unrestorable
from samebits.lineage.manifest import SCHEMA, write_lineage
from samebits.numerics.profile import pin_profile
from samebits.project import find_config, find_project_root, is_checkout
from samebits.text import hide_credentials, shorten_list, tell, warn
from samebits.tracking.address import is_http
from samebits.tracking.patience import ServerGone
from samebits.tracking.server import prepare_tracking
from samebits.trust.own_runs import note_own_run
from samebits.voice import choose_voice

_HEADLINE = (
    *("accuracy", "balanced_accuracy", "matthews_corrcoef", "precision", "precision_macro"),
    *("r2", "rmse", "mae", "median_absolute_error"),
)
_REUSE_TRIED = "SAMEBITS_REUSE_TRIED"


def run_train(conf_file: str, reuse: bool = False, quiet: bool = False, strict: bool = False) -> int:
    """Train what a config file says and record it as one run on the tracking server.

    Parameters
    ----------
    reuse
        Hand back the finished run with the same inputs, if there is one whose artifacts still verify, instead of training.
    quiet
        Say nothing of what was read and how far it is.
    strict
        Whether a broken claim of the config's has an exit code of its own.

    Returns
    -------
    int
        The exit code.

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
        if reuse and (found := _hand_back(document, root)) is not None:
            return _choose_exit(found, strict)
        profile = document.value.get("numeric_profile", "portable")
        pin_profile(profile if profile in ("portable", "native") else "portable")
    except SamebitsError as error:
        _report_to_adopted_run(error, root)
        raise
    return _choose_exit(_train_pinned(conf_file, document, root, quiet), strict)


def _choose_exit(lineage: dict[str, Any], strict: bool) -> int:
    """Runs that knew no claims have none that is broken."""
    is_broken = any(not claim["kept"] for claim in lineage["stages"].get("assessment", {}).get("claims", []))
    return EXIT_BROKEN_CLAIM if strict and is_broken else 0


def _hand_back(document: Document, root: Path) -> dict[str, Any] | None:
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
    _print_summary(run_id, lineage, lineage["run"]["experiment_id"])
    warn(f"reused: trained {lineage['run']['started']} from the same inputs; its artifacts verify")
    return lineage


def _train_pinned(conf_file: str, document: Document, root: Path, quiet: bool) -> dict[str, Any]:
    started = datetime.datetime.now(datetime.UTC)
    uri = prepare_tracking(root)
    os.chdir(root)
    sys.path.append(str(root))  # where a project's own modules lie, through whichever door it is run
    from samebits.provenance.code import identify_code
    from samebits.provenance.imports import watch_imports
    from samebits.provenance.patches import list_wanted

    try:
        watch_imports().note_loaded()
        code = identify_code(root, list_wanted(document.value))  # before anything of the user's is imported
        loaded = check_document(document)
    except SamebitsError as error:
        _report_to_adopted_run(error, root)
        raise
    from samebits.delivery.open_run import open_run
    from samebits.delivery.orphans import close_orphans
    from samebits.parcels.packing import pack_training
    from samebits.proof.ledger import enter_ledger
    from samebits.training.stages import list_input_paths
    from samebits.training.training import make_training

    gc.freeze()  # what was imported stays
    gc.enable()
    with open_run(loaded.config.name, conf_file, uri, root, loaded.config.tracking.offline) as run:
        if run.client is not None:
            close_orphans(run.client, root)
        training = make_training(loaded, root, choose_voice(quiet), code)
        lineage = pack_training(run.parcel, training, started, root, _count_looks(run.client, training.stages))
        note_own_run(run.run_id, digest_bytes(write_lineage(lineage)))
        try:
            run_id = run.deliver()
        except Undelivered:
            with contextlib.suppress(BrokenPipeError):  # nobody reads it: that the run waits is what counts
                _print_summary(run.run_id, lineage, None)
            raise
    _print_summary(run_id, lineage, run.parcel.note["experiment_id"])
    _say_changed_blobs(root, list_input_paths(loaded, root)[1:])
    enter_ledger(run.client, run_id, lineage)
    return lineage


def _count_looks(client: Any, stages: dict[str, Any]) -> dict[str, Any] | None:
    """Nothing depends on it: where the server cannot be asked now, it is not said."""
    from samebits.holdings.looks import count_looks
    from samebits.lineage.tracked_values import list_params

    try:
        return (
            None
            if client is None
            else dataclasses.asdict(count_looks(client, stages, list_params({"schema": SCHEMA, "stages": stages})))
        )
    except TrackingError as error:
        warn(f"how often these test rows were looked at is not known: {error}")
        return None


def _list_loose_inputs(lineage: dict[str, Any]) -> list[str]:
    """Return what may be another thing tomorrow under the same name."""
    config = lineage["stages"]["config"]
    name, found = config["file"], []
    if config["resolved"]["data"]["digest"] is None:
        found.append(f"the table is not pinned, so other bytes would be taken too: samebits data pin {name}")
    if lineage["stages"]["code"]["commit"] and Path(name).is_absolute():
        found.append(f"the config {name} lies outside the project, where no commit keeps it; this run does")
    return found


def _say_changed_blobs(root: Path, inputs: list[Path]) -> None:
    from samebits.provenance.blobs import describe_changed_blobs
    from samebits.table.files import list_table_files

    for path in inputs:
        for line in describe_changed_blobs(root, list(list_table_files(path).values())):
            warn(line)


def _name_page(uri: str, experiment_id: str, run_id: str) -> str:
    """Return where a run is looked at: its page on the server, or what serves the store first."""
    page = f"/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"  # else the page for traces opens
    if is_http(uri):
        return uri.rstrip("/") + page
    serve = "uv run just ui" if is_checkout() else f"mlflow server --backend-store-uri {uri}"
    return f"http://127.0.0.1:5000{page} after `{serve}`"


def _report_to_adopted_run(error: SamebitsError, root: Path) -> None:
    """Where `mlflow run` has created the run, say there why nothing was trained; it ends the run by our exit code."""
    if not os.environ.get("MLFLOW_RUN_ID"):
        return
    uri = prepare_tracking(root)
    from samebits.delivery.open_run import fail_adopted_run  # after what MLflow reads as it is imported was set

    fail_adopted_run(os.environ["MLFLOW_RUN_ID"], uri, error)


def _say_assessment(lineage: dict[str, Any]) -> None:
    """Say what the score is worth; a run that was made before this was assessed has nothing of it."""
    from samebits.holdings.looks import Looks
    from samebits.training.claims import describe_claim

    assessment = lineage["stages"].get("assessment")
    if assessment is None:
        return
    metric, interval = assessment["metric"], assessment["uncertainty"]["intervals"].get(assessment["metric"])
    baseline = assessment["baseline"]["metrics"].get(metric)
    parts = [f"{assessment['uncertainty']['confidence']:.0%} interval {interval[0]:.6f} to {interval[1]:.6f}"] if interval else []
    parts += [f"knowing nothing scores {baseline:.6f}"] if baseline is not None else []
    parts += [f"as good in the folds: {', '.join(assessment['as_good'])}"] if assessment["as_good"] else []
    warn(*([f"worth  {metric}: {'; '.join(parts)}"] if parts else []))
    warn(*(f"claim  {describe_claim(claim)}" for claim in assessment["claims"]))
    if looks := lineage.get("looks"):
        warn(f"looks  this run is {Looks(**looks)}")


def _print_summary(run_id: str, lineage: dict[str, Any], experiment_id: str | None) -> None:
    stages, archived = lineage["stages"], lineage["archive"]
    scores = stages["cross_validation"]
    rows, metrics = ("test", stages["metrics"]["test"]) if stages["metrics"]["test"] else ("folds", stages["metrics"]["out_of_fold"])
    tell(f"run    {run_id}")
    tell(f"data   {stages['data']['digest']}")
    tell(f"model  {stages['model']['digest']}  {scores['best']}")
    tell(f"cv     {scores['scoring']} {scores['candidates'][scores['best']]['mean']:.6f}")
    names = dict.fromkeys([name_metric(scores["scoring"]), *_HEADLINE])
    tell(f"{rows:6} " + ", ".join(f"{name} {metrics[name]:.6f}" for name in names if name in metrics))
    _say_assessment(lineage)
    for remark in lineage.get("remarks", []):
        warn(f"remark {remark}")
    uri = hide_credentials(os.environ["MLFLOW_TRACKING_URI"])
    if experiment_id is not None:
        warn(f"see    {_name_page(uri, experiment_id, run_id)}")
    for line in _list_loose_inputs(lineage):
        warn(line)
    if gaps := list_unrestorable(lineage):
        warn(f"cannot be brought back from this run alone: {'; '.join(gaps)}")
    if archived["data"] == "over the cap":
        remedy = "keep a copy by its digest (SAMEBITS_DATA_STORE), or set data.archive: always"
        warn(f"the table is larger than the 50 MB that are archived by themselves: {remedy}")
    if archived["data"] == "changed meanwhile":
        warn("the table was changed during the run and is not archived: put the old one back, and train again")
    if archived["code"] == "over the cap":
        warn("no remote holds the commit, and its bundle is larger than the 50 MB that are archived: push it")
    if changed := stages["code"].get("changed_meanwhile"):
        warn(f"changed while this run trained, and recorded as it was before: {shorten_list(changed)}")
