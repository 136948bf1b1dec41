"""Keys of how rows are divided: those held back for the final test, and the folds of the others."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from samebits.keys.sections import Digest, Fraction, ImportPath, Scalar, Section, Seed


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
    class_: ImportPath | None = Field(None, alias="class", description="A splitter by import path; its first split is used.")

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
