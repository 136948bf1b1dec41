"""`samebits status`: lists what waits in the spool; with `--close`, ends runs on the server whose process is gone."""

from __future__ import annotations

import contextlib
from pathlib import Path

from samebits.parcels.parcel import LOCK, Parcel
from samebits.parcels.spool import is_of_another, list_damaged, list_parcels
from samebits.project import find_project_root
from samebits.text import tell, warn
from samebits.tracking.server import connect


def run_status(is_closing: bool) -> None:
    """Print each run in the spool: whether it is being made, waits, or was left, since when, for which server, and where.

    Parameters
    ----------
    is_closing
        Also close, as KILLED, every run of this server whose process on this machine is gone.

    Raises
    ------
    TrackingError
        The server cannot be asked to close them.
    """
    root = find_project_root()
    if is_closing:
        client = connect(root)
        from samebits.delivery.orphans import close_orphans  # after what MLflow reads as it is imported was set

        close_orphans(client, root)
    parcels = list_parcels(root)
    for parcel in parcels:
        tell(*_describe(parcel, root))
    for folder in list_damaged(root):
        warn(f"{folder}: what a run made stands there, and its parcel.json cannot be read")
    if not parcels:
        tell("nothing waits")


def _describe(parcel: Parcel, root: Path) -> list[str]:
    is_free = parcel.hold()
    parcel.release()
    if not is_free and not parcel.can_be_locked:
        state = f"cannot be held: make an empty file of {parcel.folder / LOCK}"
    elif not is_free:
        state = f"made or sent now by process {parcel.note.get('process')} on {parcel.note.get('host')}"
    elif parcel.is_whole:
        state = f"waits: samebits push {parcel.run_id}"
    elif parcel.holds_work:
        state = "is damaged: values.json is gone; put it back from a backup, or delete the folder"
    else:
        state = f"left unfinished on {parcel.note.get('host')}: there, samebits status --close"
    size = 0
    with contextlib.suppress(OSError):  # it may be sent, and gone, at this moment
        size = sum(path.stat().st_size for path in parcel.folder.rglob("*") if path.is_file())
    server = parcel.note.get("server") or "any server"
    project = f"of {parcel.project}  " if is_of_another(parcel, root) else ""
    facts = (
        f"{parcel.note.get('started')}  {project}{parcel.note.get('conf_file')}  for {server}  {size / 1e6:.1f} MB  {parcel.folder}"
    )
    return [f"run    {parcel.run_id}  {state}", f"       {facts}"]
