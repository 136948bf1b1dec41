"""Networks of PyTorch, where it is installed: what docs/networks.md says of them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, SMALL, clean_environment, digest_outputs, run_samebits, train_fresh
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from samebits.candidates.materials import prepare_materials
from samebits.config.loading import check_config, load_config
from samebits.differences.models import compare_models
from samebits.errors import ConfigError, DataError, LineageError
from samebits.estimation.portability import list_unproven
from samebits.model.file import dump_model, list_trusted_types, load_model
from samebits.model.fingerprint import digest_model
from samebits.networks import ModuleClassifier, ModuleRegressor, settled_torch, write_state
from samebits.numerics.profile import Kernels
from samebits.numerics.seeds import seed_component
from samebits.training import training
from samebits.training.exploration import read_epochs
from samebits.training.result import make_result
from samebits.voice import SILENT

_ABSENT = [name for name in ("torch", "skorch", "safetensors") if importlib.util.find_spec(name) is None]
if _ABSENT:
    pytest.skip(f"{', '.join(_ABSENT)} not installed: the extra samebits[torch] has them", allow_module_level=True)

ALLOW = ["odd_networks", "skorch"]
CLASSIFIER = {"class": "samebits.networks.ModuleClassifier", "module": "odd_networks.Dense", "max_epochs": 3}
TARGETS: dict[str, Any] = {
    "text": np.array(["nein", "ja"]),
    "three": np.array(["c", "a", "ü"]),
    "bool": np.array([True, False]),
    "odd numbers": np.array([7, -2]),
}


def make_rows(n: int = 300, labels: Any = ("no", "yes")) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(n, 5))
    signal = X[:, 0] + X[:, 1] * X[:, 2]
    return X, np.asarray(labels)[pd.qcut(signal, len(labels), labels=False)]


def make_network(module: str = "Dense", **parameters: Any) -> Any:
    return ModuleClassifier(f"odd_networks.{module}", **{"random_state": 3, "max_epochs": 3, "batch_size": 32, **parameters})


@pytest.mark.parametrize(
    "parameters",
    [
        {"module": "Signal"},
        {"optimizer": "sgd", "momentum": 0.9, "schedule": {"name": "step", "step_size": 1, "gamma": 0.5}},
        {"optimizer": "rmsprop", "weight_decay": 0.1, "schedule": {"name": "cosine"}},
        {"early_stopping": {"patience": 2, "validation_size": 0.2}, "schedule": {"name": "plateau"}, "class_weight": "balanced"},
    ],
    ids=str,
)
def test_a_network_is_the_same_again_whatever_was_drawn_before(parameters: dict[str, Any]) -> None:
    import torch

    X, y = make_rows()
    first = make_network(**parameters).fit(X, y)
    torch.manual_seed(99)

    second = clone(first).fit(X, y)

    assert digest_model(first) == digest_model(second)
    assert first.predict_proba(X).tobytes() == second.predict_proba(X).tobytes()
    assert digest_model(clone(first).set_params(random_state=4).fit(X, y)) != digest_model(first)


def test_a_constructor_draws_alike_in_the_fit_and_where_the_file_is_loaded() -> None:
    import torch

    X, y = make_rows()
    kept = np.random.get_state()[1].tolist()

    model = make_network("Drawn").fit(X, y)

    assert load_model(dump_model(model), ALLOW).predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert np.random.get_state()[1].tolist() == kept
    assert torch.get_default_dtype() == torch.float32


def test_a_fit_leaves_the_settings_of_pytorch_as_they_were() -> None:
    import torch

    X, y = make_rows()
    torch.manual_seed(5)
    threads, mode, state = torch.get_num_threads(), torch.get_deterministic_debug_mode(), torch.get_rng_state()
    torch.set_num_threads(3)
    torch.set_deterministic_debug_mode("warn")

    try:
        make_network().fit(X, y).predict(X)

        assert (torch.get_num_threads(), torch.get_deterministic_debug_mode()) == (3, 1)
        assert torch.equal(state, torch.get_rng_state())
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)


def test_a_row_is_answered_alike_whatever_is_asked_beside_it() -> None:
    X, y = make_rows(1200)
    model = make_network().fit(X, y)

    alone = np.concatenate([model.predict_proba(X[i : i + 1]) for i in range(0, 1200, 100)])

    assert alone.tobytes() == model.predict_proba(X)[::100].tobytes()


@pytest.mark.parametrize("target", TARGETS)
def test_the_labels_come_back_as_the_targets_own(target: str) -> None:
    X, y = make_rows(labels=TARGETS[target])
    model = make_pipeline(StandardScaler(), make_network(max_epochs=25, lr=0.02)).fit(X, y)

    predicted = model.predict(X)

    assert predicted.dtype == y.dtype
    assert (predicted == y).mean() > 1.3 / len(TARGETS[target])
    assert model.classes_.tolist() == sorted(TARGETS[target].tolist())


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_a_quantity_of_any_size_is_learned_in_its_own_unit(loss: str) -> None:
    X, _ = make_rows()
    y = 1e6 + 1e5 * (X[:, 0] - X[:, 3])

    model = ModuleRegressor("odd_networks.Dense", loss=loss, max_epochs=40, lr=0.02, batch_size=32, random_state=0).fit(X, y)

    assert model.score(X, y) > 0.8


def test_early_stopping_gives_back_the_best_epoch() -> None:
    X, y = make_rows()
    stopping = {"patience": 3, "validation_size": 0.3}
    stopped = make_network(early_stopping=stopping, max_epochs=200, lr=0.05).fit(X, y)
    n_epochs = len(stopped.valid_losses_)

    short = clone(stopped).set_params(max_epochs=stopped.best_epoch_ + 1).fit(X, y)

    assert n_epochs == stopped.best_epoch_ + 4 < 200
    assert stopped.best_epoch_ == stopped.valid_losses_.argmin()
    assert write_state(short.state_) == write_state(stopped.state_)


def test_weights_of_classes_are_weights_of_their_rows() -> None:
    X, y = make_rows()
    by_row = np.where(y == "yes", 4.0, 1.0)

    by_class = make_network(class_weight={"yes": 4.0}).fit(X, y)

    assert write_state(by_class.state_) == write_state(make_network().fit(X, y, by_row).state_)
    assert write_state(by_class.state_) == write_state(make_network().fit(X, y, by_row * 7).state_)
    assert write_state(by_class.state_) != write_state(make_network().fit(X, y).state_)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"module": "Unrepeatable"}, "put_ has no deterministic form"),
        ({"module": "Narrow"}, "shapes cannot be multiplied"),
        ({"module": "TooNarrow"}, r"the module gave \(32, 1\) for 32 rows, and \(32, 2\) is needed"),
        ({"module": "Half"}, "a state that NumPy can hold is needed.*BFloat16"),
        ({"lr": 1e30, "optimizer": "sgd"}, "the loss is (nan|inf) in epoch .: a smaller lr may help"),
        ({"device": "cuda"}, "device: cuda needs a GPU that PyTorch can use, and there is none here"),
    ],
    ids=str,
)
def test_a_fit_that_cannot_be_says_why(parameters: dict[str, Any], expected: str) -> None:
    import torch

    if "device" in parameters and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ValueError, match=expected):
        make_network(**parameters).fit(*make_rows())


def test_an_interrupt_ends_a_fit_and_leaves_no_half_trained_network() -> None:
    model = make_network("Stopped")

    with pytest.raises(KeyboardInterrupt):
        model.fit(*make_rows())

    assert not hasattr(model, "state_")


def test_a_settled_torch_computes_by_one_thread_and_full_precision() -> None:
    with settled_torch(1) as torch:
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.benchmark and torch.backends.cudnn.deterministic
        assert torch.backends.cudnn.conv.fp32_precision == torch.backends.cuda.matmul.fp32_precision == "ieee"


# --- stored


def fit_pipeline(**parameters: Any) -> tuple[Any, np.ndarray]:
    X, y = make_rows()
    return make_pipeline(StandardScaler(), make_network(**parameters)).fit(X, y), X


def test_the_file_holds_the_network_as_safetensors_and_no_pickle() -> None:
    from safetensors.torch import load

    model, X = fit_pipeline()
    content = dump_model(model)

    loaded = load_model(content, ALLOW)

    assert digest_model(loaded) == digest_model(model)
    assert dump_model(loaded) == content
    assert loaded.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert list_trusted_types(content, ALLOW) == [
        *("odd_networks.Dense", "samebits.networks.ModuleClassifier"),
        *("samebits.networks.StoredClass", "samebits.networks.StoredState"),
    ]
    state = load(write_state(model[-1].state_))
    assert sorted(state) == sorted(model[-1].state_) and state["norm.num_batches_tracked"].shape == ()


def test_equal_states_give_equal_bytes_in_any_order() -> None:
    state = {"b": np.arange(3.0, dtype=np.float32), "a": np.array(5), "c": np.zeros((2, 2), order="F")}

    assert write_state(state) == write_state(dict(reversed(state.items())))


def test_a_file_with_a_network_is_not_loaded_without_permission() -> None:
    model, _ = fit_pipeline()

    with pytest.raises(LineageError, match=r"expected only trusted types, found odd_networks\.Dense"):
        load_model(dump_model(model))


def test_a_network_is_digested_and_compared_without_its_class(tmp_path: Path) -> None:
    model, _ = fit_pipeline()
    path = tmp_path / "model.skops"
    path.write_bytes(dump_model(model))
    script = "import sys; from samebits.model.check import run_model_check; run_model_check(); assert 'torch' not in sys.modules"
    environment = {**clean_environment(), "PYTHONPATH": str(ROOT / "src")}  # in which no odd_networks is found

    done = subprocess.run(
        [sys.executable, "-c", script], input=f"{path}\n", env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == digest_model(model)


def test_the_difference_of_two_networks_is_told_by_layer() -> None:
    left, _ = fit_pipeline()
    right = load_model(dump_model(left), ALLOW)
    right[-1].state_["output.bias"] = right[-1].state_["output.bias"] + np.float32(0.25)

    (found,) = compare_models(left, right)

    assert found.path == "moduleclassifier.state_['output.bias']"
    assert found.what.startswith("2 of 2 values differ") and "largest change 0.25" in found.what


def test_a_network_of_keras_is_fitted_stored_and_asked_like_any_other() -> None:
    if importlib.util.find_spec("keras") is None:
        pytest.skip("Keras is not installed: the extra samebits[keras] has it")
    X, y = make_rows()
    model = ModuleClassifier("odd_keras.Net", max_epochs=5, random_state=3).fit(X, y)

    again = clone(model).fit(X, y)
    loaded = load_model(dump_model(model), ["odd_keras"])

    assert digest_model(again) == digest_model(model) == digest_model(loaded)
    assert loaded.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert digest_model(clone(model).set_params(random_state=4).fit(X, y)) != digest_model(model)


# --- in a config


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    def write(network: dict[str, Any]) -> Path:
        path = tmp_path / "config.yaml"
        keys = {"allow": ALLOW, "models": {"network": {**CLASSIFIER, **network}}}
        path.write_text(yaml.safe_dump({**SMALL, **keys}), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({"module": "odd_networks.NoModule"}, r"module: expected a class of torch\.nn\.Module"),
        ({"class": "skorch.NeuralNetClassifier"}, "class: expected a class that can be stored without pickle.*ModuleClassifier"),
        ({"module": "odd_networks.Dens"}, "module: expected a name in odd_networks, found 'Dens'"),
        ({"module": "os.system"}, "module: expected a class of sklearn, samebits, odd_networks, skorch, found 'os.system'"),
        ({"module_parameters": {"depth": 3}}, "module: expected a class that takes depth; Dense takes n_inputs, n_outputs, width"),
        ({"optimizer": "adamx"}, "optimizer: expected a str among"),
        ({"lr": 0}, "lr: expected a float in the range"),
        ({"schedule": {"name": "cosin"}}, "schedule: expected a mapping of name and numbers"),
        ({"early_stopping": {"patience": 0}}, "early_stopping: expected a mapping of patience"),
        ({"momentum": 0.9}, "momentum: expected 0, since adam has none"),
        ({"batchsize": 3}, "expected a parameter of ModuleClassifier .*Did you mean 'batch_size'"),
    ],
    ids=str,
)
def test_a_config_that_cannot_be_is_refused_before_a_table_is_read(config: Any, network: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        check_config(config(network))


def test_a_network_that_does_not_fit_the_table_is_told_with_its_candidate(config: Any) -> None:
    loaded = load_config(config({"module": "odd_networks.Narrow"}))

    with pytest.raises(DataError, match=r"models\.network, fold 1 of cv: expected a model that fits this table, .*shapes cannot"):
        make_result(loaded.config, prepare_materials(loaded, ROOT))


def test_what_is_not_proved_across_cpus_is_said(config: Any) -> None:
    lines = {
        optimizer: list_unproven(prepare_materials(load_config(config({"optimizer": optimizer, "fused": fused})), ROOT).candidates)
        for optimizer, fused in (("adam", True), ("adamw", False), ("rmsprop", True))
    }

    assert lines["adam"] == []
    assert "models.network: adamw without its fused form is not proved" in lines["adamw"][0] and "fused: true" in lines["adamw"][0]
    assert "one of sgd, adam, adamw, adagrad has a fused form" in lines["rmsprop"][0]


def test_every_network_gets_a_seed_by_its_place() -> None:
    model = make_pipeline(StandardScaler(), ModuleClassifier("odd_networks.Dense"))

    assert list(seed_component(model, 42, "models.a")) == ["models.a.steps.moduleclassifier.1.random_state"]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A config, and what a plain process made of it."""
    path = tmp_path_factory.mktemp("networks") / "config.yaml"
    models = {"network": {**CLASSIFIER, "early_stopping": {}}, "signal": {**CLASSIFIER, "module": "odd_networks.Signal"}}
    path.write_text(yaml.safe_dump({**SMALL, "allow": ALLOW, "models": models}), encoding="utf-8")
    return path, train_fresh([path], PYTHONPATH=str(ROOT / "tests"))[0]


def test_workers_and_a_shells_variables_change_nothing(stages: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    config = yaml.safe_load(stages[0].read_text(encoding="utf-8"))
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**config, "n_jobs": 2}), encoding="utf-8")
    shell = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "AVX2", "OMP_NUM_THREADS": "4"}

    (observed,) = train_fresh([path], PYTHONPATH=str(ROOT / "tests"), FRESH_TRAINING_WORKERS="always", **shell)

    assert digest_outputs(observed) == digest_outputs(stages[1])
    assert observed["numeric_profile"] == stages[1]["numeric_profile"]


def test_pytorch_is_on_record_where_it_is_in_use(stages: tuple[Path, dict[str, Any]]) -> None:
    profile, packages = stages[1]["numeric_profile"], stages[1]["environment"]["packages"]

    assert profile["torch"] == {"cpu_capability": "AVX2", "deterministic": True, "threads": 1}
    assert {"torch_adam", "torch_exp", "torch_matrix_product", "torch_convolution", "torch_random_normal"} <= set(profile["probe"])
    assert {"torch", "skorch", "safetensors"} <= set(packages)


@pytest.mark.parametrize("fused", [True, False])
def test_roots_that_other_cpus_take_otherwise_are_an_input_only_where_they_are_taken(config: Any, fused: bool) -> None:
    materials = prepare_materials(load_config(config({"fused": fused})), ROOT)
    kernels = Kernels([], [], [], {"torch_sqrt": "sha256:1", "sum": "sha256:2"})

    kept = training._say_unproven(materials, kernels, SILENT)

    assert ("torch_sqrt" in kept.probe) is not fused


def test_a_run_without_a_network_has_no_word_of_pytorch(write_config: Callable[..., Path]) -> None:
    (plain,) = train_fresh([write_config({"cv": {"n_splits": 2}})])

    assert "torch" not in json.dumps([plain["numeric_profile"], plain["environment"]["packages"]])


def test_the_losses_of_each_epoch_are_told_of_a_network_alone() -> None:
    X, y = make_rows()
    network, other = (
        make_pipeline(StandardScaler(), model).fit(X, y) for model in (make_network(early_stopping={}), LogisticRegression())
    )

    found = read_epochs(network)

    assert found is not None and len(found["train"]) == len(found["valid"]) == 3
    assert read_epochs(other) is None


# --- recorded


@pytest.fixture(scope="module")
def run_id(store: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    linear = {"module": "torch.nn.Linear", "module_parameters": {"in_features": 30, "out_features": 2}}  # found in any folder
    keys = {"name": "networks", "allow": ["torch"], "models": {"network": {**CLASSIFIER, **linear}}}
    path.write_text(yaml.safe_dump({**SMALL, **keys}), encoding="utf-8")
    done = run_samebits(str(path), MLFLOW_TRACKING_URI=store)
    assert done.returncode == 0, done.stderr
    return next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("run "))


def test_mlflow_predicts_what_was_recorded_where_samebits_is_not_installed(
    run_id: str, client: Any, store: str, tmp_path: Path
) -> None:
    predictions = pd.read_csv(client.download_artifacts(run_id, "predictions.csv", str(tmp_path)))
    table = pd.read_csv(ROOT / "data/raw/wdbc.csv").iloc[predictions["row"]].drop(columns=["id", "diagnosis"])
    table.to_parquet(tmp_path / "rows.parquet")
    script = """
import sys, mlflow, pandas as pd
table = pd.read_parquet(sys.argv[2])
plain, served = mlflow.sklearn.load_model(sys.argv[1]), mlflow.pyfunc.load_model(sys.argv[1])
pd.DataFrame({"plain": plain.predict(table), "served": served.predict(table)}).to_csv(sys.argv[3], index=False)
"""
    model = f"models:/{client.get_run(run_id).outputs.model_outputs[0].model_id}"

    command = [sys.executable, "-c", script, model, "rows.parquet", "out.csv"]
    subprocess.run(command, env=clean_environment(MLFLOW_TRACKING_URI=store), cwd=tmp_path, check=True, capture_output=True)

    observed = pd.read_csv(tmp_path / "out.csv")
    assert observed["plain"].tolist() == observed["served"].tolist() == predictions["predicted"].tolist()


def test_a_run_is_reproduced_under_other_conditions(run_id: str, store: str) -> None:
    done = run_samebits("reproduce", "--here", "--varied", run_id, MLFLOW_TRACKING_URI=store)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "IDENTICAL" in done.stdout
    assert "all 21 kernels probed compute as the original's did" in done.stdout
