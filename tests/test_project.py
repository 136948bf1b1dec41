"""Where things lie, also for a user who has no home."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from samebits import project
from samebits.errors import ConfigError, TrackingError
from samebits.parcels import spool
from samebits.project import expand_home, find_config, list_code_folders


def forget_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user that no list of users has, as in a container that is given a number."""
    for name in ("HOME", "XDG_STATE_HOME", "SAMEBITS_SPOOL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)


def test_a_home_that_nobody_has_is_a_path_that_is_not_there(tmp_path: Path) -> None:
    assert expand_home("~nobody-of-that-name/a.yaml") == Path("~nobody-of-that-name/a.yaml")

    with pytest.raises(ConfigError, match="no such file"):
        find_config("~nobody-of-that-name/a.yaml", tmp_path)


def test_the_spool_of_a_user_without_a_home_is_no_folder_of_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_home(monkeypatch)
    monkeypatch.setenv("TMPDIR", "relative")

    places = spool.list_places(tmp_path)

    assert places[0] == tmp_path / ".samebits/spool" and all(place.is_absolute() for place in places)


def test_a_spool_in_a_home_that_nobody_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEBITS_SPOOL", "~nobody-of-that-name/spool")

    with pytest.raises(TrackingError, match="SAMEBITS_SPOOL: expected an absolute path"):
        spool.find_spool()


def test_own_modules_lie_in_the_projects_folder_and_in_src_where_there_is_one(tmp_path: Path) -> None:
    assert list_code_folders(tmp_path) == [str(tmp_path)]

    (tmp_path / "src").mkdir()

    assert list_code_folders(tmp_path) == [str(tmp_path), str(tmp_path / "src")]


@pytest.mark.parametrize(
    ("files", "program", "recipes"),
    [
        ((), "samebits", False),
        (("uv.lock",), "uv run samebits", False),
        (("uv.lock", ".samebits-project.json"), "uv run samebits", True),
    ],
)
def test_a_reader_is_told_to_call_samebits_as_it_can_be_called_there(
    files: tuple[str, ...], program: str, recipes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    for name in files:
        (tmp_path / name).touch()
    monkeypatch.setattr(project, "is_checkout", lambda: False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.chdir(tmp_path)

    assert (project.name_program(), project.has_recipes()) == (program, recipes)
    monkeypatch.setattr(sys, "prefix", "/elsewhere")
    assert project.name_program() == "samebits"
