"""Predictions: what a fitted model says of some rows, each question put to it once, and the tables in which it is kept."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import Pipeline

from samebits.config.catalog import CLASSIFICATION, LIKELIEST_CLASS
from samebits.data.folds import Split
from samebits.data.target import Target
from samebits.stored.taken_rows import Rows, ask_blocks

RESPONSE_METHODS = ("predict_proba", "decision_function")
_WRITTEN_ROWS = 1_000_000  # of a table that is written, at a time
_CLOSE = 1e-9  # probabilities nearer than this may be ordered otherwise than what they were computed from


@dataclass(frozen=True)
class Prediction:
    """What a model says of some rows.

    Parameters
    ----------
    values
        Shape (n_rows,): the predicted classes, or quantities.
    responses
        Binary: shape (n_rows,), for the positive class. Multi-class: shape (n_rows, n_classes), probabilities. None: it has none.
    """

    values: np.ndarray
    responses: np.ndarray | None


class Answers:
    """A fitted model that remembers what it said of one table, and otherwise is the model: a scorer takes it for one.

    Most of a run's predictions are asked for twice, as labels and as responses. Where labels are known to follow from the
    responses, they are taken from them.
    """

    def __init__(self, model: Any, X: Rows) -> None:
        self._model = model
        self._X = X
        self._said: dict[str, np.ndarray] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and not name.startswith("__sklearn"):
            raise AttributeError(name)
        found = getattr(self._model, name)
        if name not in (*RESPONSE_METHODS, "predict"):
            return found

        def ask(X: Rows) -> np.ndarray:
            return self._ask(name, X)

        ask.__name__ = name  # by which scorers tell one from another
        return ask

    def has_said(self, *names: str) -> bool:
        """Tell whether these methods were asked already, so that they cost nothing more; labels may follow from probabilities."""
        said = {*self._said, *(["predict"] if "predict_proba" in self._said and _predicts_the_likeliest(self._model) else [])}
        return said.issuperset(names)

    def _ask(self, name: str, X: Rows) -> np.ndarray:
        if X is not self._X:
            return ask_blocks(getattr(self._model, name), X)
        if name not in self._said:
            derived = self._derive_labels() if name == "predict" else None
            self._said[name] = derived if derived is not None else ask_blocks(getattr(self._model, name), X)
        return self._said[name]

    def _derive_labels(self) -> np.ndarray | None:
        if isinstance(self._model, FixedThresholdClassifier):
            is_positive = self._model.classes_ == self._model.pos_label
            called = take_positive(self._ask(self._model.response_method, self._X), is_positive) >= self._model.threshold
            labels: np.ndarray = self._model.classes_[np.where(called, np.argmax(is_positive), np.argmin(is_positive))]
            return labels
        if not _predicts_the_likeliest(self._model):
            return None
        probabilities = self._ask("predict_proba", self._X)
        ordered = np.sort(probabilities, axis=1)
        if probabilities.shape[1] < 2 or not np.all(ordered[:, -1] - ordered[:, -2] > _CLOSE):
            return None
        labels = self._model.classes_[np.argmax(probabilities, axis=1)]
        return labels


def _predicts_the_likeliest(model: Any) -> bool:
    kind = type(model.steps[-1][1] if isinstance(model, Pipeline) else model)
    return kind.__name__ in LIKELIEST_CLASS and kind.__module__.startswith("sklearn.")


def take_positive(responses: np.ndarray, is_positive: np.ndarray) -> np.ndarray:
    """Return the responses for the positive class of two: a column of probabilities, or the decision function, which may be turned."""
    if responses.ndim == 2:
        positive: np.ndarray = responses[:, np.argmax(is_positive)]
        return positive
    return responses if is_positive[1] else -responses


def name_response_method(model: Any) -> str | None:
    """Return the method by which a model gives responses, or None."""
    return next((name for name in RESPONSE_METHODS if hasattr(model, name)), None)


def predict_rows(model: Answers, X: Rows, target: Target, with_probabilities: bool = True) -> Prediction:
    """Return what a model says of the rows that its answers are for.

    Parameters
    ----------
    with_probabilities
        Whether the probabilities of more than two classes are wanted.
    """
    values, method = model.predict(X), name_response_method(model)
    if target.task not in CLASSIFICATION or target.labels is None or method is None:
        return Prediction(values, None)
    if target.task == "binary":
        return Prediction(values, take_positive(getattr(model, method)(X), model.classes_ == target.positive))
    if method != "predict_proba" or not with_probabilities:
        return Prediction(values, None)
    return Prediction(values, _spread(model.predict_proba(X), model.classes_, target.labels))


def _spread(probabilities: np.ndarray, classes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return one column for each of the target's labels; a class that no training row has is given no probability."""
    spread = np.zeros((len(probabilities), len(labels)))
    spread[:, np.searchsorted(labels, classes)] = probabilities
    return spread


def join_folds(split: Split, predictions: Sequence[Prediction]) -> tuple[np.ndarray, Prediction]:
    """Return the rows that folds score, in order and each once, and what was said of them by whoever had not seen them."""
    scored = np.concatenate([split.train_rows[score_rows] for _, score_rows in split.folds])
    rows, first = np.unique(scored, return_index=True)
    responses = [one.responses for one in predictions if one.responses is not None]
    values = np.concatenate([one.values for one in predictions])[first]
    return rows, Prediction(values, np.concatenate(responses)[first] if responses else None)


def decide_by_threshold(prediction: Prediction, threshold: float, target: Target) -> Prediction:
    """Return a binary prediction whose labels follow from its responses by a threshold."""
    if prediction.responses is None or target.labels is None:
        return prediction
    negative = next(label for label in target.labels.tolist() if label != target.positive)
    values = np.where(prediction.responses >= threshold, target.positive, negative).astype(target.labels.dtype)
    return Prediction(values, prediction.responses)


def tabulate_scores(prediction: Prediction, labels: np.ndarray | None, method: str | None) -> dict[str, np.ndarray]:
    """Return what was said of rows as named columns: `predicted`, and `probability` (or `decision`) or `probability_<label>`.

    Parameters
    ----------
    labels
        The classes, in the order of the responses; None under regression.
    method
        By which the responses were asked for.
    """
    responses = prediction.responses
    if responses is None or labels is None:
        return {"predicted": prediction.values}
    if responses.ndim == 1:
        return {"predicted": prediction.values, "probability" if method == RESPONSE_METHODS[0] else "decision": responses}
    return {"predicted": prediction.values, **{f"probability_{label}": responses[:, i] for i, label in enumerate(labels.tolist())}}


def choose_score(columns: dict[str, np.ndarray]) -> str:
    """Return the column of scores that shows best whether a model says other things than it did: of two classes, the response.

    >>> choose_score({"predicted": np.zeros(1), "probability": np.zeros(1)}), choose_score({"predicted": np.zeros(1)})
    ('probability', 'predicted')
    """
    return next((name for name in ("probability", "decision") if name in columns), "predicted")


def write_predictions(rows: np.ndarray, numbers: np.ndarray, target: Target, prediction: Prediction) -> bytes:
    """Return predictions.csv: row number, recorded and predicted target, responses; numbers are exact.

    Parameters
    ----------
    numbers
        The number in the table of every row in use.
    """
    table: dict[str, Any] = {"row": numbers[rows], "recorded": target.values[rows], "predicted": prediction.values}
    responses = prediction.responses
    if responses is not None and responses.ndim == 1:
        table["response"] = responses
    elif responses is not None and target.labels is not None:
        table.update({f"probability_{label}": responses[:, i] for i, label in enumerate(target.labels.tolist())})
    return _write_table(table)


def write_out_of_fold(split: Split, numbers: np.ndarray, target: Target, predictions: Mapping[str, list[Prediction]]) -> bytes:
    """Return out_of_fold.csv: for each row that a fold scores, what each candidate said of it without having seen it.

    Parameters
    ----------
    numbers
        The number in the table of every row in use.
    predictions
        By candidate, one for each fold.
    """
    rows = np.concatenate([split.train_rows[score_rows] for _, score_rows in split.folds])
    folds = np.repeat(np.arange(1, len(split.folds) + 1), [len(score_rows) for _, score_rows in split.folds])
    table: dict[str, Any] = {"row": numbers[rows], "fold": folds, "recorded": target.values[rows]}
    for name, found in predictions.items():
        table[f"predicted_{name}"] = np.concatenate([prediction.values for prediction in found])
        responses = [prediction.responses for prediction in found if prediction.responses is not None]
        if responses:
            table[f"response_{name}"] = np.concatenate(responses)
    return _write_table(table)


def _write_table(table: dict[str, Any]) -> bytes:
    """Some rows at a time: of many millions, the text is held once, not three times."""
    n_rows, content = len(next(iter(table.values()))), io.BytesIO()
    for first in range(0, max(1, n_rows), _WRITTEN_ROWS):
        some = pd.DataFrame({name: values[first : first + _WRITTEN_ROWS] for name, values in table.items()})
        content.write(some.to_csv(index=False, header=first == 0, lineterminator="\n").encode("utf-8"))
    return content.getvalue()
