"""A chain of twenty steps over 5 GB of raw files of which nothing changed: found so by samebits and by DVC, in turn.

Each step reads a file of 250 MB and what the step before it wrote. DVC is taken from the path (`uv tool install dvc`); where it is
not there, samebits is timed alone.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from measuring import compare, make_environment, measure

N_STEPS, N_BYTES = 20, 250_000_000
# A checkout's program takes the checkout for the project: here the folder is.
PROGRAM = "import samebits.project as p; p.is_checkout = lambda: False; from samebits.__main__ import run_program; run_program()"
WORK = """\
import hashlib
def work(raw, before, out):
    sizes = [path.stat().st_size for path in (raw, before) if path.is_file()]
    out.write_text(hashlib.sha256(repr(sizes).encode()).hexdigest())
"""
SCRIPT = "import pathlib, sys\nfrom churn import work\nwork(*map(pathlib.Path, sys.argv[1:]))\n"


def compare_steps(folder: Path, runs: int) -> None:
    """Print medians of `samebits steps` beside `dvc status`, of `samebits steps --run` beside `dvc repro`, and of `--rehash`."""
    _write_project(folder)
    steps = [sys.executable, "-c", PROGRAM, "steps", "confs/churn.json"]
    environment = {"XDG_CACHE_HOME": str(folder / "cache"), "HOME": str(folder)}
    measure([*steps, "--run"], {**make_environment(folder), **environment}, folder)
    os.sync()
    title = f"{N_STEPS} steps, {N_STEPS * N_BYTES / 1e9:.0f} GB, unchanged"
    if shutil.which("dvc") is None:
        print("no dvc on the path: samebits is timed alone")
        for words in ([], ["--run"]):
            found = [measure([*steps, *words], {**make_environment(folder), **environment}, folder).wall for _ in range(runs + 1)][1:]
            print(f"{title:26} {' '.join(['steps', *words]):12} wall s {statistics.median(found):.2f}")
        return
    outputs = [folder / f"data/processed/{number}.txt" for number in range(N_STEPS)]
    for output in outputs:
        output.unlink()
    for words in (["init", "-q", "--no-scm"], ["repro", "-q"]):
        subprocess.run(["dvc", *words], cwd=folder, check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    run = functools.partial(compare, folder=folder, runs=runs, **environment)
    run(f"{title}: status", steps, ["dvc", "status"])
    run(f"{title}: repro", [*steps, "--run"], ["dvc", "repro"])
    rehashed = measure([*steps, "--rehash"], {**make_environment(folder), **environment}, folder)
    print(f"{title}: --rehash, which reads all of it: {rehashed.wall:.2f} s")


def _write_project(folder: Path) -> None:
    (folder / "churn").mkdir()
    (folder / "churn/__init__.py").write_text(WORK, encoding="utf-8")
    (folder / "step.py").write_text(SCRIPT, encoding="utf-8")
    for name in ("data/raw", "data/processed", "confs", ".git"):
        (folder / name).mkdir(parents=True)
    (folder / "data/raw/none.txt").write_text("", encoding="utf-8")
    block = bytes(1_000_000)
    steps, stages = {}, {}
    for number in range(N_STEPS):
        raw = f"data/raw/{number}.bin"
        with (folder / raw).open("wb") as file:
            file.write(number.to_bytes(4, "big"))
            for _ in range(N_BYTES // len(block)):
                file.write(block)
        before = f"data/processed/{number - 1}.txt" if number else "data/raw/none.txt"
        out = f"data/processed/{number}.txt"
        steps[f"step{number}"] = {"function": "churn.work", "inputs": {"raw": raw, "before": before}, "outputs": {"out": out}}
        command = f"{sys.executable} step.py {raw} {before} {out}"
        stages[f"step{number}"] = {"cmd": command, "deps": [raw, before, "churn/__init__.py"], "outs": [out]}
    data = {"path": out, "target": "y"}
    config = {"name": "churn", "version": "2026.11.0", "seed": 1, "allow": ["churn"], "models": {"dummy": {}}, "data": data}
    (folder / "confs/churn.json").write_text(json.dumps({**config, "steps": steps}), encoding="utf-8")
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}), encoding="utf-8")
