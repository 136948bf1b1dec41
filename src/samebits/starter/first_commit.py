"""The first commit of a project: a run is proved by the commit that holds its code.

A repository is made only where the project lies in none; what Git knows of its user is used, and where it knows nothing that is said.
"""

from __future__ import annotations

import getpass
import os
import platform
from pathlib import Path

from samebits.errors import SamebitsError
from samebits.history.repository import ask, ask_text, open_repository

_MESSAGE = "Start the project"


def commit_first(folder: Path) -> list[str]:
    """Commit everything in a new repository, and return what is to be said of it.

    Where the project lies in a repository already, be it an empty one, nothing is committed: that is its owner's to do.
    """
    try:
        found = open_repository(folder)
        if found is not None:
            return [f"commit  left to you: the project lies in the repository {found.root}"]
        ask(folder, "init", "-q", "-b", "main")
        ask(folder, "add", "-A")
        identity = _choose_identity(folder)
        ask(folder, *identity, "-c", "commit.gpgSign=false", "commit", "-q", "--no-verify", "-m", _MESSAGE)
        commit = ask_text(folder, "rev-parse", "HEAD").strip()
    except SamebitsError as error:
        return [f"commit  none: {error}", "        a run of code that is not committed is recorded, and kept less surely"]
    unknown = (
        "; Git knows no name of yours: `git config --global user.name` and `user.email`, then `git commit --amend --reset-author`"
    )
    return [f"commit  {commit[:12]}, the first of a new repository{unknown if identity else ''}"]


def _choose_identity(folder: Path) -> list[str]:
    """Return settings by which Git has an author where it knows none; none where it knows one."""
    try:
        ask(folder, "var", "GIT_COMMITTER_IDENT")
        ask(folder, "var", "GIT_AUTHOR_IDENT")
        return []
    except SamebitsError:
        name = _name_user()
        return ["-c", f"user.name={name}", "-c", f"user.email={name}@{platform.node() or 'localhost'}"]


def _name_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return f"user{os.getuid()}"
