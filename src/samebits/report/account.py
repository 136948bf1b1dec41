"""The account: all that is told of a run, as plain values, read from what was recorded and never from a model.

Classes are read as text, as the recorded tables have them, so that `1`, `true` and `M` are told alike.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from samebits.config.catalog import Task
from samebits.digests import canonical_json
from samebits.lineage.manifest import Stage, infer_task, take_held_back

PROBABILITY = "probability_"  # before a class, the name of a column of predictions.csv
# What only a fitted model can tell, by the name of its picture.
EXPLORED = ("importance", "partial_dependence", "learning_curve", "epochs")


@dataclass(frozen=True)
class Account:
    """What a run is told from.

    Parameters
    ----------
    stages
        Of its lineage; the stage of the report itself is not looked at.
    assessment
        As assessment.json has it; empty where the run knew none.
    predictions
        The recorded table; without a row where the run left none.
    baseline
        As drift_baseline.json has it.
    explored
        By name of `EXPLORED`: what was asked of the model when there was one.
    keeps_figures
        Whether the run has its pictures as files: one that was made without has them in a page alone.
    """

    stages: Mapping[str, Stage]
    assessment: dict[str, Any] = field(default_factory=dict)
    predictions: pd.DataFrame = field(default_factory=pd.DataFrame)
    remarks: tuple[str, ...] = ()
    baseline: dict[str, Any] = field(default_factory=dict)
    explored: dict[str, dict[str, Any]] = field(default_factory=dict)
    keeps_figures: bool = True

    @property
    def config(self) -> dict[str, Any]:
        """The config as it was resolved, its keys in one order: a rerun is not given them in the order of whoever wrote them."""
        resolved: dict[str, Any] = json.loads(canonical_json(self.stages["config"]["resolved"]))
        return resolved

    @property
    def task(self) -> Task:
        """What was asked of the target."""
        return infer_task(self.stages["metrics"])

    @property
    def target(self) -> str:
        """The column that is predicted."""
        return str(self.config["data"].get("target", "the target"))

    @property
    def has_test_rows(self) -> bool:
        """Whether rows were held back; else all is told of what was said out of fold."""
        return bool(self.stages["metrics"]["test"])

    @property
    def rows_name(self) -> str:
        """What the rows are called that the result is told of."""
        return "test rows" if self.has_test_rows else "rows out of fold"

    @property
    def metrics(self) -> dict[str, float]:
        """Of the chosen candidate on those rows."""
        stage = self.stages["metrics"]
        return dict(take_held_back(stage)[1])

    @property
    def threshold(self) -> float | None:
        """At and above which a response is called positive, where the config chose one."""
        value = self.stages["threshold"].get("value")
        return None if value is None else float(value)

    @cached_property
    def recorded(self) -> np.ndarray:
        """The target of each row: text, or a number under regression."""
        return self._read("recorded")

    @cached_property
    def predicted(self) -> np.ndarray:
        """What the model said of each row, likewise."""
        return self._read("predicted")

    @cached_property
    def responses(self) -> np.ndarray | None:
        """For the positive class of two; None where the model gives none."""
        return self.predictions["response"].to_numpy(dtype=np.float64) if "response" in self.predictions else None

    @cached_property
    def labels(self) -> list[str]:
        """The classes, in order: numbers by size, words by letters."""
        named = {str(name).removeprefix(PROBABILITY) for name in self.predictions if str(name).startswith(PROBABILITY)}
        found = named or {*self.recorded, *self.predicted}
        return sorted(map(str, found), key=_rank)

    @cached_property
    def positive(self) -> str:
        """The positive class of two: the one that the config names, or else the greater."""
        wanted = self.config["data"].get("positive")
        same = [label for label in self.labels if wanted is not None and label.lower() == str(wanted).lower()]
        return same[0] if same else self.labels[-1]

    @property
    def negative(self) -> str:
        """The other of two classes."""
        return next((label for label in self.labels if label != self.positive), f"not {self.positive}")

    def _read(self, name: str) -> np.ndarray:
        return self.predictions[name].to_numpy() if name in self.predictions else np.empty(0)


def _rank(label: str) -> tuple[bool, float, str]:
    try:
        number = float(label)
    except ValueError:
        return True, 0.0, label
    return (True, 0.0, label) if math.isnan(number) else (False, number, label)  # which is neither more nor less than any


def read_predictions(content: bytes, task: Task) -> pd.DataFrame:
    """Return the table of predictions.csv: no class is taken for missing, and numbers are what was written.

    Raises
    ------
    ValueError
        It is none.
    """
    if not content.strip():
        return pd.DataFrame()
    names = list(pd.read_csv(io.BytesIO(content), nrows=0).columns)
    texts = [] if task == "regression" else [name for name in names if name in ("recorded", "predicted")]
    return pd.read_csv(
        io.BytesIO(content),
        dtype=dict.fromkeys(texts, "object"),
        keep_default_na=False,
        na_values={name: [""] for name in names if name not in texts},
    )
