"""Keys of what is kept of a run: its code, its record, its registered model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from samebits.keys.sections import Section
from samebits.wording import ALIAS, REGISTERED_NAME


class Code(Section):
    """What is kept of the uncommitted files with a run."""

    keep: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list,
        description="Files, such as tests/*.pem, that are kept although they look like secrets or are over 5 MiB; whoever reads "
        "the run then reads them.",
    )


class Tracking(Section):
    """Where the run is recorded is decided outside (MLFLOW_TRACKING_URI); how, here."""

    offline: bool = Field(False, description="Ask no server: what the run makes waits in the spool for `samebits push`.")


class Registry(Section):
    """Where the model is registered, and by which rule an alias moves to it."""

    name: str | None = Field(
        None,
        max_length=200,
        pattern=REGISTERED_NAME,
        description="Registered model, made where there is none; null: the model is not registered.",
    )
    alias: str = Field(
        "champion",
        max_length=200,
        pattern=ALIAS,
        description="Moves to this run's model if that is better than what has it, on the same test rows.",
    )
    margin: float = Field(0.0, ge=0, allow_inf_nan=False, description="By at least this, in the metric that chose.")
    level: Literal["L0", "L1", "L2"] = Field(
        "L0", description="And not before the run is proved this far; `reproduce` raises a level, and applies the rule again."
    )
