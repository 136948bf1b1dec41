"""Git's blobs: the bytes that a commit holds of a file, beside those that lie in the working tree.

Line ends, Git LFS and filters make the two differ where Git calls the file unchanged. A clone then gets other bytes than were read
here, and no digest that is on record says so before somebody clones. Nothing here changes the repository.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from samebits.errors import ProvenanceError
from samebits.history.entries import digest_blob
from samebits.history.repository import Repository, ask, ask_list, open_repository

_FILES_IN_ONE_CALL = 200
_SAID = 3  # of a folder's files
_LINE_ENDS = "Git changes its line ends"
# Each attribute by which Git changes a file's bytes, in the order in which the cause is named.
_CONVERTING = ("filter", "working-tree-encoding", "ident")


@dataclass(frozen=True)
class ChangedBlob:
    """A file that Git calls unchanged, of which the last commit holds other bytes than the working tree.

    Parameters
    ----------
    name
        From the repository's root.
    cause
        Why, as the rest of a sentence.
    mend
        The line of .gitattributes with which Git keeps the bytes as they are.
    """

    name: str
    cause: str
    mend: str

    def __str__(self) -> str:
        remedy = f"write `{self.mend}` into .gitattributes, then `git add --renormalize {shlex.quote(self.name)}`, and commit"
        return f"{self.name}: the commit, and so a clone, has other bytes than were read here: {self.cause}; {remedy}"


def describe_changed_blobs(project_root: Path, paths: Sequence[Path]) -> list[str]:
    """Return a sentence for each of the first files that `find_changed_blobs` finds, and one for the others."""
    found = find_changed_blobs(project_root, paths)
    others = [f"and {len(found) - _SAID} more files likewise"] if len(found) > _SAID else []
    return [*map(str, found[:_SAID]), *others]


def find_changed_blobs(project_root: Path, paths: Sequence[Path]) -> list[ChangedBlob]:
    """Return the files whose bytes differ from the last commit's although Git calls them unchanged.

    A modified file is an uncommitted change, and an untracked one or one outside the repository is no matter of Git's: neither is
    returned. Where Git reads no repository, nothing is.
    """
    try:
        repository = open_repository(project_root)
        if repository is None:
            return []
        root = repository.root.resolve()
        resolved = sorted({path.resolve() for path in paths})
        files = {path.relative_to(root).as_posix(): path for path in resolved if path.is_relative_to(root)}
        names = list(files)
        return [
            changed
            for start in range(0, len(names), _FILES_IN_ONE_CALL)
            for changed in _find_changed(repository, {name: files[name] for name in names[start : start + _FILES_IN_ONE_CALL]})
        ]
    except ProvenanceError:
        return []


def _find_changed(repository: Repository, files: dict[str, Path]) -> Iterator[ChangedBlob]:
    blobs = _list_blobs(repository, list(files))
    other = [name for name, (oid, size_bytes) in blobs.items() if not _is_blob(files[name], oid, size_bytes, repository.object_format)]
    if not other:
        return
    status = ask_list(repository.root, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no", "--", *other)
    modified = {entry[3:] for entry in status}
    yield from _name_causes(repository, [name for name in other if name not in modified])


def _is_blob(path: Path, oid: str, size_bytes: int, object_format: str) -> bool:
    return path.stat().st_size == size_bytes and digest_blob(path, object_format) == oid


def _list_blobs(repository: Repository, names: list[str]) -> dict[str, tuple[str, int]]:
    """Return the id and the size of each file that the last commit holds."""
    blobs = {}
    for entry in ask_list(repository.root, "ls-tree", "-l", "-z", "--full-tree", "HEAD", "--", *names):
        facts, _, name = entry.partition("\t")
        _, kind, oid, size_bytes = facts.split()
        if kind == "blob":
            blobs[name] = (oid, int(size_bytes))
    return blobs


def _name_causes(repository: Repository, names: list[str]) -> Iterator[ChangedBlob]:
    """Ask Git what it converts; where it names nothing, the file was hidden from it (assume-unchanged)."""
    if not names:
        return
    attributes = _read_attributes(repository, names)
    line_ends = [entry.partition("\t") for entry in ask_list(repository.root, "ls-files", "-z", "--eol", "--", *names)]
    with_other_ends = {name for facts, _, name in line_ends if _has_other_ends(facts)}
    for name in names:
        converting = [attribute for attribute in _CONVERTING if attribute in attributes[name]]
        if (not converting and name not in with_other_ends) or _is_turned_back(repository, name, attributes[name]):
            continue
        cause = _describe(converting[0], attributes[name][converting[0]]) if converting else _LINE_ENDS
        unset = " ".join(f"-{attribute}" for attribute in ("text", *converting))
        yield ChangedBlob(name, cause, f"{_quote_pattern(name)} {unset}")


def _read_attributes(repository: Repository, names: list[str]) -> dict[str, dict[str, str]]:
    attributes: dict[str, dict[str, str]] = {name: {} for name in names}
    fields = iter(ask_list(repository.root, "check-attr", "-z", *_CONVERTING, "eol", "--", *names))
    for name, attribute, value in zip(fields, fields, fields, strict=True):
        if value not in ("unspecified", "unset"):
            attributes[name][attribute] = value
    return attributes


def _is_turned_back(repository: Repository, name: str, attributes: dict[str, str]) -> bool:
    """Tell whether the committed attributes alone, without a filter or a setting of this machine, give a clone the bytes again."""
    if "filter" in attributes or not (attributes.keys() - {"eol"} or attributes.get("eol") == "crlf"):
        return False
    content = ask(repository.root, "-c", "core.autocrlf=false", "-c", "core.eol=lf", "cat-file", "--filters", f"HEAD:{name}")
    return content == (repository.root / name).read_bytes()


def _has_other_ends(facts: str) -> bool:
    """Tell from `i/lf w/crlf attr/…` whether the line ends differ between index and working tree."""
    index, working_tree = facts.split()[:2]
    return index.removeprefix("i/") != working_tree.removeprefix("w/")


def _describe(attribute: str, value: str) -> str:
    if (attribute, value) == ("filter", "lfs"):
        return "a pointer of Git LFS stands in its place, which a clone without Git LFS leaves as it is"
    return f"Git changes it by {attribute}={value}"


def _quote_pattern(name: str) -> str:
    r"""Return the pattern of .gitattributes that a path alone matches.

    >>> print(_quote_pattern("data/t.csv"), _quote_pattern("t.csv"), _quote_pattern("data/my [1].csv"))
    data/t.csv /t.csv "data/my \\[1].csv"
    """
    pattern = re.sub(r"([\\*?\[])", r"\\\1", name if "/" in name else f"/{name}")
    if re.search(r'[\s"]|^[#!]', pattern):
        escaped = pattern.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return pattern
