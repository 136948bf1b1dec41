"""Which windows of a backtest are there already, so that none is trained twice: finished on the server, or waiting in the spool.

A window is found by the digest of its request, as `train --reuse` finds a run, and held to its record before it counts.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from samebits.delivery.sending import send_parcel
from samebits.errors import LineageError, TrackingError
from samebits.holdings.runs import PARENT_TAG, WINDOW_TAG
from samebits.lineage.manifest import FILE_NAME, MAX_BYTES, read_lineage
from samebits.parcels.parcel import Parcel
from samebits.parcels.spool import is_of_another, list_parcels
from samebits.plain_files import read_plain
from samebits.proof.ledger import enter_ledger
from samebits.proof.reuse import find_finished_run
from samebits.text import hide_credentials, warn
from samebits.tracking.patience import PATIENCE, ServerGone
from samebits.tracking.server import explain_failures, set_tags

Found = tuple[str, dict[str, Any], bool]  # a run's id, its lineage, and whether it waits for its server


def find_window(client: Any, root: Path, request_digest: str, parent_id: str | None) -> Found | None:
    """Return the run of a window that was made before; None where there is none.

    One that waits is sent where there is a server. One whose backtest never came to its end is this one's from now on.

    Parameters
    ----------
    client
        None where there is no server.
    parent_id
        Of the run that tells of this backtest.

    Raises
    ------
    TrackingError
        The server answers, and cannot be searched.
    """
    has_server = client is not None and not PATIENCE.is_gone
    try:
        found = find_finished_run(client, request_digest) if has_server else None
    except ServerGone as error:
        warn(f"window not looked for on the server: {error}")
        found, has_server = None, False
    if found is None:
        waiting = _find_waiting(root, request_digest, client)
        if waiting is None:
            return None
        parcel, lineage = waiting
        run_id = _deliver(client, parcel, lineage) if has_server else None
        if run_id is None:
            return parcel.run_id, lineage, True
        found = run_id, lineage
    run_id, lineage = found
    if parent_id is not None:
        _take_over(client, run_id, parent_id)
    return run_id, lineage, False


def _find_waiting(root: Path, request_digest: str, client: Any) -> tuple[Parcel, dict[str, Any]] | None:
    places = (None, hide_credentials(client.tracking_uri)) if client is not None else None
    for parcel in list_parcels(root):
        if not parcel.is_whole or is_of_another(parcel, root) or (places is not None and parcel.note.get("server") not in places):
            continue
        with contextlib.suppress(OSError, LineageError):
            path = parcel.folder / FILE_NAME
            lineage = read_lineage(read_plain(path, MAX_BYTES), str(path))
            if lineage.get("request_digest") == request_digest:
                return parcel, lineage
    return None


def _deliver(client: Any, parcel: Parcel, lineage: dict[str, Any]) -> str | None:
    """Send a parcel, and return its run's id on the server; None where it waits on, since the server or another process has it so."""
    if not parcel.hold():
        return None
    try:
        run_id = send_parcel(client, parcel)
        parcel.let_go()
    except (TrackingError, OSError) as error:
        warn(f"run {parcel.run_id} waits on: {error}")
        return None
    finally:
        parcel.release()
    enter_ledger(client, run_id, lineage)
    return run_id


def _take_over(client: Any, run_id: str, parent_id: str) -> None:
    """Nest a window below this backtest, unless it was no window, or the backtest that it was made for was finished."""
    tags = explain_failures(f"find run {run_id}", lambda: client.get_run(run_id)).data.tags
    former = tags.get(PARENT_TAG)
    if WINDOW_TAG not in tags or former == parent_id:
        return
    status = None
    if former is not None:
        with contextlib.suppress(TrackingError):  # it may be gone
            status = explain_failures(f"find run {former}", lambda: client.get_run(former)).info.status
    if status != "FINISHED":
        set_tags(client, run_id, {PARENT_TAG: parent_id})
