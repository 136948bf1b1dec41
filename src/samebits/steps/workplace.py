"""The folder that a step works in, below `.samebits/steps`: its inputs as links, its outputs' folders, nothing else.

What it wrote comes to its place whole or not at all, and only over what a step wrote.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from samebits.errors import DataError, Problem
from samebits.steps.graph import PlannedStep
from samebits.steps.states import Desk, digest_named
from samebits.table.files import list_table_files
from samebits.text import shorten_list

_PREFIX = ".work-"


@dataclass(frozen=True)
class Workplace:
    """A step's folders.

    Parameters
    ----------
    folder
        Of all of them.
    links
        Real path of each file that may be read, by its path in the project's stead.
    """

    folder: Path
    links: dict[str, Path]

    @property
    def project(self) -> Path:
        """Where the step works, in the project's stead."""
        return self.folder / "project"

    @property
    def notes(self) -> Path:
        """What was imported and opened, a line each."""
        return self.folder / "notes.jsonl"

    @property
    def said(self) -> Path:
        """What the step printed."""
        return self.folder / "said.log"


@contextlib.contextmanager
def lay_out(desk: Desk, step: PlannedStep) -> Iterator[Workplace]:
    """A fresh workplace, gone afterwards; what ended processes left is swept away first."""
    desk.records.folder.mkdir(parents=True, exist_ok=True)
    _sweep(desk.records.folder)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=desk.records.folder))
    try:
        links = {path: place for name, one in step.inputs.items() for path, place in _list_links(one.path, one.place).items()}
        links |= {name: desk.graph.root / name for name in (digest_named(desk, step) if step.step.command else ())}
        workplace = Workplace(folder, links)
        for name in ("project", "tmp", "config", "cache", "hook"):
            (folder / name).mkdir()
        for path, place in links.items():
            if not Path(path).is_absolute():
                link = workplace.project / path
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(place.resolve())
        for path in step.outputs.values():
            (workplace.project / path).parent.mkdir(parents=True, exist_ok=True)
        yield workplace
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bring_back(workplace: Workplace, files: dict[Path, int]) -> None:
    """Put inputs back that a step moved into its workplace, which is removed: they may be somebody's only copy.

    Parameters
    ----------
    files
        The inode of each input before the step ran, by its place.
    """
    gone = {inode: place for place, inode in files.items() if not os.path.lexists(place.resolve())}
    for path in workplace.project.rglob("*") if gone else ():
        place = None if path.is_symlink() else gone.get(path.stat().st_ino)
        if place is not None:
            path.rename(place.resolve())


def _list_links(path: str, place: Path) -> dict[str, Path]:
    """Return a file, or those files of a folder that its digest is of: no others are at hand."""
    if not place.is_dir():
        return {path: place}
    return {f"{path}/{name}": file for name, file in list_table_files(place).items()}


def _sweep(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*"):
        process = path.name.removeprefix(_PREFIX).partition("-")[0]
        if not process.isdecimal() or not Path(f"/proc/{process}").exists():
            shutil.rmtree(path, ignore_errors=True)


def collect_outputs(workplace: Workplace, step: PlannedStep) -> dict[str, Path]:
    """Return where each output lies that a step wrote.

    Raises
    ------
    DataError
        One is not there, or is no regular file and no folder of such.
    """
    found = {name: workplace.project / path for name, path in step.outputs.items()}
    problems = [
        Problem(f"steps.{step.name}.outputs.{name}", f"a file that the step writes at {step.outputs[name]}", wrong, "Let it write it.")
        for name, path in found.items()
        if (wrong := _find_wrong(path))
    ]
    if problems:
        raise DataError(*problems)
    return found


def _find_wrong(path: Path) -> str:
    if path.is_symlink() or not path.exists():
        return "a link" if path.is_symlink() else "nothing"
    odd = [one for one in path.rglob("*") if one.is_symlink() or not (one.is_file() or one.is_dir())] if path.is_dir() else []
    if odd:
        return f"{odd[0].relative_to(path)}, which is no regular file"
    if any(one.stat().st_nlink > 1 for one in ([path] if path.is_file() else path.rglob("*")) if one.is_file()):
        return "a hard link, by which another file would change with it"
    if path.is_dir() and not list_table_files(path):
        return "a folder without files"
    return "" if path.is_dir() or path.is_file() else "no regular file"


def list_left_out(path: Path) -> list[str]:
    """Return the files of an output's folder that its digest is not of, since their names begin with `_` or `.`; they are left out."""
    if not path.is_dir():
        return []
    kept = {str(file) for file in list_table_files(path).values()}
    files = (one for one in path.rglob("*") if one.is_symlink() or not one.is_dir())
    return sorted(one.relative_to(path).as_posix() for one in files if str(one) not in kept)


def refuse_left_out(target: Path, where: str) -> None:
    """Refuse to replace a folder in which files lie that no digest is of, so that nobody knows whose they are.

    Raises
    ------
    DataError
        There are such files.
    """
    if names := list_left_out(target):
        expected = "a folder that holds only what steps write (no name begins with _ or .)"
        remedy = "Move them away: the folder is replaced as a whole, and nothing of yours is taken with it."
        raise DataError(Problem(where, expected, f"others: {shorten_list(names)}", remedy))


def place_output(source: Path, target: Path) -> None:
    """Bring a file or folder to its place, over what is there.

    Raises
    ------
    DataError
        It cannot be written there, or a folder is there with files that no step wrote.
    """
    refuse_left_out(target, str(target))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for name in list_left_out(source):
            (source / name).unlink()
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=target.parent) as folder:
            ready, former = Path(folder, "new"), Path(folder, "old")
            _move(source, ready)
            if target.is_dir() and not target.is_symlink():
                target.rename(former)
            elif ready.is_dir() and target.exists():
                target.unlink()
            ready.replace(target)
    except OSError as error:
        remedy = "Make room, or check its permissions."
        raise DataError(Problem(str(target), "a place to write to", error.strerror or str(error), remedy)) from None


def _move(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, target)
