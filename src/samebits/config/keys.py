"""The config: every parameter of a run, its type, range and meaning.

The classes below are also the JSON Schema that editors complete from, so each field says what it is for. How a file becomes a config,
or is refused, is `loading`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

# What MLflow takes as the name of a parameter or metric: a candidate's name becomes both.
MLFLOW_NAME = re.compile(r"[\w .:/-]+", flags=re.ASCII)
Scalar = str | int | float | bool
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
ImportPath = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
Mark = Annotated[str, Field(min_length=1, max_length=1, pattern=r"^[^0-9+-]$")]
Detail = Literal["none", "short", "full"]
Kind = Literal["numeric", "categorical", "boolean", "date", "text", "all"]


THRESHOLD_METHODS = ("target_precision", "threshold", "f_beta", "costs")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True, ser_json_inf_nan="constants")


class _Choice(_Section):
    """A section of which one or a few keys are said: what is not said is left out where it is written down."""

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in write(self).items() if value is not None}


class Component(_Section):
    """Any class by its import path, with its own parameters beside it.

    A parameter may itself be `{class: …}`, `{function: …}` or a list of such.
    """

    model_config = ConfigDict(extra="allow")

    class_: ImportPath = Field(alias="class", description="Import path, such as sklearn.preprocessing.MinMaxScaler.")


class Read(_Section):
    """How the file is read, where it is not plain comma-separated UTF-8."""

    format: Literal["auto", "csv", "parquet"] = Field(
        "auto", description="auto goes by the first bytes, then by the suffix (.parquet, .pq)."
    )
    sep: str = Field(",", min_length=1, description="Between fields.")
    decimal: Mark | dict[str, Mark] = Field(
        ".", description="Decimal mark, such as a comma; for all columns, or by column (a point for the others)."
    )
    thousands: Mark | dict[str, Mark] | None = Field(
        None, description="Mark between groups of three digits of a number; for all columns, or by column (none for the others)."
    )
    signs: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list, description="Signs around numbers that say nothing, such as '$' or '%'; they are taken off."
    )
    encoding: str = Field("utf-8", description="Text encoding, such as cp1252 or utf-16; a byte-order mark is skipped.")
    quotechar: str = Field('"', min_length=1, max_length=1, description="Around fields that hold a separator.")
    escapechar: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="Before a quote that is part of a field, such as a backslash; else it is doubled.",
    )
    comment: str | None = Field(None, min_length=1, max_length=1, description="Starts a comment up to the line's end.")
    skip_rows: int = Field(0, ge=0, description="Lines before the header.")
    keep_default_na: bool | dict[str, bool] = Field(
        True, description="Whether NA, null, N/A, NaN and the like mean missing; for all columns, or by column (true for the others)."
    )
    na_values: list[Scalar] | dict[str, list[Scalar]] = Field(
        default_factory=list, description="What else means missing, such as -200 or '?'; a list, or lists by column."
    )
    dates: list[str] | dict[str, str] = Field(
        default_factory=list,
        description="Columns that are dates; as a mapping, each with its strptime format, epoch_seconds, epoch_milliseconds, "
        "excel_days, or mixed where each value has a form of its own.",
    )
    types: dict[str, Literal["number", "category", "boolean", "text"]] = Field(
        default_factory=dict, description="Columns that are not what they look like, such as codes written as numbers."
    )
    allow_short_rows: bool = Field(False, description="Take fields that a row has not as empty, instead of refusing the row.")
    file_column: str | None = Field(
        None, min_length=1, description="New column: the name of the folder's file that a row is from; it is no feature."
    )


class Range(_Choice):
    """Which values of a column a row rule means: all bounds given must hold; a missing value is in none."""

    min: Scalar | None = Field(None, description="At least this.")
    max: Scalar | None = Field(None, description="At most this.")
    above: Scalar | None = Field(None, description="More than this.")
    below: Scalar | None = Field(None, description="Less than this.")
    missing: bool | None = Field(None, description="true: the value is missing; false: it is not.")


Condition = Scalar | list[Scalar] | Range
ROW_RULES = ("drop_missing", "drop_duplicates", "keep", "drop", "min_class_rows", "first", "sample")


class RowRule(_Choice):
    """Which rows are used: one of these; rules are applied in order."""

    drop_missing: Literal["any"] | Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="Drop rows with a missing value in these columns, or in any."
    )
    drop_duplicates: Literal["all"] | Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="Of rows that are equal in these columns, or in all that are read, keep the first."
    )
    keep: Annotated[dict[str, Condition], Field(min_length=1)] | None = Field(
        None, description="Keep rows in which each column has this value, one of these, or is in this range."
    )
    drop: Annotated[dict[str, Condition], Field(min_length=1)] | None = Field(
        None, description="Drop rows in which each column has this value, one of these, or is in this range."
    )
    min_class_rows: int | None = Field(None, ge=1, description="Drop rows of target classes that have fewer rows.")
    first: int | None = Field(None, ge=1, description="Keep the first rows.")
    sample: Annotated[int | float, Field(gt=0)] | None = Field(
        None, description="Keep so many rows, or this fraction, drawn and ordered as pandas' DataFrame.sample does."
    )
    random_state: Seed | None = Field(None, description="Seed of a sample; by default derived from the root seed.")


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
    rows: list[RowRule] = Field(default_factory=list, description="Which rows are used, by rules in order; all by default.")
    test_path: str | None = Field(None, min_length=1, description="Another file or folder, of the same columns, with the test rows.")
    test_digest: Digest | None = Field(None, description="Of test_path; `samebits data pin CONF` writes it.")
    read: Read = Field(default_factory=lambda: Read(), description="How the file is read.")
    archive: Literal["auto", "always", "never"] = Field(
        "auto", description="Keep the table with the experiment's artifacts, once per digest; auto: up to 50 MB."
    )


class Split(_Section):
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


class Power(_Section):
    """A number to a power."""

    column: str = Field(description="The base.")
    exponent: float = Field(description="Such as 2, or 0.5 for a square root.")


class Bins(_Section):
    """Which interval a number lies in, as a category; outside all edges it is missing."""

    column: str = Field(description="Column of numbers.")
    edges: Annotated[list[float], Field(min_length=2)] = Field(description="Rising; -.inf and .inf leave an end open.")
    labels: list[str] | None = Field(None, description="A name for each interval; by default (low, high].")
    right: bool = Field(True, description="Whether an interval holds its upper edge rather than its lower one.")


class Join(_Section):
    """Several columns as one category."""

    columns: Annotated[list[str], Field(min_length=2)] = Field(description="In order; missing where one is.")
    separator: str = Field("_", description="Between the values.")


class Lookup(_Section):
    """Values in place of others."""

    column: str = Field(description="Column whose values are looked up.")
    values: Annotated[dict[str, Scalar | None], Field(min_length=1)] = Field(description="Old value: new value; null is missing.")
    otherwise: Literal["keep", "missing", "refuse", "default"] = Field(
        "refuse", description="What becomes of a value that is not listed: itself, missing, a refusal, or `default`."
    )
    default: Scalar | None = Field(None, description="The new value of all that is not listed, under otherwise: default.")


class Part(_Section):
    """A part of a date, as a number."""

    column: str = Field(description="Column of dates.")
    of: Literal["year", "quarter", "month", "week", "day", "day_of_year", "weekday", "hour", "minute", "second"] = Field(
        description="weekday: Monday is 0; week: by ISO 8601."
    )


class Between(_Section):
    """The time from one date to another, as a number."""

    start: str = Field(description="Column of dates.")
    end: str = Field(description="Column of dates.")
    unit: Literal["seconds", "minutes", "hours", "days", "weeks", "years"] = Field(description="A year is 365.2425 days.")


class Text(_Section):
    """Text made plain."""

    column: str = Field(description="Column of categories or text.")
    strip: bool = Field(True, description="Take blanks off both ends.")
    case: Literal["lower", "upper"] | None = Field(None, description="Letters all small, or all large.")


class Fill(_Section):
    """A constant for missing values."""

    column: str = Field(description="Column of any kind.")
    value: Scalar = Field(description="Of the column's kind.")


class RowFunction(_Section):
    """A function of the user's: from a DataFrame of some columns to one value a row, each from its own row alone."""

    path: ImportPath = Field(description="Import path; its package must be named in allow:.")
    columns: Annotated[list[str], Field(min_length=1)] = Field(description="What it is given.")
    kind: Literal["numeric", "categorical", "boolean", "date"] = Field("numeric", description="What it gives.")


DERIVATIONS = (
    *("sum", "difference", "product", "ratio", "log", "log1p", "power", "bins", "join", "map", "part", "between", "text", "fill"),
    "function",
)
Operand = Annotated[str, Field(min_length=1)] | int | float  # a column, or a number
_Pair = Annotated[list[Operand], Field(min_length=2, max_length=2)]
_Several = Annotated[list[Operand], Field(min_length=2)]


class Derived(_Choice):
    """A column made of others, row by row, by one of these; it may have the name of the column it is made of, and replace it."""

    name: str = Field(min_length=1, description="Of the new column.")
    sum: _Several | None = Field(None, description="Columns of numbers, or numbers, added.")
    difference: _Pair | None = Field(None, description="The first minus the second; one may be a number.")
    product: _Several | None = Field(None, description="Columns of numbers, or numbers, multiplied.")
    ratio: _Pair | None = Field(None, description="The first over the second, of which one may be a number; missing where that is 0.")
    log: str | None = Field(None, description="Natural logarithm of a column.")
    log1p: str | None = Field(None, description="Natural logarithm of 1 + a column.")
    power: Power | None = Field(None, description="A column to a power.")
    bins: Bins | None = Field(None, description="Intervals by given edges.")
    join: Join | None = Field(None, description="Several columns as one category.")
    map: Lookup | None = Field(None, description="Values in place of others.")
    part: Part | None = Field(None, description="A part of a date.")
    between: Between | None = Field(None, description="The time between two dates.")
    text: Text | None = Field(None, description="Text stripped, or in small or large letters.")
    fill: Fill | None = Field(None, description="A constant for missing values.")
    function: RowFunction | None = Field(None, description="A function of your own.")


class Features(_Section):
    """Columns made from other columns before anything is fitted."""

    derived: list[Derived] = Field(
        default_factory=list,
        description="Made row by row, in order; each may use earlier ones, as may sums, ratios, target and split.",
    )

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

    n_splits: int | None = Field(
        None, ge=1, description="Folds; 5 by default, or the splitter's own default under class. 1: one validation part."
    )
    validation_size: Fraction | None = Field(
        None, description="Fraction of the training rows in the one validation part; 0.2 by default."
    )
    class_: ImportPath | None = Field(None, alias="class", description="Splitter by import path, with its parameters.")


class Interval(_Choice):
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


class Search(_Section):
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


class Batches(_Section):
    """A table larger than memory: its rows stay on disk, and candidates learn from so many at a time."""

    rows: int = Field(200_000, ge=1000, description="Rows of a batch, which are in memory at once.")
    epochs: int = Field(1, ge=1, le=10_000, description="How often an estimator with partial_fit sees every training row.")
    preprocessing_rows: int = Field(
        1_000_000, ge=1000, description="Preprocessing is learned from at most so many training rows, evenly spaced over all of them."
    )


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


class Bound(_Choice):
    """What a metric is claimed to be."""

    at_least: Annotated[float, Field(allow_inf_nan=False)] | None = Field(None, description="No less than this.")
    at_most: Annotated[float, Field(allow_inf_nan=False)] | None = Field(None, description="No more than this.")


class GroupGap(_Section):
    """How far a metric may be apart between the groups of a column."""

    column: str = Field(description="One of report.groups.")
    metric: str = Field(description="By its name in metrics.json.")
    at_most: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(description="From the worst group to the best.")


class Claims(_Section):
    """What is expected of the result on the test rows, said before anything is trained: a metric's name, and its bounds."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Bound] = Field(init=False)

    group_gap: GroupGap | None = Field(None, description="Largest difference of a metric between groups of rows.")

    @property
    def bounds(self) -> dict[str, Bound]:
        """The bounds of each metric, by its name."""
        return dict(self.__pydantic_extra__ or {})

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in write(self).items() if value is not None}


class Report(_Section):
    """What is told of a result beside its numbers; as one word, how much."""

    detail: Detail = Field("short", description="none: neither report nor pictures; full: also what takes longer.")
    groups: list[str] = Field(default_factory=list, description="Columns for whose values metrics are told apart; features or not.")
    question: str | None = Field(None, description="What the model is for, in a sentence.")
    source: str | None = Field(None, description="Where the table is from.")
    licence: str | None = Field(None, description="Under which the table may be used.")


def _take_detail(value: Any) -> Any:
    return {"detail": value} if isinstance(value, str) else value


class Tolerance(_Section):
    """What a rerun that is not equal to the bit may differ by and still be EQUIVALENT; null: by nothing."""

    metrics: float | None = Field(None, ge=0, description="Largest absolute difference of a metric or cross-validation score.")
    predictions: float | None = Field(
        None, ge=0, description="Largest absolute difference of a response, or of a prediction of a regression; no label may flip."
    )


class Drift(_Section):
    """From which effect size on later data count as drifted (`samebits drift`); null: this one decides nothing."""

    psi: float | None = Field(0.2, gt=0, description="Population stability index, over ten bins of the training rows.")
    ks: float | None = Field(0.2, gt=0, description="Largest distance of the two distributions' shares up to a value.")
    wasserstein: float | None = Field(0.5, gt=0, description="Mean distance of the distributions, in training standard deviations.")
    cramers_v: float | None = Field(0.2, gt=0, description="Cramér's V of the categories' counts.")
    missing: float | None = Field(0.1, gt=0, description="Change of the share of missing values.")
    unseen: float | None = Field(0.05, gt=0, description="Share of rows with a category that no training row has.")
    min_rows: int = Field(100, ge=1, description="Fewer rows than this decide nothing: chance alone moves their shares.")


class Code(_Section):
    """What is kept of the uncommitted files with a run."""

    keep: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list,
        description="Files, such as tests/*.pem, that are kept although they look like secrets or are over 5 MiB; whoever reads "
        "the run then reads them.",
    )


class Tracking(_Section):
    """Where the run is recorded is decided outside (MLFLOW_TRACKING_URI); how, here."""

    offline: bool = Field(False, description="Ask no server: what the run makes waits in the spool for `samebits push`.")


class Registry(_Section):
    """Where the model is registered, and by which rule an alias moves to it."""

    name: str | None = Field(
        None,
        max_length=200,
        pattern=r"^[^/:\s\x00-\x1f\x7f]([^/:\x00-\x1f\x7f]*[^/:\s\x00-\x1f\x7f])?$",
        description="Registered model, made where there is none; null: the model is not registered.",
    )
    alias: str = Field(
        "champion",
        max_length=200,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="Moves to this run's model if that is better than what has it, on the same test rows.",
    )
    margin: float = Field(0.0, ge=0, allow_inf_nan=False, description="By at least this, in the metric that chose.")
    level: Literal["L0", "L1", "L2"] = Field(
        "L0", description="And not before the run is proved this far; `reproduce` raises a level, and applies the rule again."
    )


class Engine(_Section):
    """Where folds and fits run, if not in processes of this machine."""

    dask: Annotated[str, Field(pattern=r"^(local|(tcp|tls)://[^\s/:@]+:\d{1,5}/?|(tcp|tls)://\[[0-9A-Fa-f:.]+\]:\d{1,5}/?)$")] = Field(
        description="local: a cluster of n_jobs workers on this machine; else the address of a Dask scheduler, tcp://HOST:PORT."
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
    search: Search | None = Field(None, description="Parameters that are searched; null: none.")
    batches: Batches | None = Field(None, description="A table larger than memory, learned from in batches; null: all in memory.")
    scoring: str | None = Field(None, description="A scikit-learn scorer's name; greater is better. By default by task.")
    business: Business = Field(default_factory=lambda: Business(), description="Decision threshold.")
    keep: Literal["best", "all"] = Field(
        "best", description="all: every candidate is fitted on all training rows too, for its metrics on the test rows."
    )
    claims: Claims = Field(default_factory=lambda: Claims(), description="What is expected of the result.")
    report: Annotated[Report, BeforeValidator(_take_detail, json_schema_input_type=Detail | Report)] = Field(
        default_factory=lambda: Report(), description="Report and pictures."
    )
    tolerance: Tolerance = Field(default_factory=lambda: Tolerance(), description="What counts as EQUIVALENT.")
    drift: Drift = Field(default_factory=lambda: Drift(), description="What counts as drift in later data.")
    code: Code = Field(default_factory=lambda: Code(), description="Uncommitted files.")
    tracking: Tracking = Field(default_factory=lambda: Tracking(), description="How the run is recorded.")
    registry: Registry = Field(default_factory=lambda: Registry(), description="Registered model, and who is its champion.")
    n_jobs: int = Field(1, ge=-1, description="Processes for cross-validation; changes no bit. -1: every core.")
    engine: Engine | None = Field(
        None, exclude_if=lambda value: value is None, description="A Dask cluster that runs them instead; changes no bit."
    )

    @property
    def further_packages(self) -> list[str]:
        """Import names of packages that decide beside samebits' own: those allowed, and what a search asks for proposals."""
        asked = ["optuna"] if self.search is not None and self.search.method == "optuna" else []
        return [*self.allow, *asked]
