"""A recorded run's makings, brought back into a folder of their own; and how a program is started there.

Nothing is trained here, and nothing outside the folder is changed.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.numerics.profile import ProfileName, make_environment
from samebits.project import PACKAGE
from samebits.steps.stage import RECORDED
from samebits.stores.store import HELD_VARIABLE
from samebits.trust.variables import list_run_variables


@dataclass
class Restoration:
    """A recorded run's makings, in a folder of their own.

    Parameters
    ----------
    project
        The project's folder in the restored checkout; an empty folder where the code is the installed samebits alone.
    python
        Of the environment.
    data
        The table's path.
    test_data
        That of the table of test rows, where the run had one.
    rows_file
        The file of the test rows' numbers, where the run had one.
    modules
        A folder of modules that the run imported from elsewhere, where there were any.
    profile
        The numeric profile's name.
    probe
        What the kernels compute of known numbers here, under the profile; None where it is not known.
    here
        Whether the present environment is used instead of the recorded one.
    wheels
        Those that the run kept, by package: of samebits itself, where it was made from one, and of packages that are in no index.
    is_installed
        Whether the environment holds samebits itself.
    steps_file
        The stage of the run's recorded steps, which its rerun takes as they are; None where it had none, or they are run again.
    moved
        Where raw inputs of steps lie now that lay outside of the project, by the paths that they had.
    addresses
        Of the tracking server and of its artifacts.
    stored
        Digests of what the team's store has, so that a rerun need not keep it with the experiment.
    said
        For each of code, data and environment: what it is and where it came from.
    """

    folder: Path
    project: Path = Path()
    python: Path = Path(sys.executable)
    data: Path = Path()
    profile: ProfileName = "portable"
    probe: dict[str, str] | None = None
    config_as_written: Any = None
    test_data: Path | None = None
    rows_file: Path | None = None
    here: bool = False
    wheels: dict[str, Path] = field(default_factory=dict)
    is_installed: bool = False
    addresses: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    modules: Path | None = None
    steps_file: Path | None = None
    moved: dict[str, Path] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    @property
    def wheel(self) -> Path | None:
        """Of samebits itself."""
        return self.wheels.get(PACKAGE.name)

    @property
    def program(self) -> list[str]:
        """The words that start samebits in it."""
        own = self.project / "src" / PACKAGE.name
        return [str(self.python), str(own)] if (own / "__main__.py").is_file() else [str(self.python), "-m", PACKAGE.name]

    @property
    def source_folder(self) -> Path | None:
        """The folder from which samebits is imported in it; None where the environment itself holds it."""
        own = self.project / "src"
        return own if (own / PACKAGE.name).is_dir() else None if self.is_installed else PACKAGE.parent

    def list_variables(self, tracking_uri: str) -> dict[str, str]:
        """Return the environment variables of a process in it, under the profile: a few of the caller's, and places in the folder.

        What a program leaves behind where it works, or notes of itself, is gone with the folder.
        """
        kept = list_run_variables([tracking_uri, *self.addresses])
        if self.program[1] == "-m" and self.source_folder is not None:
            kept["PYTHONPATH"] = str(self.source_folder)
        places = {"TMPDIR": make_folder(self.folder / "tmp"), "XDG_STATE_HOME": make_folder(self.folder / "state")}
        if self.modules is not None:
            kept["PYTHONPATH"] = os.pathsep.join(filter(None, [kept.get("PYTHONPATH"), str(self.modules)]))
        recorded = {RECORDED: str(self.steps_file)} if self.steps_file is not None else {}
        recorded |= {HELD_VARIABLE: " ".join(self.stored)} if self.stored else {}
        path = f"{self.python.parent}{os.pathsep}{kept.get('PATH', '')}"
        own = {**{name: str(place) for name, place in places.items()}, "PATH": path, "MLFLOW_TRACKING_URI": tracking_uri, **recorded}
        return make_environment(self.profile, {**kept, **own})


def make_folder(folder: Path) -> Path:
    """Return a folder that is there afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder
