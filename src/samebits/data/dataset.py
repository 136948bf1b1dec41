"""The dataset: the table of a run, its columns in canonical form, and the facts that identify it and say what was read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samebits.errors import DataError, Problem, suggest
from samebits.keys.learning import Batches
from samebits.keys.table import Data
from samebits.stored.mapped_arrays import Pages
from samebits.stored.stored_table import StoredColumn, StoredTable, store_column
from samebits.table.columns import MISSING_WORDS, Column, Kind
from samebits.table.reading import RawTable, Source, read_table
from samebits.text import shorten_list

_FEW = 3  # cells of a column whose text became missing that need no remark


@dataclass(frozen=True)
class Dataset:
    """A table, the columns derived from it, and the facts that identify it.

    Parameters
    ----------
    frame
        The table's own columns, which models take. One row a record, its index the row's number in the table; columns in file order:
        float64, bool or nullable boolean, str, or datetime64 in UTC. In memory, or on disk where the config has batches.
    kinds
        What each column holds.
    integers
        Numeric columns whose file has whole numbers, none missing; their values are float64 all the same.
    sources
        The table's file or folder, and that of the test rows where they have one of their own; the rows come in this order.
    parts
        Name and rows of each file, in the order of the rows.
    reading
        What was read, as facts: see `describe_reading`.
    steps
        Derivations that were made, as `row_columns` takes them.
    made, made_kinds
        The derived columns, by name, and what each holds.
    seeds
        Those planted to draw rows, by place.
    pages
        Of the frame's numbers, where they are mapped.
    """

    frame: pd.DataFrame | StoredTable
    kinds: dict[str, Kind]
    integers: list[str]
    sources: list[Source]
    parts: list[tuple[str, int]] = field(default_factory=list)
    reading: dict[str, Any] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    made: dict[str, pd.Series] = field(default_factory=dict)
    made_kinds: dict[str, Kind] = field(default_factory=dict)
    seeds: dict[str, int] = field(default_factory=dict)
    pages: Pages | None = None

    @property
    def all_kinds(self) -> dict[str, Kind]:
        """The kind of each column, derived ones in place of those that they replace, or after the others."""
        return {**self.kinds, **self.made_kinds}

    def read_column(self, name: str) -> pd.Series:
        """Return a column's values for the rows in use: the derived one, where the table's own was replaced."""
        return self.made[name] if name in self.made else self.frame[name]

    @property
    def row_numbers(self) -> np.ndarray:
        """The number of each row in the table as it was read, from 0; shape (n_rows,), int64."""
        return self.frame.index.to_numpy(dtype=np.int64)

    @property
    def digest(self) -> str:
        """Digest of the table's own file or folder."""
        return self.sources[0].digest

    @property
    def size_bytes(self) -> int:
        """Size of the table's own file or folder."""
        return self.sources[0].size_bytes

    @property
    def path(self) -> Path:
        """Where the table's own file or folder lies."""
        return self.sources[0].path


def load_dataset(
    data: Data,
    path: Path,
    kept: Collection[str] = (),
    test_path: Path | None = None,
    derived: Collection[str] = (),
    named: Sequence[tuple[str, str]] = (),
    batches: Batches | None = None,
) -> Dataset:
    """Read the table at a path, digest it, hold it to its pin, and bring its columns into canonical form.

    Parameters
    ----------
    kept
        Columns that are read although data.drop names them: that of the split, and others that are no features but used.
    test_path
        Where the test rows lie, if not in the same file; they come after the others.
    derived
        Columns that are not in the table but made of it later.
    named
        Columns that the table must have because other keys name them, each after its key.
    batches
        How much of the table may be in memory; None: all.

    Raises
    ------
    DataError
        Nothing is there, it cannot be parsed, its bytes are not the pinned ones, or a named column is not in it.
    """
    paths = [path] if test_path is None else [path, test_path]
    pins, stored = [data.digest, data.test_digest][: len(paths)], dict[str, StoredColumn]()
    table = read_table(paths, pins, data.read, None if batches is None else batches.rows)
    raise_for_unknown_columns([*_list_named(data, derived), *named], table.names, path)
    dropped = set(data.drop) - set(kept)
    missing: dict[str, int] = {}

    def keep(name: str, column: Column) -> Column:
        missing[name] = int(column.values.isna().sum())
        if batches is None:  # a column may be a view of all that was read: then what is dropped would be kept with it
            return dataclasses.replace(column, values=column.values.copy()) if dropped else column
        stored[name] = store_column(column.values)
        return dataclasses.replace(column, values=column.values.iloc[:0].copy())

    columns = table.canonicalise([name for name in table.names if name not in dropped], data.read, keep)
    kinds = {name: column.kind for name, column in columns.items()}
    integers = [name for name, column in columns.items() if column.is_whole]
    in_memory = {name: column.values for name, column in columns.items()}
    frame = pd.DataFrame(in_memory, copy=False) if batches is None else StoredTable(stored, table.n_rows, batches.rows)
    return Dataset(frame, kinds, integers, table.sources, table.parts, describe_reading(table, columns, missing))


def describe_reading(table: RawTable, columns: dict[str, Column], missing: dict[str, int]) -> dict[str, Any]:
    """Return what was read, as plain values.

    Parameters
    ----------
    missing
        Cells without a value, by column.

    Returns
    -------
    dict
        `n_rows`; `n_columns` of the table and `n_by_kind` of those read; `missing` cells by column, where there are any; `words`: by
        column, rows of each text that became missing; `units` of numbers that stand for times; `zones`, where there are dates: which
        are written with a time zone, `given` or `mixed`.
    """
    kinds = [column.kind for column in columns.values()]
    zones = {name: column.zone for name, column in columns.items() if column.zone in ("given", "mixed")}
    return {
        "n_rows": table.n_rows,
        "n_columns": len(table.names),
        "n_by_kind": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "missing": {name: count for name, count in missing.items() if count},
        "words": {name: column.words for name, column in columns.items() if column.words},
        "units": {name: column.unit for name, column in columns.items() if column.unit},
        **({"zones": zones} if "date" in kinds else {}),
    }


def list_reading_lines(reading: dict[str, Any]) -> list[str]:
    """Return what was read as a person is told it: two or three lines."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(reading["n_by_kind"].items(), key=lambda item: -item[1]))
    n_dropped = reading["n_columns"] - sum(reading["n_by_kind"].values())
    left_out = f", {n_dropped} left out" if n_dropped else ""
    lines = [f"read    {reading['n_rows']:,} rows, {reading['n_columns']} columns: {kinds}{left_out}"]
    if reading["missing"]:
        ordered = sorted(reading["missing"].items(), key=lambda item: (-item[1], item[0]))
        lines.append("missing " + shorten_list([f"{name} {count:,}" for name, count in ordered], 6))
    words = {name: _take_usual(found) for name, found in reading["words"].items() if sum(_take_usual(found).values()) > _FEW}
    if words:
        named = [
            f"{name} ({shorten_list([f'{text!r} {count:,} times' for text, count in found.items()], 2)})"
            for name, found in words.items()
        ]
        remedy = f"if such a word is a value, write data.read.keep_default_na: {{{next(iter(words))}: false}}"
        lines.append(f"missing by their words: {shorten_list(named, 4)}; {remedy}")
    return lines + [f"rows    {step['rule']}: {step['dropped']:,} dropped, {step['left']:,} left" for step in reading.get("rows", [])]


def _take_usual(words: dict[str, int]) -> dict[str, int]:
    """Leave out the words that the config itself calls missing: nobody is surprised by those."""
    return {text: count for text, count in words.items() if text in MISSING_WORDS}


def _list_named(data: Data, derived: Collection[str]) -> list[tuple[str, str]]:
    used = [("data.target", data.target), *(("data.drop", name) for name in data.drop)]
    named = [(key, name) for key, name in used if name not in derived]
    named += [("data.read.dates", name) for name in data.read.dates]
    named += [("data.read.types", name) for name in data.read.types]
    for key in ("na_values", "keep_default_na", "decimal", "thousands"):
        by_column = getattr(data.read, key)
        named += [(f"data.read.{key}", name) for name in by_column] if isinstance(by_column, dict) else []
    return named


def raise_for_unknown_columns(named: list[tuple[str, str]], known: list[str], path: Path) -> None:
    """Refuse columns that the config names and the table has not.

    Parameters
    ----------
    named
        Pairs of a config key and the column that it names.

    Raises
    ------
    DataError
        One problem for each such column.
    """
    problems = []
    for key, name in named:
        if name not in known:
            remedy = suggest(name, known, _suggest_separator(known) or "Check the name.")
            problems.append(Problem(f"{key}", f"a column of {path} ({shorten_list(known, 12)})", repr(name), remedy))
    if problems:
        raise DataError(*problems)


def _suggest_separator(known: list[str]) -> str | None:
    """Return what to do where all names ran together into one."""
    marks = {mark: known[0].count(mark) for mark in (";", "\t", "|", ",")} if len(known) == 1 else {}
    mark = max(marks, key=lambda one: marks[one], default="")
    if not marks or not marks[mark]:
        return None
    return f"All names ran together: set data.read.sep: {json.dumps(mark)}."
