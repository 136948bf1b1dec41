"""The identity of the code: the commit and what was changed beside it, or the wheel it was installed from.

The commit alone says little: most runs that nobody can make again ran on a dirty tree. So the difference to the commit is kept as a
patch, untracked files included, up to a cap that is said when it is met. The package's own sources are digested in any case.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import importlib.metadata
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import git

from samebits.digests import PREFIX, digest_bytes, digest_file, digest_folder
from samebits.errors import Problem, ProvenanceError
from samebits.lineage.manifest import MODULES_FOLDER, NESTED_FOLDER, PATCH_FILE
from samebits.own_store import list_own_places
from samebits.project import PACKAGE, is_checkout
from samebits.provenance.changes import DELETED, WorkingTree, as_text, compare_tree, read_kind
from samebits.provenance.repository import (
    NULL_IDS,
    Repository,
    digest_object,
    explain,
    open_repository,
    open_scratch,
    run_git,
    store_blobs,
)
from samebits.text import shorten_list

PATCH_CAP_BYTES = 10 << 20
FILE_CAP_BYTES = 5 << 20
# As Git refuses them everywhere: other spellings of its own folder, on file systems that others use.
_GITS_OWN = re.compile(r"(?:^|[/\\])(?:\.git|git~1)[ .]*(?::[^/\\]*)?(?:[/\\]|$)", flags=re.IGNORECASE)
_SECRET_REMEDY = "name it in `code: {keep: [...]}` to keep it, or in .gitignore if no code reads it"


@dataclass(frozen=True)
class CodeIdentity:
    """Which code ran.

    Parameters
    ----------
    sources_digest
        Of samebits' own files; the same in a checkout and in a wheel built from it.
    wheel_digest
        Of the wheel that samebits was installed from; None in a checkout.
    commit, branch, remote
        Of the project's repository; None where it has none. A remote is kept without password or token.
    is_pushed
        Whether a branch of a remote, as last fetched, holds the commit.
    root
        The repository's working tree, in which changes are named; None where there is none.
    changes
        Digest of each file that differs from the commit, untracked ones included; "deleted" where it is gone. Of a repository inside
        this one, the digest of what is in it, if that is not what the commit says.
    patch
        From the commit to the working tree, binary-safe, for `git apply`; empty where the tree is clean.
    left_out
        Changed files that no patch holds, those of repositories inside included, and modules that are not kept.
    reasons
        Why each of them is left out.
    absent
        What a sparse checkout leaves out: files, and folders with a slash at their end.
    line_ends
        Changed files that have CRLF where the commit has LF, and differ in nothing else; no patch holds them.
    filtered
        Digest of each file that a filter of Git's, such as Git LFS, turns into what the commit holds.
    nested
        Of each repository inside: its commit, changes and places.
    trees
        The project's working tree, and each repository inside it, by its path from the root.
    patches
        Of the repositories inside, by the same path.
    modules
        Digest of each module that was imported, or is allowed, and that neither a package nor the commit with its changes holds.
    module_files
        The bytes of those that are kept, by the same name.
    keep
        Patterns of files that are kept although they look like secrets, are large or ignored.
    changed_meanwhile
        Files that are not any more what they were when the code was identified.
    """

    sources_digest: str
    wheel_digest: str | None
    commit: str | None = None
    branch: str | None = None
    remote: str | None = None
    is_pushed: bool = False
    root: Path | None = None
    changes: dict[str, str] = field(default_factory=dict)
    patch: bytes = b""
    left_out: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    line_ends: list[str] = field(default_factory=list)
    filtered: dict[str, str] = field(default_factory=dict)
    nested: dict[str, Any] = field(default_factory=dict)
    trees: dict[str, WorkingTree] = field(default_factory=dict, compare=False)
    patches: dict[str, bytes] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    module_files: dict[str, bytes] = field(default_factory=dict)
    keep: tuple[str, ...] = field(default=(), compare=False)
    changed_meanwhile: list[str] = field(default_factory=list)

    @property
    def is_dirty(self) -> bool:
        """Whether the working tree held anything that the commit does not, and that no filter of Git's turns into what it holds."""
        return bool(self.changes.keys() - self.filtered.keys())

    @property
    def files(self) -> dict[str, bytes]:
        """What is kept with a run, by its path on the server."""
        nested = {name_nested_patch(name): patch for name, patch in self.patches.items()}
        modules = {f"{MODULES_FOLDER}/{name}": content for name, content in self.module_files.items()}
        return {**({PATCH_FILE: self.patch} if self.patch else {}), **nested, **modules}

    def list_unpushed(self) -> list[tuple[Path, str]]:
        """Return the working tree and the commit of each repository, inside the project's or its own, of which no remote has it."""
        trees = self.trees.values()
        return [(tree.root, tree.commit) for tree in trees if tree.commit is not None and not tree.is_pushed]


def name_nested_patch(name: str) -> str:
    """Return the path on the server of the patch of a repository inside the project's."""
    return f"{NESTED_FOLDER}/{name}.patch"


def identify_code(project_root: Path, keep: Sequence[str] = ()) -> CodeIdentity:
    """Return the identity of the code as it lies here now.

    Parameters
    ----------
    keep
        Patterns of changed files that are kept although they look like secrets or are large.

    Raises
    ------
    ProvenanceError
        There is a repository, but Git cannot read it; or not what lies in it.
    """
    own = CodeIdentity(sources_digest=read_sources_digest(), wheel_digest=_read_wheel_digest(), keep=tuple(keep))
    repository = open_repository(project_root)
    if repository is None:
        return own
    trees = _compare_trees(repository, project_root)
    tree = trees[""]
    if tree.commit is None:
        return dataclasses.replace(own, remote=tree.remote)  # nothing was committed yet
    kept, reasons = _choose_kept(trees, keep)
    contents = {name: _read_kept(trees[name], names) for name, names in kept.items()}
    reasons |= _list_moved(trees, kept, contents)
    patches = {name: _make_patch(trees[name], names, contents[name]) for name, names in kept.items() if names}
    return dataclasses.replace(
        own,
        commit=tree.commit,
        branch=tree.branch,
        remote=tree.remote,
        is_pushed=tree.is_pushed,
        root=tree.root,
        changes={as_text(name): digest for name, digest in tree.changes.items()},
        patch=patches.pop("", b""),
        left_out=sorted(reasons),
        reasons=dict(sorted(reasons.items())),
        absent=[as_text(name) for name in tree.absent],
        line_ends=[as_text(name) for name in tree.line_ends],
        filtered={f"{place}{as_text(name)}": one.filtered[name] for place, one in _with_places(trees) for name in one.filtered},
        nested={name: _describe_nested(one, patches.get(name, b"")) for name, one in trees.items() if name},
        trees=trees,
        patches=patches,
    )


def identify_trees(project_root: Path) -> dict[str, WorkingTree]:
    """Return the project's working tree, and each repository inside it, by its path from the root; none without a repository."""
    repository = open_repository(project_root)
    return _compare_trees(repository, project_root) if repository is not None else {}


def _compare_trees(repository: Repository, project_root: Path) -> dict[str, WorkingTree]:
    return dict(_flatten(compare_tree(repository, apart=list_own_places(project_root))))


def list_wanted(config: Any) -> list[str]:
    """Return the patterns of `code.keep` of a config that nobody has checked yet: it is, once the code is identified."""
    code = config.get("code") if isinstance(config, dict) else None
    keep = code.get("keep") if isinstance(code, dict) else None
    return [pattern for pattern in keep if isinstance(pattern, str)] if isinstance(keep, list) else []


def read_sources_digest() -> str:
    """Return the digest of samebits' own files, as they lie here."""
    return digest_folder(PACKAGE)


def _describe_nested(tree: WorkingTree, patch: bytes) -> dict[str, Any]:
    return {
        **tree.describe_content(),
        "remote": tree.remote,
        "repository": str(tree.root),
        "pushed": tree.is_pushed,
        "line_ends": [as_text(name) for name in tree.line_ends],
        "patch": {"digest": digest_bytes(patch), "size_bytes": len(patch)},
    }


def describe_kept(code: CodeIdentity, inputs: Sequence[Path] = ()) -> list[str]:
    """Return what is to be said before anything is sent: which uncommitted files are kept with the run, and which are not, and why.

    Parameters
    ----------
    inputs
        What the config reads: it has stages of its own, and the archive keeps it.
    """
    lines = []
    own = _name_inputs(code, inputs)
    kept = [name for name in _list_changes(code) if name not in code.reasons]
    converted = {f"{place}{as_text(name)}" for place, tree in _with_places(code.trees) for name in tree.line_ends}
    if others := [name for name in kept if name not in converted]:
        lines.append(f"uncommitted files that are kept with the run: {shorten_list(sorted(others), 10)}")
    if converted:
        files = shorten_list(sorted(converted), 3)
        lines.append(f"Git's line ends here are not the commit's (core.autocrlf); what ran has CRLF, and comes back so: {files}")
    left_out = [f"{name} ({reason})" for name, reason in code.reasons.items() if name not in code.modules and name not in own]
    if left_out:
        lines.append(f"uncommitted files that are not kept with the run: {shorten_list(left_out, 10)}; {_SECRET_REMEDY}")
    return [*lines, *describe_modules(code)]


def describe_modules(code: CodeIdentity) -> list[str]:
    """Return what is to be said of modules that neither a package nor the commit holds: which are kept, and which are not, and why."""
    lines = []
    if code.module_files:
        kept = [name.partition("/")[2] for name in code.module_files]
        lines.append(f"modules that the commit does not hold and that are kept with the run: {shorten_list(kept, 10)}")
    left_out = [f"{name.partition('/')[2]} ({reason})" for name, reason in code.reasons.items() if name in code.modules]
    if left_out:
        remedy = "name them in `code: {keep: [...]}` to keep them"
        lines.append(f"modules that are not kept with the run: {shorten_list(left_out, 10)}; {remedy}")
    return lines


def _name_inputs(code: CodeIdentity, inputs: Sequence[Path]) -> set[str]:
    """Return the changed files that are an input of the config's, or lie in one that is a folder."""
    if code.root is None:
        return set()
    own = {path.resolve() for path in inputs}
    return {name for name in code.reasons if own & {path := (code.root / name).resolve(), *path.parents}}


def _list_changes(code: CodeIdentity) -> list[str]:
    return [
        f"{place}{as_text(name)}" for place, tree in _with_places(code.trees) for name in tree.changes if name not in tree.inner_names
    ]


def _with_places(trees: dict[str, WorkingTree]) -> Iterator[tuple[str, WorkingTree]]:
    for name, tree in trees.items():
        yield f"{name}/" if name else "", tree


def _flatten(tree: WorkingTree, place: str = "") -> Iterator[tuple[str, WorkingTree]]:
    yield place, tree
    for inner in tree.nested:
        yield from _flatten(inner, f"{place}/{as_text(inner.name)}".lstrip("/"))


def _choose_kept(trees: dict[str, WorkingTree], keep: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Divide the changed files into those that a patch holds, small ones first so that most fit under the cap, and the others."""
    kept: dict[str, list[str]] = {name: [] for name in trees}
    reasons, waiting = {}, []
    for place, (name, tree) in zip((place for place, _ in _with_places(trees)), trees.items(), strict=True):
        for changed in (one for one in tree.changes if one not in tree.inner_names and one not in tree.line_ends):
            shown, size_bytes = f"{place}{as_text(changed)}", _measure(tree, changed)
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
    return {name for name, (mode, _) in tree.held.items() if mode == "160000"}


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


def _read_kept(tree: WorkingTree, names: Sequence[str]) -> dict[str, tuple[str, bytes]]:
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


def _list_moved(
    trees: dict[str, WorkingTree], kept: dict[str, list[str]], contents: dict[str, dict[str, tuple[str, bytes]]]
) -> dict[str, str]:
    """Return the files that were to be kept, and changed since they were identified; one that runs is refused later."""
    moved = [
        f"{place}{as_text(name)}"
        for (place, tree), key in zip(_with_places(trees), trees, strict=True)
        for name in kept[key]
        if name in tree.ids and name not in contents[key]
    ]
    return dict.fromkeys(moved, "it was changed while it was read")


def _make_patch(tree: WorkingTree, kept: Sequence[str], contents: dict[str, tuple[str, bytes]]) -> bytes:
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


def _read_wheel_digest() -> str | None:
    """Return the digest that the installer noted of the wheel's file (PEP 610), or else of what the wheel unpacked to (PEP 376).

    The second is the digest of RECORD's lines for the wheel's own files: it too is equal exactly for equal wheels.
    """
    if is_checkout():
        return None
    try:
        distribution = importlib.metadata.distribution("samebits")
    except importlib.metadata.PackageNotFoundError:
        return None
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    noted = _find_noted_digest(origin)
    if noted:
        return noted
    lines = sorted(line for line in (distribution.read_text("RECORD") or "").splitlines() if line.startswith("samebits/"))
    return digest_bytes("\n".join(line for line in lines if ".pyc," not in line).encode("utf-8"))


def _find_noted_digest(origin: dict[str, Any]) -> str | None:
    archive = origin.get("archive_info") or {}
    noted = (archive.get("hashes") or {}).get("sha256") or str(archive.get("hash", "")).removeprefix("sha256=")
    if noted:
        return PREFIX + noted
    path = Path(str(origin.get("url", "")).removeprefix("file://"))
    return digest_file(path) if path.suffix == ".whl" and path.is_file() else None
