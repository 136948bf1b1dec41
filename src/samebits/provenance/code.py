"""The identity of the code: the commit and what was changed beside it, or the wheel it was installed from.

The commit alone says little: most runs that nobody can make again ran on a dirty tree. So the difference to the commit is kept as a
patch, untracked files included, up to a cap that is said when it is met. The package's own sources are digested in any case.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import git

from samebits.digests import PREFIX, digest_bytes, digest_file, digest_folder
from samebits.errors import Problem, ProvenanceError
from samebits.project import PACKAGE, is_checkout
from samebits.provenance.blobs import hash_files
from samebits.text import hide_credentials

PATCH_CAP_BYTES = 10 << 20
_FILES_IN_ONE_CALL = 200


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
        Digest of each file that differs from the commit, untracked ones included; "deleted" where it is gone.
    patch
        From the commit to the working tree, binary-safe, for `git apply`; empty where the tree is clean.
    left_out
        Changed files that the patch does not hold, since they go over the cap.
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

    @property
    def is_dirty(self) -> bool:
        """Whether the working tree held anything that the commit does not."""
        return bool(self.changes)


def identify_code(project_root: Path) -> CodeIdentity:
    """Return the identity of the code that is running.

    Raises
    ------
    ProvenanceError
        There is a repository, but Git cannot read it.
    """
    own = CodeIdentity(sources_digest=read_sources_digest(), wheel_digest=_read_wheel_digest())
    try:
        repository = git.Repo(project_root, search_parent_directories=True)
    except (git.InvalidGitRepositoryError, git.NoSuchPathError):
        return own
    with repository:
        try:
            return _add_repository(own, repository)
        except git.GitCommandNotFound:
            raise ProvenanceError(Problem(f"repository {project_root}", "Git", "none on PATH", "Install it.")) from None
        except git.GitCommandError as error:
            reason = " ".join(str(error.stderr or error).split())
            remedy = f"If it names dubious ownership: git config --global --add safe.directory {project_root}"
            raise ProvenanceError(Problem(f"repository {project_root}", "one that Git reads", reason, remedy)) from None


def read_sources_digest() -> str:
    """Return the digest of samebits' own files, as they lie here."""
    return digest_folder(PACKAGE)


def _add_repository(own: CodeIdentity, repository: git.Repo) -> CodeIdentity:
    remote = _read_remote(repository)
    if not repository.head.is_valid():
        return dataclasses.replace(own, remote=remote)  # nothing was committed yet
    root = Path(str(repository.working_tree_dir))
    changed = _list_changed(repository)
    kept, left_out = _choose_kept(root, changed)
    return dataclasses.replace(
        own,
        commit=repository.git.rev_parse("HEAD"),
        branch=None if repository.head.is_detached else repository.active_branch.name,
        remote=remote,
        is_pushed=bool(repository.git.for_each_ref("refs/remotes", contains="HEAD", count=1)),
        root=root,
        changes={_as_text(name): digest_entry(root / name) for name in changed},
        patch=_make_patch(repository, kept) if kept else b"",
        left_out=[_as_text(name) for name in left_out],
    )


def _as_text(name: str) -> str:
    """A name that is no UTF-8 is written with its bytes escaped: a lineage is UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _read_remote(repository: git.Repo) -> str | None:
    if not repository.remotes:
        return None
    names = [remote.name for remote in repository.remotes]
    url = repository.remotes["origin" if "origin" in names else 0].url
    return hide_credentials(url)


def digest_entry(path: Path) -> str:
    """Return a file's digest, or a link's of where it points; "deleted" where nothing is, "folder" where a folder is."""
    if path.is_symlink():
        return digest_bytes(os.fsencode(path.readlink()))
    return digest_file(path) if path.is_file() else "deleted" if not path.exists() else "folder"


def _choose_kept(root: Path, changed: list[str]) -> tuple[list[str], list[str]]:
    """Divide the changed files into those that fit under the cap, small ones first so that most fit, and the others."""
    sizes = {name: (root / name).lstat().st_size if (root / name).is_file() else 0 for name in changed}
    left_out, total = [], 0
    for name in sorted(changed, key=lambda name: (sizes[name], name)):
        total += sizes[name]
        if total > PATCH_CAP_BYTES or (root / name).is_dir():  # a repository inside this one
            left_out.append(name)
    return [name for name in changed if name not in left_out], sorted(left_out)


def _make_patch(repository: git.Repo, kept: list[str]) -> bytes:
    """Compare the commit with the working tree through an index and an object store of our own: nothing of the user's moves."""
    with tempfile.TemporaryDirectory(prefix="samebits-index-") as folder:
        environment = {
            "GIT_INDEX_FILE": str(Path(folder, "index")),
            "GIT_OBJECT_DIRECTORY": folder,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(Path(repository.common_dir, "objects")),
        }
        repository.git.read_tree("HEAD", env=environment)
        with repository.git.custom_environment(**environment):
            _stage_as_they_are(repository, kept, Path(folder))
            patch = repository.git.execute(
                ["git", "-c", "core.quotePath=true", "diff", "--cached", "--binary", "--full-index", "--no-color", "--no-ext-diff",
                 "--no-textconv", "--no-renames", "-U3", "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/", "HEAD"],
                stdout_as_string=False, strip_newline_in_stdout=False,
            )  # fmt: skip
    return bytes(patch)


def _stage_as_they_are(repository: git.Repo, kept: list[str], scratch: Path) -> None:
    """Put files into the index byte for byte: `git add` would change line ends and more by attributes and settings."""
    root = Path(str(repository.working_tree_dir))
    for start in range(0, len(kept), _FILES_IN_ONE_CALL):
        entries: list[tuple[str, str, str]] = []
        gone: list[str] = []
        for name in kept[start : start + _FILES_IN_ONE_CALL]:
            path = root / name
            if path.is_symlink():
                target = scratch / f"link-{len(entries)}"
                target.write_bytes(os.fsencode(path.readlink()))
                entries.append(("120000", str(target), name))
            elif path.is_file():
                entries.append(("100755" if os.access(path, os.X_OK) else "100644", str(path), name))
            else:
                gone.append(name)
        ids = hash_files(repository, [source for _, source, _ in entries], "-w")
        added = [f"{mode},{oid},{name}" for (mode, _, name), oid in zip(entries, ids, strict=True)]
        repository.git.update_index("--add", *(word for entry in added for word in ("--cacheinfo", entry)))
        repository.git.update_index("--force-remove", "--", *gone)


def _list_changed(repository: git.Repo) -> list[str]:
    """Return every path that differs from the commit: staged, unstaged, deleted or untracked, but not ignored."""
    listing = repository.git.execute(
        ["git", "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=none"],
        stdout_as_string=False,
        strip_newline_in_stdout=False,
    )
    entries = [os.fsdecode(entry) for entry in bytes(listing).split(b"\0") if entry]
    return sorted(entry[3:] for entry in entries)


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
