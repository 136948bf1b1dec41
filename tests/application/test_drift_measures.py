"""Drift is measured by counts alone, as scipy measures it on the values; thresholds decide, p-values do not."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from samebits.application.drift_counts import Counted, CountedNumbers, start_counts
from samebits.application.drift_measures import Outcome, decide, measure_drift, take_thresholds
from samebits.application.drift_picture import draw_drift
from samebits.data.drift import summarise_features
from samebits.errors import LineageError
from samebits.keys.judging import Drift
from samebits.table.columns import Kind

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _draw_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "RNG", np.random.default_rng(0))


def count(base: Any, later: Any, kind: Kind, parts: int = 3) -> Counted:
    baseline = summarise_features(pd.DataFrame({"x": pd.Series(base)}), {"x": kind})
    counted = start_counts(baseline)["x"]
    for part in np.array_split(np.arange(len(later)), parts):
        counted.count(pd.Series(later).iloc[part])
    return counted


def test_of_few_values_distance_and_p_value_are_scipys_own() -> None:
    base, later = RNG.integers(0, 24, 3000).astype(float), RNG.integers(2, 27, 700).astype(float)

    drift = measure_drift(count(base, later, "numeric"), Drift())

    expected = stats.ks_2samp(base, later, method="asymp")
    assert drift.measures["ks"] == pytest.approx(expected.statistic, abs=1e-12)
    assert drift.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    distance = stats.wasserstein_distance(base, np.where(later > 23, later[later > 23].mean(), later)) / base.std()
    assert drift.measures["wasserstein"] == pytest.approx(distance, rel=1e-9)


def test_of_many_values_the_distance_is_near_and_a_shift_is_found() -> None:
    base, later = RNG.normal(size=20_000), RNG.normal(0.6, 1, 5000)

    drift = measure_drift(count(base, later, "numeric"), Drift())
    same = measure_drift(count(base, RNG.normal(size=5000), "numeric"), Drift())

    assert drift.measures["ks"] == pytest.approx(stats.ks_2samp(base, later).statistic, abs=0.01)
    assert drift.measures["wasserstein"] == pytest.approx(0.6, abs=0.06)
    assert drift.over == ["psi", "ks", "wasserstein"] and same.over == []


def test_a_million_rows_with_p_zero_are_no_drift_where_the_effect_is_small() -> None:
    drift = measure_drift(count(RNG.normal(size=200_000), RNG.normal(0.05, 1, 1_000_000), "numeric"), Drift())

    assert drift.p_value is not None and drift.p_value < 1e-6
    assert drift.over == []


def test_categories_have_cramers_v_unseen_and_the_chi_square_test() -> None:
    base, later = ["a"] * 700 + ["b"] * 300, ["a"] * 10 + ["b"] * 60 + ["new"] * 30

    drift = measure_drift(count(base, later, "categorical"), Drift())

    table = np.array([[700, 300, 0], [10, 60, 30]])
    assert drift.p_value == pytest.approx(stats.chi2_contingency(table).pvalue)
    equal = table / table.sum(axis=1, keepdims=True) * 1000
    assert drift.measures["cramers_v"] == pytest.approx(stats.contingency.association(equal.round().astype(int)), rel=1e-9)
    assert drift.measures["unseen"] == pytest.approx(0.3)
    assert drift.over == ["psi", "cramers_v", "unseen"] and drift.examples == ["new"]


def test_a_constant_a_boolean_and_missing_columns_have_words_for_what_changed() -> None:
    constant = measure_drift(count([5.0] * 200, [5.0] * 100 + [6.0] * 100, "numeric"), Drift())
    booleans = measure_drift(count([True, False] * 100, [True] * 200, "boolean"), Drift())
    gone = measure_drift(count([1.0, 2.0] * 100, [np.nan] * 200, "numeric"), Drift())
    never = measure_drift(count([np.nan] * 200, [1.0] * 200, "numeric"), Drift())

    assert constant.over == ["psi", "ks"] and constant.measures["ks"] == 0.5
    assert "ks" in booleans.over and booleans.measures["ks"] == 0.5
    assert gone.measures == {"missing": 1.0} and gone.over == ["missing"] and gone.p_value is None
    assert never.measures == {"missing": -1.0} and never.over == ["missing"]


def test_dates_go_on_and_text_repeats_little_so_that_neither_decides() -> None:
    dates = count(pd.date_range("2020-01-01", periods=300), pd.date_range("2024-01-01", periods=300), "date")
    text = count([f"a {i}" for i in range(300)], [f"b {i}" for i in range(300)], "text")

    assert measure_drift(dates, Drift()).measures["ks"] == 1.0
    assert measure_drift(dates, Drift()).over == [] and measure_drift(text, Drift()).over == []


def test_a_baseline_of_an_earlier_samebits_is_used_as_far_as_it_goes() -> None:
    base = RNG.normal(size=5000)
    edges = np.quantile(base, np.linspace(0, 1, 11))
    old = {"kind": "numeric", "n_missing": 0, "mean": base.mean(), "std": base.std(), "edges": edges.tolist()}
    old["counts"] = np.histogram(base, bins=edges)[0].tolist()
    flags = {"kind": "boolean", "n_missing": 0, "mean": 0.25, "std": 0.4, "edges": [0.0, 1.0], "counts": [5000]}
    counted = start_counts({"n_rows": 5000, "columns": {"x": old, "b": flags}})
    counted["x"].count(pd.Series(base))
    counted["b"].count(pd.Series([True] * 10 + [False] * 30))

    assert measure_drift(counted["x"], Drift()).measures["ks"] == 0.0
    assert measure_drift(counted["b"], Drift()).measures["ks"] == 0.0
    assert start_counts({"n_rows": 5000, "columns": {}}, "scores") == {}


@pytest.mark.parametrize(
    "column", [{}, {"kind": "numeric", "n_missing": 0, "edges": [2, 1], "counts": [1], "std": 1}, {"kind": "x"}, []]
)
def test_a_strangers_baseline_is_refused_in_words(column: Any) -> None:
    with pytest.raises(LineageError, match=r"drift_baseline\.json: expected distributions by column"):
        start_counts({"n_rows": 5, "columns": {"x": column}})


def test_too_few_rows_decide_nothing_and_null_turns_a_measure_off() -> None:
    drift = measure_drift(count(RNG.normal(size=500), RNG.normal(3, 1, 50), "numeric"), Drift())

    assert decide([drift], 50, Drift()) == Outcome.UNDECIDED and Outcome.UNDECIDED.exit_code == 2
    assert decide([drift], 50, Drift(min_rows=50)) == Outcome.DRIFTED and Outcome.DRIFTED.exit_code == 1
    off = measure_drift(count(RNG.normal(size=500), RNG.normal(3, 1, 500), "numeric"), Drift(psi=None, ks=None, wasserstein=None))
    assert decide([off], 500, Drift()) == Outcome.STEADY and Outcome.STEADY.exit_code == 0


def test_thresholds_are_the_runs_own_or_the_defaults_of_an_older_one() -> None:
    resolved = {"drift": {"psi": 0.5}}

    assert take_thresholds({"stages": {"config": {"resolved": resolved}}}).psi == 0.5
    assert take_thresholds({"stages": {"config": {"resolved": {}}}}) == Drift()
    with pytest.raises(LineageError, match=r"lineage\.json: drift"):
        take_thresholds({"stages": {"config": {"resolved": {"drift": {"psi": "x"}}}}})


def test_equal_numbers_give_equal_pictures_of_any_column() -> None:
    counts = {"x": count(RNG.normal(size=500), RNG.normal(size=500), "numeric"), "$c": count(["a"] * 200, ["b"] * 200, "categorical")}
    counts["gone"] = Counted("gone", "numeric", 10, 10, 5, 5)
    drifts = [measure_drift(counted, Drift()) for counted in counts.values()]
    drifts = [type(one)(name, *list(vars(one).values())[1:]) for name, one in zip(counts, drifts, strict=True)]

    pictures = {draw_drift(drifts, counts, Drift(), "title $x$\x1b[2J") for _ in range(2)}

    assert len(pictures) == 1 and pictures.pop().startswith(b"\x89PNG")
    assert isinstance(counts["x"], CountedNumbers)
