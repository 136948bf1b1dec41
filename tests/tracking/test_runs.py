from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from conftest import SMALL, merge
from recorded_runs import open_client, train

from samebits.errors import LineageError, TrackingError
from samebits.tracking.runs import find_run_id, open_recorded_run, read_given_file

pytestmark = pytest.mark.xdist_group("verify")


@pytest.fixture(scope="module")
def store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """In place of the session's: `latest` is asked of it."""
    return f"sqlite:///{shutil.copy(empty_store, tmp_path_factory.mktemp('runs'))}"


@pytest.fixture(scope="module")
def run_id(store: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("named") / "small.yaml"
    path.write_text(yaml.safe_dump(merge(SMALL, {"name": "named", "models": {"dummy": {}}})), encoding="utf-8")
    return train(path, store)


def test_a_run_goes_by_its_id_a_prefix_a_uri_its_model_or_latest(run_id: str, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)  # MLflow's registry asks its own client
    client = open_client(store)
    model_id = client.get_run(run_id).outputs.model_outputs[0].model_id
    client.create_registered_model("named")
    version = client.create_model_version("named", source=f"models:/{model_id}", run_id=run_id)
    client.set_registered_model_alias("named", "champion", version.version)
    reproduction = client.create_run(client.get_run(run_id).info.experiment_id, tags={"reproduces": run_id, "outputs_digest": "x"})
    client.set_terminated(reproduction.info.run_id)

    names = [run_id, run_id[:8], f"runs:/{run_id}", f"runs:/{run_id}/model", f"models:/{model_id}", "models:/named/1"]
    names += ["models:/named@champion", "latest"]

    assert {find_run_id(client, name) for name in names} == {run_id}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ab", "a run's id or its first 4 or more digits, found neither"),
        ("wdbc", "found neither"),
        ("4dbb2c0e/lineage.json", "run '4dbb2c0e/lineage.json': expected a run's id"),
        ("/nowhere/lineage.json", "If it is a lineage.json, there is no such file."),
        ("fffffff", "expected one run whose id begins so, found none"),
        ("models:/nothing/1", "find models:/nothing/1"),
        ("models:/nothing", "expected models:/name/version or models:/name@alias"),
    ],
)
def test_what_names_no_run_is_said_with_what_to_do(store: str, name: str, said: str) -> None:
    with pytest.raises(TrackingError) as raised:
        find_run_id(open_client(store), name)

    assert said in str(raised.value)


def test_a_prefix_of_two_runs_is_refused_with_both(store: str) -> None:
    client = open_client(store)
    experiment_id = client.create_experiment("ambiguous")
    by_prefix: dict[str, str] = {}
    while True:  # two of some runs share four digits soon enough only by luck, so the shared ones are sought among three
        made = client.create_run(experiment_id).info.run_id
        if made[:1] in by_prefix:
            break
        by_prefix[made[:1]] = made
    from samebits.tracking import runs

    before = runs._MIN_PREFIX
    runs._MIN_PREFIX = 1
    try:
        with pytest.raises(TrackingError, match=r"expected one run whose id begins so, found \d+: .*Give more digits"):
            find_run_id(client, made[:1])
    finally:
        runs._MIN_PREFIX = before


def test_a_file_that_is_no_lineage_is_refused(store: str, tmp_path: Path) -> None:
    path = tmp_path / "lineage.json"
    path.write_text("{}", encoding="utf-8")

    with pytest.raises(LineageError, match=r"expected a lineage of schema 1, 2, 3 or 4, found schema None"):
        open_recorded_run(open_client(store), str(path))


def test_a_registered_model_that_is_not_the_one_its_run_recorded_is_refused(
    run_id: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    client = open_client(store)
    client.create_registered_model("foreign")
    client.create_model_version("foreign", source=str(tmp_path), run_id=run_id)

    with pytest.raises(
        TrackingError, match=r"models:/foreign/1: expected the model that run \w+ recorded .*found files from elsewhere"
    ):
        open_recorded_run(client, "models:/foreign/1")


def test_a_lineage_that_cannot_be_read_is_refused_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)

    with pytest.raises(LineageError, match=r"lineage\.json: expected a readable file, found Permission denied"):
        read_given_file(tmp_path / "lineage.json")
