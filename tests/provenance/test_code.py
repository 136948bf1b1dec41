from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

from samebits.digests import canonical_json, digest_bytes, digest_folder
from samebits.errors import ProvenanceError
from samebits.history.checkout import apply_patch, list_wrong_changes
from samebits.provenance import patches
from samebits.provenance.code import CodeIdentity, describe_kept, identify_code, leave_tables


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    run(root, "init", "-q", "-b", "main")
    for name, content in {"a.py": b"a = 1\n", "b.bin": bytes(range(256)), "gone.txt": b"x\n", ".gitignore": b"ignored\n"}.items():
        (root / name).write_bytes(content)
    commit(root)
    return root


def run(root: Path, *words: str, stdin: bytes = b"") -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", *identity, *words], cwd=root, input=stdin, capture_output=True, check=True)
    return done.stdout.decode()


def commit(root: Path) -> str:
    run(root, "add", "-A")
    run(root, "commit", "-qm", "x")
    return run(root, "rev-parse", "HEAD").strip()


def apply_to_clone(found: CodeIdentity, repository: Path, folder: Path) -> Path:
    fresh, patch = folder / "fresh", folder / "patch"
    subprocess.run(["git", "clone", "-q", str(repository), str(fresh)], check=True)
    patch.write_bytes(found.patch)
    apply_patch(fresh, patch, [])
    return fresh


def test_a_clean_tree_is_its_commit(repository: Path) -> None:
    found = identify_code(repository)

    assert found.commit == run(repository, "rev-parse", "HEAD").strip()
    assert (found.branch, found.is_dirty, found.patch, found.changes) == ("main", False, b"", {})


def test_from_a_folder_below_the_root_it_is_the_same(repository: Path) -> None:
    (repository / "below").mkdir()

    assert identify_code(repository / "below") == identify_code(repository)


def test_the_patch_brings_back_every_uncommitted_change(repository: Path, tmp_path: Path) -> None:
    (repository / "a.py").write_text("a = 2\n", encoding="utf-8")
    (repository / "b.bin").write_bytes(bytes(reversed(range(256))))
    (repository / "gone.txt").unlink()
    (repository / "new ünï.py").write_bytes(b"untracked \xff\x00\n")
    (repository / "pkg").mkdir()
    (repository / "pkg" / "staged.py").write_text("s = 1\n", encoding="utf-8")
    run(repository, "add", "pkg")
    (repository / "ignored").write_text("secret\n", encoding="utf-8")
    before = run(repository, "status", "--porcelain")

    found = identify_code(repository)

    assert run(repository, "status", "--porcelain") == before
    assert set(found.changes) == {"a.py", "b.bin", "gone.txt", "new ünï.py", "pkg/staged.py"}
    assert found.changes["gone.txt"] == "deleted"
    assert found.changes["a.py"] == digest_bytes(b"a = 2\n")
    assert b"secret" not in found.patch
    other = tmp_path / "other"
    run(tmp_path, "clone", "-q", str(repository), str(other))
    run(other, "apply", "--index", "-", stdin=found.patch)
    for name in ("a.py", "b.bin", "new ünï.py", "pkg/staged.py"):
        assert (other / name).read_bytes() == (repository / name).read_bytes()
    assert not (other / "gone.txt").exists()


def test_no_object_is_added_to_the_users_repository(repository: Path) -> None:
    (repository / "new.py").write_text("n = 1\n", encoding="utf-8")
    before = sorted((repository / ".git" / "objects").rglob("*"))

    identify_code(repository)

    assert sorted((repository / ".git" / "objects").rglob("*")) == before


def test_what_goes_over_the_cap_is_named_and_still_digested(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "PATCH_CAP_BYTES", 100)
    (repository / "small.py").write_text("s = 1\n", encoding="utf-8")
    (repository / "large.csv").write_bytes(b"x" * 1000)

    found = identify_code(repository)

    assert found.left_out == ["large.csv"]
    assert found.changes["large.csv"] == digest_bytes(b"x" * 1000)
    assert b"small.py" in found.patch and b"large.csv" not in found.patch
    assert found.is_dirty


def test_a_table_that_git_does_not_know_is_in_no_patch_but_where_the_config_names_it(repository: Path) -> None:
    (repository / "new.py").write_text("n = 1\n", encoding="utf-8")
    for name in ("lake/part.csv", "lake/_delta_log/0.json", "beside.csv"):
        (repository / name).parent.mkdir(exist_ok=True, parents=True)
        (repository / name).write_text("a,b\n1,2\n", encoding="utf-8")
    (repository / "a.py").write_text("changed\n", encoding="utf-8")
    tables = [repository / "lake", repository / "a.py"]

    found, wanted = (leave_tables(identify_code(repository, keep), tables) for keep in ((), ("part.csv",)))

    assert b"lake" not in found.patch and found.left_out == []
    assert all(name in found.patch for name in (b"new.py", b"beside.csv", b"a.py"))
    assert found.changes == identify_code(repository).changes
    assert b"lake/part.csv" in wanted.patch and b"_delta_log" not in wanted.patch
    assert "lake" not in " ".join(describe_kept(found))


def test_without_a_repository_or_a_commit_there_is_no_commit(tmp_path: Path) -> None:
    assert identify_code(tmp_path).commit is None
    run(tmp_path, "init", "-q")
    assert identify_code(tmp_path).commit is None


def test_a_detached_head_has_no_branch_and_a_remote_no_password(repository: Path) -> None:
    run(repository, "remote", "add", "origin", "https://me:token@example.org/p.git")
    run(repository, "checkout", "-q", "--detach")

    found = identify_code(repository)

    assert found.branch is None
    assert found.remote == "https://example.org/p.git"


def test_git_settings_of_the_user_change_no_patch(repository: Path) -> None:
    (repository / "a.py").write_text("a = 2\n", encoding="utf-8")
    before = identify_code(repository).patch
    for name, value in {"diff.noprefix": "true", "color.ui": "always", "diff.renames": "copies", "diff.external": "false"}.items():
        run(repository, "config", name, value)

    assert identify_code(repository).patch == before


def test_the_sources_digest_is_that_of_this_package() -> None:
    assert identify_code(ROOT).sources_digest == digest_folder(ROOT / "src/samebits")
    assert identify_code(ROOT).wheel_digest is None


def test_what_git_would_convert_is_kept_byte_for_byte(repository: Path, tmp_path: Path) -> None:
    """Line ends under `text=auto eol=lf`, an executable, a link; whatever the user's settings for diff and line ends."""
    (repository / ".gitattributes").write_text("* text=auto eol=lf\n", encoding="utf-8")
    commit(repository)
    for name, value in (("core.safecrlf", "true"), ("core.autocrlf", "input"), ("diff.context", "0"), ("diff.noprefix", "true")):
        run(repository, "config", name, value)
    (repository / "crlf.txt").write_bytes(b"a\r\nb\r\n")
    (repository / "tool.sh").write_bytes(b"#!/bin/sh\n")
    (repository / "tool.sh").chmod(0o755)
    (repository / "link").symlink_to("tool.sh")
    (repository / "a.py").write_bytes(b"a = 2\n")

    found = identify_code(repository)

    fresh = apply_to_clone(found, repository, tmp_path)
    assert list_wrong_changes(fresh, found.changes) == []
    assert (fresh / "crlf.txt").read_bytes() == b"a\r\nb\r\n"
    assert (fresh / "tool.sh").stat().st_mode & 0o100 and (fresh / "link").is_symlink()


def test_a_name_that_is_no_utf8_and_a_repository_inside_are_written_down_not_fatal(repository: Path) -> None:
    (repository / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"x\n")
    (repository / "inner").mkdir()
    run(repository / "inner", "init", "-q")

    found = identify_code(repository)

    assert set(found.changes) == {"caf\\xe9.txt", "inner/"}
    assert found.left_out == []  # there is nothing in it
    assert canonical_json(found.changes)


def test_many_changes_links_and_odd_names_are_all_in_the_patch(repository: Path, tmp_path: Path) -> None:
    """More files than go into one call to Git, two links with other targets, and a name with a line end and quotes in it."""
    for number in range(450):
        (repository / f"note {number}.txt").write_text(f"{number}\n", encoding="utf-8")
    (repository / 'odd "name"\nof \u00e4 file.txt').write_text("odd\n", encoding="utf-8")
    (repository / "link").symlink_to("a.py")
    (repository / "link too").symlink_to("b.bin")

    found = identify_code(repository)

    fresh = apply_to_clone(found, repository, tmp_path)
    assert list_wrong_changes(fresh, found.changes) == []
    assert [str((fresh / name).readlink()) for name in ("link", "link too")] == ["a.py", "b.bin"]


@pytest.mark.parametrize(
    "name", [".GIT/x", "a/.Git/x", "GIT~1/x", ".git /x", ".git./x", ".git::$INDEX_ALLOCATION/x", ".git\\x", "a\\.git"]
)
def test_what_git_writes_nowhere_is_left_out_and_said(repository: Path, tmp_path: Path, name: str) -> None:
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_bytes(b"x\n")
    (repository / "git~1x").write_bytes(b"kept\n")
    (repository / "a.git").write_bytes(b"kept\n")

    found = identify_code(repository)

    assert found.reasons == {name: "Git writes no file of this name"} and name in found.changes
    fresh = apply_to_clone(found, repository, tmp_path)
    assert not (fresh / name).exists() and (fresh / "a.git").exists() and (fresh / "git~1x").exists()


def test_a_link_named_gitmodules_is_left_out(repository: Path) -> None:
    (repository / ".gitmodules").symlink_to("a.py")

    assert identify_code(repository).reasons == {".gitmodules": "Git writes no file of this name"}


def test_two_names_of_which_one_is_written_as_the_other_looks_are_two(repository: Path, tmp_path: Path) -> None:
    for name in (b"lit\xff", b"lit\\xff", b"lit\\x5cxff", b"lit\\x41"):
        (repository / os.fsdecode(name)).write_bytes(name)

    found = identify_code(repository)

    assert sorted(found.changes) == ["lit\\x41", "lit\\x5cx5cxff", "lit\\x5cxff", "lit\\xff"]
    assert len(set(found.changes.values())) == 4
    fresh = apply_to_clone(found, repository, tmp_path)
    assert list_wrong_changes(fresh, found.changes) == []


def test_a_repository_that_git_cannot_read_gets_the_remedy_for_its_own_fault(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / ".git/index").write_bytes(b"no index")
    with pytest.raises(ProvenanceError, match=r"index.*`git status` and `git fsck`"):
        identify_code(repository)

    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    with pytest.raises(ProvenanceError, match=r"dubious ownership.*Where you trust its owner: git config"):
        identify_code(repository)
