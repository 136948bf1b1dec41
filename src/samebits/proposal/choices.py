"""What is chosen for a table: the task and the positive class, how rows are divided, which candidates are compared.

Each choice is a value of the config with the reason in a finding; of the ways to divide rows there are several, the better ones first,
since a table may not allow the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from samebits.config.catalog import Task
from samebits.data.target import Target
from samebits.errors import DataError, Problem
from samebits.proposal.findings import Finding
from samebits.proposal.survey import Seen, find_groups, find_parts, find_time, find_years, tell_no_time
from samebits.text import quote_key, shorten_list, shorten_text

_POSITIVE_WORDS = (
    "true",
    "yes",
    "y",
    "1",
    "positive",
    "pos",
    "bad",
    "fraud",
    "spam",
    "malignant",
    "default",
    "churn",
    "ja",
    "oui",
    "si",
)
_NEGATIVE_WORDS = ("false", "no", "n", "0", "negative", "neg", "none", "normal", "good", "ham", "benign", "-1", "nein", "non")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_IMBALANCED = 0.1  # share of the rarer class
_RARE = 10  # rows of a class
LEAST_CLASS_ROWS = 5  # below which a class is left out
_METHODS = {"value": "as a column says", "group": "by group", "random": "at random"}
_MOST_CLASSES = 100
_TEST_SHARE = 0.2
_SMALL, _MEDIUM = 5_000, 50_000  # rows, above which slower candidates are left out
_SMALL_FORESTS = {"n_estimators": 300, "min_samples_leaf": 2}
_FORESTS = {"n_estimators": 100, "min_samples_leaf": 5}


@dataclass(frozen=True)
class Division:
    """A way to divide rows: keys of `split`, the folds, and why.

    Parameters
    ----------
    column
        Which is no feature, as it only divides.
    """

    split: dict[str, Any]
    n_splits: int | None
    findings: tuple[Finding, ...] = ()
    column: str | None = None


def choose_positive(target: Target) -> tuple[Any, Finding | None]:
    """Return the positive class of a binary target, by its word or else the rarer one; None where the task is another."""
    if target.task != "binary" or target.labels is None:
        return None, None
    labels = target.labels.tolist()
    words = [str(label).strip().lower() for label in labels]
    named = [index for index, word in enumerate(words) if word in _POSITIVE_WORDS]
    named = named or [1 - index for index, word in enumerate(words) if word in _NEGATIVE_WORDS]
    counts = [int((target.values == label).sum()) for label in labels]
    index = named[0] if len(named) == 1 else int(np.argmin(counts))
    by_what = "by its value" if _NUMBER.fullmatch(words[index]) else "by its word"
    why = by_what if len(named) == 1 else "the rarer class"
    share = counts[index] / sum(counts)
    text = f"{labels[index]} is taken for the positive class, {why}: {counts[index]:,} of {sum(counts):,} rows ({share:.1%})"
    return labels[index], Finding("class", text)


def refuse_no_classes(target: Target) -> None:
    """Hold a target's classes to what can be learned.

    Raises
    ------
    DataError
        There are too many classes to be any, or one of two has hardly a row.
    """
    if target.labels is None:
        return
    values, counts = np.unique(target.values, return_counts=True)
    if target.task == "binary" and counts.min() < LEAST_CLASS_ROWS:
        found = f"{counts.min()} of {values[np.argmin(counts)].item()!r}"
        raise DataError(
            Problem("target", f"at least {LEAST_CLASS_ROWS} rows of each class", found, "Add rows, or name another column.")
        )
    if len(values) > _MOST_CLASSES or (len(values) > 20 and len(values) > len(target.values) / 5):
        found = f"{len(values):,} different values in {len(target.values):,} rows, such as {shorten_text(str(values[0]))}"
        raise DataError(Problem("target", "classes or a quantity", found, "Is this an id, or text? Name another column."))


def describe_classes(target: Target) -> list[Finding]:
    """Return what is to be said of a target's classes: whole numbers that may be a quantity, imbalance, rare ones."""
    if target.labels is None:
        return []
    values, counts = np.unique(target.values, return_counts=True)
    said = []
    if target.task == "multiclass" and target.values.dtype.kind in "iuf":
        said.append(
            Finding("class", f"{len(values)} whole numbers are taken for classes; if they are grades or counts, task: regression")
        )
    rare = [f"{value} ({count:,})" for value, count in zip(values.tolist(), counts.tolist(), strict=True) if count < _RARE]
    if rare:
        said.append(Finding("class", f"rare, by their rows: {shorten_list(rare)}"))
    share = float(counts.min() / counts.sum())
    if target.task == "binary" and share < _IMBALANCED:
        text = f"imbalanced: the rarer class has {share:.2%} of the rows; average precision counts it, weights.classes can weigh it"
        said.append(Finding("class", text))
    return said


def find_small_classes(target: Target) -> list[str]:
    """Return the classes of a multi-class target that have too few rows to be learned and tested."""
    if target.task != "multiclass":
        return []
    values, counts = np.unique(target.values, return_counts=True)
    return [str(value) for value in values[counts < LEAST_CLASS_ROWS].tolist()]


def list_divisions(seen: Seen, target: Target, names: list[str]) -> Iterator[Division]:
    """Yield ways to divide the rows: as a column says, by time or group where one suggests it, at random."""
    for division in _list_ways(seen, target, names):
        said = [*division.findings, *_describe_groups(seen, names, division), *_describe_dates(seen, names, division)]
        yield replace(division, findings=tuple(said))


def _list_ways(seen: Seen, target: Target, names: list[str]) -> Iterator[Division]:
    n_splits = _choose_folds(target)
    parts, groups, time = find_parts(seen, names), find_groups(seen, names), find_time(seen, names)
    if parts is not None:
        name, test, validation = parts
        split: dict[str, Any] = {"method": "value", "column": name, "test": test}
        split |= {"validation": validation} if validation else {}
        text = f"by {name}, which says that rows of {', '.join(test)} are the test"
        yield Division(split, None if validation else n_splits, (Finding("split", text),), name)
    if groups:
        also = f" ({time} would divide by time)" if time else ""
        text = f"by group: no {groups[0]} is both learned from and tested on{also}; it is no feature"
        yield Division({"method": "group", "column": groups[0]}, n_splits, (Finding("split", text),), groups[0])
    if time is not None:
        text = f"by time: the last rows by {time} are the test, since it is the future that is predicted; method: random mixes them"
        yield Division({"method": "time", "column": time}, n_splits, (Finding("split", text),))
    for fewer in range(n_splits, 1, -1):
        yield Division({"method": "random"}, fewer)


def _describe_groups(seen: Seen, names: list[str], division: Division) -> list[Finding]:
    """Say which columns name things that have several rows, where the rows are not divided by them: no feature, if others are left."""
    groups = [name for name in find_groups(seen, names) if name != division.column]
    left = [name for name in names if name not in groups and name != division.column]
    found = []
    for name in groups if left else []:
        n_things = seen.frame[name].nunique()
        text = (
            f"{name}: {n_things:,} different in {len(seen.frame):,} rows, so that one may be learned from and tested on; dropped "
            f"(split: {{method: group, column: {quote_key(name)}}} keeps them together)"
        )
        found.append(Finding("group", text, ((name, "names what has several rows"),)))
    return found


def _describe_dates(seen: Seen, names: list[str], division: Division) -> list[Finding]:
    """Say which column of dates divides the rows, or why none does."""
    dates, years = [name for name in seen.others if seen.kinds[name] == "date"], find_years(seen, names)
    method = division.split["method"]
    used = str(division.split["column"]) if method == "time" else None
    others = [name for name in [*dates, *years] if name != used]
    if used is not None:
        beside = f", and not by {shorten_list(others)}" if others else ""
        return [Finding("date", f"{used}: the rows are divided by it{beside}")]
    if not others:
        return []
    reasons = shorten_list([f"{name} ({_tell_why(seen, names, name, division)})" for name in others])
    likely = [quote_key(name) for name in others if name in names and not seen.frame[name].isna().any()]
    how = f"; where later rows are to be predicted: split: {{method: time, column: {likely[0]}}}" if likely else ""
    return [Finding("date", f"the rows are divided {_METHODS[method]}, not by time: {reasons}{how}")]


def _tell_why(seen: Seen, names: list[str], name: str, division: Division) -> str:
    if name not in names:
        return "it is no feature"
    if division.split["method"] != "random":
        return f"{division.column} goes before"
    return tell_no_time(seen, names, name) or "so divided, a part lacks a class, or is far from the size wished"


def _choose_folds(target: Target) -> int:
    """Five, or as many as the rarest class has rows to train on."""
    if target.labels is None:
        return max(2, min(5, len(target.values) // 10))
    rarest = int(np.unique(target.values, return_counts=True)[1].min())
    return max(2, min(5, int(rarest * (1 - _TEST_SHARE))))


def choose_models(task: Task, n_rows: int, n_texts: int = 0) -> dict[str, dict[str, Any]]:
    """Return candidates that are fitted in seconds to minutes: one that is linear, one of trees, one of boosted trees.

    Parameters
    ----------
    n_texts
        Columns of text that become sparse numbers, of which some candidates take none.
    """
    linear: dict[str, dict[str, Any]] = (
        {"ridge": {"alpha": 1.0}} if task == "regression" else {"logistic_regression": {"max_iter": 2000}}
    )
    if n_texts:
        return linear
    forest = {"random_forest": _SMALL_FORESTS if n_rows <= _SMALL else _FORESTS} if n_rows <= _MEDIUM else {}
    return {**linear, **forest, "boosting": {"learning_rate": 0.1 if n_rows <= _MEDIUM else 0.2}}
