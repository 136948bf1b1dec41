from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

from samebits.config.documents import read_document
from samebits.config.validation import find_problems
from samebits.errors import ConfigError
from samebits.starter import making
from samebits.starter.making import make_project
from samebits.starter.note import NOTE, is_untouched, read_note
from samebits.starter.rendering import render_project
from samebits.starter.source import Source

SOURCE = Source('{ path = "wheels/samebits-1-py3-none-any.whl" }', ("samebits-1-py3-none-any.whl", b"a wheel"))
FROM_GIT = Source('{ git = "https://host/x", rev = "v1" }')


@pytest.fixture(autouse=True)
def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages are locked in test_init.py, where they are installed too."""
    monkeypatch.setattr(making, "lock_packages", lambda *_: None)


def log(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, encoding="utf-8", check=True).stdout


def test_a_new_project_is_committed_whole_in_a_repository_of_its_own(tmp_path: Path) -> None:
    made = make_project(tmp_path / "churn", "churn", SOURCE)

    assert log(tmp_path / "churn", "status", "--porcelain", "--ignored") == ""
    assert log(tmp_path / "churn", "log", "--format=%an %s") == "tests Start the project\n"
    assert made.said[0].startswith("commit") and "first of a new repository" in made.said[0] and "user.name" not in made.said[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["churn"]


def test_where_git_knows_no_name_the_commit_is_made_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gitconfig").write_text("[user]\n\tuseConfigOnly = true\n", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))

    made = make_project(tmp_path / "churn", "churn", SOURCE)

    assert "git config --global user.name" in made.said[0]
    assert len(log(tmp_path / "churn", "log", "--format=%H").split()) == 1


def test_in_somebodys_repository_nothing_is_committed(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    made = make_project(tmp_path / "churn", "churn", SOURCE)

    assert "left to you" in made.said[0]
    assert not (tmp_path / "churn/.git").exists()
    assert log(tmp_path, "status", "--porcelain") == "?? churn/\n"


def test_a_repository_without_a_file_is_as_good_as_an_empty_folder(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "churn")], check=True)

    make_project(tmp_path / "churn", "churn", SOURCE)

    assert (tmp_path / "churn/MLproject").is_file()


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "MLproject"])
def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")

    with pytest.raises(ConfigError, match=f"one that holds {re.escape(name)}"):
        make_project(tmp_path, "churn", SOURCE)

    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_a_link_to_nowhere_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_bytes(b"")

    for name in ("link", "file"):
        with pytest.raises(ConfigError, match="a new or empty folder"):
            make_project(tmp_path / name, "churn", SOURCE)


def test_where_something_fails_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(making, "lock_packages", fail)

    with pytest.raises(OSError, match="No space"):
        make_project(tmp_path / "churn", "churn", SOURCE)

    assert list(tmp_path.iterdir()) == []


def test_the_note_has_each_file_as_it_was_written(tmp_path: Path) -> None:
    make_project(tmp_path / "churn", "churn", SOURCE)

    note = read_note(tmp_path / "churn")

    assert (note.package, note.source) == ("churn", SOURCE.entry)
    tracked = set(log(tmp_path / "churn", "ls-files").split())
    assert set(note.files) == tracked - {NOTE}
    assert all(is_untouched(tmp_path / "churn", name, note) for name in note.files)


def test_a_clone_has_the_same_bytes_whatever_git_is_set_to(tmp_path: Path) -> None:
    make_project(tmp_path / "churn", "churn", SOURCE)
    (tmp_path / "churn/data/raw/from_windows.csv").write_bytes(b"a,b\r\n1,2\r\n")
    log(tmp_path / "churn", "add", "-A")
    log(tmp_path / "churn", "commit", "-qm", "a table")

    subprocess.run(["git", "-c", "core.autocrlf=true", "clone", "-q", str(tmp_path / "churn"), str(tmp_path / "clone")], check=True)

    assert (tmp_path / "clone/data/raw/from_windows.csv").read_bytes() == b"a,b\r\n1,2\r\n"
    note = read_note(tmp_path / "clone")
    assert all(is_untouched(tmp_path / "clone", name, note) for name in note.files)


@pytest.mark.parametrize("source", [SOURCE, FROM_GIT])
def test_no_mark_of_a_template_is_left(source: Source) -> None:
    files = render_project("credit_risk", source)

    assert [name for name, content in files.items() if re.search(rb"@[A-Z_]{3,}@|PACKAGE", content) or "PACKAGE" in name] == []
    assert {"src/credit_risk/estimators.py", ".gitignore", ".gitattributes", ".github/workflows/reproduce.yml"} <= set(files)
    assert not [name for name in files if name.endswith(".template") or "dot-" in name]


def test_from_git_the_requirements_have_no_hashes_which_pip_would_not_take() -> None:
    recipes = [render_project("churn", source)["justfile"].decode() for source in (SOURCE, FROM_GIT)]

    assert ["--no-hashes" in recipe for recipe in recipes] == [False, True]


def test_the_table_is_the_one_of_this_project_and_the_config_pins_it(tmp_path: Path) -> None:
    files = render_project("churn", SOURCE)
    (tmp_path / "wine.yaml").write_bytes(files["confs/wine.yaml"])

    document = read_document(tmp_path / "wine.yaml")

    assert files["data/raw/wine.csv"] == (ROOT / "data/raw/wine.csv").read_bytes()
    assert find_problems(document) == []
    assert document.value["data"]["digest"] in (ROOT / "confs/datasets.yaml").read_text(encoding="utf-8")


def test_the_job_and_the_readme_name_recipes_that_are_there() -> None:
    files = {name: content.decode() for name, content in render_project("churn", SOURCE).items() if not name.endswith(".csv")}
    recipes = set(re.findall(r"^([a-z][a-z-]*)(?: [^:\n]*)?:(?!=)", files["justfile"], flags=re.MULTILINE))
    job = yaml.safe_load(files[".github/workflows/reproduce.yml"])["jobs"]["reproduce"]

    words = " ".join([step.get("run", "") for step in job["steps"]] + [files["README.md"]])

    assert set(re.findall(r"uv run just ([a-z-]+)", words)) <= recipes
    assert {"train", "reproduce", "test", "verify", "lineage", "lock", "sync"} <= recipes
    assert "uv run just reproduce latest --varied --control --yes" in words
