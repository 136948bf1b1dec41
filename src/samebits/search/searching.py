"""The door of this wing: every candidate's trials, scored in its folds in rounds, and the best of each.

All trials of a candidate draw alike, with the seeds that the candidate has without a search: so a config that writes the values out
which were found gives the same scores and the same model, to the bit. Only the best trial's predictions are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import joblib
import numpy as np
from sklearn.pipeline import Pipeline

from samebits.candidates.materials import Materials, Sample
from samebits.candidates.progress import Progress
from samebits.candidates.selection import CandidateScore, join_outcomes, make_task
from samebits.candidates.units import Outcome, Task, Unit, run_units
from samebits.config.variants import list_spaces, vary
from samebits.data.folds import Fold
from samebits.engines.units import Engine
from samebits.errors import ConfigError, DataError, Problem
from samebits.keys.config import Config
from samebits.lineage.found_values import name_trial
from samebits.numerics.generators import derive_seed
from samebits.search.journal import Journal
from samebits.search.proposals import Proposal, Rounds, draw_rows, propose
from samebits.search.trials import Trial, is_better, make_trial
from samebits.voice import SILENT, Voice


@dataclass(frozen=True)
class Ground:
    """The rows on which a search is made.

    Parameters
    ----------
    folds
        Pairs of positions within the sample.
    place
        Before the names of the places whose seeds are planted.
    """

    sample: Sample
    folds: list[Fold]
    place: str = "cv"


@dataclass(frozen=True)
class Found:
    """A candidate's best trial, with its pipeline, not fitted, and its cross-validation."""

    trial: Trial
    pipeline: Pipeline
    score: CandidateScore


@dataclass(frozen=True)
class Searched:
    """What a search came to.

    Parameters
    ----------
    found
        By candidate, in sorted order.
    trials
        All of them, in the order in which they were asked for.
    """

    found: dict[str, Found]
    trials: list[Trial]


class _Disagreement(Exception):
    """A trial has other scores now than it had before; its name."""


def search_candidates(
    config: Config,
    materials: Materials,
    ground: Ground,
    journal: Journal,
    voice: Voice = SILENT,
    n_jobs: int = 1,
    engine: Engine | None = None,
) -> Searched:
    """Try what the config says of every candidate, and return the best of each.

    Raises
    ------
    DataError
        Of a candidate, no trial could be fitted and scored on these rows, or the best does not score the same again.
    """
    while True:
        try:
            return _Search(config, materials, ground, journal, voice, n_jobs, engine).run()
        except _Disagreement as error:
            if not journal.n_taken:  # nothing of an earlier try took part
                remedy = "Its class draws what no seed reaches, or keeps what it saw: use another, or no search."
                raise DataError(Problem(f"search: {error}", "the same scores from the same trial", "others", remedy)) from None
            voice.say(f"the search begins anew: {error} does not score what an interrupted search noted")
            journal.forget()


@dataclass
class _Search:
    """A search as it goes on."""

    config: Config
    materials: Materials
    ground: Ground
    journal: Journal
    voice: Voice
    n_jobs: int
    engine: Engine | None
    trials: list[Trial] = field(default_factory=list)
    best: dict[str, Trial] = field(default_factory=dict)
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)  # of the best, where it was scored now

    def run(self) -> Searched:
        assert self.config.search is not None
        rounds = {name: self._propose(name) for name in sorted(self.config.models)}
        with self.journal.held():
            asked = {name: next(one) for name, one in rounds.items()}
            while asked:
                told = self._score_round(asked)
                asked = {name: more for name, scores in told.items() if (more := _go_on(rounds[name], scores))}
        return Searched({name: self._take_best(name) for name in rounds}, self.trials)

    def _propose(self, name: str) -> Rounds:
        search, seed = self.config.search, derive_seed(self.config.seed, f"search.{name}")
        assert search is not None
        labels = self.materials.target.labels
        least = 2 * max(len(self.ground.folds), 2) * (1 if labels is None else len(labels))
        return propose(search, list_spaces(self.config)[name], len(self.ground.sample.y), least, seed)

    def _score_round(self, asked: Mapping[str, list[Proposal]]) -> dict[str, list[float | None]]:
        """Score what all candidates ask for at once, so that no worker waits for a candidate with few trials."""
        known: dict[tuple[str, int], Trial] = {}
        fresh: list[tuple[str, Proposal, Pipeline]] = []
        for name, proposals in asked.items():
            for proposal in proposals:
                trial = self.journal.find(self.ground.place, name, proposal)
                built = trial if trial is not None else self._build(name, proposal)
                if isinstance(built, Trial):
                    known[name, proposal.number] = built
                    self._note_best(built, None)
                else:
                    fresh.append((name, proposal, built))
        if self.journal.n_taken and known:
            self.voice.follow(
                f"taken from a search that was interrupted: {len(known)} of {len(known) + len(fresh)} trials of this round"
            )
        for trial, outcomes in self._run(fresh):
            known[trial.candidate, trial.number] = trial
            self.journal.keep(self.ground.place, trial)
            self._note_best(trial, outcomes)
        in_order = {name: [known[name, proposal.number] for proposal in proposals] for name, proposals in asked.items()}
        self.trials += [trial for trials in in_order.values() for trial in trials]
        return {name: [trial.mean for trial in trials] for name, trials in in_order.items()}

    def _note_best(self, trial: Trial, outcomes: list[Outcome] | None) -> None:
        if not is_better(trial, self.best.get(trial.candidate)):
            return
        self.best[trial.candidate] = trial
        self.outcomes.pop(trial.candidate, None)
        if outcomes is not None:
            self.outcomes[trial.candidate] = outcomes

    def _build(self, name: str, proposal: Proposal) -> Pipeline | Trial:
        """Values that do not go together are a trial that failed."""
        try:
            return self.materials.build(vary(self.config, name, proposal.values))[name]
        except (ConfigError, DataError) as error:
            return make_trial(name, proposal, [], 0, str(error))

    def _run(self, fresh: list[tuple[str, Proposal, Pipeline]]) -> Iterator[tuple[Trial, list[Outcome]]]:
        """Yield each trial when all its folds are scored."""
        if not fresh:
            return
        units = [
            (place, unit)
            for place, (name, proposal, pipeline) in enumerate(fresh)
            for unit in self._list_units(name, proposal, pipeline)
        ]
        first = {name: place for place, (name, *_) in reversed(list(enumerate(fresh)))}  # each candidate's first trial
        units.sort(key=lambda one: (one[1].fold > 0 or first[one[1].candidate] != one[0], one[0], one[1].fold))
        outcomes, _ = run_units(
            [unit for _, unit in units],
            self._task(),
            joblib.effective_n_jobs(self.n_jobs),
            n_more=self._count_more(),
            engine=self.engine,
        )
        gathered: dict[int, list[Outcome]] = {}
        names = {name_trial(name, one.number, one.n_rows): len(self.ground.folds) for name, one, _ in fresh}
        with Progress(self.voice, names, self.materials.scoring) as progress:
            for (place, unit), outcome in zip(units, outcomes, strict=True):
                progress.note(unit.name, outcome.score, outcome.seconds, outcome.failure)
                own = gathered.setdefault(place, [])
                own.append(outcome)
                if len(own) == len(self.ground.folds):
                    name, proposal, _ = fresh[place]
                    yield _join(name, proposal, own), gathered.pop(place)

    def _list_units(self, name: str, proposal: Proposal, pipeline: Pipeline, is_trial: bool = True) -> Iterator[Unit]:
        for number, (fit_rows, score_rows) in enumerate(self.ground.folds):
            rows = self._take_share(number, fit_rows, proposal.n_rows)
            yield Unit(name_trial(name, proposal.number, proposal.n_rows), name, number, pipeline, rows, score_rows, is_trial)

    def _take_share(self, fold: int, fit_rows: np.ndarray, n_rows: int | None) -> np.ndarray:
        if n_rows is None:
            return fit_rows
        sample, target = self.ground.sample, self.materials.target
        labels = None if target.labels is None else sample.y[fit_rows]
        return draw_rows(labels, fit_rows, n_rows / len(sample.y), derive_seed(self.config.seed, f"search.rows.{fold}"))

    def _task(self) -> Task:
        needs_responses = self.config.business.method is not None
        return make_task(self.materials, self.ground.sample, self.config.seed, needs_responses, self.ground.place)

    def _count_more(self) -> int:
        """So many units may come after this round's: workers are kept for them."""
        search = self.config.search
        if search is None or search.method != "optuna":
            return 0
        spaces = [space for space in list_spaces(self.config).values() if space]
        left = (search.n_trials or 0) * len(spaces) - len(self.trials) - search.batch * len(spaces)
        return max(left, 0) * len(self.ground.folds)

    def _take_best(self, name: str) -> Found:
        best = self.best.get(name)
        if best is None:
            failed = next((trial.failure for trial in self.trials if trial.candidate == name and trial.failure), "none was scored")
            raise DataError(
                Problem(f"search: {name}", "a trial that can be fitted and scored", f"none: {failed.rstrip('.')}", "Try other values.")
            )
        pipeline = self.materials.build(vary(self.config, name, best.values))[name]
        outcomes = self.outcomes.get(name, [])
        if not outcomes or any(one.prediction is None for one in outcomes):
            outcomes = self._score_again(name, best, pipeline)
        return Found(best, pipeline, join_outcomes(name, outcomes))

    def _score_again(self, name: str, trial: Trial, pipeline: Pipeline) -> list[Outcome]:
        """What a trial said of its rows is not kept, or stands in no journal: its winner is asked again, and must score the same."""
        units = list(self._list_units(name, Proposal(trial.number, trial.values), pipeline, is_trial=False))
        outcomes = list(run_units(units, self._task(), joblib.effective_n_jobs(self.n_jobs), engine=self.engine)[0])
        if [one.score for one in outcomes] != trial.scores:
            raise _Disagreement(name_trial(name, trial.number))
        return outcomes


def _go_on(rounds: Rounds, scores: list[float | None]) -> list[Proposal]:
    try:
        return rounds.send(scores)
    except StopIteration:
        return []


def _join(name: str, proposal: Proposal, outcomes: list[Outcome]) -> Trial:
    failure = next((one.failure for one in outcomes if one.failure is not None), None)
    return make_trial(name, proposal, [one.score for one in outcomes], sum(not one.is_settled for one in outcomes), failure)
