"""What a stored model says of later rows: labels, as its threshold counts them, with probabilities, or quantities; block by block."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_regressor
from sklearn.model_selection import FixedThresholdClassifier

from samebits.application.input_columns import InputColumns, find_pipeline
from samebits.application.later_rows import LaterTable, read_ahead, regroup
from samebits.candidates.fitting import FAILURES, lend_threads_to_predict
from samebits.config.catalog import Task
from samebits.data.target import Target, choose_positive
from samebits.errors import DataError, Problem
from samebits.estimation.prediction import Answers, choose_score, name_response_method, predict_rows, tabulate_scores
from samebits.networks import NoGPUError

BLOCK_ROWS = 1 << 16
_LEAST_ROWS = 1 << 10
_BLOCK_CELLS = 1 << 24
_SHOWN = 3
_MORE_MISSING = 0.1  # of the rows, than in training
_MOST_OUTSIDE = 0.02  # of the rows: so many may lie beyond those of training by chance


@dataclass(frozen=True)
class Predictor:
    """A model and what is asked of it.

    Parameters
    ----------
    target
        Task, classes and positive class; no values.
    """

    model: Any
    target: Target

    def predict(self, X: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return what the model says of rows, as `tabulate_scores` names it.

        Raises
        ------
        DataError
            It cannot be asked of these rows.
        """
        method = name_response_method(self.model)
        try:
            with lend_threads_to_predict(find_pipeline(self.model), os.cpu_count() or 1):
                prediction = predict_rows(Answers(self.model, X), X, self.target)
        except NoGPUError:
            remedy = "Ask it on a machine that has one; on another it would compute other bits."
            raise DataError(Problem("model", "a GPU that PyTorch can use, as it was fitted on one", "none", remedy)) from None
        except FAILURES as error:
            found = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise DataError(Problem("model", "rows that it can be asked of", found, "Look at these columns.")) from None
        return tabulate_scores(prediction, self.target.labels, method)

    def tabulate(self, X: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return the columns of a file of predictions: `predicted`, and `probability_<class>`, of two classes the positive one's.

        Raises
        ------
        DataError
            The model cannot be asked of these rows.
        """
        said = self.predict(X)
        return {f"{name}_{self.target.positive}" if name == choose_score(said) != "predicted" else name: said[name] for name in said}


def make_predictor(lineage: dict[str, Any], model: Any) -> Predictor:
    """Return a run's model with what is asked of it."""
    resolved = lineage["stages"]["config"]["resolved"]
    labels = None if is_regressor(model) else np.asarray(model.classes_)
    wanted = resolved.get("task", "auto")
    task: Task = "regression" if labels is None else "binary" if len(labels) == 2 and wanted != "multiclass" else "multiclass"
    positive = None
    if labels is not None and task == "binary":
        given = resolved["data"].get("positive")
        positive = model.pos_label if isinstance(model, FixedThresholdClassifier) else choose_positive(given, labels, "target")
    return Predictor(model, Target(task, np.empty(0), labels, positive))


@dataclass
class Unseen:
    """What of later rows no training row has, counted as the rows go by: categories, and numbers beyond all of theirs.

    Parameters
    ----------
    ranges
        By column of numbers, the least and the greatest of the training rows.
    missing_shares
        By column, the share of training rows without a value.
    missing
        Rows without one, by column.
    outside
        Rows with a number beyond these, by column.
    known
        By column of categories, those of the training rows; not where the baseline does not hold them all.
    rows
        Rows with others, by column.
    examples
        A few of these, by column.
    """

    known: dict[str, set[str]]
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    missing_shares: dict[str, float] = field(default_factory=dict)
    outside: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def count(self, X: pd.DataFrame) -> None:
        """Look at some rows."""
        for name, known in self.known.items():
            counts = X[name].value_counts()
            strange = counts[~counts.index.isin(known)]
            if len(strange):
                self.rows[name] += int(strange.sum())
                shown = self.examples.setdefault(name, [])
                shown += [str(value) for value in strange.index[:_SHOWN] if value not in shown][: _SHOWN - len(shown)]
        for name, (least, greatest) in self.ranges.items():
            values = X[name].to_numpy(dtype=np.float64)
            self.outside[name] += int(np.count_nonzero(values < least) + np.count_nonzero(values > greatest))

        for name in self.missing_shares:
            self.missing[name] += int(X[name].isna().sum())

    def list_missing(self, n_rows: int) -> list[str]:
        """Return in words the columns of which far more values are missing than in training."""
        return [
            f"{name}: in {self.missing[name]:,} of {n_rows:,} rows, of the training rows in {share:.0%}"
            for name, share in self.missing_shares.items()
            if self.missing[name] > (share + _MORE_MISSING) * n_rows
        ]

    def list_outside(self, n_rows: int) -> list[str]:
        """Return in words the columns of numbers of which so many lie beyond the training rows' that chance is no reason."""
        found = {name: count for name, count in self.outside.items() if count > max(_MOST_OUTSIDE * n_rows, 1)}
        return [
            f"{name}: {count:,} of {n_rows:,} rows lie beyond all training rows, which have {least:g} to {greatest:g}"
            for name, count in found.items()
            for least, greatest in [self.ranges[name]]
        ]


def start_unseen(baseline: dict[str, Any], inputs: InputColumns) -> Unseen:
    """Return what nothing was counted in yet, with what the training rows had."""
    return Unseen(list_known_categories(baseline, inputs), list_known_ranges(baseline, inputs), list_missing_shares(baseline, inputs))


def list_known_categories(baseline: dict[str, Any], inputs: InputColumns) -> dict[str, set[str]]:
    """Return the categories of the training rows, by column; a column with more than the baseline holds is not among them."""
    described = {name: baseline["columns"].get(name, {}) for name, kind in inputs.kinds.items() if kind == "categorical"}
    return {name: set(column["counts"]) for name, column in described.items() if "counts" in column and not column.get("n_other")}


def list_missing_shares(baseline: dict[str, Any], inputs: InputColumns) -> dict[str, float]:
    """Return the share of training rows without a value, by column."""
    described, n_rows = baseline["columns"], max(int(baseline.get("n_rows", 0)), 1)
    return {name: described[name].get("n_missing", 0) / n_rows for name in inputs.kinds if name in described}


def list_known_ranges(baseline: dict[str, Any], inputs: InputColumns) -> dict[str, tuple[float, float]]:
    """Return the least and the greatest number of the training rows, by column."""
    edges = {name: baseline["columns"].get(name, {}).get("edges") for name, kind in inputs.kinds.items() if kind == "numeric"}
    return {name: (float(found[0]), float(found[-1])) for name, found in edges.items() if found}


def choose_block_rows(inputs: InputColumns) -> int:
    """Return of how many rows a block is: fewer of a wide table."""
    rows = min(BLOCK_ROWS, _BLOCK_CELLS // max(len(inputs.kinds), 1))
    return max(_LEAST_ROWS, rows - rows % _LEAST_ROWS)


def read_blocks(table: LaterTable, block_rows: int) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the number of each block's first row, from 0, and its rows, while the next ones are being read."""
    first = 0
    for block in regroup(read_ahead(table.read_parts()), block_rows):
        yield first, block.reset_index(drop=True)
        first += len(block)
