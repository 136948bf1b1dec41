"""Classifiers of a stranger's package, for test_storing.py: what can be stored of them, and what cannot."""

from __future__ import annotations

import random
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

FITS: list[np.ndarray] = []  # the targets of each fit


class ContainerClassifier(ClassifierMixin, BaseEstimator):
    """Says the most frequent class, and keeps what it learned in the standard library's containers."""

    def __init__(self, least_rows: int = 1) -> None:
        self.least_rows = least_rows

    def fit(self, X: Any, y: np.ndarray) -> Self:
        FITS.append(y)
        random.random()
        np.random.random()
        if len(y) < self.least_rows:
            raise ValueError("too few rows")
        self.classes_ = np.unique(y)
        self.counts_ = Counter(y.tolist())
        self.kept_ = (
            deque([1, OrderedDict(a=2)], maxlen=5),
            defaultdict(OrderedDict, {1: OrderedDict(b=3)}),
            {1: 2, "a": 3, 10: 4},
            {True: 1, False: 2},
        )
        self.learn()
        return self

    def learn(self) -> None:
        """Nothing more."""

    def predict(self, X: Any) -> np.ndarray:
        return np.repeat(self.classes_[0], len(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        return np.tile(np.eye(len(self.classes_))[0], (len(X), 1))


class LambdaClassifier(ContainerClassifier):
    """Keeps a function that has no name."""

    def learn(self) -> None:
        self.function_ = defaultdict(lambda: 1)


class ComplexClassifier(ContainerClassifier):
    """Keeps what skops cannot store."""

    def learn(self) -> None:
        self.number_ = 1j


class ForgetfulClassifier(ContainerClassifier):
    """Comes back from its file as another."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, counts_=Counter())


class Leaver(ClassifierMixin, BaseEstimator):
    """Ends the program in the middle of a fit, with the exit code of a broken claim."""

    def fit(self, X: Any, y: Any) -> Self:
        raise SystemExit(3)

    def predict(self, X: Any) -> Any:
        return X
