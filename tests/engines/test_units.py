"""Units run in processes of this machine: in their order, the first failure in order told."""

from __future__ import annotations

import engine_units
import pytest

from samebits.engines.units import Call, run_over_workers
from samebits.errors import DataError

pytestmark = pytest.mark.xdist_group("workers")  # which are kept


def test_outcomes_come_in_the_units_order() -> None:
    calls = [Call(f"unit {number}", engine_units.add, (number,)) for number in range(5)]

    assert list(run_over_workers(10, calls, n_jobs=2, goes_on=True)) == [10, 11, 12, 13, 14]


def test_of_units_that_fail_the_first_in_order_is_told_though_it_is_the_last_by_the_clock() -> None:
    calls = [Call("slow", engine_units.fail, (0, 1.0)), Call("quick", engine_units.fail, (1, 0.0))]

    with pytest.raises(DataError, match="unit 0"):
        list(run_over_workers(None, calls, n_jobs=2, goes_on=True))
