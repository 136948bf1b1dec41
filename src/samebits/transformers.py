"""samebits' own transformers: what scikit-learn has not, for the default preprocessing. Each is a fitted value like any other.

They take a DataFrame or an array of shape (n_rows, n_columns) and give a float64 array in C order, so that what follows sees one
memory layout whatever the table's was; EncodedLabels transforms the target. They are stored in the model file, so their attributes
are plain arrays, lists and dicts. What scikit-learn asks of an estimator (`check_estimator`) they keep; other columns than were
fitted are refused.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils import Tags, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_feature_names_in, check_array, check_is_fitted, validate_data

DATE_PARTS = ("year", "month", "day", "weekday", "hour", "days_since_1970")
_PANDAS_PARTS = ("year", "month", "day", "day_of_week", "hour")


class DerivedColumns(TransformerMixin, BaseEstimator):
    """Adds weighted sums and ratios of columns to a DataFrame.

    Parameters
    ----------
    weighted_sums
        New column -> {column: weight}.
    ratios
        New column -> [numerator, denominator]; the new value is numerator / (denominator + epsilon).
    epsilon
        See ratios.
    """

    def __init__(
        self,
        weighted_sums: dict[str, dict[str, float]] | None = None,
        ratios: dict[str, list[str]] | None = None,
        epsilon: float = 1e-6,
    ) -> None:
        self.weighted_sums = weighted_sums
        self.ratios = ratios
        self.epsilon = epsilon

    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember the columns; nothing is learned."""
        take_table(self, X, reset=True)
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Return the columns given, then the weighted sums, then the ratios."""
        check_is_fitted(self)
        table = take_table(self, X, reset=False)
        made = {}
        for name, weights in (self.weighted_sums or {}).items():
            total = np.zeros(len(table))
            for column, weight in weights.items():
                total = total + weight * table[column].to_numpy(dtype=np.float64, na_value=np.nan)
            made[name] = total
        for name, (numerator, denominator) in (self.ratios or {}).items():
            above = table[numerator].to_numpy(dtype=np.float64, na_value=np.nan)
            below = table[denominator].to_numpy(dtype=np.float64, na_value=np.nan)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = above / (below + self.epsilon)
            made[name] = np.where(np.isfinite(ratio), ratio, np.nan)
        return table.assign(**made)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns that `transform` gives."""
        given = _check_feature_names_in(self, input_features)
        return np.asarray([*given, *(self.weighted_sums or {}), *(self.ratios or {})], dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = _allow_missing(super().__sklearn_tags__(), takes_text=True)
        tags.transformer_tags.preserves_dtype = []  # it gives a table, which has no one dtype
        return tags


class OutlierClipper(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Moves values beyond Tukey's fences to the fences; a column whose quartiles coincide is left as it is.

    Parameters
    ----------
    factor
        Fences stand this many interquartile ranges outside the quartiles (Tukey 1977 takes 1.5); None clips nothing.
    """

    def __init__(self, factor: float | None = 1.5) -> None:
        self.factor = factor

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find each column's fences from its finite values."""
        values = _take_floats(self, X, reset=True)
        self.lower_ = np.full(values.shape[1], -np.inf)
        self.upper_ = np.full(values.shape[1], np.inf)
        for column in range(values.shape[1] if self.factor is not None else 0):
            known = values[np.isfinite(values[:, column]), column]
            first, third = np.quantile(known, [0.25, 0.75]) if known.size else (0.0, 0.0)
            if third > first:
                margin = float(self.factor or 0) * (third - first)
                self.lower_[column], self.upper_[column] = first - margin, third + margin
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the clipped values, shape (n_rows, n_columns); missing values stay missing."""
        check_is_fitted(self)
        values = _take_floats(self, X, reset=False)
        is_own = isinstance(X, pd.DataFrame)  # an array is the caller's, and may be what was taken
        return np.ascontiguousarray(np.clip(values, self.lower_, self.upper_, out=values if is_own else None))

    def __sklearn_tags__(self) -> Tags:
        return _allow_missing(super().__sklearn_tags__())


class BooleanNumbers(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """False and True to 0 and 1; a missing value to the column's more frequent one (to 0 on a tie)."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find each column's more frequent value."""
        values = _take_floats(self, X, reset=True)
        self.fill_ = np.where(np.nansum(values == 1, axis=0) > np.nansum(values == 0, axis=0), 1.0, 0.0)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return zeros and ones, shape (n_rows, n_columns)."""
        check_is_fitted(self)
        values = _take_floats(self, X, reset=False)
        return np.ascontiguousarray(np.where(np.isnan(values), self.fill_, values))

    def __sklearn_tags__(self) -> Tags:
        return _allow_missing(super().__sklearn_tags__())


class DateNumbers(TransformerMixin, BaseEstimator):
    """Each date column to its year, month, day, weekday (Monday is 0), hour and days since 1970; missing to missing.

    Dates may also be written as text; numbers are nanoseconds since 1970, as pandas takes them.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember the columns; nothing is learned."""
        take_table(self, X, reset=True)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the parts, shape (n_rows, 6 n_columns), a column's six beside each other."""
        check_is_fitted(self)
        parts = []
        for _, column in take_table(self, X, reset=False).items():
            instants = pd.to_datetime(column, utc=True).dt.tz_localize(None)  # as the table was read for training
            dates = instants.dt
            for part in _PANDAS_PARTS:
                parts.append(getattr(dates, part).to_numpy(dtype=np.float64, na_value=np.nan))
            microseconds = instants.to_numpy(dtype="datetime64[us]")
            days = microseconds.astype(np.int64) / 86_400e6
            parts.append(np.where(np.isnat(microseconds), np.nan, days))
        return np.ascontiguousarray(np.column_stack(parts))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return `<column>_<part>` for each column and part."""
        given = _check_feature_names_in(self, input_features)
        return np.asarray([f"{name}_{part}" for name in given for part in DATE_PARTS], dtype=object)

    def __sklearn_tags__(self) -> Tags:
        return _allow_missing(super().__sklearn_tags__(), takes_text=True)


class EncodedLabels(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Gives a classifier the numbers 0, 1, … for the target's classes, and gives the classes back; for those that take no text.

    Parameters
    ----------
    estimator
        The classifier.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit a copy of the classifier."""
        X, y = validate_data(self, X, y, dtype=None, ensure_all_finite=False, accept_sparse=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.estimator_ = clone(self.estimator).fit(X, codes, **weights)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the predicted classes, shape (n_rows,)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=None, ensure_all_finite=False, accept_sparse=True, reset=False)
        return self.classes_[np.ravel(self.estimator_.predict(X)).astype(np.int64)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return each class's probability, shape (n_rows, n_classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=None, ensure_all_finite=False, accept_sparse=True, reset=False)
        return np.asarray(self.estimator_.predict_proba(X))

    def __sklearn_tags__(self) -> Tags:
        tags = _allow_missing(super().__sklearn_tags__())
        tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        tags.input_tags.sparse = get_tags(self.estimator).input_tags.sparse
        return tags


def _allow_missing(tags: Tags, *, takes_text: bool = False) -> Tags:
    tags.input_tags.allow_nan = True
    tags.input_tags.string = takes_text
    return tags


def _take_floats(estimator: Any, X: Any, *, reset: bool) -> np.ndarray:
    """Return X as float64 in C order, its columns remembered (`reset`) or held to those remembered."""
    given = X
    if isinstance(X, pd.DataFrame):
        columns = [column.to_numpy(dtype=np.float64, na_value=np.nan) for _, column in X.items()]
        given = np.column_stack(columns) if columns else np.empty((len(X), 0))
    values: np.ndarray = check_array(given, dtype=np.float64, order="C", ensure_all_finite=False, estimator=estimator)
    validate_data(estimator, X if hasattr(X, "columns") else values, reset=reset, skip_check_array=True)
    return values


def take_table(estimator: Any, X: Any, *, reset: bool) -> pd.DataFrame:
    """Return X as a DataFrame, its columns remembered (`reset`) or taken by the names remembered; values as they are."""
    if not isinstance(X, pd.DataFrame):
        X = check_array(X, dtype=None, ensure_all_finite=False, estimator=estimator)
    elif 0 in X.shape:
        check_array(np.empty(X.shape), estimator=estimator)  # raises, in scikit-learn's own words
    elif not reset and set(getattr(estimator, "feature_names_in_", ())) <= set(X.columns):
        X = X[list(getattr(estimator, "feature_names_in_", X.columns))]  # as a ColumnTransformer takes them
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return pd.DataFrame(X)
