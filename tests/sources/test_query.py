"""Rows of a database are the same bytes whatever order it gives them in, and are refused where they have no one order."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import servers

from samebits.errors import ConfigError, DataError
from samebits.keys.table import Query
from samebits.sources.query import bring_query

ROWS = [(3, "x", 1.5, None), (1, "Ä", None, None), (2, "a", 2.0, None)]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TEAM_DATABASE", f"sqlite:///{tmp_path}/team.db")
    connection = sqlite3.connect(tmp_path / "team.db")
    connection.execute("CREATE TABLE people (id INT, name TEXT, pay REAL, note TEXT)")
    connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", ROWS)
    connection.commit()
    return connection


def ask(sql: str, *order_by: str, pin: str | None = None) -> Path:
    return bring_query(Query(sql=sql, order_by=list(order_by)), "TEAM_DATABASE", pin)[0]


def test_the_order_in_which_a_database_answers_changes_no_byte(database: sqlite3.Connection) -> None:
    up, down = ask("SELECT * FROM people ORDER BY id", "id"), ask("SELECT * FROM people ORDER BY id DESC", "id")

    assert up == down
    assert pq.read_table(up).to_pydict()["name"] == ["Ä", "a", "x"]


def test_a_query_is_asked_letter_for_letter(database: sqlite3.Connection) -> None:
    asked = ask("SELECT id, 'a :b 100% %s ?' AS said FROM people WHERE name NOT LIKE '%:x%'", "id")

    assert pq.read_table(asked).to_pydict()["said"] == ["a :b 100% %s ?"] * 3


def test_rows_that_nothing_tells_apart_are_refused(database: sqlite3.Connection) -> None:
    database.execute("INSERT INTO people VALUES (3, 'z', 1, NULL)")
    database.commit()

    with pytest.raises(DataError, match=r"order_by: expected columns that put the rows in one order, found two rows with id 3"):
        ask("SELECT * FROM people", "id")
    assert ask("SELECT * FROM people", "id", "name").exists()
    with pytest.raises(DataError, match="two rows with note None"):
        ask("SELECT * FROM people", "note")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM nobody", "no such table: nobody"),
        ("SELECT name FROM people", "no column 'id' among name"),
        ("SELECT id, pay AS id FROM people", "several 'id'"),
        ("DELETE FROM people", "attempt to write a readonly database"),
        ("DROP TABLE people", "attempt to write a readonly database"),
        ("PRAGMA cache_size = 5", "does not return rows"),
    ],
)
def test_a_query_that_gives_no_table_is_refused_in_words(database: sqlite3.Connection, sql: str, said: str) -> None:
    with pytest.raises(DataError, match="of the database in TEAM_DATABASE") as refusal:
        ask(sql, "id")

    assert said in str(refusal.value)
    assert database.execute("SELECT count(*) FROM people").fetchone() == (3,)


def test_a_query_that_changes_rows_is_refused_and_changes_none(database: sqlite3.Connection) -> None:
    with pytest.raises(DataError, match="attempt to write a readonly database"):
        ask("INSERT INTO people VALUES (9, 'k', 1, NULL) RETURNING id", "id")

    assert database.execute("SELECT count(*) FROM people").fetchone() == (3,)


def test_other_rows_than_the_pinned_ones_are_refused(database: sqlite3.Connection) -> None:
    with pytest.raises(DataError, match="The rows are others now"):
        ask("SELECT * FROM people", "id", pin=f"sha256:{'0' * 64}")


def test_a_variable_without_an_address_is_refused_and_a_password_is_not_shown(
    database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_DATABASE", "me:secret-word")

    with pytest.raises(ConfigError, match=r"data\.database: TEAM_DATABASE") as refusal:
        ask("SELECT 1 AS id", "id")
    assert "secret-word" not in str(refusal.value)


@pytest.mark.skipif(bool(servers.say_what_is_missing()), reason=servers.say_what_is_missing())
def test_moments_of_postgresql_are_in_utc_whatever_zone_its_session_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sql = "SELECT * FROM (VALUES (2, timestamptz '2026-01-01 12:00+02', 1.50::numeric), (1, NULL, 2.25)) AS t(id, at, pay)"
    with servers.start_postgres() as host:
        address = servers.make_database(host, "team").replace("postgresql://", "postgresql+psycopg://")
        found = []
        for zone in ("UTC", "Asia/Tokyo"):
            monkeypatch.setenv("PGTZ", zone)
            monkeypatch.setenv("TEAM_DATABASE", address)
            found.append(ask(sql, "id"))

    assert found[0] == found[1]
    assert str(pq.read_table(found[0]).to_pydict()["at"][1]) == "2026-01-01 10:00:00+00:00"
