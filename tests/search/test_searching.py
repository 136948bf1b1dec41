"""A search finds what scikit-learn's finds; its winner is what a config gives that writes the values out; where a unit runs changes nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from sklearn.model_selection import GridSearchCV

from samebits.candidates import units
from samebits.candidates.units import run_units
from samebits.config.variants import vary
from samebits.errors import DataError
from samebits.numerics.generators import derive_seed
from samebits.provenance.environment import read_environment
from samebits.search import searching
from samebits.search.journal import Journal
from samebits.search.proposals import Proposal
from samebits.search.trials import Trial
from samebits.training.result import Result, make_result

Prepare = Callable[..., Any]
MODELS = {"random_forest": {"n_estimators": 5}, "knn": {}}
SEARCH: dict[str, Any] = {
    "method": "random",
    "n_trials": 4,
    "models": {"random_forest": {"max_depth": [1, 2, 4, None], "min_samples_leaf": {"low": 1, "high": 9}}},
    "preprocessing": {"outlier_factor": [1.5, None]},
}
METHODS = [
    SEARCH,
    {"method": "grid", "models": {"random_forest": {"max_depth": [1, 3]}, "knn": {"n_neighbors": [3, 9]}}, "nested": True},
    {"method": "halving", "models": {"random_forest": {"max_depth": [1, 2, 3, 4]}}, "factor": 2},
    {**SEARCH, "method": "optuna", "n_trials": 5, "batch": 2},
]


def make_table(n: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    x, z, w = rng.normal(size=(3, n))
    return pd.DataFrame({"x": x, "z": z * 3, "w": w, "y": np.where(x + z**2 + rng.normal(size=n) > 1, "yes", "no")})


def search(prepare: Prepare, wanted: dict[str, Any] = SEARCH, journal: Journal | None = None, **keys: Any) -> tuple[Any, Result]:
    if wanted["method"] == "optuna":
        pytest.importorskip("optuna")
    config, materials = prepare(make_table(), **{"models": MODELS, "cv": {"n_splits": 3}, "search": wanted, **keys})
    return (config, materials), make_result(config, materials, journal=journal)


def list_bits(result: Result) -> Any:
    return result.found, [(one.name, one.scores) for one in result.scored], result.model_file, result.predictions, result.out_of_fold


@pytest.mark.xdist_group("workers")
@pytest.mark.usefixtures("kept_workers")
@pytest.mark.parametrize("wanted", METHODS, ids=[one["method"] for one in METHODS])
def test_a_search_comes_to_the_same_bits_in_workers(prepare: Prepare, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]) -> None:
    _, alone = search(prepare, wanted)
    monkeypatch.setattr(units, "WORKERS_FROM_CELLS", 0)

    _, in_workers = search(prepare, wanted, n_jobs=2)

    assert alone.found is not None
    assert len(alone.found.trials) > len(MODELS)
    assert list_bits(in_workers) == list_bits(alone)


@pytest.mark.parametrize("wanted", METHODS, ids=[one["method"] for one in METHODS])
def test_the_values_found_written_into_the_config_give_the_same_model(prepare: Prepare, wanted: dict[str, Any]) -> None:
    (config, _), result = search(prepare, wanted)
    assert result.found is not None
    best = result.found.best[result.best.name]
    written = vary(config, result.best.name, best.values)
    models = {name: model.model_dump(by_alias=True) for name, model in written.models.items()}
    preprocessing = written.preprocessing.model_dump(by_alias=True)

    _, materials = prepare(make_table(), models=models, preprocessing=preprocessing, cv={"n_splits": 3})
    plain = make_result(written.model_copy(update={"search": None}), materials)

    assert plain.model_digest == result.model_digest
    assert plain.best.scores == result.best.scores == best.scores
    assert plain.predictions == result.predictions
    assert plain.metrics == result.metrics


def test_a_grid_scores_what_scikit_learns_own_search_scores(prepare: Prepare) -> None:
    grid = {"max_depth": [1, 2, 3], "min_samples_leaf": [1, 8]}
    (config, materials), result = search(prepare, {"method": "grid", "models": {"decision_tree": grid}}, models={"decision_tree": {}})
    training = materials.take_training().copy()
    theirs = GridSearchCV(
        materials.candidates["decision_tree"],
        {f"model__{key}": values for key, values in grid.items()},
        cv=materials.split.folds,
        scoring=materials.scorer,
        refit=False,
    ).fit(training.X, training.y)

    assert result.found is not None
    table = pd.DataFrame(theirs.cv_results_)
    folds = table[[f"split{place}_test_score" for place in range(3)]].to_numpy()
    assert [one.scores for one in result.found.trials] == folds.tolist()
    best = result.found.best["decision_tree"]
    assert {f"model__{key.rpartition('.')[2]}": value for key, value in best.values.items()} == theirs.best_params_
    assert config.seed == 1


def test_a_trial_that_fails_is_told_and_costs_nothing_else(prepare: Prepare) -> None:
    """Fifty neighbours are more than a fold has rows to fit on."""
    keys = {"data": {"rows": [{"first": 60}]}, "models": {"knn": {}}}

    _, result = search(prepare, {"method": "grid", "models": {"knn": {"n_neighbors": [3, 50]}}}, **keys)

    assert result.found is not None
    good, bad = result.found.trials
    assert (good.failure, good.mean is not None, bad.mean, bad.scores) == (None, True, None, [])
    assert "n_neighbors" in (bad.failure or "")
    assert result.found.best["knn"].values == {"models.knn.n_neighbors": 3}


def test_a_trial_that_no_memory_is_enough_for_is_one_that_failed(prepare: Prepare) -> None:
    steps = [["r", {"class": "sklearn.kernel_approximation.RBFSampler"}], ["c", {"class": "sklearn.linear_model.RidgeClassifier"}]]
    keys = {"models": {"rbf": {"class": "sklearn.pipeline.Pipeline", "steps": steps}}}

    _, result = search(prepare, {"method": "grid", "models": {"rbf": {"steps.0.1.n_components": [10**13, 9]}}}, **keys)

    assert result.found is not None
    assert "MemoryError: Unable to allocate" in (result.found.trials[0].failure or "")
    assert result.found.best["rbf"].number == 2


def test_a_candidate_of_which_every_trial_fails_is_refused_with_the_reason(prepare: Prepare) -> None:
    keys = {"data": {"rows": [{"first": 60}]}, "models": {"knn": {}}}

    with pytest.raises(DataError, match=r"search: knn: expected a trial that can be fitted and scored, found none: .*n_neighbors"):
        search(prepare, {"method": "grid", "models": {"knn": {"n_neighbors": [50, 55]}}}, **keys)


def test_of_equal_trials_the_first_is_taken(prepare: Prepare) -> None:
    _, result = search(prepare, {"method": "grid", "models": {"dummy": {"constant": ["yes", "no"]}}}, models={"dummy": {}})

    assert result.found is not None
    assert result.found.best["dummy"].number == 1


class _Stopped(Exception):
    pass


@pytest.mark.parametrize("wanted", METHODS, ids=[one["method"] for one in METHODS])
@pytest.mark.parametrize("after", [1, 7, 14])
def test_an_interrupted_search_goes_on_to_the_same_bits(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: dict[str, Any], after: int
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("samebits.search.journal._PAUSE_SECONDS", 0.0)
    _, whole = search(prepare, wanted)
    n_run = [0]

    def stop(asked: Any, *args: Any, **kwargs: Any) -> Any:
        outcomes, finals = run_units(asked, *args, **kwargs)

        def count() -> Any:
            for outcome in outcomes:
                n_run[0] += 1
                if n_run[0] == after:
                    raise _Stopped
                yield outcome

        return count(), finals

    with monkeypatch.context() as stopped:
        stopped.setattr(searching, "run_units", stop)
        with pytest.raises(_Stopped):
            search(prepare, wanted, Journal("sha256:one"))
    journal = Journal("sha256:one")

    _, again = search(prepare, wanted, journal)

    assert journal.n_taken == (after - 1) // 3 or journal.n_taken > 0 or after == 1
    assert list_bits(again) == list_bits(whole)


def test_ctrl_c_loses_no_trial_that_was_scored(prepare: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("samebits.search.journal._PAUSE_SECONDS", 3600.0)
    keep, kept = Journal.keep, []

    def keep_two(journal: Journal, place: str, trial: Trial) -> None:
        keep(journal, place, trial)
        kept.append(trial.number)
        if len(kept) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "keep", keep_two)
    with pytest.raises(KeyboardInterrupt):
        search(prepare, SEARCH, Journal("sha256:one"))

    assert len(Journal("sha256:one")._trials) == 2


def test_a_journal_that_has_other_scores_is_not_believed(prepare: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    _, whole = search(prepare, SEARCH, Journal("sha256:one"))
    [path] = tmp_path.rglob("one.json")
    path.write_text(path.read_text().replace(": [0.", ": [9."))

    _, again = search(prepare, SEARCH, Journal("sha256:one"))

    assert list_bits(again) == list_bits(whole)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": {"candidate": 1}}', b'{"a": 3}', b"[" * 5000])
def test_a_journal_that_is_none_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    journal = Journal("sha256:one")
    journal.write()
    [path] = tmp_path.rglob("one.json")
    path.write_bytes(content)

    assert Journal("sha256:one")._trials == {}


def test_a_trial_is_taken_for_its_own_values_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    journal, values = Journal("sha256:one"), {"a": float("nan"), "b": True}
    journal.keep("cv", Trial("knn", 1, values, None, [0.5]))
    journal.write()

    taken = Journal("sha256:one").find("cv", "knn", Proposal(1, {**values, "a": float("nan")}))

    assert taken is not None
    assert taken.scores == [0.5]
    assert Journal("sha256:one").find("cv", "knn", Proposal(1, {**values, "b": 1})) is None


def test_every_trial_is_a_row_with_exact_numbers(prepare: Prepare) -> None:
    from samebits.search.trials import write_trials

    _, result = search(prepare, SEARCH)

    assert result.found is not None
    table = pd.read_csv(io.BytesIO(write_trials(result.found.trials)))
    assert table["mean"].tolist() == [one.mean for one in result.found.trials]
    assert table[["fold_1", "fold_2", "fold_3"]].to_numpy().tolist() == [one.scores for one in result.found.trials]
    assert set(table["candidate"]) == set(MODELS)
    assert {"models.random_forest.max_depth", "preprocessing.outlier_factor"} <= set(table.columns)


def test_a_nested_search_sees_no_row_that_it_is_scored_on(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the fold's rows are all of another kind, only a search that saw them would know."""
    (_, materials), result = search(prepare, METHODS[1])

    assert result.found is not None
    assert [len(result.found.nested), *(fold.candidate in MODELS for fold in result.found.nested)] == [3, True, True, True]
    training, (fit_rows, score_rows) = materials.take_training().copy(), materials.split.folds[1]
    chosen = result.found.nested[1]
    pipeline = materials.build(vary(prepare(make_table(), models=MODELS)[0], chosen.candidate, chosen.values))[chosen.candidate]
    seen = training.take(fit_rows)
    np.random.seed(derive_seed(1, f"nested.1.{chosen.candidate}.1"))
    pipeline.fit(seen.X, seen.y)
    scored = training.take(score_rows)
    assert float(materials.scorer(pipeline, scored.X, scored.y)) == chosen.score


def test_a_class_that_draws_what_no_seed_reaches_is_no_candidate_of_a_search(prepare: Prepare) -> None:
    """Its best trial was luck, and cannot be had again."""
    keys = {"allow": ["unseeded"], "models": {"coin": {"class": "unseeded.UnseededClassifier"}}}

    with pytest.raises(DataError, match=r"search: coin #\d: expected the same scores from the same trial, found others"):
        search(prepare, {"method": "grid", "preprocessing": {"scale": [True, False]}}, **keys)


def test_a_model_without_responses_is_refused_where_a_threshold_is_wished(prepare: Prepare) -> None:
    codes = {"class": "sklearn.multiclass.OutputCodeClassifier", "estimator": {"class": "sklearn.svm.LinearSVC"}}
    keys = {"models": {"codes": codes}, "scoring": "accuracy", "business": {"f_beta": 1.0}, "data": {"positive": "yes"}}
    wanted = {"method": "grid", "models": {"codes": {"code_size": [1.0, 2.0]}}}

    with pytest.raises(DataError, match="a model with predict_proba or decision_function"):
        search(prepare, wanted, **keys)


def test_optuna_is_among_the_packages_that_decide_where_it_proposes_and_nowhere_else(prepare: Prepare) -> None:
    pytest.importorskip("optuna")

    def list_packages(wanted: dict[str, Any]) -> dict[str, str]:
        config, _ = prepare(make_table(), models=MODELS, search=wanted)
        return read_environment(ROOT, config.further_packages).packages

    assert list_packages(METHODS[3]).keys() - list_packages(SEARCH).keys() >= {"optuna", "tqdm"}


class CountingEngine:
    """Runs units in this process, as an engine's workers would, and counts them."""

    n_run = 0

    def run(self, shared: Any, calls: Any) -> Any:
        for call in calls:
            self.n_run += 1
            yield call.function(shared, *call.arguments)

    def release(self) -> None:
        pass

    def describe(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("wanted", METHODS, ids=[one["method"] for one in METHODS])
def test_every_unit_of_a_search_runs_on_the_engine(prepare: Prepare, wanted: dict[str, Any]) -> None:
    if wanted["method"] == "optuna":
        pytest.importorskip("optuna")
    config, materials = prepare(make_table(), models=MODELS, cv={"n_splits": 3}, search=wanted)
    engine = CountingEngine()

    found = make_result(config, materials, engine=engine)

    assert found.found is not None
    n_folds, n_trials, n_outer = 3, len(found.found.trials), len(found.found.nested)
    assert engine.n_run == n_folds * n_trials * (1 + n_outer) + n_outer  # of these models predictions come with the score
    assert list_bits(found) == list_bits(make_result(config, materials))
