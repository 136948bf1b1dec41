"""Git, run: in whose folder, with which of the caller's variables and settings, within which memory and time.

In a repository of ours nobody's settings count; of the user's own, what is asked is answered as it is. No Git runs in a folder that a
record names.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import git

from samebits.errors import Problem, ProvenanceError

# What a setting of the user's would otherwise change in an answer: replaced objects, a cached view of the working tree.
_AS_IT_IS = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
# Git sets these for its hooks and aliases (`git rev-parse --local-env-vars`), others choose what a path, an attribute or a new
# repository is: with any of them a command here would answer of another repository, or write into it.
_FOREIGN = (
    *(
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_CONFIG",
        "GIT_CONFIG_PARAMETERS",
        "GIT_CONFIG_COUNT",
        "GIT_OBJECT_DIRECTORY",
        "GIT_DIR",
    ),
    *("GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_INDEX_FILE", "GIT_REPLACE_REF_BASE", "GIT_PREFIX"),
    *("GIT_INTERNAL_SUPER_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR", "GIT_NO_REPLACE_OBJECTS", "GIT_NAMESPACE"),
    *("GIT_QUARANTINE_PATH", "GIT_ATTR_SOURCE", "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS"),
    *("GIT_ICASE_PATHSPECS", "GIT_TEMPLATE_DIR", "GIT_DEFAULT_HASH", "GIT_DEFAULT_REF_FORMAT", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS"),
)
MOST_MEMORY_BYTES = 1 << 30
_BOUNDED = ("sh", "-c", f'ulimit -d {MOST_MEMORY_BYTES >> 10}; exec "$@"', "sh")
_ENVIRONMENT_LOCK = threading.RLock()
# No question to anybody, nothing fetched behind our back, and no hook, template or conversion.
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "init.templateDir": "",
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "core.eol": "lf",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.bigFileThreshold": "64m",  # larger ones go through in pieces
    "pack.threads": "2",  # each may hold as much as the next line says
    "pack.windowMemory": "128m",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
}
_FETCHING = {
    **_AS_IT_IS,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_HTTP_LOW_SPEED_LIMIT": "1",
    "GIT_HTTP_LOW_SPEED_TIME": "20",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_PARAMETERS": "",
    "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
    **{f"GIT_CONFIG_KEY_{number}": key for number, key in enumerate(_SETTINGS)},
    **{f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(_SETTINGS.values())},
    "LC_ALL": "C",
}
# Only the way to a server needs what the caller has set: a proxy, a certificate, a credential helper.
_ALONE = {**_FETCHING, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def run_git(runner: git.Git, command: Sequence[str], given: bytes | None = None, seconds: float | None = None) -> bytes:
    """Run one command, with bytes on its standard input, and return its output as it is."""
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(tempfile.TemporaryFile()) if given is not None else None
        if stream is not None and given is not None:
            stream.write(given)
            stream.seek(0)
        printed = runner.execute(
            command, istream=stream, stdout_as_string=False, strip_newline_in_stdout=False, kill_after_timeout=seconds
        )
    return bytes(printed)


def make_users_runner(folder: Path, variables: dict[str, str]) -> git.Git:
    """Return a runner of Git in a repository of the user's, for which their own settings count."""
    return _build_runner(folder, {**_AS_IT_IS, **variables})


def make_runner(folder: Path, **variables: str) -> git.Git:
    """Return a runner of Git in a folder of ours, for which no setting of the caller's or the machine's counts."""
    return _build_runner(folder, {**_ALONE, **variables}, is_bounded=True)


def make_fetcher(folder: Path) -> git.Git:
    """Return a runner that may ask a server as the caller would: by the caller's proxy, certificates and credential helper."""
    return _build_runner(folder, _FETCHING, is_bounded=True)


def read_git(runner: git.Git, command: Sequence[str], most_bytes: int, seconds: float) -> bytes | None:
    """Return what one command prints; None where that is more than so much, or takes longer: then it is stopped.

    Raises
    ------
    git.CommandError
        It fails.
    """
    process: Any = runner.execute(command, as_process=True)
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        printed = bytes(process.stdout.read(most_bytes + 1))
        if len(printed) > most_bytes or not timer.is_alive():
            process.kill()
            return None
        process.wait()
        return printed
    finally:
        timer.cancel()
        process.stdout.close()


class _Runner(git.Git):
    """Runs Git without what the caller's environment says of another repository: GitPython can set a variable, but not unset one.

    Of what a stranger packed, a few bytes may mean any number: what Git holds of it in memory is bounded.
    """

    is_bounded = False

    def execute(self, command: Any, *arguments: Any, **options: Any) -> Any:
        """Run one command, with only those variables of the caller's that mean no repository."""
        words = [*_BOUNDED, *command] if self.is_bounded else command
        with _ENVIRONMENT_LOCK, _without_foreign():
            return super().execute(words, *arguments, **options)


@contextlib.contextmanager
def _without_foreign() -> Iterator[None]:
    taken = {name: os.environ.pop(name) for name in _FOREIGN if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(taken)


def _build_runner(folder: Path, variables: dict[str, str], is_bounded: bool = False) -> git.Git:
    if shutil.which("git") is None:
        raise ProvenanceError(Problem("Git", "it, to bring a commit back or look for it", "none on PATH", "Install it."))
    runner = _Runner(str(folder))
    runner.is_bounded = is_bounded
    runner.update_environment(**variables)
    return runner


def explain(error: git.CommandError) -> str:
    """Return what Git said, on one line."""
    said = str(error.stderr or error).replace("stderr:", " ").strip().strip("'")
    lines = [line.strip().strip("'") for line in said.splitlines() if line.strip()]
    return " ".join(lines[-3:])[:400] or "no reason"
