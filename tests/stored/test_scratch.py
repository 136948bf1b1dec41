"""Scratch space is gone when its process is, whatever ended it."""

import fcntl
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from samebits.errors import DataError
from samebits.stored.scratch import explaining_scratch, find_scratch, make_scratch_folder, open_scratch

KILLED = """
import os, signal
from samebits.stored.scratch import make_scratch_folder, open_scratch
with make_scratch_folder() as folder, open_scratch() as file:
    (folder / "bins").write_bytes(b"x")
    file.write(b"y" * 1000)
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_without_tmpdir_it_lies_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    assert find_scratch() == tmp_path / "cache" / "samebits" / "scratch"


def test_a_file_has_no_name_while_it_is_used(scratch: Path) -> None:
    with open_scratch() as file:
        file.write(b"x")
        assert not list(scratch.iterdir())


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_is_in_use_stays(scratch: Path) -> None:
    with make_scratch_folder() as own:
        done = subprocess.run([sys.executable, "-c", KILLED], check=False)
        assert done.returncode == -signal.SIGKILL
        assert len(list(scratch.iterdir())) == 2

        with make_scratch_folder():
            assert own.is_dir() and len(list(scratch.iterdir())) == 2

    assert not list(scratch.iterdir())


def test_the_first_file_of_the_next_process_finds_room_again(scratch: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED], check=False).returncode == -signal.SIGKILL
    assert list(scratch.iterdir())

    with open_scratch():
        assert not list(scratch.iterdir())


def test_a_folder_is_never_seen_with_a_lock_that_is_free(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, seen = fcntl.flock, []

    def look_and_lock(file: Any, how: int) -> None:
        seen.append([path.name for path in scratch.glob("samebits-*/samebits-scratch.lock")])
        own(file, how)

    monkeypatch.setattr(fcntl, "flock", look_and_lock)
    with make_scratch_folder() as folder:
        assert (folder / "samebits-scratch.lock").exists() and seen == [[]]


@pytest.mark.parametrize("name", ["a file", "a file/below", "x" * 300])
def test_a_folder_that_cannot_be_made_is_named_and_not_the_table(scratch: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (scratch / "a file").write_text("x")
    monkeypatch.setenv("TMPDIR", str(scratch / name))

    with pytest.raises(DataError, match=r"the folder for scratch .*Set TMPDIR"), explaining_scratch():
        open_scratch()


def test_a_folder_of_somebody_elses_stays(scratch: Path) -> None:
    others = scratch / "samebits-project"
    others.mkdir()
    (others / "lock").write_text("")

    with make_scratch_folder():
        assert (others / "lock").is_file()
