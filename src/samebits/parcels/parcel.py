"""One parcel: a folder with everything that a run made, what is known of the run, and the values that are sent beside files.

While a process has to do with it, that process holds its lock; a parcel that nobody holds was left by a process that is gone. Nothing
of it is deleted but by `let_go`, which is called once the server has all of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebits.bounds import find_excess
from samebits.errors import Problem, TrackingError
from samebits.lineage.manifest import FILE_NAME
from samebits.parcels.forms import are_values, is_note
from samebits.plain_files import read_plain

SCHEMA = 2  # of what is in a parcel; from 2 on, with what makes a run's page speak
_READABLE_SCHEMAS = (1, 2)
NOTE = "parcel.json"
LOCK = "lock"
VALUES = "values.json"  # written last: a parcel with it is whole
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
        return (self.folder / VALUES).is_file()

    @property
    def project(self) -> str | None:
        """The folder of the project that made it; None where an earlier samebits did not say."""
        return self.note.get("project")

    @property
    def holds_work(self) -> bool:
        """Whether a run made something of it, be it that a part of that is gone."""
        return self.is_whole or os.path.lexists(self.folder / FILE_NAME)

    @property
    def can_be_locked(self) -> bool:
        """Whether its lock is a file, and not something that stands in its place."""
        return (self.folder / LOCK).is_file() and not (self.folder / LOCK).is_symlink()

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
        _write_whole(self.folder / VALUES, values)

    def read_values(self) -> dict[str, Any]:
        """Return what is sent beside files.

        Raises
        ------
        TrackingError
            They cannot be read, or are not what a run leaves.
        """
        values = read_part(self.folder / VALUES)
        if (schema := values.get("schema", 1)) not in _READABLE_SCHEMAS:
            remedy = "Send it with the samebits that made it, or a later one."
            raise TrackingError(
                Problem(str(self.folder / VALUES), f"a parcel of schema {SCHEMA} or before", f"schema {schema!r}", remedy)
            )
        if not are_values(values):
            raise _describe_damage(self.folder / VALUES, "another form")
        return values

    def hold(self) -> bool:
        """Take the parcel's lock until this process ends or `release`, and what its note says by now; False where it cannot be had."""
        if self._lock is None:
            try:
                file = os.open(self.folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:  # it is gone, is no file, or is not ours
                return False
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(file).st_nlink == 0:
                    raise FileNotFoundError(self.folder)  # it was delivered, and let go, meanwhile
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
        (self.folder / VALUES).unlink(missing_ok=True)  # first, so that what is left of it is never taken for whole
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()


def read_note(path: Path) -> dict[str, Any]:
    """Return what is known of a parcel's run.

    Raises
    ------
    TrackingError
        It cannot be read, or is not what a run leaves.
    """
    note = {"run_id": None, "experiment_id": None, "is_offline": False, **read_part(path)}
    if not is_note(note):
        raise _describe_damage(path, "another form")
    return note


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


def read_part(path: Path) -> dict[str, Any]:
    """Return what one of a parcel's own files holds.

    Raises
    ------
    TrackingError
        It cannot be read, or holds too much.
    """
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
