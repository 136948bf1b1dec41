"""LightGBM, XGBoost and CatBoost, each where it is installed: what docs/boosting.md says of them."""

from __future__ import annotations

import importlib.util
import io
import itertools
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from conftest import ROOT, SMALL, clean_environment, merge, run_samebits
from sklearn.cluster import KMeans
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_info

from samebits.candidates import fitting
from samebits.candidates.materials import Materials, Sample, prepare_materials
from samebits.config.loading import load_config
from samebits.errors import LineageError
from samebits.estimation.weights import Weights
from samebits.model.file import dump_model, load_model
from samebits.model.fingerprint import digest_model
from samebits.stored_parts import StoredBooster
from samebits.training.result import Result, make_result

CLASSIFIERS = {
    "lightgbm": "lightgbm.LGBMClassifier",
    "xgboost": "xgboost.XGBClassifier",
    "catboost": "catboost.CatBoostClassifier",
}
INSTALLED = [name for name in CLASSIFIERS if importlib.util.find_spec(name)]
THREADS = {"lightgbm": "n_jobs", "xgboost": "n_jobs", "catboost": "thread_count"}
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("lightgbm", {"subsample": 0.7, "subsample_freq": 1, "colsample_bytree": 0.5}),
    ("lightgbm", {"data_sample_strategy": "goss"}),
    ("lightgbm", {"boosting_type": "dart", "force_col_wise": True}),
    ("lightgbm", {"use_quantized_grad": True}),
    ("xgboost", {"subsample": 0.7, "colsample_bytree": 0.5}),
    ("xgboost", {"booster": "gblinear"}),
    ("xgboost", {"booster": "dart", "rate_drop": 0.3}),
    ("xgboost", {"tree_method": "exact"}),
    ("catboost", {}),
    ("catboost", {"bootstrap_type": "Bernoulli", "subsample": 0.7, "rsm": 0.5}),
]
TARGETS: dict[str, Any] = {
    "text": np.array(["nein", "ja"]),
    "three": np.array(["c", "a", "ü"]),
    "bool": np.array([True, False]),
    "odd numbers": np.array([7, -2]),
}


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., tuple[Materials, Result]]:
    count = itertools.count()

    def train_model(parameters: dict[str, Any], target: str = "text", n_jobs: int = 1) -> tuple[Materials, Result]:
        path = tmp_path / f"{next(count)}.yaml"
        make_table(target).to_parquet(path.with_suffix(".parquet"))
        raw = {
            "name": "a",
            "version": "2026.1.0",
            "seed": 5,
            "n_jobs": n_jobs,
            "data": {"path": str(path.with_suffix(".parquet")), "target": "y"},
            "allow": [parameters["class"].partition(".")[0]],
            "models": {"boosted": parameters},
            "cv": {"n_splits": 2},
        }
        path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
        loaded = load_config(path)
        materials = prepare_materials(loaded, ROOT)
        return materials, make_result(loaded.config, materials)

    return train_model


def make_table(target: str, n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, 6)), columns=list("abcdef")).assign(kind=rng.choice(["x", "y"], n))
    frame.loc[::9, "a"] = np.nan
    signal = frame["b"] + frame["c"] * frame["d"] + rng.normal(size=n)
    if target == "quantity":
        return frame.assign(y=signal)
    labels = TARGETS[target]
    return frame.assign(y=labels[pd.qcut(signal, len(labels), labels=False)])


def name_size(library: str) -> dict[str, int]:
    return {"iterations" if library == "catboost" else "n_estimators": 12}


@pytest.mark.parametrize(("library", "parameters"), [row for row in VARIANTS if row[0] in INSTALLED], ids=str)
def test_any_number_of_threads_gives_one_model_and_one_file(
    train: Any, library: str, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "CELLS_A_THREAD", 1)
    spec = {"class": CLASSIFIERS[library], **name_size(library), **parameters}
    results = [train(spec, n_jobs=n_jobs)[1] for n_jobs in (1, 4)]
    results += [train({**spec, THREADS[library]: 2})[1]]

    for part in ("model_digest", "model_file", "predictions"):
        assert len({getattr(result, part) for result in results}) == 1


@pytest.mark.parametrize("path", ["xgboost.XGBRegressor", "sklearn.ensemble.HistGradientBoostingRegressor"])
def test_the_model_alone_has_the_threads_that_are_lent_to_it(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenMP's pool is one for all that stands in a pipeline, and KMeans adds in the order in which threads arrive."""
    module, _, name = path.rpartition(".")
    kind = getattr(pytest.importorskip(module, reason="the extra samebits[boost] is not installed"), name)
    monkeypatch.setattr(fitting, "CELLS_A_THREAD", 1)
    seen: dict[str, int] = {}

    def note(name: str, fit: Callable[..., Any]) -> Callable[..., Any]:
        def note_and_fit(*args: Any, **options: Any) -> Any:
            seen[name] = max(info["num_threads"] for info in threadpool_info() if info["user_api"] == "openmp")
            return fit(*args, **options)

        return note_and_fit

    monkeypatch.setattr(KMeans, "fit_transform", note("KMeans", KMeans.fit_transform))
    monkeypatch.setattr(kind, "fit", note("model", kind.fit))
    pipeline = Pipeline([("groups", KMeans(3)), ("model", kind())])
    rows = np.random.default_rng(0).normal(size=(100, 4))

    fitting.fit_model("a", pipeline, Sample(rows, rows[:, 0], Weights()), 1, n_jobs=3)

    assert seen == {"KMeans": 1, "model": 3}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("library", INSTALLED)
def test_the_labels_come_back_as_the_targets_own(train: Any, library: str, target: str) -> None:
    materials, result = train({"class": CLASSIFIERS[library], **name_size(library)}, target)

    model = load_model(result.model_file, [library])

    rows, recorded = materials.read(materials.split.test_rows)
    predicted = model.predict(rows)
    assert predicted.dtype == recorded.dtype
    assert set(predicted.tolist()) <= set(TARGETS[target].tolist())
    assert (predicted == recorded).mean() > 1.2 / len(TARGETS[target])
    assert result.model_class.endswith(CLASSIFIERS[library].partition(".")[2])


@pytest.mark.parametrize("target", ["text", "three", "quantity"])
@pytest.mark.parametrize("library", INSTALLED)
def test_the_file_holds_the_model_and_no_pickle(train: Any, library: str, target: str) -> None:
    path = CLASSIFIERS[library].replace("Classifier", "Regressor") if target == "quantity" else CLASSIFIERS[library]
    materials, result = train({"class": path, **name_size(library)}, target)

    model = load_model(result.model_file, [library])

    rows, _ = materials.read(materials.split.test_rows)
    recorded = pd.read_csv(io.BytesIO(result.predictions))["predicted"]
    assert digest_model(model) == result.model_digest
    assert dump_model(model) == result.model_file
    predicted = model.predict(rows)
    assert predicted.tolist() == recorded.to_numpy(dtype=predicted.dtype).tolist()


@pytest.mark.parametrize("library", INSTALLED)
def test_the_digest_sees_another_seed_and_another_row(train: Any, library: str) -> None:
    spec = {"class": CLASSIFIERS[library], **name_size(library)}
    other = {"xgboost": {"reg_lambda": 1.0001}, "lightgbm": {"reg_lambda": 0.0001}, "catboost": {"random_seed": 9}}[library]

    assert train(spec)[1].model_digest != train({**spec, **other})[1].model_digest


@pytest.mark.parametrize("library", INSTALLED)
def test_a_file_with_a_booster_is_not_loaded_without_permission(train: Any, library: str) -> None:
    _, result = train({"class": CLASSIFIERS[library], **name_size(library)})

    with pytest.raises(LineageError, match=f"expected only trusted types, found .*{library}"):
        load_model(result.model_file)


def test_settings_are_recorded_and_the_config_wins(train: Any) -> None:
    materials, _ = train({"class": CLASSIFIERS["lightgbm"], "n_estimators": 3, "deterministic": False, "force_col_wise": True})

    assert materials.settings == {"models.boosted.verbose": -1}
    assert materials.candidates["boosted"].steps[-1][1].deterministic is False


def test_another_class_cannot_stand_as_a_booster() -> None:
    stand_in = StoredBooster.hold(OrderedDict, {}, np.zeros(1, np.uint8))

    with pytest.raises(LineageError, match=r"expected a booster of LightGBM, XGBoost or CatBoost, found collections\.OrderedDict"):
        load_model(skops.io.dumps(stand_in))


@pytest.fixture(scope="module", params=INSTALLED)
def run_id(request: pytest.FixtureRequest, store: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a run that the program recorded."""
    library = request.param
    models = {"boosted": {"class": CLASSIFIERS[library], **name_size(library)}}
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(
        yaml.safe_dump(merge(SMALL, {"name": f"boosting {library}", "allow": [library], "models": models})), encoding="utf-8"
    )
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

    command = [
        sys.executable,
        "-c",
        script,
        f"models:/{client.get_run(run_id).outputs.model_outputs[0].model_id}",
        "rows.parquet",
        "out.csv",
    ]
    subprocess.run(command, env=clean_environment(MLFLOW_TRACKING_URI=store), cwd=tmp_path, check=True, capture_output=True)

    observed = pd.read_csv(tmp_path / "out.csv")
    assert observed["plain"].tolist() == observed["served"].tolist() == predictions["predicted"].tolist()


def test_a_run_is_reproduced_under_other_conditions(run_id: str, store: str) -> None:
    done = run_samebits("reproduce", "--here", "--varied", run_id, MLFLOW_TRACKING_URI=store)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "IDENTICAL" in done.stdout
