"""Exploration: what only a fitted model can tell, asked of it while it is there, as plain values that a report draws later without it.

Which columns it relies on; and, where `report: full` asks for it, what it makes of them and whether more rows would help. It decides
nothing: it comes last, with seeds of its own, and where it cannot be done the reason stands in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from samebits.candidates.fitting import FAILURES, fit_watched, lend_threads_to_predict
from samebits.candidates.materials import Materials
from samebits.estimation.prediction import RESPONSE_METHODS, Answers, Prediction, predict_rows
from samebits.estimation.target_transform import find_estimator
from samebits.keys.config import Config
from samebits.networks import ModuleClassifier, ModuleRegressor
from samebits.numerics.generators import derive_seed, plant_seeds

MOST_COLUMNS = 60  # of a short report: more would take as long as the training itself
_ROWS = {"short": 1000, "full": 5000}
_REPEATS = {"short": 3, "full": 10}
_BLOCK_ROWS = 20_000  # that a model is asked of at once: most of what few rows cost is the asking
_CURVES, _GRID = 4, 20
_SHARES, _FOLDS = (0.1, 0.25, 0.5, 0.75, 1.0), 5
_SEED_PLACE = "report"
Found = dict[str, dict[str, Any]]


def explore(config: Config, materials: Materials, name: str, model: Any, fitted: Pipeline, threads: int) -> Found:
    """Return, by the name of a picture, what it shows, or under `left_out` why it shows nothing.

    Parameters
    ----------
    name
        Of the candidate that was chosen.
    model, fitted
        As it decides; and by itself.
    """
    if config.report.detail == "none":
        return {}
    with lend_threads_to_predict(fitted, threads):
        found = {"importance": _try(lambda: _measure_importance(config, materials, model))}
        if config.report.detail == "full":
            found["partial_dependence"] = _try(lambda: _follow_columns(config, materials, model, found["importance"]))
    epochs = read_epochs(fitted)
    if epochs is not None:
        found["epochs"] = epochs
    if config.report.detail == "full":
        found["learning_curve"] = _try(lambda: _learn_from_fewer(config, materials, name, threads))
    return found


def read_epochs(fitted: Pipeline) -> dict[str, Any] | None:
    """Return the losses of a network's own fit; None of any other model."""
    model = find_estimator(fitted)
    if not isinstance(model, ModuleClassifier | ModuleRegressor):
        return None
    return {"train": model.train_losses_.tolist(), "valid": model.valid_losses_.tolist(), "best_epoch": model.best_epoch_}


def _try(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return ask()
    except FAILURES as error:
        return {"left_out": f"the model could not be asked ({type(error).__name__})"}


def _measure_importance(config: Config, materials: Materials, model: Any) -> dict[str, Any]:
    """Return what the score loses when a column is shuffled: permutation importance, Breiman 2001, as scikit-learn draws it."""
    detail = config.report.detail
    if not len(materials.split.test_rows):
        return {"left_out": "no rows were held back, and of rows that a model was fitted on this tells little"}
    if detail == "short" and len(materials.inputs) > MOST_COLUMNS:
        return {"left_out": f"there are more than {MOST_COLUMNS} columns (report: full has it all the same)"}
    X, y = materials.read(_draw_rows(config, materials))
    seed = derive_seed(config.seed, f"{_SEED_PLACE}.importance")
    base = float(materials.scorer(Answers(model, X), X, y))
    if not np.isfinite(base):
        return {"left_out": "the score has no value on these rows"}
    losses = {name: base - scores for name, scores in _score_shuffled(materials, model, X, y, seed, _REPEATS[detail])}
    return {
        "scoring": materials.scoring,
        "score": base,
        "n_rows": len(X),
        "n_repeats": _REPEATS[detail],
        "seed": seed,
        "columns": {name: {"mean": float(loss.mean()), "spread": float(loss.std())} for name, loss in losses.items()},
    }


def _draw_rows(config: Config, materials: Materials) -> np.ndarray:
    rows, most = materials.split.test_rows, _ROWS[config.report.detail]
    if len(rows) <= most:
        return rows
    generator = np.random.default_rng(derive_seed(config.seed, f"{_SEED_PLACE}.rows"))
    return np.sort(generator.choice(rows, most, replace=False))


def _score_shuffled(
    materials: Materials, model: Any, X: pd.DataFrame, y: np.ndarray, seed: int, n_repeats: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each column with its scores, shape (n_repeats,); many shufflings are asked of the model at once."""
    n_rows, names = len(X), list(X.columns)
    orders = _draw_orders(n_rows, seed, n_repeats)
    n_at_once = max(1, _BLOCK_ROWS // (n_rows * n_repeats))
    for start in range(0, len(names), n_at_once):
        some = names[start : start + n_at_once]
        places = np.tile(np.arange(n_rows), len(some) * n_repeats)
        stacked = dict.fromkeys(names, places)
        for number, name in enumerate(some):
            own = slice(number * n_repeats * n_rows, (number + 1) * n_repeats * n_rows)
            stacked[name] = np.concatenate([places[: own.start], orders, places[own.stop :]])
        asked = pd.DataFrame({name: X[name].array.take(taken) for name, taken in stacked.items()})
        answers = Answers(model, asked)
        scores = [
            float(materials.scorer(_Part(answers, asked, slice(first, first + n_rows)), X, y))
            for first in range(0, len(asked), n_rows)
        ]
        yield from zip(some, np.reshape(scores, (len(some), n_repeats)), strict=True)


def _draw_orders(n_rows: int, seed: int, n_repeats: int) -> np.ndarray:
    """Return the rows of all repeats one after the other; each repeat shuffles what the one before left."""
    of_columns = np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1)  # as scikit-learn derives it
    generator, order, rows, drawn = np.random.RandomState(of_columns), np.arange(n_rows), np.arange(n_rows), []
    for _ in range(n_repeats):
        generator.shuffle(order)
        rows = rows[order]
        drawn.append(rows)
    return np.concatenate(drawn)


class _Part:
    """A model whose answers are those to some rows of a table that it was asked of as a whole."""

    def __init__(self, answers: Answers, asked: pd.DataFrame, rows: slice) -> None:
        self._answers, self._asked, self._rows = answers, asked, rows

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and not name.startswith("__sklearn"):
            raise AttributeError(name)
        found = getattr(self._answers, name)
        if name not in (*RESPONSE_METHODS, "predict"):
            return found

        def ask(_: Any) -> np.ndarray:
            answer: np.ndarray = found(self._asked)[self._rows]
            return answer

        ask.__name__ = name  # by which scorers tell one from another
        return ask


def _follow_columns(config: Config, materials: Materials, model: Any, importance: dict[str, Any]) -> dict[str, Any]:
    """Return the mean prediction were a column to have one value in every row: partial dependence, Friedman 2001."""
    if "left_out" in importance:
        return {"left_out": "it follows the columns' importance, which is left out"}
    X, _ = materials.read(_draw_rows(config, materials))
    means = {name: one["mean"] for name, one in importance["columns"].items() if materials.kinds[name] == "numeric"}
    chosen = sorted(means, key=lambda name: (-means[name], name))[:_CURVES]
    of, columns = "", {}
    for name in chosen:
        known = X[name].to_numpy(dtype=np.float64)
        grid = np.unique(np.quantile(known[np.isfinite(known)], np.linspace(0.02, 0.98, _GRID), method="nearest"))
        asked = X.iloc[np.tile(np.arange(len(X)), len(grid))].reset_index(drop=True).assign(**{name: np.repeat(grid, len(X))})
        of, said = _read_quantity(materials, predict_rows(Answers(model, asked), asked, materials.target))
        columns[name] = {"values": grid.tolist(), "mean": said.reshape(len(grid), len(X)).mean(axis=1).tolist()}
    return {"of": of, "n_rows": len(X), "columns": columns}


def _read_quantity(materials: Materials, prediction: Prediction) -> tuple[str, np.ndarray]:
    """Return what of a prediction is a number, and its name: of many classes, the probability of the most frequent one."""
    target, responses = materials.target, prediction.responses
    if target.task == "regression":
        return "prediction", prediction.values
    if responses is not None and responses.ndim == 1:
        return f"response for {target.positive}", responses
    assert target.labels is not None
    labels, counts = np.unique(target.values[materials.split.train_rows], return_counts=True)
    label = labels[np.argmax(counts)]
    if responses is None:
        return f"share called {label}", (prediction.values == label).astype(np.float64)
    return f"probability of {label}", responses[:, np.searchsorted(target.labels, label)]


def _learn_from_fewer(config: Config, materials: Materials, name: str, threads: int) -> dict[str, Any]:
    """Return the score of the candidate on rows that it was fitted on and rows left out, by how many it was fitted on."""
    training, generator = materials.take_training(), np.random.default_rng(derive_seed(config.seed, f"{_SEED_PLACE}.learning_curve"))
    folds = materials.split.folds[:_FOLDS]
    drawn = [generator.permutation(len(fit_rows)) for fit_rows, _ in folds]
    sizes = [int(share * min(len(fit_rows) for fit_rows, _ in folds)) for share in _SHARES]
    train: list[list[float]] = []
    held_out: list[list[float]] = []
    for size in sizes:
        train.append([])
        held_out.append([])
        for number, ((fit_rows, score_rows), order) in enumerate(zip(folds, drawn, strict=True)):
            plant_seeds(config.seed, f"{_SEED_PLACE}.learning_curve.{size}.{number}")
            some = training.take(fit_rows[np.sort(order[:size])]).copy()
            model = fit_watched(materials.candidates[name], some, threads).pipeline
            train[-1].append(float(materials.scorer(Answers(model, some.X), some.X, some.y)))
            left = training.take(score_rows).copy()
            held_out[-1].append(float(materials.scorer(Answers(model, left.X), left.X, left.y)))
    if not np.isfinite([train, held_out]).all():
        return {"left_out": "a score has no value on so few rows"}
    return {"scoring": materials.scoring, "n_rows": sizes, "train": train, "held_out": held_out}
