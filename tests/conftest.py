"""What the tests share: small configs, a training in a fresh process, one real MLflow store."""

from __future__ import annotations

import copy
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = [sys.executable, str(ROOT / "src" / "samebits")]
FRESH_TRAINING = Path(__file__).parent / "fresh_training.py"

# the environment's own uv, just and mlflow come first, also where pytest was started without it being active
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", GIT_CONFIG_GLOBAL=os.devnull)
os.environ.pop("MLFLOW_TRACKING_URI", None)

SMALL: dict[str, Any] = {
    "name": "small",
    "version": "2026.11.0",
    "seed": 7,
    "data": {"path": str(ROOT / "data/raw/wdbc.csv"), "target": "diagnosis", "positive": "M", "drop": ["id"]},
    "models": {"logistic_regression": {"max_iter": 500}},
    "cv": {"n_splits": 3},
    "business": {"target_precision": 0.9},
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the golden files from what is computed now")


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of nested keys with others put over them; a key set to `...` is removed."""
    merged = copy.deepcopy(base)
    for key, value in changes.items():
        if value is ...:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict) and key not in ("models", "read"):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., Path]:
    """Write the small config, with changes, and return its path."""
    count = iter(range(1000))

    def write(changes: dict[str, Any] | None = None, folder: Path = tmp_path) -> Path:
        path = folder / f"config_{next(count)}.yaml"
        path.write_text(yaml.safe_dump(merge(SMALL, changes or {}), sort_keys=False, allow_unicode=True), encoding="utf-8")
        return path

    return write


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[..., Any]:
    """Return what takes a table made here, and keys of a config, to the config and the materials of a training."""
    from samebits.config.loading import load_config
    from samebits.training.materials import prepare_materials

    def prepare_frame(frame: Any, target: str = "y", **changes: Any) -> Any:
        frame.to_parquet(tmp_path / "table.parquet")
        raw = {
            "name": "a",
            "version": "2026.1.0",
            "seed": 1,
            "data": {"path": str(tmp_path / "table.parquet"), "target": target, **changes.pop("data", {})},
            "models": {"decision_tree": {"max_depth": 3}},
            "cv": {"n_splits": 2},
            **changes,
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True), encoding="utf-8")
        loaded = load_config(path)
        return loaded.config, prepare_materials(loaded, ROOT)

    return prepare_frame


@pytest.fixture
def train(prepare: Callable[..., Any]) -> Callable[..., Any]:
    """Return what takes a table made here, and keys of a config, to the materials and the result of a training."""
    from samebits.training.result import make_result

    def train_frame(*args: Any, **changes: Any) -> Any:
        config, materials = prepare(*args, **changes)
        return materials, make_result(config, materials)

    return train_frame


def clean_environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without what pins or tracks, and with changes."""
    drop = ("MLFLOW_", "SAMEBITS_", "OMP_", "OPENBLAS_", "NPY_", "MKL_", "PYTHONHASHSEED", "PYTHONPATH", "COVERAGE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(drop)}
    return {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", **changes}


def train_fresh(
    paths: list[Path],
    python: str = sys.executable,
    prefix: list[str] | None = None,
    cwd: Path | None = None,
    umask: int = 0o022,
    **env: str,
) -> Any:
    """Train configs in one fresh process, without a server, and return each one's stages."""
    command = [*(prefix or []), python, str(FRESH_TRAINING), *map(str, paths)]
    done = subprocess.run(command, env=clean_environment(**env), cwd=cwd, umask=umask, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def digest_outputs(stages: dict[str, Any]) -> dict[str, str]:
    from samebits.lineage.manifest import OUTPUT_STAGES

    return {name: stages[name]["digest"] for name in OUTPUT_STAGES}


def run_samebits(*words: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a user would, in a fresh process."""
    return subprocess.run([*PROGRAM, *words], env=clean_environment(**env), cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URI of one real SQLite store for the session, its tables made."""
    import mlflow

    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder}/mlflow.db"
    here = Path.cwd()
    try:
        os.chdir(folder)
        mlflow.MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    finally:
        os.chdir(here)
    return uri


@pytest.fixture
def client(store: str) -> Any:
    import mlflow

    return mlflow.MlflowClient(tracking_uri=store)


def read_lineage(client: Any, run_id: str, folder: Path) -> dict[str, Any]:
    path = client.download_artifacts(run_id, "lineage.json", str(folder))
    lineage: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return lineage


def download_model(uri: str, run: Any, folder: Path) -> Path:
    """Return a run's model folder, fetched from the server."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    try:
        model_id = run.outputs.model_outputs[0].model_id
        return Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}", dst_path=str(folder)))
    finally:
        mlflow.set_tracking_uri(None)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real tracking server with its own database and artifact store."""
    port = find_free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", str(tmp_path / "artifacts")]
    environment = clean_environment(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    process = subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.2)
    yield f"http://127.0.0.1:{port}", process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
