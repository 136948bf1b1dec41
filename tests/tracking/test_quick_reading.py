"""What is read of an SQLite database without MLflow is what MLflow's client gives, or that client is asked."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest
from conftest import ROOT, clean_environment
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, RunTag
from recorded_runs import record_shipped

from samebits.holdings.runs import list_experiments, search_runs
from samebits.tracking.quick_reading import SCHEMAS, QuickReader


@pytest.fixture
def client(own_store: str) -> Any:
    return mlflow.MlflowClient(tracking_uri=own_store)


@pytest.fixture
def run_ids(client: Any) -> list[str]:
    """Write runs of two experiments, one of them deleted, with all that a run has, and odd values of it."""
    found = []
    for experiment in (client.create_experiment("a"), client.create_experiment("ü")):
        for number in range(3):
            run = client.create_run(experiment, start_time=1_000 + number // 2, run_name=f"name {number}")
            values = (0.1, float("nan"), float("inf"), -0.0)
            metrics = [Metric("m", value, 5, step) for step, value in enumerate(values)] + [
                Metric(f"m{i}", v, 5, 0) for i, v in enumerate(values)
            ]
            tags = [RunTag("digest", "sha256:ab"), RunTag("empty", ""), RunTag("mlflow.parentRunId", found[0] if found else "none")]
            client.log_batch(run.info.run_id, metrics, [Param("p", "1"), Param("é/x", "")], tags)
            datasets = [Dataset(name, "c3e3bad9", "local", "{}") for name in ("wdbc.csv", "test rows")]
            contexts = [InputTag("mlflow.data.context", "training"), InputTag("more", "1")]
            client.log_inputs(run.info.run_id, [DatasetInput(one, contexts) for one in datasets])
            for name in ("best", "second")[: 1 + number % 2]:
                model = client.create_logged_model(experiment, name=name, source_run_id=run.info.run_id)
                client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, 0)])
            client.set_terminated(run.info.run_id, "FINISHED" if number else "FAILED")
            found.append(run.info.run_id)
    client.delete_run(found[1])
    client.delete_experiment(client.create_experiment("deleted"))
    return found


@pytest.fixture
def read(own_store: str, client: Any, run_ids: list[str]) -> QuickReader:
    """Return a reader that has no client of MLflow's to ask."""

    def refuse() -> Any:
        raise AssertionError("MLflow was asked")

    return QuickReader(own_store, Path(own_store.removeprefix("sqlite:///")), refuse)


def show(run: Any) -> dict[str, Any]:
    """Return what is read of a run here, in an order of its own."""
    names = ("run_id", "run_name", "experiment_id", "status", "start_time", "end_time", "lifecycle_stage", "artifact_uri")
    return {
        **{name: getattr(run.info, name) for name in names},
        "tags": run.data.tags,
        "params": run.data.params,
        "metrics": {name: repr(value) for name, value in run.data.metrics.items()},
        "datasets": sorted((one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs),
        "models": sorted(one.model_id for one in run.outputs.model_outputs),
    }


def test_runs_experiments_metrics_and_models_are_what_mlflow_gives(read: QuickReader, client: Any, run_ids: list[str]) -> None:
    for run_id in run_ids:
        run = client.get_run(run_id)
        assert show(read.get_run(run_id)) == show(run)
        for model_id in [output.model_id for output in run.outputs.model_outputs]:
            for name in ("name", "artifact_location", "creation_timestamp", "source_run_id", "model_id"):
                assert getattr(read.get_logged_model(model_id), name) == getattr(client.get_logged_model(model_id), name)
        histories = [[(repr(one.value), one.step) for one in of.get_metric_history(run_id, "m")] for of in (read, client)]
        assert histories[0] == histories[1] and len(histories[0]) == 4
        experiments = [of.get_experiment(run.info.experiment_id) for of in (read, client)]
        assert len({(one.name, one.artifact_location, one.experiment_id) for one in experiments}) == 1
    assert list_experiments(read) == list_experiments(client)


@pytest.mark.parametrize(
    "condition",
    [
        "tags.digest = 'sha256:ab' AND attributes.status = 'FINISHED'",
        "tags.digest = 'sha256:AB'",
        "tags.empty != ''",
        "tags.digest != ''",
        "attributes.status != 'FINISHED'",
        "tags.`mlflow.parentRunId` = 'none' AND tags.digest != ''",
    ],
)
def test_a_search_finds_what_mlflow_finds_in_its_order_whatever_the_page(read: QuickReader, client: Any, condition: str) -> None:
    found = [show(run) for run in search_runs(read, condition, page_size=2)]

    assert found == [show(run) for run in search_runs(client, condition)]


def test_mlflow_goes_on_with_the_next_page_where_the_database_can_be_read_no_more(
    own_store: str, client: Any, run_ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = QuickReader(own_store, Path(own_store.removeprefix("sqlite:///")), lambda: client)
    pages = search_runs(reader, "tags.digest != ''", page_size=2)

    first = [next(pages), next(pages)]
    monkeypatch.setattr("samebits.tracking.quick_reading.SCHEMAS", frozenset())

    found = [show(run) for run in (*first, *pages)]
    assert found == [show(run) for run in search_runs(client, "tags.digest != ''")] and len(found) == len(run_ids) - 1


def test_what_is_asked_otherwise_is_asked_of_mlflow(own_store: str, client: Any, run_ids: list[str]) -> None:
    reader = QuickReader(own_store, Path(own_store.removeprefix("sqlite:///")), lambda: client)

    assert [show(run) for run in search_runs(reader, "params.p = '1'")] == [show(run) for run in search_runs(client, "params.p = '1'")]
    assert len(list(search_runs(reader, f"attributes.run_id LIKE '{run_ids[0][:9]}%'"))) == 1
    reader.set_tag(run_ids[0], "later", "1")
    assert reader.get_run(run_ids[0]).data.tags["later"] == "1"
    with pytest.raises(mlflow.exceptions.MlflowException, match="not found"):
        reader.get_run("0" * 32)


@pytest.mark.parametrize("change", ["UPDATE alembic_version SET version_num = 'later'", "UPDATE experiments SET workspace = 'x'"])
def test_a_schema_that_is_not_known_and_workspaces_are_mlflow_s(own_store: str, client: Any, run_ids: list[str], change: str) -> None:
    asked: list[str] = []
    reader = QuickReader(own_store, Path(own_store.removeprefix("sqlite:///")), lambda: asked.append("MLflow") or client)
    with sqlite3.connect(own_store.removeprefix("sqlite:///")) as connection:
        connection.execute(change)

    found = reader.get_run(run_ids[0])

    assert found.info.run_id == run_ids[0]
    assert asked == ["MLflow"]


def test_the_schema_of_the_installed_mlflow_is_known(own_store: str) -> None:
    """A later MLflow may have another: read what changed of it, and add it, or `train --reuse` waits for MLflow's import again."""
    with sqlite3.connect(own_store.removeprefix("sqlite:///")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone()[0] in SCHEMAS


def test_a_run_is_handed_back_without_mlflow_and_pandas(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    shipped = record_shipped("diabetes", empty_store, tmp_path_factory.getbasetemp())
    command = [sys.executable, "-X", "importtime", "-m", "samebits", "train", "--reuse", "confs/diabetes.yaml"]

    done = subprocess.run(
        command, cwd=ROOT, env=clean_environment(MLFLOW_TRACKING_URI=shipped.store), capture_output=True, encoding="utf-8", check=True
    )

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "reused: trained" in done.stderr and done.stdout.split()[1] == shipped.run_id
    assert "samebits.proof.reuse" in imported and not imported & {"mlflow", "pandas", "numpy", "sklearn"}
