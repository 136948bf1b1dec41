"""Keys of how rows are divided: those held back for the final test, the folds of the others, and the windows of a backtest."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from samebits.keys.sections import Digest, Fraction, ImportPath, Scalar, Section, Seed
from samebits.wording import DURATION

# The keys of a split that name times. They are later ones, left out where they are not said: earlier configs keep their digests.
BOUNDS = ("train_from", "train_until", "test_from", "test_until")
# A date in ISO 8601, in UTC where it names no zone; or a number.
Moment = Annotated[str, Field(min_length=1, max_length=40)] | int | Annotated[float, Field(allow_inf_nan=False)]
Duration = Annotated[str, Field(pattern=DURATION)] | Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _is_not_said(value: object) -> bool:
    return value is None


class Split(Section):
    """Which rows are held back for the final test."""

    model_config = ConfigDict(extra="allow")

    method: Literal["random", "time", "group", "value", "file", "path", "rows", "order", "none"] = Field(
        "random", description="How rows are divided; none: no test rows, cross-validation on all rows is the result."
    )
    test_size: Annotated[int | float, Field(gt=0)] = Field(
        0.2,
        description="Fraction, or number, of rows (of groups, under group) held back; what the splitter takes, under class.",
    )
    column: str | None = Field(None, description="Column of the time, the group or the value; under random, of the strata.")
    test: list[Scalar] | None = Field(
        None,
        min_length=1,
        description="Test rows: values of column (value), or names of the folder's files (file; by default its last).",
    )
    validation: list[Scalar] | None = Field(
        None, min_length=1, description="Values of column (or names of files) that are the one validation part, in place of folds."
    )
    rows_file: str | None = Field(None, min_length=1, description="Text file of the test rows' numbers, one a line, from 0 (rows).")
    rows_digest: Digest | None = Field(None, description="Of rows_file; `samebits data pin CONF` writes it.")
    n_train: int | None = Field(None, ge=1, description="The first rows, which are trained on (order); else all but test_size.")
    strata_bins: int | None = Field(None, ge=2, description="Strata: so many even bins of column, or of the target.")
    stratify: bool | None = Field(
        None, description="Keep the classes' proportions, in the folds too; by default for classification. false: classes of any size."
    )
    random_state: Seed | None = Field(None, description="Seed of the split alone; by default derived from the root seed.")
    train_from: Moment | None = Field(
        None, exclude_if=_is_not_said, description="Training rows from this time on (time); by default from the first."
    )
    train_until: Moment | None = Field(
        None, exclude_if=_is_not_said, description="Training rows before this time, in place of test_size: a date, or a number (time)."
    )
    test_from: Moment | None = Field(
        None, exclude_if=_is_not_said, description="Test rows from this time on (time); by default from train_until."
    )
    test_until: Moment | None = Field(
        None, exclude_if=_is_not_said, description="Test rows before this time (time); by default to the last."
    )
    class_: ImportPath | None = Field(None, alias="class", description="A splitter by import path; its first split is used.")

    @property
    def bounds(self) -> dict[str, str | int | float]:
        """The times that divide the rows, by their keys, those that are said."""
        return {name: value for name in BOUNDS if (value := getattr(self, name)) is not None}

    @property
    def is_grouped(self) -> bool:
        """Whether `column` holds groups that no split may part."""
        return self.column is not None and (self.method == "group" or "Group" in (self.class_ or ""))

    @property
    def keeps_column_out(self) -> bool:
        """Whether `column` says only which part a row is in, so that it is no feature."""
        return self.is_grouped or (self.column is not None and self.method in ("value", "none"))


class CrossValidation(Section):
    """How candidates are compared on the training rows."""

    model_config = ConfigDict(extra="allow")

    n_splits: int | None = Field(
        None, ge=1, description="Folds; 5 by default, or the splitter's own default under class. 1: one validation part."
    )
    validation_size: Fraction | None = Field(
        None, description="Fraction of the training rows in the one validation part; 0.2 by default."
    )
    class_: ImportPath | None = Field(None, alias="class", description="Splitter by import path, with its parameters.")


class Backtest(Section):
    """The same config over a sequence of cut-off times, each a run of its own."""

    windows: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="How many; the last ends with the table or at until."
    )
    cutoffs: Annotated[list[Moment], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="The cut-off times themselves, in place of windows, step and until."
    )
    horizon: Duration = Field(description="How long each window's test rows last: 30d, 12h, 4w, 90s; a number, where column has some.")
    gap: Duration = Field(0, description="Between the training rows, which end at the cut-off, and the test rows.")
    training: Duration | None = Field(None, description="How far back training rows reach (sliding); null: to the first (expanding).")
    step: Duration | None = Field(None, description="From one cut-off to the next; by default horizon: no row is tested twice.")
    until: Moment | None = Field(
        None, description="End of the last window's test rows, itself none of them; null: past the last time."
    )
