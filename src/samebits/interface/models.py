"""A run's model in the caller's own process: checked by its digest, loaded without pickle, and asked about other rows.

Its predictions are made with the packages, threads and kernels of that process, which no profile pins: those on record are the run's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from samebits.interface.run import Run
from samebits.lineage.manifest import MODEL_FILE

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
    content = run.read_file(MODEL_FILE)
    from samebits.model.file import load_model

    resolved = run.lineage["stages"]["config"]["resolved"]
    own = [str(name) for name in resolved.get("allow", [])] if run.is_own else []
    return load_model(content, [*allow, *own])


def predict_frame(run: Run, frame: pd.DataFrame, allow: Sequence[str] = ()) -> pd.DataFrame:
    """Return what a run's model says of a table's rows, under the table's index.

    Returns
    -------
    DataFrame
        `predicted`; of a classifier that gives them, `probability_<class>` for each class.

    Raises
    ------
    DataError
        A column that the model takes is missing, or of another kind.
    LineageError
        The model is not the recorded one.
    """
    import pandas as pd

    from samebits.application.input_columns import describe_inputs
    from samebits.interface.tables import settle_inputs

    model = load_run_model(run, allow)
    X = settle_inputs(describe_inputs(run.lineage, model), frame)
    found: dict[str, Any] = {"predicted": model.predict(X)}
    if hasattr(model, "predict_proba"):
        found |= {f"probability_{label}": column for label, column in zip(model.classes_, model.predict_proba(X).T, strict=True)}
    return pd.DataFrame(found, index=frame.index)
