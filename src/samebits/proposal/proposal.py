"""The door of this wing: from a table and the name of its target to a config that `train` takes, with what was seen of the table.

What is proposed is tried as `train` would try it before anything is fitted: read, divided, its candidates built. So a table that a
config cannot be written for is refused here.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from samebits.candidates.pipeline import build_candidates
from samebits.config.catalog import DEFAULT_SCORING
from samebits.config.documents import Document
from samebits.config.keys import Config, Read
from samebits.config.loading import check_document
from samebits.data.dataset import Dataset
from samebits.data.preparation import prepare_rows
from samebits.data.target import Target, find_name, read_target
from samebits.errors import ConfigError, DataError, Problem, suggest
from samebits.proposal.choices import (
    LEAST_CLASS_ROWS,
    Division,
    choose_models,
    choose_positive,
    describe_classes,
    find_small_classes,
    list_divisions,
)
from samebits.proposal.findings import Finding
from samebits.proposal.giveaways import find_giveaways
from samebits.proposal.layout import find_layout
from samebits.proposal.notation import Notation, read_columns
from samebits.proposal.survey import MOST_CATEGORIES, Seen, describe_missing, find_wide_categories, survey_columns
from samebits.proposal.writing import write_config
from samebits.table.reading import RawTable, read_table
from samebits.text import shorten_list

_LEAST_ROWS = 10
_SEED = 42
_LONGEST_NAME = 200
_LIKELY_TARGETS = ("target", "label", "class", "y", "outcome", "response", "churn", "survived", "diagnosis", "quality", "price", "cnt")


@dataclass(frozen=True)
class Place:
    """Where a table, its config and their project lie.

    Parameters
    ----------
    named
        The table as the config names it.
    name
        Of the table, and of the experiment.
    """

    table: Path
    named: str
    name: str
    conf: Path
    root: Path


@dataclass(frozen=True)
class Proposal:
    """A config, not yet written to its file, and what was seen of its table."""

    document: Document
    findings: list[Finding]


def propose_config(place: Place, target_name: str | None) -> Proposal:
    """Return a config for a table.

    Raises
    ------
    DataError
        The table cannot be read, has no such column, or is too small or too plain to learn the target from.
    """
    read, seen_of_layout = find_layout(place.table)
    table, read, more = _read_leniently(place.table, read)
    name = _choose_target(table, target_name, place.table)
    notation = read_columns(table, read)
    if name in notation.unreadable:
        table.take(name)  # which says why
    seen, target, n_empty = _look(table, notation, name)
    positive, of_positive = choose_positive(target)
    small = find_small_classes(target)
    survey = _survey(seen, target, small)
    findings = [*seen_of_layout, *more, *notation.findings, *_describe_target(name, target, n_empty, small), *survey]
    findings += [of_positive] if of_positive is not None else []
    kept = _leave_out([*seen.others, *notation.unreadable], findings)
    if not kept:
        raise DataError(Problem(str(place.table), "columns to learn from", f"none beside {name!r} but ids and constants", "Add some."))
    rows: list[dict[str, Any]] = [{"drop_missing": [name]}] if n_empty else []
    rows += [{"min_class_rows": LEAST_CLASS_ROWS}] if small else []
    base = _list_values(place, table, name, target, positive, rows)
    return _try_divisions(place, base, notation, read, seen, target, kept, findings)


def _read_leniently(path: Path, read: Read) -> tuple[RawTable, Read, list[Finding]]:
    try:
        return read_table([path], [None], read), read, []
    except DataError as error:
        lenient = read.model_copy(update={"allow_short_rows": True})
        try:
            table = read_table([path], [None], lenient)
        except DataError:
            raise error from None
        return table, lenient, [Finding("layout", "rows with fewer fields than the header: what is not there is taken for missing")]


def _choose_target(table: RawTable, wanted: str | None, path: Path) -> str:
    if len(table.names) < 2:
        found = f"one column, {table.names[0]!r}"
        raise DataError(Problem(str(path), "a table of several columns", found, "Is it divided by something unusual, or no table?"))
    listed = shorten_list(table.names, 30)
    if wanted is None:
        likely = [name for name in table.names if name.lower() in _LIKELY_TARGETS] or table.names[-1:]
        remedy = f"Name the column to predict, such as --target {likely[0]}."
        raise DataError(Problem("--target", f"one of {listed}", "nothing", remedy))
    name = find_name(wanted, table.names)
    if name is not None:
        return name
    otherwise = "Name one of them."
    if all(_is_number(name) for name in table.names[:3]):
        otherwise = "The first line looks like numbers: give the table a line of names."
    found = repr(wanted)
    raise DataError(Problem("--target", f"a column of {path} ({listed})", found, suggest(wanted, table.names, otherwise)))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _look(table: RawTable, notation: Notation, name: str) -> tuple[Seen, Target, int]:
    """Return the rows that have a target, and the target as a run takes it."""
    frame = pd.DataFrame({column: found.values for column, found in notation.columns.items()})
    is_known = frame[name].notna()
    frame = frame[is_known].reset_index(drop=True)
    if len(frame) < _LEAST_ROWS:
        found = f"{len(frame)} with a value in {name!r}"
        raise DataError(Problem(str(table.sources[0].path), f"at least {_LEAST_ROWS} rows to learn from", found, "Add rows."))
    kinds = {column: found.kind for column, found in notation.columns.items()}
    whole = [column for column, found in notation.columns.items() if found.is_whole]
    config = Config.model_validate(
        {"name": "new", "version": "2026.1.0", "seed": 0, "data": {"path": "new", "target": name}, "models": {"dummy": {}}}
    )
    target = read_target(config, Dataset(frame, kinds, whole, table.sources))
    return Seen(frame, kinds, whole, name), target, int((~is_known).sum())


def _describe_target(name: str, target: Target, n_empty: int, small: list[str]) -> list[Finding]:
    found = [Finding("target", f"{name}: {target.task}{f' of {len(target.labels)} classes' if target.labels is not None else ''}")]
    if n_empty:
        found.append(Finding("target", f"{name}: empty in {n_empty:,} rows, which are left out by data.rows"))
    found += describe_classes(target)
    if small:
        text = f"{shorten_list(small)}: fewer than {LEAST_CLASS_ROWS} rows, left out by data.rows"
        found.append(Finding("class", text))
    return found


def _survey(seen: Seen, target: Target, small: list[str]) -> list[Finding]:
    looks = survey_columns(seen)
    left = _leave_out(seen.others, looks)
    giveaways = find_giveaways(seen, target, left)
    left = _leave_out(left, giveaways)
    return [*looks, *giveaways, *describe_missing(seen, left)]


def _leave_out(names: list[str], findings: list[Finding]) -> list[str]:
    dropped = {name for finding in findings for name, _ in finding.dropped}
    return [name for name in names if name not in dropped]


def _list_values(
    place: Place, table: RawTable, name: str, target: Target, positive: Any, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    today = datetime.datetime.now(datetime.UTC).date()
    data: dict[str, Any] = {"path": place.named, "digest": table.sources[0].digest, "target": name, "rows": rows}
    data |= {"positive": positive} if positive is not None else {}
    return {
        "name": place.name[:_LONGEST_NAME],
        "version": f"{today.year}.{today.month}.0",
        "seed": _SEED,
        "task": target.task,
        "data": data,
        "scoring": DEFAULT_SCORING[target.task],
        "n_jobs": 2,
    }


def _try_divisions(
    place: Place,
    base: dict[str, Any],
    notation: Notation,
    plain: Read,
    seen: Seen,
    target: Target,
    kept: list[str],
    findings: list[Finding],
) -> Proposal:
    """Return the first way to divide the rows that the table allows.

    Raises
    ------
    DataError
        It allows none: what stands in the way of the last is said.
    """
    refusal: Exception | None = None
    for division in list_divisions(seen, target, kept):
        said = [*findings, *([division.finding] if division.finding is not None else [])]
        document = _write(place, base, notation, seen, target, kept, division, said)
        try:
            loaded = check_document(document)
            build_candidates(loaded.config, prepare_rows(loaded, place.root))
        except (DataError, ConfigError) as error:
            refusal = error
            continue
        return Proposal(document, said)
    if refusal is None:
        raise AssertionError("no way to divide rows was tried")
    raise refusal


def _write(
    place: Place,
    base: dict[str, Any],
    notation: Notation,
    seen: Seen,
    target: Target,
    kept: list[str],
    division: Division,
    findings: list[Finding],
) -> Document:
    features = [name for name in kept if name != division.column]
    said = _list_read(notation.read, {name for name in kept if name in seen.kinds} | {seen.target})
    reasons = {name: reason for finding in findings for name, reason in finding.dropped}
    wide = find_wide_categories(seen, features)
    data = {**base["data"], "drop": [name for name in reasons if name != division.column], "read": said}
    values = {
        **base,
        "data": data,
        "split": division.split,
        "preprocessing": {"columns": [_join_rare(wide)] if wide else []},
        "models": choose_models(target.task, len(seen.frame)),
        "cv": {"n_splits": division.n_splits, **division.cv},
    }
    return write_config(place.conf, values, list(_write_head(place, findings)), reasons)


def _join_rare(names: list[str]) -> dict[str, Any]:
    """Return how columns of many categories become numbers: the rare ones joined, so that no table grows without end."""
    encoder = {
        "class": "sklearn.preprocessing.OneHotEncoder",
        "handle_unknown": "infrequent_if_exist",
        "max_categories": MOST_CATEGORIES,
        "sparse_output": False,
    }
    return {"columns": names, "transformers": [{"class": "sklearn.impute.SimpleImputer", "strategy": "most_frequent"}, encoder]}


def _list_read(read: Read, used: set[str]) -> dict[str, Any]:
    """Return data.read's keys as plain values, by column only for columns that are used."""
    values: dict[str, Any] = read.model_dump(mode="python")
    for key in ("decimal", "thousands", "na_values", "dates", "types"):
        if isinstance(values[key], dict):
            values[key] = {name: said for name, said in values[key].items() if name in used}
            if not values[key]:
                del values[key]
    return values


def _write_head(place: Place, findings: list[Finding]) -> Iterator[str]:
    if (place.conf.parent / "config.schema.json").is_file():
        yield "yaml-language-server: $schema=config.schema.json"
    yield f"Written by `samebits new` for {place.named}; every key is here, and may be changed. What was seen of the table:"
    yield from (finding.line for finding in findings)
