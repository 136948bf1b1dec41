"""The note of what the last samebits had for a project: each file's digest, by which a later one knows which nobody edited since.

It lies in the project and is committed with it. What it says is somebody's word: it chooses among the files that samebits writes by
itself, and names no other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from samebits import __version__
from samebits.digests import digest_bytes, digest_file
from samebits.errors import ConfigError, Problem
from samebits.plain_files import read_plain
from samebits.project import NOTE

_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Note:
    """What was written into a project.

    Parameters
    ----------
    samebits
        The version that wrote it.
    package
        The name of the project's own package.
    source
        Where its samebits comes from, as pyproject.toml has it.
    files
        Digest of each file, by its path in the project.
    """

    samebits: str
    package: str
    source: str
    files: dict[str, str]


def write_note(folder: Path, package: str, source: str, files: Mapping[str, str]) -> None:
    """Write down what was written, by digest."""
    value = {"schema": 1, "samebits": __version__, "package": package, "source": source, "files": dict(sorted(files.items()))}
    (folder / NOTE).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_note(folder: Path) -> Note:
    """Return what was written into a project.

    Raises
    ------
    ConfigError
        It has no note that can be read.
    """
    try:
        value = json.loads(read_plain(folder / NOTE, _MOST_BYTES))
        note = Note(value["samebits"], value["package"], value["source"], value["files"])
        texts = [note.samebits, note.package, note.source, *note.files.values()]
        if value["schema"] != 1 or not all(isinstance(text, str) for text in texts):
            raise ValueError("another form")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        found = error.strerror if isinstance(error, OSError) and error.strerror else "something else"
        remedy = "`samebits init` makes a new project in an empty folder; files of yours can be moved there."
        raise ConfigError(Problem(str(folder / NOTE), "the note that `samebits init` left", found, remedy)) from None
    return note


def digest_files(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the digest of each content."""
    return {name: digest_bytes(content) for name, content in files.items()}


def is_untouched(folder: Path, name: str, note: Note) -> bool:
    """Tell whether a file is a plain one inside the project and still holds what was written there."""
    path = folder / name
    if path.is_symlink() or not path.is_file() or leads_outside(folder, name):
        return False
    return digest_file(path) == note.files.get(name)


def leads_outside(folder: Path, name: str) -> bool:
    """Tell whether a folder on a file's way is a link that leaves the project."""
    return not (folder / name).parent.resolve().is_relative_to(folder.resolve())
