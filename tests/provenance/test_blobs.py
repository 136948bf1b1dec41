"""What a clone gets of a table, on real repositories: the bytes that were read, or a sentence that says why not and what mends it."""

from __future__ import annotations

import codecs
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from recorded_runs import git

from samebits.provenance.blobs import describe_changed_blobs, find_changed_blobs

CRLF_TABLE = b"id;x;y\r\n1;0,5;a\r\n2;1,5;b"  # no line end at its end
BIG_ENDIAN_TABLE = codecs.BOM_UTF16_BE + CRLF_TABLE.decode().encode("utf-16-be")
# Stands for Git LFS: keeps a pointer in the commit and the bytes beside it.
POINTER = """
import hashlib, pathlib, sys
content = sys.stdin.buffer.read()
folder = pathlib.Path(sys.argv[2])
if sys.argv[1] == "clean":
    name = hashlib.sha256(content).hexdigest()
    (folder / name).write_bytes(content)
    print("version https://git-lfs.github.com/spec/v1", "oid sha256:" + name, "size " + str(len(content)), sep="\\n")
else:
    sys.stdout.buffer.write((folder / content.split(b"sha256:")[1].split()[0].decode()).read_bytes())
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "data/raw").mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=root)
    return root


def convert_by_attributes(root: Path) -> None:
    (root / ".gitattributes").write_text("* text=auto eol=lf\n", encoding="utf-8")


def convert_by_autocrlf(root: Path) -> None:
    git("config", "core.autocrlf", "true", cwd=root)


def keep_pointers(root: Path) -> None:
    (root / ".gitattributes").write_text("*.csv filter=lfs diff=lfs merge=lfs -text\n", encoding="utf-8")
    script, objects = root.parent / "pointer.py", root.parent / "objects"
    script.write_text(POINTER, encoding="utf-8")
    objects.mkdir()
    for way in ("clean", "smudge"):
        git("config", f"filter.lfs.{way}", f"'{sys.executable}' -I '{script}' {way} '{objects}'", cwd=root)


def swap_letters(root: Path) -> None:
    """Into as many bytes."""
    (root / ".gitattributes").write_text("*.csv filter=swap\n", encoding="utf-8")
    git("config", "filter.swap.clean", "tr ab AB", cwd=root)


def keep_in_utf_8_with_other_line_ends(root: Path) -> None:
    (root / ".gitattributes").write_text("*.csv text working-tree-encoding=UTF-16BE\n", encoding="utf-8")
    git("config", "core.autocrlf", "true", cwd=root)


def keep_in_utf_8(root: Path) -> None:
    """Of which Git gives a clone the bytes in its own order back, not in the other."""
    (root / ".gitattributes").write_text("*.csv working-tree-encoding=UTF-16\n", encoding="utf-8")


def commit_table(root: Path, name: str = "data/raw/t.csv", content: bytes = CRLF_TABLE) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    git("add", "-A", cwd=root)
    git("commit", "-qm", "table", cwd=root)
    return path


def clone(root: Path, *options: str) -> Path:
    target = root.with_name(f"clone{len(list(root.parent.iterdir()))}")
    git("clone", "-q", *options, str(root), str(target))
    return target


CONVERSIONS = {
    convert_by_attributes: ("Git changes its line ends", "-text"),
    convert_by_autocrlf: ("Git changes its line ends", "-text"),
    keep_pointers: ("a pointer of Git LFS stands in its place", "-text -filter"),
    swap_letters: ("Git changes it by filter=swap", "-text -filter"),
    keep_in_utf_8_with_other_line_ends: ("Git changes it by working-tree-encoding=UTF-16BE", "-text -working-tree-encoding"),
    keep_in_utf_8: ("Git changes it by working-tree-encoding=UTF-16", "-text -working-tree-encoding"),
}


@pytest.mark.parametrize("name", ["data/raw/t.csv", ":t.csv", "data/my [1] täble.csv"])
@pytest.mark.parametrize("convert", CONVERSIONS, ids=lambda function: function.__name__)
def test_what_git_converts_is_named_with_the_line_that_mends_it(repository: Path, convert: Callable[[Path], None], name: str) -> None:
    convert(repository)
    content = {keep_in_utf_8: BIG_ENDIAN_TABLE, keep_in_utf_8_with_other_line_ends: BIG_ENDIAN_TABLE[2:]}.get(convert, CRLF_TABLE)
    path = commit_table(repository, name, content)
    cause, unset = CONVERSIONS[convert]

    (found,) = find_changed_blobs(repository, [path])

    assert found.name == name and found.cause.startswith(cause) and found.mend.endswith(f" {unset}")
    assert (clone(repository) / name).read_bytes() != content  # so it is true
    with (repository / ".gitattributes").open("a", encoding="utf-8") as attributes:
        attributes.write(f"{found.mend}\n")
    git("add", "--renormalize", ".", cwd=repository)
    git("add", "-A", cwd=repository)
    git("commit", "-qm", "mended", cwd=repository)
    assert (clone(repository) / name).read_bytes() == content
    assert find_changed_blobs(repository, [path]) == []


@pytest.mark.parametrize("convert", [None, *CONVERSIONS], ids=lambda function: function.__name__ if function else "plain")
def test_nothing_is_said_of_a_file_that_was_modified_or_that_git_does_not_hold(
    repository: Path, convert: Callable[[Path], None] | None, tmp_path: Path
) -> None:
    if convert is not None:
        convert(repository)
    content = BIG_ENDIAN_TABLE[2:] if convert is keep_in_utf_8_with_other_line_ends else BIG_ENDIAN_TABLE
    modified, staged = (commit_table(repository, name, content) for name in ("data/raw/t.csv", "data/raw/staged.csv"))
    for path in (modified, staged):
        path.write_bytes(content + "\r\n3;2,5;c".encode("utf-16-be"))
    git("add", str(staged), cwd=repository)
    untracked, outside = repository / "untracked.csv", tmp_path / "outside.csv"
    untracked.write_bytes(CRLF_TABLE)
    outside.write_bytes(CRLF_TABLE)

    assert find_changed_blobs(repository, [modified, staged, untracked, outside]) == []


def test_nothing_is_said_of_a_file_whose_bytes_the_commit_holds(repository: Path) -> None:
    """Through a link too, and from a project's folder below the repository's."""
    path = commit_table(repository)
    (repository / "link.csv").symlink_to(path)

    assert find_changed_blobs(repository, [path, repository / "link.csv"]) == []
    assert find_changed_blobs(repository / "data", [path]) == []


@pytest.mark.parametrize(
    ("attributes", "content"),
    [
        ("*.csv text eol=crlf\n", CRLF_TABLE),
        ("*.csv working-tree-encoding=UTF-16LE\n", CRLF_TABLE.decode().encode("utf-16-le")),
    ],
)
def test_nothing_is_said_where_the_committed_attributes_give_every_clone_the_bytes_again(
    repository: Path, attributes: str, content: bytes
) -> None:
    (repository / ".gitattributes").write_text(attributes, encoding="utf-8")
    path = commit_table(repository, content=content)

    assert (clone(repository) / "data/raw/t.csv").read_bytes() == content
    assert find_changed_blobs(repository, [path]) == []


def test_a_link_is_followed_to_the_file_that_was_read(repository: Path) -> None:
    convert_by_attributes(repository)
    path = commit_table(repository)
    (repository.parent / "link.csv").symlink_to(path)

    (repository.parent / "linked").symlink_to(repository)

    for root in (repository / "data", repository.parent / "linked"):
        assert [found.name for found in find_changed_blobs(root, [repository.parent / "link.csv"])] == ["data/raw/t.csv"]


def test_a_file_that_was_hidden_from_git_is_not_said_to_be_converted(repository: Path) -> None:
    path = commit_table(repository)
    git("update-index", "--assume-unchanged", "data/raw/t.csv", cwd=repository)
    path.write_bytes(CRLF_TABLE + b"\r\n3;2,5;c")

    assert find_changed_blobs(repository, [path]) == []


def test_where_there_is_no_repository_or_no_commit_nothing_is_said(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "t.csv").write_bytes(CRLF_TABLE)
    (repository / "t.csv").write_bytes(CRLF_TABLE)

    assert find_changed_blobs(tmp_path, [tmp_path / "t.csv"]) == []
    assert find_changed_blobs(repository, [repository / "t.csv"]) == []


def test_of_a_folder_the_first_files_are_named_and_the_others_counted(repository: Path) -> None:
    convert_by_attributes(repository)
    paths = []
    for number in range(205):  # more than go into one call to Git
        paths.append(repository / f"data/raw/{number:03}.csv")
        paths[-1].write_bytes(CRLF_TABLE if number else b"id\n")
    git("add", "-A", cwd=repository)
    git("commit", "-qm", "folder", cwd=repository)

    said = describe_changed_blobs(repository, paths)

    assert [line.partition(":")[0] for line in said[:-1]] == ["data/raw/001.csv", "data/raw/002.csv", "data/raw/003.csv"]
    assert said[-1] == "and 201 more files likewise"
    assert "write `data/raw/001.csv -text` into .gitattributes, then `git add --renormalize data/raw/001.csv`, and commit" in said[0]


@pytest.mark.parametrize("autocrlf", ["false", "true", "input"])
def test_this_project_keeps_everything_under_data_byte_for_byte(repository: Path, autocrlf: str) -> None:
    (repository / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    git("config", "core.autocrlf", autocrlf, cwd=repository)
    tables = {"data/t.csv": CRLF_TABLE, "data/raw/2026/crlf.csv": CRLF_TABLE + b"\r\n", "data/raw/lf.tsv": b"a\tb\n1\t2"}
    for name, content in tables.items():
        commit_table(repository, name, content)

    copy = clone(repository, "-c", f"core.autocrlf={autocrlf}")

    assert {name: (copy / name).read_bytes() for name in tables} == tables
    held = {name: subprocess.run(["git", "cat-file", "blob", f"HEAD:{name}"], cwd=copy, capture_output=True).stdout for name in tables}
    assert held == tables
    assert find_changed_blobs(repository, [repository / name for name in tables]) == []
