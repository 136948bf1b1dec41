"""A candidate fitted on rows that lie on disk, some at a time: by `partial_fit`, or by XGBoost's external memory.

Preprocessing is learned from evenly spaced rows that fit into memory, the model from all. Batches are consecutive rows; each epoch of
`partial_fit` takes them, and the rows within each, in an order that is drawn from the planted seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline

from samebits.candidates.batches import choose_way, find_learner
from samebits.candidates.materials import Sample
from samebits.estimation.boosting import set_fit_threads
from samebits.keys.learning import Batches
from samebits.stored.scratch import explaining_scratch, make_scratch_folder, naming_plainly, require_room
from samebits.stored.stored_table import StoredTable
from samebits.transformers import EncodedLabels

_PROBED_ROWS = 1000
_ROW_BYTES, _BIN_BYTES, _SPARSE_BYTES, _SMALL_BINS = 8, 3, 20, 256  # of XGBoost's files, as measured


def fit_batches(pipeline: Pipeline, sample: Sample, threads: int) -> Pipeline:
    """Return a fitted copy of a pipeline whose model learns in batches.

    Parameters
    ----------
    sample
        Of a table on disk.
    threads
        For XGBoost, whose trees do not depend on them.
    """
    assert isinstance(sample.X, StoredTable) and sample.batches is not None
    fitted = clone(pipeline)
    set_fit_threads(fitted, threads)
    some = _space_evenly(len(sample.y), sample.batches.preprocessing_rows)
    front = fitted[:-1].fit(sample.X.take(some).read(), sample.y[some])
    model = fitted.steps[-1][1]
    fit = _fit_external if choose_way(find_learner(fitted)) == "external memory" else _fit_partially
    return Pipeline([*front.steps, (fitted.steps[-1][0], fit(model, front, sample, sample.batches))])


def _space_evenly(n_rows: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, most)).astype(np.int64))


def _fit_partially(model: Any, front: Pipeline, sample: Sample, batches: Batches) -> Any:
    generator = np.random.default_rng(np.random.randint(2**31 - 1))
    named = {"classes": np.unique(sample.y)} if is_classifier(model) else {}
    starts = np.arange(0, len(sample.y), batches.rows)
    weights = sample.weights.weigh(sample.y)
    for _ in range(batches.epochs):
        for start in generator.permutation(starts).tolist():
            X, y, weight = _read_batch(front, sample, weights, start, batches.rows)
            order = generator.permutation(len(y))
            weighed = {} if weight is None else {"sample_weight": weight[order]}
            model.partial_fit(X[order], y[order], **named, **weighed)
    return model


def _read_batch(
    front: Pipeline, sample: Sample, weights: np.ndarray | None, start: int, n_rows: int
) -> tuple[Any, np.ndarray, np.ndarray | None]:
    assert isinstance(sample.X, StoredTable)
    rows = slice(start, start + n_rows)
    return front.transform(sample.X.read(rows.start, rows.stop)), sample.y[rows], None if weights is None else weights[rows]


def _fit_external(model: Any, front: Pipeline, sample: Sample, batches: Batches) -> Any:
    """XGBoost keeps the bins of all rows on disk; labels are encoded as `EncodedLabels` does where it stands around the model."""
    if not isinstance(model, EncodedLabels):
        return _fit_booster(model, front, sample, sample.y, batches)
    model.classes_, codes = np.unique(sample.y, return_inverse=True)
    model.estimator_ = _fit_booster(clone(model.estimator), front, sample, codes, batches)
    model.n_features_in_ = model.estimator_.n_features_in_
    return model


def _fit_booster(model: Any, front: Pipeline, sample: Sample, y: np.ndarray, batches: Batches) -> Any:
    """The estimator fits as ever, but for the matrix that it makes of its rows (`_create_dmatrix`, as XGBoost's own subclasses do)."""
    import xgboost

    weights, max_bin = sample.weights.weigh(sample.y), model.get_params().get("max_bin") or _SMALL_BINS

    def read() -> Iterator[dict[str, Any]]:
        for start in range(0, len(y), batches.rows):
            X, _, weight = _read_batch(front, sample, weights, start, batches.rows)
            yield {"data": X, "label": y[start : start + batches.rows], **({} if weight is None else {"weight": weight})}

    class Source(xgboost.DataIter):
        def __init__(self, folder: Path) -> None:
            self._parts = read()
            super().__init__(cache_prefix=str(folder / "bins"))

        def next(self, input_data: Callable[..., Any]) -> bool:
            part = next(self._parts, None)
            if part is None:
                return False
            input_data(**part)
            return True

        def reset(self) -> None:
            self._parts = read()

    with explaining_scratch(), make_scratch_folder() as made, naming_plainly(made) as folder:
        some = _read_batch(front, sample, None, 0, _PROBED_ROWS)[0]
        require_room(made, int(len(y) * _estimate_row(some, max_bin)))

        def make_matrix(ref: Any, **named: Any) -> Any:
            kept = {name: named[name] for name in ("missing", "nthread", "enable_categorical") if name in named}
            made = xgboost.ExtMemQuantileDMatrix(Source(folder), max_bin=max_bin, **kept)
            if named.get("feature_weights") is not None:
                made.set_info(feature_weights=named["feature_weights"])
            return made

        model._create_dmatrix = make_matrix
        try:
            model.fit(some[:1], y)
        finally:
            del model._create_dmatrix
    return model


def _estimate_row(some: Any, max_bin: int) -> float:
    """Return about how many bytes a row takes on disk as bins."""
    if hasattr(some, "nnz"):
        return _ROW_BYTES + float(some.nnz / some.shape[0]) * _SPARSE_BYTES
    return _ROW_BYTES + float(some.shape[1]) * _BIN_BYTES * (1 if max_bin <= _SMALL_BINS else 2)
