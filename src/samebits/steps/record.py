"""What was recorded of steps that ran here: of which inputs and modules, and which outputs came out.

One small file for each definition, inputs and environment of a step, below `.samebits/steps` in the project. A step's modules are
known only after it ran, so that one file holds a run for each set of modules; runs of one set with other outputs all stay in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from samebits.digests import digest_value
from samebits.errors import DataError, Problem
from samebits.installed.distributions import METADATA, SITES
from samebits.plain_files import read_plain
from samebits.steps.step_process import PLAN
from samebits.voice import SILENT, Voice

FOLDER = ".samebits/steps"
_SCHEMA = 1
_MOST_BYTES = 16 << 20
_OUTSIDE = "outside/"


@dataclass(frozen=True)
class StepRun:
    """One run of a step.

    Parameters
    ----------
    modules
        Digest of each file of code that it was made by, by its path from the project's root, or `outside/` and its place.
    places
        Where those from outside lie.
    outputs
        Path and digest of each, by name.
    network
        What it spoke to, as far as Python's own sockets were used.
    others_opened
        Further files of the project that were opened while it ran, by it or by another program.
    """

    modules: dict[str, str]
    outputs: dict[str, dict[str, str]]
    seconds: float
    when: str
    places: dict[str, str] = field(default_factory=dict)
    network: list[str] = field(default_factory=list)
    others_opened: list[str] = field(default_factory=list)

    @property
    def digests(self) -> dict[str, str]:
        """Digest of each output, by name."""
        return {name: one["digest"] for name, one in self.outputs.items()}


@dataclass(frozen=True)
class StepRecord:
    """All runs of a step with one definition, one set of inputs, in one environment.

    Parameters
    ----------
    inputs
        Digest of each, by name.
    """

    step: str
    definition: dict[str, Any]
    inputs: dict[str, str]
    environment: str
    runs: list[StepRun] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What it is found by."""
        return digest_value([_SCHEMA, self.step, self.definition, self.inputs, self.environment])

    def find_unstable(self, run: StepRun) -> list[StepRun]:
        """Return the runs of the same modules whose outputs are others."""
        return [one for one in self.runs if one.modules == run.modules and one.digests != run.digests]


class Records:
    """The records of one project's steps."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / FOLDER

    def find(self, record: StepRecord) -> StepRecord:
        """Return a record with the runs that are known of it."""
        found = _read_record(self._name_file(record))
        return found if found is not None and found.key == record.key else record

    def find_latest(self, step: str) -> StepRecord | None:
        """Return the record of a step that was written last."""
        files = sorted((self.folder / step).glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return next((found for path in files if (found := _read_record(path)) is not None), None)

    def list_writers(self, path: str) -> dict[str, str]:
        """Return the step that wrote a path of the project, by the digest of what it wrote."""
        records = filter(None, map(_read_record, sorted(self.folder.glob("*/*.json"))))
        written = [(record.step, one) for record in records for run in record.runs for one in run.outputs.values()]
        return {one["digest"]: step for step, one in written if one["path"] == path}

    def add(self, record: StepRecord, run: StepRun) -> StepRecord:
        """Put a run on record, whole or not at all; of equal runs the latest stays."""
        known = self.find(record)
        others = [one for one in known.runs if (one.modules, one.digests) != (run.modules, run.digests)]
        whole = StepRecord(record.step, record.definition, record.inputs, record.environment, [*others, run])
        path = self._name_file(record)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._keep_from_git()
        descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"schema": _SCHEMA, **asdict(whole)}, file, indent=1, sort_keys=True)  # escaped: a path may be no text
        Path(scratch).replace(path)
        return whole

    @contextlib.contextmanager
    def lock(self, voice: Voice = SILENT) -> Iterator[None]:
        """Let one process at a time run this project's steps: what two would make at once, one makes and the other finds.

        Which one it waits for, it says.

        Raises
        ------
        DataError
            There is no place for records, or a step of this project would wait for itself.
        """
        self._refuse_within()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._keep_from_git()
            file = (self.folder / ".lock").open("a+", encoding="ascii")
        except OSError as error:
            expected, found = "a folder to keep records of steps in", error.strerror or str(error)
            raise DataError(Problem(str(self.folder), expected, found, "Make it one that can be written to.")) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read(20)
                if holder in _list_ancestors():
                    self._refuse_itself(f"process {holder}")
                voice.say(f"waits until process {holder} has run its steps of this project")
                fcntl.flock(file, fcntl.LOCK_EX)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def _refuse_within(self) -> None:
        """Its caller holds the lock until it ends: it would wait for ever."""
        plan = os.environ.get(PLAN)
        if plan and Path(plan).resolve().is_relative_to(self.folder.resolve()):
            self._refuse_itself(PLAN)

    def _refuse_itself(self, where: str) -> None:
        remedy = "Make what it needs a step of its own, and name its output as an input."
        raise DataError(Problem(where, "steps run by no step of the same project", "a step that runs them itself", remedy))

    def _keep_from_git(self) -> None:
        mark = self.folder / ".gitignore"
        if not mark.exists():
            mark.write_text("*\n", encoding="utf-8")

    def _name_file(self, record: StepRecord) -> Path:
        return self.folder / record.step / f"{record.key.partition(':')[2][:32]}.json"


def _list_ancestors() -> list[str]:
    """Return the numbers of the processes that this one was started by, as far as the system tells."""
    found, number = list[str](), str(os.getppid())
    with contextlib.suppress(OSError):
        while number not in ("0", *found):
            found.append(number)
            number = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
    return found


def _read_record(path: Path) -> StepRecord | None:
    """What is there but is no record counts as none: the step runs again."""
    try:
        found = json.loads(read_plain(path, _MOST_BYTES))
        runs = [StepRun(**run) for run in found["runs"]]
        record = StepRecord(found["step"], found["definition"], found["inputs"], found["environment"], runs)
        names = set(record.definition["outputs"])
        sound = all(isinstance(part, dict) for part in (record.definition, record.inputs))
        return record if found["schema"] == _SCHEMA and sound and all(_is_sound(run, names) for run in runs) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _is_sound(run: StepRun, names: set[str]) -> bool:
    """Tell whether a run is of the kinds that are read of it, with the outputs that its step has."""
    texts = [*run.modules, *run.modules.values(), *run.places, *run.places.values(), run.when, *run.network, *run.others_opened]
    texts += [one[part] for one in run.outputs.values() for part in ("digest", "path")]
    is_text = all(isinstance(text, str) for text in texts)
    are_lists = isinstance(run.network, list) and isinstance(run.others_opened, list)
    return is_text and set(run.outputs) == names and are_lists and isinstance(run.seconds, int | float)


def digest_environment(profile: str) -> str:
    """Return the digest of what a step runs in: Python, the numeric profile, and the names of what is installed beside it.

    The names hold the versions. They are listed, not read: it takes a few milliseconds.
    """
    names = sorted(
        entry.name
        for folder in dict.fromkeys(sys.path)
        if folder and Path(folder).name in SITES and Path(folder).is_dir()
        for entry in os.scandir(folder)
        if entry.name.endswith(METADATA) and not entry.name.startswith("samebits")
    )
    return digest_value([platform.python_version(), sys.implementation.name, platform.machine(), profile, names])


def name_module(root: Path, path: str, place: str) -> tuple[str, str | None]:
    """Return the name of a file of code in a record, and where it lies if that is outside of the project."""
    inside = Path(path)
    if inside.is_relative_to(root):
        return inside.relative_to(root).as_posix(), None
    return f"{_OUTSIDE}{place}", path


def find_module(root: Path, name: str, places: Mapping[str, str]) -> Path:
    """Return where a recorded file of code lies."""
    return Path(places[name]) if name in places else root / name
