"""Runs whose process is gone: their parcels are held by nobody, and on the server they would stand as RUNNING for ever.

The next command of samebits on the same machine closes them as KILLED. A parcel that holds what a run made stays until it is sent.
"""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path
from typing import Any

from samebits.delivery.nested import close_candidates
from samebits.delivery.open_run import close_run
from samebits.delivery.sending import find_run, name_server
from samebits.errors import SamebitsError
from samebits.holdings.runs import PARCEL_TAG
from samebits.parcels.parcel import NOTE, Parcel
from samebits.parcels.spool import list_parcels
from samebits.text import warn

_ANSWER_SECONDS = 600.0  # after which a request that was on its way will have come through, or never


def close_orphans(client: Any, project_root: Path) -> list[str]:
    """Close every run of this server whose process on this machine is gone, and return their ids.

    What cannot be closed now is left for the next time: nothing is raised, since it is not what was asked for.
    """
    closed = []
    for parcel in list_parcels(project_root):
        if parcel.note["host"] == socket.gethostname():  # a spool that machines share says nothing of another's processes
            with contextlib.suppress(SamebitsError, OSError):
                closed += _close(client, parcel)
    for run_id in closed:
        warn(f"run {run_id} was left by a process that is gone: closed")
    return closed


def _close(client: Any, parcel: Parcel) -> list[str]:
    if parcel.note.get("server") not in (None, name_server(client)) or not parcel.hold():  # another server's, or somebody is at it
        return []
    try:
        if parcel.note.get("is_closed"):
            return []
        if parcel.note.get("server") is None:  # no server was asked
            _forget(parcel)
            return []
        run = find_run(client, parcel)
        if run is None and parcel.note.get("is_asked") and _is_recent(parcel):  # the server may still be at it
            return []
        is_ours = run is not None and run.data.tags.get(PARCEL_TAG) == parcel.parcel_id
        is_running = run is not None and is_ours and run.info.status == "RUNNING"
        if run is not None and is_running and not close_run(client, run.info.run_id, *_describe(parcel), text=None):
            return []
        if run is not None and is_ours and parcel.is_whole:
            close_candidates(client, parcel, run.info.experiment_id)
        _forget(parcel)
        return [str(run.info.run_id)] if run is not None and is_running else []
    finally:
        parcel.release()


def _forget(parcel: Parcel) -> None:
    """What a run made stays until it is sent."""
    if parcel.holds_work:
        parcel.write_note(is_closed=True)
    else:
        parcel.let_go()


def _is_recent(parcel: Parcel) -> bool:
    age_seconds = time.time() - (parcel.folder / NOTE).stat().st_mtime
    return age_seconds < _ANSWER_SECONDS


def _describe(parcel: Parcel) -> tuple[str, str]:
    """Return the status in which a run that was left ends, and why."""
    where = f"process {parcel.note.get('process')} on {parcel.note.get('host')}"
    kept = f" What it made waits there: samebits push {parcel.run_id}." if parcel.is_whole else ""
    reason = str(parcel.note.get("reason") or f"Its {where} ended without a word.")
    return str(parcel.note.get("ended") or "KILLED"), f"{reason}{kept}"
