"""Brings a recorded commit back into a fresh folder, with the uncommitted changes on top; and bundles one that no remote holds.

Nothing of the caller's checkout is read but Git's objects, and nothing of it is moved.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import git

from samebits.errors import Problem, ProvenanceError
from samebits.lineage.manifest import PATCH_FILE
from samebits.provenance.code import digest_entry

_TIMEOUT_SECONDS = 600
_ASK_TIMEOUT_SECONDS = 20
# The commit stands on a branch of a remote in the folder too, so that a run made there does not take it for unpushed.
_RESTORED_REF = "refs/remotes/origin/samebits-restored"
# No question to anybody, and no hook or template of the caller's in a folder that is to hold what was recorded and nothing else.
_ALONE = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_HTTP_LOW_SPEED_LIMIT": "1",
    "GIT_HTTP_LOW_SPEED_TIME": "20",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15",
    "GIT_CONFIG_COUNT": "4",
    "GIT_CONFIG_KEY_0": "core.hooksPath",
    "GIT_CONFIG_VALUE_0": "/dev/null",
    "GIT_CONFIG_KEY_1": "init.templateDir",
    "GIT_CONFIG_VALUE_1": "",
    "GIT_CONFIG_KEY_2": "core.fsmonitor",
    "GIT_CONFIG_VALUE_2": "false",
    "GIT_CONFIG_KEY_3": "core.autocrlf",
    "GIT_CONFIG_VALUE_3": "false",
    "LC_ALL": "C",
}


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
    runner = _make_runner(repository_root)
    reference = f"refs/samebits/{commit}"
    try:
        # a bundle names a reference, which is made in a repository beside the user's own
        with tempfile.TemporaryDirectory(prefix="samebits-bundle-") as folder:
            scratch = _init(Path(folder, "scratch"))
            alternates = Path(folder, "scratch/.git/objects/info/alternates")
            objects = _find_objects(runner)
            alternates.write_text(f"{objects}\n", encoding="utf-8")
            if (objects.parent / "shallow").is_file():
                shutil.copyfile(objects.parent / "shallow", Path(folder, "scratch/.git/shallow"))
            scratch.execute(["git", "update-ref", reference, commit])
            held = str(runner.execute(["git", "for-each-ref", "--format=%(objectname)", "refs/remotes"])).split()
            scratch.execute(["git", "bundle", "create", "-q", str(path), reference, *(f"^{oid}" for oid in dict.fromkeys(held))])
    except git.CommandError as error:
        raise ProvenanceError(Problem(f"repository {repository_root}", "a bundle of its commit", explain(error), "Push it.")) from None


def _find_objects(runner: git.Git) -> Path:
    folder = Path(runner.execute(["git", "rev-parse", "--git-common-dir"]))
    return (Path(str(runner.working_dir)) / folder / "objects").resolve()


def _make_runner(folder: Path) -> git.Git:
    if shutil.which("git") is None:
        raise ProvenanceError(Problem("Git", "it, to bring a commit back or look for it", "none on PATH", "Install it."))
    runner = git.Git(str(folder))
    runner.update_environment(**_ALONE)
    return runner


def _init(folder: Path) -> git.Git:
    folder.mkdir(parents=True)
    runner = _make_runner(folder)
    runner.execute(["git", "-c", "init.defaultBranch=main", "init", "-q"])
    return runner


def fetch_commit(folder: Path, commit: str, sources: Sequence[Source], remote: str | None) -> Source:
    """Make a repository in a fresh folder, with a commit in it from the first source that has it, and check it out.

    Raises
    ------
    ProvenanceError
        No source has it; each is named with what Git said.
    """
    runner = _init(folder)
    if remote and not remote.startswith("-"):
        runner.execute(["git", "remote", "add", "origin", remote])
    failures = []
    for source in sources:
        reason = _try_fetch(runner, commit, source, sources)
        if reason is None:
            runner.execute(["git", "update-ref", _RESTORED_REF, commit])
            try:
                runner.execute(["git", "checkout", "-q", "--detach", commit])
            except git.CommandError as error:
                raise ProvenanceError(Problem(f"commit {commit}", "one that Git checks out", explain(error), "Mend it.")) from None
            return source
        failures.append(f"{source.name}: {reason}")
    found = "; ".join(failures) or "no place to ask: no remote was recorded, and no repository is at hand"
    remedy = "Push the commit from where it was made, or run this inside a clone that has it."
    raise ProvenanceError(Problem(f"commit {commit}", "one that a repository or the archive holds", found, remedy))


def _try_fetch(runner: git.Git, commit: str, source: Source, sources: Sequence[Source]) -> str | None:
    """Return None where the commit is there afterwards, else why it is not."""
    reason = "it is not there"
    for words in _list_fetches(commit, source, sources):
        try:
            runner.execute(["git", "fetch", "-q", "--no-tags", *words], kill_after_timeout=_TIMEOUT_SECONDS)
        except git.CommandError as error:
            reason = explain(error)
        if _has_commit(runner, commit):
            return None
    return reason


def _list_fetches(commit: str, source: Source, sources: Sequence[Source]) -> Iterator[list[str]]:
    """The commit alone, which most servers give; else all branches. A bundle may build on what the other sources hold."""
    everything = "+refs/*:refs/samebits/*"
    if not source.address.endswith(".bundle"):
        yield ["--depth=1", source.address, commit]
        yield [source.address, everything]
        return
    yield [source.address, everything]
    for other in sources:
        if other is not source:
            yield [other.address, "+refs/heads/*:refs/samebits/heads/*"]
    yield [source.address, everything]


def _has_commit(runner: git.Git, commit: str) -> bool:
    try:
        runner.execute(["git", "cat-file", "-e", f"{commit}^{{tree}}"])
        missing = runner.execute(["git", "rev-list", "--objects", "--missing=print", "--no-walk", commit])
    except git.CommandError:
        return False
    return not any(line.startswith("?") for line in str(missing).splitlines())


def holds_commit(source: Source, commit: str) -> bool:
    """Tell whether a source gives a commit; it is fetched, without its files where the server allows that, and thrown away."""
    with tempfile.TemporaryDirectory(prefix="samebits-fetch-") as folder:
        own = Path(source.address)
        if _is_folder(own):
            try:
                _make_runner(own).execute(["git", "cat-file", "-e", f"{commit}^{{commit}}"])
            except git.CommandError:
                return False
            return True
        runner = _init(Path(folder, "scratch"))
        for words in (["--depth=1", "--filter=blob:none", source.address, commit], [source.address, "+refs/*:refs/samebits/*"]):
            try:
                runner.execute(["git", "fetch", "-q", "--no-tags", *words], kill_after_timeout=_ASK_TIMEOUT_SECONDS)
                runner.execute(["git", "cat-file", "-e", f"{commit}^{{commit}}"])
            except git.CommandError:
                continue
            return True
    return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # below a folder that this user may not enter
        return False


def is_whole_bundle(path: Path, commit: str) -> bool:
    """Tell whether a bundle can be read and gives a commit, be it on top of others that are to come from elsewhere."""
    with tempfile.TemporaryDirectory(prefix="samebits-bundle-") as folder:
        runner = _init(Path(folder, "scratch"))
        try:
            return commit in str(runner.execute(["git", "bundle", "list-heads", str(path)]))
        except git.CommandError:
            return False


def apply_patch(folder: Path, patch: Path, left_alone: Sequence[str]) -> None:
    """Apply a recorded patch to a checkout, but for some paths.

    Raises
    ------
    ProvenanceError
        It does not apply.
    """
    excluded = [f"--exclude={_escape_pattern(name)}" for name in left_alone]
    try:
        _make_runner(folder).execute(["git", "apply", "--whitespace=nowarn", *excluded, str(patch)])
    except git.CommandError as error:
        remedy = "The recorded patch is damaged: `samebits verify` says more."
        raise ProvenanceError(Problem(PATCH_FILE, "a patch that applies to the commit", explain(error), remedy)) from None


def _escape_pattern(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def copy_left_out(folder: Path, repository: Path | None, changes: dict[str, str], left_out: Sequence[str]) -> list[str]:
    """Copy the files that went over the patch's cap from where they were, if they are still the same; return the others."""
    missing = []
    for name in left_out:
        source = repository / name if repository else None
        target = folder / name
        is_inside = target.resolve().is_relative_to(folder.resolve())
        if source is None or not is_inside or not _is_same(source, changes.get(name)):
            missing.append(name)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return missing


def _is_same(path: Path, digest: str | None) -> bool:
    try:
        return path.is_file() and digest_entry(path) == digest
    except OSError:
        return False


def list_wrong_changes(folder: Path, changes: dict[str, str]) -> list[str]:
    """Return the changed files that are not what was recorded of them, by name."""
    return [name for name, digest in sorted(changes.items()) if digest_entry(folder / name) != digest]


def write_tree(folder: Path, patch: Path | None) -> str:
    """Return Git's id of the tree that a checkout's commit and a patch on top of it make; the working tree is not touched."""
    runner = _make_runner(folder)
    with tempfile.TemporaryDirectory(prefix="samebits-index-") as scratch:
        runner.update_environment(**_ALONE, GIT_INDEX_FILE=str(Path(scratch, "index")))
        runner.execute(["git", "read-tree", "HEAD"])
        if patch is not None:
            runner.execute(["git", "apply", "--cached", "--whitespace=nowarn", str(patch)])
        return str(runner.execute(["git", "write-tree"]))


def diff_trees(folder: Path, left_tree: str, right_tree: str) -> str:
    """Return the patch from one tree to another of a repository."""
    return str(_make_runner(folder).execute(["git", "diff", "--no-color", "--no-ext-diff", left_tree, right_tree]))


def explain(error: git.CommandError) -> str:
    """Return what Git said, on one line."""
    said = str(error.stderr or error).replace("stderr:", " ").strip().strip("'")
    lines = [line.strip().strip("'") for line in said.splitlines() if line.strip()]
    return " ".join(lines[-3:])[:400] or "no reason"


def list_remotes(repository_root: Path) -> list[str]:
    """Return the addresses of the remotes of a repository of the caller's own; none where Git does not tell."""
    try:
        said = str(_make_runner(repository_root).execute(["git", "config", "--get-regexp", r"^remote\..*\.url$"]))
    except (git.CommandError, ProvenanceError):
        return []
    return [line.partition(" ")[2] for line in said.splitlines()]
