"""What is missing to reach a store, said before anything is trained."""

from __future__ import annotations

import sys

import pytest

from samebits.tracking.drivers import find_missing_driver

EXTRA = "Install the extra samebits[server]; in a checkout: uv sync --inexact --extra server."


@pytest.mark.parametrize(
    ("uri", "missing", "said"),
    [
        ("s3://bucket/x", "boto3", f"artifacts at s3://: expected its driver, boto3, found not installed. {EXTRA}"),
        ("r2://bucket@account.example", "boto3", f"artifacts at r2://: expected its driver, boto3, found not installed. {EXTRA}"),
        ("gs://bucket", "google", "artifacts at gs://: expected its driver, google-cloud-storage, found not installed."),
        ("wasbs://a@b.example/c", "azure", "artifacts at wasbs://: expected its driver, azure-storage-blob, found not installed."),
        ("abfss://a@b.example/c", "azure", "artifacts at abfss://: expected its driver, azure-storage-file-datalake, found"),
        ("postgresql://me:SECRET@db/x", "psycopg", f"postgresql://…: expected its driver, psycopg, found not installed. {EXTRA}"),
        ("postgresql+psycopg2://me:SECRET@db/x", "psycopg2", f"expected its driver, psycopg2, found not installed. {EXTRA}"),
        ("mysql://me:SECRET@db/x", "MySQLdb", "mysql://…: expected its driver, MySQLdb, found not installed. Add MySQLdb"),
        ("mysql+pymysql://me:SECRET@db/x", "pymysql", "mysql://…: expected its driver, pymysql, found not installed. Add pymysql"),
        ("mssql+pyodbc://me:SECRET@db/x", "pyodbc", "mssql://…: expected its driver, pyodbc, found not installed. Add pyodbc"),
    ],
)
def test_a_missing_driver_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch, uri: str, missing: str, said: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)

    problem = find_missing_driver(uri)

    assert said in str(problem)
    assert "SECRET" not in str(problem)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("postgres://me:SECRET@db/x", "Write postgresql://."),
        ("postgresql+nosuch://me:SECRET@db/x", "Write postgresql://HOST/NAME."),
        ("postgresql://me:SECRET@db:port/x", "Write postgresql://HOST/NAME."),
    ],
)
def test_an_address_that_no_driver_takes_is_said_without_what_is_in_it(uri: str, said: str) -> None:
    problem = find_missing_driver(uri)

    assert said in str(problem)
    assert "SECRET" not in str(problem)


@pytest.mark.parametrize(
    "uri",
    ["http://mlflow.example", "sqlite:////srv/x.db", "mlflow-artifacts:/1", "file:///x", "/x", "databricks", "hdfs://x", "plugin://x"],
)
def test_what_needs_no_driver_of_its_own_misses_none(uri: str) -> None:
    assert find_missing_driver(uri) is None
