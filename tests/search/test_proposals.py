"""What is tried next depends on the seed and on what the earlier trials scored, and on nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, ParameterGrid
from sklearn.tree import DecisionTreeClassifier

from samebits.keys.learning import Interval, Search
from samebits.search.proposals import Proposal, draw_rows, propose

SPACE: dict[str, Any] = {"b": [1, 2, 3], "a": ["x", None]}


def run(
    search: dict[str, Any], space: dict[str, Any], n_rows: int = 900, least: int = 20, score: Any = lambda one: 0.0, seed: int = 3
) -> Any:
    rounds, made = propose(Search(**search), space, n_rows, least, seed), []
    asked = next(rounds)
    while asked:
        made.append(asked)
        try:
            asked = rounds.send([score(one) for one in asked])
        except StopIteration:
            break
    return made


def test_a_grid_is_scikit_learns_in_its_order() -> None:
    [asked] = run({"method": "grid"}, SPACE)

    assert [one.values for one in asked] == list(ParameterGrid(SPACE))
    assert [one.number for one in asked] == [1, 2, 3, 4, 5, 6]
    assert {one.n_rows for one in asked} == {None}


def test_a_candidate_of_which_nothing_is_searched_is_tried_once_as_it_stands() -> None:
    assert run({"method": "optuna", "n_trials": 5}, {}) == [[Proposal(1, {})]]


def test_random_values_lie_in_their_intervals_and_repeat_with_the_seed() -> None:
    space = {"whole": Interval(low=1, high=3), "real": Interval(low=0.5, high=2.0), "log": Interval(low=1e-4, high=1.0, log=True)}
    search = {"method": "random", "n_trials": 200}

    [asked] = run(search, space)

    assert run(search, space) == [asked] != run(search, space, seed=4)
    columns = {key: [one.values[key] for one in asked] for key in space}
    assert set(columns["whole"]) == {1, 2, 3}
    assert all(isinstance(value, int) for value in columns["whole"])
    assert all(0.5 <= value <= 2.0 for value in columns["real"])
    assert all(1e-4 <= value <= 1.0 for value in columns["log"])
    assert 0.3 < np.mean(np.array(columns["log"]) < 1e-2) < 0.7  # half of the logarithms


def test_lists_alone_are_drawn_without_replacement_and_no_more_than_there_are() -> None:
    [asked] = run({"method": "random", "n_trials": 50}, SPACE)

    assert sorted(map(str, (one.values for one in asked))) == sorted(map(str, ParameterGrid(SPACE)))


def test_lists_with_more_combinations_than_can_be_counted_are_drawn_from() -> None:
    space = {letter: list(range(2000)) for letter in "abcdef"}

    [asked] = run({"method": "random", "n_trials": 3}, space)

    assert [asked] == run({"method": "random", "n_trials": 3}, space)
    assert len({one.values["a"] for one in asked}) == 3


@pytest.mark.parametrize(("n_values", "factor"), [(2, 3), (9, 3), (10, 3), (27, 3), (8, 2), (17, 4)])
def test_halving_has_as_many_rounds_and_trials_as_scikit_learns(n_values: int, factor: int) -> None:
    """Of 600 rows in two classes and five folds: enough for every round."""
    X, y = np.random.default_rng(1).normal(size=(600, 3)), np.arange(600) % 2
    theirs = HalvingGridSearchCV(
        DecisionTreeClassifier(random_state=1), {"min_samples_leaf": list(range(1, n_values + 1))}, factor=factor
    )
    theirs.fit(X, y)

    ours = run({"method": "halving", "factor": factor}, {"leaf": list(range(n_values))}, n_rows=600, score=lambda one: one.number)

    assert [len(asked) for asked in ours] == theirs.n_candidates_
    assert [one.n_rows for one in ours[-1]] == [None] * len(ours[-1])
    shares = [asked[0].n_rows for asked in ours[:-1]]
    assert shares == [600 // factor ** (len(ours) - 1 - place) for place in range(len(ours) - 1)]


def test_the_best_go_on_and_one_that_failed_does_not() -> None:
    made = run({"method": "halving"}, {"a": list(range(9))}, score=lambda one: None if one.number == 9 else float(one.number))

    assert [[one.number for one in asked] for asked in made] == [[1, 2, 3, 4, 5, 6, 7, 8, 9], [6, 7, 8], [8]]


def test_rows_too_few_for_every_round_leave_rounds_out() -> None:
    made = run({"method": "halving"}, {"a": list(range(27))}, n_rows=100, least=20)

    assert [(len(asked), asked[0].n_rows) for asked in made] == [(27, 33), (9, None)]


def test_optuna_gives_the_same_study_for_the_same_scores() -> None:
    pytest.importorskip("optuna")
    space = {"x": Interval(low=-5.0, high=5.0), "kind": ["a", {"class": "b"}, None], "n": Interval(low=1, high=64, log=True)}
    search = {"method": "optuna", "n_trials": 25, "batch": 4}

    def score(one: Proposal) -> float | None:
        return None if one.number == 3 else -((one.values["x"] - 1.0) ** 2)

    made = run(search, space, score=score)

    assert run(search, space, score=score) == made
    assert [len(asked) for asked in made] == [4, 4, 4, 4, 4, 4, 1]
    assert run(search, space, score=lambda one: one.values["x"]) != made
    assert all(one.values["kind"] in space["kind"] for asked in made for one in asked)
    late = [abs(one.values["x"] - 1.0) for asked in made[4:] for one in asked]
    early = [abs(one.values["x"] - 1.0) for asked in made[:2] for one in asked]
    assert np.mean(late) < np.mean(early)  # it learns from what it is told


@given(st.lists(st.integers(0, 2), min_size=3, max_size=60), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_drawn_rows_keep_every_class_and_a_smaller_share_lies_within_a_larger(labels: list[int], one: float, other: float) -> None:
    classes, rows = np.array(labels), np.arange(len(labels)) * 10

    small, large = (draw_rows(classes, rows, share, seed=5) for share in sorted((one, other)))

    assert set(small) <= set(large) <= set(rows)
    assert set(classes[small // 10]) == set(labels)
    assert list(small) == sorted(small)
    np.testing.assert_array_equal(draw_rows(classes, rows, 1.0, seed=9), rows)
