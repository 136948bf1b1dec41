"""Runs to be told, made of a few numbers instead of a training; as a program, prints the digests of each one's report."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

import numpy as np
import pandas as pd

from samebits.report.account import Account, read_predictions
from samebits.report.making import Report, ThisRun, make_report

TASKS = ("binary", "multiclass", "regression")
RUN = {"run_id": "0123456789abcdef" * 2, "started": "2026-11-26T09:00:00+00:00", "seconds": 3.5, "user": "somebody"}


def make_predictions(task: str, n_rows: int = 90) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    x = rng.normal(size=n_rows)
    if task == "regression":
        return pd.DataFrame({"row": np.arange(n_rows), "recorded": 10 + x, "predicted": 10 + x + rng.normal(scale=0.3, size=n_rows)})
    if task == "binary":
        responses = 1 / (1 + np.exp(-2 * x - rng.normal(size=n_rows)))
        recorded, predicted = np.where(x > 0, "yes", "no"), np.where(responses >= 0.4, "yes", "no")
        return pd.DataFrame({"row": np.arange(n_rows), "recorded": recorded, "predicted": predicted, "response": responses})
    probabilities = rng.dirichlet([1, 1, 1], size=n_rows)
    names = np.array(["a", "b", "c"])
    recorded = names[np.where(rng.uniform(size=n_rows) < 0.8, probabilities.argmax(axis=1), 0)]
    table = pd.DataFrame({"row": np.arange(n_rows), "recorded": recorded, "predicted": names[probabilities.argmax(axis=1)]})
    return table.assign(**{f"probability_{name}": probabilities[:, place] for place, name in enumerate(names)})


METRICS: dict[str, dict[str, float]] = {
    "binary": {"accuracy": 0.9, "precision": 0.85, "recall": 0.95},
    "multiclass": {"accuracy": 0.8, "f1_macro": 0.79},
    "regression": {"rmse": 0.3, "r2": 0.91},
}
SCORING = {"binary": "accuracy", "multiclass": "f1_macro", "regression": "neg_root_mean_squared_error"}


def make_account(task: str, predictions: pd.DataFrame | None = None, config: dict[str, Any] | None = None, **fields: Any) -> Account:
    """Return the account of a made-up run; a changed config's keys are put over the others, and fields over the account's."""
    metrics, sign = METRICS[task], -1 if task == "regression" else 1
    metric = next(iter(metrics))
    resolved = {
        "name": "told",
        "seed": 1,
        "data": {"path": "told.csv", "target": "outcome", "positive": "yes" if task == "binary" else None},
        "split": {"method": "random", "test_size": 0.2},
        "cv": {"n_splits": 3},
        "models": {"ridge": {"alpha": 1.0}, "tree": {"max_depth": 3}},
        "business": {"target_precision": 0.9} if task == "binary" else {},
        "report": {"detail": "short", "question": "Will it?", "source": "a drawer", "licence": "CC0"},
        **(config or {}),
    }
    candidates = {
        "ridge": {"scores": [sign * 0.9, sign * 0.8, sign * 0.85], "mean": sign * 0.85},
        "tree": {"scores": [sign * 0.9] * 3, "mean": sign * 0.9},
    }
    best = "ridge" if task == "regression" else "tree"
    digest = "sha256:" + "0" * 64
    threshold = {"value": 0.4, "precision": 0.9, "recall": 0.9, "response_method": "predict_proba", "target_precision": 0.9}
    stages: dict[str, Any] = {
        "code": {"digest": digest, "commit": "c" * 40, "changes": {}},
        "config": {"digest": digest, "resolved": resolved, "file": "confs/told.yaml", "version": "2026.11.0"},
        "data": {"digest": digest, "path": "told.csv", "n_rows": 450, "columns": {"x": "numeric", "site": "categorical"}},
        "environment": {"digest": digest, "python": "3.11.7", "platform": "Linux", "cpu": "some"},
        "split": {"digest": digest, "n_train": 360, "n_test": 90, "n_folds": 3},
        "cross_validation": {"digest": digest, "scoring": SCORING[task], "best": best, "candidates": candidates},
        "model": {"digest": digest, "name": best, "class": "some.Class"},
        "threshold": {"digest": digest, **(threshold if task == "binary" else {"value": None})},
        "metrics": {"digest": digest, "test": metrics, "train": metrics},
    }
    assessment = {
        "rows": "test",
        "n_rows": 90,
        "metric": metric,
        "value": metrics[metric],
        "lower_is_better": task == "regression",
        "uncertainty": {
            "confidence": 0.95,
            "n_resamples": 1000,
            "resampled": "rows",
            "seed": 1,
            "intervals": {metric: [metrics[metric] - 0.1, metrics[metric] + 0.05]},
        },
        "baseline": {"strategy": "prior", "metrics": {metric: 0.5}},
        "as_good": [],
        "groups": {
            "site": [{"value": "north", "n_rows": 40, "metrics": metrics}, {"value": "south", "n_rows": 50, "metrics": metrics}]
        },
        "claims": [{"claim": metric, "at_least": 0.2, "found": metrics[metric], "kept": True}],
    }
    numbers = {"kind": "numeric", "n_missing": 3, "mean": 0.0, "std": 1.0, "edges": [-3.0, 0.0, 3.0], "counts": [180, 180]}
    words = {"kind": "categorical", "n_missing": 0, "n_distinct": 2, "counts": {"north": 200, "south": 160}, "n_other": 0}
    importance = {
        "scoring": SCORING[task],
        "score": 0.9,
        "n_rows": 90,
        "n_repeats": 3,
        "columns": {"x": {"mean": 0.3, "spread": 0.02}, "site": {"mean": 0.0, "spread": 0.01}},
    }
    table = make_predictions(task) if predictions is None else predictions
    content = table.to_csv(index=False).encode("utf-8")
    told = {
        "stages": stages,
        "assessment": assessment,
        "predictions": read_predictions(content, task),  # type: ignore[arg-type]
        "remarks": ("Something was odd.",),
        "baseline": {"n_rows": 360, "columns": {"x": numbers, "site": words}},
        "explored": {"importance": importance},
        **fields,
    }
    return Account(**told)


def make_run(account: Account, **fields: Any) -> ThisRun:
    return ThisRun(RUN, account.stages, **fields)


def describe(report: Report) -> dict[str, Any]:
    return report.describe()


if __name__ == "__main__":
    print(json.dumps({task: describe(make_report(make_account(task))) for task in TASKS}), file=io.TextIOWrapper(sys.stdout.buffer))
