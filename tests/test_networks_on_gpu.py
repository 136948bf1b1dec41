"""Networks on a GPU, where there is one: what docs/networks.md says of it. Without one, tests/numerics and test_networks.py have the rest."""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import ROOT, SMALL, digest_outputs, run_samebits, train_fresh
from sklearn.base import clone

from samebits.model.file import dump_model, load_model
from samebits.model.fingerprint import digest_model
from samebits.networks import NEEDED, ModuleClassifier, ModuleRegressor, settled_torch
from samebits.numerics.torch_kernels import probe_torch, read_torch

if absent := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
    pytest.skip(f"{', '.join(absent)} not installed: the extra samebits[torch] has them", allow_module_level=True)
torch = importlib.import_module("torch")
if not torch.cuda.is_available():
    pytest.skip("no GPU that PyTorch can use", allow_module_level=True)

ALLOW = ["odd_networks"]
DENSE = {"class": "samebits.networks.ModuleClassifier", "module": "odd_networks.Dense", "max_epochs": 3, "device": "cuda"}


@pytest.fixture(autouse=True)
def workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the profile sets it before a process of samebits starts: cuBLAS reads it when it is first used."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def make_rows(n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(n, 8))
    return X, np.where(X[:, 0] + X[:, 1] * X[:, 2] > 0, "yes", "no")


def make_network(module: str = "Dense", **parameters: Any) -> Any:
    return ModuleClassifier(f"odd_networks.{module}", **{"random_state": 3, "max_epochs": 4, "device": "cuda", **parameters})


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"module": "Convolved", "optimizer": "sgd", "momentum": 0.9},
        {"module": "Recurrent", "optimizer": "rmsprop"},
        {"fused": False, "schedule": {"name": "cosine"}, "early_stopping": {"patience": 2, "validation_size": 0.2}},
        {"batch_size": 4096, "class_weight": "balanced"},
    ],
    ids=str,
)
def test_a_network_is_the_same_again_whatever_was_drawn_before(parameters: dict[str, Any]) -> None:
    X, y = make_rows()
    first = make_network(**parameters).fit(X, y)
    torch.cuda.manual_seed(99)
    torch.randn(5000, device="cuda")

    second = clone(first).fit(X, y)

    assert digest_model(first) == digest_model(second)
    assert first.predict_proba(X).tobytes() == second.predict_proba(X).tobytes()
    assert digest_model(clone(first).set_params(random_state=4).fit(X, y)) != digest_model(first)
    assert digest_model(clone(first).set_params(device="cpu").fit(X, y)) != digest_model(first)


def test_a_quantity_is_learned() -> None:
    X, _ = make_rows()
    y = 1e6 + 1e5 * (X[:, 0] - X[:, 3])

    model = ModuleRegressor("odd_networks.Dense", max_epochs=40, lr=0.02, batch_size=32, random_state=0, device="cuda").fit(X, y)

    assert model.score(X, y) > 0.8


@pytest.mark.parametrize("module", ["Dense", "Convolved", "Recurrent"])
def test_a_stored_network_answers_as_the_fitted_one_and_each_row_as_alone(module: str) -> None:
    X, y = make_rows(1200)
    model = make_network(module).fit(X, y)

    loaded = load_model(dump_model(model), ALLOW)

    assert loaded.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    alone = np.concatenate([model.predict_proba(X[i : i + 1]) for i in range(0, 1200, 100)])
    assert alone.tobytes() == model.predict_proba(X)[::100].tobytes()


def test_the_generators_of_the_card_are_left_as_they_were() -> None:
    torch.cuda.manual_seed(5)
    before = torch.cuda.get_rng_state()

    make_network().fit(*make_rows())

    assert torch.equal(before, torch.cuda.get_rng_state())


def test_an_operation_without_a_deterministic_form_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="adaptive_avg_pool2d_backward_cuda has no deterministic form"):
        make_network("Pooled").fit(*make_rows())


def test_what_stays_behind_is_told_how_to_come_along() -> None:
    with pytest.raises(ValueError, match=r"on the same device.*\(what a module keeps .* register_buffer\)"):
        make_network("Signal").fit(*make_rows())


def test_a_card_without_room_is_said() -> None:
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-4)

    try:
        with pytest.raises(ValueError, match="out of memory"):
            make_network(module_parameters={"width": 4_000_000}).fit(*make_rows())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_products_are_taken_in_full_float32() -> None:
    numbers = np.random.default_rng(1).normal(size=(512, 512)).astype(np.float32)
    torch.backends.cuda.matmul.fp32_precision = "tf32"

    try:
        with settled_torch(1, "cuda") as settled:
            found = settled.from_numpy(numbers).cuda() @ settled.from_numpy(numbers).cuda()

        assert torch.backends.cuda.matmul.fp32_precision == "tf32"
    finally:
        torch.backends.cuda.matmul.fp32_precision = "none"
    assert np.abs(found.cpu().numpy() - numbers.astype(np.float64) @ numbers).max() < 1e-3


def test_the_card_the_driver_and_what_the_kernels_compute_are_read() -> None:
    gpu = read_torch(wants_gpu=True)["gpu"]

    assert gpu["available"] and gpu["card"] == torch.cuda.get_device_name() and gpu["driver"] and gpu["cards"]
    assert gpu["cuda"] == torch.version.cuda and gpu["cudnn"] == torch.backends.cudnn.version()
    first = probe_torch(wants_gpu=True)
    assert probe_torch(wants_gpu=True) == first
    assert first["torch_gpu_exp"] != first["torch_exp"] and "torch_gpu_adam" in first


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gpu") / "config.yaml"
    models = {"dense": {**DENSE, "early_stopping": {}}, "convolved": {**DENSE, "module": "odd_networks.Convolved"}}
    path.write_text(yaml.safe_dump({**SMALL, "name": "on a GPU", "allow": ALLOW, "models": models}), encoding="utf-8")
    return path


def test_workers_and_a_shells_variables_change_nothing(config: Path, tmp_path: Path) -> None:
    over_workers = tmp_path / "config.yaml"
    over_workers.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), "n_jobs": 2}), encoding="utf-8")
    shell = {"CUBLAS_WORKSPACE_CONFIG": ":16:8", "NVIDIA_TF32_OVERRIDE": "1", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"}

    (plain,) = train_fresh([config], PYTHONPATH=str(ROOT / "tests"))
    (observed,) = train_fresh([over_workers], PYTHONPATH=str(ROOT / "tests"), FRESH_TRAINING_WORKERS="always", **shell)

    assert digest_outputs(observed) == digest_outputs(plain)
    assert observed["numeric_profile"] == plain["numeric_profile"]
    assert plain["numeric_profile"]["torch"]["gpu"]["card"] == torch.cuda.get_device_name()


def test_a_run_is_reproduced_and_refused_where_no_card_is(own_store: str, tmp_path: Path) -> None:
    linear = {**DENSE, "module": "torch.nn.Linear", "module_parameters": {"in_features": 30, "out_features": 2}}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "name": "linear", "allow": ["torch"], "models": {"net": linear}}), encoding="utf-8")
    trained = run_samebits(str(path), MLFLOW_TRACKING_URI=own_store)
    assert trained.returncode == 0, trained.stderr

    verified = run_samebits("verify", "latest", MLFLOW_TRACKING_URI=own_store)
    again = run_samebits("reproduce", "--here", "latest", "--json", MLFLOW_TRACKING_URI=own_store)
    words = ("predict", "latest", str(ROOT / "data/raw/wdbc.csv"), "--output", str(tmp_path / "answers.csv"))
    asked = run_samebits(*words, MLFLOW_TRACKING_URI=own_store)
    trained_without, reproduced_without, asked_without = (
        run_samebits(*words, MLFLOW_TRACKING_URI=own_store, CUDA_VISIBLE_DEVICES="")
        for words in (["train", str(path)], ["reproduce", "--here", "latest"], [*words, "--overwrite"])
    )

    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert again.returncode == 0 and json.loads(again.stdout)["verdict"] == "IDENTICAL", again.stdout + again.stderr
    assert asked.returncode == 0, asked.stderr
    needed = "device: cuda: expected a GPU that PyTorch can use, found none"
    assert trained_without.returncode == 2 and needed in trained_without.stderr
    assert reproduced_without.returncode == 2 and "INCONCLUSIVE" in reproduced_without.stdout and needed in reproduced_without.stdout
    assert asked_without.returncode == 2 and "a GPU that PyTorch can use, as it was fitted on one" in asked_without.stderr
