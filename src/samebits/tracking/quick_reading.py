"""MLflow's client for who only reads from an SQLite database: what is asked most is read without MLflow, whose import takes longer.

The tables are MLflow's own, so this holds for the schemas that are listed here, and what it gives is held to what MLflow's client
gives by test. Every other schema, question and failure goes to that client, which is made when it is needed first.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

SCHEMAS = frozenset({"dc11669786a5"})  # as Alembic names that of MLflow 3.17
_WORKSPACES = "MLFLOW_ENABLE_WORKSPACES"
_TERM = re.compile(r"(tags|attributes)\.(?:`([^`]+)`|(\w+)) (=|!=) '([^']*)'")
_COLUMNS = {"status": "status", "run_id": "run_uuid"}
_LATEST_FIRST = (None, ["attributes.start_time DESC"])


class Page(list[Any]):
    """A page of what was searched for, and by what the next one is asked for."""

    token: str | None = None


class _Unread(Exception):
    """What is MLflow's to answer."""


def _or_ask_mlflow(read: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(read)
    def read_or_ask(reader: QuickReader, *words: Any, **named: Any) -> Any:
        try:
            return read(reader, *words, **named)
        except (_Unread, sqlite3.Error):
            return getattr(reader.client, read.__name__)(*words, **named)

    return read_or_ask


class QuickReader:
    """What `mlflow.MlflowClient` gives of experiments, runs, metrics and models, with the attributes that are read of them here.

    Parameters
    ----------
    uri, database
        The address of the store, and the file that it names.
    make_client
        Makes MLflow's own.
    """

    def __init__(self, uri: str, database: Path, make_client: Callable[[], Any]) -> None:
        self.tracking_uri = uri
        self._database = database
        self._make_client = make_client

    @functools.cached_property
    def client(self) -> Any:
        """MLflow's own."""
        return self._make_client()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    @_or_ask_mlflow
    def get_experiment(self, experiment_id: str) -> Any:
        """Return an experiment."""
        with self._open() as rows:
            return _take_one(_list_experiments(rows, "experiment_id = ?", experiment_id))

    @_or_ask_mlflow
    def search_experiments(self, max_results: int, page_token: str | None = None) -> Page:
        """Return all active experiments as one page."""
        with self._open() as rows:
            found = Page(_list_experiments(rows, "lifecycle_stage = 'active'"))
        if page_token is not None or len(found) > max_results:
            raise _Unread
        return found

    @_or_ask_mlflow
    def get_run(self, run_id: str) -> Any:
        """Return a run, a deleted one too."""
        with self._open() as rows:
            return _take_one(_list_runs(rows, "WHERE run_uuid = ?", [run_id]))

    @_or_ask_mlflow
    def search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str,
        max_results: int,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> Page:
        """Return active runs that meet a condition, the latest first."""
        if order_by not in _LATEST_FIRST or not experiment_ids:
            raise _Unread
        condition, given = _parse_condition(filter_string)
        places = ",".join("?" * len(experiment_ids))
        first = _read_token(page_token)
        where = (
            f"WHERE experiment_id IN ({places}) AND lifecycle_stage = 'active' AND {condition}"
            " ORDER BY start_time DESC, run_uuid LIMIT ? OFFSET ?"
        )
        with self._open() as rows:
            found = Page(_list_runs(rows, where, [*experiment_ids, *given, max_results + 1, first]))
        if len(found) > max_results:
            del found[max_results:]
            found.token = _make_token(first + max_results)
        return found

    @_or_ask_mlflow
    def get_metric_history(self, run_id: str, key: str) -> Page:
        """Return all values of a metric."""
        query = (
            "SELECT key, value, is_nan, step, timestamp FROM metrics WHERE run_uuid = ? AND key = ? ORDER BY timestamp, step, value"
        )
        with self._open() as rows:
            return Page(map(_make_metric, rows(query, run_id, key)))

    @_or_ask_mlflow
    def get_logged_model(self, model_id: str) -> Any:
        """Return a model."""
        query = (
            "SELECT model_id, name, artifact_location, creation_timestamp_ms AS creation_timestamp, source_run_id"
            " FROM logged_models WHERE model_id = ? AND lifecycle_stage = 'active'"
        )
        with self._open() as rows:
            return _take_one([SimpleNamespace(**row) for row in rows(query, model_id)])

    @contextmanager
    def _open(self) -> Iterator[Callable[..., list[dict[str, Any]]]]:
        """Let rows be read, all as they were at one moment."""
        if os.environ.get(_WORKSPACES) or not self._database.is_file():
            raise _Unread
        with closing(sqlite3.connect(f"{self._database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN")

            def rows(query: str, *given: Any) -> list[dict[str, Any]]:
                return [dict(row) for row in connection.execute(query, given)]

            schemas = {row["version_num"] for row in rows("SELECT version_num FROM alembic_version")}
            if not schemas or schemas - SCHEMAS or rows("SELECT 1 FROM experiments WHERE workspace != 'default'"):
                raise _Unread
            yield rows


def _make_token(offset: int) -> str:
    """Return by what a page is asked for, as MLflow has it: it may be the one that is asked."""
    return base64.b64encode(json.dumps({"offset": offset}).encode("utf-8")).decode("ascii")


def _read_token(token: str | None) -> int:
    try:
        return int(json.loads(base64.b64decode(token))["offset"]) if token else 0
    except (ValueError, TypeError, LookupError):
        raise _Unread from None


def _take_one(found: list[Any]) -> Any:
    if len(found) != 1:
        raise _Unread  # MLflow says in its own words what is not there
    return found[0]


def _parse_condition(text: str) -> tuple[str, list[str]]:
    """Return a condition of MLflow's search as one of SQL, and what stands in it for each `?`."""
    parts, given = [], list[str]()
    for term in text.split(" AND "):
        found = _TERM.fullmatch(term)
        if found is None:
            raise _Unread
        of, name, sign, value = found[1], found[2] or found[3], found[4], found[5]
        if of == "attributes":
            if name not in _COLUMNS:
                raise _Unread
            parts.append(f"{_COLUMNS[name]} {sign} ?")
            given.append(value)
        else:
            parts.append(f"run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value {sign} ?)")
            given += [name, value]
    return " AND ".join(parts), given


def _list_experiments(rows: Callable[..., list[dict[str, Any]]], condition: str, *given: str) -> list[Any]:
    query = f"SELECT experiment_id, name, artifact_location, lifecycle_stage FROM experiments WHERE {condition}"
    return [SimpleNamespace(**{**row, "experiment_id": str(row["experiment_id"])}) for row in rows(query, *given)]


def _list_runs(rows: Callable[..., list[dict[str, Any]]], where: str, given: list[Any]) -> list[Any]:
    query = (
        "SELECT run_uuid AS run_id, name AS run_name, experiment_id, user_id, status, start_time, end_time, lifecycle_stage,"
        f" artifact_uri FROM runs {where}"
    )
    return [_fill_run(rows, SimpleNamespace(**row)) for row in rows(query, *given)]


def _fill_run(rows: Callable[..., list[dict[str, Any]]], info: SimpleNamespace) -> Any:
    tags, params = (
        {row["key"]: row["value"] for row in rows(f"SELECT key, value FROM {table} WHERE run_uuid = ?", info.run_id)}
        for table in ("tags", "params")
    )
    metrics = map(_make_metric, rows("SELECT key, value, is_nan, step, timestamp FROM latest_metrics WHERE run_uuid = ?", info.run_id))
    datasets = (
        "SELECT DISTINCT dataset_uuid, name, digest FROM inputs JOIN datasets ON source_id = dataset_uuid"
        " WHERE destination_type = 'RUN' AND destination_id = ?"
    )
    models = (
        "SELECT destination_id AS model_id, step FROM inputs"
        " WHERE source_type = 'RUN_OUTPUT' AND destination_type = 'MODEL_OUTPUT' AND source_id = ?"
    )
    info.experiment_id = str(info.experiment_id)
    info.run_name = info.run_name or tags.get("mlflow.runName")
    inputs = [SimpleNamespace(dataset=SimpleNamespace(**row)) for row in rows(datasets, info.run_id)]
    return SimpleNamespace(
        info=info,
        data=SimpleNamespace(tags=tags, params=params, metrics={one.key: one.value for one in metrics}),
        inputs=SimpleNamespace(dataset_inputs=inputs),
        outputs=SimpleNamespace(model_outputs=[SimpleNamespace(**row) for row in rows(models, info.run_id)]),
    )


def _make_metric(row: dict[str, Any]) -> Any:
    value = math.nan if row["is_nan"] else float(row["value"])
    return SimpleNamespace(key=row["key"], value=value, step=row["step"], timestamp=row["timestamp"])
