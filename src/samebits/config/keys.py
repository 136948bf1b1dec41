"""The config: every parameter of a run, its type, range and meaning.

The classes below are also the JSON Schema that editors complete from, so each field says what it is for. How a file becomes a config,
or is refused, is `validation`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# What MLflow takes as the name of a parameter or metric: a candidate's name becomes both.
MLFLOW_NAME = re.compile(r"[\w .:/-]+", flags=re.ASCII)
Scalar = str | int | float | bool
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
ImportPath = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
Kind = Literal["numeric", "categorical", "boolean", "date", "text", "all"]


THRESHOLD_METHODS = ("target_precision", "threshold", "f_beta", "costs")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Component(_Section):
    """Any class by its import path, with its own parameters beside it.

    A parameter may itself be `{class: …}`, `{function: …}` or a list of such.
    """

    model_config = ConfigDict(extra="allow")

    class_: ImportPath = Field(alias="class", description="Import path, such as sklearn.preprocessing.MinMaxScaler.")


class Read(_Section):
    """How the file is read, where it is not plain comma-separated UTF-8."""

    format: Literal["auto", "csv", "parquet"] = Field("auto", description="auto goes by the suffix: .parquet, .pq; else csv.")
    sep: str = Field(",", min_length=1, description="Between fields.")
    decimal: str = Field(".", min_length=1, max_length=1, description="Decimal mark, such as a comma.")
    thousands: str | None = Field(None, min_length=1, max_length=1, description="Thousands mark inside numbers.")
    encoding: str = Field("utf-8", description="Text encoding, such as cp1252 or utf-16; a byte-order mark is skipped.")
    quotechar: str = Field('"', min_length=1, max_length=1, description="Around fields that hold a separator.")
    comment: str | None = Field(None, min_length=1, max_length=1, description="Starts a comment up to the line's end.")
    skip_rows: int = Field(0, ge=0, description="Lines before the header.")
    keep_default_na: bool = Field(True, description="Whether NA, null, N/A, NaN and the like mean missing everywhere.")
    na_values: list[Scalar] | dict[str, list[Scalar]] = Field(
        default_factory=list, description="What else means missing, such as -200 or '?'; a list, or lists by column."
    )
    dates: list[str] | dict[str, str] = Field(
        default_factory=list, description="Columns that are dates; as a mapping, each with its strptime format."
    )
    types: dict[str, Literal["number", "category", "boolean", "text"]] = Field(
        default_factory=dict, description="Columns that are not what they look like, such as codes written as numbers."
    )


class Data(_Section):
    """The table and what its columns are for."""

    path: str = Field(min_length=1, description="File, or folder of files, from the project's root or this config's folder.")
    digest: Digest | None = Field(None, description="Refuse any other bytes; `samebits data pin CONF` writes it.")
    target: str = Field(min_length=1, description="Column to predict.")
    positive: Scalar | None = Field(None, description="The target's positive class; binary tasks only.")
    target_transform: Literal["log1p", "log", "sqrt"] | None = Field(
        None, description="Fit models to this function of the target; scores and predictions stay in its own unit. Regression only."
    )
    drop: list[str] = Field(default_factory=list, description="Columns that are no features: ids, leaks, free text.")
    read: Read = Field(default_factory=lambda: Read(), description="How the file is read.")
    archive: Literal["auto", "always", "never"] = Field(
        "auto", description="Keep the table with the experiment's artifacts, once per digest; auto: up to 50 MB."
    )


class Split(_Section):
    """Which rows are held back for the final test."""

    model_config = ConfigDict(extra="allow")

    method: Literal["random", "time", "group"] = Field("random", description="How rows are divided.")
    test_size: Annotated[int | float, Field(gt=0)] = Field(
        0.2, description="Fraction of rows (of groups, under group) that is held back; what the splitter takes, under class."
    )
    column: str | None = Field(None, description="Column of the time or of the group; under random, of the strata.")
    stratify: bool | None = Field(
        None, description="Keep the classes' proportions, in the folds too; by default for classification. false: classes of any size."
    )
    random_state: Seed | None = Field(None, description="Seed of the split alone; by default derived from the root seed.")
    class_: ImportPath | None = Field(None, alias="class", description="A splitter by import path; its first split is used.")

    @property
    def is_grouped(self) -> bool:
        """Whether `column` holds groups that no split may part."""
        return self.column is not None and (self.method == "group" or "Group" in (self.class_ or ""))


class Features(_Section):
    """Columns made from other columns before anything is fitted."""

    epsilon: float = Field(1e-6, ge=0, description="Added to a ratio's denominator.")
    weighted_sums: dict[str, Annotated[dict[str, float], Field(min_length=1)]] = Field(
        default_factory=dict, description="New column: sum of weight times column."
    )
    ratios: dict[str, Annotated[list[str], Field(min_length=2, max_length=2)]] = Field(
        default_factory=dict, description="New column: [numerator, denominator]."
    )


class ColumnGroup(_Section):
    """The long form: some columns with a list of transformers of their own."""

    columns: list[str] | Kind = Field(
        description="Columns by name, also of another group; or a kind of column: those of it that no group names."
    )
    transformers: list[Component] = Field(
        default_factory=list, description="Applied in order; an empty list passes the columns through."
    )


class Preprocessing(_Section):
    """How columns become numbers. The short form covers every column that `columns` does not name."""

    outlier_factor: float | None = Field(1.5, gt=0, description="Clip numbers beyond this many interquartile ranges.")
    numeric_imputer: Literal["mean", "median", "most_frequent"] | None = Field("median", description="Fills numbers.")
    categorical_imputer: Literal["most_frequent", "constant"] | None = Field("most_frequent", description="Fills categories.")
    scale: bool = Field(True, description="Numbers to mean 0 and variance 1.")
    columns: list[ColumnGroup] = Field(default_factory=list, description="Columns with transformers of their own.")


class Model(_Section):
    """One candidate: a short name of samebits, or `class`, with the estimator's own parameters."""

    model_config = ConfigDict(extra="allow")

    class_: ImportPath | None = Field(None, alias="class", description="Estimator by import path.")


class CrossValidation(_Section):
    """How candidates are compared on the training rows."""

    model_config = ConfigDict(extra="allow")

    n_splits: int | None = Field(None, ge=2, description="Folds; 5 by default, or the splitter's own default under class.")
    class_: ImportPath | None = Field(None, alias="class", description="Splitter by import path, with its parameters.")


class Weights(_Section):
    """How much each row counts in every fit; scores, metrics and the threshold count every row once. Both keys multiply."""

    column: str | None = Field(None, description="Column of weights, 0 or more; it is no feature.")
    classes: Literal["balanced"] | dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = Field(
        None, description="Weight by class, 1 where none is given; balanced: in inverse proportion to the class's rows in a fit."
    )


class Costs(_Section):
    """What a wrong decision costs, in any unit."""

    false_positive: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(description="Of a negative row called positive.")
    false_negative: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(description="Of a positive row called negative.")


class Business(_Section):
    """What the decision must keep to: at most one of these; binary tasks only. None: the estimator's own threshold."""

    target_precision: Fraction | None = Field(
        None, description="The threshold is the one of highest recall that keeps this precision on the training folds."
    )
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        None, description="The threshold itself: a row is called positive whose response is at least this."
    )
    f_beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="The threshold is the one of highest F-beta on the training folds; beta above 1 weighs recall more."
    )
    costs: Costs | None = Field(None, description="The threshold is the one of least total cost on the training folds.")

    @property
    def method(self) -> str | None:
        """The key by which the threshold is chosen, if any."""
        return next((name for name in THRESHOLD_METHODS if getattr(self, name) is not None), None)


class Tolerance(_Section):
    """What a rerun that is not equal to the bit may differ by and still be EQUIVALENT; null: by nothing."""

    metrics: float | None = Field(None, ge=0, description="Largest absolute difference of a metric or cross-validation score.")
    predictions: float | None = Field(
        None, ge=0, description="Largest absolute difference of a response, or of a prediction of a regression; no label may flip."
    )


class Config(_Section):
    """Every parameter of one training run."""

    name: str = Field(min_length=1, max_length=200, description="MLflow experiment, unless `mlflow run` names one.")
    version: str = Field(pattern=r"^\d{4}\.(?:[1-9]|1[0-2])\.\d+$", description="CalVer of this config: YYYY.M.PATCH.")
    seed: Seed = Field(description="Root seed; every other seed is derived from it and its place's name.")
    task: Literal["auto", "binary", "multiclass", "regression"] = Field("auto", description="auto goes by the target.")
    numeric_profile: Literal["portable", "native"] = Field(
        "portable", description="portable: the same bits on every x86-64 with AVX2 and FMA; native: this machine's kernels."
    )
    allow: list[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]] = Field(
        default_factory=list, description="Packages beside scikit-learn and samebits that `class:` may name."
    )
    data: Data = Field(description="The table.")
    split: Split = Field(default_factory=lambda: Split(), description="Rows held back for the final test.")
    weights: Weights = Field(default_factory=lambda: Weights(), description="Sample weights, for fits only.")
    features: Features = Field(default_factory=lambda: Features(), description="Derived columns.")
    preprocessing: Preprocessing = Field(default_factory=lambda: Preprocessing(), description="From columns to numbers.")
    models: Annotated[dict[str, Model], Field(min_length=1)] = Field(
        description="Candidates by name; the best by cross-validation is fitted again on all training rows."
    )
    cv: CrossValidation = Field(default_factory=lambda: CrossValidation(), description="Cross-validation.")
    scoring: str | None = Field(None, description="A scikit-learn scorer's name; greater is better. By default by task.")
    business: Business = Field(default_factory=lambda: Business(), description="Decision threshold.")
    keep: Literal["best", "all"] = Field(
        "best", description="all: every candidate is fitted on all training rows too, for its metrics on the test rows."
    )
    tolerance: Tolerance = Field(default_factory=lambda: Tolerance(), description="What counts as EQUIVALENT.")
    n_jobs: int = Field(1, ge=-1, description="Processes for cross-validation; changes no bit. -1: every core.")
