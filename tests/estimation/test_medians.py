"""Medians found column by column are those of all columns at once, to the bit, and nothing of how they were found stays in the model."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from samebits.estimation.medians import finding_medians_by_column
from samebits.model.fingerprint import digest_model

NUMBERS = st.one_of(st.just(np.nan), st.just(-0.0), st.floats(-1e300, 1e300))
TABLES = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=NUMBERS)


def build(strategy: str = "median", *, add_indicator: bool = False) -> Pipeline:
    impute = SimpleImputer(strategy=strategy, keep_empty_features=True, add_indicator=add_indicator)
    columns = ColumnTransformer([("numeric", Pipeline([("impute", impute), ("scale", StandardScaler())]), [0, -1])])
    return Pipeline([("columns", columns)])


@given(TABLES)
def test_medians_by_column_are_those_of_all_at_once(X: np.ndarray) -> None:
    pipeline = Pipeline([("impute", SimpleImputer(strategy="median", keep_empty_features=True))])
    expected = SimpleImputer(strategy="median", keep_empty_features=True).fit(X).statistics_

    with finding_medians_by_column(pipeline):
        pipeline.fit(X)

    assert pipeline.steps[0][1].statistics_.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("strategy", "add_indicator"), [("median", False), ("median", True), ("mean", False)])
def test_a_fitted_pipeline_is_as_if_it_had_been_fitted_plainly(strategy: str, add_indicator: bool) -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 4))).mask(lambda values: values > 1)
    plain, found = build(strategy, add_indicator=add_indicator).fit(X), build(strategy, add_indicator=add_indicator)

    with finding_medians_by_column(found):
        found.fit(X)

    assert digest_model(found) == digest_model(plain)


def test_columns_are_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, find = [], SimpleImputer._dense_fit

    def note(self: SimpleImputer, X: np.ndarray, *settings: object) -> np.ndarray:
        seen.append(X.shape)
        return find(self, X, *settings)  # type: ignore[no-any-return]

    monkeypatch.setattr(SimpleImputer, "_dense_fit", note)
    pipeline = build()

    with finding_medians_by_column(pipeline):
        pipeline.fit(np.ones((5, 3)))

    assert seen == [(5, 1), (5, 1)]


def test_an_imputer_whose_fit_fails_is_scikit_learns_again() -> None:
    pipeline = build()

    with pytest.raises(ValueError, match="strategy"), finding_medians_by_column(pipeline):
        pipeline.fit(pd.DataFrame({"a": ["x", "y"], "b": ["z", "z"]}))

    assert type(pipeline.steps[0][1].transformers[0][1].steps[0][1]) is SimpleImputer


def test_what_an_imputer_raises_names_scikit_learns_class() -> None:
    pipeline = build()

    with pytest.raises(ValueError, match=r"required by SimpleImputer\.$"), finding_medians_by_column(pipeline):
        pipeline.fit(np.empty((0, 3)))
