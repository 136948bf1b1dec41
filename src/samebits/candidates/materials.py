"""The materials of a training: the table, the target, the split and the unfitted candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from samebits.candidates.batches import check_batches
from samebits.candidates.pipeline import build_candidates
from samebits.config.loading import LoadedConfig
from samebits.data.dataset import Dataset, load_dataset
from samebits.data.folds import Split
from samebits.data.preparation import ReadDataset, prepare_rows
from samebits.data.target import Target
from samebits.estimation.scoring import make_scorer, name_scoring
from samebits.estimation.target_transform import check_transform
from samebits.estimation.weights import Weights, check_weights, read_weights
from samebits.keys.config import Config
from samebits.keys.learning import Batches
from samebits.stored.taken_rows import Rows, copy_rows, read_rows, take_rows
from samebits.table.columns import Kind


@dataclass(frozen=True)
class Sample:
    """Some rows of the table, to fit on.

    Parameters
    ----------
    X, y
        Features and target values.
    weights
        Of the same rows.
    batches
        How a table on disk is learned from; None: it is in memory.
    """

    X: Rows
    y: np.ndarray
    weights: Weights
    batches: Batches | None = None

    def take(self, rows: np.ndarray) -> Sample:
        """Return some of these rows, in the order given."""
        return Sample(self.X.take(rows), self.y[rows], self.weights.take(rows), self.batches)

    def copy(self) -> Sample:
        """Return the same rows as a table of their own: what a scorer is given, and all that a worker is sent."""
        return replace(self, X=copy_rows(self.X))


@dataclass(frozen=True)
class Materials:
    """What a training starts from.

    Parameters
    ----------
    inputs
        The table's own columns that a model takes: features, and what derived features are made of.
    rows_file
        The bytes of the file that names the test rows, where one does.
    scoring, scorer
        By which candidates are compared: its name, and what is called.
    seeds
        Every seed planted, by place.
    weights
        Of every row of the table, for fits.
    settings
        What was set of LightGBM, XGBoost and CatBoost where the config left it open, by place.
    build
        Makes the candidates of a variant of the config, for the same rows and columns.
    batches
        How a table on disk is learned from; None: it is in memory.
    """

    dataset: Dataset
    target: Target
    inputs: list[str]
    split: Split
    candidates: dict[str, Pipeline]
    scoring: str
    scorer: Any
    seeds: dict[str, int]
    weights: Weights
    settings: dict[str, Any]
    build: Callable[[Config], dict[str, Pipeline]]
    rows_file: bytes | None = None
    batches: Batches | None = None

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each input."""
        return {name: self.dataset.kinds[name] for name in self.inputs}

    def take_training(self) -> Sample:
        """Return the training rows, in the split's order."""
        rows = self.split.train_rows
        return Sample(*self.take(rows), self.weights.take(rows), self.batches)

    def take(self, rows: np.ndarray) -> tuple[Rows, np.ndarray]:
        """Return the inputs and target values of some of the rows in use, in the order given; none is copied or read."""
        return take_rows(self.dataset.frame[self.inputs], rows, self.dataset.pages), self.target.values[rows]

    def read(self, rows: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
        """Return the same in memory: of few rows."""
        X, y = self.take(rows)
        return read_rows(X), y


def prepare_materials(loaded: LoadedConfig, project_root: Path, read: ReadDataset = load_dataset) -> Materials:
    """Read the table and prepare all that training needs.

    Parameters
    ----------
    read
        By which the table is read.

    Raises
    ------
    ConfigError, DataError
        The config and the table do not fit each other, in any way that can be known before training.
    """
    config, rows = loaded.config, prepare_rows(loaded, project_root, read)
    check_transform(loaded, rows.dataset, rows.target)
    candidates, seeds, settings = build_candidates(config, rows)
    check_batches(loaded, rows, candidates)
    weights = read_weights(loaded, rows.dataset, rows.target)
    check_weights(weights, rows.target, rows.split, candidates)
    return Materials(
        dataset=rows.dataset,
        target=rows.target,
        inputs=rows.inputs,
        split=rows.split,
        candidates=candidates,
        scoring=name_scoring(config, rows.target),
        scorer=make_scorer(config, rows.target),
        seeds=dict(sorted({**rows.dataset.seeds, **seeds, **rows.split.seeds}.items())),
        rows_file=rows.rows_file,
        weights=weights,
        settings=dict(sorted(settings.items())),
        build=lambda variant: build_candidates(variant, rows)[0],
        batches=config.batches,
    )
