from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from samebits.row_columns import RowColumns
from samebits.transformers import BooleanNumbers, DateNumbers, DerivedColumns, EncodedLabels, OutlierClipper

TRANSFORMERS: list[Any] = [OutlierClipper(), BooleanNumbers(), DateNumbers(), DerivedColumns(), RowColumns()]


@parametrize_with_checks([*TRANSFORMERS, EncodedLabels(LogisticRegression())])
def test_every_transformer_is_what_scikit_learn_asks_of_one(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda transformer: type(transformer).__name__)
@pytest.mark.parametrize("columns", [["a"], ["a", "d"]], ids=" ".join)
def test_a_table_without_the_fitted_columns_is_refused(transformer: Any, columns: list[str]) -> None:
    fitted = clone(transformer).fit(pd.DataFrame({"a": [0.0, 1.0], "b": [1.0, 0.0]}))

    with pytest.raises(ValueError, match="feature"):
        fitted.transform(pd.DataFrame({key: [0.0, 1.0] for key in columns}))


@pytest.mark.parametrize("transformer", [OutlierClipper(), BooleanNumbers()], ids=lambda transformer: type(transformer).__name__)
@pytest.mark.parametrize("columns", [["b", "a"], ["a", "b", "c"]], ids=" ".join)
def test_columns_that_go_by_place_must_stand_as_they_were_fitted(transformer: Any, columns: list[str]) -> None:
    fitted = clone(transformer).fit(pd.DataFrame({"a": [0.0, 1.0], "b": [1.0, 0.0]}))

    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform(pd.DataFrame({key: [0.0, 1.0] for key in columns}))


@pytest.mark.parametrize(
    "transformer", [DateNumbers(), DerivedColumns({"s": {"b": 2.0}}), RowColumns([{"name": "s", "log1p": "b"}])], ids=str
)
def test_columns_that_go_by_name_may_stand_in_any_order_beside_others(transformer: Any) -> None:
    frame = pd.DataFrame({"a": [0.0, 1e15], "b": [1e18, 0.0], "c": [5.0, 6.0]})
    fitted = clone(transformer).fit(frame[["a", "b"]])

    np.testing.assert_array_equal(fitted.transform(frame[["c", "b", "a"]]), fitted.transform(frame[["a", "b"]]))


def test_an_array_has_columns_without_names() -> None:
    made = DateNumbers().fit(np.zeros((2, 1)))

    assert made.get_feature_names_out().tolist()[:2] == ["x0_year", "x0_month"]
    assert made.transform(np.zeros((2, 1)))[0].tolist() == [1970, 1, 1, 3, 0, 0]


def test_outliers_move_to_tukeys_fences_and_missing_values_stay() -> None:
    column = np.array([[1.0], [2.0], [3.0], [4.0], [100.0], [np.nan], [np.inf]])

    clipped = OutlierClipper(1.5).fit(column).transform(column)

    first, third = np.quantile(column[:5], [0.25, 0.75])
    fence = third + 1.5 * (third - first)
    assert clipped[:, 0].tolist()[:4] == [1.0, 2.0, 3.0, 4.0]
    assert clipped[4, 0] == clipped[6, 0] == fence
    assert np.isnan(clipped[5, 0])


def test_a_rare_flag_is_not_clipped_away() -> None:
    flag = np.array([[0.0]] * 9 + [[1.0]])

    np.testing.assert_array_equal(OutlierClipper(1.5).fit(flag).transform(flag), flag)


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_follows_sees_c_order_whatever_the_tables_order_was(order: str) -> None:
    X = np.asarray(np.random.default_rng(0).normal(size=(20, 3)), order=order)  # type: ignore[call-overload]

    result = OutlierClipper(None).fit(X).transform(X)

    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, X)


def test_derived_columns_are_sums_and_ratios() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, -1e-6], "c": [True, False]})
    made = DerivedColumns({"sum": {"a": 2.0, "c": 10.0}}, {"ratio": ["a", "b"]}, 1e-6).fit(frame)

    result = made.transform(frame)

    assert result["sum"].tolist() == [12.0, 4.0]
    assert result["ratio"].iloc[0] == 1.0 / (3.0 + 1e-6)
    assert np.isnan(result["ratio"].iloc[1])  # a denominator of zero is no number, not an infinity
    assert made.get_feature_names_out().tolist() == ["a", "b", "c", "sum", "ratio"]


def test_a_time_zone_changes_no_part() -> None:
    plain = pd.DataFrame({"d": pd.to_datetime(["2026-11-20 03:00"])})
    zoned = pd.DataFrame({"d": pd.to_datetime(["2026-11-20 03:00"], utc=True).tz_convert("America/New_York")})

    np.testing.assert_array_equal(DateNumbers().fit(plain).transform(zoned), DateNumbers().fit(plain).transform(plain))


def test_dates_become_their_parts() -> None:
    frame = pd.DataFrame({"d": pd.to_datetime(["2026-11-20 13:00", None])})

    parts = DateNumbers().fit(frame).transform(frame)

    assert parts[0].tolist() == [2026, 11, 20, 4, 13, 20777 + 13 / 24]
    assert np.isnan(parts[1]).all()


def test_a_missing_boolean_becomes_the_more_frequent_one() -> None:
    frame = pd.DataFrame({"f": pd.array([True, True, None, False], dtype="boolean")})

    assert BooleanNumbers().fit(frame).transform(frame)[:, 0].tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("labels", [["b", "a", "ü"], [10, -3, 7], [True, False, True]])
def test_encoded_labels_come_back_as_they_were(labels: list[Any]) -> None:
    X = np.arange(60.0).reshape(-1, 1) // 20
    y = np.repeat(labels, 20)

    fitted = EncodedLabels(LogisticRegression(C=1e6)).fit(X, y)

    assert fitted.estimator_.classes_.tolist() == list(range(len(set(labels))))
    assert fitted.classes_.tolist() == sorted(set(labels))
    assert set(fitted.predict(X).tolist()) <= set(labels)
