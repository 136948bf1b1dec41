"""Proposals: which values are tried next, given what the ones before scored.

Every method is a generator of rounds: it yields a list of proposals, is sent their mean scores in order, and yields the next list. So
what is asked depends on the seed and the scores alone, never on which trial was done first.
"""

from __future__ import annotations

import itertools
import math
import sys
import warnings
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats
from sklearn.model_selection import ParameterGrid, ParameterSampler

from samebits.config.variants import Space, count_combinations
from samebits.keys.learning import Interval, Search


@dataclass(frozen=True)
class Proposal:
    """Values to be tried.

    Parameters
    ----------
    number
        Among a candidate's trials, from 1.
    n_rows
        Of the training rows, so many are fitted on, less each fold's; None: all.
    """

    number: int
    values: dict[str, Any]
    n_rows: int | None = None


Scores = Sequence[float | None]  # greater is better; None: the trial failed
Rounds = Generator[list[Proposal], Scores, None]


def propose(search: Search, space: Space, n_rows: int, least_rows: int, seed: int) -> Rounds:
    """Return the rounds of one candidate's search.

    Parameters
    ----------
    n_rows
        All training rows.
    least_rows
        On fewer no trial is made (halving).
    """
    if not space:  # nothing of it is searched: it is tried as it stands
        return _propose_once([{}])
    if search.method == "optuna":
        return _ask_optuna(search, space, seed)
    is_grid = search.method == "grid" or search.n_trials is None
    values = _list_grid(space) if is_grid else _draw(space, search.n_trials or 1, seed)
    return _halve(values, search.factor, n_rows, least_rows) if search.method == "halving" else _propose_once(values)


def _list_grid(space: Space) -> list[dict[str, Any]]:
    """Every combination, in scikit-learn's order: the first parameter by name changes slowest."""
    return list(ParameterGrid({key: choices for key, choices in space.items() if isinstance(choices, list)}))


def _draw(space: Space, n_trials: int, seed: int) -> list[dict[str, Any]]:
    """Draw as scikit-learn's randomized search does: without replacement where all parameters are lists."""
    sources: dict[str, Any] = {
        key: _Drawn(choices) if isinstance(choices, Interval) else choices for key, choices in sorted(space.items())
    }
    if (count_combinations(space) or 0) > sys.maxsize:  # more than the sampler can count: any it draws twice is a marvel
        sources = {key: _Chosen(one) if isinstance(one, list) else one for key, one in sources.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the lists have fewer combinations: then all of them are tried
        return [dict(sorted(one.items())) for one in ParameterSampler(sources, n_trials, random_state=seed)]


class _Chosen:
    """A list as scikit-learn's sampler takes an interval."""

    def __init__(self, choices: list[Any]) -> None:
        self._choices = choices

    def rvs(self, random_state: Any = None) -> Any:
        return self._choices[random_state.randint(len(self._choices))]


class _Drawn:
    """An interval as scikit-learn's sampler takes it: by its method `rvs`."""

    def __init__(self, interval: Interval) -> None:
        low, high = interval.low, interval.high + 1 if interval.is_whole else interval.high
        self._interval = interval
        self._drawn = stats.loguniform(low, high) if interval.log else stats.uniform(low, high - low)

    def rvs(self, random_state: Any = None) -> float | int:
        number = float(self._drawn.rvs(random_state=random_state))
        within = min(max(math.floor(number) if self._interval.is_whole else number, self._interval.low), self._interval.high)
        return within


def _propose_once(values: list[dict[str, Any]]) -> Rounds:
    yield [Proposal(number, one) for number, one in enumerate(values, start=1)]


def _halve(values: list[dict[str, Any]], factor: int, n_rows: int, least_rows: int) -> Rounds:
    """Successive halving (Jamieson and Talwalkar 2016), with the number of rounds that scikit-learn's HalvingGridSearchCV has.

    The last round is on all rows, so that its scores are those of an ordinary cross-validation.
    """
    n_needed = 1 + math.floor(math.log(len(values), factor) + 1e-9)
    n_possible = 1 + math.floor(math.log(max(n_rows / least_rows, 1), factor) + 1e-9)
    n_rounds = min(n_needed, n_possible)
    left = [Proposal(number, one) for number, one in enumerate(values, start=1)]
    for number in range(n_rounds):
        is_last = number == n_rounds - 1
        share = None if is_last else n_rows // factor ** (n_rounds - 1 - number)
        asked = [replace(one, n_rows=share) for one in left]
        scores = yield asked
        order = sorted(range(len(left)), key=lambda place: (-_as_worst(scores[place]), left[place].number))
        kept = sorted(order[: math.ceil(len(left) / factor)])
        left = [left[place] for place in kept]


def _as_worst(score: float | None) -> float:
    return -math.inf if score is None else score


def _ask_optuna(search: Search, space: Space, seed: int) -> Rounds:
    """Ask Optuna's TPE sampler for a batch, and tell it what came in the order in which it asked: the same study at any n_jobs.

    Values of a list go by their places, since Optuna knows plain ones alone.
    """
    import optuna  # an extra

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that constant_liar is called experimental
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=search.batch > 1)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    wanted = {key: _describe_to_optuna(choices, optuna.distributions) for key, choices in sorted(space.items())}
    numbers = itertools.count(1)
    for start in range(0, search.n_trials or 1, search.batch):
        asked = [study.ask(wanted) for _ in range(min(search.batch, (search.n_trials or 1) - start))]
        told = yield [Proposal(next(numbers), {key: _take(space[key], one.params[key]) for key in wanted}) for one in asked]
        for trial, score in zip(asked, told, strict=True):
            failed = optuna.trial.TrialState.FAIL
            study.tell(trial, score) if score is not None else study.tell(trial, state=failed)


def _describe_to_optuna(choices: list[Any] | Interval, distributions: Any) -> Any:
    if isinstance(choices, list):
        return distributions.CategoricalDistribution(tuple(range(len(choices))))
    kind = distributions.IntDistribution if choices.is_whole else distributions.FloatDistribution
    return kind(choices.low, choices.high, log=bool(choices.log))


def _take(choices: list[Any] | Interval, answer: Any) -> Any:
    return choices[answer] if isinstance(choices, list) else answer


def draw_rows(labels: np.ndarray | None, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return some of the rows, in their order: of each class the same share, and never none; a smaller share's are among a larger's.

    Parameters
    ----------
    labels
        Of these rows; None where the target is a quantity.
    rows
        Shape (n_rows,).
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    if labels is None:
        return np.sort(rows[order[: max(1, math.ceil(share * len(rows)))]])
    codes = np.unique(labels, return_inverse=True)[1][order]
    kept = [
        order[codes == code][: max(1, math.ceil(share * int((codes == code).sum())))] for code in range(int(codes.max(initial=0)) + 1)
    ]
    return np.sort(rows[np.concatenate(kept)])
