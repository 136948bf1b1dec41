"""Times the same fold fits on the same workers, sent by samebits and by joblib's Dask backend, in turn; prints seconds as JSON.

Where a cluster has one thread, joblib does not use it: its Dask backend then runs all in the calling process. It is told of two here,
so that what is compared is two ways to a worker; each unit says in which process it ran.

python benchmarks/engine_units.py N_WORKERS N_ROWS N_FOLDS TURNS
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from samebits.numerics.profile import pin_profile  # noqa: E402


def main(n_workers: int, n_rows: int, n_folds: int, turns: int) -> None:
    import joblib

    from samebits.candidates import units as candidate_units
    from samebits.engines import opening
    from samebits.engines.dask_engine import DaskEngine

    task, units = make_units(n_rows, n_folds)
    calls = [candidate_units._describe_call(unit) for unit in units]
    request = make_request()
    with contextlib.ExitStack() as stack:
        client, own = opening._open_local(stack, n_workers, request)
        engine = DaskEngine(client, "local", request, SILENT, own)
        while len(engine._admit()) < n_workers:
            time.sleep(0.2)

        def send() -> list[Any]:
            found = list(engine.run(task, calls))
            engine.release()  # the table goes there anew each turn, as joblib's does
            return found

        def send_by_joblib() -> list[Any]:
            with joblib.parallel_config("dask", client=client, scatter=[task]):
                ran = joblib.Parallel(n_jobs=n_workers)(joblib.delayed(run_somewhere)(task, unit) for unit in units)
            assert os.getpid() not in {process for process, _ in ran}
            return [outcome for _, outcome in ran]

        send_always()
        timed = [(measure(send), measure(send_by_joblib)) for _ in range(turns + 1)]
    scores = [[outcome.score for outcome in found] for turn in timed for _, found in turn]
    assert all(one == scores[0] for one in scores)
    print(json.dumps([[seconds for seconds, _ in turn] for turn in timed[1:]]))


def run_somewhere(task: Any, unit: Any) -> tuple[int, Any]:
    """Run a unit, and return the process that did with what came of it."""
    from samebits.candidates.units import _run_unit_alone

    return os.getpid(), _run_unit_alone(task, unit)


def send_always() -> None:
    """Tell joblib of two threads at least."""
    from joblib._dask import DaskDistributedBackend

    count = DaskDistributedBackend.effective_n_jobs
    DaskDistributedBackend.effective_n_jobs = lambda backend, n_jobs: max(2, count(backend, n_jobs))


def measure(run: Callable[[], list[Any]]) -> tuple[float, list[Any]]:
    started = time.perf_counter()
    found = run()
    return time.perf_counter() - started, found


def make_units(n_rows: int, n_folds: int) -> tuple[Any, list[Any]]:
    import tempfile

    import numpy as np
    import pandas as pd
    import yaml

    from samebits.candidates.materials import prepare_materials
    from samebits.candidates.units import Task, Unit
    from samebits.config.loading import load_config

    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"x{i}": rng.normal(size=n_rows) for i in range(16)})
    table["y"] = (table["x0"] + rng.normal(size=n_rows) > 0).astype(int)
    with tempfile.TemporaryDirectory() as folder:
        table.to_parquet(Path(folder) / "t.parquet")
        config = {
            "name": "units", "version": "2026.11.0", "seed": 1, "data": {"path": f"{folder}/t.parquet", "target": "y", "positive": 1},
            "models": {"decision_tree": {"max_depth": 5}}, "cv": {"n_splits": n_folds},
        }  # fmt: skip
        (Path(folder) / "c.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        materials = prepare_materials(load_config(Path(folder) / "c.yaml"), ROOT)
    (name, pipeline), *_ = materials.candidates.items()
    units = [Unit(name, name, number, pipeline, *rows) for number, rows in enumerate(materials.split.folds)]
    return Task(materials.take_training().copy(), materials.target, materials.scorer, 1, False), units


def make_request() -> Any:
    from samebits.engines.admission import Request
    from samebits.engines.facts import make_facts
    from samebits.numerics.profile import read_kernels
    from samebits.provenance.code import read_sources_digest
    from samebits.provenance.environment import read_environment

    return Request(make_facts(read_environment(ROOT, []), read_kernels(), read_sources_digest(), {}), [], [], ROOT)


if __name__ == "__main__":
    pin_profile("portable")
    os.environ["DASK_DISTRIBUTED__LOGGING__DISTRIBUTED"] = "error"
    from samebits.voice import SILENT

    main(*map(int, sys.argv[1:]))
