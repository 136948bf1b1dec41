"""Keys of how a result is judged and told: threshold, claims, report, and what counts as equal or as drift."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from samebits.keys.sections import Choice, Detail, Fraction, Section

THRESHOLD_METHODS = ("target_precision", "threshold", "f_beta", "costs")


class Costs(Section):
    """What a wrong decision costs, in any unit."""

    false_positive: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(description="Of a negative row called positive.")
    false_negative: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(description="Of a positive row called negative.")


class Business(Section):
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


class Bound(Choice):
    """What a metric is claimed to be."""

    at_least: Annotated[float, Field(allow_inf_nan=False)] | None = Field(None, description="No less than this.")
    at_most: Annotated[float, Field(allow_inf_nan=False)] | None = Field(None, description="No more than this.")


class GroupGap(Section):
    """How far a metric may be apart between the groups of a column."""

    column: str = Field(description="One of report.groups.")
    metric: str = Field(description="By its name in metrics.json.")
    at_most: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(description="From the worst group to the best.")


class Claims(Section):
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


class Report(Section):
    """What is told of a result beside its numbers; as one word, how much."""

    detail: Detail = Field("short", description="none: neither report nor pictures; full: also what takes longer.")
    groups: list[str] = Field(default_factory=list, description="Columns for whose values metrics are told apart; features or not.")
    question: str | None = Field(None, description="What the model is for, in a sentence.")
    source: str | None = Field(None, description="Where the table is from.")
    licence: str | None = Field(None, description="Under which the table may be used.")


def take_detail(value: Any) -> Any:
    """Return the report's section where a file has the short form, one word."""
    return {"detail": value} if isinstance(value, str) else value


class Tolerance(Section):
    """What a rerun that is not equal to the bit may differ by and still be EQUIVALENT; null: by nothing."""

    metrics: float | None = Field(None, ge=0, description="Largest absolute difference of a metric or cross-validation score.")
    predictions: float | None = Field(
        None, ge=0, description="Largest absolute difference of a response, or of a prediction of a regression; no label may flip."
    )


class Drift(Section):
    """From which effect size on later data count as drifted (`samebits drift`); null: this one decides nothing."""

    psi: float | None = Field(0.2, gt=0, description="Population stability index, over ten bins of the training rows.")
    ks: float | None = Field(0.2, gt=0, description="Largest distance of the two distributions' shares up to a value.")
    wasserstein: float | None = Field(0.5, gt=0, description="Mean distance of the distributions, in training standard deviations.")
    cramers_v: float | None = Field(0.2, gt=0, description="Cramér's V of the categories' counts.")
    missing: float | None = Field(0.1, gt=0, description="Change of the share of missing values.")
    unseen: float | None = Field(0.05, gt=0, description="Share of rows with a category that no training row has.")
    min_rows: int = Field(100, ge=1, description="Fewer rows than this decide nothing: chance alone moves their shares.")
