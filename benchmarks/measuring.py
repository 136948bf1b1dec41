"""Commands run in turn, measured as whole processes, and printed side by side."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LABELS = {"wall": "wall s", "cpu": "cpu s", "peak": "peak MiB"}


@dataclass(frozen=True)
class Measured:
    """A command's wall and CPU seconds, the peak MiB of its largest single process, and what it printed."""

    wall: float
    cpu: float
    peak: float
    said: str


def compare(
    title: str,
    left: list[str],
    right: list[str],
    folder: Path,
    runs: int,
    prepare: Callable[[], object] | None = None,
    **variables: str,
) -> list[tuple[Measured, Measured]]:
    """Run two commands in turn, after one uncounted turn; print both medians and the median of the ratios, and return all.

    Parameters
    ----------
    prepare
        Called before each turn, and not counted.
    variables
        Of the environment of both.
    """
    environment = {**make_environment(folder), **variables}
    turns = []
    for _ in range(runs + 1):
        if prepare is not None:
            prepare()
        turns.append((measure(left, environment, folder), measure(right, environment, folder)))
    print_ratios(title, turns[1:])
    return turns[1:]


def print_ratios(title: str, turns: list[tuple[Measured, Measured]]) -> None:
    """Print the medians and the median of the ratios of all that was measured."""
    for name, label in LABELS.items():
        print_ratio(title, label, [(getattr(ours, name), getattr(theirs, name)) for ours, theirs in turns])


def print_ratio(title: str, label: str, pairs: list[tuple[float, float]]) -> None:
    ours, theirs = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"{title:26} {label:9} samebits {ours:9.2f}   other {theirs:9.2f}   ratio {ratio:5.2f}", flush=True)


def make_environment(folder: Path) -> dict[str, str]:
    """Return this environment with a store in the benchmark's folder, and with byte code written as a user has it."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true"}


def measure(command: list[str], environment: dict[str, str], folder: Path) -> Measured:
    """Run a command to its end; the benchmark ends with it where it fails."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        said, wrong = (read_text(file) for file in (output, errors))
    if status != 0:
        sys.exit(f"{command} failed:\n{wrong[-2000:]}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said)


def read_text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
