from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from recorded_runs import git

from samebits.digests import digest_file
from samebits.errors import ProvenanceError
from samebits.history import checkout, fetching, runner
from samebits.history.checkout import apply_patch, copy_left_out, diff_trees, list_wrong_changes, write_tree
from samebits.history.fetching import Source, bundle_commit, fetch_commit, holds_commit, is_whole_bundle
from samebits.holdings.code_search import list_code_sources
from samebits.restoring import restoration, restored_run


def make_repository(folder: Path) -> str:
    folder.mkdir()
    git("init", "-q", cwd=folder)
    for number in (1, 2):
        (folder / "a.txt").write_text(f"{number}\n", encoding="utf-8")
        git("add", "-A", cwd=folder)
        git("commit", "-qm", str(number), cwd=folder)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, encoding="utf-8", check=True)
    return done.stdout.strip()


def test_a_commit_comes_from_the_first_source_that_has_it(tmp_path: Path) -> None:
    commit = make_repository(tmp_path / "repository")
    sources = [Source("nothing", str(tmp_path / "nothing")), Source("repository", str(tmp_path / "repository"))]

    source = fetch_commit(tmp_path / "fresh", commit, sources, None)

    assert source.name == "repository"
    assert (tmp_path / "fresh/a.txt").read_text(encoding="utf-8") == "2\n"


def test_a_bundle_brings_a_commit_back_alone_or_on_top_of_what_a_remote_holds(tmp_path: Path) -> None:
    make_repository(tmp_path / "remote")
    git("clone", "-q", str(tmp_path / "remote"), str(tmp_path / "work"))
    (tmp_path / "work/b.txt").write_text("unpushed\n", encoding="utf-8")
    git("add", "-A", cwd=tmp_path / "work")
    git("commit", "-qm", "unpushed", cwd=tmp_path / "work")
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path / "work", capture_output=True, encoding="utf-8", check=True)
    bundle = tmp_path / "commit.bundle"
    bundle_commit(tmp_path / "work", head.stdout.strip(), bundle)
    shutil.rmtree(tmp_path / "work")
    sources = [Source("bundle", str(bundle)), Source("remote", str(tmp_path / "remote"))]

    fetch_commit(tmp_path / "fresh", head.stdout.strip(), sources, None)

    assert (tmp_path / "fresh/b.txt").is_file()
    with pytest.raises(ProvenanceError, match="one that a repository or the archive holds, found bundle: "):
        fetch_commit(tmp_path / "alone", head.stdout.strip(), sources[:1], None)


def test_a_bundle_that_is_nothing_but_names_is_not_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, bundle = make_repository(tmp_path / "repository"), tmp_path / "names.bundle"
    bundle.write_text(
        "# v2 git bundle\n" + "".join(f"{commit} refs/heads/{number}\n" for number in range(1000)) + "\n", encoding="ascii"
    )
    assert is_whole_bundle(bundle, commit)

    monkeypatch.setattr(fetching, "MOST_LISTED_BYTES", 10_000)

    assert not is_whole_bundle(bundle, commit)


def test_no_hook_or_template_of_the_callers_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = make_repository(tmp_path / "repository")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    hook = hooks / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n", encoding="utf-8")
    hook.chmod(0o755)
    (tmp_path / "gitconfig").write_text(f"[core]\nhooksPath = {hooks}\n", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))

    fetch_commit(tmp_path / "fresh", commit, [Source("repository", str(tmp_path / "repository"))], None)

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("field", ["repository", "remote"])
def test_an_address_that_git_would_read_as_an_option_or_run_is_none(tmp_path: Path, field: str) -> None:
    for address in (f"--upload-pack=touch {tmp_path}/ran", f"ext::sh -c touch% {tmp_path}/ran"):
        sources = list_code_sources({field: address}, [])
        assert not any(holds_commit(source, "0" * 40) for source in sources)
        with pytest.raises(ProvenanceError):
            fetch_commit(tmp_path / f"fresh {len(address)}", "0" * 40, sources, None)

    assert not (tmp_path / "ran").exists()


def test_nothing_is_written_outside_the_folder(tmp_path: Path) -> None:
    commit = make_repository(tmp_path / "repository")
    fresh = tmp_path / "folder" / "fresh"
    fetch_commit(fresh, commit, [Source("repository", str(tmp_path / "repository"))], None)
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    changes = {"../secret": digest_file(tmp_path / "secret")}

    missing = copy_left_out(fresh, tmp_path / "repository", changes, ["../secret"])
    patch = tmp_path / "hostile.patch"
    patch.write_text("--- /dev/null\n+++ b/../../escaped\n@@ -0,0 +1 @@\n+x\n", encoding="utf-8")
    with pytest.raises(ProvenanceError, match="a patch that applies to the commit"):
        apply_patch(fresh, patch, [])

    assert missing == ["../secret"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "hostile.patch", "repository", "secret"]
    assert not (tmp_path / "folder" / "secret").exists()


def test_a_file_over_the_cap_comes_from_where_it_was_if_it_is_still_the_same(tmp_path: Path) -> None:
    commit = make_repository(tmp_path / "repository")
    big = tmp_path / "repository" / "folder" / "big.bin"
    big.parent.mkdir()
    big.write_bytes(b"big")
    fetch_commit(tmp_path / "fresh", commit, [Source("repository", str(tmp_path / "repository"))], None)
    changes = {"folder/big.bin": digest_file(big)}

    assert copy_left_out(tmp_path / "fresh", tmp_path / "repository", changes, list(changes)) == []
    assert list_wrong_changes(tmp_path / "fresh", changes) == []
    big.write_bytes(b"other")
    assert copy_left_out(tmp_path / "fresh", tmp_path / "repository", changes, list(changes)) == ["folder/big.bin"]


def test_a_repository_that_this_user_may_not_enter_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuse)
    monkeypatch.setattr(Path, "is_file", refuse)

    assert not holds_commit(Source("another user's", str(tmp_path / "repository")), "0" * 40)
    assert copy_left_out(tmp_path, tmp_path, {"a.bin": "sha256:x"}, ["a.bin"]) == ["a.bin"]


def test_without_git_a_commit_is_not_looked_for_but_git_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ProvenanceError, match=r"Git: expected it, .* found none on PATH\. Install it\."):
        holds_commit(Source("remote", "https://git.example.org/x.git"), "0" * 40)


def test_a_git_that_converts_line_ends_brings_back_the_bytes_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = make_repository(tmp_path / "repository")
    (tmp_path / "gitconfig").write_text("[core]\nautocrlf = true\n", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))

    fetch_commit(tmp_path / "fresh", commit, [Source("repository", str(tmp_path / "repository"))], None)

    assert (tmp_path / "fresh/a.txt").read_bytes() == b"2\n"


def test_a_changed_file_that_comes_back_otherwise_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("converted\n", encoding="utf-8")
    code = {"patch": {"left_out": []}, "changes": {"a.txt": "sha256:recorded"}, "repository": None}
    lineage = {"stages": {"code": code, "config": {"file": "confs/x.yaml"}}}
    recorded: Any = SimpleNamespace(files={})

    with pytest.raises(ProvenanceError, match=r"changed file a\.txt: expected sha256:recorded, found other bytes"):
        restored_run._restore_changes(lineage, recorded, restoration.Restoration(tmp_path, project=tmp_path), tmp_path, tmp_path)


def make_bomb(folder: Path, levels: int) -> str:
    """Commit trees of ten names each, all of the same tree below: a few hundred bytes for ten to the power of so many files."""
    make_repository(folder)
    entry = f"100644 blob {hash_object(folder, b'x')}"
    for _ in range(levels):
        listing = "".join(f"{entry}\tn{number}\n" for number in range(10))
        entry = f"040000 tree {ask_git(folder, 'mktree', given=listing.encode())}"
    return ask_git(folder, "commit-tree", "-m", "bomb", entry.split()[-1])


def hash_object(folder: Path, content: bytes) -> str:
    return ask_git(folder, "hash-object", "-w", "--stdin", given=content)


def ask_git(folder: Path, *words: str, given: bytes = b"") -> str:
    return subprocess.run(["git", *words], cwd=folder, input=given, capture_output=True, check=True).stdout.decode().strip()


@pytest.mark.parametrize("is_checked_out", [True, False])
def test_a_commit_of_a_billion_files_in_a_thousand_bytes_is_refused(
    tmp_path: Path, is_checked_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MOST_LISTED_BYTES", 8 << 20)
    commit = make_bomb(tmp_path / "repository", levels=9)
    sources = [Source("repository", str(tmp_path / "repository"))]

    with pytest.raises(ProvenanceError, match="expected one of so many files as a project has"):
        fetch_commit(tmp_path / "fresh", commit, sources, None, is_checked_out)

    assert [path.name for path in (tmp_path / "fresh").iterdir()] == [".git"]


def test_a_commit_for_whose_files_there_is_no_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = make_bomb(tmp_path / "repository", levels=2)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: SimpleNamespace(free=99))

    with pytest.raises(ProvenanceError, match=r"expected room for it \(0 MiB are free\)"):
        fetch_commit(tmp_path / "fresh", commit, [Source("repository", str(tmp_path / "repository"))], None)


def test_a_patch_of_gigabytes_in_a_few_bytes_takes_no_memory_for_them(tmp_path: Path) -> None:
    commit = make_repository(tmp_path / "repository")
    fetch_commit(tmp_path / "fresh", commit, [Source("repository", str(tmp_path / "repository"))], None, is_checked_out=False)
    (tmp_path / "patch").write_text(
        f"diff --git a/b b/b\nnew file mode 100644\nindex {'0' * 40}..{'1' * 40}\nGIT binary patch\n"
        f"literal {runner.MOST_MEMORY_BYTES + 1}\nHcmV?d00001\n\nliteral 0\nHcmV?d00001\n\n",
        encoding="ascii",
    )

    with pytest.raises(ProvenanceError, match="Out of memory"):
        write_tree(tmp_path / "fresh", tmp_path / "patch")


def test_a_difference_of_trees_that_is_too_large_to_show_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = make_bomb(tmp_path / "repository", levels=2)
    monkeypatch.setattr(checkout, "MOST_COMPARED_BYTES", 99)

    with pytest.raises(ProvenanceError, match="expected a difference that can be shown"):
        diff_trees(tmp_path / "repository", f"{commit}^{{tree}}", "HEAD^{tree}")
