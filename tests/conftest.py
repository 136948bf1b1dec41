"""What the tests share: small configs, the program in processes of its own, one real MLflow store and server.

No test may depend on another, on how quick a machine is, or on what a user has set. A test that waits, waits for what it needs to see.
"""

from __future__ import annotations

import atexit
import contextlib
import copy
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from warm_program import WarmProgram
from whole_session import FailuresAtOnce, GoingOn

from samebits.signals import ENDING

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = [sys.executable, str(ROOT / "src" / "samebits")]
TESTS = Path(__file__).parent
FRESH_TRAINING = TESTS / "fresh_training.py"
HANG_SECONDS = 600  # after which something will never come; nothing is measured by it

# the environment's own uv, just and mlflow come first, also where pytest was started without it being active
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", GIT_CONFIG_GLOBAL=str(TESTS / "gitconfig"), GIT_CONFIG_NOSYSTEM="1")
os.environ.pop("UV_FROZEN", None)  # as `just` sets it: of this project's lock, not of those that tests make
os.environ.update(LC_ALL="C.UTF-8", LANGUAGE="")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as images of containers set it: else every process compiles all that it imports
sys.dont_write_bytecode = False
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # of what trains in this process: as the profile has it
for _name in ("NO_PROXY", "no_proxy"):
    os.environ[_name] = ",".join(filter(None, [os.environ.get(_name), "127.0.0.1"]))
# What a run leaves waiting goes into a folder of this process's tests, never into the user's own.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="samebits-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)
for _name in [name for name in os.environ if name.startswith(("MLFLOW_", "SAMEBITS_", "GIT_AUTHOR_", "GIT_COMMITTER_"))]:
    if _name != "MLFLOW_DISABLE_TELEMETRY":
        del os.environ[_name]

# Neither how long an example takes nor what an earlier session found decides a test.
hypothesis.settings.register_profile("alone", deadline=None, database=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("alone")

SMALL: dict[str, Any] = {
    "name": "small",
    "version": "2026.11.0",
    "seed": 7,
    "data": {"path": str(ROOT / "data/raw/wdbc.csv"), "target": "diagnosis", "positive": "M", "drop": ["id"]},
    "models": {"logistic_regression": {"max_iter": 500}},
    "cv": {"n_splits": 3},
    "business": {"target_precision": 0.9},
    "report": {"detail": "none"},  # which is tried where it is what is tried
}


collect_ignore = ["odd_keras.py", "odd_networks.py"]  # they import what is not there everywhere, and hold no test

_IMPORT_PATH: list[str] = []


def pytest_collection_finish() -> None:
    _IMPORT_PATH[:] = sys.path


@pytest.fixture(autouse=True)
def keep_import_path() -> Iterator[None]:
    """MLflow leaves the code of each model that it loads on the path, from which later workers would take a part of samebits."""
    yield
    if sys.path != _IMPORT_PATH:
        sys.path[:] = _IMPORT_PATH
        from joblib.externals.loky import reusable_executor

        if reusable_executor._executor is not None:  # which was started with that path
            reusable_executor._executor.shutdown(wait=True, kill_workers=True)


@pytest.fixture(autouse=True)
def close_databases() -> Iterator[None]:
    """MLflow keeps connections to each database that it ever opened: those of thousands of tests are more files than a process may open."""
    yield
    for kind in ("tracking", "model_registry"):
        module = sys.modules.get(f"mlflow.store.{kind}.sqlalchemy_store")
        for engine in module.SqlAlchemyStore._engine_map.values() if module is not None else ():
            if engine.pool.checkedin():
                engine.dispose()


@pytest.fixture(autouse=True)
def keep_signals() -> Iterator[None]:
    """What a test leaves ignored, each process that a later one starts would ignore as well."""
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    after = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        signal.signal(number, handler)
    assert after == before


@pytest.fixture
def kept_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes stay for whichever test is next to ask for this: to start them takes far longer than what they do."""
    from samebits.candidates import units

    own = units.run_over_workers

    def run_and_keep(shared: Any, calls: Any, n_jobs: int, engine: Any = None, goes_on: bool = False) -> Iterator[Any]:
        return own(shared, calls, n_jobs, engine, goes_on=True)

    monkeypatch.setattr(units, "run_over_workers", run_and_keep)


@pytest.hookimpl(trylast=True)  # after the terminal is there
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:  # which the workers of pytest-xdist have not
        config.pluginmanager.register(FailuresAtOnce(terminal))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GoingOn | None:
    return GoingOn(config, log) if config.getvalue("dist") == "loadgroup" else None


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
    from samebits.candidates.materials import prepare_materials
    from samebits.config.loading import load_config

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


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a small project with two steps, whose digests are kept in a folder of its own."""
    from step_projects import make_project

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return make_project(tmp_path / "project")


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
    done = subprocess.run(
        command, env=clean_environment(**env), cwd=cwd, umask=umask, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def digest_outputs(stages: dict[str, Any]) -> dict[str, str]:
    from samebits.lineage.manifest import OUTPUT_STAGES

    return {name: stages[name]["digest"] for name in OUTPUT_STAGES}


def run_samebits(*words: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a user would, in a process of its own that has its imports behind it."""
    from samebits.numerics.profile import make_environment

    return _start_warm_program().run(list(words), make_environment("portable", clean_environment(**env)), cwd)


def run_unheard(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a process whose stdout nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        environment = clean_environment(**env)
        return subprocess.run(
            [*PROGRAM, *words], cwd=ROOT, env=environment, stdout=writer, stderr=subprocess.PIPE, encoding="utf-8", check=False
        )
    finally:
        os.close(writer)


@pytest.fixture
def warm_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `import samebits` asks a process of its own is answered as by `run_samebits`."""
    from warm_interface import answer_warm

    from samebits.interface import child

    monkeypatch.setattr(child, "_ask", answer_warm(_start_warm_program()))


@functools.cache
def _start_warm_program() -> WarmProgram:
    from samebits.numerics.profile import make_environment

    return WarmProgram(make_environment("portable", clean_environment()))


def run_fresh(*words: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the program exactly as a user would: for what a start of its own is part of."""
    command = [*PROGRAM, *words]
    return subprocess.run(command, env=clean_environment(**env), cwd=cwd, capture_output=True, encoding="utf-8", check=False)


def wait_until(condition: Callable[[], Any], process: subprocess.Popen[Any] | None = None) -> Any:
    """Return what a condition gives as soon as that is something; fail where the process that should bring it about has ended."""
    deadline = time.monotonic() + HANG_SECONDS
    while time.monotonic() < deadline:
        has_ended = process is not None and process.poll() is not None
        if found := condition():
            return found
        assert not has_ended, f"the process ended with {process and process.returncode} before that"
        time.sleep(0.05)
    pytest.fail(f"waited {HANG_SECONDS} s in vain")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite database with MLflow's tables and nothing in them, to be copied."""
    import mlflow

    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    here = Path.cwd()
    try:
        os.chdir(path.parent)
        mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments(max_results=1)
    finally:
        os.chdir(here)
    return path


@pytest.fixture(scope="session")
def store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URI of the session's real SQLite store: other runs may stand in it."""
    return f"sqlite:///{shutil.copy(empty_store, tmp_path_factory.mktemp('store'))}"


@pytest.fixture
def own_store(empty_store: Path, tmp_path: Path) -> str:
    """Return the URI of a real SQLite store in which nothing stands but what the test puts there."""
    (tmp_path / "store").mkdir()
    return f"sqlite:///{shutil.copy(empty_store, tmp_path / 'store')}"


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


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that nobody answers at, nor can begin to."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a real tracking server, with its own database and artifact store: other runs may stand on it."""
    uri, process = start_server(tmp_path_factory.mktemp("server"))
    yield uri
    _kill(process)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The URI and the process of a real tracking server that a test may do to as it likes."""
    uri, process = start_server(tmp_path)
    yield uri, process
    _kill(process)


def start_server(folder: Path) -> tuple[str, subprocess.Popen[bytes]]:
    """Start a server and wait until it answers; at another port where somebody took the first in between."""
    environment = clean_environment(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    stores = ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder / "artifacts")]
    for _ in range(10):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        command = [sys.executable, "-m", "mlflow", "server", "--port", port, "--workers", "1", *stores]
        with (folder / "server.log").open("wb") as output:
            process = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=output, start_new_session=True)
        wait_until(lambda process=process, port=port: process.poll() is not None or _answers(f"http://127.0.0.1:{port}/health"))
        if process.poll() is None:
            return f"http://127.0.0.1:{port}", process
    pytest.fail(f"no tracking server: {(folder / 'server.log').read_text(encoding='utf-8')[-2000:]}")


def _answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(uri, timeout=HANG_SECONDS) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
