"""An estimator that says when it is being fitted and waits to be let on, so that no test has to guess how long a training takes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Self

from sklearn.dummy import DummyClassifier


class GatedClassifier(DummyClassifier):
    """Makes `reached` in the folder that GATE names, and is fitted once `open` stands there."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        gate = Path(os.environ["GATE"])
        (gate / "reached").mkdir(parents=True, exist_ok=True)
        while not (gate / "open").exists():
            time.sleep(0.05)
        return super().fit(X, y, sample_weight)
