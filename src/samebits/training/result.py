"""The result of a training: the best candidate, fitted, with its threshold, its file, and what it says of the test rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier

from samebits.config.keys import Config
from samebits.data.drift import summarise_features
from samebits.training.boosting import get_estimator
from samebits.training.materials import Materials
from samebits.training.scoring import RESPONSE_METHODS, Threshold, choose_threshold, compute_metrics
from samebits.training.selection import CandidateScore, choose_best, fit_model, score_candidates
from samebits.training.storing import rehearse_storing, store_model


@dataclass(frozen=True)
class Result:
    """What a training made.

    Parameters
    ----------
    model_class
        Import path of the estimator that ends the pipeline.
    predictions
        CSV of the test rows: row number, recorded and predicted target, responses; numbers are exact.
    baseline
        The drift baseline, as plain values.
    """

    scored: list[CandidateScore]
    best: CandidateScore
    model_class: str
    model_file: bytes
    model_digest: str
    threshold: Threshold | None
    predictions: bytes
    metrics: dict[str, float]
    baseline: dict[str, Any]


def make_result(config: Config, materials: Materials) -> Result:
    """Compare the candidates, fit the best one, store it, and score it on the test rows.

    Raises
    ------
    ConfigError
        A candidate was found, on a few rows, to be one that cannot be stored without pickle.
    DataError
        A candidate cannot be fitted or scored on these rows.
    LineageError
        The fitted model cannot be stored without pickle, though the few rows did not show it.
    """
    X, y = materials.take(materials.split.train_rows)
    rehearse_storing(materials.candidates, X, y, config.allow, config.seed)
    scored = score_candidates(materials.candidates, X, y, materials.split, materials.scorers, config.seed, config.n_jobs)
    best = choose_best(scored)
    fitted = fit_model(best.name, materials.candidates[best.name], X, y, config.seed, config.n_jobs)
    model, threshold = _apply_threshold(fitted, config, materials, y, best)
    model_file, model_digest = store_model(model, config.allow)
    predictions, metrics = _score_test(model, materials)
    return Result(
        scored=scored,
        best=best,
        model_class=_name_class(fitted),
        model_file=model_file,
        model_digest=model_digest,
        threshold=threshold,
        predictions=predictions,
        metrics=metrics,
        baseline=summarise_features(X, materials.kinds),
    )


def _apply_threshold(
    fitted: Any, config: Config, materials: Materials, y: np.ndarray, best: CandidateScore
) -> tuple[Any, Threshold | None]:
    """Return the model that decides by the threshold, so that whoever loads it gets the same decisions."""
    target, split = materials.target, materials.split
    target_precision = config.business.target_precision
    if target_precision is None or best.responses is None:
        return fitted, None
    is_positive = np.concatenate([y[score_rows] for _, score_rows in split.folds]) == target.positive
    method = next(name for name in RESPONSE_METHODS if hasattr(fitted, name))
    threshold = choose_threshold(is_positive, np.concatenate(best.responses), method, target_precision)
    model = FixedThresholdClassifier(
        FrozenEstimator(fitted), threshold=threshold.value, pos_label=target.positive, response_method=method
    )
    return model.fit(np.zeros((2, 1)), target.labels), threshold


def _score_test(model: Any, materials: Materials) -> tuple[bytes, dict[str, float]]:
    """Return the predictions on the test rows, as CSV with exact numbers, and the metrics."""
    target, rows = materials.target, materials.split.test_rows
    X, y = materials.take(rows)
    predicted = model.predict(X)
    table: dict[str, Any] = {"row": rows, "recorded": y, "predicted": predicted}
    responses = None
    method = next((name for name in RESPONSE_METHODS if hasattr(model, name)), None)
    if target.task != "regression" and target.labels is not None and method is not None:
        found = getattr(model, method)(X)
        if target.task == "binary":
            position = target.labels.tolist().index(target.positive)
            responses = found[:, position] if found.ndim == 2 else found if position == 1 else -found
            table["response"] = responses
        elif method == "predict_proba":
            responses = found
            table.update({f"probability_{label}": found[:, i] for i, label in enumerate(target.labels.tolist())})
    text = pd.DataFrame(table).to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8"), compute_metrics(target, y, predicted, responses)


def _name_class(fitted: Any) -> str:
    model = get_estimator(fitted.steps[-1][1])
    return f"{type(model).__module__}.{type(model).__qualname__}"
