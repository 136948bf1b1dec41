"""Whatever program opens a file of a watched folder, its path is told; what can be no input is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from samebits.steps import openings
from samebits.steps.openings import watch_openings

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone tells of whole folders")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    passed_by = ("mlruns/1/a", "mlflow.db", "uv.lock", "src/__pycache__/a.pyc", "env/pyvenv.cfg", "env/lib/a.py", "src/t.egg-info/a")
    for name in ("data/raw/ä b.csv", "top.csv", ".hidden/a.csv", ".env", *passed_by):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1\n", encoding="utf-8")
    return tmp_path


def read_by_program(*paths: Path) -> None:
    subprocess.run(["cat", *map(str, paths)], check=True, stdout=subprocess.DEVNULL)


def test_what_any_program_opens_is_told_and_what_is_no_input_is_not(root: Path) -> None:
    with watch_openings(root) as opened:
        read_by_program(*(path for path in root.rglob("*") if path.is_file()))
        list(root.iterdir())
        (root / "data/written.csv").write_text("1\n", encoding="utf-8")

    assert opened == {root / "top.csv", root / "data/raw/ä b.csv"}


def test_what_is_opened_before_and_after_is_not_told(root: Path) -> None:
    read_by_program(root / "top.csv")
    with watch_openings(root) as opened:
        pass
    read_by_program(root / "top.csv")

    assert opened == set()


def test_a_file_that_is_opened_by_a_link_to_it_is_told_where_it_lies(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("elsewhere") / "link.csv"
    link.symlink_to(root / "top.csv")

    with watch_openings(root) as opened:
        read_by_program(link)

    assert opened == {root / "top.csv"}


def test_many_files_are_all_told(root: Path) -> None:
    paths = [root / f"data/raw/{number}.csv" for number in range(3000)]
    for path in paths:
        path.write_text("", encoding="utf-8")

    with watch_openings(root) as opened:
        read_by_program(*paths)

    assert opened == set(paths)


@pytest.mark.parametrize(("name", "value"), [("_MOST_FOLDERS", 2), ("_open_watch", lambda: None), ("_add_watches", lambda *_: {})])
def test_what_cannot_be_watched_is_unknown(root: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    monkeypatch.setattr(openings, name, value)

    with watch_openings(root) as opened:
        read_by_program(root / "top.csv")

    assert opened is None


def test_nothing_is_left_open(root: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(3):
        with pytest.raises(ZeroDivisionError), watch_openings(root):
            raise ZeroDivisionError

    assert len(list(Path("/proc/self/fd").iterdir())) == before
