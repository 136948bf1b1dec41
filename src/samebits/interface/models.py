"""A run's model in the caller's own process: held to its record, loaded without pickle, and asked about other rows.

Its predictions are made with the packages, threads and kernels of that process, which no profile pins: those on record are the run's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from samebits.interface.run import Run

if TYPE_CHECKING:
    import pandas as pd


def load_run_model(run: Run, allow: Sequence[str] = ()) -> Any:
    """Return a run's fitted model: a scikit-learn estimator that takes the table's own columns.

    Parameters
    ----------
    allow
        Packages that are trusted beside scikit-learn and samebits. What the run's config allowed is trusted in a run of one's own.

    Raises
    ------
    LineageError
        Its file has not the recorded digest, is damaged, or holds a class that is on no list.
    """
    from samebits.application.stored_model import ModelFiles, load_recorded

    resolved = run.lineage["stages"]["config"]["resolved"]
    own = [str(name) for name in resolved.get("allow", [])] if run.is_own else []
    return load_recorded(ModelFiles(run.read_lineage(), run.lineage, run.paths, []), [*allow, *own])


def predict_frame(run: Run, frame: pd.DataFrame, allow: Sequence[str] = ()) -> pd.DataFrame:
    """Return what a run's model says of a table's rows, under the table's index: the columns that `samebits predict` writes.

    Raises
    ------
    DataError
        A column that the model takes is missing, or of another kind.
    LineageError
        The model is not the recorded one.
    """
    import pandas as pd

    from samebits.application.input_columns import describe_inputs
    from samebits.application.predicting import make_predictor
    from samebits.interface.tables import settle_inputs

    model = load_run_model(run, allow)
    X = settle_inputs(describe_inputs(run.lineage, model), frame)
    return pd.DataFrame(make_predictor(run.lineage, model).tabulate(X), index=frame.index)
