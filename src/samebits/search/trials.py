"""Trials: what was tried of a candidate and what it scored, as a value; all of them as a table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from samebits.search.proposals import Proposal


@dataclass(frozen=True)
class Trial:
    """One trial of a candidate.

    Parameters
    ----------
    values
        By the key that each has in the config.
    n_rows
        Of the training rows that folds were fitted on; None: all.
    scores
        One per fold, greater is better; empty where the trial failed.
    failure
        Why it failed.
    """

    candidate: str
    number: int
    values: dict[str, Any]
    n_rows: int | None
    scores: list[float]
    n_unsettled: int = 0
    failure: str | None = None

    @property
    def mean(self) -> float | None:
        """Mean score over the folds; None where the trial failed."""
        return float(np.mean(self.scores)) if self.failure is None else None

    @property
    def is_whole(self) -> bool:
        """Whether it was scored on all training rows, so that it can be chosen."""
        return self.n_rows is None and self.failure is None


def make_trial(candidate: str, proposal: Proposal, scores: list[float], n_unsettled: int, failure: str | None = None) -> Trial:
    """Return a trial from what was proposed and what came of it."""
    return Trial(candidate, proposal.number, proposal.values, proposal.n_rows, [] if failure else scores, n_unsettled, failure)


def is_better(trial: Trial, other: Trial | None) -> bool:
    """Tell whether a trial is chosen rather than another: of equal ones the first asked for."""
    if trial.mean is None or not trial.is_whole:
        return False
    return other is None or other.mean is None or (trial.mean, -trial.number) > (other.mean, -other.number)


def write_trials(trials: Sequence[Trial]) -> bytes:
    """Return search.csv: a row for each trial in the order in which they were asked for; numbers are exact, other values JSON."""
    keys = sorted({key for trial in trials for key in trial.values})
    n_folds = max((len(trial.scores) for trial in trials), default=0)
    rows = []
    for trial in trials:
        scores = [*trial.scores, *[math.nan] * (n_folds - len(trial.scores))]
        rows.append(
            {
                "candidate": trial.candidate,
                "trial": trial.number,
                "rows": trial.n_rows if trial.n_rows is not None else "all",
                "mean": trial.mean,
                **{f"fold_{place}": score for place, score in enumerate(scores, start=1)},
                **{key: _write_value(trial.values, key) for key in keys},
                "failure": trial.failure or "",
            }
        )
    return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n").encode("utf-8")


def _write_value(values: Mapping[str, Any], key: str) -> str:
    """As JSON, in which a text and a number, or null and nothing, are told apart; a key that is not the candidate's is empty."""
    return json.dumps(values[key], ensure_ascii=False, sort_keys=True) if key in values else ""
