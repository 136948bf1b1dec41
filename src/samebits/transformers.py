"""samebits' own transformers: what scikit-learn has not, for the default preprocessing. Each is a fitted value like any other.

They take a DataFrame or an array of shape (n_rows, n_columns) and give a float64 array in C order, so that what follows sees one
memory layout whatever the table's was. They are stored in the model file, so their attributes are plain arrays, lists and dicts.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

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

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Remember the columns; nothing is learned."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the columns given, then the weighted sums, then the ratios."""
        check_is_fitted(self)
        made = {}
        for name, weights in (self.weighted_sums or {}).items():
            total = np.zeros(len(X))
            for column, weight in weights.items():
                total = total + weight * X[column].to_numpy(dtype=np.float64, na_value=np.nan)
            made[name] = total
        for name, (numerator, denominator) in (self.ratios or {}).items():
            above = X[numerator].to_numpy(dtype=np.float64, na_value=np.nan)
            below = X[denominator].to_numpy(dtype=np.float64, na_value=np.nan)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = above / (below + self.epsilon)
            made[name] = np.where(np.isfinite(ratio), ratio, np.nan)
        return X.assign(**made)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns that `transform` gives."""
        return np.asarray([*self.feature_names_in_, *(self.weighted_sums or {}), *(self.ratios or {})], dtype=object)


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
        values = _as_floats(X)
        self._remember_columns(X, values)
        self.lower_ = np.full(values.shape[1], -np.inf)
        self.upper_ = np.full(values.shape[1], np.inf)
        for column in range(values.shape[1] if self.factor is not None else 0):
            known = values[np.isfinite(values[:, column]), column]
            first, third = np.quantile(known, [0.25, 0.75]) if known.size else (0.0, 0.0)
            if third > first:
                margin = float(self.factor or 0) * (third - first)
                self.lower_[column], self.upper_[column] = first - margin, third + margin
        return self

    def _remember_columns(self, X: Any, values: np.ndarray) -> None:
        self.n_features_in_ = values.shape[1]
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)

    def transform(self, X: Any) -> np.ndarray:
        """Return the clipped values, shape (n_rows, n_columns); missing values stay missing."""
        check_is_fitted(self)
        return np.ascontiguousarray(np.clip(_as_floats(X), self.lower_, self.upper_))


class BooleanNumbers(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """False and True to 0 and 1; a missing value to the column's more frequent one (to 0 on a tie)."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Find each column's more frequent value."""
        values = _as_floats(X)
        self.n_features_in_ = values.shape[1]
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.fill_ = np.where(np.nansum(values == 1, axis=0) > np.nansum(values == 0, axis=0), 1.0, 0.0)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return zeros and ones, shape (n_rows, n_columns)."""
        check_is_fitted(self)
        values = _as_floats(X)
        return np.ascontiguousarray(np.where(np.isnan(values), self.fill_, values))


class DateNumbers(TransformerMixin, BaseEstimator):
    """Each date column to its year, month, day, weekday (Monday is 0), hour and days since 1970; missing to missing."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Remember the columns; nothing is learned."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the parts, shape (n_rows, 6 n_columns), a column's six beside each other."""
        check_is_fitted(self)
        parts = []
        for name in self.feature_names_in_:
            instants = pd.to_datetime(X[name], utc=True).dt.tz_localize(None)  # as the table was read for training
            dates = instants.dt
            for part in _PANDAS_PARTS:
                parts.append(getattr(dates, part).to_numpy(dtype=np.float64, na_value=np.nan))
            microseconds = instants.to_numpy(dtype="datetime64[us]")
            days = microseconds.astype(np.int64) / 86_400e6
            parts.append(np.where(np.isnat(microseconds), np.nan, days))
        return np.ascontiguousarray(np.column_stack(parts)) if parts else np.empty((len(X), 0))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return `<column>_<part>` for each column and part."""
        return np.asarray([f"{name}_{part}" for name in self.feature_names_in_ for part in DATE_PARTS], dtype=object)


def _as_floats(X: Any) -> np.ndarray:
    if isinstance(X, pd.DataFrame):
        columns = [X[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in X.columns]
        return np.column_stack(columns) if columns else np.empty((len(X), 0))
    return np.ascontiguousarray(X, dtype=np.float64)
