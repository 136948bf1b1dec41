"""Cross-validation of the candidates, and which of them is best: the same bits at any number of processes or threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import joblib
import numpy as np

from samebits.candidates.fitting import Fit
from samebits.candidates.materials import Materials, Sample
from samebits.candidates.progress import Progress
from samebits.candidates.units import Outcome, Task, Unit, run_units
from samebits.engines.units import Engine
from samebits.estimation.prediction import Prediction
from samebits.voice import SILENT, Voice


@dataclass(frozen=True)
class CandidateScore:
    """A candidate's cross-validation.

    Parameters
    ----------
    scores
        One per fold; greater is better.
    predictions
        One per fold: what it said of the fold's rows, without having seen them; of more than two classes, labels alone.
    n_unsettled
        Folds in which it did not converge.
    """

    name: str
    scores: list[float]
    predictions: list[Prediction]
    n_unsettled: int

    @property
    def mean(self) -> float:
        """Mean score over the folds."""
        return float(np.mean(self.scores))


@dataclass(frozen=True)
class Comparison:
    """The candidates' cross-validations, in their order.

    Parameters
    ----------
    finals
        The candidates' fits on all training rows, in the same order, where these were asked for and stand beside the folds: each is
        handed out when it is done. Else nothing.
    """

    scored: list[CandidateScore]
    finals: Iterator[Fit]


def score_candidates(
    materials: Materials,
    training: Sample,
    root_seed: int,
    n_jobs: int,
    needs_responses: bool = False,
    wants_finals: bool = False,
    voice: Voice = SILENT,
    engine: Engine | None = None,
) -> Comparison:
    """Cross-validate every candidate on the training rows, in the order given.

    Parameters
    ----------
    training
        The training rows of the materials, in the split's order.
    n_jobs
        Worker processes or threads, -1 for one per core.
    needs_responses
        Whether a threshold is to be found, which takes more than labels.
    wants_finals
        Whether every candidate will be fitted on all training rows: that may then be done here, beside the folds.
    voice
        Told how far it is.
    engine
        Where every unit runs; None: here, and in processes of this machine where that is worth while.

    Raises
    ------
    DataError
        A candidate cannot be fitted or scored on these rows.
    """
    # every candidate's first fold first, so that what is left can be foretold
    units = [
        Unit(name, name, number, pipeline, fit_rows, score_rows)
        for number, (fit_rows, score_rows) in enumerate(materials.split.folds)
        for name, pipeline in materials.candidates.items()
    ]
    task = make_task(materials, training, root_seed, needs_responses)
    wanted = materials.candidates if wants_finals else {}
    found, finals = run_units(units, task, joblib.effective_n_jobs(n_jobs), wanted, engine=engine)
    outcomes = []
    with Progress(voice, dict.fromkeys(materials.candidates, len(materials.split.folds)), materials.scoring) as progress:
        for unit, outcome in zip(units, found, strict=True):
            outcomes.append(outcome)
            progress.note(unit.name, outcome.score, outcome.seconds)
    scored = [
        join_outcomes(name, [outcome for unit, outcome in zip(units, outcomes, strict=True) if unit.name == name])
        for name in materials.candidates
    ]
    return Comparison(scored, finals)


def make_task(materials: Materials, sample: Sample, root_seed: int, needs_responses: bool, place: str = "cv") -> Task:
    """Return what units on a sample share; the target goes to workers without its values, which the sample has."""
    target = replace(materials.target, values=materials.target.values[:0])
    return Task(sample, target, materials.scorer, root_seed, needs_responses, place)


def join_outcomes(name: str, outcomes: list[Outcome]) -> CandidateScore:
    """Return a candidate's cross-validation from what came of its folds, in their order."""
    predictions = [one.prediction for one in outcomes if one.prediction is not None]
    return CandidateScore(name, [one.score for one in outcomes], predictions, sum(not one.is_settled for one in outcomes))


def choose_best(scored: list[CandidateScore]) -> CandidateScore:
    """Return the candidate of highest mean score; of equal ones the first by name."""
    return min(scored, key=lambda candidate: (-candidate.mean, candidate.name))
