"""The door of this wing: from a config and its table to the rows and columns that a run uses, and what each row is used for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from samebits.config.loading import LoadedConfig
from samebits.data.dataset import Dataset, load_dataset
from samebits.data.derived import add_derived_columns, list_steps, trace_inputs
from samebits.data.features import list_features, list_model_inputs
from samebits.data.folds import Split, split_rows
from samebits.data.rows import count_early_rules, keep_rows, list_rule_columns
from samebits.data.split import read_row_numbers
from samebits.data.target import Target, check_task, read_target
from samebits.keys.config import Config
from samebits.row_columns import list_inputs, name_operation
from samebits.stored.mapped_arrays import list_plain, map_arrays, put_in

_MAPPED_FROM_CELLS = 4_000_000
ReadDataset = Callable[..., Dataset]  # `load_dataset`, or what hands on what that has read before


@dataclass(frozen=True)
class PreparedRows:
    """The rows in use, and what each column and each row is used for.

    Parameters
    ----------
    features
        Columns that candidates learn from, derived ones included.
    inputs
        The table's own columns that a model takes: features, and what derived features are made of.
    rows_file
        The bytes of the file that names the test rows, where one does.
    """

    dataset: Dataset
    target: Target
    features: list[str]
    inputs: list[str]
    split: Split
    rows_file: bytes | None


def prepare_rows(loaded: LoadedConfig, project_root: Path, read: ReadDataset = load_dataset) -> PreparedRows:
    """Read the table that a config names, and settle which rows and columns are used for what.

    Parameters
    ----------
    read
        By which the table is read.

    Raises
    ------
    DataError
        The table cannot be read as the config says, or does not have what it names.
    ConfigError
        What the config asks for is nothing for this target or these rows.
    """
    config = loaded.config
    dataset = prepare_own_dataset(loaded, project_root, read)
    target = read_target(config, dataset)
    check_task(loaded, target)
    features = list_features(config, dataset)
    test_numbers, rows_file = _read_test_numbers(loaded, project_root)
    split = split_rows(config, dataset, target, test_numbers)
    rows = PreparedRows(dataset, target, features, list_model_inputs(dataset, features), split, rows_file)
    # what was read before, for several trainings, stays in memory whatever is done here
    return _map_large(rows) if read is load_dataset else rows


def _map_large(rows: PreparedRows) -> PreparedRows:
    """Return the same, with the arrays of a large table in a mapped file."""
    frame, split, target = rows.dataset.frame, rows.split, rows.target
    if not isinstance(frame, pd.DataFrame) or frame.size <= _MAPPED_FROM_CELLS or target.values.dtype.hasobject:
        return rows
    plain = list_plain(frame)
    of_rows = [target.values, split.train_rows, split.test_rows, *(part for fold in split.folds for part in fold)]
    found, pages = map_arrays([*plain.values(), *of_rows])
    values, train_rows, test_rows, *parts = found[len(plain) :]
    mapped = put_in(frame, dict(zip(plain, found, strict=False)))
    folds = list(zip(parts[::2], parts[1::2], strict=True))
    return dataclasses.replace(
        rows,
        dataset=dataclasses.replace(rows.dataset, frame=mapped, pages=pages),
        target=dataclasses.replace(target, values=values),
        split=dataclasses.replace(split, train_rows=train_rows, test_rows=test_rows, folds=folds),
    )


def prepare_own_dataset(loaded: LoadedConfig, project_root: Path, read: ReadDataset = load_dataset) -> Dataset:
    """Do as `prepare_dataset` for the tables that a config names."""
    path, *others = loaded.find_tables(project_root)
    return prepare_dataset(loaded.config, path, others[0] if others else None, read)


def _read_test_numbers(loaded: LoadedConfig, project_root: Path) -> tuple[np.ndarray | None, bytes | None]:
    split = loaded.config.split
    if split.rows_file is None:
        return None, None
    return read_row_numbers(loaded.find(split.rows_file, project_root), split.rows_digest)


def prepare_dataset(config: Config, path: Path, test_path: Path | None = None, read: ReadDataset = load_dataset) -> Dataset:
    """Read the table, keep the rows that the config's rules keep, and make its derived columns.

    A rule is applied before any column is derived, unless it, or one before it, names a derived column: what has no logarithm can be
    left out first.

    Parameters
    ----------
    test_path
        Where the test rows lie, if not in the same file.
    read
        By which the table is read.

    Raises
    ------
    DataError
        The table cannot be read as the config says, or does not have what it names.
    ConfigError
        A function of a derived column is not to be found or not allowed.
    """
    derived = [one.name for one in config.features.derived]
    dataset = read(config.data, path, _list_kept(config), test_path, derived, _list_named_elsewhere(config), config.batches)
    n_early, n_rules = count_early_rules(config), len(config.data.rows)
    return keep_rows(config, add_derived_columns(config, keep_rows(config, dataset, 0, n_early)), n_early, n_rules)


def _list_named_elsewhere(config: Config) -> list[tuple[str, str]]:
    """Return each column that the config names beside its data keys, after the key that names it; not those that it makes."""
    features, target = config.features, config.data.target
    named = [(f"data.rows.{index}", name) for index, rule in enumerate(config.data.rows) for name in list_rule_columns(rule, target)]
    single = [("split.column", config.split.column), ("weights.column", config.weights.column)]
    named += [(key, name) for key, name in single if name is not None]
    named += [(f"report.groups.{index}", name) for index, name in enumerate(config.report.groups)]
    for index, step in enumerate(list_steps(config)):
        named += [(f"features.derived.{index}.{name_operation(step)}", name) for name in list_inputs(step)]
    named += [(f"features.weighted_sums.{made}", name) for made, weights in features.weighted_sums.items() for name in weights]
    named += [(f"features.ratios.{made}", name) for made, pair in features.ratios.items() for name in pair]
    made = {target, *(one.name for one in features.derived)}
    found = [(key, name) for key, name in dict.fromkeys(named) if name not in made]
    made |= {*features.weighted_sums, *features.ratios}  # which are made in each candidate: only its preprocessing may name them
    for index, group in enumerate(config.preprocessing.columns):
        names = group.columns if isinstance(group.columns, list) else []
        found += [(f"preprocessing.columns.{index}.columns", name) for name in names if name not in made]
    return found


def _list_kept(config: Config) -> set[str]:
    """Return the columns that are used although data.drop may name them: to divide, choose and weigh rows, and to derive others."""
    ruled = [name for rule in config.data.rows for name in list_rule_columns(rule, config.data.target)]
    used = [config.data.target, config.split.column, config.weights.column, *config.report.groups, *ruled]
    _, inputs = trace_inputs(list_steps(config), [*filter(None, used), *(derived.name for derived in config.features.derived)])
    return inputs
