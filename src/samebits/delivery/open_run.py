"""A run that stands as RUNNING on the server, with its parcel in the spool, until it is closed: FINISHED, FAILED or KILLED.

It is opened before anything is trained, so that what cannot be recorded is said at once, and closed in the order that counts: first
the status, then the words. Without a server it has the parcel alone.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import tempfile
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from samebits.delivery.nested import close_candidates
from samebits.delivery.preflight import check_limits, check_store
from samebits.delivery.sending import create_run, find_run, list_first_tags, send_parcel
from samebits.errors import Interrupted, Problem, SamebitsError, TrackingError, Undelivered
from samebits.holdings.artifacts import send_artifact
from samebits.holdings.runs import PARCEL_TAG
from samebits.lineage.standing import NOTE_TAG
from samebits.parcels.parcel import Parcel
from samebits.parcels.spool import list_parcels, open_parcel
from samebits.signals import ignore_signals
from samebits.text import clean_lines, escape_markdown, hide_credentials, warn
from samebits.tracking.address import find_scheme, is_remote
from samebits.tracking.greeting import check_server
from samebits.tracking.patience import PATIENCE, SILENCE_SECONDS, UNHEARD, ServerGone, hurried
from samebits.tracking.server import MAX_TAG_LENGTH, explain_failures, make_client, set_tags

HEARTBEAT_SECONDS = 60.0


@dataclass(frozen=True)
class Place:
    """Where a run stands that is one of several below another.

    Parameters
    ----------
    experiment_id
        Of the run above it; None where that has no server.
    tags
        Which it has from its beginning on.
    """

    run_name: str
    experiment_id: str | None
    tags: dict[str, str]


class OpenRun:
    """A run that is being made.

    Parameters
    ----------
    client
        None where the run is made without a server.
    """

    def __init__(self, client: Any, parcel: Parcel) -> None:
        self.client = client
        self.parcel = parcel
        self.is_delivered = False
        self._is_over = threading.Event()

    @property
    def run_id(self) -> str:
        """Its id on the server, or else its parcel's."""
        return self.parcel.run_id

    def __enter__(self) -> Self:
        if self.client is not None:
            threading.Thread(target=self._beat, name=UNHEARD, daemon=True).start()
        return self

    def deliver(self) -> str:
        """Send what the run made, let the parcel go, and return the run's id on the server.

        Raises
        ------
        Undelivered
            No server is to be asked, or it did not take everything; the parcel waits.
        """
        try:
            if self.parcel.note["is_offline"]:
                raise Undelivered(describe_waiting(self.parcel, "tracking.offline: true"))
            self.client = self._find_client()
            run_id = send_parcel(self.client, self.parcel)
        except Undelivered:
            raise
        except (TrackingError, OSError) as error:
            raise Undelivered(describe_waiting(self.parcel, name_obstacle(error))) from None
        self.is_delivered = True
        self.parcel.let_go()
        return run_id

    def complete(self, send: Callable[[Any, str], None]) -> str:
        """Close a run that is told of others: what it has is in no parcel, and can be made of them again. Return its id on the server.

        Parameters
        ----------
        send
            Called with the client and the run's id; sends all of it, and closes the run.

        Raises
        ------
        Undelivered
            There is no server, or it did not take everything.
        """
        remedy = "What it is made of is kept: run the same command again."
        try:
            if self.client is None:
                raise Undelivered(Problem(f"run {self.run_id}", "a server that takes it", "none", remedy))
            send(self.client, self.run_id)
        except Undelivered:
            raise
        except (TrackingError, OSError) as error:
            raise Undelivered(Problem(f"run {self.run_id}", "a server that takes it", name_obstacle(error), remedy)) from None
        self.is_delivered = True
        self.parcel.let_go()
        return self.run_id

    def _find_client(self) -> Any:
        """A server that was silent when the run began may be there when it ends."""
        if PATIENCE.is_gone:
            PATIENCE.renew()
            check_server(os.environ["MLFLOW_TRACKING_URI"])
        client = self.client or make_client(os.environ["MLFLOW_TRACKING_URI"])
        if (adopted := self.parcel.note.get("wanted_run_id")) and self.parcel.note.get("server_run_id") is None:
            run = _adopt(client, adopted, self.parcel)
            self.parcel.write_note(server_run_id=run.info.run_id)
        return client

    def _beat(self) -> None:
        """Say on the server, now and then, that the run is alive; nothing depends on it."""
        while not self._is_over.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(Exception):
                now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
                self.client.set_tag(self.parcel.note["server_run_id"], "heartbeat", now)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_over.set()
        if error is not None and not self.is_delivered:
            ignore_signals()  # a second one must not stop what the first one asked for
            self._close(_name_status(error), error, *_describe(error))
        self.parcel.release()

    def _close(self, status: str, error: BaseException, reason: str, text: str) -> None:
        """End the run, and let its parcel go where it holds nothing; where the server cannot be told, the parcel says so later."""
        run_id = self.parcel.note.get("server_run_id")
        if PATIENCE.is_gone and self.parcel.note.get("is_store_apart"):
            PATIENCE.renew()  # it may have been the store that was silent, and not the server
        is_whole = self.parcel.is_whole
        is_told = self.client is None or (
            run_id is not None and close_run(self.client, run_id, status, reason, None if is_whole else text)
        )
        if not is_told:
            with contextlib.suppress(OSError):
                self.parcel.write_note(ended=status, reason=reason)
        elif is_whole and self.client is not None and run_id is not None:
            close_candidates(self.client, self.parcel, str(self.parcel.note["experiment_id"]))
        if is_told and run_id is not None and not is_whole and status == "KILLED":
            warn(f"run {run_id} ended as KILLED")
        if is_whole and not isinstance(error, Undelivered):
            warn(str(describe_waiting(self.parcel, "the end of this process before it was sent")))
        elif is_told and not is_whole:
            self.parcel.let_go()


def _describe(error: BaseException) -> tuple[str, str]:
    """Return why a run ended, in a sentence and in full."""
    is_bug = not isinstance(error, SamebitsError | Interrupted | KeyboardInterrupt)
    reason = f"{type(error).__name__}: {error}" if is_bug else str(error) or "stopped from the keyboard"
    return reason, "".join(traceback.format_exception(error)) if is_bug else reason + "\n"


def name_obstacle(error: Exception) -> str:
    """Return what stood in a delivery's way: of a server what came of asking it, of anything else also what it is."""
    if not isinstance(error, TrackingError):
        return str(error)
    problem = error.problems[0]
    is_of_server = isinstance(error, ServerGone) or problem.where == hide_credentials(os.environ.get("MLFLOW_TRACKING_URI", ""))
    return problem.found if is_of_server else f"{problem.where}: {problem.found}"


def describe_waiting(parcel: Parcel, reason: str) -> Problem:
    """Return why a run that is made is not on the server, and how it comes there."""
    remedy = f"What it made waits in {parcel.folder}: samebits push {parcel.run_id}"
    return Problem(f"run {parcel.run_id}", "a server that takes it", reason, remedy)


def close_run(client: Any, run_id: str, status: str, reason: str, text: str | None) -> bool:
    """End a run on the server, the status first, and tell whether the server took that; the words are added where it takes them too.

    Parameters
    ----------
    text
        Why, in full, for a file among the run's artifacts; None where the run may still be completed.
    """
    if PATIENCE.is_gone:
        return False
    with hurried():
        try:
            explain_failures("close the run", lambda: client.set_terminated(run_id, status))
        except TrackingError:
            return False
        # The error that ended the run is the one to report, not that there was no room for its words.
        with contextlib.suppress(TrackingError):
            note = f"**{status}.** {escape_markdown(reason)}"
            set_tags(client, run_id, {NOTE_TAG: note[:MAX_TAG_LENGTH]})
        if text is not None:
            with contextlib.suppress(TrackingError, OSError), tempfile.TemporaryDirectory(prefix="samebits-failure-") as folder:
                path = Path(folder, "failure.txt")
                path.write_text("\n".join(clean_lines(text)), encoding="utf-8")
                send_artifact(client, run_id, path)
    return True


def open_run(
    experiment_name: str, conf_file: str, uri: str, project_root: Path, is_offline: bool = False, place: Place | None = None
) -> OpenRun:
    """Adopt the run that `mlflow run` created, or create one in the experiment that the environment or the config names.

    Where no server answers, the run is opened without one: what it makes waits in the spool.

    Parameters
    ----------
    is_offline
        The config wants no server to be asked.
    place
        Of one of several runs, which is made anew in any case.

    Raises
    ------
    TrackingError
        There is no such run or experiment, the run is not empty, or the server or its store cannot take a run.
    """
    check_limits()
    server = None if is_offline else hide_credentials(uri)
    parcel = open_parcel(project_root, {**_note_run(experiment_name, conf_file, is_offline), **_note_place(place), "server": server})
    client = None
    try:
        if not is_offline:
            check_server(uri)
            client = make_client(uri)
            _stand_on_server(client, parcel)
        return OpenRun(client, parcel)
    except ServerGone as error:
        PATIENCE.is_gone = True
        warn(*error.list_sentences(), f"training without it: what the run makes will wait in {parcel.folder}")
        return OpenRun(client, parcel)
    except BaseException as error:
        ignore_signals()
        _give_up(client, parcel, error)
        raise


def _give_up(client: Any, parcel: Parcel, error: BaseException) -> None:
    """End what may stand on the server of a run that was not opened to the end: the answer to its creation may not have come."""
    status, (reason, _) = _name_status(error), _describe(error)
    if client is not None:
        with contextlib.suppress(SamebitsError, OSError):
            parcel.write_note(ended=status, reason=reason)
        try:
            with hurried():
                run = find_run(client, parcel)
        except SamebitsError:
            parcel.release()
            return
        is_running = run is not None and run.info.status == "RUNNING"
        is_on_its_way = run is None and parcel.note.get("is_asked")  # it may be made after nobody waits for the answer
        if is_on_its_way or (run is not None and is_running and not close_run(client, run.info.run_id, status, reason, None)):
            parcel.release()
            return
    parcel.let_go()


def fail_adopted_run(run_id: str, uri: str, error: SamebitsError) -> None:
    """Say on a run that somebody created for this process why nothing is trained; where that cannot be said, it is not."""
    with contextlib.suppress(SamebitsError):
        check_server(uri)
        client = make_client(uri)
        _take_empty(client, run_id)
        close_run(client, run_id, "FAILED", str(error), f"{error}\n")


def _name_status(error: BaseException) -> str:
    return "KILLED" if isinstance(error, Interrupted | KeyboardInterrupt) else "FAILED"


def _note_run(experiment_name: str, conf_file: str, is_offline: bool) -> dict[str, Any]:
    return {
        "conf_file": conf_file,
        "experiment_name": os.environ.get("MLFLOW_EXPERIMENT_NAME") or experiment_name,
        "wanted_experiment_id": os.environ.get("MLFLOW_EXPERIMENT_ID"),
        "experiment_id": None,
        "wanted_run_id": None if is_offline else os.environ.get("MLFLOW_RUN_ID"),
        "run_name": os.environ.get("MLFLOW_RUN_NAME"),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "is_offline": is_offline,
    }


def _note_place(place: Place | None) -> dict[str, Any]:
    if place is None:
        return {}
    wanted = {"wanted_experiment_id": place.experiment_id} if place.experiment_id is not None else {}
    return {"wanted_run_id": None, "run_name": place.run_name, "tags": place.tags, **wanted}


def _stand_on_server(client: Any, parcel: Parcel) -> None:
    """Have a run on the server that is this parcel's, and a store that takes its files."""
    adopted = parcel.note["wanted_run_id"]
    run = _adopt(client, adopted, parcel) if adopted else create_run(client, parcel)
    info = run.info
    is_store_apart = is_remote(info.artifact_uri) and find_scheme(info.artifact_uri) != "mlflow-artifacts"
    known = {"server_run_id": info.run_id, "run_id": info.run_id, "experiment_id": info.experiment_id}
    parcel.write_note(**known, is_store_apart=is_store_apart)
    try:
        experiment = explain_failures("find the run's experiment", lambda: client.get_experiment(info.experiment_id))
        if is_remote(experiment.artifact_location):
            PATIENCE.limit_seconds = min(PATIENCE.limit_seconds, SILENCE_SECONDS)  # a local database may have its files in a bucket
        check_store(experiment.artifact_location, client.tracking_uri, parcel.scratch)
    except ServerGone:
        raise
    except TrackingError as error:
        close_run(client, info.run_id, "FAILED", str(error), None)
        raise


def _adopt(client: Any, run_id: str, parcel: Parcel) -> Any:
    """Take a run over that somebody created for this process, unless something stands in it already, or another has taken it."""
    run = _take_empty(client, run_id)
    if (given := run.data.params.get("conf_file", parcel.note["conf_file"])) != parcel.note["conf_file"]:
        raise _refuse_adoption(run_id, f"one that was made for {given}")
    owner = run.data.tags.get(PARCEL_TAG)
    if owner not in (None, parcel.parcel_id) and not _is_left(owner, parcel):
        raise _refuse_adoption(run_id, "one that another process has taken")
    set_tags(client, run_id, {name: value for name, value in list_first_tags(parcel).items() if not name.startswith("mlflow.")})
    run = explain_failures(f"find run {run_id}", lambda: client.get_run(run_id))
    if run.data.tags.get(PARCEL_TAG) != parcel.parcel_id:
        raise _refuse_adoption(run_id, "one that another process has taken just now")
    return run


def _take_empty(client: Any, run_id: str) -> Any:
    run = explain_failures(f"find run {run_id} (MLFLOW_RUN_ID)", lambda: client.get_run(run_id))
    holds = " and holds another training" if _holds_training(run) else ""
    if run.info.lifecycle_stage != "active":
        raise _refuse_adoption(run_id, "one that was deleted")
    if run.info.status != "RUNNING" or holds:
        raise _refuse_adoption(run_id, f"one that is {run.info.status}{holds}")
    return run


def _holds_training(run: Any) -> bool:
    """A param cannot be changed: any but that of `mlflow run` would be found in the way when the training is done."""
    has_links = (run.outputs and run.outputs.model_outputs) or (run.inputs and run.inputs.dataset_inputs)
    return bool(run.data.metrics or has_links or run.data.params.keys() - {"conf_file"})


def _is_left(owner: str, parcel: Parcel) -> bool:
    """Tell whether the process that had taken a run is gone from this machine, having made nothing: as when a job is started again."""
    parcels = [other for other in list_parcels(Path(parcel.project or ".")) if other.parcel_id == owner]
    if not parcels or parcels[0].holds_work or not parcels[0].hold():
        return False
    parcels[0].let_go()
    return True


def _refuse_adoption(run_id: str, found: str) -> TrackingError:
    remedy = "Unset MLFLOW_RUN_ID: it is another run's."
    return TrackingError(Problem(f"run {run_id} (MLFLOW_RUN_ID)", "a run that is RUNNING and empty", found, remedy))
