"""An estimator that draws what no seed reaches, for test_promise.py."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class UnseededClassifier(ClassifierMixin, BaseEstimator):
    """Calls rows positive by a fair coin of its own."""

    def fit(self, X: Any, y: np.ndarray) -> Self:
        self.classes_ = np.unique(y)
        self.weights_ = np.random.default_rng().normal(size=len(X.T))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        response = 1 / (1 + np.exp(-np.asarray(X) @ self.weights_))
        return np.column_stack([1 - response, response])

    def predict(self, X: Any) -> np.ndarray:
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]
