"""The spool: a folder of the user's with one parcel for each run that is not on its server yet, or not completely.

A parcel is a folder. While a process has to do with it, that process holds its lock; a parcel that nobody holds was left by a
process that is gone. What a parcel holds is `parcel`; nothing of it is deleted but by `let_go`, which is called once the server has
all of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebits.bounds import find_excess
from samebits.errors import Problem, TrackingError
from samebits.parcels.forms import are_values, is_note
from samebits.plain_files import read_plain
from samebits.text import warn

SPOOL_VARIABLE = "SAMEBITS_SPOOL"
FREE_BYTES = 64 << 20  # below which a place is passed over
_NOTE = "parcel.json"
_LOCK = "lock"
_VALUES = "values.json"  # written last: a parcel with it is whole
_MOST_BYTES = 64 << 20
_MOST_VALUES, _MOST_LEVELS = 2_000_000, 60


@dataclass
class Parcel:
    """One run's folder in the spool.

    Parameters
    ----------
    note
        What is known of the run before anything is made: ids, experiment, server, process, times; kept on disk by `write_note`.
    is_noted
        Whether it is; not where a copy of the parcel is sent elsewhere.
    """

    folder: Path
    note: dict[str, Any]
    is_noted: bool = True
    _lock: int | None = None

    @property
    def parcel_id(self) -> str:
        """32 hex digits; a run that was made without a server goes by it."""
        return str(self.note["parcel_id"])

    @property
    def run_id(self) -> str:
        """The run's id in its lineage: the server's where there was one when it was made."""
        return str(self.note["run_id"] or self.parcel_id)

    @property
    def is_whole(self) -> bool:
        """Whether everything that the run made is in it."""
        return (self.folder / _VALUES).is_file()

    @property
    def can_be_locked(self) -> bool:
        """Whether its lock is a file, and not something that stands in its place."""
        return (self.folder / _LOCK).is_file() and not (self.folder / _LOCK).is_symlink()

    @property
    def scratch(self) -> Path:
        """A folder for what is thrown away, on the same disk."""
        path = self.folder / "scratch"
        path.mkdir(exist_ok=True)
        return path

    def write_note(self, **changes: Any) -> None:
        """Keep what became known of the run."""
        self.note |= changes
        if self.is_noted:
            _write_whole(self.folder / _NOTE, self.note)

    def write_values(self, values: dict[str, Any]) -> None:
        """Keep what is sent beside files, which makes the parcel whole."""
        _write_whole(self.folder / _VALUES, values)

    def read_values(self) -> dict[str, Any]:
        """Return what is sent beside files.

        Raises
        ------
        TrackingError
            They cannot be read, or are not what a run leaves.
        """
        values = _read(self.folder / _VALUES)
        if not are_values(values):
            raise _describe_damage(self.folder / _VALUES, "another form")
        return values

    def hold(self) -> bool:
        """Take the parcel's lock until this process ends or `release`, and what its note says by now; False where it cannot be had."""
        if self._lock is None:
            try:
                file = os.open(self.folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:  # it is gone, is no file, or is not ours
                return False
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.note = _read_note(self.folder / _NOTE) if (self.folder / _NOTE).exists() else self.note
            except (OSError, TrackingError):
                os.close(file)
                return False
            self._lock = file
        return True

    def turn_to(self, other: Parcel) -> None:
        """Be another parcel from now on, in whose place there was room; this one's own folder goes."""
        former = Parcel(self.folder, self.note, _lock=self._lock)
        self.folder, self.note, self._lock = other.folder, other.note, other._lock
        former.let_go()

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def let_go(self) -> None:
        """Delete the parcel: its server has all of it, or there is nothing in it."""
        (self.folder / _VALUES).unlink(missing_ok=True)  # first, so that what is left of it is never taken for whole
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()


def _write_whole(path: Path, content: dict[str, Any]) -> None:
    """Write a file that is there in full or not at all."""
    scratch = path.with_suffix(".new")
    with scratch.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_plain(path, _MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise _describe_damage(path, str(error)) from None
    if not isinstance(content, dict):
        raise _describe_damage(path, type(content).__name__)
    if excess := find_excess(content, _MOST_VALUES, _MOST_LEVELS):
        raise _describe_damage(path, excess[1])
    return content


def _describe_damage(path: Path, found: str) -> TrackingError:
    return TrackingError(Problem(str(path), "a part of a parcel as a run left it", found, "Delete its folder if it is of no use."))


def find_spool() -> Path:
    """Return the spool that this user's environment names, whether it exists or not.

    Raises
    ------
    TrackingError
        It is named by a relative path.
    """
    if named := os.environ.get(SPOOL_VARIABLE):
        path = Path(named).expanduser()
        if not path.is_absolute():
            remedy = "Write the whole path: a relative one would be another folder for each command."
            raise TrackingError(Problem(SPOOL_VARIABLE, "an absolute path", repr(named), remedy))
        return path
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state and Path(state).is_absolute() else Path("~/.local/state").expanduser()) / "samebits" / "spool"


def list_places(project_root: Path) -> list[Path]:
    """Return the folders in which a parcel may stand, in the order in which they are tried."""
    own_name = f"samebits-{os.getuid()}-spool"
    others = [project_root / ".samebits" / "spool", Path(tempfile.gettempdir()) / own_name, Path("/dev/shm") / own_name]
    return [find_spool(), *others]


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
            parcel = _begin(place, note)
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
    (folder / _LOCK).touch(mode=0o600)
    parcel = Parcel(folder, {"schema": 1, "parcel_id": parcel_id, "run_id": None, **process, **note})
    try:
        if not parcel.hold():
            raise OSError(37, "no locks to be had")
        parcel.write_note()
    except OSError:
        parcel.let_go()
        raise
    return parcel


def move_parcel(parcel: Parcel, project_root: Path) -> Iterator[Parcel]:
    """Yield the parcel begun anew in each further place, for what its own had no room for."""
    places = [place for place in list_places(project_root) if place != parcel.folder.parent]
    for place in places:
        with contextlib.suppress(OSError):
            moved = _begin(place, {name: value for name, value in parcel.note.items() if name not in ("host", "process", "parcel_id")})
            moved.write_note(parcel_id=parcel.parcel_id)
            yield moved


def list_parcels(project_root: Path) -> list[Parcel]:
    """Return every parcel of this user, the oldest first; what is no parcel is passed over."""
    found = []
    for place in dict.fromkeys(list_places(project_root)):
        with contextlib.suppress(OSError):  # as it was passed over when a parcel was begun
            if not place.is_dir() or place.stat().st_uid != os.getuid() or place.lstat().st_uid != os.getuid():
                continue
            for path in sorted(place.glob(f"*/{_NOTE}")):
                with contextlib.suppress(TrackingError):
                    found.append(Parcel(path.parent, _read_note(path)))
    return sorted(found, key=lambda parcel: str(parcel.note["started"]))


def list_damaged(project_root: Path) -> list[Path]:
    """Return the folders in the spool that hold what a run made, and a note that cannot be read."""
    found = []
    for place in dict.fromkeys(list_places(project_root)):
        with contextlib.suppress(OSError):
            found += [path.parent for path in sorted(place.glob(f"*/{_VALUES}")) if path.parent.name != "store"]
    known = {parcel.folder for parcel in list_parcels(project_root)}
    return [folder for folder in found if folder not in known]


def _read_note(path: Path) -> dict[str, Any]:
    note = {"run_id": None, "experiment_id": None, "is_offline": False, **_read(path)}
    if not is_note(note):
        raise _describe_damage(path, "another form")
    return note


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
        return Path(reference).expanduser().samefile(folder)
    return False
