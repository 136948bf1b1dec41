"""Nested cross-validation: the whole search, made anew without each fold's rows and scored on them.

The best of many trials scores better in its folds than it will elsewhere; what the search itself is worth is told by rows that none
of its trials has seen (Cawley and Talbot 2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import joblib

from samebits.candidates.materials import Materials, Sample
from samebits.candidates.selection import choose_best, make_task
from samebits.candidates.units import Unit, run_units
from samebits.data.folds import fold_rows
from samebits.engines.units import Engine
from samebits.keys.config import Config
from samebits.search.journal import Journal
from samebits.search.searching import Ground, Searched, search_candidates
from samebits.voice import SILENT, Voice


@dataclass(frozen=True)
class OuterFold:
    """What a search without one fold's rows chose, and what that scores on them."""

    candidate: str
    values: dict[str, Any]
    score: float


def nest_search(
    config: Config,
    materials: Materials,
    training: Sample,
    journal: Journal,
    voice: Voice = SILENT,
    n_jobs: int = 1,
    engine: Engine | None = None,
) -> list[OuterFold]:
    """Return what comes of a search of its own for each fold of the run's.

    Raises
    ------
    DataError
        A candidate cannot be fitted or scored on fewer rows, or these cannot be folded.
    """
    found = []
    for number, (fit_rows, score_rows) in enumerate(materials.split.folds):
        place = f"nested.{number}"
        rows = materials.split.train_rows[fit_rows]
        ground = Ground(training.take(fit_rows), fold_rows(config, materials.dataset, materials.target, rows), f"{place}.cv")
        voice.follow(f"nested search {number + 1} of {len(materials.split.folds)}")
        searched = search_candidates(config, materials, ground, journal, voice, n_jobs, engine)
        best = _choose(searched)
        chosen = searched.found[best]
        unit = Unit(best, best, number, chosen.pipeline, fit_rows, score_rows)
        task = make_task(materials, training, config.seed, config.business.method is not None, place)
        outcome = next(run_units([unit], task, joblib.effective_n_jobs(n_jobs), engine=engine)[0])
        found.append(OuterFold(best, chosen.trial.values, outcome.score))
    return found


def _choose(searched: Searched) -> str:
    return choose_best([found.score for found in searched.found.values()]).name
