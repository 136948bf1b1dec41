"""How far later rows have drifted from the training rows: effect sizes, which decide by the config's thresholds, and p-values beside.

Of a million rows every p-value is 0, so that none decides. Dates go on by themselves and free text repeats little: of both, only the
share of missing values decides. Every measure is of counts by bin, so that no table is too large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from pydantic import ValidationError
from scipy import stats

from samebits.application.drift_counts import Counted, CountedCategories, CountedNumbers
from samebits.data.drift import N_BINS
from samebits.errors import LineageError, Problem
from samebits.keys.judging import Drift
from samebits.verdicts import EXIT_CODES, Verdict
from samebits.wording import name_refused

MEASURES = ("psi", "ks", "wasserstein", "cramers_v", "missing", "unseen")
_RARE = 0.01  # categories of a smaller share are one group of the PSI
_HALF = 0.5  # added to each group's rows, so that an empty one has a logarithm


class Outcome(StrEnum):
    """What a table came to."""

    STEADY = "NO DRIFT"
    DRIFTED = "DRIFTED"
    UNDECIDED = "INCONCLUSIVE"  # too few rows

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        verdict = {self.STEADY: Verdict.IDENTICAL, self.DRIFTED: Verdict.DIFFERENT, self.UNDECIDED: Verdict.INCONCLUSIVE}[self]
        return EXIT_CODES[verdict]


@dataclass(frozen=True)
class ColumnDrift:
    """One column's drift.

    Parameters
    ----------
    measures
        Effect sizes, those of `MEASURES` that the column has.
    p_value
        Of the Kolmogorov-Smirnov test (asymptotic) for numbers, of the chi-square test for categories; None where there is none.
    over
        Measures at or over their thresholds, where they decide.
    shares
        For a picture: names or values of places, and the shares of training and later rows in them.
    """

    name: str
    kind: str
    n_rows: int
    measures: dict[str, float]
    p_value: float | None
    over: list[str]
    examples: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def take_thresholds(lineage: dict[str, Any]) -> Drift:
    """Return the thresholds that a run's config recorded, or the defaults where it is of a samebits that had none.

    Raises
    ------
    LineageError
        What stands there are no thresholds.
    """
    try:
        return Drift.model_validate(lineage["stages"]["config"]["resolved"].get("drift", {}))
    except ValidationError as error:
        found = name_refused(error.errors()[0])
        raise LineageError(Problem("lineage.json: drift", "thresholds", found, "A later samebits may know them.")) from None


def decide(columns: Sequence[ColumnDrift], n_rows: int, thresholds: Drift) -> Outcome:
    """Return what columns and scores come to together."""
    if n_rows < thresholds.min_rows:
        return Outcome.UNDECIDED
    return Outcome.DRIFTED if any(column.over for column in columns) else Outcome.STEADY


def measure_drift(counted: Counted, thresholds: Drift) -> ColumnDrift:
    """Return how far a column has drifted."""
    measures: dict[str, float] = {}
    p_value: float | None = None
    if isinstance(counted, CountedNumbers) and counted.later.sum() and counted.base.sum():
        measures, p_value = _measure_numbers(counted)
    if isinstance(counted, CountedCategories):
        measures, p_value = _measure_categories(counted)
    measures["missing"] = counted.n_missing / max(counted.n_rows, 1) - counted.base_missing / max(counted.base_rows, 1)
    examples = counted.examples if isinstance(counted, CountedCategories) and not counted.base_other else []
    over = [name for name in MEASURES if _is_over(name, measures, counted.kind, thresholds)]
    return ColumnDrift(counted.name, counted.kind, counted.n_rows, measures, p_value, over, list(examples))


def _is_over(name: str, measures: dict[str, float], kind: str, thresholds: Drift) -> bool:
    limit = getattr(thresholds, name)
    decides = name == "missing" or kind not in ("date", "text")
    return decides and limit is not None and name in measures and abs(measures[name]) >= limit


def _measure_numbers(counted: CountedNumbers) -> tuple[dict[str, float], float]:
    base, later = counted.base, counted.later
    up_to = [np.cumsum(counts)[:-1] / counts.sum() for counts in (base, later)]
    ks = float(np.abs(up_to[0] - up_to[1]).max())
    n_effective = base.sum() * later.sum() / (base.sum() + later.sum())
    measures = {"psi": compute_psi(*group_places(base, later)), "ks": ks}
    if counted.spread > 0:
        values = _stand_for_places(counted)
        measures["wasserstein"] = float(stats.wasserstein_distance(*values, base, later) / counted.spread)
    return measures, float(np.clip(stats.kstwo.sf(ks, np.round(n_effective)), 0.0, 1.0))  # as ks_2samp(method="asymp")


def _stand_for_places(counted: CountedNumbers) -> tuple[np.ndarray, np.ndarray]:
    """Return one value for each place: its cut; what lies outside the training rows' range, by its mean."""
    base = np.concatenate([counted.cuts, counted.cuts[-1:]])
    later = base.copy()
    for end, place in enumerate((0, len(counted.cuts))):
        if counted.later[place]:
            later[place] = counted.outer[end] / counted.later[place]
    return base, later


def group_places(base: np.ndarray, later: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows by about ten groups of neighbouring places of like share of the training rows; what is outside joins the ends.

    A column of one value keeps what is below and above it apart.
    """
    shares = np.cumsum(base) / base.sum()
    groups = np.minimum((shares - base / base.sum() / 2) * N_BINS, N_BINS - 1).astype(np.int64)
    if np.count_nonzero(base) == 1:
        groups = np.arange(len(base))
    grouped = [np.bincount(groups, weights=counts, minlength=groups.max() + 1) for counts in (base, later)]
    is_used = (grouped[0] + grouped[1]) > 0
    return grouped[0][is_used], grouped[1][is_used]


def compute_psi(base: np.ndarray, later: np.ndarray) -> float:
    """Return the population stability index of rows by group: the sum of (q - p) ln(q / p), half a row added to each group.

    >>> compute_psi(np.array([50, 50]), np.array([50, 50])), round(compute_psi(np.array([50, 50]), np.array([80, 20])), 2)
    (0.0, 0.41)
    """
    p, q = ((counts + _HALF) / (counts.sum() + _HALF * len(counts)) for counts in (base, later))
    return float(np.sum((q - p) * np.log(q / p)))


def compute_cramers_v(base: np.ndarray, later: np.ndarray) -> float:
    """Return Cramér's V of two rows of counts as if both tables had as many rows: the larger one hides nothing.

    >>> compute_cramers_v(np.array([1000, 0]), np.array([0, 10])), compute_cramers_v(np.array([500, 500]), np.array([5, 5]))
    (1.0, 0.0)
    """
    p, q = base / base.sum(), later / later.sum()
    is_used = (p + q) > 0
    return float(np.sqrt(0.5 * np.sum((p - q)[is_used] ** 2 / (p + q)[is_used])))


def _measure_categories(counted: CountedCategories) -> tuple[dict[str, float], float | None]:
    base = np.array([*counted.base.values(), counted.base_other], dtype=np.int64)
    later = np.array([*(counted.later.get(name, 0) for name in counted.base), counted.n_other], dtype=np.int64)
    measures = {} if counted.base_other else {"unseen": counted.n_other / max(counted.n_rows, 1)}
    if not base.sum() or not later.sum():
        return measures, None
    is_rare = base / base.sum() < _RARE
    groups = [np.concatenate([counts[~is_rare], [counts[is_rare].sum()]]) for counts in (base, later)]
    is_used = (groups[0] + groups[1]) > 0
    measures |= {"psi": compute_psi(*(counts[is_used] for counts in groups)), "cramers_v": compute_cramers_v(base, later)}
    table = np.stack([base, later])[:, (base + later) > 0]
    p_value = float(stats.chi2_contingency(table).pvalue) if table.shape[1] > 1 else 1.0
    return measures, p_value
