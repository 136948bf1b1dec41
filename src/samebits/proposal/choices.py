"""What is chosen for a table: the task and the positive class, how rows are divided, which candidates are compared.

Each choice is a value of the config with the reason in a finding; of the ways to divide rows there are several, the better ones first,
since a table may not allow the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from samebits.config.catalog import Task
from samebits.data.target import Target
from samebits.errors import DataError, Problem
from samebits.proposal.findings import Finding
from samebits.proposal.survey import Seen, find_group, find_parts, find_time
from samebits.text import shorten_list, shorten_text

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
_IMBALANCED = 0.1  # share of the rarer class
_RARE = 10  # rows of a class
LEAST_CLASS_ROWS = 5  # below which a class is left out
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
    finding: Finding | None = None
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
    why = "by its word" if len(named) == 1 else "the rarer class"
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
    n_splits = _choose_folds(target)
    parts, group, time = find_parts(seen, names), find_group(seen, names), find_time(seen, names)
    if parts is not None:
        name, test, validation = parts
        split: dict[str, Any] = {"method": "value", "column": name, "test": test}
        split |= {"validation": validation} if validation else {}
        text = f"by {name}, which says that rows of {', '.join(test)} are the test"
        yield Division(split, None if validation else n_splits, Finding("split", text), name)
    if group is not None:
        also = f" ({time} would divide by time)" if time else ""
        text = f"by group: no {group} is both learned from and tested on{also}"
        yield Division({"method": "group", "column": group}, n_splits, Finding("split", text), group)
    if time is not None:
        text = f"by time: the last rows by {time} are the test, since it is the future that is predicted; method: random mixes them"
        yield Division({"method": "time", "column": time}, n_splits, Finding("split", text))
    for fewer in range(n_splits, 1, -1):
        yield Division({"method": "random"}, fewer)


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
