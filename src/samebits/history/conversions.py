"""What Git gives a checkout in place of the bytes that it holds: line ends and attributes, filters, Git LFS.

A file is the commit's if it has the bytes that a fresh checkout gives, by the commit's own attributes and by no program.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import git

from samebits.digests import digest_file
from samebits.errors import ProvenanceError
from samebits.history.entries import digest_blob, digest_object
from samebits.history.repository import ask, ask_list, ask_text
from samebits.history.runner import run_git
from samebits.history.scratch import open_scratch, quote
from samebits.history.working_tree import WorkingTree

_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:[^\n]+\n)*?oid (sha256:[0-9a-f]{64})\nsize (\d+)\n")
_CONVERTED_BYTES = 64 << 20  # a text whose line ends differ is read whole up to here


def find_given_back(tree: WorkingTree, names: list[str]) -> set[str]:
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


def find_filtered(tree: WorkingTree, names: list[str]) -> tuple[dict[str, str], list[str]]:
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
        return ask(root, "hash-object", "--stdin-paths", given=b"".join(quote(name) + b"\n" for name in names)).decode().split()
    except ProvenanceError:
        return [""] * len(names)


def has_crlf(tree: WorkingTree, name: str) -> bool:
    """Tell whether a text differs from the commit's in its line ends alone, and has CRLF everywhere."""
    path = tree.root / name
    if path.stat().st_size > _CONVERTED_BYTES:
        return False
    content = path.read_bytes()
    plain = content.replace(b"\r\n", b"\n")
    is_same = digest_object("blob", plain, tree.repository.object_format) == tree.held[name][1]
    return is_same and plain.replace(b"\n", b"\r\n") == content
