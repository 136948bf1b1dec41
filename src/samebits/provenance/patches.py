"""What of the uncommitted changes is kept with a run: which files, and as patches that hold them byte for byte.

The commit alone says little: most runs that nobody can make again ran on a dirty tree. Small files come first, so that most fit under
a cap that is said when it is met; a secret only where the config names it. What is left out has its reason.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import git

from samebits.errors import Problem, ProvenanceError
from samebits.history.entries import DELETED, NULL_IDS, REPOSITORY, as_text, digest_object, read_kind
from samebits.history.runner import explain, run_git
from samebits.history.scratch import open_scratch, store_blobs
from samebits.history.working_tree import WorkingTree

PATCH_CAP_BYTES = 10 << 20
FILE_CAP_BYTES = 5 << 20
# As Git refuses them everywhere: other spellings of its own folder, on file systems that others use.
_GITS_OWN = re.compile(r"(?:^|[/\\])(?:\.git|git~1)[ .]*(?::[^/\\]*)?(?:[/\\]|$)", flags=re.IGNORECASE)


def list_wanted(config: Any) -> list[str]:
    """Return the patterns of `code.keep` of a config that nobody has checked yet: it is, once the code is identified."""
    code = config.get("code") if isinstance(config, dict) else None
    keep = code.get("keep") if isinstance(code, dict) else None
    return [pattern for pattern in keep if isinstance(pattern, str)] if isinstance(keep, list) else []


def with_places(trees: dict[str, WorkingTree]) -> Iterator[tuple[str, WorkingTree]]:
    """Yield each tree with what stands before its files' names in a record."""
    for name, tree in trees.items():
        yield f"{name}/" if name else "", tree


def flatten(tree: WorkingTree, place: str = "") -> Iterator[tuple[str, WorkingTree]]:
    """Yield a tree and every repository inside it, each with its path from the root."""
    yield place, tree
    for inner in tree.nested:
        yield from flatten(inner, f"{place}/{as_text(inner.name)}".lstrip("/"))


def choose_kept(
    trees: dict[str, WorkingTree], keep: Sequence[str], apart: Collection[str] = ()
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Divide the changed files into those that a patch holds, small ones first so that most fit under the cap, and the others.

    Parameters
    ----------
    apart
        Names of files that belong to neither: they are kept elsewhere.
    """
    kept: dict[str, list[str]] = {name: [] for name in trees}
    reasons, waiting = {}, []
    for place, (name, tree) in zip((place for place, _ in with_places(trees)), trees.items(), strict=True):
        for changed in (one for one in tree.changes if one not in tree.inner_names and one not in tree.line_ends):
            shown, size_bytes = f"{place}{as_text(changed)}", _measure(tree, changed)
            if shown in apart:
                continue
            if reason := _find_reason(tree, changed, size_bytes, any(matches(shown, pattern) for pattern in keep)):
                reasons[shown] = reason
            elif tree.changes[changed] != DELETED or changed not in _repositories(tree):
                waiting.append((size_bytes, shown, name, changed))
    total = 0
    for size_bytes, shown, name, changed in sorted(waiting):
        total += size_bytes
        if total <= PATCH_CAP_BYTES:
            kept[name].append(changed)
        elif trees[name].changes[changed] != DELETED:
            reasons[shown] = f"over the cap of {PATCH_CAP_BYTES >> 20} MiB for all together"
    return {name: sorted(names) for name, names in kept.items()}, reasons


def _repositories(tree: WorkingTree) -> set[str]:
    return {name for name, (mode, _) in tree.held.items() if mode == REPOSITORY}


def _measure(tree: WorkingTree, name: str) -> int:
    return tree.sizes.get(name, 0)


def _find_reason(tree: WorkingTree, name: str, size_bytes: int, is_wanted: bool) -> str | None:
    if _GITS_OWN.search(name) or (PurePosixPath(name).name.lower() == ".gitmodules" and (tree.root / name).is_symlink()):
        return "Git writes no file of this name"
    if name in tree.filtered:
        return "a filter of Git's makes it of what the commit holds"
    if name in tree.secrets and not is_wanted:
        return tree.secrets[name]
    if size_bytes > FILE_CAP_BYTES and not is_wanted:
        return f"larger than {FILE_CAP_BYTES >> 20} MiB"
    return None


def matches(name: str, pattern: str) -> bool:
    """Tell whether a name is one that a pattern of `code.keep` means; without a slash it means a file in any folder.

    >>> matches("app/.env", ".env"), matches("app/.env", "app/*"), matches("app/.env", "lib/*")
    (True, True, False)
    """
    return fnmatch.fnmatchcase(name if "/" in pattern else PurePosixPath(name).name, pattern.lstrip("/"))


def read_kept(tree: WorkingTree, names: Sequence[str]) -> dict[str, tuple[str, bytes]]:
    """Return the mode and the bytes of each file that still has those that were identified, be it with others after them."""
    found = {}
    for name in names:
        path = tree.root / name
        with contextlib.suppress(OSError):
            if (kind := read_kind(path)) is None:  # whoever opens a pipe waits for ever
                continue
            content = os.fsencode(path.readlink()) if path.is_symlink() else _read_first(path, tree.sizes.get(name, 0))
            if digest_object("blob", content, tree.repository.object_format) == tree.ids.get(name):
                found[name] = (kind, content)
    return found


def _read_first(path: Path, size_bytes: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size_bytes)


def list_moved(
    trees: dict[str, WorkingTree], kept: dict[str, list[str]], contents: dict[str, dict[str, tuple[str, bytes]]]
) -> dict[str, str]:
    """Return the files that were to be kept, and changed since they were identified; one that runs is refused later."""
    moved = [
        f"{place}{as_text(name)}"
        for (place, tree), key in zip(with_places(trees), trees, strict=True)
        for name in kept[key]
        if name in tree.ids and name not in contents[key]
    ]
    return dict.fromkeys(moved, "it was changed while it was read")


def make_patch(tree: WorkingTree, kept: Sequence[str], contents: dict[str, tuple[str, bytes]]) -> bytes:
    """Compare the commit with the working tree in a repository of ours: nothing of the user's moves, no setting of theirs counts."""
    repository = tree.repository
    with open_scratch(repository.objects, repository.object_format) as (scratch, folder):
        try:
            scratch.execute(["git", "read-tree", tree.commit or "--empty"])
            _stage_as_they_are(tree, kept, contents, scratch, folder)
            return run_git(
                scratch,
                ["git", "-c", "core.quotePath=true", "diff", "--cached", "--binary", "--full-index", "--no-color", "--no-ext-diff",
                 "--no-textconv", "--no-renames", "-U3", "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/",
                 *([tree.commit] if tree.commit else [])],
            )  # fmt: skip
        except git.CommandError as error:
            remedy = "`git fsck` says more of the repository."
            raise ProvenanceError(Problem(f"repository {tree.root}", "a patch of its changes", explain(error), remedy)) from None


def _stage_as_they_are(
    tree: WorkingTree, kept: Sequence[str], contents: dict[str, tuple[str, bytes]], scratch: git.Git, folder: Path
) -> None:
    """Put files into the index byte for byte: `git add` would change line ends and more by attributes and settings."""
    for number, (_, content) in enumerate(contents.values()):
        (folder / f"blob-{number}").write_bytes(content)
    store_blobs(scratch, [str(folder / f"blob-{number}") for number in range(len(contents))], "-w")
    entries = [f"{kind} {tree.ids[name]}\t".encode() + os.fsencode(name) for name, (kind, _) in contents.items()]
    gone = [f"0 {NULL_IDS[tree.repository.object_format]}\t".encode() + os.fsencode(name) for name in kept if name not in tree.ids]
    run_git(scratch, ["git", "update-index", "-z", "--index-info"], b"".join(entry + b"\0" for entry in [*gone, *entries]))
