"""The identity of the code: the commit and what was changed beside it, or the wheel it was installed from.

Untracked files count, submodules too, and the package's own sources in any case. Nothing is changed in the repository. What an import
takes from elsewhere is added by `modules`.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.digests import PREFIX, digest_bytes, digest_file, digest_folder
from samebits.history.comparing import compare_tree
from samebits.history.entries import as_text
from samebits.history.repository import Repository, open_repository
from samebits.history.working_tree import WorkingTree
from samebits.lineage.manifest import MODULES_FOLDER, NESTED_FOLDER, PATCH_FILE
from samebits.own_store import list_own_places
from samebits.project import PACKAGE, is_checkout, lies_in
from samebits.provenance.patches import choose_kept, flatten, list_moved, make_patch, matches, read_kept, with_places
from samebits.text import shorten_list

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
    apart
        New files that no patch holds since they are the config's tables, which are kept as such.
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
    apart: frozenset[str] = field(default=frozenset(), compare=False)
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
    own = dataclasses.replace(
        own,
        commit=tree.commit,
        branch=tree.branch,
        remote=tree.remote,
        is_pushed=tree.is_pushed,
        root=tree.root,
        changes={as_text(name): digest for name, digest in tree.changes.items()},
        absent=[as_text(name) for name in tree.absent],
        line_ends=[as_text(name) for name in tree.line_ends],
        filtered={f"{place}{as_text(name)}": one.filtered[name] for place, one in with_places(trees) for name in one.filtered},
        trees=trees,
    )
    return _add_patches(own)


def leave_tables(code: CodeIdentity, tables: Sequence[Path]) -> CodeIdentity:
    """Return the code's identity with patches that hold none of a config's tables that Git does not know: those are kept as tables.

    Parameters
    ----------
    tables
        Files and folders that the config and its steps read or write.
    """
    own = {path.resolve() for path in tables}
    new = [
        (f"{place}{as_text(name)}", (tree.root / name).resolve())
        for place, tree in with_places(code.trees)
        for name in tree.changes
        if name not in tree.held
    ]
    left = (shown for shown, path in new if lies_in(path, own))
    apart = frozenset(shown for shown in left if not any(matches(shown, pattern) for pattern in code.keep))
    return _add_patches(dataclasses.replace(code, apart=apart)) if apart else code


def _add_patches(code: CodeIdentity) -> CodeIdentity:
    trees = code.trees
    kept, reasons = choose_kept(trees, code.keep, code.apart)
    contents = {name: read_kept(trees[name], names) for name, names in kept.items()}
    reasons |= list_moved(trees, kept, contents)
    patches = {name: make_patch(trees[name], names, contents[name]) for name, names in kept.items() if names}
    return dataclasses.replace(
        code,
        patch=patches.pop("", b""),
        left_out=sorted(reasons),
        reasons=dict(sorted(reasons.items())),
        nested={name: _describe_nested(one, patches.get(name, b"")) for name, one in trees.items() if name},
        patches=patches,
    )


def identify_trees(project_root: Path) -> dict[str, WorkingTree]:
    """Return the project's working tree, and each repository inside it, by its path from the root; none without a repository."""
    repository = open_repository(project_root)
    return _compare_trees(repository, project_root) if repository is not None else {}


def _compare_trees(repository: Repository, project_root: Path) -> dict[str, WorkingTree]:
    return dict(flatten(compare_tree(repository, apart=list_own_places(project_root))))


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
    kept = [name for name in _list_changes(code) if name not in code.reasons and name not in code.apart]
    converted = {f"{place}{as_text(name)}" for place, tree in with_places(code.trees) for name in tree.line_ends}
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
    return {name for name in code.reasons if lies_in((code.root / name).resolve(), own)}


def _list_changes(code: CodeIdentity) -> list[str]:
    return [
        f"{place}{as_text(name)}" for place, tree in with_places(code.trees) for name in tree.changes if name not in tree.inner_names
    ]


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
