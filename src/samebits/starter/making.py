"""A new project, made whole beside its place and then put there: where something fails, nothing is left and nothing was lost."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from samebits.errors import ConfigError, Problem
from samebits.starter.first_commit import commit_first
from samebits.starter.installer import lock_packages
from samebits.starter.note import digest_files, write_note
from samebits.starter.rendering import list_export_options, render_project
from samebits.starter.source import WHEELS, Source

CONFIG = "confs/wine.yaml"


@dataclass(frozen=True)
class Made:
    """A project that was made.

    Parameters
    ----------
    not_locked
        Why its packages are not locked; None where they are.
    said
        What is to be said of its first commit.
    """

    n_files: int
    not_locked: str | None
    said: list[str]


def check_place(folder: Path) -> None:
    """Refuse a place that holds anything but a repository without a file.

    Raises
    ------
    ConfigError
        It is a file, or a folder that is not empty.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise ConfigError(Problem(str(folder), "a new or empty folder", "a file", "Name another."))
    held = sorted(path.name for path in folder.iterdir() if path.name != ".git") if folder.is_dir() else []
    if held:
        remedy = "Name another; a project that `samebits init` made is brought up to date by --upgrade. Nothing was changed."
        found = f"one that holds {held[0]}" + (f" and {len(held) - 1} more" if held[1:] else "")
        raise ConfigError(Problem(str(folder), "a new or empty folder", found, remedy))


def make_project(folder: Path, package: str, source: Source) -> Made:
    """Write a project into a folder that is new or empty, lock its packages and commit it.

    Raises
    ------
    ConfigError
        The folder is not empty.
    """
    check_place(folder)
    files = render_project(package, source) | list_wheel(source)
    beside = folder if folder.is_dir() else folder.parent  # an empty one may be a volume of its own
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".samebits-init-", dir=beside) as scratch:
        made = Path(scratch)
        write_files(made, files)
        not_locked = lock_packages(made, list_export_options(source))
        write_note(made, package, source.entry, digest_files(files))
        folder.mkdir(exist_ok=True)
        for path in sorted(made.iterdir()):
            path.rename(folder / path.name)
    return Made(len(files), not_locked, commit_first(folder))


def list_wheel(source: Source) -> dict[str, bytes]:
    """Return the file that a project's samebits is installed from, by its path in it; none where it comes from Git."""
    return {} if source.wheel is None else {f"{WHEELS}/{source.wheel[0]}": source.wheel[1]}


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their paths in a folder, each whole or not at all."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_name(f".{path.name}.samebits")
        written.write_bytes(content)
        written.replace(path)
