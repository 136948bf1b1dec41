"""What is to be learned: the column that is meant, the rows that have it, and what a run would make of it.

Rows without a target and classes of a handful of rows are left out here as the config's rules will leave them out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samebits.data.dataset import Dataset
from samebits.data.target import Target, find_name, read_target
from samebits.errors import DataError, Problem, suggest
from samebits.keys.config import Config
from samebits.proposal.choices import LEAST_CLASS_ROWS, choose_positive, describe_classes, find_small_classes, refuse_no_classes
from samebits.proposal.findings import Finding
from samebits.proposal.notation import Notation
from samebits.proposal.survey import Seen
from samebits.table.reading import RawTable
from samebits.text import shorten_list

_LEAST_ROWS = 10
_LISTED = 30
_SHOWN = 3  # of the columns that may be the target
_NO_NAMES = "The first line looks like values: give the table a line of names"
_LIKELY_TARGETS = (
    *("target", "label", "class", "y", "outcome", "response", "churn", "churned", "survived", "diagnosis", "revenue", "default"),
    *("quality", "price", "cnt", "sales", "result"),
)


@dataclass(frozen=True)
class Subject:
    """What is learned.

    Parameters
    ----------
    seen
        The rows in use.
    rules
        Of data.rows, by which they are.
    positive
        The positive class; None where the task is not binary.
    """

    seen: Seen
    target: Target
    rules: list[dict[str, Any]]
    positive: Any
    findings: list[Finding]


def choose_column(names: Sequence[str], wanted: str | None, path: Path) -> str:
    """Return the column that is meant by a name.

    Raises
    ------
    DataError
        None was named, or there is no such one; the columns are listed.
    """
    if len(names) < 2:
        found = f"one column, {names[0]!r}"
        raise DataError(Problem(str(path), "a table of several columns", found, "Is it divided by something unusual, or no table?"))
    listed = shorten_list(names, _LISTED)
    if wanted is None:
        likely = sorted({*(name for name in names if name.lower() in _LIKELY_TARGETS), names[-1]}, key=list(names).index)[-_SHOWN:]
        remedy = f"Name the column to predict, perhaps {' or '.join(likely)}."
        remedy = f"{_NO_NAMES}." if _look_like_values(names) else remedy
        raise DataError(Problem("--target", f"a column of {path}", "nothing", f"{remedy} There are {listed}."))
    name = find_name(wanted, names)
    if name is not None:
        return name
    looks_odd = _look_like_values(names) or all(_is_number(name) for name in names[:3])
    remedy = f"{_NO_NAMES}." if looks_odd else suggest(wanted, names, "Name one of them.")
    raise DataError(Problem("--target", f"a column of {path} ({listed})", repr(wanted), remedy))


def describe_names(names: Sequence[str]) -> list[Finding]:
    """Return that a line of names seems to be missing, where the first line reads like the others."""
    return [Finding("layout", f"{', '.join(names[:3])}: {_NO_NAMES[0].lower()}{_NO_NAMES[1:]}")] if _look_like_values(names) else []


def _look_like_values(names: Sequence[str]) -> bool:
    """Most are numbers, and not all of them whole: those may be years, or places."""
    numbers = [name for name in names if _is_number(name)]
    return 2 * len(numbers) > len(names) and any("." in name for name in numbers)


def _is_number(text: str) -> bool:
    with contextlib.suppress(ValueError):
        float(text)
        return True
    return False


def look_at_target(table: RawTable, notation: Notation, name: str) -> Subject:
    """Return what is learned of a table.

    Raises
    ------
    DataError
        There are too few rows, or the column is nothing that can be learned.
    """
    if name in notation.unreadable:
        table.take(name)  # which says why
    frame = pd.DataFrame({column: found.values for column, found in notation.columns.items()})
    is_known = frame[name].notna().to_numpy()
    n_empty = int((~is_known).sum())
    seen, target = _read(table, notation, frame[is_known].reset_index(drop=True), name)
    refuse_no_classes(target)
    small = find_small_classes(target)
    if small:
        is_kept = ~np.isin(target.values.astype(np.str_), small)
        seen, target = _read(table, notation, seen.frame[is_kept].reset_index(drop=True), name)
    rules: list[dict[str, Any]] = [{"drop_missing": [name]}] if n_empty else []
    rules += [{"min_class_rows": LEAST_CLASS_ROWS}] if small else []
    positive, said = choose_positive(target)
    findings = [*_describe(name, target, n_empty, small), *([said] if said is not None else [])]
    return Subject(seen, target, rules, positive, findings)


def _read(table: RawTable, notation: Notation, frame: pd.DataFrame, name: str) -> tuple[Seen, Target]:
    """Return rows and their target as a run takes them."""
    if len(frame) < _LEAST_ROWS:
        found = f"{len(frame)} that can be used for {name!r}"
        raise DataError(Problem(str(table.sources[0].path), f"at least {_LEAST_ROWS} rows to learn from", found, "Add rows."))
    kinds = {column: found.kind for column, found in notation.columns.items()}
    whole = [column for column, found in notation.columns.items() if found.is_whole]
    config = Config.model_validate(
        {"name": "new", "version": "2026.1.0", "seed": 0, "data": {"path": "new", "target": name}, "models": {"dummy": {}}}
    )
    return Seen(frame, kinds, whole, name), read_target(config, Dataset(frame, kinds, whole, table.sources))


def _describe(name: str, target: Target, n_empty: int, small: list[str]) -> list[Finding]:
    task = f"{len(target.labels)} classes" if target.task == "multiclass" and target.labels is not None else target.task
    found = [Finding("target", f"{name}: {task}")]
    if n_empty:
        found.append(Finding("target", f"{name}: empty in {n_empty:,} rows, which data.rows leaves out"))
    if small:
        found.append(Finding("class", f"{shorten_list(small)}: fewer than {LEAST_CLASS_ROWS} rows, which data.rows leaves out"))
    return [*found, *describe_classes(target)]
