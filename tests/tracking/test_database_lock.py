"""The lock under which a database's tables are made: who shares it, and what in its place is neither followed nor believed."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import clean_environment
from servers import make_database, need_services, start_postgres

from samebits.errors import TrackingError
from samebits.tracking import database_lock
from samebits.tracking.database_lock import _explain, lock_database
from samebits.tracking.patience import ServerGone

N_PROCESSES = 4
NOBODY = 65534
# Each as a job of its own on a cluster: another temporary folder; at once, once all are ready.
OPEN_AT_ONCE = f"""
import multiprocessing, os, pathlib, sys, tempfile
import mlflow
from samebits.tracking.server import connect

def open_store(barrier, folder):
    tempfile.tempdir = tempfile.mkdtemp(dir=folder)
    barrier.wait()
    client = connect(pathlib.Path(folder))
    assert [found.name for found in client.search_experiments()] == ["Default"]

context = multiprocessing.get_context("fork")
barrier = context.Barrier({N_PROCESSES})
processes = [context.Process(target=open_store, args=(barrier, sys.argv[1])) for _ in range({N_PROCESSES})]
for process in processes: process.start()
for process in processes: process.join()
sys.exit(sum(process.exitcode != 0 for process in processes))
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder in which every user may do as they like, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="samebits-lock-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@contextlib.contextmanager
def another_user() -> Iterator[None]:
    """Who may not do everything; the one who runs the tests may, where that is root."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


def name_store(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def open_at_once(uri: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(MLFLOW_TRACKING_URI=uri, PYTHONPATH="src")
    command = [sys.executable, "-c", OPEN_AT_ONCE, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)


def test_first_users_of_a_file_with_a_temporary_folder_each_all_get_it(tmp_path: Path) -> None:
    done = open_at_once(name_store(tmp_path), tmp_path)

    assert done.returncode == 0, done.stderr[-3000:]


@need_services
@pytest.mark.xdist_group("servers")
def test_first_users_of_a_postgresql_all_get_it(tmp_path: Path) -> None:
    with start_postgres() as host:
        done = open_at_once(make_database(host, "fresh"), tmp_path)

    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("target", ["victim", "nothing"])
def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path, target: str) -> None:
    (tmp_path / "victim").write_text("precious", encoding="utf-8")
    (tmp_path / "mlflow.db.lock").symlink_to(tmp_path / target)

    with (
        pytest.raises(TrackingError, match=r"mlflow\.db\.lock: expected a lock file .* found Too many levels"),
        lock_database(name_store(tmp_path)),
    ):
        pass

    assert (tmp_path / "victim").read_text(encoding="utf-8") == "precious"
    assert not (tmp_path / "nothing").exists()


def test_a_lock_under_two_names_keeps_its_bytes_and_permissions(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious", encoding="utf-8")
    (tmp_path / "victim").chmod(0o600)
    os.link(tmp_path / "victim", tmp_path / "mlflow.db.lock")

    with lock_database(name_store(tmp_path)):
        (tmp_path / "mlflow.db").touch(0o666)

    assert (tmp_path / "victim").read_text(encoding="utf-8") == "precious"
    assert stat.S_IMODE((tmp_path / "victim").stat().st_mode) == 0o600


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: object) -> None:
    make(tmp_path / "mlflow.db.lock")  # type: ignore[operator]

    with pytest.raises(TrackingError, match="expected a lock file"), lock_database(name_store(tmp_path)):
        pass


def test_a_lock_that_is_anothers_alone_is_said_in_words(open_folder: Path) -> None:
    (open_folder / "mlflow.db.lock").touch()
    (open_folder / "mlflow.db.lock").chmod(0)

    with another_user(), pytest.raises(TrackingError, match="found Permission denied"), lock_database(name_store(open_folder)):
        pass


def test_the_lock_is_its_makers_alone_until_the_database_says_whose_it_is(tmp_path: Path) -> None:
    with lock_database(name_store(tmp_path)):
        before = stat.S_IMODE((tmp_path / "mlflow.db.lock").stat().st_mode)
        (tmp_path / "mlflow.db").touch()
        (tmp_path / "mlflow.db").chmod(0o660)

    assert (before, stat.S_IMODE((tmp_path / "mlflow.db.lock").stat().st_mode)) == (0o600, 0o660)


def test_whoever_may_only_read_the_database_may_wait_for_it(open_folder: Path) -> None:
    (open_folder / "mlflow.db.lock").touch(0o644)

    with another_user(), lock_database(name_store(open_folder)):
        pass


def test_a_folder_in_which_nothing_can_be_made_needs_no_lock(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_folder.chmod(0o555)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may everywhere

    with lock_database(name_store(open_folder)):
        pass

    assert list(open_folder.iterdir()) == []


def test_one_database_under_two_names_has_one_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "other").symlink_to(tmp_path / "real")
    monkeypatch.setattr(database_lock, "_WAIT_SECONDS", 0)

    with (
        lock_database(name_store(tmp_path / "real")),
        pytest.raises(TrackingError, match="expected a lock that is free, found one that is held"),
        lock_database(name_store(tmp_path / "other")),
    ):
        pass


@pytest.mark.parametrize(
    "uri", ["sqlite://", "sqlite:///:memory:", "http://mlflow.example", "databricks", "/srv/mlruns", "sqlite://h"]
)
def test_what_is_no_database_file_has_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.chdir(tmp_path)

    with lock_database(uri):
        made = sorted(path.name for path in tmp_path.iterdir())

    assert made == []


@need_services
def test_a_database_that_does_not_answer_is_named_without_its_password(closed_port: int) -> None:
    uri = f"postgresql://ml:ab/cdSECRET@127.0.0.1:{closed_port}/mlflow"

    with (
        pytest.raises(TrackingError, match=r"postgresql://127\.0\.0\.1/mlflow: expected a database that answers") as refusal,
        lock_database(uri),
    ):
        pass

    assert "SECRET" not in str(refusal.value)


@need_services
@pytest.mark.xdist_group("servers")
def test_a_database_that_refuses_is_another_fault_than_one_that_is_not_there(closed_port: int) -> None:
    with start_postgres() as host:
        with (
            pytest.raises(TrackingError, match="password authentication failed") as refusal,
            lock_database(f"postgresql://ml:SECRET@{host}/x"),
        ):
            pass
        with pytest.raises(ServerGone), lock_database(f"postgresql://ml:SECRET@127.0.0.1:{closed_port}/x"):
            pass

    assert not isinstance(refusal.value, ServerGone)
    assert "SECRET" not in str(refusal.value)


@pytest.mark.parametrize(
    ("said", "is_silent"),
    [
        ("FATAL:  the database system is starting up", True),
        ("FATAL:  sorry, too many clients already", True),
        ('FATAL:  database "x" does not exist', False),
    ],
)
def test_a_database_that_refuses_for_a_while_is_as_one_that_does_not_answer(said: str, is_silent: bool) -> None:
    class OperationalError(Exception):
        """As psycopg's."""

    assert isinstance(_explain("postgresql://x/y", OperationalError(said)), ServerGone) == is_silent
