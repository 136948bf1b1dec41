"""Git itself, asked in words: of the user's own repository as it is, and in repositories of our own in which nobody's settings count.

A library that reads repositories by itself knows neither every object format nor every ref store; `git` does. What it cannot answer is
said in one sentence. In a folder that somebody else names, no Git ever runs: its objects are read through a repository of ours.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import git

from samebits.digests import PREFIX
from samebits.errors import Problem, ProvenanceError

NULL_IDS = {"sha1": "0" * 40, "sha256": "0" * 64}
_READ_BYTES = 1 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_GITLINK_BYTES = 4096  # a file `.git` that says where the repository is has one path in it
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
_NO_CACHES = ("-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false")
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
        return run_git(_make_runner(folder, {**_AS_IT_IS, **_list_trusted_folders()}), command, given)
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


def make_runner(folder: Path, **variables: str) -> git.Git:
    """Return a runner of Git in a folder of ours, for which no setting of the caller's or the machine's counts."""
    return _make_runner(folder, {**_ALONE, **variables}, is_bounded=True)


def make_fetcher(folder: Path) -> git.Git:
    """Return a runner that may ask a server as the caller would: by the caller's proxy, certificates and credential helper."""
    return _make_runner(folder, _FETCHING, is_bounded=True)


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


def _list_trusted_folders() -> dict[str, str]:
    """Return the variables that name the caller's safe folders once more: of what a caller sets for one command, these alone count."""
    count = os.environ.get("GIT_CONFIG_COUNT", "")
    names = range(min(int(count), 1000)) if count.isdecimal() else ()
    pairs = [(os.environ.get(f"GIT_CONFIG_KEY_{number}", ""), os.environ.get(f"GIT_CONFIG_VALUE_{number}", "")) for number in names]
    folders = [value for key, value in pairs if key.lower() == "safe.directory"]
    numbered = {f"GIT_CONFIG_KEY_{number}": "safe.directory" for number in range(len(folders))}
    numbered |= {f"GIT_CONFIG_VALUE_{number}": folder for number, folder in enumerate(folders)}
    return {"GIT_CONFIG_COUNT": str(len(folders)), **numbered} if folders else {}


def _make_runner(folder: Path, variables: dict[str, str], is_bounded: bool = False) -> git.Git:
    if shutil.which("git") is None:
        raise ProvenanceError(Problem("Git", "it, to bring a commit back or look for it", "none on PATH", "Install it."))
    runner = _Runner(str(folder))
    runner.is_bounded = is_bounded
    runner.update_environment(**variables)
    return runner


def init_repository(folder: Path, object_format: str = "sha1", objects: Path | None = None) -> git.Git:
    """Make an empty repository of ours in a folder, which may borrow another's objects, and return a runner in it."""
    folder.mkdir(parents=True, exist_ok=True)
    runner = make_runner(folder)
    runner.execute(["git", "-c", "init.defaultBranch=main", "init", "-q", f"--object-format={object_format}"])
    if objects is not None:
        alternates = folder / ".git/objects/info/alternates"
        alternates.parent.mkdir(parents=True, exist_ok=True)
        alternates.write_bytes(_quote_if_needed(objects) + b"\n")
        shallow = objects.parent / "shallow"
        if shallow.is_file() and not shallow.is_symlink():
            shutil.copyfile(shallow, folder / ".git/shallow")
    return runner


def _quote_if_needed(path: Path) -> bytes:
    return quote(str(path)) if re.search(r'["#\n]', str(path)) else os.fsencode(path)


@contextlib.contextmanager
def open_scratch(objects: Path, object_format: str) -> Iterator[tuple[git.Git, Path]]:
    """Give a repository of ours for a while, with another's objects in it; return a runner in it and its folder."""
    with tempfile.TemporaryDirectory(prefix="samebits-git-") as folder:
        root = Path(folder, "scratch")
        yield init_repository(root, object_format, objects), root


def find_objects(folder: Path) -> Path | None:
    """Return where the objects of a repository lie that somebody names, read as files; None where there is none."""
    try:
        own = folder / ".git"
        if own.is_file() and own.stat().st_size < _GITLINK_BYTES:
            own = folder / own.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
            common = own / "commondir"
            own = own / common.read_text(encoding="utf-8").strip() if common.is_file() else own
        found = (own if own.is_dir() else folder) / "objects"
        is_one = found.is_dir() and (found.parent / "HEAD").is_file() and not _holds_odd_files(found)
        return found.resolve() if is_one else None
    except (OSError, ValueError):  # below a folder that this user may not enter, or a name that is none
        return None


def _holds_odd_files(objects: Path) -> bool:
    """Whoever opens a pipe among the objects waits for ever."""
    return any(not (Path(folder, name).is_file()) for folder, _, names in os.walk(objects) for name in names)


def is_commit_id(commit: str) -> bool:
    """Tell whether some text is a whole id, which Git takes for no option, name or range."""
    return _COMMIT.fullmatch(commit) is not None


def name_object_format(commit: str) -> str:
    """Return the format of objects that an id is one of."""
    return "sha256" if len(commit) == 64 else "sha1"


def digest_blob(path: Path, object_format: str) -> str:
    """Return the id of the blob that a file's own bytes make, read in constant memory."""
    size_bytes = path.stat().st_size
    found = start_object("blob", size_bytes, object_format)
    with path.open("rb", buffering=0) as file:
        while part := file.read(_READ_BYTES):
            found.update(part)
    return found.hexdigest()


def digest_new_blob(path: Path, object_format: str) -> tuple[str, str, int]:
    """Return the id of a file's blob, the digest of its bytes and their number, all of one reading.

    Of a file that grows meanwhile, what it had; of one that is cut, what is left.
    """
    size_bytes = path.stat().st_size
    with path.open("rb", buffering=0) as file:
        while True:
            blob, plain, left = start_object("blob", size_bytes, object_format), hashlib.sha256(), size_bytes
            while left and (part := file.read(min(_READ_BYTES, left))):
                blob.update(part)
                plain.update(part)
                left -= len(part)
            if not left:
                return blob.hexdigest(), PREFIX + plain.hexdigest(), size_bytes
            size_bytes -= left
            file.seek(0)


def digest_object(kind: str, content: bytes, object_format: str) -> str:
    """Return the id of an object.

    >>> digest_object("blob", b"", "sha1")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    found = start_object(kind, len(content), object_format)
    found.update(content)
    return found.hexdigest()


def start_object(kind: str, size_bytes: int, object_format: str) -> hashlib._Hash:
    """Return the digest of an object's head, to which its content is to be added."""
    return hashlib.new(object_format, f"{kind} {size_bytes}\0".encode(), usedforsecurity=False)


def store_blobs(runner: git.Git, paths: Sequence[str], *options: str) -> list[str]:
    """Return the id that a blob of each file's own bytes has, as Git computes it; with `-w` the blobs are stored too."""
    listing = b"".join(quote(path) + b"\n" for path in paths)
    return run_git(runner, ["git", "hash-object", *options, "--no-filters", "--stdin-paths"], listing).decode().split()


def quote(path: str) -> bytes:
    """Git reads a quoted path as C does a string: with every byte as an octal number, it may hold line ends."""
    return b'"' + b"".join(b"\\%03o" % byte for byte in os.fsencode(path)) + b'"'


def explain(error: git.CommandError) -> str:
    """Return what Git said, on one line."""
    said = str(error.stderr or error).replace("stderr:", " ").strip().strip("'")
    lines = [line.strip().strip("'") for line in said.splitlines() if line.strip()]
    return " ".join(lines[-3:])[:400] or "no reason"
