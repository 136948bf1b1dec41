from __future__ import annotations

from typing import Any

import pytest
from sklearn.pipeline import Pipeline

from samebits.candidates.fitting import fit_stage
from samebits.errors import DataError


@pytest.mark.parametrize("raised", [ValueError("odd"), IndexError("tuple index out of range"), KeyError("d"), ZeroDivisionError()])
def test_what_an_estimator_raises_of_its_rows_is_told_with_candidate_and_stage(raised: Exception) -> None:
    def fail(*_: Any) -> Any:
        raise raised

    sample: Any = None
    with pytest.raises(DataError, match=rf"models\.mine, fold 1 of cv: .*found {type(raised).__name__}: ") as caught:
        fit_stage("mine", "fold 1 of cv", Pipeline([]), sample, 1, fail)

    assert caught.value.__cause__ is raised
