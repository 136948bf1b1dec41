"""Keys of how is learned: columns become numbers, candidates, their search, weights, batches, and where fits run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from samebits.keys.sections import Choice, Component, ImportPath, Kind, Section
from samebits.wording import SCHEDULER


class ColumnGroup(Section):
    """The long form: some columns with a list of transformers of their own."""

    columns: list[str] | Kind = Field(
        description="Columns by name, also of another group; or a kind of column: those of it that no group names."
    )
    transformers: list[Component] = Field(
        default_factory=list, description="Applied in order; an empty list passes the columns through."
    )


class Preprocessing(Section):
    """How columns become numbers. The short form covers every column that `columns` does not name."""

    outlier_factor: float | None = Field(1.5, gt=0, description="Clip numbers beyond this many interquartile ranges.")
    numeric_imputer: Literal["mean", "median", "most_frequent"] | None = Field("median", description="Fills numbers.")
    categorical_imputer: Literal["most_frequent", "constant"] | None = Field("most_frequent", description="Fills categories.")
    scale: bool = Field(True, description="Numbers to mean 0 and variance 1.")
    columns: list[ColumnGroup] = Field(default_factory=list, description="Columns with transformers of their own.")


class Model(Section):
    """One candidate: a short name of samebits, or `class`, with the estimator's own parameters."""

    model_config = ConfigDict(extra="allow")

    class_: ImportPath | None = Field(None, alias="class", description="Estimator by import path.")


class Interval(Choice):
    """Numbers from which a search draws: whole ones where both ends are."""

    low: int | Annotated[float, Field(allow_inf_nan=False)] = Field(description="The least.")
    high: int | Annotated[float, Field(allow_inf_nan=False)] = Field(description="The greatest.")
    log: bool | None = Field(None, description="true: evenly in their logarithms.")

    @property
    def is_whole(self) -> bool:
        """Whether whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Choices = Annotated[list[Any], Field(min_length=1)] | Interval
_Space = dict[str, Choices]


class Search(Section):
    """Which parameters are tried, of which candidates: each candidate goes on with the values that score best in its folds."""

    method: Literal["grid", "random", "halving", "optuna"] = Field(
        description="grid: every combination; random: n_trials of them; halving: fewer and fewer on more and more rows; optuna: "
        "proposed by Optuna's TPE sampler."
    )
    n_trials: int | None = Field(
        None, ge=1, le=100_000, description="Of each candidate; of a grid all; under halving all, or so many drawn at random."
    )
    factor: int = Field(3, ge=2, description="Halving: one in so many goes on, with so many times the rows.")
    batch: int = Field(4, ge=1, description="Optuna: so many trials are proposed at once, before any of them is scored.")
    nested: bool = Field(False, description="Whether the whole search is also scored by itself, once for each fold.")
    models: dict[str, _Space] = Field(
        default_factory=dict, description="By candidate: parameter (a.b.0.c for one inside another): values, or low and high."
    )
    preprocessing: _Space = Field(default_factory=dict, description="Keys of preprocessing, which every candidate tries.")


class Batches(Section):
    """A table larger than memory: its rows stay on disk, and candidates learn from so many at a time."""

    rows: int = Field(200_000, ge=1000, description="Rows of a batch, which are in memory at once.")
    epochs: int = Field(1, ge=1, le=10_000, description="How often an estimator with partial_fit sees every training row.")
    preprocessing_rows: int = Field(
        1_000_000, ge=1000, description="Preprocessing is learned from at most so many training rows, evenly spaced over all of them."
    )


class Weights(Section):
    """How much each row counts in every fit; scores, metrics and the threshold count every row once. Both keys multiply."""

    column: str | None = Field(None, description="Column of weights, 0 or more; it is no feature.")
    classes: Literal["balanced"] | dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = Field(
        None, description="Weight by class, 1 where none is given; balanced: in inverse proportion to the class's rows in a fit."
    )


class Engine(Section):
    """Where folds and fits run, if not in processes of this machine."""

    dask: Annotated[str, Field(pattern=SCHEDULER)] = Field(
        description="local: a cluster of n_jobs workers on this machine; else the address of a Dask scheduler, tcp://HOST:PORT."
    )
