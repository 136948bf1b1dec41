"""The product: the same config gives the same bits whatever is around it, and what changes is named by the first stage that parts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, SMALL, clean_environment, digest_outputs, merge, read_lineage, train_fresh
from dask_cluster import start_cluster
from recorded_runs import make_once, open_client, record_shipped

from samebits.numerics.profile import make_environment as make_pinned_environment

WINE = {"path": str(ROOT / "data/raw/wine.csv"), "target": "cultivar", "positive": ..., "drop": []}
DIABETES = {"path": str(ROOT / "data/raw/diabetes.csv"), "target": "progression", "positive": ..., "drop": []}
HIST_CLASSIFIER = "sklearn.ensemble.HistGradientBoostingClassifier"
BINARY_MODELS: dict[str, dict[str, Any]] = {
    "logistic_regression": {"max_iter": 500},
    "knn": {"n_neighbors": 7},
    "svm": {"C": 1.0, "kernel": "rbf", "gamma": "scale"},
    "decision_tree": {"max_depth": 8, "min_samples_leaf": 10},
    "random_forest": {"n_estimators": 40, "min_samples_leaf": 2},
    "boosting": {"class": HIST_CLASSIFIER, "learning_rate": 0.05, "max_iter": 30},
    "neural_network": {"hidden_layer_sizes": [8], "max_iter": 30},
}
SEARCHES: list[dict[str, Any]] = [
    {
        "models": {"random_forest": {"n_estimators": 5}, "boosting": {"class": HIST_CLASSIFIER, "max_iter": 5}},
        "search": {
            "method": "random",
            "n_trials": 4,
            "models": {
                "boosting": {"learning_rate": {"low": 0.01, "high": 0.5, "log": True}},
                "random_forest": {"max_depth": [2, 4, None]},
            },
            "preprocessing": {"outlier_factor": [1.5, None]},
            "nested": True,
        },
    },
    {
        "data": WINE,
        "business": ...,
        "models": {"svm": {}},
        "search": {"method": "halving", "models": {"svm": {"C": [0.1, 1.0, 10.0]}}},
    },
]
FORESTS = {"random_forest": {"n_estimators": 40, "min_samples_leaf": 3}, "svm": {}}
# Each config keeps all of its models: starting a process, and reading what is around it, takes longer than they do.
CASES: list[dict[str, Any]] = [
    {"models": BINARY_MODELS, "keep": "all"},
    {
        "weights": {"column": "worst_area", "classes": "balanced"},
        # few bins: with weights scikit-learn seeks the border of each anew, in half of the time that all cases took
        "models": {"boosting": {"max_iter": 30, "max_bins": 8}, "other": {"class": HIST_CLASSIFIER, "max_iter": 20, "max_bins": 9}},
        "keep": "all",
    },
    {"data": WINE, "business": ..., "models": {**FORESTS, "logistic_regression": {}, "knn": {}}, "keep": "all"},
    {"data": DIABETES, "business": ..., "models": {**FORESTS, "ridge": {}, "decision_tree": {"max_depth": 4}}, "keep": "all"},
    {
        "data": {**DIABETES, "target_transform": "log1p"},
        "business": ...,
        "models": {"ridge": {}, "svm": {}, "boosting": {"max_iter": 30}, "random_forest": {"n_estimators": 20}},
        "keep": "all",
    },
    {"data": DIABETES, "business": ..., "models": {"boosting": {"max_iter": 30}}},
    *SEARCHES,
]
MANY_MODELS, REGRESSION, NESTED_SEARCH = 0, 4, 6


def write_cases(folder: Path, cases: list[dict[str, Any]] = CASES, **changes: Any) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, case in enumerate(cases):
        path = folder / f"case_{index}.yaml"
        path.write_text(yaml.safe_dump(merge(merge(SMALL, case), changes)), encoding="utf-8")
        paths.append(path)
    return paths


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], Any]], Any]:
    """Return what makes a value once for all workers, by its name."""
    return lambda name, make: make_once(name, tmp_path_factory.getbasetemp(), make)


@pytest.fixture(scope="session")
def recorded_stages(once: Callable[..., Any]) -> list[dict[str, Any]]:
    """The stages of every case, from one process with nothing special around it."""
    stages: list[dict[str, Any]] = once("recorded", lambda folder: train_fresh(write_cases(folder, n_jobs=1)))
    return stages


@pytest.fixture(scope="session")
def recorded(recorded_stages: list[dict[str, Any]]) -> list[dict[str, str]]:
    return list(map(digest_outputs, recorded_stages))


def observe(paths: list[Path], **around: Any) -> list[dict[str, str]]:
    return [digest_outputs(stages) for stages in train_fresh(paths, **around)]


def test_another_process_folder_table_path_clock_locale_umask_and_shell_give_the_same_bits(
    recorded: list[dict[str, str]], tmp_path: Path
) -> None:
    around = {
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "tr_TR.UTF-8",
        "PYTHONHASHSEED": "12345",
        "OMP_NUM_THREADS": "4",
        "OPENBLAS_NUM_THREADS": "3",
        "OPENBLAS_CORETYPE": "Zen",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3",
        "OMP_DYNAMIC": "true",
        "PYTHONUTF8": "0",
    }
    paths = write_cases(tmp_path / "another folder")
    for path in paths:
        move_table(path, tmp_path / "moved")

    observed = observe(paths, cwd=tmp_path, umask=0o077, **around)

    assert observed == recorded


def move_table(path: Path, folder: Path) -> None:
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    moved = folder / Path(config["data"]["path"]).name
    folder.mkdir(exist_ok=True)
    shutil.copyfile(config["data"]["path"], moved)
    config["data"]["path"] = str(moved)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")


def test_worker_processes_and_threads_two_as_many_as_cores_or_more_give_the_same_bits_as_one(
    recorded: list[dict[str, str]], tmp_path: Path
) -> None:
    again = [MANY_MODELS, REGRESSION, NESTED_SEARCH]
    paths = write_cases(tmp_path / "two", n_jobs=2)
    for n_jobs in (-1, 3):
        paths += write_cases(tmp_path / str(n_jobs), [CASES[place] for place in again], n_jobs=n_jobs)

    observed = observe(paths, FRESH_TRAINING_WORKERS="always")  # small tables are not shared out by themselves

    assert observed == [*recorded, *[recorded[place] for place in again] * 2]


def test_workers_of_a_cluster_one_or_two_or_one_killed_in_the_middle_give_the_same_bits(
    recorded_stages: list[dict[str, Any]], tmp_path: Path
) -> None:
    pytest.importorskip("distributed", reason="the extra samebits[dask] is not installed")
    alone = [recorded_stages[place] for place in (MANY_MODELS, NESTED_SEARCH)]
    engine = {"dask": "local"}
    paths = [
        *write_cases(tmp_path / "one", [CASES[MANY_MODELS]], n_jobs=1, engine=engine),
        *write_cases(tmp_path / "two", [CASES[NESTED_SEARCH]], n_jobs=2, engine=engine),
    ]

    one, killed = train_fresh(paths, FRESH_TRAINING_KILLS="yes")  # a worker of either, in whose stead another one comes

    assert [digest_outputs(stages) for stages in (one, killed)] == list(map(digest_outputs, alone))
    assert all("engine" not in stages["environment"] for stages in alone)
    assert {stages["environment"]["digest"] for stages in (*alone, one, killed)} == {alone[0]["environment"]["digest"]}
    assert one["environment"]["engine"]["workers"] >= 1 and killed["environment"]["engine"]["workers"] >= 2


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_supported_python_gives_the_same_bits(recorded: list[dict[str, str]], tmp_path: Path, version: str) -> None:
    python = make_environment(version, tmp_path / "venv")
    places = (MANY_MODELS, REGRESSION, NESTED_SEARCH)

    observed = observe(write_cases(tmp_path, [CASES[place] for place in places]), python=python, PYTHONDONTWRITEBYTECODE="1")

    assert observed == [recorded[place] for place in places]


def find_python(version: str) -> str:
    """Return an installed interpreter of a version: on the path, of uv's own, or of pyenv's."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        pytest.skip("every other test runs on this Python")
    command = ["uv", "python", "find", "--no-python-downloads", "--no-project", version]
    found = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, cwd="/")
    of_pyenv = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}.*/bin/python"))
    candidates = [found.stdout.strip()] if found.returncode == 0 else [str(path) for path in of_pyenv]
    if not candidates:
        pytest.skip(f"Python {version} is not installed")
    return candidates[-1]


def make_environment(version: str, folder: Path) -> str:
    """Return an interpreter of a version with the locked packages."""
    python = find_python(version)
    environment = clean_environment(UV_PROJECT_ENVIRONMENT=str(folder))
    environment.pop("VIRTUAL_ENV", None)
    command = ["uv", "sync", "-q", "--frozen", "--no-dev", "--python", python]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return str(folder / "bin" / "python")


def find_first_difference(left: dict[str, Any], right: dict[str, Any]) -> str:
    from samebits.lineage.manifest import INPUT_STAGES, OUTPUT_STAGES

    return next(name for name in (*INPUT_STAGES, *OUTPUT_STAGES) if left[name]["digest"] != right[name]["digest"])


FOREST = {"random_forest": {"n_estimators": 20}}
NATIVE = {"numeric_profile": "native"}
TO_EMULATE = {"models": {"logistic_regression": {}, "decision_tree": {"max_depth": 3}}, "cv": {"n_splits": 2}}
DRAWING: dict[str, dict[str, Any]] = {
    "unseeded": {"allow": ["unseeded"], "models": {"coin": {"class": "unseeded.UnseededClassifier"}}},
    "global_generator": {"models": {"svm": {"class": "sklearn.dummy.DummyClassifier", "strategy": "stratified"}}},
}


def write_configs(folder: Path, **changes: dict[str, Any]) -> list[Path]:
    paths = []
    for name, change in changes.items():
        paths.append(folder / f"{name}.yaml")
        paths[-1].write_text(yaml.safe_dump(merge(SMALL, change)), encoding="utf-8")
    return paths


def train_together(folder: Path, changes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Train the small config with each of some changes, all in one process, and return the stages by the change's name."""
    return dict(zip(changes, train_fresh(write_configs(folder, **changes)), strict=True))


@pytest.fixture(scope="session")
def changed(once: Callable[..., Any]) -> dict[str, dict[str, Any]]:
    """The stages of the small config, as it is and with one thing changed."""
    stages: dict[str, dict[str, Any]] = once("changed", train_changed)
    return stages


def train_changed(folder: Path) -> dict[str, dict[str, Any]]:
    content = (ROOT / "data/raw/wdbc.csv").read_bytes()
    (folder / "wdbc.csv").write_bytes(content.replace(b"17.99", b"17.98", 1))
    changes: dict[str, dict[str, Any]] = {
        "nothing": {},
        "one_byte": {"data": {"path": str(folder / "wdbc.csv")}},
        "one_key": {"preprocessing": {"outlier_factor": 1.6}},
        "seed": {"seed": 8},
        "one_model": {"models": FOREST},
        "three_models": {"models": {**FOREST, "extra_trees": {"n_estimators": 20}, "dummy": {}}},
        "emulated": TO_EMULATE,
        **DRAWING,
    }
    return train_together(folder, changes)


def test_one_byte_of_data_is_named_and_changes_what_comes_out(changed: dict[str, dict[str, Any]]) -> None:
    left, right = changed["nothing"], changed["one_byte"]

    assert find_first_difference(left, right) == "data"
    assert digest_outputs(left) != digest_outputs(right)


def test_one_key_is_named(changed: dict[str, dict[str, Any]]) -> None:
    left, right = changed["nothing"], changed["one_key"]

    assert find_first_difference(left, right) == "config"
    assert left["model"]["digest"] != right["model"]["digest"]


def test_another_seed_is_named_and_moves_the_split(changed: dict[str, dict[str, Any]]) -> None:
    left, right = changed["nothing"], changed["seed"]

    assert find_first_difference(left, right) == "config"
    assert left["seeds"]["digest"] != right["seeds"]["digest"]
    assert left["split"]["digest"] != right["split"]["digest"]


def test_adding_a_model_changes_no_other_models_numbers(changed: dict[str, dict[str, Any]]) -> None:
    left, right = changed["one_model"], changed["three_models"]

    forest = [stages["cross_validation"]["candidates"]["random_forest"] for stages in (left, right)]
    assert forest[0] == forest[1]
    assert left["seeds"]["planted"].items() <= right["seeds"]["planted"].items()


@pytest.fixture(scope="session")
def native(once: Callable[..., Any]) -> dict[str, dict[str, Any]]:
    """The stages of configs under `native`, from one process."""
    changes: dict[str, dict[str, Any]] = {"nothing": NATIVE, "forest": {**NATIVE, "models": FOREST, "n_jobs": 1}}
    stages: dict[str, dict[str, Any]] = once("native", lambda folder: train_together(folder, changes))
    return stages


def test_the_native_profile_is_recorded_as_such_and_repeats(native: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    again = train_together(tmp_path, {"forest": {**NATIVE, "models": FOREST, "n_jobs": 2}})

    assert native["forest"]["numeric_profile"]["name"] == "native"
    assert digest_outputs(native["forest"]) == digest_outputs(again["forest"])


def test_other_kernels_are_named_by_the_numeric_profile(changed: dict[str, dict[str, Any]], native: dict[str, dict[str, Any]]) -> None:
    left, right = changed["nothing"]["numeric_profile"], native["nothing"]["numeric_profile"]

    if left["blas"] == right["blas"]:
        pytest.skip("this machine's own BLAS kernel is the portable one")
    assert left["blas"][0]["architecture"] == "Haswell" != right["blas"][0]["architecture"]
    assert left["digest"] != right["digest"]


@pytest.fixture(scope="session")
def twice(once: Callable[..., Any], changed: dict[str, dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """The stages of what draws from a generator, from two processes."""
    again: dict[str, dict[str, Any]] = once("again", lambda folder: train_together(folder, DRAWING))
    return [changed, again]


def test_a_class_that_draws_what_no_seed_reaches_shows_as_two_runs_that_differ(twice: list[dict[str, dict[str, Any]]]) -> None:
    """Not promised, says README: this is how it shows."""
    left, right = (stages["unseeded"] for stages in twice)

    assert find_first_difference(left, right) == "cross_validation"


def test_the_global_generators_do_reach_who_draws_from_them(twice: list[dict[str, dict[str, Any]]]) -> None:
    left, right = (stages["global_generator"] for stages in twice)

    assert digest_outputs(left) == digest_outputs(right)


def test_another_package_version_is_named_by_the_environment(changed: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """A lookalike of joblib's metadata, of another version, put before the real one."""
    lookalike = tmp_path / "site" / "joblib-0.0.1.dist-info"
    lookalike.mkdir(parents=True)
    (lookalike / "METADATA").write_text("Metadata-Version: 2.1\nName: joblib\nVersion: 0.0.1\n", encoding="utf-8")

    (right,) = train_fresh(write_configs(tmp_path, nothing={}), PYTHONPATH=str(tmp_path / "site"))

    assert find_first_difference(changed["nothing"], right) == "environment"
    assert right["environment"]["packages"]["joblib"] == "0.0.1"


GOLDEN_OUTPUTS = ROOT / "tests/goldens/outputs.json"


def test_the_shipped_configs_give_the_bits_they_gave_on_another_machine_and_day(
    request: pytest.FixtureRequest, empty_store: Path, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """A change here is one for CHANGELOG's section Reproducibility."""
    observed = {}
    for name in ("training", "wine", "diabetes"):
        shipped = record_shipped(name, empty_store, tmp_path_factory.getbasetemp())
        lineage = read_lineage(open_client(shipped.store), shipped.run_id, tmp_path)
        observed[name] = digest_outputs(lineage["stages"])

    if request.config.getoption("--update-goldens"):
        GOLDEN_OUTPUTS.write_text(json.dumps(observed, indent=2) + "\n", encoding="utf-8")
    assert observed == json.loads(GOLDEN_OUTPUTS.read_text(encoding="utf-8"))


EMULATOR = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")


@pytest.mark.parametrize("cpu", ["Haswell", "EPYC-Rome"])
def test_an_emulated_cpu_of_either_maker_gives_the_same_bits(changed: dict[str, dict[str, Any]], write_config: Any, cpu: str) -> None:
    if EMULATOR is None:
        pytest.skip("no user-mode CPU emulator is installed (Debian's package qemu-user)")
    # pinned from outside: replacing itself, the process would leave the emulator
    pinned = make_pinned_environment("portable", clean_environment())

    (observed,) = train_fresh([write_config(TO_EMULATE)], prefix=[EMULATOR, "-cpu", cpu], **pinned)

    assert observed["numeric_profile"]["blas"][0]["architecture"] == "Haswell"
    assert digest_outputs(observed) == digest_outputs(changed["emulated"])


def test_a_clusters_worker_on_another_cpu_gives_the_same_bits(
    changed: dict[str, dict[str, Any]], write_config: Any, tmp_path: Path
) -> None:
    pytest.importorskip("distributed", reason="the extra samebits[dask] is not installed")
    if EMULATOR is None:
        pytest.skip("no user-mode CPU emulator is installed (Debian's package qemu-user)")
    pinned = make_pinned_environment("portable", clean_environment())

    with start_cluster(tmp_path) as cluster:
        worker = [sys.executable, "-m", "samebits", "worker", cluster.address]
        cluster.add_worker(EMULATOR, "-cpu", "EPYC-Rome", *worker, **pinned)
        (observed,) = train_fresh([write_config({**TO_EMULATE, "engine": {"dask": cluster.address}})])

    assert observed["environment"]["engine"]["workers"] == 1
    assert digest_outputs(observed) == digest_outputs(changed["emulated"])
