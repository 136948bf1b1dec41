"""The main job: from a config to everything that a run makes, in the order in which it happens. It touches no server.

`train` and, later, whatever makes a run again call `make_training`, so that they cannot drift apart.
"""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier

from samebits.code import CodeIdentity, identify_code
from samebits.config import LoadedConfig
from samebits.dataset import Dataset, load_dataset
from samebits.digests import canonical_json, digest_bytes, digest_value
from samebits.drift import summarise_features
from samebits.environment import Environment, read_environment
from samebits.errors import ConfigError, LineageError, Problem
from samebits.fingerprint import digest_model
from samebits.lineage import (
    Stage,
    describe_code,
    describe_config,
    describe_data,
    describe_environment,
    describe_profile,
    make_stage,
)
from samebits.model_file import dump_model, load_model, settle_model
from samebits.pipeline import build_candidates, list_features
from samebits.profile import check_kernels, read_kernels
from samebits.project import find_data
from samebits.scoring import (
    RESPONSE_METHODS,
    Threshold,
    choose_threshold,
    compute_metrics,
    make_response_scorer,
    make_scorer,
    name_scoring,
)
from samebits.seeds import plant_seeds
from samebits.selection import CandidateScore, choose_best, fit_model, score_candidates
from samebits.split import Split, split_rows
from samebits.target import Target, read_target


@dataclass(frozen=True)
class Training:
    """Everything that one run makes.

    Parameters
    ----------
    files
        What is kept, by its path on the server; the lineage is not among them, since it is made of them.
    stages
        The lineage's stages, inputs and outputs.
    example
        Five rows of features, as the model takes them.
    """

    dataset: Dataset
    target: Target
    features: list[str]
    scored: list[CandidateScore]
    best: CandidateScore
    scoring: str
    model_file: bytes
    model_class: str
    threshold: Threshold | None
    metrics: dict[str, float]
    example: pd.DataFrame
    code: CodeIdentity
    environment: Environment
    files: dict[str, bytes]
    stages: dict[str, Stage]
    seconds: float


def make_training(loaded: LoadedConfig, project_root: Path) -> Training:
    """Train what a config says, and describe it.

    Raises
    ------
    ConfigError, DataError, ProvenanceError
        The config, the table, or the machine does not allow it; as far as it can be known, before anything is trained.
    """
    started = time.monotonic()
    config = loaded.config
    plant_seeds(config.seed, "run")
    kernels = read_kernels()
    check_kernels(config.numeric_profile, kernels)
    code = identify_code(project_root)
    environment = read_environment(project_root, config.allow)

    dataset = load_dataset(config.data, find_data(config.data.path, loaded.document.path, project_root))
    target = read_target(config, dataset)
    _check_business(loaded, target)
    candidates, seeds = build_candidates(config, dataset, target.task, target.labels)
    scorers = _make_scorers(loaded, target)
    split = split_rows(config, dataset, target)
    features = list_features(config, dataset)
    X, y = dataset.frame[features].iloc[split.train_rows], target.values[split.train_rows]
    X_test, y_test = dataset.frame[features].iloc[split.test_rows], target.values[split.test_rows]

    scored = score_candidates(candidates, X, y, split, scorers, config.seed, config.n_jobs)
    best = choose_best(scored)
    fitted = fit_model(best.name, candidates[best.name], X, y, config.seed, config.n_jobs)
    model, threshold = _apply_threshold(fitted, loaded, target, y, split, best)
    model_file, model_digest = _save_model(model, config.allow)
    predictions, metrics = _score_test(model, target, X_test, y_test, split.test_rows)
    baseline = summarise_features(X, {name: dataset.kinds[name] for name in features})

    outputs = {
        "split": _describe_split(split),
        "cross_validation": _describe_scores(scored, best, name_scoring(config, target)),
        "model": {
            "digest": model_digest,
            "name": best.name,
            "class": _name_class(fitted),
            "file_digest": digest_bytes(model_file),
            "size_bytes": len(model_file),
        },
        "threshold": make_stage(dataclasses.asdict(threshold) if threshold else {"value": None}),
        "predictions": {"digest": digest_bytes(predictions), "n_rows": len(X_test)},
        "metrics": make_stage({"test": metrics}),
        "drift_baseline": {"digest": digest_value(baseline)},
    }
    inputs = {
        "code": describe_code(code, [loaded.document.path, dataset.path]),
        "config": describe_config(loaded, _relative(loaded.document.path, project_root)),
        "data": describe_data(dataset, _relative(dataset.path, project_root)),
        "environment": describe_environment(environment),
        "numeric_profile": describe_profile(config.numeric_profile, kernels),
        "seeds": make_stage({"root": config.seed, "planted": dict(sorted({**seeds, **split.seeds}.items()))}),
    }
    files = {
        f"config/as_written{loaded.document.path.suffix or '.yaml'}": loaded.document.path.read_bytes(),
        "config/resolved.json": canonical_json(loaded.resolved),
        "cross_validation.json": canonical_json(outputs["cross_validation"]),
        "drift_baseline.json": canonical_json(baseline),
        "metrics.json": canonical_json(metrics),
        "predictions.csv": predictions,
        "threshold.json": canonical_json(outputs["threshold"]),
        **_collect_provenance(code, project_root),
    }
    return Training(
        dataset=dataset,
        target=target,
        features=features,
        scored=scored,
        best=best,
        scoring=name_scoring(config, target),
        model_file=model_file,
        model_class=_name_class(fitted),
        threshold=threshold,
        metrics=metrics,
        example=X.head(5).reset_index(drop=True),
        code=code,
        environment=environment,
        files=files,
        stages={**inputs, **outputs},
        seconds=time.monotonic() - started,
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


def _apply_threshold(
    fitted: Any, loaded: LoadedConfig, target: Target, y: np.ndarray, split: Split, best: CandidateScore
) -> tuple[Any, Threshold | None]:
    """Return the model that decides by the threshold, so that whoever loads it gets the same decisions."""
    target_precision = loaded.config.business.target_precision
    if target_precision is None or best.responses is None:
        return fitted, None
    is_positive = np.concatenate([y[score_rows] for _, score_rows in split.folds]) == target.positive
    method = next(name for name in RESPONSE_METHODS if hasattr(fitted, name))
    threshold = choose_threshold(is_positive, np.concatenate(best.responses), method, target_precision)
    model = FixedThresholdClassifier(
        FrozenEstimator(fitted), threshold=threshold.value, pos_label=target.positive, response_method=method
    )
    return model.fit(np.zeros((2, 1)), target.labels), threshold


def _save_model(model: Any, allow: list[str]) -> tuple[bytes, str]:
    """Return the model's file and digest, having loaded the file and found the same model in it.

    Saved before it predicts: some models count their queries.
    """
    settle_model(model)
    content, digest = dump_model(model), digest_model(model)
    if digest_model(load_model(content, allow)) != digest:
        remedy = "This class cannot be stored without pickle: use another."
        raise LineageError(Problem("model file", f"a model of digest {digest}", "another when it is loaded", remedy))
    return content, digest


def _score_test(model: Any, target: Target, X: pd.DataFrame, y: np.ndarray, rows: np.ndarray) -> tuple[bytes, dict[str, float]]:
    """Return the predictions on the test rows, as CSV with exact numbers, and the metrics."""
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


def _describe_split(split: Split) -> Stage:
    folds = [[digest_bytes(fit.tobytes()), digest_bytes(score.tobytes())] for fit, score in split.folds]
    decisive = {
        "train_rows": digest_bytes(np.ascontiguousarray(split.train_rows).tobytes()),
        "test_rows": digest_bytes(np.ascontiguousarray(split.test_rows).tobytes()),
        "folds": folds,
    }
    return make_stage(decisive, n_train=len(split.train_rows), n_test=len(split.test_rows), n_folds=len(folds))


def _describe_scores(scored: list[CandidateScore], best: CandidateScore, scoring: str) -> Stage:
    candidates = {candidate.name: {"scores": candidate.scores, "mean": candidate.mean} for candidate in scored}
    return make_stage({"scoring": scoring, "candidates": candidates, "best": best.name})


def _name_class(fitted: Any) -> str:
    model = fitted.steps[-1][1]
    return f"{type(model).__module__}.{type(model).__qualname__}"


def _relative(path: Path, project_root: Path) -> str:
    resolved, root = path.resolve(), project_root.resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else os.fspath(resolved)


def _collect_provenance(code: CodeIdentity, project_root: Path) -> dict[str, bytes]:
    files = {}
    if code.patch:
        files["code/uncommitted.patch"] = code.patch
    lock = project_root / "uv.lock"
    if lock.is_file():
        files["environment/uv.lock"] = lock.read_bytes()
    return files
