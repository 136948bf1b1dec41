"""The materials of a training: the table, the target, the split and the unfitted candidates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from samebits.config.loading import LoadedConfig
from samebits.data.columns import Kind
from samebits.data.dataset import Dataset, load_dataset
from samebits.data.split import Split, split_rows
from samebits.data.target import Target, read_target
from samebits.errors import ConfigError, Problem
from samebits.project import find_data
from samebits.training.pipeline import build_candidates, list_features
from samebits.training.scoring import make_response_scorer, make_scorer, name_scoring


@dataclass(frozen=True)
class Materials:
    """What a training starts from.

    Parameters
    ----------
    scorers
        `score`, and `response` where a threshold is sought.
    seeds
        Every seed planted, by place.
    settings
        What was set of LightGBM, XGBoost and CatBoost where the config left it open, by place.
    """

    dataset: Dataset
    target: Target
    features: list[str]
    split: Split
    candidates: dict[str, Pipeline]
    scoring: str
    scorers: dict[str, Any]
    seeds: dict[str, int]
    settings: dict[str, Any]

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each feature."""
        return {name: self.dataset.kinds[name] for name in self.features}

    def take(self, rows: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
        """Return the features and target values of some rows of the table, in the order given."""
        return self.dataset.frame[self.features].iloc[rows], self.target.values[rows]


def prepare_materials(loaded: LoadedConfig, project_root: Path) -> Materials:
    """Read the table and prepare all that training needs.

    Raises
    ------
    ConfigError, DataError
        The config and the table do not fit each other, in any way that can be known before training.
    """
    config = loaded.config
    dataset = load_dataset(config.data, find_data(config.data.path, loaded.document.path, project_root), kept=config.split.column)
    target = read_target(config, dataset)
    _check_business(loaded, target)
    candidates, seeds, settings = build_candidates(config, dataset, target.task, target.labels)
    scorers = _make_scorers(loaded, target)
    split = split_rows(config, dataset, target)
    return Materials(
        dataset=dataset,
        target=target,
        features=list_features(config, dataset),
        split=split,
        candidates=candidates,
        scoring=name_scoring(config, target),
        scorers=scorers,
        seeds=dict(sorted({**seeds, **split.seeds}.items())),
        settings=dict(sorted(settings.items())),
    )


def _check_business(loaded: LoadedConfig, target: Target) -> None:
    config = loaded.config
    named = {("business", "target_precision"): config.business.target_precision, ("data", "positive"): config.data.positive}
    for key_path, value in named.items():
        if value is not None and target.task != "binary":
            where = loaded.document.locate(key_path)
            raise ConfigError(Problem(where, "a binary task", f"a {target.task} target", "Remove the key, or set task:."))


def _make_scorers(loaded: LoadedConfig, target: Target) -> dict[str, Any]:
    scorers = {"score": make_scorer(loaded.config, target)}
    if loaded.config.business.target_precision is not None:
        scorers["response"] = make_response_scorer(target)
    return scorers
