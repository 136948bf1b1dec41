"""Keys of columns that are made of others before anything is fitted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from samebits.keys.sections import Choice, ImportPath, Scalar, Section


class Power(Section):
    """A number to a power."""

    column: str = Field(description="The base.")
    exponent: float = Field(description="Such as 2, or 0.5 for a square root.")


class Bins(Section):
    """Which interval a number lies in, as a category; outside all edges it is missing."""

    column: str = Field(description="Column of numbers.")
    edges: Annotated[list[float], Field(min_length=2)] = Field(description="Rising; -.inf and .inf leave an end open.")
    labels: list[str] | None = Field(None, description="A name for each interval; by default (low, high].")
    right: bool = Field(True, description="Whether an interval holds its upper edge rather than its lower one.")


class Join(Section):
    """Several columns as one category."""

    columns: Annotated[list[str], Field(min_length=2)] = Field(description="In order; missing where one is.")
    separator: str = Field("_", description="Between the values.")


class Lookup(Section):
    """Values in place of others."""

    column: str = Field(description="Column whose values are looked up.")
    values: Annotated[dict[str, Scalar | None], Field(min_length=1)] = Field(description="Old value: new value; null is missing.")
    otherwise: Literal["keep", "missing", "refuse", "default"] = Field(
        "refuse", description="What becomes of a value that is not listed: itself, missing, a refusal, or `default`."
    )
    default: Scalar | None = Field(None, description="The new value of all that is not listed, under otherwise: default.")


class Part(Section):
    """A part of a date, as a number."""

    column: str = Field(description="Column of dates.")
    of: Literal["year", "quarter", "month", "week", "day", "day_of_year", "weekday", "hour", "minute", "second"] = Field(
        description="weekday: Monday is 0; week: by ISO 8601."
    )


class Between(Section):
    """The time from one date to another, as a number."""

    start: str = Field(description="Column of dates.")
    end: str = Field(description="Column of dates.")
    unit: Literal["seconds", "minutes", "hours", "days", "weeks", "years"] = Field(description="A year is 365.2425 days.")


class Text(Section):
    """Text made plain."""

    column: str = Field(description="Column of categories or text.")
    strip: bool = Field(True, description="Take blanks off both ends.")
    case: Literal["lower", "upper"] | None = Field(None, description="Letters all small, or all large.")


class Fill(Section):
    """A constant for missing values."""

    column: str = Field(description="Column of any kind.")
    value: Scalar = Field(description="Of the column's kind.")


class RowFunction(Section):
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


class Derived(Choice):
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


class Features(Section):
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
