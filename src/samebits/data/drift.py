"""The drift baseline: what each feature looked like in training, so that later data can be held against it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from samebits.table.columns import Kind

MAX_CATEGORIES = 50  # the rest are counted together
N_BINS = 10


def summarise_features(X: pd.DataFrame, kinds: dict[str, Kind]) -> dict[str, Any]:
    """Return, for each column of the training rows, its missing share and its distribution, as plain values.

    Numbers, booleans and dates (as days since 1970) have quantile edges and the counts between them; categories have counts.
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
        return {
            **missing,
            "n_distinct": len(ordered),
            "counts": {str(value): int(count) for value, count in ordered[:MAX_CATEGORIES]},
            "n_other": sum(int(count) for _, count in ordered[MAX_CATEGORIES:]),
        }
    values = _as_floats(known, kind)
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
    }


def _as_floats(known: pd.Series, kind: Kind) -> np.ndarray:
    if kind == "date":
        return known.to_numpy(dtype="datetime64[us]").astype(np.int64) / 86_400e6
    return known.to_numpy(dtype=np.float64)
