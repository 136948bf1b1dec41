"""Times a search beside scikit-learn's GridSearchCV over the same pipelines, folds and scorer, in turn in one process.

python timed_search.py N_ROWS RUNS: prints a line `ours theirs` of seconds for each turn, after one that is not counted.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV

from samebits.candidates.materials import prepare_materials
from samebits.config.loading import check_config
from samebits.search.journal import Journal
from samebits.search.searching import Ground, search_candidates

GRID = {"max_depth": [2, 4, 8], "learning_rate": [0.05, 0.1, 0.2], "max_iter": [20, 40]}


def main(n_rows: int, runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config, materials = prepare(Path(folder), n_rows)
        training = materials.take_training().copy()
        ground = Ground(training, materials.split.folds)
        pipeline = materials.candidates["boosting"]
        grid = {f"model__{name}": values for name, values in GRID.items()}
        for turn in range(runs + 1):
            started = time.perf_counter()
            searched = search_candidates(config, materials, ground, Journal(f"sha256:bench{turn}"))
            between = time.perf_counter()
            theirs = GridSearchCV(pipeline, grid, cv=materials.split.folds, scoring=materials.scorer, refit=False)
            theirs.fit(training.X, training.y)
            ended = time.perf_counter()
            assert searched.found["boosting"].score.mean == theirs.best_score_
            if turn:
                print(f"{between - started:.3f} {ended - between:.3f}", flush=True)


def prepare(folder: Path, n_rows: int):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{place}": rng.normal(size=n_rows) for place in range(14)})
    frame["y"] = (frame["x0"] + 0.5 * frame["x1"] * frame["x2"] + rng.normal(size=n_rows) > 0.5).astype(int)
    frame.to_parquet(folder / "table.parquet")
    config = {
        "name": "search",
        "version": "2026.11.0",
        "seed": 1,
        "data": {"path": str(folder / "table.parquet"), "target": "y", "positive": 1},
        "models": {"boosting": {}},
        "search": {"method": "grid", "models": {"boosting": GRID}},
    }
    path = folder / "search.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    loaded = check_config(path)
    return loaded.config, prepare_materials(loaded, folder)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
