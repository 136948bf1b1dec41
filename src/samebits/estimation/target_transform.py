"""The target on another scale while a model is fitted: scores, metrics and predictions stay in the target's own unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from samebits.config.loading import LoadedConfig
from samebits.data.dataset import Dataset
from samebits.data.target import Target
from samebits.errors import ConfigError, DataError, Problem
from samebits.transformers import EncodedLabels

# name in the config -> NumPy's function, its inverse (a model file holds both by name), and the target's least value
_TRANSFORMS = {
    "log1p": (np.log1p, np.expm1, -1.0),
    "log": (np.log, np.exp, 0.0),
    "sqrt": (np.sqrt, np.square, 0.0),
}


def wrap_model(model: Any, transform: str | None) -> Any:
    """Return the model as one that fits the transformed target and predicts in the target's own unit; itself under None."""
    if transform is None:
        return model
    function, inverse, _ = _TRANSFORMS[transform]
    return TransformedTargetRegressor(model, func=function, inverse_func=inverse, check_inverse=False)


def find_estimator(pipeline: Pipeline) -> Any:
    """Return the estimator that ends a pipeline, out of what transforms its target or encodes its labels."""
    model = pipeline.steps[-1][1]
    if isinstance(model, EncodedLabels):
        return model.estimator
    return model.regressor if isinstance(model, TransformedTargetRegressor) else model


def check_transform(loaded: LoadedConfig, dataset: Dataset, target: Target) -> None:
    """Hold the target to the transform that the config names.

    Raises
    ------
    ConfigError
        The task is no regression.
    DataError
        A value has no transformed one.
    """
    transform = loaded.config.data.target_transform
    if transform is None:
        return
    if target.task != "regression":
        where = loaded.document.locate(("data", "target_transform"))
        raise ConfigError(Problem(where, "a regression", f"a {target.task} target", "Remove the key, or set task: regression."))
    least = _TRANSFORMS[transform][2]
    is_outside = target.values < least if transform == "sqrt" else target.values <= least
    if is_outside.any():
        row = int(np.flatnonzero(is_outside)[0])
        expected = f"values {'from' if transform == 'sqrt' else 'above'} {least:g}, for {transform}"
        found = f"{target.values[row]:g} in row {dataset.row_numbers[row] + 1}" + (
            f" and {is_outside.sum() - 1} more" if is_outside.sum() > 1 else ""
        )
        raise DataError(Problem(f"target {loaded.config.data.target!r}", expected, found, "Choose another data.target_transform."))
