from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from samebits.private_files import read_private, write_private


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state/samebits"


def test_what_was_written_is_read_and_is_nobody_elses(home: Path) -> None:
    before = os.umask(0o002)  # as many systems have it
    try:
        assert write_private("state", "made/x", b"one")
    finally:
        os.umask(before)

    assert read_private("state", "made/x") == b"one"
    assert [path.stat().st_mode & 0o777 for path in (home, home / "made", home / "made/x")] == [0o700, 0o700, 0o600]


def test_a_link_in_the_place_of_a_file_is_neither_read_nor_written_through(home: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"theirs")
    write_private("state", "x", b"one")
    (home / "x").unlink()
    (home / "x").symlink_to(victim)

    assert read_private("state", "x") is None
    assert write_private("state", "x", b"two")
    assert victim.read_bytes() == b"theirs" and read_private("state", "x") == b"two"


@pytest.mark.parametrize("name", [".", "made"])
def test_a_folder_that_others_may_write_to_is_not_used(home: Path, name: str) -> None:
    write_private("state", "made/x", b"one")
    (home / name).chmod(0o777)

    assert read_private("state", "made/x") is None
    assert not write_private("state", "made/x", b"two")


def test_a_linked_folder_of_ours_is_not_used(home: Path, tmp_path: Path) -> None:
    (tmp_path / "planted").mkdir(mode=0o700)
    home.parent.mkdir()
    home.symlink_to(tmp_path / "planted")

    assert not write_private("state", "x", b"one")
    assert list((tmp_path / "planted").iterdir()) == []


def test_a_pipe_is_not_waited_for(home: Path) -> None:
    write_private("state", "x", b"one")
    (home / "x").unlink()
    os.mkfifo(home / "x", 0o600)

    assert read_private("state", "x") is None


def test_a_relative_home_is_ignored_and_none_at_all_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert write_private("state", "x", b"one") and (tmp_path / "home/.local/state/samebits/x").is_file()

    monkeypatch.setenv("HOME", "nowhere")
    assert read_private("state", "x") is None and not write_private("state", "x", b"one")


def test_writers_at_once_leave_one_whole_file(home: Path) -> None:
    contents = [bytes([48 + number]) * 50_000 for number in range(8)]
    threads = [threading.Thread(target=write_private, args=("state", "x", content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert read_private("state", "x") in contents
    assert [path.name for path in home.iterdir()] == ["x"]
