"""The model as MLflow serves it: labels by default, and what they were decided by on request (`params: {"probabilities": true}`).

It goes with every model, like `transformers`, and MLmodel names it as what pyfunc loads: the place is on record. It imports nothing
but what a served model has. The model itself is loaded by plain `mlflow.sklearn`, its threshold with it, which counts in every answer.
What a caller's rows are wrong in is said in a sentence, which a model server answers with status 400.
"""

from __future__ import annotations

from typing import Any

import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.types import ParamSchema, ParamSpec

LABEL = "predicted"
PARAMS = ParamSchema([ParamSpec("probabilities", "boolean", False)])
_METHODS = {"predict_proba": "probability", "decision_function": "decision"}  # the first that a model has, and its columns' beginning


class ServedModel:
    """A fitted model as pyfunc asks it.

    Parameters
    ----------
    model
        A scikit-learn model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def get_raw_model(self) -> Any:
        """Return the scikit-learn model."""
        return self.model

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return a label, or a quantity, for each row; with probabilities, a table of the labels and a column for each class.

        Parameters
        ----------
        params
            `probabilities`: whether they are wanted; of a model that has none, its decision function is given.

        Raises
        ------
        MlflowException
            There is no row, the model cannot take what is in them, or it is asked for probabilities of a quantity.
        """
        if len(data) == 0:
            raise _refuse("expected rows, found none. Send at least one.")
        is_asked = bool((params or {}).get("probabilities"))
        method = next((name for name in _METHODS if hasattr(self.model, name)), None)
        if is_asked and (method is None or not hasattr(self.model, "classes_")):
            kind = "classes without probabilities" if hasattr(self.model, "classes_") else "a quantity, which has no probabilities"
            raise _refuse(f"params.probabilities: this model predicts {kind}. Leave it out.")
        try:
            labels = self.model.predict(data)
            return self._tabulate(labels, data, method) if is_asked and method else labels
        except Exception as error:  # of what it cannot take, a model raises anything
            said = str(error).strip().partition("\n")[0]
            raise _refuse(f"the model cannot take these rows: {said or type(error).__name__}") from error

    def _tabulate(self, labels: np.ndarray, data: Any, method: str) -> pd.DataFrame:
        responses = np.asarray(getattr(self.model, method)(data))
        if responses.ndim == 1:  # of two classes, how far a row is on the side of the second
            responses = np.column_stack([-responses, responses])
        classes = np.asarray(self.model.classes_).tolist()
        names = classes if len(classes) == responses.shape[1] else range(responses.shape[1])
        columns = {f"{_METHODS[method]}_{name}": responses[:, i] for i, name in enumerate(names)}
        return pd.DataFrame({LABEL: labels, **columns}, index=getattr(data, "index", None))


def _refuse(sentence: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(sentence)


def _load_pyfunc(path: str) -> ServedModel:
    """Return what pyfunc asks: MLflow calls this by its name, with the path of the model's folder."""
    return ServedModel(mlflow.sklearn.load_model(path))
