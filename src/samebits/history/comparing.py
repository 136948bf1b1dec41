"""Compares a working tree with its commit: each file's own bytes against Git's objects, whatever Git's index says of the file.

A bit that hides a file from `git status`, a setting that converts line ends, a filter: none of them changes what is compared here.
Repositories inside, submodules among them, are compared in the same way, each with its own commit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from samebits.digests import digest_bytes, digest_value
from samebits.errors import ProvenanceError, describe_unreadable
from samebits.history.conversions import find_filtered, find_given_back, has_crlf
from samebits.history.entries import (
    DELETED,
    FILE,
    LINK,
    PROGRAM,
    REPOSITORY,
    as_text,
    digest_blob,
    digest_new_blob,
    digest_object,
    read_kind,
)
from samebits.history.repository import Repository, ask, ask_if_any, ask_list, ask_text, open_repository
from samebits.history.working_tree import WorkingTree
from samebits.secret_files import digest_slowly, find_secret_name, find_secrets
from samebits.text import hide_credentials

_SCANNED_BYTES = 16 << 20


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
        held[name] = (FILE if mode == "100664" else mode, oid)  # as early versions of Git wrote it
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
        if kind == REPOSITORY or (mode == REPOSITORY and kind is None):
            _compare_repository(tree, name, oid if mode == REPOSITORY else None, apart)
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
    folders = [tree.root / name for name, (mode, _) in tree.held.items() if mode == REPOSITORY]
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


def _name_in_tree(root: Path, paths: Sequence[Path]) -> set[str]:
    """Return the names in a working tree of those paths that lie in it."""
    folders = [Path(os.path.realpath(path.parent), path.name) for path in paths]
    top = Path(os.path.realpath(root))
    return {path.relative_to(top).as_posix() for path in folders if path != top and path.is_relative_to(top)}


def _identify(tree: WorkingTree, name: str, kind: str, recorded: str | None) -> tuple[str, str, int]:
    """Return a file's id, digest and size; the digest is right where the id is not the recorded one."""
    path, object_format = tree.root / name, tree.repository.object_format
    if kind == LINK:
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
    converted = [name for name in names if kinds[name] == tree.held.get(name, ("", ""))[0] and kinds[name] != LINK]
    given_back = find_given_back(tree, converted)
    tree.given_back = {name: tree.ids[name] for name in given_back}
    converted = [name for name in converted if name not in given_back]
    pointers, filtered = find_filtered(tree, converted)
    for name in names:
        if name not in given_back and name not in pointers:
            tree.changes[name] = _digest_changed(tree, name, kinds[name], digests[name])
    # beside the slow digest of a secret, no other one stands
    tree.filtered = {**pointers, **{name: tree.changes[name] for name in filtered}}
    tree.line_ends = [name for name in converted if name in tree.changes and name not in filtered and has_crlf(tree, name)]
    gone = given_back | pointers.keys()
    tree.ids = {name: oid for name, oid in tree.ids.items() if name in tree.changes and name not in gone}


def _ignores_modes(tree: WorkingTree, kinds: dict[str, str]) -> bool:
    """Tell whether the file system keeps no executable bit: Git found so once, and every file has one, or none."""
    files = [kind for kind in kinds.values() if kind in (FILE, PROGRAM)]
    return bool(files) and len(set(files)) == 1 and ask_if_any(tree.root, "config", "--type=bool", "--get", "core.fileMode") == "false"


def _digest_changed(tree: WorkingTree, name: str, kind: str, digest: str) -> str:
    reason = None if kind == LINK else _find_secret(tree, name)
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
