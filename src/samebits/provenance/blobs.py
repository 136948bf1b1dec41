"""Git's blobs: the bytes that a commit holds of a file, beside those that lie in the working tree.

Line ends, Git LFS and filters make the two differ where Git calls the file unchanged. A clone then gets other bytes than were read
here, and no digest that is on record says so before somebody clones. Nothing here changes the repository.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import git

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
        with git.Repo(project_root, search_parent_directories=True) as repository:
            root = Path(str(repository.working_tree_dir)).resolve()
            resolved = sorted({path.resolve() for path in paths})
            files = {path.relative_to(root).as_posix(): path for path in resolved if path.is_relative_to(root)}
            names = list(files)
            return [
                changed
                for start in range(0, len(names), _FILES_IN_ONE_CALL)
                for changed in _find_changed(repository, {name: files[name] for name in names[start : start + _FILES_IN_ONE_CALL]})
            ]
    except git.GitError:
        return []


def _find_changed(repository: git.Repo, files: dict[str, Path]) -> Iterator[ChangedBlob]:
    blobs = _list_blobs(repository, list(files))
    of_same_size = [name for name, (_, size_bytes) in blobs.items() if files[name].stat().st_size == size_bytes]
    ids = dict(zip(of_same_size, hash_files(repository, [str(files[name]) for name in of_same_size]), strict=True))
    other = [name for name, (oid, _) in blobs.items() if ids.get(name) != oid]
    if not other:
        return
    status = _split(repository, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no", "--", *other)
    modified = {entry[3:] for entry in status}
    yield from _name_causes(repository, [name for name in other if name not in modified])


def _list_blobs(repository: git.Repo, names: list[str]) -> dict[str, tuple[str, int]]:
    """Return the id and the size of each file that the last commit holds."""
    blobs = {}
    for entry in _split(repository, "ls-tree", "-l", "-z", "--full-tree", "HEAD", "--", *names):
        facts, _, name = entry.partition("\t")
        _, kind, oid, size_bytes = facts.split()
        if kind == "blob":
            blobs[name] = (oid, int(size_bytes))
    return blobs


def _name_causes(repository: git.Repo, names: list[str]) -> Iterator[ChangedBlob]:
    """Ask Git what it converts; where it names nothing, the file was hidden from it (assume-unchanged)."""
    if not names:
        return
    attributes = _read_attributes(repository, names)
    line_ends = [entry.partition("\t") for entry in _split(repository, "ls-files", "-z", "--eol", "--", *names)]
    with_other_ends = {name for facts, _, name in line_ends if _has_other_ends(facts)}
    for name in names:
        converting = [attribute for attribute in _CONVERTING if attribute in attributes[name]]
        if (not converting and name not in with_other_ends) or _is_turned_back(repository, name, attributes[name]):
            continue
        cause = _describe(converting[0], attributes[name][converting[0]]) if converting else _LINE_ENDS
        unset = " ".join(f"-{attribute}" for attribute in ("text", *converting))
        yield ChangedBlob(name, cause, f"{_quote_pattern(name)} {unset}")


def _read_attributes(repository: git.Repo, names: list[str]) -> dict[str, dict[str, str]]:
    attributes: dict[str, dict[str, str]] = {name: {} for name in names}
    fields = iter(_split(repository, "check-attr", "-z", *_CONVERTING, "eol", "--", *names))
    for name, attribute, value in zip(fields, fields, fields, strict=True):
        if value not in ("unspecified", "unset"):
            attributes[name][attribute] = value
    return attributes


def _is_turned_back(repository: git.Repo, name: str, attributes: dict[str, str]) -> bool:
    """Tell whether the committed attributes alone, without a filter or a setting of this machine, give a clone the bytes again."""
    if "filter" in attributes or not (attributes.keys() - {"eol"} or attributes.get("eol") == "crlf"):
        return False
    command = ["git", "-c", "core.autocrlf=false", "-c", "core.eol=lf", "cat-file", "--filters", f"HEAD:{name}"]
    content = repository.git.execute(command, stdout_as_string=False, strip_newline_in_stdout=False)
    return bytes(content) == Path(str(repository.working_tree_dir), name).read_bytes()


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


def _split(repository: git.Repo, *words: str) -> list[str]:
    """Return the entries that Git prints with NUL between them, asked of paths as they are written."""
    command = ["git", "--literal-pathspecs", *words]
    printed = repository.git.execute(command, stdout_as_string=False, strip_newline_in_stdout=False)
    return [os.fsdecode(entry) for entry in bytes(printed).split(b"\0") if entry]


def hash_files(repository: git.Repo, paths: Sequence[str], *options: str) -> list[str]:
    """Return the id that a blob of each file's own bytes has, all in one process; with `-w` the blobs are stored too."""
    with tempfile.TemporaryFile() as listing:
        listing.write(b"".join(_quote(path) + b"\n" for path in paths))
        listing.seek(0)
        return str(repository.git.hash_object(*options, "--no-filters", "--stdin-paths", istream=listing)).split()


def _quote(path: str) -> bytes:
    """Git reads a quoted path as C does a string: with every byte as an octal number, it may hold line ends."""
    return b'"' + b"".join(b"\\%03o" % byte for byte in os.fsencode(path)) + b'"'
