"""Tables between a run and its user: the run's own as it was read, and one of the user's as the run's model takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from samebits.application.input_columns import InputColumns
from samebits.data.dataset import load_dataset
from samebits.errors import DataError, LineageError, Problem
from samebits.keys.table import Data
from samebits.stored.taken_rows import read_rows
from samebits.table.columns import RawColumn

_CONVERT = "Convert the column to what the run's table has."


def read_frame(lineage: Mapping[str, Any], paths: Sequence[Path]) -> pd.DataFrame:
    """Return a recorded table with all its columns in canonical form, held to its digest.

    Parameters
    ----------
    paths
        Where the table lies, and that of the test rows where they have one of their own.

    Raises
    ------
    DataError
        The bytes are others by now.
    """
    stage = lineage["stages"]["data"]
    pins = {"digest": stage["digest"], "test_digest": stage["test"]["digest"] if "test" in stage else None}
    data = _take_data(lineage).model_copy(update=pins)
    return read_rows(load_dataset(data, paths[0], kept=data.drop, test_path=paths[1] if len(paths) > 1 else None).frame)


def _take_data(lineage: Mapping[str, Any]) -> Data:
    try:
        return Data.model_validate(lineage["stages"]["config"]["resolved"]["data"])
    except ValidationError as error:
        found = f"{error.error_count()} keys that are none of it"
        raise LineageError(Problem("lineage: config", "a data section", found, "`samebits verify` says more.")) from None


def settle_inputs(inputs: InputColumns, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table's columns that a model takes, each of the kind that it was trained on, under the table's own index.

    Raises
    ------
    DataError
        A column is missing, or does not hold what the model was trained on; all at once.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(Problem("frame", "a DataFrame", f"a {type(frame).__name__}", "Read the table with pandas first."))
    names = [str(name) for name in frame.columns]
    inputs.check_names(names, "frame")
    if twice := [name for name in inputs.kinds if names.count(name) > 1]:
        raise DataError(Problem("frame", "each column once", f"{twice[0]!r} twice", "Keep one."))
    if len(frame) == 0:
        raise DataError(Problem("frame", "rows", "none", "There is nothing to apply the model to."))
    settled: dict[str, pd.Series] = {}
    problems: list[Problem] = []
    for name in inputs.kinds:
        try:
            values = frame[name].reset_index(drop=True)
            settled[name] = inputs.read_column(_take_raw(values, inputs.kinds[name]), name)
        except DataError as error:  # what a config can say of a file, nobody can say of a frame
            problems += [replace(problem, remedy=_CONVERT) if "data." in problem.remedy else problem for problem in error.problems]
    if problems:
        raise DataError(*problems)
    return pd.DataFrame(settled).set_index(frame.index)


def _take_raw(values: pd.Series, kind: str) -> RawColumn:
    return RawColumn(_as_read(values, kind), is_zoned=isinstance(values.dtype, pd.DatetimeTZDtype))


def _as_read(values: pd.Series, kind: str) -> pd.Series:
    """Return a column as a file would have given it."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = pd.Series(values.to_numpy(), name=values.name).infer_objects()
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        naive: pd.Series = values.dt.tz_convert(None)
        return naive
    if kind in ("categorical", "text") and pd.api.types.is_float_dtype(values.dtype) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")  # codes, with missing ones
    if kind in ("categorical", "text") or (values.dtype == object and values.map(lambda value: isinstance(value, str)).any()):
        texts: pd.Series = values.astype("object").where(values.notna(), None).map(str, na_action="ignore").astype("str")
        return texts
    return values.infer_objects() if values.dtype == object else values
