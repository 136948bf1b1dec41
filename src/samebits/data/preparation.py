"""The door of this wing: from a config and its table to the rows and columns that a run uses."""

from __future__ import annotations

from pathlib import Path

from samebits.config.keys import Config
from samebits.data.dataset import Dataset, load_dataset
from samebits.data.derived import add_derived_columns, list_steps, trace_inputs
from samebits.data.rows import count_early_rules, keep_rows, list_rule_columns
from samebits.errors import DataError, Problem
from samebits.text import shorten_list


def prepare_dataset(config: Config, path: Path, test_path: Path | None = None) -> Dataset:
    """Read the table, keep the rows that the config's rules keep, and make its derived columns.

    A rule is applied before any column is derived, unless it, or one before it, names a derived column: what has no logarithm can be
    left out first.

    Parameters
    ----------
    test_path
        Where the test rows lie, if not in the same file.

    Raises
    ------
    DataError
        The table cannot be read as the config says, or does not have what it names.
    ConfigError
        A function of a derived column is not to be found or not allowed.
    """
    dataset = load_dataset(config.data, path, _list_kept(config), test_path, [derived.name for derived in config.features.derived])
    n_early, n_rules = count_early_rules(config), len(config.data.rows)
    derived = add_derived_columns(config, keep_rows(config, dataset, 0, n_early))
    return keep_rows(config, derived, n_early, n_rules)


def _list_kept(config: Config) -> set[str]:
    """Return the columns that are used although data.drop may name them: to divide, choose and weigh rows, and to derive others."""
    ruled = [name for rule in config.data.rows for name in list_rule_columns(rule, config.data.target)]
    used = [config.data.target, config.split.column, config.weights.column, *ruled]
    _, inputs = trace_inputs(list_steps(config), [*filter(None, used), *(derived.name for derived in config.features.derived)])
    return inputs


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


def list_model_inputs(config: Config, dataset: Dataset) -> list[str]:
    """Return the table's own columns that a model takes, in the table's order: features, and what derived features are made of."""
    _, inputs = trace_inputs(dataset.steps, list_features(config, dataset))
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
