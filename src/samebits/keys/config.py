"""A whole config: every parameter of one training run, in the order in which a person reads a file of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from samebits.keys.derivation import Features
from samebits.keys.division import Backtest, CrossValidation, Split
from samebits.keys.judging import Business, Claims, Drift, Report, Tolerance, take_detail
from samebits.keys.keeping import Code, Registry, Tracking
from samebits.keys.learning import Batches, Engine, Model, Preprocessing, Search, Weights
from samebits.keys.sections import Detail, Section, Seed
from samebits.keys.steps import Step, StepName
from samebits.keys.table import Data
from samebits.wording import CALVER, PYTHON_NAME


class Config(Section):
    """Every parameter of one training run."""

    name: str = Field(min_length=1, max_length=200, description="MLflow experiment, unless `mlflow run` names one.")
    version: str = Field(pattern=CALVER, description="CalVer of this config: YYYY.M.PATCH.")
    seed: Seed = Field(description="Root seed; every other seed is derived from it and its place's name.")
    task: Literal["auto", "binary", "multiclass", "regression"] = Field("auto", description="auto goes by the target.")
    numeric_profile: Literal["portable", "native"] = Field(
        "portable", description="portable: the same bits on every x86-64 with AVX2 and FMA; native: this machine's kernels."
    )
    allow: list[Annotated[str, Field(pattern=PYTHON_NAME)]] = Field(
        default_factory=list, description="Packages beside scikit-learn and samebits that `class:` and steps may name."
    )
    steps: dict[StepName, Step] | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="Steps that make the table of raw files, by name, or the name of a YAML file of such; null: none.",
    )
    data: Data = Field(description="The table.")
    split: Split = Field(default_factory=lambda: Split(), description="Rows held back for the final test.")
    backtest: Backtest | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="Cut-off times, for each of which it is trained; null: one run.",
    )
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
    report: Annotated[Report, BeforeValidator(take_detail, json_schema_input_type=Detail | Report)] = Field(
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
