"""The columns that a model takes, and how a later table's are brought to the form that they had in training.

The kind that each column had is on record, so it is not guessed again: a part of a table may look otherwise than the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from pydantic import ValidationError
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import Pipeline

from samebits.errors import DataError, LineageError, Problem, suggest
from samebits.keys.table import Read
from samebits.table.columns import Column, Kind, RawColumn, canonicalise_column
from samebits.text import shorten_list
from samebits.wording import name_refused

_AS_IN_TRAINING = "Write it as the run's table has it."
_WITHOUT_ZONE = "Write its times by the clock of the run's table, without a zone."
_TYPES = {"numeric": "number", "categorical": "category", "boolean": "boolean", "text": "text"}


@dataclass(frozen=True)
class InputColumns:
    """What a model takes of a table.

    Parameters
    ----------
    kinds
        Of each column, in the model's order.
    read
        How the run read its table, the kind of each input settled.
    with_missing
        Columns of booleans of which some were missing in training: they have another type.
    called_numbers
        Columns that the config calls numbers, whatever their file does.
    units
        Of columns of numbers that stand for times, as the run's table had them.
    zones
        Of columns of dates that were written with a time zone in training, whether all were (`given`) or some (`mixed`). None: older
        runs did not record it.
    """

    kinds: dict[str, Kind]
    read: Read
    with_missing: frozenset[str]
    called_numbers: frozenset[str] = frozenset()
    units: dict[str, str] = field(default_factory=dict)
    zones: dict[str, str] | None = None

    def check_names(self, names: list[str], where: str) -> list[str]:
        """Return the names of a table that the model does not take.

        Raises
        ------
        DataError
            One that it takes is missing: each is named.
        """
        missing = [name for name in self.kinds if name not in names]
        if missing:
            raise DataError(self._describe_missing(missing, names, where))
        return [name for name in names if name not in self.kinds]

    def _describe_missing(self, missing: list[str], names: list[str], where: str) -> Problem:
        others = [name for name in names if name not in self.kinds]
        hints = [hint for hint in (suggest(name, others, "") for name in missing) if hint]
        otherwise = "Add what is missing, or apply a model that does not take it."
        if len(names) == 1:
            otherwise = f"Is it separated otherwise than the run's table was (sep: {self.read.sep!r})?"
        kind = "the column" if len(missing) == 1 else "the columns"
        expected = f"{kind} {shorten_list([repr(name) for name in missing], 12)}, which the model takes"
        found = f"none of that name ({shorten_list([name[:80] for name in names], 12)})"
        return Problem(where, expected, found, " ".join(hints[:3]) or otherwise)

    def read_column(self, raw: RawColumn, name: str) -> pd.Series:
        """Return a column's values in canonical form, with the type that they had in training.

        Raises
        ------
        DataError
            It holds what it did not hold in training, or what its kind does not take.
        """
        kind = self.kinds[name]
        if kind == "numeric" and (found := self._find_other_numbers(raw, name)) is not None:
            raise DataError(Problem(f"column {name!r}", "numeric, as in training", found, _AS_IN_TRAINING))
        column = canonicalise_column(raw, name, self.read)
        if column.kind != kind:
            raise DataError(Problem(f"column {name!r}", f"{kind}, as in training", column.kind, _AS_IN_TRAINING))
        self._check_zone(name, column.zone)
        return self.settle(name, column)

    def _check_zone(self, name: str, zone: str | None) -> None:
        """An instant and a time by some clock differ by hours, and which clock it was is not in the table."""
        recorded = None if self.zones is None else self.zones.get(name, "none")
        if None in (recorded, zone) or recorded in (zone, "mixed"):
            return
        words = {"given": "with a time zone", "none": "without a time zone", "mixed": "some with a time zone and some without"}
        remedy = "Write its times with their zone (Z where they are UTC)." if recorded == "given" else _WITHOUT_ZONE
        raise DataError(Problem(f"column {name!r}", f"dates {words[str(recorded)]}, as in training", words[str(zone)], remedy))

    def _find_other_numbers(self, raw: RawColumn, name: str) -> str | None:
        """What its file does not call numbers was taken for numbers in training only where the config said so."""
        values = raw.values
        if pd.api.types.is_complex_dtype(values.dtype):
            return "complex numbers"
        if raw.unit != self.units.get(name):
            return f"times ({raw.unit})" if raw.unit else f"numbers, which in training were times ({self.units[name]})"
        is_boolean = values.dtype == object or pd.api.types.is_bool_dtype(values.dtype)
        return "boolean" if is_boolean and name not in self.called_numbers and values.notna().any() else None

    def settle(self, name: str, column: Column) -> pd.Series:
        """Return a column's values with the type that they had in training."""
        values = column.values
        if self.kinds[name] == "boolean" and name in self.with_missing:
            return values.astype("boolean")
        return values


def describe_inputs(lineage: dict[str, Any], model: Any) -> InputColumns:
    """Return what a run's model takes.

    Raises
    ------
    LineageError
        The record does not say how the table was read, or of what kind a column was.
    """
    stage, resolved = lineage["stages"]["data"], lineage["stages"]["config"]["resolved"]
    names = [str(name) for name in getattr(find_pipeline(model).steps[0][1], "feature_names_in_", [])]
    kinds = stage.get("columns")
    unknown = [name for name in names if not isinstance(kinds, dict) or kinds.get(name) not in (*_TYPES, "date")]
    if unknown or not names:
        found = shorten_list(unknown) or "no names of columns"
        raise LineageError(Problem("lineage.json", "the kind of each column that the model takes", found, "Is it the model's own?"))
    own, reading = {name: kinds[name] for name in names}, stage.get("reading", {})
    read = _take_read(resolved["data"]["read"])
    return InputColumns(
        kinds=own,
        read=_settle_read(read, own),
        with_missing=frozenset(reading.get("missing", {})),
        called_numbers=frozenset(name for name, kind in read.types.items() if kind == "number"),
        units=dict(reading.get("units", {})),
        zones=reading.get("zones"),
    )


def find_pipeline(model: Any) -> Pipeline:
    """Return the pipeline that a stored model is, out of what decides by its threshold."""
    return model.estimator.estimator if isinstance(model, FixedThresholdClassifier) else model


def _take_read(recorded: dict[str, Any]) -> Read:
    try:
        return Read.model_validate(recorded)
    except ValidationError as error:
        found = name_refused(error.errors()[0])
        remedy = "A later samebits may know it."
        raise LineageError(Problem("lineage.json: data.read", "keys that this samebits knows", found, remedy)) from None


def _settle_read(read: Read, kinds: dict[str, Kind]) -> Read:
    formats = read.dates if isinstance(read.dates, dict) else {}
    changes = {
        "format": "auto",
        "types": {name: _TYPES[kind] for name, kind in kinds.items() if kind != "date"},
        "dates": {name: formats.get(name) for name, kind in kinds.items() if kind == "date"},
    }
    if isinstance(read.decimal, dict):
        changes["decimal"] = {name: mark for name, mark in read.decimal.items() if name in kinds}
    return read.model_copy(update=changes)
