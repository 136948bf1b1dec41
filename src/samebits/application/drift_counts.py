"""Later rows counted by the bins of a drift baseline, as they go by: all that drift is measured from, however many rows there are.

A baseline of an earlier samebits has coarser bins, and none of scores: what it holds is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from samebits.data.drift import read_floats
from samebits.errors import LineageError, Problem
from samebits.table.columns import Kind

_EXAMPLES = 3


@dataclass
class Counted:
    """One column's later rows beside its training rows.

    Parameters
    ----------
    name, kind
        As in the baseline.
    n_rows, n_missing
        Later rows so far.
    base_rows, base_missing
        Training rows.
    """

    name: str
    kind: Kind
    base_rows: int
    base_missing: int
    n_rows: int = 0
    n_missing: int = 0

    def count(self, column: pd.Series) -> None:
        """Count some rows."""
        self.n_rows += len(column)
        self.n_missing += int(column.isna().sum())


@dataclass
class CountedNumbers(Counted):
    """Numbers, booleans or dates by the baseline's cuts.

    Parameters
    ----------
    cuts
        Rising; place i holds what is above the cut before and not above `cuts[i]`, the last place what is above all.
    base, later
        Rows by place, shape (n_cuts + 1,).
    spread
        Standard deviation of the training rows.
    outer
        Sums of the later values in the first and the last place, where the baseline has none.
    """

    cuts: np.ndarray = field(default_factory=lambda: np.empty(0))
    base: np.ndarray = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    later: np.ndarray = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    spread: float = 0.0
    outer: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def count(self, column: pd.Series) -> None:
        """Count some rows."""
        super().count(column)
        values = read_floats(column.dropna(), self.kind)
        places = np.searchsorted(self.cuts, values, side="left")
        self.later = self.later + np.bincount(places, minlength=len(self.cuts) + 1)
        for end, place in enumerate((0, len(self.cuts))):
            self.outer[end] += float(values[places == place].sum())


@dataclass
class CountedCategories(Counted):
    """Categories or text by their values.

    Parameters
    ----------
    base
        Training rows by category, the most frequent first; `base_other` of all further ones, by name unknown.
    later
        Later rows of the same categories.
    examples
        A few of the others.
    """

    base: dict[str, int] = field(default_factory=dict)
    base_other: int = 0
    later: dict[str, int] = field(default_factory=dict)
    n_other: int = 0
    examples: list[str] = field(default_factory=list)

    def count(self, column: pd.Series) -> None:
        """Count some rows."""
        super().count(column)
        for value, count in column.value_counts().items():
            text = str(value)
            if text in self.base:
                self.later[text] = self.later.get(text, 0) + int(count)
                continue
            self.n_other += int(count)
            if len(self.examples) < _EXAMPLES and text not in self.examples:
                self.examples.append(text)


def start_counts(baseline: dict[str, Any], part: str = "columns") -> dict[str, Counted]:
    """Return what rows are counted into, by column.

    Parameters
    ----------
    part
        `columns` for features, `scores` for what the model says; a baseline of an earlier samebits has none of the latter.

    Raises
    ------
    LineageError
        The baseline is of another form.
    """
    columns = baseline.get(part, {})
    try:
        return {name: _start(name, column, int(baseline["n_rows"])) for name, column in columns.items()}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        found = f"another form ({type(error).__name__}: {error})"
        raise LineageError(Problem("drift_baseline.json", "distributions by column", found, "Fetch it again.")) from None


def _start(name: str, column: dict[str, Any], n_rows: int) -> Counted:
    kind, n_missing = column["kind"], int(column["n_missing"])
    if kind in ("categorical", "text"):
        base = {str(value): int(count) for value, count in column["counts"].items()}
        ordered = dict(sorted(base.items(), key=lambda item: (-item[1], item[0])))
        return CountedCategories(name, kind, n_rows, n_missing, base=ordered, base_other=int(column["n_other"]))
    if kind not in ("numeric", "boolean", "date"):
        raise ValueError(f"kind {kind!r}")
    if "edges" not in column:  # all were missing
        return Counted(name, kind, n_rows, n_missing)
    cuts, counts = _read_cuts(column, kind)
    spread = float(column["std"])
    return CountedNumbers(name, kind, n_rows, n_missing, cuts=cuts, base=counts, later=np.zeros_like(counts), spread=spread)


def _read_cuts(column: dict[str, Any], kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return cuts and the training rows by place, with a place below all that was there."""
    counts = column.get("up_to", column["counts"])
    if "cuts" in column:
        cuts = np.asarray(column["cuts"], dtype=np.float64)
        cuts = np.concatenate([[np.nextafter(cuts[0], -np.inf)], cuts])
    elif kind == "boolean":
        n_true = round(float(column["mean"]) * sum(counts))
        cuts, counts = np.array([np.nextafter(0.0, -1.0), 0.0, 1.0]), [sum(counts) - n_true, n_true]
    else:  # edges, of which each bin holds its lower one
        edges = np.asarray(column["edges"], dtype=np.float64)
        inner = np.nextafter(edges[:-1] if len(edges) > 1 else edges, -np.inf)
        cuts = np.concatenate([inner, edges[-1:]])
    base = np.asarray([0, *counts, 0], dtype=np.int64)
    if len(base) != len(cuts) + 1 or np.any(np.diff(cuts) <= 0) or np.any(base < 0):
        raise ValueError("cuts and counts that do not fit each other")
    return cuts, base
