from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import threadpoolctl
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from samebits.candidates import fitting
from samebits.candidates.fitting import fit_settled, fit_stage
from samebits.candidates.materials import Sample
from samebits.errors import DataError
from samebits.estimation.weights import Weights


@pytest.mark.parametrize("raised", [ValueError("odd"), IndexError("tuple index out of range"), KeyError("d"), ZeroDivisionError()])
def test_what_an_estimator_raises_of_its_rows_is_told_with_candidate_and_stage(raised: Exception) -> None:
    def fail(*_: Any) -> Any:
        raise raised

    sample: Any = None
    with pytest.raises(DataError, match=rf"models\.mine, fold 1 of cv: .*found {type(raised).__name__}: ") as caught:
        fit_stage("mine", "fold 1 of cv", Pipeline([]), sample, 1, fail)

    assert caught.value.__cause__ is raised


class Watched(HistGradientBoostingRegressor):
    """Notes over how many OpenMP threads it is fitted."""

    seen: list[int] = []

    def fit(self, X: Any, y: Any) -> Any:
        self.seen.append(max(one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "openmp"))
        return self


Watched.__name__ = HistGradientBoostingRegressor.__name__


@pytest.mark.parametrize(("n_cells_a_thread", "threads"), [(1, 2), (400, 2), (401, 1), (10_000, 1)])
def test_a_small_table_is_fitted_over_no_more_threads_than_it_keeps_busy(
    monkeypatch: pytest.MonkeyPatch, n_cells_a_thread: int, threads: int
) -> None:
    sample = Sample(pd.DataFrame(np.ones((400, 2))), np.ones(400), Weights())
    monkeypatch.setattr(fitting, "CELLS_A_THREAD", n_cells_a_thread)
    Watched.seen.clear()

    fit_settled(Pipeline([("model", Watched())]), sample, 2)

    assert Watched.seen == [threads]
