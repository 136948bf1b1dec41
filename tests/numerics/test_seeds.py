from __future__ import annotations

import random
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier, RandomForestClassifier, VotingClassifier
from sklearn.feature_selection import SelectKBest, f_classif, mutual_info_classif
from sklearn.model_selection import GridSearchCV, KFold, RepeatedStratifiedKFold, StratifiedKFold, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from samebits.numerics.generators import derive_seed, plant_seeds
from samebits.numerics.seeds import seed_component


def test_every_random_state_at_any_depth_gets_a_seed_of_its_own() -> None:
    model = Pipeline(
        [
            ("select", SelectKBest(mutual_info_classif)),
            (
                "vote",
                VotingClassifier(
                    [
                        ("forest", RandomForestClassifier()),
                        ("trees", ExtraTreesClassifier(bootstrap=True)),
                        ("bag", BaggingClassifier(DecisionTreeClassifier())),
                        ("search", GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1]}, cv=StratifiedKFold(shuffle=True))),
                    ]
                ),
            ),
        ]
    )

    planted = seed_component(model, 42, "models.a")

    assert sorted(planted) == [
        "models.a.steps.select.1.score_func.random_state",
        "models.a.steps.vote.1.estimators.bag.1.estimator.random_state",
        "models.a.steps.vote.1.estimators.bag.1.random_state",
        "models.a.steps.vote.1.estimators.forest.1.random_state",
        "models.a.steps.vote.1.estimators.search.1.cv.random_state",
        "models.a.steps.vote.1.estimators.search.1.estimator.random_state",
        "models.a.steps.vote.1.estimators.trees.1.random_state",
    ]
    assert len(set(planted.values())) == len(planted)
    forest, trees = (model.named_steps["vote"].estimators[i][1] for i in (0, 1))
    assert forest.random_state != trees.random_state
    assert model.named_steps["select"].score_func.keywords["random_state"] == planted[min(planted)]


def test_a_seed_written_out_wins() -> None:
    forest = RandomForestClassifier(random_state=5)

    assert seed_component(forest, 42, "models.forest") == {}
    assert forest.random_state == 5


@pytest.mark.parametrize("splitter", [KFold(), TimeSeriesSplit()])
def test_a_splitter_that_draws_nothing_gets_no_seed(splitter: object) -> None:
    assert seed_component(splitter, 42, "cv") == {}


@pytest.mark.parametrize("splitter", [KFold(shuffle=True), RepeatedStratifiedKFold()])
def test_a_splitter_that_draws_gets_one(splitter: object) -> None:
    assert list(seed_component(splitter, 42, "cv")) == ["cv.random_state"]


def test_a_function_that_draws_nothing_is_left_alone() -> None:
    assert seed_component(SelectKBest(f_classif), 42, "a") == {}


def test_a_cycle_of_parameters_ends() -> None:
    class Loop(BaseEstimator):
        def __init__(self, own: object = None, random_state: int | None = None) -> None:
            self.own = own
            self.random_state = random_state

    loop = Loop()
    loop.own = [loop]

    assert list(seed_component(loop, 42, "a")) == ["a.random_state"]


def test_a_places_seed_depends_on_root_and_name_alone() -> None:
    assert derive_seed(42, "split") == 199156149
    assert len({derive_seed(root, place) for root in range(50) for place in ("a", "b", "c")}) == 150


def test_planting_makes_the_global_generators_repeat() -> None:
    def draw() -> tuple[float, float]:
        plant_seeds(3, "here")
        return random.random(), float(np.random.random())

    assert draw() == draw()
    plant_seeds(3, "there")
    assert random.random() != draw()[0]


def test_pytorch_is_seeded_where_it_is_in_use() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    plant_seeds(3, "here")
    first = torch.rand(3)
    plant_seeds(3, "here")

    assert torch.equal(first, torch.rand(3))
    assert torch.are_deterministic_algorithms_enabled()


def test_tensorflow_is_asked_for_seeds_and_determinism_by_its_public_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the real one makes of it is tried below, where it is installed."""
    asked: list[Any] = []
    config = SimpleNamespace(experimental=SimpleNamespace(enable_op_determinism=lambda: asked.append("determinism")))
    stand_in = SimpleNamespace(random=SimpleNamespace(set_seed=asked.append), config=config)
    monkeypatch.setitem(sys.modules, "tensorflow", stand_in)

    plant_seeds(3, "here")

    assert asked == [derive_seed(3, "here"), "determinism"]


def test_tensorflow_is_seeded_where_it_is_in_use() -> None:
    tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

    plant_seeds(3, "here")
    first = tensorflow.random.uniform([3]).numpy().tolist()
    plant_seeds(3, "here")

    assert tensorflow.random.uniform([3]).numpy().tolist() == first
    from tensorflow.python.framework import config

    assert config.is_op_determinism_enabled()
