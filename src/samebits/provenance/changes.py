"""What a working tree holds beside its commit: each file's own bytes against Git's objects, whatever Git's index says of the file.

A bit that hides a file from `git status`, a setting that converts line ends, a filter: none of them changes what is compared here. A
file is the commit's if it has the bytes that a fresh checkout gives, by the commit's own attributes and by no program. Repositories
inside, submodules among them, are compared in the same way, each with its own commit.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import git

from samebits.digests import digest_bytes, digest_file, digest_value
from samebits.errors import ProvenanceError, describe_unreadable
from samebits.provenance.repository import (
    Repository,
    ask,
    ask_if_any,
    ask_list,
    ask_text,
    digest_blob,
    digest_new_blob,
    digest_object,
    open_repository,
    open_scratch,
    run_git,
)
from samebits.secret_files import SLOW_PREFIX, digest_slowly, find_secret_name, find_secrets
from samebits.text import hide_credentials

DELETED = "deleted"
_LINK, _REPOSITORY, _PROGRAM, _FILE = "120000", "160000", "100755", "100644"
_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:[^\n]+\n)*?oid (sha256:[0-9a-f]{64})\nsize (\d+)\n")
_ESCAPED = re.compile(rb"\\x([89a-f][0-9a-f]|5c)")
_CONVERTED_BYTES = 64 << 20  # a text whose line ends differ is read whole up to here
_SCANNED_BYTES = 16 << 20


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
        held = {name: oid for name, (mode, oid) in self.held.items() if mode != _REPOSITORY and self.changes.get(name) != DELETED}
        return {**held, **self.given_back, **self.ids, **self.filtered}

    def describe_content(self) -> dict[str, Any]:
        """Return what decides what the tree holds."""
        return describe_content(self.commit, {as_text(name): digest for name, digest in self.changes.items()}, self.absent)


def describe_content(commit: str | None, changes: dict[str, str], absent: list[str]) -> dict[str, Any]:
    """Return what decides what a repository inside holds: its digest is what a lineage has of it."""
    return {"commit": commit, "changes": changes, **({"absent": absent} if absent else {})}


def compare_tree(repository: Repository, name: str = "", apart: Sequence[Path] = ()) -> WorkingTree:
    """Compare a working tree, and every repository inside it, with the commit.

    Parameters
    ----------
    apart
        Files and folders that are none of the code where Git does not track them.

    Raises
    ------
    ProvenanceError
        Git, or the operating system, does not give what is to be compared.
    """
    root = repository.root
    tree = WorkingTree(name, repository, commit=ask_if_any(root, "rev-parse", "-q", "--verify", "HEAD"), remote=_read_remote(root))
    if tree.commit is None and not name:
        return tree  # nothing was committed yet
    tree.branch = ask_if_any(root, "symbolic-ref", "-q", "--short", "HEAD")
    if tree.commit is not None:
        tree.is_pushed = bool(ask_text(root, "for-each-ref", "--contains=HEAD", "--count=1", "refs/remotes"))
        tree.held = _list_held(root)
    try:
        _compare_files(tree, apart)
    except OSError as error:
        raise ProvenanceError(describe_unreadable(Path(error.filename or root), error)) from None
    tree.changes = dict(sorted(tree.changes.items()))
    return tree


def _read_remote(root: Path) -> str | None:
    names = ask_text(root, "remote").split()
    if not names:
        return None
    address = ask_if_any(root, "config", "--get", f"remote.{'origin' if 'origin' in names else names[0]}.url")
    return hide_credentials(address) if address else None


def _list_held(root: Path) -> dict[str, tuple[str, str]]:
    held = {}
    for entry in ask_list(root, "ls-tree", "-r", "-z", "--full-tree", "HEAD"):
        facts, _, name = entry.partition("\t")
        mode, _, oid = facts.split()
        held[name] = (_FILE if mode == "100664" else mode, oid)  # as early versions of Git wrote it
    return held


def _compare_files(tree: WorkingTree, apart: Sequence[Path]) -> None:
    listed = ask_list(tree.root, "ls-files", "-z")
    others = [*_list_others(tree.root), *_list_in_submodules_places(tree)]
    own = _name_in_tree(tree.root, apart)
    others = [name.rstrip("/") for name in others if not any(name.rstrip("/") == one or name.startswith(f"{one}/") for one in own)]
    names = dict.fromkeys([*tree.held, *listed, *others])
    kinds = _read_kinds(tree.root, list(names))
    missing: list[str] = []
    differing: list[str] = []
    digests: dict[str, str] = {}
    for name, kind in kinds.items():
        mode, oid = tree.held.get(name, (None, None))
        if kind == _REPOSITORY or (mode == _REPOSITORY and kind is None):
            _compare_repository(tree, name, oid if mode == _REPOSITORY else None, apart)
            continue
        try:
            found = _identify(tree, name, kind, oid if kind == mode else None) if kind else None
        except FileNotFoundError:  # it went while it was read
            found = None
        if found is None:
            missing += [name] if mode else []
        elif found[0] != oid or kind != mode:
            tree.ids[name], digests[name], tree.sizes[name] = found
            differing.append(name)
    _note_missing(tree, missing)
    _note_differing(tree, differing, {name: kind for name, kind in kinds.items() if kind}, digests)


def _list_others(root: Path) -> list[str]:
    """Where names are told apart by case alone, `core.ignoreCase` of another machine's would take such a file for a tracked one."""
    tells_apart = not (root / ".GIT").exists()
    words = ("-c", "core.ignoreCase=false") if tells_apart else ()
    return ask_list(root, *words, "ls-files", "-z", "--others", "--exclude-standard")


def _list_in_submodules_places(tree: WorkingTree) -> list[str]:
    """Return the files where a submodule should be and a plain folder is, as of one that was copied in; Git does not look there."""
    folders = [tree.root / name for name, (mode, _) in tree.held.items() if mode == _REPOSITORY]
    plain = [folder for folder in folders if folder.is_dir() and read_kind(folder) is None]
    return [path.relative_to(tree.root).as_posix() for folder in plain for path in _walk(folder)]


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and read_kind(path) is None and path.name != "__pycache__":
            yield from _walk(path)
        elif read_kind(path) is not None:
            yield path


def _read_kinds(root: Path, names: list[str]) -> dict[str, str | None]:
    """Return the mode that Git would note of each; None where there is no file, be it because a folder above is a link now."""
    folders: dict[str, bool] = {"": True}

    def is_real(folder: str) -> bool:
        if folder not in folders:
            folders[folder] = is_real(folder.rpartition("/")[0]) and not (root / folder).is_symlink()
        return folders[folder]

    return {name: read_kind(root / name) if is_real(name.rpartition("/")[0]) else None for name in names}


def read_kind(path: Path) -> str | None:
    """Return the mode that Git notes of a file, a link or a folder with a repository of its own; None of anything else."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(mode):
        return _REPOSITORY if os.path.lexists(path / ".git") else None
    if stat.S_ISLNK(mode):
        return _LINK
    return (_PROGRAM if mode & stat.S_IXUSR else _FILE) if stat.S_ISREG(mode) else None


def _name_in_tree(root: Path, paths: Sequence[Path]) -> set[str]:
    """Return the names in a working tree of those paths that lie in it."""
    folders = [Path(os.path.realpath(path.parent), path.name) for path in paths]
    top = Path(os.path.realpath(root))
    return {path.relative_to(top).as_posix() for path in folders if path != top and path.is_relative_to(top)}


def _identify(tree: WorkingTree, name: str, kind: str, recorded: str | None) -> tuple[str, str, int]:
    """Return a file's id, digest and size; the digest is right where the id is not the recorded one."""
    path, object_format = tree.root / name, tree.repository.object_format
    if kind == _LINK:
        target = os.fsencode(path.readlink())
        return digest_object("blob", target, object_format), digest_bytes(target), len(target)
    if recorded is not None and digest_blob(path, object_format) == recorded:
        return recorded, "", 0
    return digest_new_blob(path, object_format)


def _compare_repository(tree: WorkingTree, name: str, recorded: str | None, apart: Sequence[Path]) -> None:
    """A submodule that was never fetched is an empty folder or none, in a fresh checkout too."""
    path = tree.root / name
    inner = open_repository(path) if os.path.lexists(path / ".git") and not path.is_symlink() else None
    if inner is not None and inner.root.resolve() == path.resolve():
        found = compare_tree(inner, name, apart)
        tree.nested.append(found)
        if name not in tree.held or found.commit != recorded or found.changes or found.absent:
            tree.changes[name if name in tree.held else f"{name}/"] = digest_value(found.describe_content())
    elif path.is_dir() and any(path.iterdir()):
        tree.changes[name] = DELETED  # its files are changes of their own


def _note_missing(tree: WorkingTree, missing: list[str]) -> None:
    sparse = set()
    if missing and ask_if_any(tree.root, "config", "--type=bool", "--get", "core.sparseCheckout") == "true":
        flagged = ask_list(tree.root, "ls-files", "-v", "-z")
        sparse = {entry[2:] for entry in flagged if entry[0] in "Ss"} & set(missing)
    tree.absent = _fold(sparse, tree.held.keys() - set(missing))
    tree.changes.update(dict.fromkeys((name for name in missing if name not in sparse), DELETED))


def _fold(absent: set[str], present: set[str]) -> list[str]:
    """Return absent files by the highest folder of which nothing is there."""
    used = {str(folder) for name in present for folder in Path(name).parents}
    folded = set()
    for name in absent:
        unused = [str(folder) for folder in Path(name).parents if str(folder) not in used | {"."}]
        folded.add(f"{unused[-1]}/" if unused else name)
    return sorted(folded)


def _note_differing(tree: WorkingTree, names: list[str], kinds: dict[str, str], digests: dict[str, str]) -> None:
    """Take out what a fresh checkout gives all the same, note what a filter gives, and digest the rest."""
    if _ignores_modes(tree, kinds):
        names = [name for name in names if tree.held.get(name, ("", ""))[1] != tree.ids[name]]
    converted = [name for name in names if kinds[name] == tree.held.get(name, ("", ""))[0] and kinds[name] != _LINK]
    given_back = _find_given_back(tree, converted)
    tree.given_back = {name: tree.ids[name] for name in given_back}
    converted = [name for name in converted if name not in given_back]
    pointers, filtered = _find_filtered(tree, converted)
    for name in names:
        if name not in given_back and name not in pointers:
            tree.changes[name] = _digest_changed(tree, name, kinds[name], digests[name])
    # beside the slow digest of a secret, no other one stands
    tree.filtered = {**pointers, **{name: tree.changes[name] for name in filtered}}
    tree.line_ends = [name for name in converted if name in tree.changes and name not in filtered and _has_crlf(tree, name)]
    gone = given_back | pointers.keys()
    tree.ids = {name: oid for name, oid in tree.ids.items() if name in tree.changes and name not in gone}


def _ignores_modes(tree: WorkingTree, kinds: dict[str, str]) -> bool:
    """Tell whether the file system keeps no executable bit: Git found so once, and every file has one, or none."""
    files = [kind for kind in kinds.values() if kind in (_FILE, _PROGRAM)]
    return bool(files) and len(set(files)) == 1 and ask_if_any(tree.root, "config", "--type=bool", "--get", "core.fileMode") == "false"


def _find_given_back(tree: WorkingTree, names: list[str]) -> set[str]:
    """Return the files whose bytes the commit's own attributes give in every checkout, without a setting and without a program."""
    if not names or not any(name.rpartition("/")[2] == ".gitattributes" for name in tree.held):
        return set()
    repository = tree.repository
    with open_scratch(repository.objects, repository.object_format) as (scratch, folder):
        try:
            scratch.execute(["git", "read-tree", str(tree.commit)])
            listing = b"".join(os.fsencode(name) + b"\0" for name in names)
            run_git(scratch, ["git", "checkout-index", "-f", "-z", "--stdin", "--prefix=given/"], listing)
        except git.CommandError:  # an object that this clone has not: the file is then a change
            return set()
        return {name for name in names if _is_given(folder / "given" / name, tree, name)}


def _is_given(path: Path, tree: WorkingTree, name: str) -> bool:
    return path.is_file() and not path.is_symlink() and digest_blob(path, tree.repository.object_format) == tree.ids[name]


def _find_filtered(tree: WorkingTree, names: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the files of Git LFS whose pointer names their bytes, and those that another filter turns into what the commit holds."""
    attributes = _read_filters(tree.root, names)
    pointers = {name: digest for name, value in attributes.items() if value == "lfs" and (digest := _match_pointer(tree, name))}
    other = [name for name, value in attributes.items() if value != "lfs"]  # git-lfs would note the file in the repository
    ids = _clean(tree.root, other)
    return pointers, [name for name, oid in zip(other, ids, strict=True) if oid == tree.held[name][1]]


def _read_filters(root: Path, names: list[str]) -> dict[str, str]:
    if not names:
        return {}
    listing = b"".join(os.fsencode(name) + b"\0" for name in names)
    entries = iter(ask_list(root, "check-attr", "-z", "--stdin", "filter", given=listing))
    return {
        name: value for name, _, value in zip(entries, entries, entries, strict=True) if value not in ("unspecified", "unset", "set")
    }


def _match_pointer(tree: WorkingTree, name: str) -> str | None:
    size_bytes = int(ask_text(tree.root, "cat-file", "-s", tree.held[name][1]))
    pointer = _POINTER.fullmatch(ask(tree.root, "cat-file", "blob", tree.held[name][1])) if size_bytes < 2000 else None
    path = tree.root / name
    if pointer is None or int(pointer[2]) != path.stat().st_size or digest_file(path) != pointer[1].decode():
        return None
    return pointer[1].decode()


def _clean(root: Path, names: list[str]) -> list[str]:
    """Return the ids of what the user's own filters make of files; of none where one of them fails."""
    if not names:
        return []
    try:
        return ask(root, "hash-object", "--stdin-paths", given=b"".join(_as_line(name) for name in names)).decode().split()
    except ProvenanceError:
        return [""] * len(names)


def _as_line(name: str) -> bytes:
    return b'"' + b"".join(b"\\%03o" % byte for byte in os.fsencode(name)) + b'"\n'


def _has_crlf(tree: WorkingTree, name: str) -> bool:
    path = tree.root / name
    if path.stat().st_size > _CONVERTED_BYTES:
        return False
    content = path.read_bytes()
    plain = content.replace(b"\r\n", b"\n")
    is_same = digest_object("blob", plain, tree.repository.object_format) == tree.held[name][1]
    return is_same and plain.replace(b"\n", b"\r\n") == content


def _digest_changed(tree: WorkingTree, name: str, kind: str, digest: str) -> str:
    reason = None if kind == _LINK else _find_secret(tree, name)
    if reason is None:
        return digest
    tree.secrets[name] = reason
    return digest_slowly(as_text(name), digest)


def _find_secret(tree: WorkingTree, name: str) -> str | None:
    """What the commit holds already is no secret any more."""
    if reason := find_secret_name(name):
        return reason
    try:
        with (tree.root / name).open("rb") as file:
            found = find_secrets(name, file.read(_SCANNED_BYTES))
    except FileNotFoundError:  # it went since it was digested, and is not kept
        return None
    if found and name in tree.held:
        found -= find_secrets(name, ask(tree.root, "cat-file", "blob", tree.held[name][1])[:_SCANNED_BYTES])
    return min(found)[0] if found else None


def digest_entry(path: Path) -> str:
    """Return a file's digest, or a link's of where it points; "deleted" where there is neither."""
    if path.is_symlink():
        return digest_bytes(os.fsencode(path.readlink()))
    return digest_file(path) if path.is_file() else DELETED


def find_entry(folder: Path, name: str) -> Path:
    """Return where a file lies that a record names as `as_text` does."""
    written = _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), name.encode("utf-8"))
    path = folder / os.fsdecode(written)
    return path if os.path.lexists(path) else folder / name


def is_recorded_entry(path: Path, name: str, digest: str) -> bool:
    """Tell whether a file, by its name in the record, is what was recorded of it."""
    return is_recorded_digest(name, digest_entry(path), digest)


def is_recorded_digest(name: str, found: str, recorded: str) -> bool:
    """Tell whether the digest of what a file holds is the one on record, which may be a slow one."""
    if recorded.startswith(SLOW_PREFIX) and found != DELETED:
        return digest_slowly(name, found) == recorded
    return found == (DELETED if recorded == "folder" else recorded)


def as_text(name: str) -> str:
    """A name that is no UTF-8 is written with its bytes escaped: a lineage is UTF-8. One that looks so by itself is told apart."""
    return _ESCAPED.sub(rb"\\x5cx\1", os.fsencode(name)).decode("utf-8", "backslashreplace")
