"""The drift baseline: what each feature and the model's scores looked like in training, so that later data can be held against it.

Of numbers, booleans and dates it keeps up to a hundred cuts, each a value that was there, with the rows up to each: a distribution
whose steps are exact. Of categories it keeps the counts. What later data are held to it by is `application.drift_measures`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from samebits.stored.taken_rows import Rows
from samebits.table.columns import Kind

MAX_CATEGORIES = 1000  # the rest are counted together
MAX_TEXTS = 50  # of free text, which repeats little and may be long
MAX_CUTS = 100
N_BINS = 10


def summarise_features(X: Rows, kinds: dict[str, Kind]) -> dict[str, Any]:
    """Return, for each column of the training rows, its missing share and its distribution, as plain values.

    Numbers, booleans and dates (as days since 1970) have quantile edges and the counts between them, and finer cuts with the rows
    that lie above the cut before and not above their own; categories have counts.
    """
    return {
        "n_rows": len(X),
        "columns": {str(name): {"kind": kinds[name], **_summarise(X[name], kinds[name])} for name in X.columns},
    }


def _summarise(column: pd.Series, kind: Kind) -> dict[str, Any]:
    known = column.dropna()
    missing = {"n_missing": int(column.isna().sum())}
    if kind in ("categorical", "text"):
        ordered = sorted(known.value_counts().items(), key=lambda item: (-int(item[1]), str(item[0])))
        most = MAX_CATEGORIES if kind == "categorical" else MAX_TEXTS
        return {
            **missing,
            "n_distinct": len(ordered),
            "counts": {str(value): int(count) for value, count in ordered[:most]},
            "n_other": sum(int(count) for _, count in ordered[most:]),
        }
    values = read_floats(known, kind)
    values = values[np.isfinite(values)]
    if not values.size:
        return missing
    edges = np.unique(np.quantile(values, np.linspace(0, 1, N_BINS + 1)))
    counts = np.histogram(values, bins=edges)[0] if len(edges) > 1 else np.array([values.size])
    return {
        **missing,
        "mean": float(values.mean()),
        "std": float(values.std()),
        "edges": edges.tolist(),
        "counts": [int(count) for count in counts],
        **_cut(np.sort(values)),
    }


def _cut(ordered: np.ndarray) -> dict[str, Any]:
    """Return each different value where there are few, else the least one and evenly spaced quantiles; and the rows up to each."""
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    if is_first.sum() <= MAX_CUTS:
        cuts = ordered[is_first]
    else:
        ranks = np.ceil(np.linspace(0, 1, MAX_CUTS)[1:] * len(ordered)).astype(np.int64) - 1
        cuts = np.unique(ordered[np.concatenate([[0], ranks])])
    up_to = np.searchsorted(ordered, cuts, side="right")
    return {"cuts": cuts.tolist(), "up_to": np.diff(up_to, prepend=0).tolist()}


def read_floats(known: pd.Series, kind: Kind) -> np.ndarray:
    """Return values that are there as float64: dates as days since 1970."""
    if kind == "date":
        return known.to_numpy(dtype="datetime64[us]").astype(np.int64) / 86_400e6
    return known.to_numpy(dtype=np.float64)
