"""A table that is learned from in batches, beside a plain script that walks over the same CSV in chunks: time and peak memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from measuring import compare

BATCH_ROWS = 500_000
PLAIN = Path(__file__).with_name("plain_batches.py")
TABLE = """
import sys
import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

n_rows, path = int(sys.argv[1]), sys.argv[2]
rng, writer = np.random.default_rng(0), None
for start in range(0, n_rows, 500_000):
    n = min(500_000, n_rows - start)
    x = [np.round(rng.normal(size=n), 4) for _ in range(8)]
    region, code = rng.choice(np.array(["north", "south", "east", "west"]), n), rng.integers(0, 50, n)
    score = x[1] + x[2] * np.clip(x[3], -2, 2) + (region == "east") + rng.normal(size=n)
    columns = {"x0": pa.array(x[0], mask=rng.random(n) < 0.02), **{f"x{i}": x[i] for i in range(1, 8)}}
    table = pa.table({**columns, "region": region, "code": code, "y": np.where(score > 0, "yes", "no")})
    writer = writer or pc.CSVWriter(path, table.schema)
    writer.write_table(table)
writer.close()
"""


def compare_batches(folder: Path, runs: int, n_rows: int = 5_000_000) -> None:
    table = folder / "table.csv"
    subprocess.run([sys.executable, "-c", TABLE, str(n_rows), str(table)], check=True)
    config = {
        "name": "batches",
        "version": "2026.11.0",
        "seed": 1,
        "data": {"path": str(table), "target": "y", "positive": "yes"},
        "batches": {"rows": BATCH_ROWS},
        "models": {"sgd": {"class": "sklearn.linear_model.SGDClassifier", "loss": "log_loss"}},
        "cv": {"n_splits": 1},
        "scoring": "roc_auc",
    }
    path = folder / "batches.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    plain = [sys.executable, str(PLAIN), str(table), "y", "yes", f"sqlite:///{folder}/mlflow.db", str(BATCH_ROWS)]
    ours = [sys.executable, "-m", "samebits", "train", str(path)]
    compare(f"batches, {n_rows:,} x 11", ours, plain, folder, max(1, runs // 2))
