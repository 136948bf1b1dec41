"""What a training keeps: metrics of both sides, what every candidate said out of its folds, and remarks on what is extreme."""

from __future__ import annotations

import dataclasses
import io
import multiprocessing
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from samebits.candidates.materials import Materials
from samebits.errors import DataError
from samebits.stored.taken_rows import read_blocks
from samebits.training.result import Result

Train = Callable[..., tuple[Materials, Result]]
TWO = {"logistic_regression": {"max_iter": 300}, "decision_tree": {"max_depth": 2}}


def make_binary(n: int = 160) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    x, z = rng.normal(size=(2, n))
    return pd.DataFrame({"x": x, "z": z, "y": np.where(x - z + rng.normal(size=n) > 0.3, "yes", "no")})


def make_quantity(n: int = 160) -> pd.DataFrame:
    rng = np.random.default_rng(9)
    x, z = rng.normal(size=(2, n))
    return pd.DataFrame({"x": x, "z": z, "y": 2 * x - z + 0.1 * rng.normal(size=n)})


def read(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content))


def test_metrics_on_the_training_rows_are_kept_beside_those_on_the_test_rows(train: Train) -> None:
    materials, result = train(make_binary(), models=TWO)

    X, y = materials.read(materials.split.train_rows)
    model = clone(materials.candidates[result.best.name]).fit(X, y)
    assert set(result.metrics) == {"test", "train"}
    assert set(result.metrics["train"]) == set(result.metrics["test"])
    assert result.metrics["train"]["accuracy"] == accuracy_score(y, model.predict(X))
    position = model.classes_.tolist().index(materials.target.positive)
    assert result.metrics["train"]["roc_auc"] == roc_auc_score(y == materials.target.positive, model.predict_proba(X)[:, position])


@pytest.mark.xdist_group("workers")
@pytest.mark.usefixtures("kept_workers")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_every_candidate_says_out_of_its_folds_is_kept(
    prepare: Callable[..., Any], n_jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samebits.candidates import units
    from samebits.training.result import make_result

    monkeypatch.setattr(units, "WORKERS_FROM_CELLS", 0)
    config, materials = prepare(make_binary(), models={**TWO, "ridge": {}}, n_jobs=n_jobs)
    result = make_result(config, materials)

    table = read(result.out_of_fold)
    names = [f"{what}_{name}" for name in ("decision_tree", "logistic_regression", "ridge") for what in ("predicted", "response")]
    assert list(table) == ["row", "fold", "recorded", *names]
    split = materials.split
    assert sorted(table["row"]) == sorted(split.train_rows)
    for number, (fit_rows, score_rows) in enumerate(split.folds, start=1):
        part = table[table["fold"] == number]
        assert part["row"].tolist() == split.train_rows[score_rows].tolist()
        X, y = materials.read(split.train_rows[fit_rows])
        scored, recorded = materials.read(split.train_rows[score_rows])
        assert part["recorded"].tolist() == recorded.tolist()
        for name, pipeline in materials.candidates.items():
            fitted = clone(pipeline).fit(X, y)
            assert part[f"predicted_{name}"].tolist() == fitted.predict(scored).tolist()
            method = "decision_function" if name == "ridge" else "predict_proba"
            response = getattr(fitted, method)(scored)
            assert part[f"response_{name}"].tolist() == (response if response.ndim == 1 else response[:, 1]).tolist()


def test_workers_are_gone_when_the_folds_are_scored(prepare: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """One that stays holds the program's output open for minutes after its end."""
    from samebits.candidates import selection, units

    monkeypatch.setattr(units, "WORKERS_FROM_CELLS", 0)
    _, materials = prepare(make_binary(), models=TWO, n_jobs=2)

    selection.score_candidates(materials, materials.take_training(), 1, 2)

    assert multiprocessing.active_children() == []


def test_three_classes_and_quantities_have_predictions_alone_out_of_their_folds(train: Train) -> None:
    quantity = make_quantity()
    classes = quantity.assign(y=np.digitize(quantity["y"], [-1, 1]))

    assert list(read(train(classes, models={"decision_tree": {}})[1].out_of_fold)) == [
        "row",
        "fold",
        "recorded",
        "predicted_decision_tree",
    ]
    assert list(read(train(quantity, models={"ridge": {}})[1].out_of_fold)) == ["row", "fold", "recorded", "predicted_ridge"]


@pytest.mark.parametrize("keep", ["best", "all"])
def test_a_large_table_gives_what_a_small_one_would(train: Train, monkeypatch: pytest.MonkeyPatch, keep: str) -> None:
    """Its arrays are mapped, it is described after the fits, and its model is asked block by block."""
    from samebits.candidates import fitting, units
    from samebits.data import preparation
    from samebits.training import result as result_module

    table = make_binary().assign(kind=lambda frame: np.where(frame["x"] > frame["z"], "a", "b"))
    table.loc[::7, "x"] = np.nan
    keys = {
        "models": {"boosting": {"max_iter": 5}, "second": {"class": "sklearn.ensemble.HistGradientBoostingClassifier", "max_iter": 3}},
        "keep": keep,
        "n_jobs": 2,
    }
    _, small = train(table, **keys)
    monkeypatch.setattr(units, "THREADS_FROM_CELLS", 0)
    monkeypatch.setattr(preparation, "_MAPPED_FROM_CELLS", 0)
    monkeypatch.setattr(result_module, "_BESIDE_CELLS", 0)
    monkeypatch.setattr(fitting, "_BLOCK_CELLS", 50)
    materials, large = train(table, **keys)

    X, y = materials.take(materials.split.train_rows)
    assert materials.dataset.pages is not None and not materials.target.values.flags.writeable and y.flags.writeable
    assert len(list(read_blocks(fitting.divide_rows(X, materials.candidates["boosting"])))) > 3
    names = [field.name for field in dataclasses.fields(Result) if field.name not in ("scored", "best")]
    assert {name: getattr(small, name) for name in names} == {name: getattr(large, name) for name in names}
    assert [one.scores for one in small.scored] == [one.scores for one in large.scored]


@pytest.mark.parametrize("business", [{}, {"target_precision": 0.6}])
def test_keeping_all_adds_every_candidates_test_metrics_and_changes_nothing_of_the_best(
    train: Train, business: dict[str, Any]
) -> None:
    _, best = train(make_binary(), models=TWO, business=business)
    materials, result = train(make_binary(), models=TWO, business=business, keep="all")

    candidates = result.metrics["candidates"]
    assert list(candidates) == ["decision_tree", "logistic_regression"]
    assert candidates[result.best.name] == result.metrics["test"]
    kept = {key: value for key, value in result.metrics.items() if key != "candidates"}
    assert (kept, result.model_digest, result.predictions) == (best.metrics, best.model_digest, best.predictions)
    if not business:
        other = next(name for name in candidates if name != result.best.name)
        fitted = clone(materials.candidates[other]).fit(*materials.read(materials.split.train_rows))
        X, y = materials.read(materials.split.test_rows)
        assert candidates[other]["accuracy"] == accuracy_score(y, fitted.predict(X))


def test_a_threshold_needs_responses(train: Train) -> None:
    trees = [["a", {"class": "sklearn.tree.DecisionTreeClassifier"}]]
    models = {"votes": {"class": "sklearn.ensemble.VotingClassifier", "estimators": trees}}

    with pytest.raises(DataError, match=r"models\.votes: expected a model with predict_proba or decision_function, found neither"):
        train(make_binary(), models=models, business={"f_beta": 1.0}, scoring="accuracy")


def test_predictions_beyond_all_numbers_are_refused_in_words(train: Train) -> None:
    frame = make_quantity().assign(when=range(160), y=lambda table: np.exp(table["x"]))
    frame.loc[159, "x"] = 1e5

    with pytest.raises(DataError, match=r"models\.linear_regression, predictions of the final fit: .*infinity"):
        train(
            frame,
            models={"linear_regression": {}},
            data={"target_transform": "log"},
            split={"method": "time", "column": "when"},
            preprocessing={"outlier_factor": None},
        )


def test_an_ordinary_training_is_not_remarked_upon(train: Train) -> None:
    assert train(make_binary(), models=TWO)[1].remarks == []
    assert train(make_quantity(), models={"ridge": {}})[1].remarks == []


def test_a_test_r2_below_minus_one_is_remarked(train: Train) -> None:
    frame = make_quantity().assign(when=range(160))
    frame.loc[128:, "y"] += 50

    _, result = train(frame, models={"ridge": {}}, split={"method": "time", "column": "when"})

    assert result.metrics["test"]["r2"] < -1
    assert result.remarks == [
        f"test r2 is {result.metrics['test']['r2']:.4g}: on these rows the mean of the target is a far better prediction."
    ]


@pytest.mark.parametrize(("value", "is_remarked"), [(-1e6, True), (100.0, False)])
def test_a_target_a_thousand_times_its_upper_quartile_is_remarked_with_its_row(train: Train, value: float, is_remarked: bool) -> None:
    frame = make_quantity()
    frame.loc[6, "y"] = value

    _, result = train(frame, models={"decision_tree": {"max_depth": 2}})

    found = [remark for remark in result.remarks if remark.startswith(f"The target is {value:g} in row 7, while three quarters ")]
    assert len(found) == is_remarked


def test_a_constant_prediction_is_remarked(train: Train) -> None:
    _, result = train(make_binary(), models={"dummy": {"strategy": "most_frequent"}})

    assert result.remarks == [f"The model predicts {result.best.predictions[0].values[0].item()!r} for every one of 32 test rows."]


@pytest.mark.xdist_group("workers")
@pytest.mark.usefixtures("kept_workers")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_candidate_that_did_not_converge_is_named_with_its_folds_and_nothing_else_is_silenced(
    prepare: Callable[..., Any], n_jobs: int, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    from samebits.candidates import units
    from samebits.training.result import make_result

    monkeypatch.setattr(units, "WORKERS_FROM_CELLS", 0)
    models = {"neural_network": {"max_iter": 2}, "decision_tree": {"max_depth": 2}}
    config, materials = prepare(make_binary().assign(empty=np.nan), models=models, n_jobs=n_jobs, keep="all")
    result = make_result(config, materials)

    assert result.remarks == [
        "models.neural_network did not converge in 2 of 2 folds and in the final fit: give it more iterations, or scale its columns."
    ]
    assert not [warning for warning in recwarn if "converge" in str(warning.message)]


def test_a_candidate_that_is_not_fitted_finally_is_named_for_its_folds_alone(train: Train) -> None:
    models = {"neural_network": {"max_iter": 1, "learning_rate_init": 1e-9}, "logistic_regression": {}}

    _, result = train(make_binary(), models=models)

    assert result.best.name == "logistic_regression"
    assert result.remarks == ["models.neural_network did not converge in 2 of 2 folds: give it more iterations, or scale its columns."]


def test_other_warnings_of_a_fit_are_passed_on(train: Train) -> None:
    imputer = {"class": "sklearn.impute.SimpleImputer"}
    groups = [{"columns": ["x", "z", "empty"], "transformers": [imputer]}]

    with pytest.warns(UserWarning, match="Skipping features without any observed values"):
        train(make_binary().assign(empty=np.nan), models=TWO, preprocessing={"columns": groups})


def test_r2_of_the_training_rows_is_kept(train: Train) -> None:
    materials, result = train(make_quantity(), models={"ridge": {}})

    X, y = materials.read(materials.split.train_rows)
    assert result.metrics["train"]["r2"] == r2_score(y, clone(materials.candidates["ridge"]).fit(X, y).predict(X))


def test_without_test_rows_the_folds_are_the_result(train: Callable[..., tuple[Materials, Result]]) -> None:
    """Every row is predicted by a model that had not seen it, and the model itself is fitted on all of them."""
    frame = pd.DataFrame({"x": np.arange(60.0), "y": np.where(np.arange(60) + np.arange(60) % 7 > 30, "yes", "no")})

    _, result = train(frame, split={"method": "none"}, business={"f_beta": 1.0}, data={"positive": "yes"})

    assert result.metrics["test"] == {} and set(result.metrics["out_of_fold"]) >= {"accuracy", "roc_auc"}
    predictions = pd.read_csv(io.BytesIO(result.predictions))
    assert predictions["row"].tolist() == list(range(60))
    assert result.threshold is not None
    decided = np.where(predictions["response"] >= result.threshold.value, "yes", "no")
    assert predictions["predicted"].tolist() == decided.tolist()
    assert result.metrics["out_of_fold"]["accuracy"] == (predictions["predicted"] == predictions["recorded"]).mean()


def test_rows_go_by_their_numbers_in_the_table_whatever_rules_dropped(train: Callable[..., tuple[Materials, Result]]) -> None:
    frame = pd.DataFrame({"x": np.arange(60.0), "y": np.tile(["no", "yes"], 30)})

    _, result = train(frame, data={"rows": [{"drop": {"x": {"max": 19}}}]})

    rows = pd.read_csv(io.BytesIO(result.predictions))["row"].tolist() + pd.read_csv(io.BytesIO(result.out_of_fold))["row"].tolist()
    assert sorted(rows) == list(range(20, 60))


def test_a_result_without_an_error_is_remarked(train: Train) -> None:
    frame = make_binary(200).assign(copy=lambda frame: (frame["y"] == "yes").astype(int))

    given_away, honest = (train(one, models={"decision_tree": {"max_depth": 2}})[1] for one in (frame, make_binary(200)))

    assert [remark for remark in given_away.remarks if "give the target away" in remark]
    assert not honest.remarks


@pytest.mark.parametrize(
    ("detail", "cells", "models", "is_asked_beside"), [("short", 0, 1, True), ("short", 10**9, 2, False), ("full", 0, 1, False)]
)
def test_a_model_is_asked_beside_its_scores_where_it_may_be_and_pictures_are_drawn_beside_the_assessment(
    prepare: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, detail: str, cells: int, models: int, is_asked_beside: bool
) -> None:
    from samebits.candidates import units
    from samebits.training import final
    from samebits.training import result as results

    monkeypatch.setattr(units, "THREADS_FROM_CELLS", cells)
    chosen = {"boosting": {"max_iter": 5}, **TWO}
    config, materials = prepare(
        make_binary(), models=dict(list(chosen.items())[:models]), report={"detail": detail}, n_jobs=2
    )  # fmt: skip
    is_assessing, is_drawn, assess = threading.Event(), threading.Event(), results.assess
    asking, is_asking, explore, score = [], threading.Event(), final.explore, final._score_held_back
    seen, turn, filters = [], sys.getswitchinterval(), list(warnings.filters)

    def wait_and_assess(*args: Any) -> Any:
        is_assessing.set()
        assert is_drawn.wait(60)
        return assess(*args)

    def watch_and_explore(*args: Any) -> Any:
        asking.append(threading.current_thread())
        is_asking.set()
        return explore(*args)

    def wait_and_score(*args: Any) -> Any:
        assert not is_asked_beside or is_asking.wait(60)
        return score(*args)

    def draw(result: Result) -> Any:
        assert is_assessing.wait(60)
        seen.append(result)
        is_drawn.set()
        return [], ["drawn"]

    monkeypatch.setattr(results, "assess", wait_and_assess)
    monkeypatch.setattr(final, "explore", watch_and_explore)
    monkeypatch.setattr(final, "_score_held_back", wait_and_score)
    result = results.make_result(config, materials, draw=draw)

    assert result.pictures is not None
    assert result.pictures.result() == ([], ["drawn"])
    assert result.assessment
    assert [thread is not threading.main_thread() for thread in asking] == [is_asked_beside]
    assert seen == [dataclasses.replace(result, assessment={}, remarks=[], pictures=None)]
    assert sys.getswitchinterval() == turn
    assert warnings.filters == filters


@pytest.mark.parametrize("cells", [0, 10**9])
def test_a_drawing_that_fails_costs_no_result(prepare: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    from samebits.candidates import units
    from samebits.training.result import make_result

    def fail(_: Result) -> Any:
        raise MemoryError("no room for a picture")

    monkeypatch.setattr(units, "THREADS_FROM_CELLS", cells)
    result = make_result(*prepare(make_binary(), models={"boosting": {"max_iter": 5}}, n_jobs=2), draw=fail)

    assert result.pictures is not None
    assert repr(result.pictures.exception()) == "MemoryError('no room for a picture')"
    assert result.explored["importance"]["columns"]
