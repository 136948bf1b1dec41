"""A table of 10 GB in 1,000 files, sent to a team's store, asked about and brought back: by samebits and by DVC, in turn.

Both stores are folders on the same disk. DVC is taken from the path (`uv tool install dvc`), and told to check nothing twice.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from measuring import Measured, make_environment, measure, print_ratios
from steps_cases import PROGRAM

N_FILES, N_BYTES = 1000, 10_000_000
COLUMNS = 20


def compare_stores(folder: Path, runs: int) -> None:
    """Print medians of push, status, a second push and pull beside DVC's add and push, status, push and pull."""
    if shutil.which("dvc") is None:
        sys.exit("no dvc on the path: `uv tool install dvc`")
    samebits = [sys.executable, "-c", PROGRAM, "data"]
    conf = "confs/churn.json"
    turns = [
        ("push", [[*samebits, "push", conf]], [["dvc", "add", "-q", "data/raw/churn"], ["dvc", "push", "-q"]]),
        ("push again", [[*samebits, "push", conf]], [["dvc", "push", "-q"]]),
        ("status", [[*samebits, "status", conf]], [["dvc", "status", "-q", "-c"]]),
        ("pull", [[*samebits, "pull", conf]], [["dvc", "pull", "-q"]]),
    ]
    found: dict[str, list[tuple[Measured, Measured]]] = {title: [] for title, _, _ in turns}
    for _ in range(runs):
        ours, theirs = _write_project(folder / "ours"), _write_project(folder / "theirs")
        subprocess.run([*samebits, "pin", conf], cwd=ours, check=True, env=_make_environment(folder), capture_output=True)
        _start_dvc(theirs, folder)
        for title, left, right in turns:
            if title == "pull":
                _forget(ours, theirs, folder)
            found[title].append((_run_all(left, ours, folder), _run_all(right, theirs, folder)))
        for name in ("ours", "theirs", "store", "remote", "cache"):
            shutil.rmtree(folder / name, ignore_errors=True)
    for title, pairs in found.items():
        print_ratios(f"{N_FILES * N_BYTES / 1e9:.0f} GB: {title}", pairs)


def _make_environment(folder: Path) -> dict[str, str]:
    own = {"SAMEBITS_DATA_STORE": str(folder / "store"), "XDG_CACHE_HOME": str(folder / "cache"), "HOME": str(folder)}
    return {**make_environment(folder), **own}


def _run_all(commands: list[list[str]], place: Path, folder: Path) -> Measured:
    done = [measure(command, _make_environment(folder), place) for command in commands]
    return Measured(sum(one.wall for one in done), sum(one.cpu for one in done), max(one.peak for one in done), done[-1].said)


def _write_project(place: Path) -> Path:
    """Write a table of many files, no two of them alike, and a config for it."""
    for name in ("data/raw/churn", "confs", ".git"):
        (place / name).mkdir(parents=True)
    (place.parent / "store").mkdir(exist_ok=True)
    names = ",".join(f"x{number}" for number in range(COLUMNS)).encode() + b"\n"
    line = b",".join([b"0.123456"] * COLUMNS) + b"\n"
    rows = line * ((N_BYTES - len(names)) // len(line) - 1)
    for number in range(N_FILES):
        first = b",".join([f"{number}.5".encode()] * COLUMNS) + b"\n"
        (place / f"data/raw/churn/part-{number:04}.csv").write_bytes(names + first + rows)
    data = {"path": "data/raw/churn", "target": "x0"}
    config = {"name": "churn", "version": "2026.11.0", "seed": 1, "models": {"dummy": {}}, "data": data}
    (place / "confs/churn.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    os.sync()
    return place


def _start_dvc(place: Path, folder: Path) -> None:
    shutil.rmtree(place / ".git")
    for words in (["init", "-q", "--no-scm"], ["remote", "add", "-q", "-d", "team", str(folder / "remote")]):
        subprocess.run(["dvc", *words], cwd=place, check=True, env=_make_environment(folder), stdout=subprocess.DEVNULL)


def _forget(ours: Path, theirs: Path, folder: Path) -> None:
    """As on another machine: neither the table nor a cache of it is there."""
    for path in (ours / "data/raw/churn", theirs / "data/raw/churn", folder / "cache", theirs / ".dvc/cache"):
        shutil.rmtree(path, ignore_errors=True)
    os.sync()
