from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from samebits.errors import ConfigError, ProvenanceError
from samebits.starter import making, upgrading
from samebits.starter.making import make_project
from samebits.starter.note import NOTE, digest_files, read_note, write_note
from samebits.starter.source import Source
from samebits.starter.upgrading import upgrade_project


def make_source(version: str) -> Source:
    name = f"samebits-{version}-py3-none-any.whl"
    return Source(f'{{ path = "wheels/{name}" }}', (name, version.encode()))


OLD, NEW = make_source("1"), make_source("2")


def lock(folder: Path, *_: Any) -> None:
    (folder / "uv.lock").write_bytes((folder / "pyproject.toml").read_bytes())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose justfile an earlier samebits wrote otherwise."""
    monkeypatch.setattr(making, "lock_packages", lock)
    monkeypatch.setattr(upgrading, "lock_packages", lock)
    make_project(tmp_path / "churn", "churn", OLD)
    folder = tmp_path / "churn"
    write_as_earlier(folder, "justfile", b"# as an earlier samebits had it\n")
    return folder


def write_as_earlier(folder: Path, name: str, content: bytes | None) -> None:
    note = read_note(folder)
    files = {key: digest for key, digest in note.files.items() if key != name}
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
        files |= digest_files({name: content})
    write_note(folder, note.package, note.source, files)


def read_all(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_nobody_edited_is_brought_up_to_date(project: Path) -> None:
    write_as_earlier(project, "README.md", None)  # which the earlier one did not have

    done = upgrade_project(project, NEW)

    assert done.written == ["README.md", "justfile", "pyproject.toml", "uv.lock", "wheels/samebits-2-py3-none-any.whl"]
    assert done.removed == ["wheels/samebits-1-py3-none-any.whl"] and done.kept == []
    assert f"samebits = {NEW.entry}" in (project / "pyproject.toml").read_text(encoding="utf-8")
    assert [path.name for path in (project / "wheels").iterdir()] == ["samebits-2-py3-none-any.whl"]
    assert read_note(project).source == NEW.entry


def test_a_second_time_there_is_nothing_to_do(project: Path) -> None:
    upgrade_project(project, NEW)
    before = read_all(project)

    done = upgrade_project(project, NEW)

    assert (done.written, done.kept, done.removed) == ([], [], [])
    assert read_all(project) == before


def test_what_was_edited_stays_and_is_named_once(project: Path) -> None:
    (project / "justfile").write_text("# mine\n", encoding="utf-8")
    (project / "confs/wine.yaml").write_text("# mine, and the later samebits has no other\n", encoding="utf-8")

    done = upgrade_project(project, NEW)

    assert done.kept == ["justfile"]
    assert (project / "justfile").read_text(encoding="utf-8") == "# mine\n"
    assert (project / "confs/wine.yaml").read_text(encoding="utf-8").startswith("# mine")
    assert upgrade_project(project, make_source("3")).kept == []


def test_what_was_removed_stays_away(project: Path) -> None:
    (project / "justfile").unlink()
    (project / "tests/test_estimators.py").unlink()

    done = upgrade_project(project, NEW)

    assert done.kept == ["justfile"]
    assert not (project / "justfile").exists() and not (project / "tests/test_estimators.py").exists()


def test_a_file_of_the_users_in_a_new_files_place_stays(project: Path) -> None:
    write_as_earlier(project, "README.md", None)
    (project / "README.md").write_text("mine", encoding="utf-8")

    upgrade_project(project, NEW)

    assert (project / "README.md").read_text(encoding="utf-8") == "mine"


def test_nothing_is_written_through_a_link(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (project / "justfile").rename(outside)
    (project / "justfile").symlink_to(outside)

    done = upgrade_project(project, NEW)

    assert done.kept == ["justfile"] and outside.read_text(encoding="utf-8") == "# as an earlier samebits had it\n"


def test_nothing_is_written_through_a_linked_folder(project: Path, tmp_path: Path) -> None:
    (project / "wheels").rename(tmp_path / "outside")
    (project / "wheels").symlink_to(tmp_path / "outside")
    before = read_all(project)

    with pytest.raises(ConfigError, match="other bytes, or a link"):
        upgrade_project(project, NEW)

    assert read_all(project) == before and [path.name for path in (tmp_path / "outside").iterdir()] == ["samebits-1-py3-none-any.whl"]


def test_in_an_edited_pyproject_only_the_reference_is_changed(project: Path) -> None:
    path = project / "pyproject.toml"
    edited = path.read_text(encoding="utf-8").replace('    "samebits",\n', '    "samebits",\n    "lightgbm",\n')
    path.write_text(edited, encoding="utf-8")

    upgrade_project(project, NEW)

    assert path.read_text(encoding="utf-8") == edited.replace(OLD.entry, NEW.entry)


@pytest.mark.parametrize("line", ['samebits = { git = "https://host/x" }', "", "samebits = [{ path = '../x' }]"])
def test_a_reference_of_the_users_own_is_left_and_what_to_write_is_said(project: Path, line: str) -> None:
    path = project / "pyproject.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(f"samebits = {OLD.entry}", line), encoding="utf-8")
    before = read_all(project)

    with pytest.raises(ConfigError, match=r"write samebits = .* path = .*samebits-2-py3"):
        upgrade_project(project, NEW)

    assert read_all(project) == before


@pytest.mark.parametrize("error", [None, OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_where_the_lock_fails_everything_is_as_it_was(
    project: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
) -> None:
    before = read_all(project)

    def fail(folder: Path, *_: Any) -> str:
        (folder / "uv.lock").write_bytes(b"half")
        if error is not None:
            raise error
        return "no index"

    monkeypatch.setattr(upgrading, "lock_packages", fail)

    with pytest.raises(ProvenanceError if error is None else type(error)):
        upgrade_project(project, NEW)

    assert read_all(project) == before


def test_another_wheel_of_the_same_name_is_not_replaced(project: Path) -> None:
    (project / "wheels/samebits-2-py3-none-any.whl").write_bytes(b"mine")

    with pytest.raises(ConfigError, match="the wheel that `samebits init` wrote"):
        upgrade_project(project, NEW)

    assert (project / "wheels/samebits-2-py3-none-any.whl").read_bytes() == b"mine"


def test_from_a_wheel_to_git_the_wheel_goes(project: Path) -> None:
    done = upgrade_project(project, Source('{ git = "https://host/x", rev = "v2" }'))

    assert done.removed == ["wheels/samebits-1-py3-none-any.whl"]
    assert "--no-hashes" in (project / "justfile").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schema": 1}',
        b"\xff",
        b"[" * 100_000,
        b'{"schema":1,"samebits":"1","package":"x","source":"y","files":[]}',
    ],
)
def test_a_note_that_is_none_is_refused(project: Path, content: bytes) -> None:
    (project / NOTE).write_bytes(content)

    with pytest.raises(ConfigError, match="the note that `samebits init` left"):
        upgrade_project(project, NEW)


def test_a_note_leads_nowhere_else(project: Path) -> None:
    value = json.loads((project / NOTE).read_text(encoding="utf-8"))
    (project / NOTE).write_text(json.dumps({**value, "package": "../../x"}), encoding="utf-8")

    with pytest.raises(ConfigError, match="the name of the project's package"):
        upgrade_project(project, NEW)


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        upgrade_project(tmp_path, NEW)
