"""An address means the same place however it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from samebits.errors import TrackingError
from samebits.tracking.address import find_database, is_http, is_remote, settle_address


@pytest.mark.parametrize(
    ("given", "settled"),
    [
        ("file:/srv/mlruns", "/srv/mlruns"),
        ("file:///srv/mlruns", "/srv/mlruns"),
        ("file:runs", "{here}/runs"),
        ("FILE:/srv/mlruns", "/srv/mlruns"),
        ("runs", "{here}/runs"),
        ("/srv/mlruns", "/srv/mlruns"),
        ("/srv/what?/mlruns", "file:///srv/what%3F/mlruns"),
        ("file:/srv/a%20b", "/srv/a b"),
        ("sqlite:///runs.db", "sqlite:///{here}/runs.db"),
        ("sqlite:///runs.db?timeout=9", "sqlite:///{here}/runs.db?timeout=9"),
        ("sqlite:////srv/runs.db", "sqlite:////srv/runs.db"),
        ("sqlite+pysqlite:///runs.db", "sqlite+pysqlite:///{here}/runs.db"),
        ("SQLite:///runs.db", "sqlite:///{here}/runs.db"),
        ("PostgreSQL://host/DB", "postgresql://host/DB"),
        ("./localhost:5000", "{here}/localhost:5000"),
        ("http://host:5000", "http://host:5000"),
        ("postgresql://u:p@ss/word@host/db", "postgresql://u:p@ss/word@host/db"),
        ("postgresql+psycopg://host/db", "postgresql+psycopg://host/db"),
        ("databricks", "databricks"),
        ("databricks://profile", "databricks://profile"),
        (None, "sqlite:///{here}/project/mlflow.db"),
    ],
)
def test_an_address_is_settled_whatever_its_form(
    given: str | None, settled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)

    assert settle_address(given, tmp_path / "project") == settled.format(here=tmp_path)


def test_a_project_in_a_folder_with_a_question_mark_has_its_database_there(tmp_path: Path) -> None:
    address = settle_address(None, tmp_path / "what?")

    assert find_database(address) == tmp_path / "what?" / "mlflow.db"


def test_a_relative_database_that_no_caller_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)

    with pytest.raises(TrackingError, match="expected a database that exists"):
        settle_address("sqlite:///nowhere-at-all.db", tmp_path)


def test_only_what_lies_behind_a_server_may_stay_silent() -> None:
    assert [is_remote(address) for address in ("http://h", "postgresql://h/d", "sqlite:////d", "/srv", "file:///srv")] == [
        *(True, True),
        *(False, False, False),
    ]
    assert is_http("HTTPS://h") and not is_http("postgresql://h/d")


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("localhost:5000", "Write http://localhost:5000"),
        ("10.0.0.1:80/prefix", "Write http://10.0.0.1:80/prefix"),
        ("http:/host", "Write http://HOST:PORT"),
        ("sqlite:runs.db", "sqlite:///PATH"),
        ("postgresql+psycopg:/host/db", "an address with its scheme"),
        ("~no-such-user/runs", "Write the whole path."),
    ],
)
def test_a_part_of_an_address_is_no_folder(given: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(TrackingError, match="MLFLOW_TRACKING_URI") as refused:
        settle_address(given, tmp_path)

    assert remedy in str(refused.value) and list(tmp_path.iterdir()) == []
