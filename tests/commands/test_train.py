"""The program as its users run it: real processes, a real store, what stands on the server afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import mlflow.projects
import numpy as np
import pandas as pd
import pytest
from conftest import (
    HANG_SECONDS,
    PROGRAM,
    ROOT,
    TESTS,
    clean_environment,
    download_model,
    read_lineage,
    run_samebits,
    run_unheard,
    wait_until,
)
from mlflow.exceptions import ExecutionException
from recorded_runs import ShippedRun, open_client, record_shipped

from samebits.config.loading import check_config
from samebits.digests import digest_bytes, digest_file
from samebits.errors import Interrupted, Problem, TrackingError
from samebits.holdings.runs import list_candidate_runs
from samebits.lineage.manifest import INPUT_STAGES, OUTPUT_STAGES
from samebits.lineage.tracked_values import digest_held_rows
from samebits.numerics.profile import make_environment
from samebits.recording.looks import AskedLooks
from samebits.training.training import make_training

pytestmark = pytest.mark.xdist_group("train")


def list_runs(client: Any, experiment: str) -> list[Any]:
    found = client.get_experiment_by_name(experiment)
    return [run for run in client.search_runs([found.experiment_id]) if "candidate_name" not in run.data.tags] if found else []


@pytest.fixture(scope="module")
def recorded(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> ShippedRun:
    return record_shipped("training", empty_store, tmp_path_factory.getbasetemp())


@pytest.fixture
def client_of_shipped(recorded: ShippedRun) -> Any:
    return open_client(recorded.store)


@pytest.fixture
def shipped(recorded: ShippedRun, client_of_shipped: Any) -> Any:
    """A finished run of the shipped config."""
    return client_of_shipped.get_run(recorded.run_id)


def test_a_run_is_finished_with_params_metrics_and_tags_to_filter_by(shipped: Any, client_of_shipped: Any) -> None:
    assert shipped.info.status == "FINISHED"
    params, tags = shipped.data.params, shipped.data.tags
    assert params["conf_file"] == "confs/training.yaml"
    assert params["models.knn.n_neighbors"] == "7"
    assert tags["data_hash"] == digest_file(ROOT / "data/raw/wdbc.csv")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout.strip()
    assert tags["git_commit"] == tags["mlflow.source.git.commit"] == commit
    assert not set(params) & {"data_hash", "git_commit", "version", "n_jobs"} and not set(params.values()) & {"null", "[]", "{}", ""}
    assert tags["git_dirty"] in ("true", "false")
    assert {"model_digest", "inputs_digest", "outputs_digest"} <= set(tags)
    assert (tags["config_version"], tags["numeric_profile"], tags["task"]) == ("2026.11.0", "portable", "binary")
    assert shipped.data.metrics["test_roc_auc"] > 0.98
    metrics = shipped.data.metrics
    assert list(metrics)[:3] == [f"test_average_precision{end}" for end in ("", "_low", "_high")]
    assert metrics["baseline_average_precision"] < metrics["test_average_precision_low"] <= metrics["test_average_precision"]
    datasets = {found.tags[0].value: found.dataset.digest for found in shipped.inputs.dataset_inputs}
    assert set(datasets) == {"training", "test"} and tags["data_hash"].startswith(datasets["training"])


def test_each_candidate_is_a_nested_run_with_its_scores(shipped: Any, client_of_shipped: Any) -> None:
    nested = {run.data.tags["candidate_name"]: run for run in list_candidate_runs(client_of_shipped, shipped)}
    scores = {name: run.data.metrics["cv_average_precision"] for name, run in nested.items()}

    assert set(nested) == {"logistic_regression", "knn", "svm", "decision_tree", "random_forest", "boosting"}
    assert max(scores, key=scores.__getitem__) == shipped.data.tags["best_model"]
    assert max(scores.values()) == shipped.data.metrics["cv_average_precision"]
    assert nested["knn"].data.params == {"candidate": "knn", "parameters": "n_neighbors=7"}
    assert len(client_of_shipped.get_metric_history(nested["knn"].info.run_id, "fold_average_precision")) == 5
    assert nested["logistic_regression"].info.run_name == "logistic_regression 0.995 (chosen)"


def test_the_lineage_names_every_artifact_with_its_digest(shipped: Any, client_of_shipped: Any, tmp_path: Path) -> None:
    lineage = read_lineage(client_of_shipped, shipped.info.run_id, tmp_path)
    folder = Path(client_of_shipped.download_artifacts(shipped.info.run_id, "", str(tmp_path)))

    assert set(lineage["stages"]) == {*INPUT_STAGES, *OUTPUT_STAGES}
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"lineage.json"}
    model = download_model(client_of_shipped.tracking_uri, shipped, tmp_path / "model")
    files = {name: folder / name for name in present}
    files |= {f"model/{path.relative_to(model).as_posix()}": path for path in model.rglob("*") if path.is_file()}
    files.pop("model/registered_model_meta", None)  # MLflow's downloader puts it there
    assert {name: record["digest"] for name, record in lineage["artifacts"].items()} == {
        name: digest_file(path) for name, path in files.items()
    }
    assert {"config/as_written.yaml", "config/resolved.json", "metrics.json", "threshold.json", "environment/uv.lock"} <= present
    assert lineage["stages"]["environment"]["lock_digest"] == lineage["artifacts"]["environment/uv.lock"]["digest"]
    recorded = {name: value for name, value in lineage["stages"]["metrics"].items() if name != "digest"}
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8")) == recorded
    assert set(recorded) == {"test", "train"}


def test_metrics_on_the_server_are_exact(shipped: Any, client_of_shipped: Any, tmp_path: Path) -> None:
    lineage = read_lineage(client_of_shipped, shipped.info.run_id, tmp_path)

    for name, value in lineage["stages"]["metrics"]["test"].items():
        assert shipped.data.metrics[f"test_{name}"] == value


def test_a_run_of_the_shipped_config_costs_less_than_two_megabytes(shipped: Any, client_of_shipped: Any, tmp_path: Path) -> None:
    folders = [client_of_shipped.download_artifacts(shipped.info.run_id, "", str(tmp_path))]
    folders.append(str(download_model(client_of_shipped.tracking_uri, shipped, tmp_path / "model")))

    assert sum(path.stat().st_size for folder in folders for path in Path(folder).rglob("*") if path.is_file()) < 2_000_000


def test_the_logged_model_gives_the_recorded_predictions_through_mlflow(
    shipped: Any, client_of_shipped: Any, tmp_path: Path, recorded: ShippedRun
) -> None:
    lineage = read_lineage(client_of_shipped, shipped.info.run_id, tmp_path)
    predictions = pd.read_csv(client_of_shipped.download_artifacts(shipped.info.run_id, "predictions.csv", str(tmp_path)))
    table = pd.read_csv(ROOT / "data/raw/wdbc.csv").iloc[predictions["row"]].drop(columns=["id", "diagnosis"])
    script = """
import sys, mlflow, pandas as pd
table = pd.read_parquet(sys.argv[2])
plain, served = mlflow.sklearn.load_model(sys.argv[1]), mlflow.pyfunc.load_model(sys.argv[1])
response = plain.predict_proba(table)[:, list(plain.classes_).index("M")]
pd.DataFrame({"plain": plain.predict(table), "served": served.predict(table), "response": response}).to_csv(sys.argv[3], index=False)
"""
    table.to_parquet(tmp_path / "rows.parquet")
    model_uri = f"runs:/{shipped.info.run_id}/{shipped.data.tags['best_model']}"
    pinned = make_environment("portable", clean_environment(MLFLOW_TRACKING_URI=recorded.store))

    # in a process where samebits is not installed: the model brings the code that it needs
    command = [sys.executable, "-c", script, model_uri, str(tmp_path / "rows.parquet"), str(tmp_path / "out.csv")]
    subprocess.run(command, env=pinned, cwd=tmp_path, check=True, capture_output=True)

    observed = pd.read_csv(tmp_path / "out.csv")
    assert observed["plain"].tolist() == observed["served"].tolist() == predictions["predicted"].tolist()
    assert observed["response"].tolist() == predictions["response"].tolist()
    folder = download_model(recorded.store, shipped, tmp_path / "m")
    assert digest_file(folder / "model.skops") == lineage["stages"]["model"]["file_digest"]
    requirements = (folder / "requirements.txt").read_text(encoding="utf-8")
    assert f"scikit-learn=={lineage['stages']['environment']['packages']['scikit-learn']}" in requirements
    assert len(json.loads((folder / "input_example.json").read_text(encoding="utf-8"))["data"]) == 5


def test_another_door_and_folder_give_the_same_run(
    shipped: Any, client_of_shipped: Any, client: Any, store: str, tmp_path: Path
) -> None:
    """`mlflow run`, from elsewhere, with the experiment and name it was told."""
    environment = clean_environment(MLFLOW_TRACKING_URI=store)
    command = ["mlflow", "run", "-P", "conf_file=confs/training.yaml", str(ROOT), "--env-manager", "local"]
    done = subprocess.run(
        [*command, "--experiment-name", "by-mlflow-run", "--run-name", "named"], env=environment, cwd=tmp_path, capture_output=True, encoding="utf-8",
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    (run,) = list_runs(client, "by-mlflow-run")
    assert (run.info.status, run.info.run_name) == ("FINISHED", "named")
    left = read_lineage(client_of_shipped, shipped.info.run_id, tmp_path)
    right = read_lineage(client, run.info.run_id, tmp_path)
    assert left["inputs_digest"] == right["inputs_digest"]
    assert left["outputs_digest"] == right["outputs_digest"]
    assert {name for name in left["artifacts"] if left["artifacts"][name] != right["artifacts"].get(name)} == {
        "model/MLmodel",
        "report.html",
    }
    assert set(left["artifacts"]) == set(right["artifacts"])
    assert dict(run.data.params) == dict(shipped.data.params)


def test_the_working_tree_is_as_it_was() -> None:
    """Ends where it began: what a run leaves in the project's folder is ignored by Git."""
    status = ["git", "status", "--porcelain", "--untracked-files=all"]
    before = subprocess.run(status, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout

    for name in ("mlflow.db", "mlflow.db-wal", "mlruns/1/x", "dist/x", ".venv/x"):
        ignored = subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False)
        assert ignored.returncode == 0, name
    assert subprocess.run(status, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout == before


@pytest.mark.parametrize(
    ("conf_file", "reason"),
    [("confs", "found the folder"), ("wrong", "Did you mean 'seed'?")],
)
def test_a_wrong_config_fails_the_project_run_with_the_reason_on_its_page(
    client: Any,
    store: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_config: Callable[..., Path],
    conf_file: str,
    reason: str,
) -> None:
    """Through mlflow.projects.run, which starts the program as `mlflow run` does."""
    conf_file = str(write_config({"sed": 1})) if conf_file == "wrong" else conf_file
    experiment = f"wrong-{reason[:3]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ExecutionException, match="failed"):
        mlflow.projects.run(str(ROOT), parameters={"conf_file": conf_file}, env_manager="local", experiment_name=experiment)

    (run,) = list_runs(client, experiment)
    assert run.info.status == "FAILED"
    assert run.info.end_time is not None
    assert reason in run.data.tags["mlflow.note.content"]


def test_a_wrong_config_makes_no_run_where_none_was_opened(client: Any, store: str, write_config: Callable[..., Path]) -> None:
    path = write_config({"name": "never", "sed": 1})

    done = run_samebits("train", str(path), MLFLOW_TRACKING_URI=store)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"{path}:")
    assert "Traceback" not in done.stderr
    assert list_runs(client, "never") == []


def test_other_bytes_than_pinned_fail_the_run_with_both_digests(client: Any, store: str, write_config: Callable[..., Path]) -> None:
    path = write_config({"name": "pinned", "data": {"digest": "sha256:" + "0" * 64}})

    done = run_samebits(str(path), MLFLOW_TRACKING_URI=store)

    (run,) = list_runs(client, "pinned")
    assert done.returncode == 2
    assert "expected the pinned sha256:000" in done.stderr
    assert run.info.status == "FAILED"
    assert digest_file(ROOT / "data/raw/wdbc.csv") in run.data.tags["mlflow.note.content"]
    assert "lineage.json" not in [file.path for file in client.list_artifacts(run.info.run_id)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_is_killed_not_running(
    client: Any, store: str, write_config: Callable[..., Path], tmp_path: Path, number: signal.Signals
) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored here, as under nohup, and so it is by the program")
    gate = tmp_path / "gate"
    path = write_config({"name": f"interrupted-{number.name}", "allow": ["gated"], "models": GATED})
    process = start_gated(path, gate, MLFLOW_TRACKING_URI=store)
    wait_until((gate / "reached").exists, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=HANG_SECONDS)

    (run,) = list_runs(client, f"interrupted-{number.name}")
    assert process.returncode == 128 + number
    assert run.info.status == "KILLED"
    assert f"stopped by signal {number.value}" in errors and "Traceback" not in errors


GATED = {"gated": {"class": "gated.GatedClassifier"}}


def start_gated(path: Path, gate: Path, **env: str) -> subprocess.Popen[str]:
    environment = clean_environment(PYTHONPATH=str(TESTS), GATE=str(gate), **env)
    return subprocess.Popen([*PROGRAM, str(path)], env=environment, cwd=ROOT, stderr=subprocess.PIPE, encoding="utf-8")


def test_a_server_that_goes_away_loses_nothing(
    own_server: tuple[str, subprocess.Popen[bytes]], write_config: Callable[..., Path], tmp_path: Path
) -> None:
    uri, process = own_server
    gate = tmp_path / "gate"
    path = write_config({"name": "gone", "allow": ["gated"], "models": GATED})
    started = start_gated(path, gate, MLFLOW_TRACKING_URI=uri, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    wait_until((gate / "reached").exists, started)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (gate / "open").mkdir()
    _, errors = started.communicate(timeout=HANG_SECONDS)

    assert started.returncode == 75, errors
    assert "expected a server that takes it, found [Errno 111] Connection refused. What it made waits in " in errors
    kept = Path(errors.split("waits in ")[1].split(": ")[0])
    lineage = json.loads((kept / "lineage.json").read_text(encoding="utf-8"))
    assert digest_bytes((kept / "model/model.skops").read_bytes()) == lineage["stages"]["model"]["file_digest"]


def test_a_server_that_is_not_there_is_said_before_training_and_what_is_made_waits(
    write_config: Callable[..., Path], closed_port: int, tmp_path: Path
) -> None:
    uri = f"http://127.0.0.1:{closed_port}"

    done = run_samebits(str(write_config()), MLFLOW_TRACKING_URI=uri, SAMEBITS_SPOOL=str(tmp_path / "spool"))

    assert done.returncode == 75
    said = done.stderr.splitlines()
    assert said[0].startswith(f"{uri}: expected a tracking server that answers, found [Errno 111] Connection refused")
    assert said[1].startswith("training without it") and said[-1].startswith("run ") and "samebits push" in said[-1]
    assert "Traceback" not in done.stderr
    (folder,) = [path for path in (tmp_path / "spool").iterdir() if path.is_dir()]
    assert done.stdout.split()[1] == folder.name


def test_two_that_start_together_on_a_new_database_both_finish(write_config: Callable[..., Path], tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/new.db"
    path = write_config({"name": "together"})
    environment = clean_environment(MLFLOW_TRACKING_URI=uri)

    both = [subprocess.Popen([*PROGRAM, str(path)], env=environment, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate(timeout=HANG_SECONDS)[1] for process in both]

    assert [process.returncode for process in both] == [0, 0], errors
    runs = list_runs(mlflow.MlflowClient(tracking_uri=uri), "together")
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len({run.data.tags["outputs_digest"] for run in runs}) == 1


def test_predictions_are_written_exactly(shipped: Any, client_of_shipped: Any, tmp_path: Path) -> None:
    path = Path(client_of_shipped.download_artifacts(shipped.info.run_id, "predictions.csv", str(tmp_path)))
    lineage = read_lineage(client_of_shipped, shipped.info.run_id, tmp_path)

    again = pd.read_csv(path).to_csv(index=False, lineterminator="\n").encode("utf-8")

    assert digest_bytes(again) == lineage["stages"]["predictions"]["digest"]
    assert np.isfinite(pd.read_csv(path)["response"]).all()


def test_a_run_of_derived_columns_is_proved_and_served_from_the_model_alone(
    client: Any, store: str, tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    """Rows by rules, infinite edges, a function of the user's: recorded, controlled, and loaded where neither module is."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/own_columns.py").write_text("def double(frame):\n    return frame['mean_area'] * 2\n", encoding="utf-8")
    derived = [
        {"name": "twice", "function": {"path": "own_columns.double", "columns": ["mean_area"]}},
        {"name": "size", "bins": {"column": "mean_area", "edges": [float("-inf"), 500, 900, float("inf")]}},
    ]
    config = write_config(
        {
            "name": "derived",
            "allow": ["own_columns"],
            "data": {"drop": ["id", "mean_area"], "rows": [{"drop": {"mean_area": {"above": 2000}}}]},
            "split": {"method": "order", "n_train": 400},
            "features": {"derived": derived},
            "models": {"decision_tree": {"max_depth": 3}},
        }
    )
    variables = {"MLFLOW_TRACKING_URI": store, "PYTHONPATH": str(tmp_path / "mine")}

    trained = run_samebits("train", str(config), **variables)
    assert trained.returncode == 0, trained.stderr
    run_id = trained.stdout.split()[1]
    assert "rows    drop mean_area above 2000: " in trained.stderr
    verified = run_samebits("verify", run_id, **variables)
    assert verified.returncode == 0, verified.stdout

    script = (
        "import sys, mlflow, pandas as pd; table = pd.read_csv(sys.argv[2]);"
        "print([str(label) for label in mlflow.pyfunc.load_model(sys.argv[1]).predict(table)])"
    )
    table = pd.read_csv(ROOT / "data/raw/wdbc.csv").drop(columns=["id", "diagnosis"])
    predictions = pd.read_csv(client.download_artifacts(run_id, "predictions.csv", str(tmp_path)))
    table.iloc[predictions["row"]].to_csv(tmp_path / "rows.csv", index=False)
    command = [
        sys.executable,
        "-c",
        script,
        f"models:/{client.get_run(run_id).outputs.model_outputs[0].model_id}",
        str(tmp_path / "rows.csv"),
    ]
    environment = make_environment("portable", clean_environment(MLFLOW_TRACKING_URI=store))
    served = subprocess.run(command, env=environment, cwd=tmp_path, check=False, capture_output=True, encoding="utf-8")
    assert served.returncode == 0, served.stderr
    assert served.stdout.splitlines()[-1] == str(predictions["predicted"].tolist())


def test_a_broken_claim_is_said_and_with_strict_has_a_code_of_its_own(write_config: Callable[..., Path], store: str) -> None:
    path = write_config(
        {"name": "claims", "models": {"dummy": {}}, "claims": {"accuracy": {"at_least": 0.999}, "recall": {"at_least": 0.0}}}
    )

    strict, lenient = (run_samebits("train", str(path), *words, MLFLOW_TRACKING_URI=store) for words in (["--strict"], []))

    unheard = run_unheard("train", "--strict", str(path), MLFLOW_TRACKING_URI=store)

    assert (strict.returncode, lenient.returncode, unheard.returncode) == (3, 0, 3), unheard.stderr
    assert " confirms run " in unheard.stderr
    assert "claimed at least 0.999: BROKEN" in strict.stderr and "claimed at least 0: kept" in strict.stderr


def test_with_json_stdout_holds_what_was_made_and_nothing_that_a_class_prints(
    write_config: Callable[..., Path], own_store: str, tmp_path: Path
) -> None:
    (tmp_path / "chatty.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n"
        "print('imported')\n"
        "class Chatty(LogisticRegression):\n"
        "    def fit(self, X, y, sample_weight=None):\n"
        "        print('fitted', flush=True)\n"
        "        return super().fit(X, y, sample_weight)\n",
        encoding="utf-8",
    )
    config = write_config({"name": "chatty", "allow": ["chatty"], "models": {"a": {"class": "chatty.Chatty", "max_iter": 500}}})

    done = run_samebits("train", str(config), "--json", MLFLOW_TRACKING_URI=own_store, PYTHONPATH=str(tmp_path))

    made = json.loads(done.stdout)
    (run,) = list_runs(open_client(own_store), "chatty")
    assert made["run_id"] == run.info.run_id and made["reproduce"] == f"samebits reproduce {run.info.run_id}"
    assert made["digests"]["model"] == run.data.tags["model_digest"] and made["digests"]["outputs"] == run.data.tags["outputs_digest"]
    shown = {name.removeprefix("test_"): value for name, value in run.data.metrics.items()}
    assert made["metrics"] == {name: shown[name] for name in made["metrics"]}
    assert (made["reused"], made["waiting"], made["rows"], made["best"]) == (False, None, "test", "a")
    assert re.fullmatch(rf"http://127\.0\.0\.1:5000/#/experiments/\d+/runs/{made['run_id']}\?\S+", made["page"])
    assert made["serve"] == "uv run just ui" and f"see    {made['page']} after `uv run just ui`" in done.stderr
    assert "imported\n" in done.stderr and "fitted\n" in done.stderr


def test_looks_are_asked_for_before_anything_is_trained(write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed and stands nowhere yet must not wait for a server, in front of which the process may be killed."""
    told: list[Any] = []

    def stop(*_: Any) -> None:
        raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr("samebits.training.training.make_result", stop)
    monkeypatch.setattr("samebits.training.training.check_kernels", lambda *_: None)  # of this process, which is pinned to none

    with pytest.raises(Interrupted):
        make_training(check_config(write_config({"models": {"dummy": {}}})), ROOT, note_rows=told.append)

    assert digest_held_rows(told[0]) == digest_held_rows({**told[0], "metrics": {}})
    assert set(told[0]) == {"config", "data", "split"}


def test_a_server_that_cannot_be_asked_for_looks_costs_only_them(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def refuse(*_: Any) -> None:
        raise TrackingError(Problem("server", "an answer", "none", "Wait."))

    monkeypatch.setattr("samebits.recording.looks.find_judged", refuse)
    looks = AskedLooks(object())

    looks.note_rows({})

    assert looks.count({}) is None
    assert "how often these test rows were looked at is not known" in capsys.readouterr().err
