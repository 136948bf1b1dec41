"""Proof before delivery: a waiting parcel is recorded in a store of its own, and verified, reproduced and compared there like any run.

The store is a real one (SQLite and a folder beside the spool), so that nothing is judged otherwise than on a server. What is proved
there stays there.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from samebits.parcels.parcel import Parcel
from samebits.parcels.spool import find_parcel, list_parcels
from samebits.text import shorten_list, warn
from samebits.tracking.address import name_database
from samebits.tracking.server import connect, make_client, prepare_tracking

_FOLDER = "store"


def connect_for(reference: str, project_root: Path) -> tuple[Any, str]:
    """Return the client of the server or store that has the run which a user's words mean, and the words that mean it there.

    Raises
    ------
    TrackingError
        The server cannot be reached, or the words mean more than one waiting run.
    """
    parcel = find_parcel(project_root, reference)
    if parcel is None or not parcel.is_whole:
        client = connect(project_root)
        from samebits.delivery.orphans import close_orphans  # after what MLflow reads as it is imported was set

        close_orphans(client, project_root)
        if reference == "latest":
            _name_waiting(project_root)
        return client, reference
    prepare_tracking(project_root)
    os.chdir(project_root)
    folder = parcel.folder.parent / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    client = make_client(name_database(folder / "mlflow.db"))
    return client, _record(client, parcel)


def _name_waiting(project_root: Path) -> None:
    """What waits is no run of the server's, be it later than the latest."""
    if waiting := [parcel.run_id for parcel in list_parcels(project_root) if parcel.is_whole]:
        warn(f"latest is the last run on the server; there wait: {shorten_list(waiting)}; name one, or deliver it: samebits push")


def forget_store(places: Iterable[Path]) -> None:
    """Delete the store beside a spool in which nothing waits any more."""
    for place in set(places):
        if not any(place.glob("*/values.json")):
            shutil.rmtree(place / _FOLDER, ignore_errors=True)


def _record(client: Any, parcel: Parcel) -> str:
    """Have a parcel's run in its store, and return the run's id there; the parcel itself learns nothing of it."""
    from samebits.delivery.sending import find_run, send_parcel

    elsewhere = {"server": None, "server_run_id": None, "is_sent": False, "wanted_experiment_id": None}
    copy = dataclasses.replace(parcel, note={**parcel.note, **elsewhere}, is_noted=False)
    with (parcel.folder.parent / _FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two that ask for the same run are one after the other
        run = find_run(client, copy)
        if run is not None and run.info.status == "FINISHED":
            return str(run.info.run_id)
        copy.write_note(is_sent=run is not None)
        return send_parcel(client, copy)
