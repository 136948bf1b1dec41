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
import re
import shutil
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebits.errors import Problem, TrackingError
from samebits.plain_files import read_plain
from samebits.project import expand_home
from samebits.text import warn

SPOOL_VARIABLE = "SAMEBITS_SPOOL"
FREE_BYTES = 64 << 20  # below which a place is passed over
SCHEMA = 1  # of what is in a parcel
NOTE = "parcel.json"
_LOCK = "lock"
_VALUES = "values.json"  # written last: a parcel with it is whole
_VALUES_FORM = {"params": dict, "metrics": list, "tags": dict, "dataset": dict, "model_tags": dict, "started": int, "ended": int}
_OF_PROCESS = ("host", "process")  # in a note
_NOT_CARRIED = {NOTE, _VALUES, _LOCK, "scratch"}
_DATASET_NAMES = {"name", "digest", "source_type", "source", "schema", "profile"}
_NOTE_FORM = {"parcel_id": str, "experiment_name": str, "conf_file": str, "started": str, "host": str, "process": int}
_MOST_BYTES = 64 << 20


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
            _write_whole(self.folder / NOTE, self.note)

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
        if (schema := values.get("schema", SCHEMA)) != SCHEMA:
            remedy = "Send it with the samebits that made it, or a later one."
            raise TrackingError(Problem(str(self.folder / _VALUES), f"a parcel of schema {SCHEMA}", f"schema {schema!r}", remedy))
        if not all(isinstance(values.get(name), kind) for name, kind in _VALUES_FORM.items()) or not _are_plain(values):
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
                self.note = read_note(self.folder / NOTE) if (self.folder / NOTE).exists() else self.note
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


def _are_plain(values: dict[str, Any]) -> bool:
    """Tell whether a parcel's values are what is sent: texts by name, and of each metric a name, a value, a time and a step."""
    texts = [value for name in ("params", "tags", "model_tags") for value in values[name].values()]
    of_dataset = values["dataset"]
    return (
        all(isinstance(text, str) for text in texts)
        and all(
            isinstance(metric, list) and [type(entry) for entry in metric] in ([str, float, int, int], [str, int, int, int])
            for metric in values["metrics"]
        )
        and of_dataset.keys() == _DATASET_NAMES
        and all(isinstance(text, str | None) for text in of_dataset.values())
    )


def _write_whole(path: Path, content: dict[str, Any]) -> None:
    """Write a file that is there in full or not at all."""
    scratch = path.with_suffix(".new")
    with scratch.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    flush(path.parent)


def flush(path: Path) -> None:
    """Have a file, or what a folder lists, on the disk itself: a power cut takes nothing of it afterwards."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_plain(path, _MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise _describe_damage(path, str(error)) from None
    if not isinstance(content, dict):
        raise _describe_damage(path, type(content).__name__)
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
        parcel.write_values(_read(folder / _VALUES))
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
            found += [path.parent for path in sorted(place.glob(f"*/{_VALUES}")) if path.parent.name != "store"]
    known = {parcel.folder for parcel in list_parcels(project_root)}
    return [folder for folder in found if folder not in known]


def read_note(path: Path) -> dict[str, Any]:
    """Return what is known of a parcel's run.

    Raises
    ------
    TrackingError
        It cannot be read, or is not what a run leaves.
    """
    note = {"run_id": None, "experiment_id": None, "is_offline": False, **_read(path)}
    ids = [note.get("parcel_id"), note["run_id"] or "0" * 32]
    if not all(isinstance(note.get(name), kind) for name, kind in _NOTE_FORM.items()) or not all(map(_is_id, ids)):
        raise _describe_damage(path, "another form")
    return note


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value) is not None


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
