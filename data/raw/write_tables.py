"""Writes this folder's three tables from scikit-learn's own bundled copies; run once, and again only to check.

python data/raw/write_tables.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine


def write_tables(folder: Path) -> None:
    """Write wdbc.csv, wine.csv and diabetes.csv into a folder; the same bytes every time."""
    wdbc = load_breast_cancer(as_frame=True)
    table = wdbc.data.rename(columns=lambda name: name.replace(" ", "_"))
    table.insert(0, "id", range(1, len(table) + 1))
    table.insert(1, "diagnosis", wdbc.target.map({0: "M", 1: "B"}))
    _write(table, folder / "wdbc.csv")

    wine = load_wine(as_frame=True)
    table = wine.data.rename(columns=lambda name: name.replace("/", "_"))
    table.insert(0, "cultivar", wine.target.map(lambda label: str(wine.target_names[label])))
    _write(table, folder / "wine.csv")

    diabetes = load_diabetes(as_frame=True, scaled=False)
    table = diabetes.data.assign(progression=diabetes.target)
    table["sex"] = table["sex"].map({1.0: "1", 2.0: "2"})
    _write(table, folder / "diabetes.csv")


def _write(table: pd.DataFrame, path: Path) -> None:
    path.write_bytes(table.to_csv(index=False, lineterminator="\n").encode("utf-8"))


if __name__ == "__main__":
    write_tables(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
