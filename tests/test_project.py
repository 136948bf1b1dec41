"""Where things lie, also for a user who has no home."""

from __future__ import annotations

from pathlib import Path

import pytest

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
