"""How the CPU time of `samebits train` grows: with rows, with candidates, and with the runs that the store already holds.

Each size is trained in turn as a whole process. What a run costs whatever its size falls out of what each further row, candidate
or held run costs: where time grows linearly, the last steps cost what the first do, and their ratio is 1; squares would give 2.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from measuring import make_environment, measure

SIZES = {"rows": (50_000, 100_000, 200_000), "candidates": (2, 4, 8), "runs": (10, 300, 3000)}
N_CANDIDATE_ROWS, N_SMALL_ROWS = 20_000, 500
_MODEL = {"max_iter": 60, "early_stopping": False}  # as many trees, however many rows
_DIGESTS = ("inputs_digest", "outputs_digest", "model_digest")
_TABLE = """
import sys
import numpy as np, pandas as pd
n_rows, rng = int(sys.argv[1]), np.random.default_rng(0)
frame = pd.DataFrame({f"x{i}": rng.normal(size=n_rows).round(6) for i in range(15)})
frame["y"] = (frame["x0"] + frame["x1"] * frame["x2"] + rng.normal(size=n_rows) > 0).astype(int)
frame.to_csv(sys.argv[2], index=False)
"""


def measure_growth(folder: Path, runs: int) -> None:
    grow("rows", lambda size: write_config(folder, size, 1), folder, runs)
    grow("candidates", lambda size: write_config(folder, N_CANDIDATE_ROWS, size), folder, runs)
    for is_judged, title in ((False, "runs held"), (True, "runs held, of the same rows")):
        config = write_config(folder, N_SMALL_ROWS, 1)
        stores = dict(fill_stores(config, folder, is_judged))

        def prepare(size: int, config: Path = config, stores: dict[int, Path] = stores) -> Path:
            shutil.copyfile(stores[size], folder / "mlflow.db")
            return config

        grow("runs", prepare, folder, runs, title)


def grow(kind: str, prepare: Callable[[int], Path], folder: Path, runs: int, title: str = "") -> None:
    """Train each size in turn, after one turn that is not counted, and print what each costs and what each further step does.

    Parameters
    ----------
    prepare
        Returns the config of a size; what it does is not counted.
    """
    sizes, environment = SIZES[kind], {**make_environment(folder), "XDG_STATE_HOME": str(folder / "state")}
    turns = [[train(prepare(size), folder, environment) for size in sizes] for _ in range(runs + 1)][1:]
    cpu = [statistics.median(turn[place] for turn in turns) for place in range(len(sizes))]
    steps = [(later - former) / (sizes[place + 1] - sizes[place]) for place, (former, later) in enumerate(itertools.pairwise(cpu))]
    shown = "   ".join(f"{size:,}: {seconds:.2f}" for size, seconds in zip(sizes, cpu, strict=True))
    further = ", ".join(f"{1000 * step:.3f}" for step in steps)
    ratio = "" if kind == "runs" else f"   last to first {steps[-1] / steps[0]:.2f}"
    print(f"{title or kind:26} cpu s     {shown}   ms for each further one {further}{ratio}", flush=True)


def train(config: Path, folder: Path, environment: dict[str, str]) -> float:
    return measure([sys.executable, "-m", "samebits", "train", "--quiet", str(config)], environment, folder).cpu


def write_config(folder: Path, n_rows: int, n_candidates: int) -> Path:
    """Write a config, with its table where it is not there yet, of candidates that cost about the same."""
    table = folder / f"table-{n_rows}.csv"
    if not table.exists():
        subprocess.run([sys.executable, "-c", _TABLE, str(n_rows), str(table)], check=True)
    built = {"class": "sklearn.ensemble.HistGradientBoostingClassifier", **_MODEL}
    config = {
        "name": "growth",
        "version": "2026.11.0",
        "seed": 1,
        "n_jobs": 1,
        "data": {"path": str(table), "target": "y", "positive": 1},
        "models": {f"boosting_{place}": {**built, "learning_rate": 0.05 + place / 1000} for place in range(n_candidates)},
        "cv": {"n_splits": 3},
    }
    path = folder / f"growth-{n_rows}-{n_candidates}.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def fill_stores(config: Path, folder: Path, is_judged: bool) -> Iterator[tuple[int, Path]]:
    """Yield a store for each size: one run that was trained, and copies of it under ids and digests of their own."""
    store = folder / "mlflow.db"
    store.unlink(missing_ok=True)
    train(config, folder, {**make_environment(folder), "XDG_STATE_HOME": str(folder / "state")})
    for size in SIZES["runs"]:
        filled = folder / f"held-{size}.db"
        shutil.copyfile(store, filled)
        with sqlite3.connect(filled) as database:
            copy_run(database, size - 1, is_judged)
        database.close()
        yield size, filled


def copy_run(database: sqlite3.Connection, n_copies: int, is_judged: bool) -> None:
    """Copy the rows of the one run that a store of MLflow holds.

    Parameters
    ----------
    is_judged
        Whether the copies say that they were judged by the same rows as the run.
    """
    ids = list_ids(database, is_judged)
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in names:
        rows = [row for row in database.execute(f"SELECT * FROM {table}") if replace_ids(row, ids, 0) != row]
        for row in rows:
            marks = ", ".join("?" * len(row))
            database.executemany(
                f"INSERT INTO {table} VALUES ({marks})", (replace_ids(row, ids, number) for number in range(n_copies))
            )


def list_ids(database: sqlite3.Connection, is_judged: bool) -> list[str]:
    """Return the ids and digests, without the letters before them, that a copy of the run has of its own."""
    ((run_id,),) = database.execute("SELECT run_uuid FROM runs").fetchall()
    models = database.execute("SELECT model_id FROM logged_models WHERE source_run_id = ?", [run_id]).fetchall()
    inputs = database.execute("SELECT input_uuid FROM inputs WHERE ? IN (source_id, destination_id)", [run_id]).fetchall()
    tags = dict(database.execute("SELECT key, value FROM tags WHERE run_uuid = ?", [run_id]).fetchall())
    own = [*_DIGESTS, "parcel_id", *([] if is_judged else ["test_rows"])]
    found = [run_id, *(one for (one,) in [*models, *inputs]), *(tags[name] for name in own if name in tags)]
    return [text.removeprefix("sha256:").removeprefix("m-") for text in found]


def replace_ids(row: Sequence[Any], ids: list[str], number: int) -> tuple[Any, ...]:
    return tuple(_replace(value, ids, number) if isinstance(value, str) else value for value in row)


def _replace(text: str, ids: list[str], number: int) -> str:
    for one in ids:
        if one in text:
            text = text.replace(one, hashlib.sha256(f"{one} {number}".encode()).hexdigest()[: len(one)])
    return text
