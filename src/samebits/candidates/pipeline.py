"""The pipeline: derived columns, one transformer list per group of columns, and the model; each candidate gets its own, seeded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from samebits.config import catalog
from samebits.config.components import build_component, complete_model_spec, restore_label_keys
from samebits.data.dataset import Dataset, raise_for_unknown_columns
from samebits.data.derived import build_functions, trace_inputs
from samebits.data.preparation import PreparedRows
from samebits.errors import ConfigError, DataError, Problem
from samebits.estimation.boosting import encode_labels, settle_settings
from samebits.estimation.target_transform import wrap_model
from samebits.keys.config import Config
from samebits.keys.learning import ColumnGroup, Preprocessing
from samebits.numerics.seeds import seed_component
from samebits.row_columns import RowColumns
from samebits.table.columns import Kind
from samebits.text import shorten_text
from samebits.transformers import BooleanNumbers, DateNumbers, DerivedColumns, OutlierClipper

_SHOWN_TEXTS = 3
_ZEROS_ARE_ZEROS = ("sklearn.", "lightgbm.")  # XGBoost takes what a sparse column does not write for a missing value
MOST_DENSE_CELLS = 10_000_000  # rows times codes of categories: 80 MB, of which a fit holds several copies
# The step of a short preprocessing key is fitted per kind of column.
_KIND_ORDER: tuple[Kind, ...] = ("numeric", "categorical", "boolean", "date")


def build_candidates(config: Config, rows: PreparedRows) -> tuple[dict[str, Pipeline], dict[str, int], dict[str, Any]]:
    """Return one unfitted, seeded pipeline per model of the config, by name in sorted order; the seeds planted, and settings.

    Raises
    ------
    ConfigError
        A model is none for this task.
    DataError
        A column is named that the table has not, or free text was left to the default preprocessing.
    """
    dataset, task, labels = rows.dataset, rows.target.task, rows.target.labels
    kinds = {name: dataset.all_kinds[name] for name in rows.features}
    row_columns = _build_row_columns(config, rows)
    _check_derived_columns(config, kinds, dataset)
    candidates, planted, settings = {}, {}, {}
    for name in sorted(config.models):
        model = _build_model(config, name, task)
        columns = _build_columns(config, kinds, dataset, takes_sparse=_takes_sparse(model))
        if labels is not None:
            restore_label_keys(model, labels)
        chosen, seeds = settle_settings(model, config.seed, f"models.{name}")
        settings.update(chosen)
        steps = [("columns", columns), ("model", wrap_model(encode_labels(model, task), config.data.target_transform))]
        if config.features.weighted_sums or config.features.ratios:
            steps.insert(0, ("derived", _build_derived(config)))
        if row_columns is not None:
            steps.insert(0, ("row_columns", clone(row_columns)))
        planted.update(seed_component(columns, config.seed, "preprocessing"))
        planted.update({**seed_component(model, config.seed, f"models.{name}"), **seeds})
        candidates[name] = Pipeline(steps)
        _leave_threads_to_the_run(candidates[name])
    return candidates, planted, settings


def _leave_threads_to_the_run(pipeline: Pipeline) -> None:
    """Unset every n_jobs: it changes no fit, but threads add a forest's predictions in the order they arrive."""
    names = [name for name in pipeline.get_params(deep=True) if name.rpartition("__")[2] == "n_jobs"]
    pipeline.set_params(**dict.fromkeys(names))


def _build_model(config: Config, name: str, task: catalog.Task) -> Any:
    parameters = config.models[name].model_dump(by_alias=True)
    spec = complete_model_spec(name, parameters, task)
    where = f"models.{name}"
    if spec is None:
        raise ConfigError(Problem(where, f"a model for {task}", repr(name), "Remove it, or give it a class."))
    model = build_component(spec, config.allow, ("models", name))
    tags = _read_tags(model)
    kind = getattr(model, "_estimator_type", None) or getattr(tags, "estimator_type", None)
    wanted = "regressor" if task == "regression" else "classifier"
    if kind in ("classifier", "regressor", "clusterer", "outlier_detector", "density_estimator") and kind != wanted:
        raise ConfigError(Problem(where, f"a {wanted}, since the task is {task}", f"a {kind}", "Name another class, or set task:."))
    if not getattr(getattr(tags, "target_tags", None), "single_output", True):
        found = f"{type(model).__name__}, which takes several"
        raise ConfigError(Problem(where, "a model of one target", found, "Name the class for one, or the estimator inside it."))
    return model


def _read_tags(model: Any) -> Any:
    """Return what a model says of itself, or None: a stranger's may have no tags, or none that can be asked for."""
    try:
        return model.__sklearn_tags__()
    except AttributeError:
        return None


def _build_row_columns(config: Config, rows: PreparedRows) -> RowColumns | None:
    """Return the step that makes the features among the derived columns, and what they need; None where no feature is derived."""
    steps, _ = trace_inputs(rows.dataset.steps, rows.features)
    named = {step["function"]["path"] for step in steps if "function" in step}
    functions = {path: function for path, function in build_functions(config).items() if path in named}
    return RowColumns([dict(step) for step in steps], functions or None) if steps else None


def _build_derived(config: Config) -> DerivedColumns:
    """Sums and ratios by name: a config's digest knows no order of theirs, so neither may a result."""
    features = config.features
    sums = {made: dict(sorted(weights.items())) for made, weights in sorted(features.weighted_sums.items())}
    return DerivedColumns(sums, dict(sorted(features.ratios.items())), features.epsilon)


def _check_derived_columns(config: Config, kinds: Mapping[str, Kind], dataset: Dataset) -> None:
    numbers = [name for name, kind in kinds.items() if kind in ("numeric", "boolean")]
    named = [(f"features.weighted_sums.{made}", name) for made, sums in config.features.weighted_sums.items() for name in sums]
    named += [(f"features.ratios.{made}", name) for made, pair in config.features.ratios.items() for name in pair]
    raise_for_unknown_columns(named, numbers, dataset.path)
    for made in (*config.features.weighted_sums, *config.features.ratios):
        if made in dataset.all_kinds:
            raise DataError(Problem(f"features: {made}", "a new column's name", "one that the table has", "Rename it."))


def _takes_sparse(model: Any) -> bool:
    """Tell whether a model takes sparse columns as it is set: one that is told to hold another, or to call what is given, does not."""
    name, module = type(model).__name__, type(model).__module__
    if name not in catalog.SPARSE_FITS or not module.startswith(_ZEROS_ARE_ZEROS):
        return False
    parameters = model.get_params(deep=False)
    is_plain = not any(callable(value) or isinstance(value, BaseEstimator) for value in parameters.values())
    has_solver = not (name.startswith("Ridge") and parameters["solver"] in catalog.DENSE_SOLVERS)
    return is_plain and has_solver and bool(_read_tags(model).input_tags.sparse)


def _build_columns(config: Config, kinds: Mapping[str, Kind], dataset: Dataset, takes_sparse: bool) -> ColumnTransformer:
    derived = [*sorted(config.features.weighted_sums), *sorted(config.features.ratios)]
    known: dict[str, Kind] = {**kinds, **dict.fromkeys(derived, "numeric")}
    left = _leave_unnamed(config.preprocessing.columns, known, dataset)
    branches: list[tuple[str, Any, Any]] = []
    for index, group in enumerate(config.preprocessing.columns):
        names = _take_columns(group, left)
        transformer = _build_group(config, group, index)
        is_one_dimensional = hasattr(_first_step(transformer), "build_analyzer")  # text vectorisers take one column as it is
        branches.append((f"group_{index}", transformer, names[0] if is_one_dimensional and len(names) == 1 else names))
    _refuse_text([name for name, kind in left.items() if kind == "text"], dataset)
    by_kind = {kind: [name for name, its_kind in left.items() if its_kind == kind] for kind in _KIND_ORDER}
    is_sparse = takes_sparse and _has_many_codes(by_kind["categorical"], dataset)
    branches += [(kind, _build_default(kind, config.preprocessing, is_sparse), names) for kind, names in by_kind.items() if names]
    # where codes are sparse, so is the whole: else the share of zeros would decide it, in each fit anew
    threshold = {"sparse_threshold": 1.0} if is_sparse else {}
    return ColumnTransformer(branches, remainder="drop", verbose_feature_names_out=True, **threshold)


def _has_many_codes(names: list[str], dataset: Dataset) -> bool:
    n_codes = sum(int(dataset.read_column(name).nunique()) for name in names)
    return len(dataset.frame) * n_codes > MOST_DENSE_CELLS


def _first_step(transformer: Any) -> Any:
    return transformer.steps[0][1] if isinstance(transformer, Pipeline) else transformer


def _leave_unnamed(groups: list[ColumnGroup], known: dict[str, Kind], dataset: Dataset) -> dict[str, Kind]:
    """Return the columns that no group names, wherever it stands; a column may be named by several groups."""
    named: set[str] = set()
    for index, group in enumerate(groups):
        if isinstance(group.columns, list):
            key = f"preprocessing.columns.{index}.columns"
            raise_for_unknown_columns([(key, name) for name in group.columns], list(known), dataset.path)
            if len(set(group.columns)) < len(group.columns):
                twice = next(name for name in group.columns if group.columns.count(name) > 1)
                raise ConfigError(Problem(key, "each column once", f"{twice!r} twice", "Keep one."))
            named.update(group.columns)
    return {name: kind for name, kind in known.items() if name not in named}


def _take_columns(group: ColumnGroup, left: dict[str, Kind]) -> list[str]:
    """Return a group's columns; those that it has by their kind are taken out of those left."""
    if isinstance(group.columns, list):
        return list(group.columns)
    names = [name for name, kind in left.items() if group.columns in (kind, "all")]
    for name in names:
        del left[name]
    return names


def _build_group(config: Config, group: ColumnGroup, index: int) -> Any:
    steps = []
    for position, component in enumerate(group.transformers):
        spec = component.model_dump(by_alias=True)
        key_path = ("preprocessing", "columns", index, "transformers", position)
        steps.append((f"step_{position}", build_component(spec, config.allow, key_path)))
    return Pipeline(steps) if steps else "passthrough"


def _build_default(kind: Kind, preprocessing: Preprocessing, is_sparse: bool) -> Any:
    if kind == "boolean":
        return BooleanNumbers()
    steps: list[tuple[str, Any]] = []
    if kind == "categorical":
        if preprocessing.categorical_imputer:
            steps.append(("impute", SimpleImputer(strategy=preprocessing.categorical_imputer, keep_empty_features=True)))
        steps.append(("encode", OneHotEncoder(handle_unknown="ignore", sparse_output=is_sparse)))
        return Pipeline(steps)
    if kind == "date":
        steps.append(("parts", DateNumbers()))
    # always there, also when it clips nothing: it hands float64 in C order to what follows
    steps.append(("clip", OutlierClipper(preprocessing.outlier_factor if kind == "numeric" else None)))
    if preprocessing.numeric_imputer:
        steps.append(("impute", SimpleImputer(strategy=preprocessing.numeric_imputer, keep_empty_features=True)))
    if preprocessing.scale:
        steps.append(("scale", StandardScaler()))
    return Pipeline(steps)


def _refuse_text(names: list[str], dataset: Dataset) -> None:
    """Refuse free text that nothing says how to read: all such columns in one sentence."""
    if not names:
        return
    said = [_describe_text(dataset.read_column(name).dropna()) for name in names[:_SHOWN_TEXTS]]
    shown = said if len(names) == 1 else [f"{name} {text}" for name, text in zip(names, said, strict=False)]
    where = f"column {names[0]!r}" if len(names) == 1 else f"{len(names)} columns"
    rest = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    remedy = (
        "Name them in data.drop, give them transformers in preprocessing.columns, or make categories of them in data.read.types."
        if len(names) > 1
        else "Name it in data.drop, give it transformers in preprocessing.columns, or make it a category in data.read.types."
    )
    raise DataError(Problem(where, "numbers, categories, booleans or dates", f"free text {', '.join(shown)}{rest}", remedy))


def _describe_text(values: pd.Series) -> str:
    return f"({values.nunique():,} different values, such as {shorten_text(str(values.iloc[0]))})"
