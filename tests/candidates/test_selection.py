"""Where a fold is fitted changes nothing: one after the other, or beside each other in threads of this process."""

from __future__ import annotations

import itertools
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from samebits.candidates import fitting, selection, units
from samebits.candidates.fitting import stands_beside_others
from samebits.candidates.materials import Materials
from samebits.errors import DataError
from samebits.training.result import Result, make_result

Prepare = Callable[..., tuple[Any, Materials]]
BOOSTINGS = {"boosting": {"max_iter": 8}, "other": {"class": "sklearn.ensemble.HistGradientBoostingClassifier", "max_iter": 5}}
QUANTITIES = {"boosting": {"max_iter": 8}}


def make_table(n: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    x, z = rng.normal(size=(2, n))
    x[::7] = np.nan
    place = rng.choice(["north", "south", "east"], n)
    noise = rng.normal(size=n)
    return pd.DataFrame({"x": x, "z": z, "place": place, "w": rng.integers(1, 4, n).astype(float), "y": z + noise > 0.2})


def make_quantities() -> pd.DataFrame:
    table = make_table()
    return table.assign(y=np.exp(table["z"]))


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        (make_table(), {"models": BOOSTINGS, "keep": "all", "business": {"f_beta": 1.0}}),
        (make_table(), {"models": {"boosting": {"max_iter": 8, "early_stopping": True}}, "weights": {"column": "w"}}),
        (make_quantities(), {"models": QUANTITIES, "data": {"target_transform": "log1p"}, "split": {"method": "none"}}),
    ],
)
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_fits_beside_each_other_give_the_bits_of_fits_one_after_the_other(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, table: pd.DataFrame, keys: dict[str, Any], n_jobs: int
) -> None:
    config, materials = prepare(table, **{"cv": {"n_splits": 3}, **keys}, n_jobs=n_jobs)
    alone = make_result(config, materials)
    monkeypatch.setattr(units, "THREADS_FROM_CELLS", 0)
    monkeypatch.setattr(fitting, "fit_watched", None)  # by which what is fitted alone is fitted

    beside = make_result(config, materials)

    assert list_bits(beside) == list_bits(alone)


def list_bits(result: Result) -> Any:
    scores = [(one.name, one.scores) for one in result.scored]
    return scores, result.model_digest, result.model_file, result.predictions, result.out_of_fold, result.metrics, result.threshold


def test_as_many_fits_stand_beside_each_other_as_n_jobs_says(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    _, materials = prepare(make_table(), models={"boosting": {"max_iter": 3}}, cv={"n_splits": 4}, n_jobs=2)
    monkeypatch.setattr(units, "THREADS_FROM_CELLS", 0)
    together = threading.Barrier(2, timeout=60)
    own = units.fit_settled

    def fit(*args: Any) -> Any:
        together.wait()
        return own(*args)

    monkeypatch.setattr(units, "fit_settled", fit)

    comparison = selection.score_candidates(materials, materials.take_training(), 1, 2)

    assert [len(candidate.scores) for candidate in comparison.scored] == [4]
    assert list(comparison.finals) == []


def test_a_step_that_may_draw_or_iterate_is_fitted_alone(prepare: Prepare) -> None:
    bins = {"class": "sklearn.preprocessing.KBinsDiscretizer", "strategy": "kmeans"}
    function = {"name": "again", "function": {"path": "numpy.ravel", "columns": ["z"], "kind": "numeric"}}
    plain = {"data": {"drop": ["place", "w"]}}

    def stands(**keys: Any) -> bool:
        _, materials = prepare(make_table(), **{**plain, "models": {"boosting": {"max_iter": 2}}, **keys})
        return all(stands_beside_others(pipeline) for pipeline in materials.candidates.values())

    assert stands()
    assert not stands(models={"random_forest": {"n_estimators": 2}})
    assert not stands(preprocessing={"columns": [{"columns": ["x"], "transformers": [bins]}]})
    assert not stands(features={"derived": [function]}, allow=["numpy"])


def test_of_what_fails_beside_each_other_the_first_fold_is_named(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is the last to fail by the clock."""
    monkeypatch.setattr(units, "THREADS_FROM_CELLS", 0)
    calls, another_failed = itertools.count(), threading.Event()
    own = units.fit_settled

    def fit(*args: Any) -> Any:
        if next(calls) == 0:
            assert another_failed.wait(timeout=60)
            return own(*args)
        try:
            return own(*args)
        finally:
            another_failed.set()

    monkeypatch.setattr(units, "fit_settled", fit)
    keys = {"models": {"boosting": {"max_iter": 2, "monotonic_cst": [1]}}, "data": {"drop": ["place", "w"]}}
    config, materials = prepare(make_table(), **keys, cv={"n_splits": 3}, n_jobs=3)

    with pytest.raises(DataError, match=r"models\.boosting, fold 1 of cv: expected a model that fits this table, .*monotonic"):
        make_result(config, materials)


def test_the_processs_filters_of_warnings_stay_as_they_were(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "THREADS_FROM_CELLS", 0)
    config, materials = prepare(make_table(), models={"boosting": {"max_iter": 3}}, cv={"n_splits": 4}, n_jobs=4)
    before, show = list(warnings.filters), warnings.showwarning

    for _ in range(5):
        make_result(config, materials)

    assert (list(warnings.filters), warnings.showwarning) == (before, show)


@pytest.mark.parametrize(("spend", "starts"), [("wait", False), ("work", True)])
def test_workers_are_started_for_work_and_not_for_what_others_made_it_wait(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, spend: str, starts: bool
) -> None:
    config, materials = prepare(make_table(60), models={"logistic_regression": {}}, cv={"n_splits": 5}, n_jobs=2)
    plain, started = units._try_fold, []

    def spend_time(*arguments: Any) -> Any:
        before = time.process_time()
        time.sleep(0.5 if spend == "wait" else 0)
        while spend == "work" and time.process_time() < before + 0.5:
            pass
        return plain(*arguments)

    def run_here(task: Any, calls: Any, *_: Any, **__: Any) -> Any:
        started.append(len(calls))
        return (plain(call.arguments[0], task, 1, fitting.fit_watched) for call in calls)

    monkeypatch.setattr(units, "WORKERS_START_SECONDS", 0.8)
    monkeypatch.setattr(units, "_try_fold", spend_time)
    monkeypatch.setattr(units, "run_over_workers", run_here)

    make_result(config, materials)

    assert started == ([4] if starts else [])


def test_a_class_that_would_end_the_program_is_refused_in_words(prepare: Prepare) -> None:
    keys = {"models": {"leaver": {"class": "odd_classes.Leaver"}}, "allow": ["odd_classes"], "data": {"drop": ["place", "w"]}}
    config, materials = prepare(make_table(), **keys)

    with pytest.raises(DataError, match=r"models\.leaver, fold 1 of cv: expected"):
        make_result(config, materials)
