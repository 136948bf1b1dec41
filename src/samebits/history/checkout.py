"""A fresh checkout made what a recorded working tree was: patch, line ends, files that are absent, ignored or left out.

No hook, filter or setting of anybody's takes part, and nothing is written outside the fresh folder. Nothing of the caller's checkout
is read but files that the record names by their digest, and nothing of it is moved.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import git

from samebits.digests import PREFIX
from samebits.errors import Problem, ProvenanceError
from samebits.history.entries import DELETED, digest_object, find_entry, is_recorded_entry
from samebits.history.fetching import BUNDLE_TIMEOUT_SECONDS
from samebits.history.repository import ask_if_any, ask_text
from samebits.history.runner import explain, make_runner, read_git, run_git
from samebits.lineage.manifest import PATCH_FILE

MOST_COMPARED_BYTES = 64 << 20  # of a patch between two trees
_NO_CONVERSION = "* -text -ident -filter -working-tree-encoding\n"


def apply_patch(folder: Path, patch: Path, left_alone: Sequence[str]) -> None:
    """Apply a recorded patch to a checkout, but for some paths, byte for byte: no attribute of the commit converts what it writes.

    Raises
    ------
    ProvenanceError
        It does not apply.
    """
    excluded = [f"--exclude={_escape_pattern(name)}" for name in left_alone]
    with tempfile.TemporaryDirectory(prefix="samebits-index-") as scratch:
        runner = make_runner(folder, GIT_INDEX_FILE=str(Path(scratch, "index")))
        try:
            base = _find_base(folder)
            runner.execute(["git", "read-tree", base])
            runner.execute(["git", "apply", "--cached", "--whitespace=nowarn", *excluded, "--", str(patch.absolute())])
            _write_staged(folder, runner, base)
        except git.CommandError as error:
            remedy = "The recorded patch is damaged: `samebits verify` says more."
            raise ProvenanceError(Problem(PATCH_FILE, "a patch that applies to the commit", explain(error), remedy)) from None


def _find_base(folder: Path) -> str:
    """Return the commit of a checkout, or the empty tree where a repository inside had none."""
    object_format = ask_text(folder, "rev-parse", "--show-object-format")
    return ask_if_any(folder, "rev-parse", "-q", "--verify", "HEAD") or digest_object("tree", b"", object_format)


def _write_staged(folder: Path, runner: git.Git, base: str) -> None:
    listing = ["git", "diff-index", "--cached", "--no-renames", "--name-only", "-z"]
    changed, gone = (run_git(runner, [*listing, f"--diff-filter={kinds}", base]) for kinds in ("AMT", "D"))
    for name in filter(None, gone.split(b"\0")):
        remove_entry(folder, os.fsdecode(name))
    attributes = folder / ".git/info/attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text(_NO_CONVERSION, encoding="ascii")
    try:
        run_git(runner, ["git", "checkout-index", "-f", "-z", "--stdin"], changed)
    finally:
        attributes.unlink()


def is_inside(folder: Path, name: str) -> bool:
    """Tell whether a recorded name lies in a folder, through no link and not in Git's own."""
    path = Path(name)
    parts = path.parts
    if path.is_absolute() or not parts or ".." in parts or any(part.lower() == ".git" for part in parts):
        return False
    return not any(Path(folder, *parts[:depth]).is_symlink() for depth in range(1, len(parts)))


def remove_entry(folder: Path, name: str) -> None:
    """Remove a file, or a folder with all that is in it, that a name in a record means."""
    if not is_inside(folder, name):
        return
    path = folder / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def hide_absent(folder: Path, names: Sequence[str]) -> None:
    """Leave out of a checkout what the recorded one was without, a sparse one, so that Git does not take it for deleted."""
    if not names:
        return
    runner = make_runner(folder)
    listed = run_git(runner, ["git", "ls-files", "-z"]).split(b"\0")
    wanted = [os.fsencode(name) for name in names]
    gone = [one for one in listed if one and any(one == name or (name.endswith(b"/") and one.startswith(name)) for name in wanted)]
    runner.execute(["git", "config", "core.sparseCheckout", "true"])
    run_git(runner, ["git", "update-index", "-z", "--skip-worktree", "--stdin"], b"".join(name + b"\0" for name in gone))
    for name in names:
        remove_entry(folder, name.rstrip("/"))


def ignore_entry(folder: Path, name: str) -> None:
    """Let Git ignore a file of a checkout as it did where it was recorded, by whichever of its lists."""
    parts = Path(name).parts
    depth = max((depth for depth in range(1, len(parts)) if Path(folder, *parts[:depth], ".git").is_dir()), default=0)
    listing = Path(folder, *parts[:depth], ".git/info/exclude")
    listing.parent.mkdir(exist_ok=True)
    pattern = re.sub(r"([\\\\*?\[\]! #])", r"\\\1", "/".join(parts[depth:]))
    with listing.open("a", encoding="utf-8") as file:
        file.write(f"/{pattern}\n")


def convert_line_ends(folder: Path, names: Sequence[str]) -> None:
    """Give texts of a checkout the line ends CRLF."""
    for name in names:
        path = folder / name
        if is_inside(folder, name) and path.is_file() and not path.is_symlink():
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


def copy_filtered(folder: Path, places: Sequence[Path], filtered: dict[str, str]) -> list[str]:
    """Put the bytes that a filter gave in the place of what the commit holds, where a place has them; return the others.

    Of Git LFS a clone has them by their digest. No program is asked.
    """
    missing = []
    for name, digest in filtered.items():
        oid = digest.removeprefix(PREFIX)
        candidates = [path for place in places for path in (place / name, place / f".git/lfs/objects/{oid[:2]}/{oid[2:4]}/{oid}")]
        source = next((path for path in candidates if _is_same(path, name, digest)), None)
        if source is None or not is_inside(folder, name) or not (folder / name).is_file() or (folder / name).is_symlink():
            missing.append(name)
        else:
            shutil.copyfile(source, folder / name)
    return missing


def _escape_pattern(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def copy_left_out(folder: Path, repository: Path | None, changes: dict[str, str], left_out: Sequence[str]) -> list[str]:
    """Copy the files that no patch holds from where they were, if they are still the same; return the others."""
    missing = []
    for name in left_out:
        source = find_entry(repository, name) if repository else None
        target = (
            folder / source.relative_to(repository) if source and repository and source.is_relative_to(repository) else folder / name
        )
        if source is None or not is_inside(folder, name) or not _is_same(source, name, changes.get(name)):
            missing.append(name)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)  # a link would be written through
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
    return missing


def _is_same(path: Path, name: str, digest: str | None) -> bool:
    try:
        return digest is not None and path.is_file() and not path.is_symlink() and is_recorded_entry(path, name, digest)
    except OSError:
        return False


def list_wrong_changes(folder: Path, changes: dict[str, str]) -> list[str]:
    """Return the changed files that are not what was recorded of them, by name."""
    return [name for name, digest in sorted(changes.items()) if not _is_back(folder, name, digest)]


def _is_back(folder: Path, name: str, digest: str) -> bool:
    is_gone = digest == DELETED and not is_inside(folder, name)  # a link stands where its folder was
    return is_gone or is_recorded_entry(find_entry(folder, name), name, digest)


def write_tree(folder: Path, patch: Path | None) -> str:
    """Return Git's id of the tree that a checkout's commit and a patch on top of it make; the working tree is not touched.

    Raises
    ------
    ProvenanceError
        The patch does not apply.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-index-") as scratch:
        runner = make_runner(folder, GIT_INDEX_FILE=str(Path(scratch, "index")))
        try:
            runner.execute(["git", "read-tree", "HEAD"])
            if patch is not None:
                runner.execute(["git", "apply", "--cached", "--whitespace=nowarn", "--", str(patch.absolute())])
            return str(runner.execute(["git", "write-tree"]))
        except git.CommandError as error:
            remedy = "The recorded patch is damaged: `samebits verify` says more."
            raise ProvenanceError(Problem(PATCH_FILE, "a patch that applies to the commit", explain(error), remedy)) from None


def diff_trees(folder: Path, left_tree: str, right_tree: str) -> str:
    """Return the patch from one tree to another of a repository.

    Raises
    ------
    ProvenanceError
        Git does not give it.
    """
    command = ["git", "diff", "--no-color", "--no-ext-diff", "--no-textconv", left_tree, right_tree]
    try:
        patch = read_git(make_runner(folder), command, MOST_COMPARED_BYTES, BUNDLE_TIMEOUT_SECONDS)
        if patch is not None:
            return patch.decode("utf-8", "backslashreplace")
        found = f"more than {MOST_COMPARED_BYTES >> 20} MiB, or {BUNDLE_TIMEOUT_SECONDS} s of work"
        raise ProvenanceError(Problem("code", "a difference that can be shown", found, "Compare the commits with Git."))
    except git.CommandError as error:
        raise ProvenanceError(Problem(f"repository {folder}", "the difference of two trees", explain(error), "Mend it.")) from None
