"""`samebits init FOLDER`: writes a project of one's own; with `--upgrade`, brings a later samebits into one."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from samebits.errors import ConfigError, Problem
from samebits.project import expand_home
from samebits.starter.making import CONFIG, check_place, make_project
from samebits.starter.note import read_note
from samebits.starter.project_name import choose_package
from samebits.starter.rendering import list_export_options
from samebits.starter.source import find_source
from samebits.starter.upgrading import upgrade_project
from samebits.text import tell


def run_init(folder: str, name: str | None, samebits: str | None) -> None:
    """Make a project in a new or empty folder, and print the next three commands.

    Raises
    ------
    ConfigError
        The folder is not empty, its name can be no package's, or the samebits that is named is none.
    """
    place = _locate(folder)
    check_place(place)
    package = choose_package(place, name)
    source = find_source(samebits)
    made = make_project(place, package, source)
    tell(f"made    {place}: {made.n_files} files; own code in src/{package}", f"uses    samebits {source.entry}", *made.said)
    tell("lock    uv.lock and requirements.txt" if made.not_locked is None else f"lock    none: {made.not_locked}")
    export = " ".join(("uv export -q --no-dev --no-emit-project", *list_export_options(source), "-o requirements.txt"))
    missing = [] if made.not_locked is None else [f"uv lock && {export} && git add -A && git commit"]
    _tell_next(place, *missing, f"uv run just train {CONFIG}", "uv run just reproduce")


def run_upgrade(folder: str, name: str | None, samebits: str | None) -> None:
    """Bring the running samebits, or another, into a project, and print what was written and what was left as it was edited.

    Raises
    ------
    ConfigError
        There is no such project, or its reference to samebits was edited; or it is to have another name.
    ProvenanceError
        The packages cannot be locked.
    """
    place = _locate(folder)
    if name is not None:
        raise ConfigError(Problem("--name", "none with --upgrade", name, "A project keeps its name."))
    read_note(place)
    source = find_source(samebits)
    done = upgrade_project(place, source)
    tell(f"from    samebits {done.before}", f"to      samebits {source.entry}")
    tell(*(f"written {name}" for name in done.written), *(f"removed {name}" for name in done.removed))
    tell(*(f"kept    {name}: you edited or removed it; it is as you left it" for name in done.kept))
    if not done.written:
        tell("nothing to do")
        return
    _tell_next(place, "uv run just test", "git add -A && git commit")


def _tell_next(place: Path, *commands: str) -> None:
    """Print the commands that come next, in that place."""
    relative = os.path.relpath(place)
    there = [] if relative == "." else [f"cd {shlex.quote(str(place) if relative.startswith('..') else relative)}"]
    first, *others = [*there, *commands]
    tell(f"next    {first}", *(f"        {command}" for command in others))


def _locate(folder: str) -> Path:
    """Return a folder's place without the dots in its path, and not through a link at its end."""
    return Path(os.path.normpath(Path.cwd() / expand_home(folder)))
