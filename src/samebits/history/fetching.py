"""Fetches a commit from wherever it may be had, into a repository of ours; and bundles one that no remote holds.

A record is somebody's word: no Git runs in a folder that it names, nothing is asked but what it takes to have the commit, and what is
had is bounded before anything is made of it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import git

from samebits.errors import Problem, ProvenanceError
from samebits.history.entries import digest_object, is_commit_id, name_object_format
from samebits.history.repository import ask_list, ask_text
from samebits.history.runner import explain, make_fetcher, make_runner, read_git, run_git
from samebits.history.scratch import find_objects, init_repository, open_scratch

_TIMEOUT_SECONDS = 600
_ASK_TIMEOUT_SECONDS = 20
BUNDLE_TIMEOUT_SECONDS = 60  # a run keeps none of over 50 MB
MOST_LISTED_BYTES = 128 << 20  # of the names of a commit's files: those of a million
# The commit stands on a branch of a remote in the folder too, so that a run made there does not take it for unpushed.
_RESTORED_REF = "refs/remotes/origin/samebits-restored"


@dataclass(frozen=True)
class Source:
    """Somewhere a commit may be had from.

    Parameters
    ----------
    name
        As a report calls it.
    address
        A folder, a URL, or the path of a bundle.
    """

    name: str
    address: str


def bundle_commit(repository_root: Path, commit: str, path: Path) -> None:
    """Write a bundle with a commit, and with its history as far as no remote is known to hold it.

    Raises
    ------
    ProvenanceError
        Git cannot write it.
    """
    reference = f"refs/samebits/{commit}"
    objects = (repository_root / ask_text(repository_root, "rev-parse", "--git-path", "objects")).resolve()
    held = ask_text(repository_root, "for-each-ref", "--format=%(objectname)", "refs/remotes").split()
    try:
        # a bundle names a reference, which is made in a repository beside the user's own
        with open_scratch(objects, name_object_format(commit)) as (scratch, _):
            scratch.execute(["git", "update-ref", reference, commit])
            scratch.execute(["git", "bundle", "create", "-q", str(path), reference, *(f"^{oid}" for oid in dict.fromkeys(held))])
    except git.CommandError as error:
        raise ProvenanceError(Problem(f"repository {repository_root}", "a bundle of its commit", explain(error), "Push it.")) from None


def fetch_commit(folder: Path, commit: str, sources: Sequence[Source], remote: str | None, is_checked_out: bool = True) -> Source:
    """Make a repository in a fresh folder, with a commit in it from the first source that has it, and check it out.

    Parameters
    ----------
    is_checked_out
        Whether its files are wanted, and not only its objects and HEAD.

    Raises
    ------
    ProvenanceError
        No source has it, each is named with what Git said; or it has more files than a commit may have, or there is room for.
    """
    if not is_commit_id(commit):
        remedy = "The lineage was edited: `samebits verify` says more."
        raise ProvenanceError(Problem("commit", "the whole id of one", repr(commit), remedy))
    runner = init_repository(folder, name_object_format(commit))
    if remote and not remote.startswith("-"):
        runner.execute(["git", "config", "remote.origin.url", remote])
        runner.execute(["git", "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"])
    failures = []
    for source in sources:
        reason = _try_fetch(folder, commit, source, sources)
        if reason is None:
            try:
                _refuse_bomb(folder, commit, shutil.disk_usage(folder).free if is_checked_out else None)
                runner.execute(["git", "update-ref", _RESTORED_REF, commit])
                command = ["checkout", "-q", "--detach"] if is_checked_out else ["update-ref", "--no-deref", "HEAD"]
                runner.execute(["git", *command, commit])
            except git.CommandError as error:
                raise ProvenanceError(Problem(f"commit {commit}", "one that Git checks out", explain(error), "Mend it.")) from None
            return source
        failures.append(f"{source.name}: {reason}")
    found = "; ".join(failures) or "no place to ask: no remote was recorded, and no repository is at hand"
    remedy = "Push the commit from where it was made, or run this inside a clone that has it."
    raise ProvenanceError(Problem(f"commit {commit}", "one that a repository or the archive holds", found, remedy))


def _refuse_bomb(folder: Path, commit: str, free_bytes: int | None) -> None:
    """Some hundred bytes of trees may name billions of files, and some thousand bytes of a file mean as many."""
    listing = read_git(make_runner(folder), ["git", "ls-tree", "-r", "-t", "-l", "-z", commit], MOST_LISTED_BYTES, _TIMEOUT_SECONDS)
    remedy = "It is no project's commit, or one that is not brought back here."
    if listing is None:
        found = f"more than {MOST_LISTED_BYTES >> 20} MiB of their names"
        raise ProvenanceError(Problem(f"commit {commit}", "one of so many files as a project has", found, remedy))
    sizes = re.findall(rb"(?:^|\0)\d+ blob [0-9a-f]+ +(\d+)\t", listing)
    size_bytes = sum(map(int, sizes))
    if free_bytes is not None and size_bytes > free_bytes:
        found = f"{size_bytes >> 20} MiB of files"
        raise ProvenanceError(Problem(f"commit {commit}", f"room for it ({free_bytes >> 20} MiB are free)", found, remedy))


def _try_fetch(folder: Path, commit: str, source: Source, sources: Sequence[Source]) -> str | None:
    """Return None where the commit is there afterwards, else why it is not."""
    reason = "it is not there"
    for address, wanted in _list_fetches(commit, source, sources):
        try:
            _fetch(folder, address, commit, wanted, BUNDLE_TIMEOUT_SECONDS if address.endswith(".bundle") else _TIMEOUT_SECONDS)
        except git.CommandError as error:
            reason = explain(error)
        if _has_commit(make_runner(folder), commit):
            return None
    return reason


def _list_fetches(commit: str, source: Source, sources: Sequence[Source]) -> Iterator[tuple[str, list[str]]]:
    """The commit alone, which most servers give; else all branches. A bundle may build on what the other sources hold."""
    everything = ["+refs/*:refs/samebits/*"]
    if not source.address.endswith(".bundle"):
        yield source.address, ["--depth=1", commit]
        yield source.address, everything
        return
    yield source.address, everything
    for other in sources:
        if other is not source:
            yield other.address, ["+refs/heads/*:refs/samebits/heads/*"]
    yield source.address, everything


def _fetch(folder: Path, address: str, commit: str, wanted: Sequence[str], seconds: float = _TIMEOUT_SECONDS) -> None:
    """Of a folder that somebody names only the objects are read, through a repository of ours: its settings could run anything."""
    options, references = ([word for word in wanted if word.startswith("--") is is_option] for is_option in (True, False))
    command = ["git", "fetch", "-q", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", *options, "--"]
    local = _find_local_folder(address)
    if local is None:
        make_fetcher(folder).execute([*command, address, *references], kill_after_timeout=seconds)
        return
    objects = find_objects(local)
    if objects is None:
        raise git.GitCommandError(["git", "fetch"], 128, b"no repository is there")
    with open_scratch(objects, name_object_format(commit)) as (scratch, other):
        tips = [commit] if commit in references else _list_tips(objects.parent)
        listing = "".join(f"create refs/heads/{number} {tip}\n" for number, tip in enumerate(tips)).encode("ascii")
        run_git(scratch, ["git", "update-ref", "--stdin"], listing, seconds=_ASK_TIMEOUT_SECONDS)
        make_runner(folder).execute([*command, str(other), *references], kill_after_timeout=seconds)


def _list_tips(git_folder: Path) -> list[str]:
    """Return the ids that the references of a repository name, read as files."""
    lines: list[str] = []
    for path in [git_folder / "packed-refs", *sorted((git_folder / "refs").rglob("*"))]:
        if path.is_file() and not path.is_symlink():
            lines += path.read_text(encoding="utf-8", errors="replace").splitlines()
    return sorted({line.split(" ")[0] for line in lines if is_commit_id(line.split(" ")[0])})


def _find_local_folder(address: str) -> Path | None:
    """Return the folder of this machine that an address means; None where it means a server or a bundle."""
    if address.lower().startswith("file://"):
        address = unquote(urlsplit(address).path)
    path = Path(address)
    return path if _is_folder(path) else None


def _has_commit(runner: git.Git, commit: str) -> bool:
    try:
        runner.execute(["git", "cat-file", "-e", f"{commit}^{{tree}}"])
        missing = runner.execute(["git", "rev-list", "--objects", "--missing=print", "--no-walk", commit])
    except git.CommandError:
        return False
    return not any(line.startswith("?") for line in str(missing).splitlines())


def holds_commit(source: Source, commit: str) -> bool:
    """Tell whether a source gives a commit; it is fetched, without its files where the server allows that, and thrown away."""
    if not is_commit_id(commit):
        return False
    local = _find_local_folder(source.address)
    if local is not None:
        objects = find_objects(local)
        return objects is not None and _holds_object(objects, commit)
    with tempfile.TemporaryDirectory(prefix="samebits-fetch-") as folder:
        runner = init_repository(Path(folder, "scratch"), name_object_format(commit))
        for wanted in (["--depth=1", "--filter=blob:none", commit], ["+refs/*:refs/samebits/*"]):
            try:
                _fetch(Path(folder, "scratch"), source.address, commit, wanted, _ASK_TIMEOUT_SECONDS)
                runner.execute(["git", "cat-file", "-e", f"{commit}^{{commit}}"])
            except git.CommandError:
                continue
            return True
    return False


def _holds_object(objects: Path, commit: str) -> bool:
    """Objects that are read as files are believed when they have the id that they go by."""
    with open_scratch(objects, name_object_format(commit)) as (scratch, _):
        try:
            content = run_git(scratch, ["git", "cat-file", "commit", commit], seconds=_ASK_TIMEOUT_SECONDS)
        except git.CommandError:
            return False
        return digest_object("commit", content, name_object_format(commit)) == commit


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # below a folder that this user may not enter
        return False


def is_whole_bundle(path: Path, commit: str) -> bool:
    """Tell whether a bundle can be read and gives a commit, be it on top of others that are to come from elsewhere."""
    if not is_commit_id(commit):
        return False
    with tempfile.TemporaryDirectory(prefix="samebits-bundle-") as folder:
        runner = init_repository(Path(folder, "scratch"), name_object_format(commit))
        try:
            command = ["git", "bundle", "list-heads", str(path.absolute())]
            listed = read_git(runner, command, MOST_LISTED_BYTES, _ASK_TIMEOUT_SECONDS)
        except git.CommandError:
            return False
        return listed is not None and commit.encode("ascii") in listed


def list_remotes(repository_root: Path) -> list[str]:
    """Return the addresses of the remotes of a repository of the caller's own; none where Git does not tell."""
    try:
        entries = ask_list(repository_root, "config", "-z", "--get-regexp", r"^remote\..*\.url$")
    except ProvenanceError:
        return []
    return [entry.partition("\n")[2] for entry in entries]
