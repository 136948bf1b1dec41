"""LightGBM, XGBoost and CatBoost: the settings that make their fits repeat to the bit, where the config leaves them open.

docs/boosting.md says what holds for each. None of the three is imported here; a model is known by the module of its class.
"""

from __future__ import annotations

import sys
from typing import Any

from sklearn.pipeline import Pipeline

from samebits.config.catalog import CLASSIFICATION, Task
from samebits.model.boosters import THREAD_NAMES
from samebits.numerics.generators import derive_seed
from samebits.transformers import EncodedLabels

_LIBRARIES = {"lightgbm", "xgboost", "catboost"}
# library -> settings, each with the names under which the config may have decided it
_SETTINGS: dict[str, list[tuple[str, Any, tuple[str, ...]]]] = {
    "lightgbm": [
        ("deterministic", True, ("deterministic",)),
        ("force_row_wise", True, ("force_row_wise", "force_col_wise")),  # else the faster on this machine
        ("verbose", -1, ("verbose", "verbosity")),
    ],
    "catboost": [
        ("allow_writing_files", False, ("allow_writing_files",)),
        ("verbose", False, ("verbose", "logging_level", "silent", "verbose_eval")),
    ],
}


def name_library(model: Any) -> str | None:
    """Return which of the three libraries an estimator is of, or None."""
    package = type(model).__module__.partition(".")[0]
    return package if package in _LIBRARIES and hasattr(model, "set_params") else None


def settle_settings(model: Any, root_seed: int, place: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Give a booster the settings and the seed that the config leaves open; in place.

    Returns
    -------
    tuple
        The settings and the seeds given, by place.
    """
    library = name_library(model)
    if library is None:
        return {}, {}
    named = {name for name, value in model.get_params().items() if value is not None}
    settings = {name: value for name, value, names in _SETTINGS.get(library, []) if not named & set(names)}
    if library == "xgboost" and model.get_params().get("booster") == "gblinear" and "updater" not in named:
        settings["updater"] = "coord_descent"  # the default adds in the order in which threads arrive
    model.set_params(**settings)
    seeds = {}
    if library == "catboost" and not named & {"random_seed", "random_state"}:
        seeds = {"random_seed": derive_seed(root_seed, f"{place}.random_seed")}
        model.set_params(**seeds)
    return {f"{place}.{name}": value for name, value in settings.items()}, {f"{place}.{name}": seed for name, seed in seeds.items()}


def encode_labels(model: Any, task: Task) -> Any:
    """Return a classifier that takes any labels: XGBoost takes numbers only, CatBoost gives others back than it took."""
    is_needed = task in CLASSIFICATION and name_library(model) in ("xgboost", "catboost")
    return EncodedLabels(model) if is_needed else model


def set_fit_threads(pipeline: Pipeline, threads: int) -> None:
    """Let every booster of a pipeline fit over threads where that was measured to change no bit, else over one; in place."""
    if not _LIBRARIES & sys.modules.keys():
        return
    for member in [pipeline.steps[-1][1], *pipeline.get_params(deep=True).values()]:
        library = name_library(member)
        if library is not None:
            parameters = member.get_params()
            repeats = library != "catboost" and not _depends_on_threads(parameters)
            names = [name for name in THREAD_NAMES if parameters.get(name) is not None]
            member.set_params(**dict.fromkeys(names or [_name_threads(library)], threads if repeats else 1))


def _name_threads(library: str) -> str:
    return "thread_count" if library == "catboost" else "n_jobs"


def _depends_on_threads(parameters: dict[str, Any]) -> bool:
    """Sampling by gradients, quantized gradients and shotgun updates differ between counts of threads, or from run to run."""
    is_goss = "goss" in (parameters.get("data_sample_strategy"), parameters.get("boosting_type"), parameters.get("boosting"))
    is_shotgun = parameters.get("booster") == "gblinear" and parameters.get("updater") == "shotgun"
    return is_goss or is_shotgun or bool(parameters.get("use_quantized_grad"))
