"""Runs whose process is gone: their parcels are held by nobody, and on the server they would stand as RUNNING for ever.

The next command of samebits on the same machine closes them as KILLED. A parcel that holds what a run made stays until it is sent.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from samebits.delivery.open_run import close_run
from samebits.delivery.sending import find_run, name_server
from samebits.errors import SamebitsError
from samebits.parcels.spool import Parcel, list_parcels
from samebits.text import warn


def close_orphans(client: Any, project_root: Path) -> list[str]:
    """Close every run of this server whose process on this machine is gone, and return their ids.

    What cannot be closed now is left for the next time: nothing is raised, since it is not what was asked for.
    """
    closed = []
    for parcel in list_parcels(project_root):
        server = parcel.note.get("server")
        if server is None and not parcel.is_whole:  # of a process that ended before it asked any
            if parcel.hold():
                parcel.let_go()
        elif server == name_server(client) and not parcel.note.get("is_closed"):
            with contextlib.suppress(SamebitsError, OSError):
                closed += _close(client, parcel)
    for run_id in closed:
        warn(f"run {run_id} was left by a process that is gone: closed")
    return closed


def _close(client: Any, parcel: Parcel) -> list[str]:
    if not parcel.hold():  # somebody is at it
        return []
    try:
        run = find_run(client, parcel)
        is_running = run is not None and run.info.status == "RUNNING"
        if run is not None and is_running and not close_run(client, run.info.run_id, *_describe(parcel), text=None):
            return []
        if parcel.is_whole:
            parcel.write_note(is_closed=True)
        else:
            parcel.let_go()
        return [str(run.info.run_id)] if run is not None and is_running else []
    finally:
        parcel.release()


def _describe(parcel: Parcel) -> tuple[str, str]:
    """Return the status in which a run that was left ends, and why."""
    where = f"process {parcel.note.get('process')} on {parcel.note.get('host')}"
    kept = f" What it made waits there: samebits push {parcel.run_id}." if parcel.is_whole else ""
    reason = str(parcel.note.get("reason") or f"Its {where} ended without a word.")
    return str(parcel.note.get("ended") or "KILLED"), f"{reason}{kept}"
