"""Medians of missing values' columns, found one column after the other: the same bits as of all at once, in a fraction of the memory.

`SimpleImputer` sorts all columns together as one masked array, which holds six times what it is given. A class of our own in its
place would stand in every model; so it is one only while it is fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn import impute
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline


class SimpleImputer(impute.SimpleImputer):  # type: ignore[misc]
    """Finds each column's median by itself (`_dense_fit`, where scikit-learn finds those of all columns); named as it is in errors."""

    def _dense_fit(self, X: np.ndarray, *settings: Any) -> np.ndarray:
        find = super()._dense_fit
        columns = np.hsplit(X, X.shape[1]) if X.shape[1] > 1 else [X]
        medians: np.ndarray = np.concatenate([find(column, *settings) for column in columns])
        return medians


@contextmanager
def finding_medians_by_column(pipeline: Pipeline) -> Iterator[None]:
    """Let a pipeline's imputers find medians column by column while it is fitted; afterwards they are scikit-learn's, as before."""
    for imputer in _list_imputers(pipeline):
        if type(imputer) is impute.SimpleImputer and imputer.strategy == "median" and not imputer.add_indicator:
            imputer.__class__ = SimpleImputer
    try:
        yield
    finally:
        for imputer in _list_imputers(pipeline):
            if type(imputer) is SimpleImputer:
                imputer.__class__ = impute.SimpleImputer


def _list_imputers(step: Any) -> Iterator[impute.SimpleImputer]:
    """Yield those that stand in pipelines and column transformers, fitted ones and those that were copied to be fitted.

    What another class holds is left alone: nobody knows where it keeps its copies.
    """
    if isinstance(step, impute.SimpleImputer):
        yield step
    elif type(step) is Pipeline:
        for _, one in step.steps:
            yield from _list_imputers(one)
    elif type(step) is ColumnTransformer:
        for _, one, _ in [*step.transformers, *getattr(step, "transformers_", [])]:
            yield from _list_imputers(one)
