"""Keys of the steps that make a run's table of raw files: what is run, of which files, and which files it writes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from samebits.keys.sections import Choice, Digest, ImportPath, Section, Seed
from samebits.wording import ADDRESS, PYTHON_NAME, STEP_NAME

Name = Annotated[str, Field(pattern=PYTHON_NAME)]  # an argument of a function
StepName = Annotated[str, Field(pattern=STEP_NAME)]
FilePath = Annotated[str, Field(min_length=1)]


class InputFile(Section):
    """An input with its digest, by which a store has it, and the address where it may be had else."""

    path: FilePath = Field(description="File or folder, from the project's root or this config's folder.")
    digest: Digest = Field(description="Refuse any other bytes.")
    source: Annotated[str, Field(pattern=ADDRESS)] | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="Address from which `samebits data pull` brings it where no store has it: s3://, gs://, az://, https://, hf://.",
    )


class Step(Choice):
    """One step: a function or a command, called with its own inputs alone."""

    function: ImportPath | None = Field(
        None, description="Import path, called with inputs and outputs as pathlib.Path, parameters, and seed where it takes one."
    )
    command: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)] | None = Field(
        None, description="Words instead of a function, with {inputs.NAME}, {outputs.NAME}, {parameters.NAME} and {seed} in them."
    )
    inputs: dict[Name, FilePath | InputFile] = Field(
        default_factory=dict, description="Files or folders by name; an output of another step is what orders the two."
    )
    parameters: dict[Name, Any] = Field(default_factory=dict, description="Values by name, handed on as they are.")
    seed: Seed = Field(0, description="Of this step alone; the global generators are planted with it.")
    outputs: Annotated[dict[Name, FilePath], Field(min_length=1)] = Field(
        description="Files or folders that it writes, by name, from the project's root: below data/processed/, say."
    )


def take_path(value: Any) -> str:
    """Return the path of an input, which may stand beside its digest; empty where there is none."""
    path = value.path if isinstance(value, InputFile) else value.get("path") if isinstance(value, dict) else value
    return path if isinstance(path, str) else ""
