"""Groups of the rows held back: how good a result is for each value of a column that the config names."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd

from samebits.candidates.materials import Materials
from samebits.estimation.prediction import Prediction
from samebits.estimation.scoring import compute_metrics
from samebits.keys.config import Config

MAX_GROUPS = 20  # of one column; the rows of all rarer values are one more
N_BINS = 4
_DIGITS = (6, 9, 12, 17)  # the last of which tells any two numbers apart
MISSING, RARER = "(missing)", "(all others)"
Groups = dict[str, list[dict[str, Any]]]


def describe_groups(config: Config, materials: Materials, rows: np.ndarray, predicted: Prediction) -> Groups:
    """Return, for each column of `report.groups`, its groups in order: value, rows, and the metrics on them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a class that a group has not
        return {
            name: _describe_column(_name_groups(materials.dataset.read_column(name).iloc[rows]), materials, rows, predicted)
            for name in config.report.groups
        }


def _name_groups(column: pd.Series) -> pd.Series:
    """Return each row's group: a quarter of a quantity's range of values, by its quantiles; else the value itself."""
    known = column.dropna()
    if pd.api.types.is_float_dtype(column) and known.nunique() > MAX_GROUPS // 2:
        edges = np.unique(np.quantile(known, np.linspace(0, 1, N_BINS + 1), method="lower"))
        places = np.clip(np.searchsorted(edges, known, side="left"), 1, len(edges) - 1)
        ends = name_numbers(edges)
        named = pd.Series([f"{ends[place - 1]} to {ends[place]}" for place in places], index=known.index, dtype=object)
    elif pd.api.types.is_float_dtype(column):
        values = np.unique(known)
        named = known.map(dict(zip(values.tolist(), name_numbers(values), strict=True))).astype(object)
    else:
        named = known.astype(str).astype(object)
    by_size = sorted(named.value_counts().items(), key=lambda item: (-int(item[1]), str(item[0])))
    names = [name for name, _ in by_size[:MAX_GROUPS]]
    return named.where(named.isin(names), RARER).reindex(column.index, fill_value=MISSING)


def name_numbers(values: np.ndarray) -> list[str]:
    """Return a name for each of some different numbers: short, and no two alike.

    >>> name_numbers(np.array([0.25, 3.0])), name_numbers(np.array([1000001.0, 1000002.0]))
    (['0.25', '3'], ['1000001', '1000002'])
    """
    for digits in _DIGITS:
        names = [f"{value:.{digits}g}" for value in values.tolist()]
        if len(set(names)) == len(names):
            break
    return names


def _describe_column(named: pd.Series, materials: Materials, rows: np.ndarray, predicted: Prediction) -> list[dict[str, Any]]:
    target, found = materials.target, []
    for name in sorted(named.unique(), key=_rank):
        places = np.flatnonzero((named == name).to_numpy())
        responses = None if predicted.responses is None else predicted.responses[places]
        metrics = compute_metrics(target, target.values[rows[places]], Prediction(predicted.values[places], responses))
        found.append({"value": name, "n_rows": len(places), "metrics": metrics})
    return found


def _rank(name: str) -> tuple[bool, float, str]:
    """Numbers go by size, words by letters, and what is no value comes last."""
    try:
        number = float(name.split(" ")[0])
    except ValueError:
        number = math.inf
    return name in (MISSING, RARER), math.inf if math.isnan(number) else number, name
