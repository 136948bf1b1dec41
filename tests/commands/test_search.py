"""A search as its users run it: what stands on the server, what verify holds it to, and a search that was interrupted."""

from __future__ import annotations

import io
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import HANG_SECONDS, PROGRAM, ROOT, SMALL, clean_environment, merge, read_lineage, run_samebits, wait_until
from recorded_runs import open_client, train

from samebits.holdings.runs import list_candidate_runs

pytestmark = pytest.mark.xdist_group("train")
SEARCH: dict[str, Any] = {
    "method": "random",
    "n_trials": 3,
    "models": {"decision_tree": {"max_depth": [1, 2, 3, None]}},
    "preprocessing": {"scale": [True, False]},
    "nested": True,
}
MODELS = {"decision_tree": {}, "logistic_regression": {"max_iter": 500}}


@pytest.fixture(scope="module")
def searched(store: str, tmp_path_factory: pytest.TempPathFactory, write_shared: Callable[..., Path]) -> str:
    return train(write_shared(tmp_path_factory.mktemp("search"), {"name": "search", "models": MODELS, "search": SEARCH}), store)


@pytest.fixture(scope="module")
def write_shared() -> Callable[..., Path]:
    def write(folder: Path, changes: dict[str, Any]) -> Path:
        path = folder / "search.yaml"
        path.write_text(yaml.safe_dump(merge(SMALL, changes)), encoding="utf-8")
        return path

    return write


def test_every_trial_is_a_nested_run_and_a_row(store: str, searched: str, tmp_path: Path) -> None:
    client = open_client(store)
    lineage = read_lineage(client, searched, tmp_path)
    nested = {run.data.tags["candidate_name"]: run for run in list_candidate_runs(client, client.get_run(searched))}
    table = pd.read_csv(io.BytesIO(Path(client.download_artifacts(searched, "search.csv")).read_bytes()))

    scores = lineage["stages"]["cross_validation"]
    trials = {name for name in nested if "#" in name}
    assert set(nested) == trials | set(MODELS)
    assert {f"{row.candidate} #{row.trial}" for row in table.itertuples()} == trials
    best = scores["candidates"]["decision_tree"]
    chosen = nested[f"decision_tree #{best['trial']}"]
    assert chosen.data.metrics["cv_average_precision"] == best["mean"] == table["mean"][table["candidate"] == "decision_tree"].max()
    assert {"candidate", "trial", "max_depth", "preprocessing.scale"} == set(chosen.data.params)
    assert [name for name in trials if nested[name].data.tags["chosen"] == "true"] == [
        f"{scores['best']} #{scores['candidates'][scores['best']]['trial']}"
    ]
    assert nested["decision_tree"].data.params["parameters"] or nested["decision_tree"].data.params["max_depth"]


def test_the_values_found_are_the_runs_params_and_the_search_has_a_score_of_its_own(store: str, searched: str, tmp_path: Path) -> None:
    client = open_client(store)
    run, scores = client.get_run(searched), read_lineage(client, searched, tmp_path)["stages"]["cross_validation"]

    found = scores["candidates"][scores["best"]]["values"]
    assert found
    assert all(key in run.data.params for key in found)
    nested = [fold["score"] for fold in scores["search"]["nested"]]
    assert run.data.metrics["nested_average_precision"] == pytest.approx(sum(nested) / 3)
    assert "Searched (random): decision\\_tree: " in run.data.tags["mlflow.note.content"]


def test_verify_holds_trials_to_the_lineage(store: str, searched: str) -> None:
    client = open_client(store)
    trial = next(run for run in list_candidate_runs(client, client.get_run(searched)) if "#" in run.data.tags["candidate_name"])
    sound = run_samebits("verify", searched, MLFLOW_TRACKING_URI=store)
    kept = trial.data.metrics["cv_average_precision"]

    client.log_metric(trial.info.run_id, "cv_average_precision", 0.5)
    forged = run_samebits("verify", searched, MLFLOW_TRACKING_URI=store)
    client.log_metric(trial.info.run_id, "cv_average_precision", kept)

    assert sound.returncode == 0, sound.stdout
    assert forged.returncode == 1
    assert "candidate " + trial.data.tags["candidate_name"] in forged.stdout


def test_a_search_stopped_by_ctrl_c_goes_on_and_ends_as_one_that_was_not(
    tmp_path: Path, store: str, write_shared: Callable[..., Path]
) -> None:
    forest = {"class": "sklearn.ensemble.RandomForestClassifier", "n_estimators": 60}
    wanted = {"method": "random", "n_trials": 12, "models": {"forest": {"max_depth": {"low": 1, "high": 12}}}}
    path = write_shared(tmp_path, {"name": "stopped", "models": {"forest": forest}, "search": wanted})
    env = {"MLFLOW_TRACKING_URI": store, "XDG_STATE_HOME": str(tmp_path / "state")}
    stopped = subprocess.Popen(
        [*PROGRAM, "train", str(path)], cwd=ROOT, env=clean_environment(**env), stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: list((tmp_path / "state").rglob("searches/*.json")) or stopped.poll() is not None)
    stopped.send_signal(signal.SIGINT)
    said = stopped.communicate(timeout=HANG_SECONDS)[1]
    assert stopped.returncode == 130, said

    again = run_samebits("train", str(path), **env)
    whole = run_samebits("train", str(path), MLFLOW_TRACKING_URI=store)

    assert "taken from a search that was interrupted: " in again.stderr
    assert "taken from" not in whole.stderr
    assert again.returncode == whole.returncode == 0
    client = open_client(store)
    outputs = [read_lineage(client, done.stdout.split()[1], tmp_path)["outputs_digest"] for done in (again, whole)]
    assert outputs[0] == outputs[1]
    assert not list((tmp_path / "state").rglob("searches/*.json"))
