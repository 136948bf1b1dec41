"""The door of this wing: from a table and the name of its target to a config that `train` takes, with what was seen of the table.

What is proposed is tried as `train` would try it before anything is fitted: read, divided, its candidates built. So a table that a
config cannot be written for is refused here.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebits.candidates.pipeline import build_candidates
from samebits.config.catalog import DEFAULT_SCORING
from samebits.config.documents import Document
from samebits.config.loading import check_document
from samebits.data.preparation import prepare_rows
from samebits.errors import ConfigError, DataError, Problem
from samebits.keys.table import Read
from samebits.proposal.choices import Division, choose_models, list_divisions
from samebits.proposal.findings import Finding, hold_to_features
from samebits.proposal.giveaways import find_giveaways
from samebits.proposal.layout import find_layout, read_header
from samebits.proposal.notation import Notation, read_columns
from samebits.proposal.subject import Subject, choose_column, describe_names, look_at_target
from samebits.proposal.survey import (
    MOST_CATEGORIES,
    Seen,
    choose_filling,
    describe_codes,
    describe_missing,
    find_groups,
    find_readable_texts,
    find_wide_categories,
    survey_columns,
)
from samebits.proposal.writing import write_config
from samebits.sources.bringing import bring_inputs
from samebits.table.csv_file import Refusal
from samebits.table.formats import is_typed
from samebits.table.reading import RawTable, read_table

_SEED = 42
_LONGEST_NAME = 200


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


@dataclass(frozen=True)
class _Draft:
    """All that is settled before the rows are divided.

    Parameters
    ----------
    kept
        Columns that are features, unless they only divide the rows.
    texts
        Of these, those that are read word by word.
    """

    place: Place
    digest: str
    subject: Subject
    kept: list[str]
    texts: list[str]
    findings: list[Finding]


def propose_config(place: Place, wanted: str | None) -> Proposal:
    """Return a config for a table.

    Parameters
    ----------
    wanted
        The column to predict.

    Raises
    ------
    DataError
        The table cannot be read, has no such column, or is too small or too plain to learn the target from.
    """
    read, layout = find_layout(place.table)
    table, read, lenient = _read_leniently(place.table, read)
    name = choose_column(table.names, wanted, place.table)
    notation = read_columns(table, read)
    subject = look_at_target(table, notation, name)
    found = [*layout, *describe_names(table.names), *lenient, *notation.findings, *subject.findings]
    draft = _choose_features(place, table, notation, subject, found)
    refusal: Exception | None = None
    for form in notation.reads:
        for division in list_divisions(subject.seen, subject.target, draft.kept):
            try:
                return _try(draft, form, division)
            except (DataError, ConfigError) as error:
                refusal = refusal or error
    raise refusal or AssertionError("no way to divide the rows was tried")


def check_target(table: Path, wanted: str | None) -> None:
    """Hold the name of a target to a table's header, of which alone it is read.

    Raises
    ------
    DataError
        None is named, or there is no such column.
    """
    read, _ = find_layout(table)
    if table.is_dir() or is_typed(table, read):
        choose_column(_read_leniently(table, read)[0].names, wanted, table)
        return
    with contextlib.suppress(Refusal):  # the table has more to say for itself
        choose_column(read_header(table, read), wanted, table)


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


def _choose_features(place: Place, table: RawTable, notation: Notation, subject: Subject, found: list[Finding]) -> _Draft:
    """Settle which columns are learned from.

    Raises
    ------
    DataError
        None is left.
    """
    seen, digest = subject.seen, table.sources[0].digest
    looks = survey_columns(seen)
    left = _leave_out(seen.others, looks)
    if left:
        groups = find_groups(seen, left)  # each may well be of one class: it divides the rows, and is no feature anyway
        giveaways = find_giveaways(seen, subject.target, [name for name in left if name not in groups] or left)
        left = _leave_out(left, giveaways)
        return _Draft(place, digest, subject, left, [], [*found, *looks, *giveaways])
    texts = find_readable_texts(seen, looks)
    if not texts:
        nothing = f"none beside {seen.target!r} but ids, constants and the like"
        raise DataError(Problem(str(place.table), "columns to learn from", nothing, "Add some."))
    others = [finding for finding in looks if not {name for name, _ in finding.dropped} & set(texts)]
    said = [Finding("text", f"{name}: text, the only column to learn from; its words are counted (TF-IDF)") for name in texts]
    return _Draft(place, digest, subject, texts, texts, [*found, *others, *said])


def _leave_out(names: list[str], findings: list[Finding]) -> list[str]:
    dropped = {name for finding in findings for name, _ in finding.dropped}
    return [name for name in names if name not in dropped]


def _try(draft: _Draft, form: Read, division: Division) -> Proposal:
    """Return a proposal that is sound: what `train` does before it fits anything was done with it.

    Raises
    ------
    DataError, ConfigError
        The table does not allow it.
    """
    seen, said = draft.subject.seen, [*draft.findings, *division.findings]
    features = [name for name in _leave_out(draft.kept, said) if name != division.column]
    looks = [*describe_missing(seen, features), *describe_codes(seen, features)]
    findings = hold_to_features([*draft.findings, *looks, *division.findings], {*features, seen.target})
    reasons = {name: reason for finding in findings for name, reason in finding.dropped}
    values = _list_values(draft, form, division, features, list(reasons))
    notes = _write_notes(values["preprocessing"]["categorical_imputer"])
    document = write_config(draft.place.conf, values, list(_write_head(draft.place, findings)), reasons, notes)
    loaded = bring_inputs(check_document(document), draft.place.root)
    build_candidates(loaded.config, prepare_rows(loaded, draft.place.root))
    return Proposal(document, findings)


def _write_notes(filling: str) -> dict[str, str]:
    """Return what is said beside keys whose value is not their default."""
    clip = "null clips none: 1.5 would cut off the long tail of a skewed column, and with it what the tail tells."
    own = "constant: what is missing is a category of its own, missing_value, since a column here is often empty."
    return {"preprocessing.outlier_factor": clip} | ({"preprocessing.categorical_imputer": own} if filling == "constant" else {})


def _list_values(draft: _Draft, form: Read, division: Division, features: list[str], dropped: list[str]) -> dict[str, Any]:
    subject, task = draft.subject, draft.subject.target.task
    today = datetime.datetime.now(datetime.UTC).date()
    data = {"path": draft.place.named, "digest": draft.digest, "target": subject.seen.target, "rows": subject.rules, "drop": dropped}
    data |= {"positive": subject.positive} if subject.positive is not None else {}
    seen = subject.seen
    preprocessing = {"outlier_factor": None, "categorical_imputer": choose_filling(seen, features)}
    return {
        "name": draft.place.name[:_LONGEST_NAME],
        "version": f"{today.year}.{today.month}.0",
        "seed": _SEED,
        "task": task,
        "data": {**data, "read": _list_read(form, {*draft.kept, subject.seen.target})},
        "split": division.split,
        "preprocessing": {**preprocessing, "columns": list(_choose_transformers(seen, features, draft.texts))},
        "models": choose_models(task, len(subject.seen.frame), len(draft.texts)),
        "cv": {"n_splits": division.n_splits},
        "scoring": DEFAULT_SCORING[task],
        "n_jobs": 2,
    }


def _choose_transformers(seen: Seen, features: list[str], texts: list[str]) -> Iterator[dict[str, Any]]:
    """Yield what columns of text and of many categories take; the rare categories are joined, so that no table grows without end."""
    vectoriser = {"class": "sklearn.feature_extraction.text.TfidfVectorizer", "min_df": 2, "max_features": 20_000}
    yield from ({"columns": [name], "transformers": [vectoriser]} for name in texts)
    wide = find_wide_categories(seen, features)
    encoder = {
        "class": "sklearn.preprocessing.OneHotEncoder",
        "handle_unknown": "infrequent_if_exist",
        "max_categories": MOST_CATEGORIES,
        "sparse_output": False,
    }
    imputer = {"class": "sklearn.impute.SimpleImputer", "strategy": choose_filling(seen, features)}
    yield from [{"columns": wide, "transformers": [imputer, encoder]}] if wide else []


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
    yield f"Written by `samebits new` for {place.named}. Every key is here and may be changed. What was seen of the table:"
    yield from (finding.line for finding in findings)
