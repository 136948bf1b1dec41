"""Which candidates can learn from a table larger than memory, and what is said of the others before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sklearn.pipeline import Pipeline

from samebits.config.loading import LoadedConfig
from samebits.data.preparation import PreparedRows
from samebits.errors import ConfigError, Problem
from samebits.estimation.boosting import name_library
from samebits.stored.room import count_rows_that_fit
from samebits.transformers import EncodedLabels

Way = Literal["partial_fit", "external memory"]
_TREES = ("gbtree", "dart")
_WAYS = "an estimator that learns in batches: one with partial_fit (SGDClassifier, MLPRegressor), or XGBoost's trees by hist"


def choose_way(model: Any) -> Way | None:
    """Return how an estimator learns in batches, or None: it takes all rows at once."""
    if name_library(model) == "xgboost":
        parameters = model.get_params()
        is_trees = parameters.get("booster") in (None, *_TREES) and parameters.get("tree_method") in (None, "auto", "hist")
        return "external memory" if is_trees else None
    return "partial_fit" if hasattr(model, "partial_fit") else None


def find_learner(pipeline: Pipeline) -> Any:
    """Return what ends a pipeline, out of what encodes its labels: whatever else stands around an estimator takes all rows."""
    model = pipeline.steps[-1][1]
    return model.estimator if isinstance(model, EncodedLabels) else model


def check_batches(loaded: LoadedConfig, rows: PreparedRows, candidates: Mapping[str, Pipeline]) -> None:
    """Hold candidates to what is asked of them where a table is larger than memory.

    Raises
    ------
    ConfigError
        One takes all rows at once, or the config asks for what needs them all.
    """
    config = loaded.config
    if config.batches is None:
        return
    keys: list[tuple[tuple[str, ...], Any]] = [
        (("engine",), config.engine),
        (("data", "target_transform"), config.data.target_transform),
    ]
    for key, value in keys:
        if value is not None:
            expected = "null, of a table that is learned in batches"
            raise ConfigError(Problem(loaded.document.locate(key), expected, str(value), "Remove the key, or batches."))
    models = {name: find_learner(one) for name, one in candidates.items()}
    n_rows, n_fit = len(rows.dataset.frame), count_rows_that_fit(len(rows.inputs))
    problems = [_refuse_whole(name, model, n_rows, n_fit) for name, model in models.items() if choose_way(model) is None]
    if problems:
        raise ConfigError(*problems)


def _refuse_whole(name: str, model: Any, n_rows: int, n_fit: int) -> Problem:
    found = f"{type(model).__name__}, which takes all {n_rows:,} rows at once; about {n_fit:,} would fit into this machine's memory"
    fewer = "" if n_fit >= n_rows else f" and keep fewer rows (data.rows: [{{sample: {n_fit}}}])"
    remedy = f"Name another, or remove batches{fewer}."
    return Problem(f"models.{name}", _WAYS, found, remedy)
