"""A table of 10 GB in 1,000 files, sent to a team's store, asked about and brought back: by samebits and by DVC, in turn.

Both stores are folders on the same disk. Then a tenth of it, to and from a bucket on this machine, beside `aws s3 sync`. DVC and AWS's
program are taken from the path (`uv tool install dvc`, `awscli`).
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from measuring import Measured, make_environment, measure, print_ratios
from steps_cases import PROGRAM

N_FILES, N_BYTES = 1000, 10_000_000
SAMEBITS_DATA, CONF = [sys.executable, "-c", PROGRAM, "data"], "confs/churn.json"
COLUMNS = 20


def compare_stores(folder: Path, runs: int) -> None:
    """Print medians of push, status, a second push and pull: beside DVC with a folder, and beside `aws s3 sync` with a bucket."""
    _compare_with_dvc(folder, runs)
    _compare_with_aws(folder, runs)


def _compare_with_dvc(folder: Path, runs: int) -> None:
    if shutil.which("dvc") is None:
        print("no dvc on the path: `uv tool install dvc`")
        return
    turns = [
        Turn("push", [["push", CONF]], [["dvc", "add", "-q", "data/raw/churn"], ["dvc", "push", "-q"]]),
        Turn("push again", [["push", CONF]], [["dvc", "push", "-q"]]),
        Turn("status", [["status", CONF]], [["dvc", "status", "-q", "-c"]]),
        Turn("pull", [["pull", CONF]], [["dvc", "pull", "-q"]]),
    ]
    variables = {"SAMEBITS_DATA_STORE": str(folder / "store")}
    _print(turns, [_measure_once(turns, folder, N_FILES, variables, _start_dvc) for _ in range(runs)], N_FILES)


def _compare_with_aws(folder: Path, runs: int) -> None:
    if shutil.which("aws") is None or importlib.util.find_spec("moto") is None:
        print("no aws on the path (`uv tool install awscli`), or no moto (`uv sync --inexact --extra server --group servers`)")
        return
    sync = ["aws", "s3", "sync", "--only-show-errors"]
    there, here = "s3://team/theirs", "data/raw/churn"
    turns = [
        Turn("push", [["push", CONF]], [[*sync, here, there]]),
        Turn("push again", [["push", CONF]], [[*sync, here, there]]),
        Turn("status", [["status", CONF]], [[*sync, "--dryrun", here, there]]),
        Turn("pull", [["pull", CONF]], [[*sync, there, here]]),
    ]
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    found = []
    for _ in range(runs):
        with _start_bucket(folder) as address:
            variables = {**keys, "AWS_ENDPOINT_URL": address, "SAMEBITS_DATA_STORE": "s3://team/ours"}
            make = ["aws", "s3", "mb", "s3://team"]
            subprocess.run(make, check=True, env={**_make_environment(folder), **variables}, stdout=subprocess.DEVNULL)
            found.append(_measure_once(turns, folder, N_FILES // 10, variables, lambda *_: None))
    _print(turns, found, N_FILES // 10)


@contextlib.contextmanager
def _start_bucket(folder: Path) -> Iterator[str]:
    """Start a store that speaks S3; it keeps objects in memory, so there are fewer files."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "bucket.log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=log, stderr=log)
    try:
        while not _answers(port):
            if server.poll() is not None:
                sys.exit(f"the bucket's server ended: {folder / 'bucket.log'}")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


class Turn(NamedTuple):
    """What is measured under a title: words of `samebits data`, and commands of the other's."""

    title: str
    ours: list[list[str]]
    theirs: list[list[str]]


def _measure_once(
    turns: list[Turn], folder: Path, n_files: int, variables: dict[str, str], start: Callable[[Path, Path], None]
) -> list[tuple[Measured, Measured]]:
    """Measure each turn once, on files that neither side has seen, with an empty store on both."""
    environment = {**_make_environment(folder), **variables}
    ours, theirs = (_write_project(folder / name, n_files) for name in ("ours", "theirs"))
    subprocess.run([*SAMEBITS_DATA, "pin", CONF], cwd=ours, check=True, env=environment, capture_output=True)
    start(theirs, folder)
    found = []
    for turn in turns:
        if turn.title == "pull":
            _forget(ours, theirs, folder)
        left = _run_all([[*SAMEBITS_DATA, *words] for words in turn.ours], ours, environment)
        found.append((left, _run_all(turn.theirs, theirs, environment)))
    for name in ("ours", "theirs", "store", "remote", "cache"):
        shutil.rmtree(folder / name, ignore_errors=True)
    return found


def _print(turns: list[Turn], found: list[list[tuple[Measured, Measured]]], n_files: int) -> None:
    for turn, *pairs in zip(turns, *found, strict=True):
        print_ratios(f"{n_files * N_BYTES / 1e9:.0f} GB: {turn.title}", pairs)


def _make_environment(folder: Path) -> dict[str, str]:
    return {**make_environment(folder), "XDG_CACHE_HOME": str(folder / "cache"), "HOME": str(folder)}


def _run_all(commands: list[list[str]], place: Path, environment: dict[str, str]) -> Measured:
    done = [measure(command, environment, place) for command in commands]
    return Measured(sum(one.wall for one in done), sum(one.cpu for one in done), max(one.peak for one in done), done[-1].said)


def _write_project(place: Path, n_files: int) -> Path:
    """Write a table of many files, no two of them alike, and a config for it."""
    for name in ("data/raw/churn", "confs", ".git"):
        (place / name).mkdir(parents=True)
    (place.parent / "store").mkdir(exist_ok=True)
    names = ",".join(f"x{number}" for number in range(COLUMNS)).encode() + b"\n"
    line = b",".join([b"0.123456"] * COLUMNS) + b"\n"
    rows = line * ((N_BYTES - len(names)) // len(line) - 1)
    for number in range(n_files):
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
