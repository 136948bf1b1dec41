"""`samebits push [RUN|FOLDER]`: delivers what waits in the spool, each run exactly once."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from samebits.delivery.offline import forget_store
from samebits.digests import digest_bytes
from samebits.errors import Problem, TrackingError, Undelivered
from samebits.lineage.manifest import FILE_NAME
from samebits.parcels.parcel import LOCK, NOTE, Parcel, read_note
from samebits.parcels.spool import bring_in, find_parcel, is_of_another, list_parcels
from samebits.plain_files import is_plain
from samebits.project import expand_home, find_project_root
from samebits.text import hide_credentials, tell, warn
from samebits.tracking.greeting import check_server
from samebits.tracking.server import make_client, prepare_tracking
from samebits.trust.own_runs import is_own_run

_TRIES, _PAUSE_SECONDS = 20, 0.1


def run_push(reference: str | None) -> None:
    """Deliver one waiting run, or every one of this project's that was made for this server or for none.

    Raises
    ------
    TrackingError
        No such run waits, or another process is at it.
    Undelivered
        The server did not take all of it; what is left waits on.
    """
    root = find_project_root()
    chosen = [_find(root, reference)] if reference else None
    uri = prepare_tracking(root)
    os.chdir(root)
    parcels = chosen or [parcel for parcel in list_parcels(root) if parcel.holds_work]
    if not parcels:
        tell("nothing waits")
        return
    client = _connect(uri, parcels)
    from samebits.delivery.orphans import close_orphans  # after what MLflow reads as it is imported was set

    close_orphans(client, root)
    failures = [problem for parcel in parcels for problem in _push(client, parcel, root if chosen is None else None)]
    forget_store([parcel.folder.parent for parcel in parcels])
    if failures:
        raise Undelivered(*failures)


def _find(root: Path, reference: str) -> Parcel:
    parcel = find_parcel(root, reference) or _bring_in(root, reference)
    if parcel is None:
        remedy = "`samebits status` lists what waits; what is delivered is no longer there."
        raise TrackingError(Problem(f"run {reference!r}", "a run that waits in the spool", "none", remedy))
    if not parcel.holds_work:
        raise TrackingError(
            Problem(f"run {parcel.run_id}", "a run that is made", "one that is not, or was left", "samebits status --close")
        )
    return parcel


def _bring_in(root: Path, reference: str) -> Parcel | None:
    """A folder that was carried here is the run that waits under its id, if that one does already."""
    folder = expand_home(reference)
    if not is_plain(folder / NOTE):
        return None
    parcel_id = read_note(folder / NOTE)["parcel_id"]
    return find_parcel(root, parcel_id) or bring_in(folder, root)


def _connect(uri: str, parcels: list[Parcel]) -> Any:
    from samebits.delivery.open_run import describe_waiting, name_obstacle

    try:
        check_server(uri)
        return make_client(uri)
    except TrackingError as error:
        raise Undelivered(*(describe_waiting(parcel, name_obstacle(error)) for parcel in parcels)) from None


def _push(client: Any, parcel: Parcel, root: Path | None) -> list[Problem]:
    """Deliver a parcel, and return what stood in the way.

    Parameters
    ----------
    root
        The project whose runs are meant; None where the parcel itself was named.
    """
    from samebits.delivery.open_run import describe_waiting, name_obstacle
    from samebits.delivery.sending import send_parcel
    from samebits.proof.ledger import enter_ledger
    from samebits.registry.registration import say_registration

    made_for, here = parcel.note.get("server"), hide_credentials(client.tracking_uri)
    if root is not None and (elsewhere := _name_other(parcel, root, here)):
        warn(f"run {parcel.run_id} was made {elsewhere}: to send it here, name it")
        return []
    if not _take(parcel):
        return _explain_held(parcel, is_chosen=root is None)
    try:
        if made_for not in (None, here) and parcel.note.get("server_run_id"):
            warn(f"run {parcel.note['server_run_id']} on {made_for} is not closed by this")
        run_id = send_parcel(client, parcel)
        content = (parcel.folder / FILE_NAME).read_bytes()
        lineage = json.loads(content)
        parcel.let_go()
    except (TrackingError, OSError, ValueError) as error:
        return [describe_waiting(parcel, name_obstacle(error))]
    finally:
        parcel.release()
    with contextlib.suppress(BrokenPipeError):  # nobody reads it: it is registered all the same
        tell(f"run    {run_id}" + (f"  made as {parcel.run_id}" if run_id != parcel.run_id else ""))
    if is_own_run(str(lineage["run"].get("run_id")), digest_bytes(content)):
        with contextlib.suppress(BrokenPipeError):
            say_registration(client, run_id, lineage)
    elif (lineage["stages"]["config"]["resolved"].get("registry") or {}).get("name") is not None:
        warn(f"not registered, since this user did not make it here: samebits register {run_id}")
    enter_ledger(client, run_id, lineage)
    return []


def _name_other(parcel: Parcel, root: Path, server: str) -> str | None:
    """Return for which other server, or in which other project, a parcel was made."""
    if parcel.note.get("server") not in (None, server):
        return f"for {parcel.note['server']}"
    return f"in {parcel.project}" if is_of_another(parcel, root) else None


def _explain_held(parcel: Parcel, is_chosen: bool) -> list[Problem]:
    """Return why a parcel cannot be had: one that nobody named, and that is being made or sent just now, is no problem."""
    if parcel.folder.exists() and not parcel.can_be_locked:
        remedy = "Make an empty file of it, and push again."
        return [Problem(str(parcel.folder / LOCK), "a plain file", "none, or something else", remedy)]
    if not is_chosen or not parcel.folder.exists():
        return []
    return [Problem(f"run {parcel.run_id}", "a parcel that nobody is at", "another process that has it", "Wait for that one.")]


def _take(parcel: Parcel) -> bool:
    """Wait a little for whoever only looks at a parcel."""
    for _ in range(_TRIES):
        if parcel.hold():
            return True
        time.sleep(_PAUSE_SECONDS)
    return False
