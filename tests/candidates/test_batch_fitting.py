"""A pipeline learns from a table on disk what it would learn in memory, batch by batch, and every row counts once in each epoch."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.pipeline import Pipeline

from samebits.candidates.batch_fitting import fit_batches
from samebits.candidates.fitting import fit_watched
from samebits.candidates.materials import Sample
from samebits.errors import DataError
from samebits.estimation.weights import Weights
from samebits.keys.learning import Batches
from samebits.stored.stored_table import StoredTable, store_column
from samebits.training.storing import store_model
from samebits.transformers import EncodedLabels

N = 5300
GENERATOR = np.random.default_rng(0)
FRAME = pd.DataFrame({f"x{number}": np.round(GENERATOR.normal(size=N), 2) for number in range(4)})
FRAME.loc[::9, "x0"] = np.nan
SCORES = FRAME["x1"].to_numpy() + FRAME["x2"].to_numpy() ** 2
TARGETS = {
    "binary": np.where(SCORES > 1, "yes", "no"),
    "multiclass": np.digitize(SCORES, [0.0, 1.0, 2.0]),
    "regression": SCORES,
}


def make_sample(y: np.ndarray, weights: Weights | None = None, **keys: int) -> Sample:
    batches = Batches(**{"rows": 1000, **keys})
    stored = {name: store_column(FRAME[name]) for name in FRAME}
    return Sample(StoredTable(stored, N, batches.rows), y, weights or Weights(), batches)


def make_pipeline(model: Any) -> Pipeline:
    return Pipeline([("columns", SimpleImputer()), ("model", model)])


class Remembering(ClassifierMixin, BaseEstimator):
    """Remembers what it was given."""

    def partial_fit(self, X: np.ndarray, y: np.ndarray, classes: Any = None, sample_weight: Any = None) -> Remembering:
        self.seen_ = [*getattr(self, "seen_", []), (X, y, sample_weight)]
        self.classes_ = classes
        return self


def test_each_epoch_takes_every_row_once_in_an_order_of_its_own() -> None:
    numbers = np.arange(N)
    np.random.seed(3)

    model = fit_batches(make_pipeline(Remembering()), make_sample(numbers, epochs=2), 1).steps[-1][1]

    seen = [y for _, y, _ in model.seen_]
    epochs = [np.concatenate(seen[:6]), np.concatenate(seen[6:])]
    assert [sorted(epoch) for epoch in epochs] == [list(range(N))] * 2
    assert epochs[0].tolist() != epochs[1].tolist() and seen[0].tolist() != sorted(seen[0])
    assert {(y.min() // 1000, y.max() // 1000) for y in seen} == {(batch, batch) for batch in range(6)}
    assert model.classes_.tolist() == list(range(N))
    X = np.concatenate([rows for rows, _, _ in model.seen_[:6]])[np.argsort(epochs[0])]
    np.testing.assert_array_equal(X, SimpleImputer().fit_transform(FRAME.to_numpy()))


def test_the_same_seed_gives_the_same_bits_and_another_others() -> None:
    def fit(seed: int) -> bytes:
        np.random.seed(seed)
        fitted = fit_batches(make_pipeline(SGDClassifier(random_state=0)), make_sample(TARGETS["binary"]), 1)
        return bytes(fitted.steps[-1][1].coef_.tobytes())

    assert fit(1) == fit(1) != fit(2)


def test_preprocessing_is_learned_from_evenly_spaced_rows() -> None:
    sample = make_sample(TARGETS["regression"], preprocessing_rows=1000)

    fitted = fit_batches(make_pipeline(SGDRegressor(random_state=0)), sample, 1)

    some = np.unique(np.linspace(0, N - 1, 1000).astype(int))
    np.testing.assert_array_equal(fitted.steps[0][1].statistics_, SimpleImputer().fit(FRAME.iloc[some].to_numpy()).statistics_)


def test_weights_go_with_their_rows_and_balance_all_rows_of_the_fit() -> None:
    y = TARGETS["binary"]
    column = np.arange(N, dtype=np.float64)

    model = fit_batches(make_pipeline(Remembering()), make_sample(y, Weights(column, "balanced")), 1).steps[-1][1]

    balance = {label: N / (2 * np.sum(y == label)) for label in ("yes", "no")}
    for _, labels, weights in model.seen_:
        by_row = weights / np.array([balance[label] for label in labels])
        assert len(set(np.round(by_row).astype(int))) == len(labels)
        np.testing.assert_allclose(by_row, np.round(by_row))


@pytest.mark.parametrize("task", list(TARGETS))
@pytest.mark.parametrize("is_weighted", [False, True])
def test_xgboost_learns_from_disk_the_trees_that_it_learns_in_memory_over_any_threads(
    task: str, is_weighted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / 'ä "quoted" folder'))  # XGBoost by itself writes to none of such a name
    xgboost = pytest.importorskip("xgboost")
    y = TARGETS[task]
    is_quantity = task == "regression"
    kind = xgboost.XGBRegressor if is_quantity else xgboost.XGBClassifier
    model = kind(n_estimators=6, max_depth=3, max_bin=64, subsample=0.7, random_state=1, tree_method="hist")
    pipeline = make_pipeline(model if is_quantity else EncodedLabels(model))
    weights = Weights(np.arange(N) % 7 + 1.0) if is_weighted else Weights()

    whole = fit_watched(pipeline, Sample(FRAME, y, weights), 1).pipeline
    stored = [fit_watched(pipeline, make_sample(y, weights, rows=rows), threads).pipeline for rows, threads in ((1000, 1), (3000, 2))]

    assert {store_model(one, ["xgboost"])[1] for one in stored} == {store_model(whole, ["xgboost"])[1]}
    for one in stored:
        np.testing.assert_array_equal(one.predict(FRAME), whole.predict(FRAME))


def test_xgboost_draws_columns_by_their_weights_from_disk_too() -> None:
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBRegressor(
        n_estimators=3, colsample_bynode=0.5, feature_weights=[9, 1, 0, 0], random_state=1, tree_method="hist"
    )
    pipeline, y = make_pipeline(model), TARGETS["regression"]

    stored = fit_watched(pipeline, make_sample(y), 1).pipeline

    whole = fit_watched(pipeline, Sample(FRAME, y, Weights()), 1).pipeline
    assert store_model(stored, ["xgboost"])[1] == store_model(whole, ["xgboost"])[1]


@pytest.mark.parametrize(("max_bin", "n_bytes"), [(64, N * 20), (1000, N * 32)])
def test_a_disk_without_room_for_bins_is_said_before_xgboost_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, max_bin: int, n_bytes: int
) -> None:
    xgboost = pytest.importorskip("xgboost")
    pipeline = make_pipeline(xgboost.XGBRegressor(n_estimators=1, max_bin=max_bin, tree_method="hist"))
    sample = make_sample(TARGETS["regression"])
    fit_batches(pipeline, sample, 1)

    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=n_bytes - 1))
    with pytest.raises(DataError, match=r"no room left\. Set TMPDIR"):
        fit_batches(pipeline, sample, 1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=n_bytes))
    fit_batches(pipeline, sample, 1)
