"""Trains the configs named, in a process of its own under their numeric profile, and prints each one's stages as one JSON line."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SRC = Path(__file__).resolve().parent.parent / "src"
sys.path.insert(0, str(SRC))

from samebits.config.loading import read_config_document  # noqa: E402
from samebits.numerics.profile import pin_profile  # noqa: E402


def kill_a_worker_after_three_units() -> None:
    """As the kernel would for want of memory: in the middle, and without a word."""
    from samebits.engines.dask_engine import DaskEngine

    run = DaskEngine.run

    def run_and_kill(self: Any, *arguments: Any) -> Iterator[Any]:
        for number, outcome in enumerate(run(self, *arguments)):
            if number == 2:
                os.kill(self._own.ids[0], signal.SIGKILL)
            yield outcome

    DaskEngine.run = run_and_kill  # type: ignore[method-assign]


def keep_workers() -> None:
    """All configs share one set of worker processes, whose start takes longer than what they do."""
    from samebits.candidates import units

    own = units.run_over_workers

    def run_and_keep(shared: Any, calls: Any, n_jobs: int, engine: Any = None, goes_on: bool = False) -> Iterator[Any]:
        return own(shared, calls, n_jobs, engine, goes_on=True)

    units.WORKERS_FROM_CELLS = units.THREADS_FROM_CELLS = 0
    units.run_over_workers = run_and_keep


def end_workers() -> None:
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


if __name__ == "__main__":
    paths = [Path(word) for word in sys.argv[1:]]
    pin_profile(read_config_document(paths[0]).value.get("numeric_profile", "portable"))

    from samebits.candidates import fitting
    from samebits.config.loading import check_config
    from samebits.training.training import make_training

    fitting.CELLS_A_THREAD = 1  # that threads change no bit is shown on small tables too
    if os.environ.get("FRESH_TRAINING_WORKERS"):
        keep_workers()
    if os.environ.get("FRESH_TRAINING_KILLS"):
        kill_a_worker_after_three_units()
    print(json.dumps([make_training(check_config(path), SRC.parent).stages for path in paths]))
    if os.environ.get("FRESH_TRAINING_WORKERS"):
        end_workers()
