"""Remarks: what of a result is extreme enough to be said in a sentence. They decide nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from samebits.candidates.selection import CandidateScore
from samebits.data.target import Target
from samebits.stored.taken_rows import Rows, read_blocks

_LEAST_R2 = -1.0
_OUTLYING = 1000.0
_TOO_GOOD_R2 = 1 - 1e-6
_MOST_REPEATED = 0.01  # of the test rows
_ENOUGH = 30  # rows that are not all met by chance


def collect_remarks(
    target: Target,
    row_numbers: np.ndarray,
    scored: Sequence[CandidateScore],
    unsettled: Sequence[str],
    rows: str,
    metrics: dict[str, float],
    predicted: np.ndarray,
    target_precision: float | None,
    assessment: dict[str, Any],
    train: dict[str, float],
    n_repeated: int,
) -> list[str]:
    """Return what is remarkable about a training, one sentence each.

    Parameters
    ----------
    row_numbers
        The number in the table of every row in use.
    unsettled
        Candidates that did not converge in their final fit.
    rows
        What they are called: test, or out-of-fold.
    metrics, predicted
        Of the best candidate on the test rows, or out of fold where no rows were held back.
    target_precision
        That the threshold was chosen for on the training folds.
    assessment
        Of the best candidate: the metric that chose, and its baseline.
    train
        Metrics of the best candidate on the rows that it was fitted on.
    n_repeated
        Test rows that a training row is equal to, in every column.
    """
    remarks = [_describe_unsettled(one, one.name in unsettled) for one in scored if one.n_unsettled or one.name in unsettled]
    if target.task == "regression":
        remarks += _remark_outlier(target.values, row_numbers)
    is_worse_than_mean = metrics.get("r2", 0.0) < _LEAST_R2
    if is_worse_than_mean:
        remarks.append(f"{rows} r2 is {metrics['r2']:.4g}: on these rows the mean of the target is a far better prediction.")
    if target_precision is not None and metrics.get("precision", 1.0) < target_precision:
        remarks.append(f"{rows} precision is {metrics['precision']:.4f}, which misses business.target_precision: {target_precision}.")
    if n_repeated > _MOST_REPEATED * len(predicted):
        remarks.append(
            f"{n_repeated} of {len(predicted)} test rows are equal to a training row in every column: they show no more than memory "
            "(data.rows: drop_duplicates leaves them out)."
        )
    if len(predicted) > 1 and (predicted == predicted[0]).all():
        remarks.append(f"The model predicts {predicted[0].item()!r} for every one of {len(predicted)} {rows} rows.")
    if len(predicted) >= _ENOUGH and (metrics.get("accuracy") == 1.0 or metrics.get("r2", 0.0) >= _TOO_GOOD_R2):
        remarks.append(f"All {len(predicted)} {rows} rows are predicted as they are: does a column give the target away?")
    if len(predicted) >= _ENOUGH and not is_worse_than_mean:
        remarks += _remark_overfit(assessment, train, rows)
    return remarks


def count_repeated(frame: Rows, y: np.ndarray, train_rows: np.ndarray, test_rows: np.ndarray) -> int:
    """Return how many test rows have a training row with the same values and target: by a hash of 64 bits of each row."""
    if not len(test_rows):
        return 0
    hashes, first = np.empty(len(frame), dtype=np.uint64), 0
    for block in read_blocks(frame):
        some = block.assign(**{"": y[first : first + len(block)]})
        hashes[first : first + len(block)] = pd.util.hash_pandas_object(some, index=False).to_numpy()
        first += len(block)
    return int(np.isin(hashes[test_rows], hashes[train_rows]).sum())


def _remark_overfit(assessment: dict[str, Any], train: dict[str, float], rows: str) -> list[str]:
    """Said where less than half of the gain over knowing nothing is left on rows that the model had not seen."""
    metric, sign = assessment["metric"], -1 if assessment["lower_is_better"] else 1
    nothing, learned = assessment["baseline"]["metrics"].get(metric), train.get(metric)
    if nothing is None or learned is None:
        return []
    gain, left = sign * (learned - nothing), sign * (assessment["value"] - nothing)
    if not (gain > 0 and left < gain / 2):
        return []
    found = f"{metric} is {learned:.4g} on the training rows and {assessment['value']:.4g} on the {rows} rows"
    return [f"{found}, where knowing nothing scores {nothing:.4g}: less than half of what was learned holds there."]


def _describe_unsettled(candidate: CandidateScore, also_finally: bool) -> str:
    n_folds = len(candidate.scores)
    places = [f"{candidate.n_unsettled} of {n_folds} folds"] if candidate.n_unsettled else []
    places += ["the final fit"] if also_finally else []
    return f"models.{candidate.name} did not converge in {' and in '.join(places)}: give it more iterations, or scale its columns."


def _remark_outlier(values: np.ndarray, row_numbers: np.ndarray) -> list[str]:
    """Zeros do not count: of a target that is mostly zero, any other value would be extreme."""
    sizes = np.abs(values)
    row, others = int(np.argmax(sizes)), sizes[sizes > 0]
    quartile = float(np.quantile(others, 0.75)) if len(others) else 0.0
    if len(others) < 2 or sizes[row] < _OUTLYING * quartile:
        return []
    where = f"in row {row_numbers[row] + 1}"
    return [f"The target is {values[row]:g} {where}, while three quarters of its values are at most {quartile:g} in size."]
