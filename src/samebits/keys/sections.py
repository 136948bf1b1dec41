"""What all sections of a config share: kinds of values, a section itself, a class with its parameters."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from samebits.wording import DIGEST, IMPORT_PATH, MARK

# What MLflow takes as the name of a parameter or metric: a candidate's name becomes both.
MLFLOW_NAME = re.compile(r"[\w .:/-]+", flags=re.ASCII)
Scalar = str | int | float | bool
Digest = Annotated[str, Field(pattern=DIGEST)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
ImportPath = Annotated[str, Field(pattern=IMPORT_PATH)]
Mark = Annotated[str, Field(min_length=1, max_length=1, pattern=MARK)]
Detail = Literal["none", "short", "full"]
Kind = Literal["numeric", "categorical", "boolean", "date", "text", "all"]


class Section(BaseModel):
    """Keys that stand together: all known, none changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True, ser_json_inf_nan="constants")


class Choice(Section):
    """A section of which one or a few keys are said: what is not said is left out where it is written down."""

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in write(self).items() if value is not None}


class Component(Section):
    """Any class by its import path, with its own parameters beside it.

    A parameter may itself be `{class: …}`, `{function: …}` or a list of such.
    """

    model_config = ConfigDict(extra="allow")

    class_: ImportPath = Field(alias="class", description="Import path, such as sklearn.preprocessing.MinMaxScaler.")
