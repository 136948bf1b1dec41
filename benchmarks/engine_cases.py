"""Folds on the workers of a Dask cluster: units per second beside joblib's Dask backend, and how they grow from one worker to two."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from measuring import make_environment

UNITS = Path(__file__).with_name("engine_units.py")
SIZES = {"short": (600, 100), "long": (50_000, 24)}  # rows of 16 columns, and folds of a tree on them


def compare_engine(folder: Path, runs: int) -> None:
    for name, (n_rows, n_folds) in SIZES.items():
        speeds = {}
        for n_workers in (1, 2):
            turns = time_turns(folder, n_workers, n_rows, n_folds, runs)
            ours, theirs = (statistics.median(n_folds / turn[side] for turn in turns) for side in (0, 1))
            ratio = statistics.median(turn[0] / turn[1] for turn in turns)
            speeds[n_workers] = ours
            title = f"{name} units, {n_workers} worker{'s' if n_workers > 1 else ''}"
            print(f"{title:26} units/s   samebits {ours:9.2f}   joblib {theirs:9.2f}   ratio of times {ratio:5.2f}", flush=True)
        print(f"{name + ' units, 1 to 2':26} speed-up  samebits {speeds[2] / speeds[1]:9.2f}", flush=True)


def time_turns(folder: Path, n_workers: int, n_rows: int, n_folds: int, runs: int) -> list[list[float]]:
    command = [sys.executable, str(UNITS), *map(str, (n_workers, n_rows, n_folds, runs))]
    done = subprocess.run(command, env=make_environment(folder), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command} failed:\n{done.stderr[-2000:]}")
    turns: list[list[float]] = json.loads(done.stdout.splitlines()[-1])
    return turns
