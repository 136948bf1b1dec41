"""Which columns are features, and which of the table's own a model takes for them; none of them may tell the target."""

from __future__ import annotations

from collections.abc import Sequence

from samebits.data.dataset import Dataset
from samebits.data.derived import trace_inputs
from samebits.errors import DataError, Problem
from samebits.keys.config import Config
from samebits.text import shorten_list


def list_features(config: Config, dataset: Dataset) -> list[str]:
    """Return the columns that are features, derived ones included: not the target, not dropped, not the split's, not the weights.

    Raises
    ------
    DataError
        There is none, or one tells the target: the target is made of it, or it of the target.
    """
    left_out = {config.data.target, config.weights.column, *config.data.drop}
    if config.split.keeps_column_out:
        left_out.add(config.split.column)
    features = [name for name in dataset.all_kinds if name not in left_out and name != config.data.read.file_column]
    if not features:
        raise DataError(Problem("data", "at least one feature column", "none", "Take some off data.drop."))
    _refuse_leaks(config, dataset, features)
    return features


def list_model_inputs(dataset: Dataset, features: Sequence[str]) -> list[str]:
    """Return the table's own columns that a model takes, in the table's order: features, and what derived features are made of."""
    _, inputs = trace_inputs(dataset.steps, features)
    return [name for name in dataset.kinds if name in inputs]


def _refuse_leaks(config: Config, dataset: Dataset, features: list[str]) -> None:
    target = config.data.target
    _, sources = trace_inputs(dataset.steps, [target])
    _, inputs = trace_inputs(dataset.steps, features)
    telling = sorted(sources - {target})
    if telling and set(telling) <= inputs:  # one of two columns does not tell their difference
        remedy = "Name them in data.drop: a model would read the target off them."
        raise DataError(Problem("features", f"none that the target {target!r} is made of", shorten_list(telling), remedy))
    if target in inputs:
        made = [
            step["name"]
            for step in dataset.steps
            if step["name"] in features and target in trace_inputs(dataset.steps, [step["name"]])[1]
        ]
        raise DataError(Problem("features", f"none made of the target {target!r}", shorten_list(made), "Name them in data.drop."))
