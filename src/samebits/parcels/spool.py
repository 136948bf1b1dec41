"""The spool: a folder of the user's with one parcel for each run that is not on its server yet, or not completely.

Where that folder has no room, other places serve: the project's own folder, and those for temporary files.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samebits.errors import Problem, TrackingError
from samebits.parcels.parcel import LOCK, NOTE, SCHEMA, VALUES, Parcel, read_note, read_part
from samebits.project import expand_home
from samebits.text import warn

SPOOL_VARIABLE = "SAMEBITS_SPOOL"
FREE_BYTES = 64 << 20  # below which a place is passed over
_OF_PROCESS = ("host", "process")  # in a note
_NOT_CARRIED = {NOTE, VALUES, LOCK, "scratch"}


def find_spool() -> Path:
    """Return the spool that this user's environment names, whether it exists or not.

    Raises
    ------
    TrackingError
        It is named by a relative path.
    """
    if named := os.environ.get(SPOOL_VARIABLE):
        path = expand_home(named)
        if not path.is_absolute():
            remedy = "Write the whole path: a relative one would be another folder for each command."
            raise TrackingError(Problem(SPOOL_VARIABLE, "an absolute path", repr(named), remedy))
        return path
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state and Path(state).is_absolute() else expand_home("~/.local/state")) / "samebits" / "spool"


def list_places(project_root: Path) -> list[Path]:
    """Return the folders in which a parcel may stand, in the order in which they are tried.

    Python's own word for a temporary folder is not asked: it writes into each to find one, and fails on a full disk.
    """
    own_name = f"samebits-{os.getuid()}-spool"
    temporary = [Path(os.environ.get("TMPDIR", "/tmp")), Path("/tmp"), Path("/dev/shm")]
    others = [project_root / ".samebits" / "spool", *(folder / own_name for folder in temporary)]
    return [place for place in dict.fromkeys([find_spool(), *others]) if place.is_absolute()]


def is_of_another(parcel: Parcel, project_root: Path) -> bool:
    """Tell whether another project made a parcel."""
    return parcel.project not in (None, _name_project(project_root))


def _name_project(root: Path) -> str:
    """Return a project's folder as a parcel's note has it, which is UTF-8."""
    return os.fsencode(root).decode("utf-8", "backslashreplace")


def open_parcel(project_root: Path, note: dict[str, Any]) -> Parcel:
    """Begin a parcel in the first place that has room, held by this process.

    Raises
    ------
    TrackingError
        No place takes one.
    """
    reasons = []
    for place in list_places(project_root):
        try:
            parcel = _begin(place, {"project": _name_project(project_root), **note})
        except OSError as error:
            reasons.append(f"{place}: {error.strerror or error}")
            continue
        if reasons:
            warn(f"the run stands in {place}, since there is no room elsewhere: {'; '.join(reasons)}")
        return parcel
    remedy = f"Name a folder with room in {SPOOL_VARIABLE}."
    raise TrackingError(
        Problem("spool", f"a folder with {FREE_BYTES >> 20} MiB free for what the run makes", "; ".join(reasons), remedy)
    )


def _begin(place: Path, note: dict[str, Any]) -> Parcel:
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if place.stat().st_uid != os.getuid() or place.lstat().st_uid != os.getuid():
        raise PermissionError(1, "it is another user's")
    if shutil.disk_usage(place).free < FREE_BYTES:
        raise OSError(28, "no space left")
    if not (place / ".gitignore").exists():  # should it lie in a project: what waits is no change of its code
        (place / ".gitignore").write_text("*\n", encoding="utf-8")
    parcel_id = uuid.uuid4().hex
    folder = place / parcel_id
    folder.mkdir(mode=0o700)
    process = {"host": socket.gethostname(), "process": os.getpid()}
    (folder / LOCK).touch(mode=0o600)
    parcel = Parcel(folder, {"schema": SCHEMA, "parcel_id": parcel_id, "run_id": None, **process, **note})
    try:
        if not parcel.hold():
            raise OSError(37, "no locks to be had")
        parcel.write_note()
    except OSError:
        parcel.let_go()
        raise
    return parcel


def bring_in(folder: Path, project_root: Path) -> Parcel:
    """Copy a parcel that was carried here, from another machine or out of a backup, into the spool; the folder itself stays as it is.

    Raises
    ------
    TrackingError
        It is no whole parcel, or there is no room for it.
    """
    parcel = open_parcel(project_root, {name: value for name, value in read_note(folder / NOTE).items() if name not in _OF_PROCESS})
    try:
        shutil.copytree(folder, parcel.folder, symlinks=True, dirs_exist_ok=True, ignore=lambda _, names: _NOT_CARRIED & set(names))
        parcel.write_values(read_part(folder / VALUES))
    except (OSError, TrackingError) as error:
        parcel.let_go()
        remedy = "Copy the whole folder, as it was in the other spool."
        raise TrackingError(Problem(str(folder), "a parcel that is whole", str(error)[:300], remedy)) from None
    except BaseException:
        parcel.let_go()
        raise
    return parcel


def move_parcel(parcel: Parcel, project_root: Path) -> Iterator[Parcel]:
    """Yield the parcel begun anew in each further place, for what its own had no room for."""
    places = [place for place in list_places(project_root) if place != parcel.folder.parent]
    for place in places:
        with contextlib.suppress(OSError):
            moved = _begin(place, {name: value for name, value in parcel.note.items() if name not in (*_OF_PROCESS, "parcel_id")})
            moved.write_note(parcel_id=parcel.parcel_id)
            yield moved


def list_parcels(project_root: Path) -> list[Parcel]:
    """Return every parcel of this user, the oldest first; what is no parcel is passed over."""
    found = []
    for place in list_places(project_root):
        with contextlib.suppress(OSError):  # as it was passed over when a parcel was begun
            if not place.is_dir() or place.stat().st_uid != os.getuid() or place.lstat().st_uid != os.getuid():
                continue
            for path in sorted(place.glob(f"*/{NOTE}")):
                with contextlib.suppress(TrackingError):
                    found.append(Parcel(path.parent, read_note(path)))
    return sorted(found, key=lambda parcel: str(parcel.note["started"]))


def list_damaged(project_root: Path) -> list[Path]:
    """Return the folders in the spool that hold what a run made, and a note that cannot be read."""
    found = []
    for place in list_places(project_root):
        with contextlib.suppress(OSError):
            found += [path.parent for path in sorted(place.glob(f"*/{VALUES}")) if path.parent.name != "store"]
    known = {parcel.folder for parcel in list_parcels(project_root)}
    return [folder for folder in found if folder not in known]


def find_parcel(project_root: Path, reference: str) -> Parcel | None:
    """Return the parcel that a folder's path, a run's id, or the beginning of either id means; None where there is none.

    Raises
    ------
    TrackingError
        More than one begins so.
    """
    parcels = list_parcels(project_root)
    by_path = [parcel for parcel in parcels if _is_same_folder(parcel.folder, reference)]
    if by_path or len(reference) < 4:
        return next(iter(by_path), None)
    named = [parcel for parcel in parcels if parcel.parcel_id.startswith(reference) or parcel.run_id.startswith(reference)]
    if len(named) > 1:
        seen = ", ".join(parcel.run_id for parcel in named[:5])
        raise TrackingError(Problem(f"run {reference}…", "one waiting run whose id begins so", seen, "Give more digits."))
    return next(iter(named), None)


def _is_same_folder(folder: Path, reference: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return expand_home(reference).samefile(folder)
    return False
