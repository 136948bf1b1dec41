"""Each question is put to a model once, and labels taken from responses are the model's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import all_estimators

from samebits.config.catalog import LIKELIEST_CLASS
from samebits.data.target import Target
from samebits.estimation.prediction import Answers, predict_rows

CLASSIFIERS: dict[str, Any] = dict(all_estimators("classifier"))


def draw(kind: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Ordinary tables, and two in which classes come out even: mirrored rows, and rows without any information."""
    if kind in ("mirrored", "constant"):
        half = np.random.default_rng(1).integers(-2, 3, size=(60, 2)).astype(float)
        X = np.vstack([half, -half, half, -half]) if kind == "mirrored" else np.zeros((240, 2))
        return pd.DataFrame(X), np.array(["a", "b", "b", "a"]).repeat(60)
    n_classes = int(kind)
    X, y = make_classification(240, 5, n_informative=4, n_redundant=0, n_classes=n_classes, random_state=2)
    return pd.DataFrame(X), np.array(["a", "b", "c"])[y]


class Counting:
    """A model that counts what it is asked."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name in ("predict", "predict_proba", "decision_function"):
            found = getattr(self.model, name)
            return lambda X: self.asked.append(name) or found(X)
        return getattr(self.model, name)


@pytest.mark.parametrize("kind", ["2", "3", "mirrored", "constant"])
@pytest.mark.parametrize("name", sorted(LIKELIEST_CLASS))
def test_labels_taken_from_probabilities_are_those_that_the_model_predicts(name: str, kind: str) -> None:
    X, y = draw(kind)
    settings = {"max_iter": 30} if "max_iter" in CLASSIFIERS[name]().get_params() else {}
    model = make_pipeline(StandardScaler(), CLASSIFIERS[name](**settings)).fit(X[::2], y[::2])

    labels = Answers(model, X).predict(X)

    assert labels.tolist() == model.predict(X).tolist()


def test_a_model_that_predicts_the_likeliest_class_is_asked_once_for_labels_and_responses(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = draw("2")
    forest = CLASSIFIERS["RandomForestClassifier"]
    model = make_pipeline(forest(5, random_state=0)).fit(X, y)
    asked: list[str] = []
    for name in ("predict", "predict_proba"):
        own = getattr(forest, name)
        monkeypatch.setattr(forest, name, lambda self, X, name=name, own=own: asked.append(name) or own(self, X))

    predict_rows(Answers(model, X), X, Target("binary", y[:0], np.array(["a", "b"]), "b"))

    assert asked == ["predict_proba"]


@pytest.mark.parametrize("scoring", ["average_precision", "accuracy", "neg_log_loss", "balanced_accuracy"])
def test_a_scorer_takes_the_answers_for_the_model(scoring: str) -> None:
    X, y = draw("2")
    y = (y == "b").astype(int)
    model = make_pipeline(LogisticRegression()).fit(X, y)

    assert get_scorer(scoring)(Answers(model, X), X, y) == get_scorer(scoring)(model, X, y)


def test_each_question_is_put_to_the_model_once() -> None:
    X, y = draw("2")
    counted = Counting(SVC().fit(X, y))
    answers = Answers(counted, X)
    target = Target("binary", y[:0], np.array(["a", "b"]), "b")

    for _ in range(2):
        predict_rows(answers, X, target)
        answers.decision_function(X)

    assert sorted(counted.asked) == ["decision_function", "predict"]


def test_other_rows_are_not_answered_from_memory() -> None:
    X, y = draw("2")
    model = SVC().fit(X, y)
    answers = Answers(model, X)
    answers.predict(X)

    assert answers.predict(X[:7]).tolist() == model.predict(X[:7]).tolist()


@pytest.mark.parametrize("positive", ["a", "b"])
@pytest.mark.parametrize(
    ("estimator", "method", "threshold"), [(LogisticRegression(), "predict_proba", 0.3), (SVC(), "decision_function", -0.2)]
)
def test_a_threshold_is_applied_as_scikit_learn_applies_it(estimator: Any, method: str, threshold: float, positive: str) -> None:
    X, y = draw("2")
    frozen = FrozenEstimator(clone(estimator).fit(X, y))
    model = FixedThresholdClassifier(frozen, threshold=threshold, pos_label=positive, response_method=method)
    model.fit(np.zeros((2, 1)), np.array(["a", "b"]))
    target = Target("binary", y[:0], np.array(["a", "b"]), positive)

    prediction = predict_rows(Answers(model, X), X, target)

    assert prediction.values.tolist() == model.predict(X).tolist()
    assert prediction.responses is not None
    assert (prediction.responses >= threshold).tolist() == (prediction.values == positive).tolist()
    assert len(set(prediction.values.tolist())) == 2
