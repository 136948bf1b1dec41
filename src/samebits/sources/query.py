"""Rows of a database as a table: asked for through SQLAlchemy, put in one order, and written as Parquet, always as the same bytes.

The order is made here and not by the database, whose collation and whose way through an index are its own.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from samebits.digests import digest_file
from samebits.errors import ConfigError, DataError, Problem
from samebits.keys.table import Query
from samebits.text import hide_credentials
from samebits.transfers.cache import find_folder, take_in

_ROWS_AT_ONCE = 50_000
_READ_ONLY = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY", "mysql": "SET TRANSACTION READ ONLY"}


def bring_query(query: Query, variable: str, pin: str | None) -> tuple[Path, str]:
    """Ask a database, and return the file of its rows in the cache, and its address without credentials.

    Parameters
    ----------
    variable
        Of the environment, with the database's address.
    pin
        The digest that the rows' file must have, if any.

    Raises
    ------
    ConfigError
        The variable holds no address.
    DataError
        The database does not answer so, its rows have no one order, or are not the pinned ones.
    """
    where = f"data.query, of the database in {variable}"
    url = _read_address(variable)
    table = _sort(_ask(url, query, where), query.order_by, where)
    with tempfile.TemporaryDirectory(prefix=".asked-", dir=find_folder()) as scratch:
        path = Path(scratch, "rows.parquet")
        pq.write_table(table, path, compression="zstd", store_schema=False, write_statistics=False)
        digest = digest_file(path)
        if pin not in (None, digest):
            remedy = "The rows are others now. `samebits data pull CONF` finds the recorded ones in a store; or pin these."
            raise DataError(Problem(where, f"rows with the pinned {pin}", digest, remedy))
        return take_in(path, digest), hide_credentials(url)


def _read_address(variable: str) -> str:
    url = os.environ.get(variable, "")
    try:
        return make_url(url).render_as_string(hide_password=False)
    except (ArgumentError, ValueError):
        found = "nothing" if not url else "something else"
        remedy = f"export {variable}=postgresql+psycopg://user:password@host/name, or sqlite:////path/to/file.db"
        raise ConfigError(Problem(f"data.database: {variable}", "a variable with SQLAlchemy's address", found, remedy)) from None


def _ask(url: str, query: Query, where: str) -> Any:
    try:
        engine = create_engine(url)
        with engine.connect() as connection:
            if engine.dialect.name in _READ_ONLY:  # whatever it asks, nothing is changed: not even what no rollback takes back
                connection.exec_driver_sql(_READ_ONLY[engine.dialect.name])
            answer = connection.execution_options(stream_results=True, no_parameters=True).exec_driver_sql(query.sql)
            names = list(answer.keys())
            _check_names(names, query, where)
            parts = [pa.table(_make_columns(names, rows)) for rows in answer.partitions(_ROWS_AT_ONCE)]
            connection.rollback()  # whatever it asked, nothing is changed
        engine.dispose()
        none = pa.table(dict.fromkeys(names, pa.array([], pa.null())))
        return pa.concat_tables([none, *parts], promote_options="permissive")
    except ImportError as error:
        raise DataError(Problem(where, "the database's driver", str(error), "Install it, such as uv add 'psycopg[binary]'.")) from None
    except (SQLAlchemyError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        said = hide_credentials(" ".join(str(getattr(error, "orig", None) or error).split()))[:300]
        remedy = "See that it answers at that address, takes data.query.sql, and has values of one kind in each column."
        raise DataError(Problem(where, "rows", said, remedy)) from None


def _check_names(names: list[str], query: Query, where: str) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataError(Problem(where, "columns with names of their own", f"several {doubled[0]!r}", "Name them by AS."))
    missing = [name for name in query.order_by if name not in names]
    if missing:
        found = f"no column {missing[0]!r} among {', '.join(names)}"
        raise DataError(Problem(f"{where}: order_by", "columns of the answer", found, "Select it, or order by another one."))


def _make_columns(names: list[str], rows: Any) -> dict[str, Any]:
    return {name: _make_column([row[index] for row in rows]) for index, name in enumerate(names)}


def _make_column(values: list[Any]) -> Any:
    """A moment with a time zone is one in UTC: which zone the session has decides nothing."""
    column = pa.array([_make_plain(value) for value in values])
    return column.cast(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(column.type) and column.type.tz else column


def _make_plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return bytes(value) if isinstance(value, memoryview) else value


def _sort(table: Any, order_by: list[str], where: str) -> Any:
    """Put rows in one order, texts by their bytes; refused where two of them are alike in all that orders."""
    ordered = table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in order_by]))
    twin = next(_find_twins(ordered.select(order_by)), None)
    if twin is not None:
        found = f"two rows with {', '.join(f'{name} {value!r}' for name, value in twin.items())}"
        remedy = "Name further columns, so that no two rows are alike in all of them."
        raise DataError(Problem(f"{where}: order_by", "columns that put the rows in one order", found, remedy))
    return ordered


def _find_twins(keys: Any) -> Iterator[dict[str, Any]]:
    """Yield what orders two rows that stand beside each other and are alike in it; two missing values are."""
    if keys.num_rows < 2:
        return
    is_twin = None
    for column in keys.columns:
        if pa.types.is_null(column.type):  # nothing in it tells rows apart
            column = pa.chunked_array([pa.array([0] * keys.num_rows)])
        left, right = column.slice(0, keys.num_rows - 1).combine_chunks(), column.slice(1).combine_chunks()
        same = pc.or_kleene(pc.fill_null(pc.equal(left, right), False), pc.and_(pc.is_null(left), pc.is_null(right)))
        is_twin = same if is_twin is None else pc.and_(is_twin, same)
    for index in pc.indices_nonzero(is_twin).to_pylist():
        yield keys.slice(index, 1).to_pylist()[0]
