"""Columns that give the target away: one alone, by its values or by being empty, two that make it, or a few in a straight line.

Of a large table some rows are looked at, spread evenly; what two columns make is held to all rows. A column alone is judged by how
much less the target differs between rows that are neighbours in it than between any two rows. What a few columns nearly give, by least
squares on half of the rows and held to the other half, may be known beforehand: it is asked, and nothing is dropped for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from samebits.data.target import Target
from samebits.proposal.findings import Finding, hold_to_features
from samebits.proposal.survey import Seen, list_numbers

MOST_ROWS = 20_000  # that are looked at
_LEAST_ROWS = 30
_MOST_CODES = 100  # different numbers that may stand for kinds
_MOST_COLUMNS = 300  # of numbers, tried in pairs
_GLANCE_ROWS = 64
_SEED = 0  # of the order among equal values; it decides no run
_CERTAIN = {"classes": 0.99, "quantity": 0.999}
_STRIKING = {"classes": 0.95, "quantity": 0.99}
_OFTEN = 0.01  # of the rows that have one number: then it stands for a kind
_LEAST_DIFFERENCES = 10  # that chance would make, else that there is none says little
_EQUAL = 0.995  # of the rows, for two columns that make the target
_LINE_ROWS = 4_000  # that a line is fitted to and held to
_LINE = 0.9  # R2 on rows that it was not fitted to, from which it is asked about
_LEAST_GAIN = 0.01  # in R2, of a column that is named
_MOST_NAMED = 5
_ROWS_A_COLUMN = 10
_OPERATIONS: list[tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]] = [
    ("{} + {}", np.add),
    ("{} - {}", np.subtract),
    ("{} * {}", np.multiply),
]


@dataclass(frozen=True)
class _Scale:
    """The target as numbers whose differences count: codes of classes, or ranks of a quantity; shape (n_rows,), float64."""

    values: np.ndarray
    kind: str

    def measure(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return by how much rows differ."""
        by_how_much: np.ndarray = (left != right).astype(np.float64) if self.kind == "classes" else (left - right) ** 2
        return by_how_much

    @property
    def expected(self) -> float:
        """By how much two rows differ on the average, whichever they are."""
        if self.kind == "quantity":
            return 2 * float(np.var(self.values))
        shares = np.unique(self.values, return_counts=True)[1] / len(self.values)
        return 1 - float(np.sum(shares**2))

    @property
    def largest(self) -> float:
        """By how much rows differ that count as one difference."""
        return self.expected if self.kind == "quantity" else 1.0

    @property
    def n_kinds(self) -> int:
        """How many classes there are; of a quantity none."""
        return len(np.unique(self.values)) if self.kind == "classes" else 0


def find_giveaways(seen: Seen, target: Target, names: list[str]) -> list[Finding]:
    """Return the columns that tell the target, those in question marked as dropped, unless no other column were left."""
    n_rows = len(seen.frame)
    if n_rows < _LEAST_ROWS:
        return []
    rows = np.arange(n_rows) if n_rows <= MOST_ROWS else np.linspace(0, n_rows - 1, MOST_ROWS).astype(np.int64)
    scale = _scale(target, rows)
    found = []
    for name in names:
        column = seen.frame[name].iloc[rows]
        told = _measure_alone(column, seen.kinds[name], scale) if seen.kinds[name] != "date" else 0.0
        found += _describe_alone(name, told, _measure_gaps(column, scale), scale.kind)
    found += _find_pairs(seen, target, _leave_out(names, found))
    left = _leave_out(names, found)
    found = hold_to_features(_keep_some(found, names), left or names)
    found += _find_line(seen, target, [name for name in left if not any(name in finding.kept for finding in found)])
    return found + _say_sample(len(rows), n_rows)


def _leave_out(names: list[str], found: list[Finding]) -> list[str]:
    dropped = {name for finding in found for name, _ in finding.dropped}
    return [name for name in names if name not in dropped]


def _say_sample(n_looked_at: int, n_rows: int) -> list[Finding]:
    if n_looked_at == n_rows:
        return []
    return [Finding("leak", f"looked for in {n_looked_at:,} of {n_rows:,} rows, spread evenly")]


def _scale(target: Target, rows: np.ndarray) -> _Scale:
    values = target.values[rows]
    if target.task != "regression":
        return _Scale(np.unique(values, return_inverse=True)[1].astype(np.float64), "classes")
    return _Scale(pd.Series(values).rank().to_numpy(), "quantity")


def _measure_alone(column: pd.Series, kind: str, scale: _Scale) -> float:
    """Return how much of the target's differences a column explains, at most 1."""
    order = np.random.default_rng(_SEED).permutation(len(column))  # among equals the table's own order would tell the target too
    shuffled, values = column.iloc[order], scale.values[order]
    if kind in ("numeric", "boolean"):
        known = shuffled.to_numpy(dtype=np.float64, na_value=np.nan)
        codes = np.unique(known, return_inverse=True, equal_nan=True)[1]
    else:
        codes = pd.factorize(shuffled, use_na_sentinel=False)[0]
    return _compare_neighbours(codes, values, scale, is_ordered=kind == "numeric")


def _measure_gaps(column: pd.Series, scale: _Scale) -> float:
    """Return how much of the target's differences it explains that a column is empty; of many classes, of one against the others."""
    is_missing = column.isna().to_numpy()
    if not is_missing.any() or is_missing.all():
        return 0.0
    order = np.random.default_rng(_SEED).permutation(len(column))
    codes, values = is_missing[order].astype(np.int64), scale.values[order]
    whole = _compare_neighbours(codes, values, scale, is_ordered=False)
    ones = [(values == one).astype(np.float64) for one in np.unique(values)] if scale.n_kinds > 2 else []
    return max([whole, *(_compare_neighbours(codes, one, _Scale(one, "classes"), is_ordered=False) for one in ones)])


def _compare_neighbours(codes: np.ndarray, values: np.ndarray, scale: _Scale, *, is_ordered: bool) -> float:
    """Return by how much less the target differs between neighbours than between any two rows, as a fraction.

    Neighbours are rows of one value, and of an ordered column those of one value and the next. Few rows of one number, among many
    numbers, are no neighbours: they may be of one thing that has several rows.
    """
    by_value = np.argsort(codes, kind="stable")
    codes, values = codes[by_value], values[by_value]
    is_equal = codes[1:] == codes[:-1]
    sizes = np.bincount(codes)
    is_kind = np.count_nonzero(sizes) <= _MOST_CODES
    is_near = is_equal if is_kind or not is_ordered else is_equal & (sizes[codes[1:]] > len(codes) * _OFTEN)
    if not is_ordered and is_equal.mean() < 0.5:
        return 0.0
    differences = scale.measure(values[1:], values[:-1])[is_near | ~is_equal if is_ordered else is_near]
    if len(differences) < _LEAST_ROWS or len(differences) * scale.expected / scale.largest < _LEAST_DIFFERENCES:
        return 0.0
    inherent = max(0, scale.n_kinds - 1) if is_ordered and not is_kind else 0
    return 1 - max(0.0, float(differences.sum()) - inherent) / len(differences) / scale.expected


def _describe_alone(name: str, by_values: float, by_gaps: float, kind: str) -> list[Finding]:
    told, what = max((by_values, "tells"), (by_gaps, "whether it is empty tells"))
    if told >= _CERTAIN[kind]:
        text = f"{name}: {what} the target alone, nearly without error; dropped (take it off data.drop if it is known beforehand)"
        return [Finding("leak", text, ((name, f"{what} the target alone"),))]
    if told >= _STRIKING[kind]:
        text = f"{name}: {what} the target alone to {told:.1%}; kept: is it known before the target is?"
        return [Finding("leak", text, kept=(name,))]
    return []


def _find_pairs(seen: Seen, target: Target, names: list[str]) -> list[Finding]:
    """The target of two columns, unless one of them is 0 (or 1 in a product) almost everywhere: then the other tells it alone."""
    wanted = target.values
    if wanted.dtype.kind not in "fib":
        return []
    wanted = wanted.astype(np.float64)
    numbers = dict(list(list_numbers(seen, names).items())[:_MOST_COLUMNS])
    glance = np.linspace(0, len(wanted) - 1, min(_GLANCE_ROWS, len(wanted))).astype(np.int64)
    found: list[Finding] = []
    told: set[str] = set()
    for left, right, how, operate in _list_pairs(numbers, wanted, glance):
        if {left, right} & told or not _makes(operate(numbers[left], numbers[right]), wanted, _EQUAL):
            continue
        told |= {left, right}
        made = how.format(left, right)
        text = f"{made} = {seen.target}; both dropped"
        found.append(Finding("leak", text, tuple((name, f"{made} = {seen.target}") for name in (left, right))))
    return found


def _list_pairs(
    numbers: dict[str, np.ndarray], wanted: np.ndarray, glance: np.ndarray
) -> Iterator[tuple[str, str, str, Callable[[np.ndarray, np.ndarray], np.ndarray]]]:
    """Yield pairs that make the target in the few rows of a glance."""
    names = list(numbers)
    if len(names) < 2:
        return
    matrix, few = np.stack([numbers[name][glance] for name in names]), wanted[glance]
    for index, name in enumerate(names):
        for how, operate in _OPERATIONS:
            made = operate(matrix[index], matrix)
            close = np.isclose(made, few, rtol=1e-6, atol=1e-9) | np.isnan(made)
            hits = np.flatnonzero((close.mean(axis=1) >= _EQUAL - 0.05) & (np.isfinite(made).mean(axis=1) > 0.5))
            for other in hits:
                if other != index and (how == "{} - {}" or other > index):
                    yield name, names[other], how, operate


def _makes(made: np.ndarray, wanted: np.ndarray, share: float) -> bool:
    """Also where the target is not what it mostly is: of columns that are mostly 0 any two make a target that is mostly 0."""
    known = np.isfinite(made)
    if known.mean() <= 0.5:
        return False
    is_equal = np.isclose(made[known], wanted[known], rtol=1e-6, atol=1e-9)
    values, counts = np.unique(wanted[known], return_counts=True)
    is_unusual = wanted[known] != values[np.argmax(counts)]
    return bool(is_equal.mean() >= share and is_unusual.any() and is_equal[is_unusual].mean() >= share)


def _keep_some(found: list[Finding], names: list[str]) -> list[Finding]:
    """A config without a feature trains nothing: where all would go, they stay, and that is said."""
    dropped = {name for finding in found for name, _ in finding.dropped}
    if dropped < set(names):
        return found
    return [Finding(one.topic, one.text.partition(";")[0] + "; kept, since no other column is left") for one in found]


def _find_line(seen: Seen, target: Target, names: list[str]) -> list[Finding]:
    """Ask about the few columns of numbers that nearly give a quantity, added up with a weight each."""
    if target.task != "regression":
        return []
    rows = np.linspace(0, len(target.values) - 1, min(_LINE_ROWS, len(target.values))).astype(np.int64)
    numbers = _standardise({name: values[rows] for name, values in list_numbers(seen, names).items()})
    wanted = target.values[rows]
    if len(rows) < 2 * _LEAST_ROWS or not numbers or np.ptp(wanted[::2]) == 0 or np.ptp(wanted[1::2]) == 0:
        return []
    correlated = sorted(numbers, key=lambda name: -abs(float(numbers[name] @ (wanted - wanted.mean()))))
    candidates = correlated[: max(1, min(_MOST_COLUMNS, len(rows) // 2 // _ROWS_A_COLUMN))]
    if _score_line(numbers, candidates, wanted) < _LINE:
        return []
    carrying = _choose_carrying(numbers, candidates, wanted)
    score = _score_line(numbers, carrying, wanted)
    return [_ask_about(carrying, score, seen.target)] if score >= _LINE else []


def _ask_about(names: list[str], score: float, target: str) -> Finding:
    gives, known = ("nearly gives", "is it") if len(names) == 1 else ("together nearly give", "are they")
    shown = int(score * 100) / 100  # what is nearly 1 is not 1
    return Finding("leak", f"{', '.join(names)} {gives} {target} (R2 {shown:.2f}): {known} known before it is?", kept=tuple(names))


def _standardise(numbers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return columns of mean 0 and variance 1, their mean in place of what is missing; those that do not vary are left out."""
    known = {name: values for name, values in numbers.items() if np.isfinite(values).any()}
    centred = {name: np.where(np.isfinite(values), values - values[np.isfinite(values)].mean(), 0.0) for name, values in known.items()}
    return {name: values / values.std() for name, values in centred.items() if values.std() > 0}


def _score_line(numbers: dict[str, np.ndarray], names: list[str], wanted: np.ndarray) -> float:
    """Return R2 on every second row of what least squares make of the others."""
    matrix = np.column_stack([np.ones(len(wanted)), *(numbers[name] for name in names)])
    weights = np.linalg.lstsq(matrix[::2], wanted[::2])[0]
    left = wanted[1::2] - matrix[1::2] @ weights
    return 1 - float(left @ left) / float(np.sum((wanted[1::2] - wanted[1::2].mean()) ** 2))


def _choose_carrying(numbers: dict[str, np.ndarray], candidates: list[str], wanted: np.ndarray) -> list[str]:
    """Return the few columns that carry a line: the best one more each time, then without those that others have made idle."""
    chosen: list[str] = []
    reached = 0.0
    while len(chosen) < min(_MOST_NAMED, len(candidates)):
        scores = {name: _score_line(numbers, [*chosen, name], wanted) for name in candidates if name not in chosen}
        best = max(scores, key=lambda name: scores[name])
        if chosen and scores[best] < reached + _LEAST_GAIN and reached >= _LINE:
            break
        chosen, reached = [*chosen, best], scores[best]
    for name in list(chosen):
        others = [other for other in chosen if other != name]
        if others and _score_line(numbers, others, wanted) > reached - _LEAST_GAIN:
            chosen = others
    return chosen
