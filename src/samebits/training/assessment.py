"""The assessment: what stands beside a score so that a stranger can tell what it is worth.

How far it might be off, what knowing nothing would have scored, which candidates were as good, how it is for each group of rows, and
what of it was claimed before anything was trained. It is an output of the run: with the same inputs, the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor

from samebits.candidates.materials import Materials
from samebits.candidates.selection import CandidateScore
from samebits.config.catalog import is_lower_better, name_metric
from samebits.estimation.prediction import Answers, Prediction, predict_rows
from samebits.estimation.resampling import CONFIDENCE, resample_metrics
from samebits.estimation.scoring import compute_metrics
from samebits.keys.config import Config
from samebits.keys.judging import Claims
from samebits.lineage.manifest import UNMADE
from samebits.numerics.generators import derive_seed
from samebits.training.groups import Groups, describe_groups

SEED_PLACE = "assessment.resampling"
Part = TypeVar("Part")


def assess(
    config: Config,
    materials: Materials,
    scored: Sequence[CandidateScore],
    best: CandidateScore,
    rows: np.ndarray,
    predicted: Prediction,
    metrics: dict[str, float],
) -> dict[str, Any]:
    """Return the assessment of the chosen candidate, as plain values.

    What was trained for hours is not lost to a part of it that cannot be made: that one is left empty, and `unmade` says why.

    Parameters
    ----------
    rows
        Shape (n_held,): the rows it is judged by, none of which it was fitted on.
    predicted, metrics
        What it says of them, and how good that is.
    """
    metric, unmade = choose_metric(materials.scoring, metrics), dict[str, str]()

    def try_to(name: str, describe: Callable[[], Part], empty: Part) -> Part:
        try:
            return describe()
        except Exception as error:
            unmade[name] = f"{type(error).__name__}: {error}"
            return empty

    ungrouped: Groups = {}
    nothing: dict[str, Any] = {"strategy": "none", "metrics": {}}
    unsure: dict[str, Any] = {"confidence": CONFIDENCE, "n_resamples": 0, "resampled": "rows", "seed": None, "intervals": {}}
    groups = try_to("groups", lambda: describe_groups(config, materials, rows, predicted), ungrouped)
    assessment = {
        "rows": "test" if len(materials.split.test_rows) else "out_of_fold",
        "n_rows": len(rows),
        "metric": metric,
        "value": metrics[metric],
        "lower_is_better": is_lower_better(metric),
        "uncertainty": try_to("intervals", lambda: _describe_uncertainty(config, materials, rows, predicted), unsure),
        "baseline": try_to("baseline", lambda: _score_baseline(materials, rows, metric), nothing),
        "as_good": list_as_good(scored, best),
        "groups": groups,
        "claims": judge_claims(config.claims, metrics, groups),
    }
    return {**assessment, UNMADE: unmade} if unmade else assessment


def choose_metric(scoring: str, metrics: dict[str, float]) -> str:
    """Return the metric that chose, where it is computed on rows held back; else the first that is."""
    name = name_metric(scoring)
    return name if name in metrics else next(iter(metrics))


def _describe_uncertainty(config: Config, materials: Materials, rows: np.ndarray, predicted: Prediction) -> dict[str, Any]:
    """Groups that no split may part are drawn whole, since their rows are alike."""
    groups = None
    if config.split.is_grouped and config.split.column is not None:
        groups = pd.factorize(materials.dataset.read_column(config.split.column).iloc[rows].astype(str))[0]
    seed = derive_seed(config.seed, SEED_PLACE)
    found = resample_metrics(materials.target, materials.target.values[rows], predicted, seed, groups)
    return {
        "confidence": CONFIDENCE,
        "n_resamples": found.n_resamples,
        "resampled": "rows" if groups is None else f"groups of {config.split.column}",
        "seed": seed,
        "intervals": {name: list(ends) for name, ends in sorted(found.intervals.items())},
        **({} if found.of_rows is None else {"of_rows": found.of_rows}),
    }


def _score_baseline(materials: Materials, rows: np.ndarray, metric: str) -> dict[str, Any]:
    """Return what a model scores that looks at no column: it knows the training rows' target alone."""
    target, y = materials.target, materials.target.values[materials.split.train_rows]
    if target.task == "regression":
        strategy = "median" if metric in ("mae", "median_absolute_error") else "mean"
        model: Any = DummyRegressor(strategy=strategy)
    else:
        strategy, model = "prior", DummyClassifier(strategy="prior")
    nothing = pd.DataFrame({"nothing": np.zeros(len(rows))})
    model.fit(np.zeros((len(y), 1)), y)
    prediction = predict_rows(Answers(model, nothing), nothing, target)
    return {"strategy": strategy, "metrics": compute_metrics(target, target.values[rows], prediction)}


def list_as_good(scored: Sequence[CandidateScore], best: CandidateScore) -> list[str]:
    """Return the candidates whose folds tell no difference from the best: less than one standard error of the paired differences.

    The rule of one standard error, Breiman et al. 1984, on differences by fold; with one fold, equal scores only.
    """
    return [one.name for one in scored if one is not best and _is_as_good(one.scores, best.scores)]


def _is_as_good(scores: Sequence[float], best: Sequence[float]) -> bool:
    differences = np.subtract(best, scores)
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
    return bool(differences.mean() <= error)


def judge_claims(claims: Claims, metrics: dict[str, float], groups: Groups) -> list[dict[str, Any]]:
    """Return each claim with what was found and whether it was kept; what has no value keeps none.

    Parameters
    ----------
    metrics
        On the rows held back.
    groups
        Metrics by value, for each column of `report.groups`.
    """
    judged = []
    for name, bounds in claims.bounds.items():
        judged.append(_judge_claim(name, metrics.get(name), bounds.at_least, bounds.at_most))
    gap = claims.group_gap
    if gap is not None:
        known = {group["value"]: group["metrics"].get(gap.metric) for group in groups.get(gap.column, [])}
        values = [value for value in known.values() if value is not None]
        found = max(values) - min(values) if len(values) > 1 else None  # one group alone is no gap
        left_out = [name for name, value in known.items() if value is None]
        claim = _judge_claim(f"gap of {gap.metric} between groups of {gap.column}", found, None, gap.at_most)
        judged.append({**claim, "left_out": left_out} if left_out else claim)
    return judged


def _judge_claim(claim: str, found: float | None, at_least: float | None, at_most: float | None) -> dict[str, Any]:
    kept = found is not None and (at_least is None or found >= at_least) and (at_most is None or found <= at_most)
    bounds = {"at_least": at_least, "at_most": at_most}
    return {"claim": claim, **{name: value for name, value in bounds.items() if value is not None}, "found": found, "kept": kept}
