"""Times samebits beside what a user would do instead, in turn in one run, and prints medians, ratios and peak memory.

just bench [small] [large] [hash] [help] [profile] [verify] [predict] [reproduce] [diff] [reuse] [report] [search]
           [backtest] [batches] [engine] [growth] [steps] [stores] [http] [push] [spool] [guards] [--runs N]
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from batches_cases import compare_batches
from delivery_cases import DELIVERY_CASES
from engine_cases import compare_engine
from growth_cases import measure_growth
from measuring import LABELS, compare, make_environment, print_ratio
from steps_cases import compare_steps
from stores_cases import compare_stores

ROOT = Path(__file__).resolve().parent.parent
SAMEBITS = [sys.executable, "-m", "samebits"]
PLAIN = [sys.executable, str(Path(__file__).with_name("plain_script.py"))]
PLAIN_VERIFY = [sys.executable, str(Path(__file__).with_name("plain_verify.py"))]
N_LARGE = 500_000
HASHED_BYTES = 2 << 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=f"any of {', '.join(CASES)}")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=5_000_000, help="of the table of batches")
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}; median of {options.runs} runs in turn")
    for name in options.cases:
        with tempfile.TemporaryDirectory(prefix="samebits-bench-") as folder:
            case = functools.partial(compare_batches, n_rows=options.rows) if name == "batches" else CASES[name]
            case(Path(folder), options.runs)


def compare_small(folder: Path, runs: int) -> None:
    table = ROOT / "data/raw/wdbc.csv"
    left = [*SAMEBITS, str(ROOT / "confs/training.yaml")]
    compare(
        "whole run, 569 x 31", left, [*PLAIN, str(table), "diagnosis", "M", f"sqlite:///{folder}/mlflow.db", "small"], folder, runs
    )


def compare_large(folder: Path, runs: int) -> None:
    table = folder / "large.csv"
    # in a process of its own: what this one holds would count as the peak of each that it starts
    subprocess.run([sys.executable, "-c", LARGE_TABLE, str(table)], check=True)
    path = write_large_config(folder, table, {"boosting": {"learning_rate": 0.1}})
    right = [*PLAIN, str(table), "y", "1", f"sqlite:///{folder}/mlflow.db", "large"]
    compare(f"whole run, {N_LARGE:,} x 17", [*SAMEBITS, str(path)], right, folder, max(1, runs // 2))


def write_large_config(folder: Path, table: Path, models: dict[str, dict[str, float]]) -> Path:
    config = {
        "name": "large",
        "version": "2026.11.0",
        "seed": 42,
        "data": {"path": str(table), "target": "y", "positive": 1, "drop": ["id"]},
        "preprocessing": {"outlier_factor": None},
        "models": models,
        "cv": {"n_splits": 3},
        "n_jobs": 2,
    }
    path = folder / "large.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


LARGE_TABLE = f"""
import sys
import numpy as np, pandas as pd
rng = np.random.default_rng(0)
frame = pd.DataFrame({{"id": np.arange({N_LARGE}), **{{f"x{{i}}": rng.normal(size={N_LARGE}) for i in range(14)}}}})
for i in range(2):
    frame[f"c{{i}}"] = rng.choice(["north", "south", "east", "west"], {N_LARGE})
logit = frame["x0"] + 0.5 * frame["x1"] * frame["x2"] + (frame["c0"] == "north")
frame["y"] = (logit + rng.normal(size={N_LARGE}) > 0.5).astype(int)
frame.to_csv(sys.argv[1], index=False)
"""


def compare_hashing(folder: Path, runs: int) -> None:
    path = folder / "large.bin"
    with path.open("wb") as file:
        for _ in range(HASHED_BYTES >> 20):
            file.write(os.urandom(1 << 20))
    script = "import sys; from pathlib import Path; from samebits.digests import digest_file; print(digest_file(Path(sys.argv[1])))"
    compare("SHA-256 of 2 GiB", [sys.executable, "-c", script, str(path)], ["sha256sum", str(path)], folder, runs)


def compare_help(folder: Path, runs: int) -> None:
    compare("--help", [*SAMEBITS, "--help"], [sys.executable, "-c", "pass"], folder, runs)


def compare_profiles(folder: Path, runs: int) -> None:
    text = (ROOT / "confs/training.yaml").read_text(encoding="utf-8")
    paths = []
    for name in ("portable", "native"):
        path = folder / f"{name}.yaml"
        path.write_text(text.replace("numeric_profile: portable", f"numeric_profile: {name}"), encoding="utf-8")
        paths.append(path)
    compare("portable against native", *[[*SAMEBITS, str(path)] for path in paths], folder, runs)


def train_once(config: Path, folder: Path) -> str:
    """Train into the benchmark's own store, uncounted, and return the run's id."""
    done = subprocess.run(
        [*SAMEBITS, str(config)], env=make_environment(folder), cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.split()[1]


def compare_verify(folder: Path, runs: int) -> None:
    """Against a script that asks MLflow for the run and hashes the same files: for a small run, and for one with a large model."""
    small = train_once(ROOT / "confs/training.yaml", folder)
    compare("verify, small run", [*SAMEBITS, "verify", small], [*PLAIN_VERIFY, small], folder, runs)
    table = folder / "large.csv"
    subprocess.run([sys.executable, "-c", LARGE_TABLE, str(table)], check=True)
    large = train_once(write_large_config(folder, table, {"random_forest": {"n_estimators": 8}}), folder)
    compare("verify, 500,000 rows", [*SAMEBITS, "verify", large], [*PLAIN_VERIFY, large], folder, runs)


def compare_predict(folder: Path, runs: int) -> None:
    """Of twice as many rows as it was trained on, against pandas and scikit-learn; both write CSV."""
    table, later = folder / "large.csv", folder / "later.csv"
    subprocess.run([sys.executable, "-c", LARGE_TABLE, str(table)], check=True)
    run_id = train_once(write_large_config(folder, table, {"boosting": {"learning_rate": 0.1}}), folder)
    lines = table.read_bytes().split(b"\n", 1)
    later.write_bytes(lines[0] + b"\n" + lines[1] * 2)
    left = [*SAMEBITS, "predict", run_id, str(later), "--output", str(folder / "ours.csv"), "--overwrite"]
    right = [sys.executable, str(Path(__file__).with_name("plain_predict.py")), run_id, str(later), str(folder / "theirs.csv")]
    compare(f"predict, {2 * N_LARGE:,} x 17", left, right, folder, max(1, runs // 2))


def compare_reproduce(folder: Path, runs: int) -> None:
    """Against the original run, both as whole processes; then without the time that each says its environment took to rebuild."""
    small = ROOT / "confs/training.yaml"
    run_id = compare_reproduction("reproduce, small run", small, folder, runs)
    compare("reproduce --here", [*SAMEBITS, "reproduce", run_id, "--here"], [*SAMEBITS, str(small)], folder, runs)
    table = folder / "large.csv"
    subprocess.run([sys.executable, "-c", LARGE_TABLE, str(table)], check=True)
    large = write_large_config(folder, table, {"boosting": {"learning_rate": 0.1}})
    compare_reproduction("reproduce, 500,000 rows", large, folder, max(1, runs // 2))


def compare_reproduction(title: str, config: Path, folder: Path, runs: int) -> str:
    run_id = train_once(config, folder)
    pairs = compare(title, [*SAMEBITS, "reproduce", run_id], [*SAMEBITS, str(config)], folder, runs)
    rebuilds = [float(re.findall(r"^environment .* in ([0-9.]+) s$", ours.said, flags=re.MULTILINE)[0]) for ours, _ in pairs]
    beyond = [(ours.wall - rebuild, theirs.wall) for (ours, theirs), rebuild in zip(pairs, rebuilds, strict=True)]
    print_ratio("  beyond the environment", LABELS["wall"], beyond)
    return run_id


def compare_diff(folder: Path, runs: int) -> None:
    """Of two lineages that differ in one key, against diff(1) on the same two, indented."""
    golden = ROOT / "tests/goldens/lineage_2.json"
    lineage = json.loads(golden.read_text(encoding="utf-8"))
    lineage["stages"]["config"]["resolved"]["seed"] += 1
    other = folder / "lineage.json"
    other.write_text(json.dumps(lineage), encoding="utf-8")
    script = f"diff <({sys.executable} -m json.tool {golden}) <({sys.executable} -m json.tool {other}) || true"
    ours = f"{' '.join(SAMEBITS)} diff {golden} {other} || true"  # DIFFERENT is no failure here
    compare("diff, two lineages", ["bash", "-c", ours], ["bash", "-c", script], folder, runs)


def compare_reuse(folder: Path, runs: int) -> None:
    config = ROOT / "confs/training.yaml"
    train_once(config, folder)
    reuse = [*SAMEBITS, "train", "--reuse", str(config)]
    compare("train --reuse", reuse, [*SAMEBITS, str(config)], folder, runs)
    if shutil.which("dvc") is None:
        print("no dvc on the path: nothing beside its skip")
        return
    _write_stage(folder)
    compare("train --reuse, dvc repro", reuse, ["dvc", "repro"], folder, runs)


def _write_stage(folder: Path) -> None:
    """Write a DVC project of one stage, the plain script on the same table, and run it once."""
    table, script = (shutil.copy(path, folder) for path in (ROOT / "data/raw/wdbc.csv", PLAIN[-1]))
    command = f"{sys.executable} {script} {table} diagnosis M sqlite:///{folder}/plain.db small > trained.txt"
    stages = {"train": {"cmd": command, "deps": [Path(script).name, Path(table).name], "outs": ["trained.txt"]}}
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}), encoding="utf-8")
    for words in (["init", "-q", "--no-scm"], ["repro", "-q"]):
        subprocess.run(["dvc", *words], cwd=folder, check=True, env=make_environment(folder), stdout=subprocess.DEVNULL)


def compare_report(folder: Path, runs: int) -> None:
    """A short report beside none: of a small run, and of one of 500,000 rows."""
    small = yaml.safe_load((ROOT / "confs/training.yaml").read_text(encoding="utf-8"))
    small["data"]["path"] = str(ROOT / small["data"]["path"])
    compare("small run, short to none", *_write_both(folder, small), folder, runs)
    table = folder / "large.csv"
    subprocess.run([sys.executable, "-c", LARGE_TABLE, str(table)], check=True)
    large = json.loads(write_large_config(folder, table, {"boosting": {"learning_rate": 0.1}}).read_text(encoding="utf-8"))
    compare("500,000 rows, short to none", *_write_both(folder, large), folder, max(1, runs // 2))


def _write_both(folder: Path, config: dict[str, Any]) -> list[list[str]]:
    commands = []
    for detail in ("short", "none"):
        path = folder / f"{detail}.json"
        path.write_text(json.dumps({**config, "report": {**config.get("report", {}), "detail": detail}}), encoding="utf-8")
        commands.append([*SAMEBITS, str(path)])
    return commands


def compare_search(folder: Path, runs: int) -> None:
    """18 trials in five folds against scikit-learn's GridSearchCV, in one process: of a small table and of a larger one."""
    for n_rows in (1_000, 20_000):
        command = [sys.executable, str(Path(__file__).with_name("timed_search.py")), str(n_rows), str(runs)]
        environment = {**make_environment(folder), "XDG_STATE_HOME": str(folder / "state"), "OMP_NUM_THREADS": "1"}
        said = subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True, text=True).stdout
        pairs = [(float(ours), float(theirs)) for ours, theirs in map(str.split, said.splitlines())]
        print_ratio(f"search, {n_rows:,} x 14", LABELS["wall"], pairs)


def compare_backtest(folder: Path, runs: int) -> None:
    """Six windows of a table against the same config trained by itself for each of them, one after the other."""
    table, n_rows, horizon = folder / "days.csv", 20_000, 1_000
    subprocess.run([sys.executable, "-c", DAYS_TABLE, str(table), str(n_rows)], check=True)
    base = {"name": "backtest", "version": "2026.11.0", "seed": 1, "data": {"path": str(table), "target": "y"}}
    base |= {"models": {"boosting": {}}, "cv": {"n_splits": 3}}
    split = {"method": "time", "column": "day"}
    cutoffs = [n_rows - horizon * left for left in range(6, 0, -1)]
    configs = [{**base, "split": split, "backtest": {"windows": 6, "horizon": horizon}}]
    configs += [{**base, "split": {**split, "train_until": cutoff, "test_until": cutoff + horizon}} for cutoff in cutoffs]
    paths = [folder / f"days_{number}.json" for number in range(len(configs))]
    for path, config in zip(paths, configs, strict=True):
        path.write_text(json.dumps(config), encoding="utf-8")
    fresh = "export MLFLOW_TRACKING_URI=sqlite:///$(mktemp -d)/mlflow.db"
    each = f"{fresh}; for one; do {' '.join(SAMEBITS)} train --quiet $one || exit; done"
    left, right = (["sh", "-c", each, "sh", *map(str, some)] for some in (paths[:1], paths[1:]))
    compare("6 windows, 6 single runs", left, right, folder, runs)


DAYS_TABLE = """
import sys
import numpy as np, pandas as pd
n_rows, rng = int(sys.argv[2]), np.random.default_rng(0)
frame = pd.DataFrame({"day": np.arange(n_rows), **{f"x{i}": rng.normal(size=n_rows) for i in range(14)}})
frame["y"] = frame["x0"] + frame["x1"] * frame["x2"] + np.sin(frame["day"] / 365) + rng.normal(size=n_rows)
frame.to_csv(sys.argv[1], index=False)
"""


CASES = {
    "small": compare_small,
    "large": compare_large,
    "hash": compare_hashing,
    "help": compare_help,
    "profile": compare_profiles,
    "verify": compare_verify,
    "predict": compare_predict,
    "reproduce": compare_reproduce,
    "diff": compare_diff,
    "reuse": compare_reuse,
    "report": compare_report,
    "search": compare_search,
    "backtest": compare_backtest,
    "engine": compare_engine,
    "batches": compare_batches,
    "growth": measure_growth,
    "steps": compare_steps,
    "stores": compare_stores,
    **DELIVERY_CASES,
}


if __name__ == "__main__":
    main()
