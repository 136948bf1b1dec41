"""Times fits of LightGBM, XGBoost and CatBoost, those that are installed, beside the plain library on the same rows, in turn.

python timed_boosting.py N_ROWS RUNS: prints for each library and count of threads the medians of CPU and wall seconds of both, the
median ratio of CPU seconds, what share of them threads beside the first took, and bytes: of the model file, of the library's own.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samebits.candidates.fitting import fit_model
from samebits.candidates.materials import Materials, prepare_materials
from samebits.config.loading import check_config
from samebits.model.file import dump_model
from samebits.numerics.profile import pin_profile

_TREES = 200
_CLASSES: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "lightgbm": ("LGBMClassifier", {"n_estimators": _TREES}, {"verbose": -1}, "n_jobs"),
    "xgboost": ("XGBClassifier", {"n_estimators": _TREES}, {}, "n_jobs"),
    "catboost": ("CatBoostClassifier", {"iterations": _TREES}, {"verbose": False, "allow_writing_files": False}, "thread_count"),
}


def main(n_rows: int, runs: int) -> None:
    for library in filter(importlib.util.find_spec, _CLASSES):
        name, parameters, quiet, threads = _CLASSES[library]
        materials = prepare(n_rows, {"class": f"{library}.{name}", **parameters})
        training, pipeline = materials.take_training().copy(), materials.candidates["boosted"]
        built = functools.partial(getattr(importlib.import_module(library), name), **parameters, **quiet)

        def fit_ours(n_jobs: int, pipeline: Any = pipeline, training: Any = training) -> Any:
            return fit_model("boosted", pipeline, training, 1, n_jobs).pipeline

        def fit_theirs(
            n_jobs: int, built: Any = built, threads: str = threads, pipeline: Any = pipeline, sample: Any = training
        ) -> Any:
            return built(**{threads: n_jobs}).fit(pipeline[:-1].fit_transform(sample.X), sample.y)

        sizes = len(dump_model(fit_ours(1))), len(write_plainly(fit_theirs(1)))
        for n_jobs in (1, 2):
            turns = [(watch(fit_ours, n_jobs), watch(fit_theirs, n_jobs)) for _ in range(runs + 1)][1:]
            print(f"{library:9} n_jobs {n_jobs}  {describe(turns)}   bytes {sizes[0]:,} against {sizes[1]:,}", flush=True)


def prepare(n_rows: int, model: dict[str, Any]) -> Materials:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{place}": rng.normal(size=n_rows) for place in range(14)})
    frame["y"] = (frame["x0"] + 0.5 * frame["x1"] * frame["x2"] + rng.normal(size=n_rows) > 0.5).astype(int)
    with tempfile.TemporaryDirectory() as folder:
        frame.to_parquet(Path(folder, "table.parquet"))
        config = {
            "name": "boosting",
            "version": "2026.11.0",
            "seed": 1,
            "data": {"path": f"{folder}/table.parquet", "target": "y", "positive": 1},
            "allow": [model["class"].partition(".")[0]],
            "models": {"boosted": model},
        }
        path = Path(folder, "boosting.json")
        path.write_text(json.dumps(config), encoding="utf-8")
        return prepare_materials(check_config(path), Path(folder))


def watch(fit: Callable[[int], Any], n_jobs: int) -> tuple[float, float, float]:
    """Return the CPU and wall seconds of a fit, and the share of the CPU seconds that other threads than this one took."""
    cpu, wall, own = time.process_time(), time.perf_counter(), time.thread_time()
    fit(n_jobs)
    own, cpu = time.thread_time() - own, time.process_time() - cpu
    return cpu, time.perf_counter() - wall, 1 - own / cpu


def describe(turns: list[tuple[tuple[float, float, float], tuple[float, float, float]]]) -> str:
    ours, theirs = ([statistics.median(turn[side][place] for turn in turns) for place in range(3)] for side in (0, 1))
    ratio = statistics.median(turn[0][0] / turn[1][0] for turn in turns)
    shown = [f"{cpu:.2f} s CPU, {wall:.2f} s wall, {others:.0%} in other threads" for cpu, wall, others in (ours, theirs)]
    return f"samebits {shown[0]}   plain {shown[1]}   ratio of CPU {ratio:.2f}"


def write_plainly(model: Any) -> bytes:
    """Return the file that the library writes of a model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.ubj")
        (model.booster_ if hasattr(model, "booster_") else model).save_model(str(path))
        return path.read_bytes()


if __name__ == "__main__":
    pin_profile("portable")
    main(int(sys.argv[1]), int(sys.argv[2]))
