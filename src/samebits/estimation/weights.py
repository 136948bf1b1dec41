"""Sample weights: how much each row counts where an estimator is fitted, and nowhere else. Scores and metrics count every row once."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight

from samebits.config.loading import LoadedConfig
from samebits.data.dataset import Dataset
from samebits.data.folds import Split
from samebits.data.target import Target, find_name
from samebits.errors import ConfigError, DataError, Problem
from samebits.estimation.target_transform import find_estimator


@dataclass(frozen=True)
class Weights:
    """What the weights of some rows are made of; both parts multiply.

    Parameters
    ----------
    column
        Shape (n_rows,), not negative; None: 1 for every row.
    classes
        Weight by label, or `balanced`: as scikit-learn's class_weight, in inverse proportion to how many rows of a fit have the label.
    """

    column: np.ndarray | None = None
    classes: Literal["balanced"] | dict[Any, float] | None = None

    def take(self, rows: np.ndarray) -> Weights:
        """Return the weights of some of the rows, in the order given."""
        return Weights(None if self.column is None else self.column[rows], self.classes)

    def weigh(self, y: np.ndarray) -> np.ndarray | None:
        """Return one weight for each of these rows, given their target values; None where nothing is weighted."""
        if self.classes is None:
            return self.column
        present = set(y.tolist())
        classes = self.classes if self.classes == "balanced" else {k: v for k, v in self.classes.items() if k in present}
        by_class: np.ndarray = compute_sample_weight(classes or None, y)
        return by_class if self.column is None else self.column * by_class


def read_weights(loaded: LoadedConfig, dataset: Dataset, target: Target) -> Weights:
    """Return the weights of a table's rows.

    Raises
    ------
    DataError
        The column is not in the table, holds no numbers, or one that is missing or negative.
    ConfigError
        Classes are weighted that the target has not.
    """
    wanted = loaded.config.weights
    column = None if wanted.column is None else _read_column(wanted.column, dataset)
    if not isinstance(wanted.classes, dict):
        if wanted.classes is not None and target.labels is None:
            raise _refuse_classes(loaded, "a classification", "a regression")
        return Weights(column, wanted.classes)
    labels = {str(label): label for label in (target.labels.tolist() if target.labels is not None else [])}
    found = {name: find_name(name, list(labels)) for name in wanted.classes}
    for name, label in found.items():
        if label is None or list(found.values()).count(label) > 1:
            raise _refuse_classes(loaded, "classes of the target, each once" if labels else "a classification", repr(name))
    return Weights(column, {labels[str(found[name])]: weight for name, weight in wanted.classes.items()})


def _refuse_classes(loaded: LoadedConfig, expected: str, found: str) -> ConfigError:
    return ConfigError(Problem(loaded.document.locate(("weights", "classes")), expected, found, "Change or remove the key."))


def _read_column(name: str, dataset: Dataset) -> np.ndarray:
    where = f"weights.column: {name!r}"
    if dataset.all_kinds[name] != "numeric":
        raise DataError(Problem(where, "numbers", f"a {dataset.all_kinds[name]} column", "Name another, or set data.read.types."))
    values: np.ndarray = dataset.read_column(name).to_numpy(dtype=np.float64)
    for what, is_wrong in (("a missing value", np.isnan(values)), ("a negative one", values < 0)):
        if is_wrong.any():
            found = f"{what} in row {dataset.row_numbers[np.flatnonzero(is_wrong)[0]] + 1}"
            raise DataError(Problem(where, "a weight of 0 or more in every row", found, "Mend or remove these rows."))
    return values


def check_weights(weights: Weights, target: Target, split: Split, candidates: Mapping[str, Pipeline]) -> None:
    """Hold the weights to the rows and the estimators that are to be fitted with them.

    Raises
    ------
    ConfigError
        An estimator takes no weights.
    DataError
        The rows of a fit all weigh nothing.
    """
    if weights.column is None and weights.classes is None:
        return
    for name, pipeline in candidates.items():
        model = find_estimator(pipeline)
        if not _takes_weights(model):
            remedy = "Remove it, or weights; a class_weight of its own would do for classes." if weights.classes else "Remove one."
            raise ConfigError(Problem(f"models.{name}", "an estimator that takes sample weights", type(model).__name__, remedy))
    for where, rows in _list_fits(split):
        found = weights.take(rows).weigh(target.values[rows])
        if found is not None and not found.any():
            raise DataError(Problem(f"weights, {where}", "a row that weighs more than 0", "none", "Change weights, or the split."))


def _list_fits(split: Split) -> Iterator[tuple[str, np.ndarray]]:
    yield "the training rows", split.train_rows
    for number, (fit_rows, _) in enumerate(split.folds, start=1):
        yield f"fold {number} of cv", split.train_rows[fit_rows]


def _takes_weights(model: Any) -> bool:
    """An estimator that hands on what its fit is given takes them where all that it is made of do."""
    parameters = inspect.signature(model.fit).parameters
    if "sample_weight" in parameters:
        return True
    inner = [getattr(model, "estimator", None)]
    inner += [member[1] for member in getattr(model, "estimators", None) or [] if isinstance(member, tuple)]
    parts = [part for part in inner if hasattr(part, "fit")]
    hands_on = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    return hands_on and bool(parts) and all(map(_takes_weights, parts))
