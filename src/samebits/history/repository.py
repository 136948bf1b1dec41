"""A repository of the user's, asked in words.

A library that reads repositories by itself knows neither every object format nor every ref store; `git` does. What it cannot answer is
said in one sentence.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import git

from samebits.errors import Problem, ProvenanceError
from samebits.history.runner import explain, make_users_runner, run_git

_NO_CACHES = ("-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false")


@dataclass(frozen=True)
class Repository:
    """A repository of the user's, with a working tree.

    Parameters
    ----------
    objects
        The folder of its objects.
    object_format
        `sha1` or `sha256`.
    """

    root: Path
    objects: Path
    object_format: str


def open_repository(folder: Path) -> Repository | None:
    """Return the repository that a folder lies in; None where there is none.

    Raises
    ------
    ProvenanceError
        There is one, but Git cannot read it.
    """
    if not any(os.path.lexists(parent / ".git") for parent in (folder, *folder.resolve().parents)):
        return None
    words = ("rev-parse", "--show-object-format", "--show-toplevel", "--git-path", "objects")
    try:
        object_format, *root, objects = ask_text(folder, *words).split("\n")
    except ProvenanceError as error:
        if "not a git repository" in str(error) or "must be run in a work tree" in str(error):
            return None
        raise
    return Repository(Path("\n".join(root)), (folder / objects).resolve(), object_format)


def ask(folder: Path, *words: str, given: bytes | None = None) -> bytes:
    """Return what Git prints in a repository of the user's.

    Raises
    ------
    ProvenanceError
        Git is not there, or says that it cannot.
    """
    command = ["git", "--literal-pathspecs", *_NO_CACHES, *words]
    if shutil.which("git") is None:
        raise ProvenanceError(Problem(f"repository {folder}", "Git", "none on PATH", "Install it."))
    try:
        return run_git(make_users_runner(folder, _list_trusted_folders()), command, given)
    except git.CommandError as error:
        said = explain(error)
        remedy = "`git status` and `git fsck` there say more of it."
        if "dubious ownership" in said:
            remedy = f"Where you trust its owner: git config --global --add safe.directory {folder}"
        raise ProvenanceError(Problem(f"repository {folder}", "one that Git reads", said, remedy)) from None


def ask_text(folder: Path, *words: str) -> str:
    """Return the same as text, without the line's end."""
    return os.fsdecode(ask(folder, *words)).rstrip("\n")


def ask_list(folder: Path, *words: str, given: bytes | None = None) -> list[str]:
    """Return the entries that Git prints with NUL between them."""
    return [os.fsdecode(entry) for entry in ask(folder, *words, given=given).split(b"\0") if entry]


def ask_if_any(folder: Path, *words: str) -> str | None:
    """Return the first line of an answer that may well be none."""
    try:
        return (ask_text(folder, *words).splitlines() or [""])[0] or None
    except ProvenanceError:
        return None


def _list_trusted_folders() -> dict[str, str]:
    """Return the variables that name the caller's safe folders once more: of what a caller sets for one command, these alone count."""
    count = os.environ.get("GIT_CONFIG_COUNT", "")
    names = range(min(int(count), 1000)) if count.isdecimal() else ()
    pairs = [(os.environ.get(f"GIT_CONFIG_KEY_{number}", ""), os.environ.get(f"GIT_CONFIG_VALUE_{number}", "")) for number in names]
    folders = [value for key, value in pairs if key.lower() == "safe.directory"]
    numbered = {f"GIT_CONFIG_KEY_{number}": "safe.directory" for number in range(len(folders))}
    numbered |= {f"GIT_CONFIG_VALUE_{number}": folder for number, folder in enumerate(folders)}
    return {"GIT_CONFIG_COUNT": str(len(folders)), **numbered} if folders else {}
