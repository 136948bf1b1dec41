"""A working tree beside its commit, as a value: what of it is the commit's, what is not, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.history.entries import DELETED, REPOSITORY, as_text
from samebits.history.repository import Repository


@dataclass
class WorkingTree:
    """A working tree beside the commit that it stands on.

    Parameters
    ----------
    name
        From the root of the repository that it lies in; empty for the project's own.
    remote
        Without password or token.
    is_pushed
        Whether a branch of a remote, as last fetched, holds the commit.
    held
        Mode and id of each file of the commit.
    changes
        Digest of each file that differs from the commit, untracked ones included; "deleted" where it is gone.
    ids
        Of the changed files' blobs, as they were read.
    sizes
        Of the same files, in bytes, as they were read.
    given_back
        Ids of the files that the commit's own attributes give every checkout with other bytes than the commit's object.
    filtered
        Files that a filter of Git's turns into what the commit holds, Git LFS among them, with their digest.
    line_ends
        Changed files that have CRLF where the commit has LF, and differ in nothing else.
    secrets
        Changed files that hold a secret, with the reason.
    absent
        What a sparse checkout leaves out: files, and folders with a slash at their end.
    nested
        Repositories inside this one.
    """

    name: str
    repository: Repository
    commit: str | None = None
    branch: str | None = None
    remote: str | None = None
    is_pushed: bool = False
    held: dict[str, tuple[str, str]] = field(default_factory=dict)
    changes: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    given_back: dict[str, str] = field(default_factory=dict)
    filtered: dict[str, str] = field(default_factory=dict)
    line_ends: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    nested: list[WorkingTree] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """The folder of the working tree."""
        return self.repository.root

    @property
    def inner_names(self) -> set[str]:
        """The names that repositories inside have among the changes."""
        return {name for inner in self.nested for name in (inner.name, f"{inner.name}/")}

    def list_ids(self) -> dict[str, str]:
        """Return the id of each file's bytes as they lie in the working tree."""
        held = {name: oid for name, (mode, oid) in self.held.items() if mode != REPOSITORY and self.changes.get(name) != DELETED}
        return {**held, **self.given_back, **self.ids, **self.filtered}

    def describe_content(self) -> dict[str, Any]:
        """Return what decides what the tree holds."""
        return describe_content(self.commit, {as_text(name): digest for name, digest in self.changes.items()}, self.absent)


def describe_content(commit: str | None, changes: dict[str, str], absent: list[str]) -> dict[str, Any]:
    """Return what decides what a repository inside holds: its digest is what a lineage has of it."""
    return {"commit": commit, "changes": changes, **({"absent": absent} if absent else {})}
