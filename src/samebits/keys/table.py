"""Keys of the table: where it lies, how it is read, which of its rows are used, what its columns are for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from samebits.keys.sections import Choice, Digest, Mark, Scalar, Section, Seed
from samebits.wording import PYTHON_NAME


class Read(Section):
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


class Range(Choice):
    """Which values of a column a row rule means: all bounds given must hold; a missing value is in none."""

    min: Scalar | None = Field(None, description="At least this.")
    max: Scalar | None = Field(None, description="At most this.")
    above: Scalar | None = Field(None, description="More than this.")
    below: Scalar | None = Field(None, description="Less than this.")
    missing: bool | None = Field(None, description="true: the value is missing; false: it is not.")


Condition = Scalar | list[Scalar] | Range
ROW_RULES = ("drop_missing", "drop_duplicates", "keep", "drop", "min_class_rows", "first", "sample")


class RowRule(Choice):
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


class Query(Section):
    """Rows of a database, asked for once and kept as a Parquet file by their digest."""

    sql: str = Field(min_length=1, description="What is asked, in the database's own SQL. It decides, as the rows do.")
    order_by: Annotated[list[str], Field(min_length=1)] = Field(
        description="Columns of the answer by which its rows are put in order here; no two rows may be alike in all of them."
    )


class Data(Section):
    """The table and what its columns are for."""

    path: str = Field(
        min_length=1,
        description="File, or folder of files, from the project's root or this config's folder; or an address: s3://, gs://, az://, "
        "https://, hf://. Of a Delta table a version, as churn@v12.",
    )
    digest: Digest | None = Field(None, description="Refuse any other bytes; `samebits data pin CONF` writes it.")
    query: Query | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="Where nothing lies at path, these rows of a database are the table.",
    )
    database: Annotated[str, Field(pattern=PYTHON_NAME)] | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="Of query: the environment variable that holds the database's SQLAlchemy address.",
    )
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
