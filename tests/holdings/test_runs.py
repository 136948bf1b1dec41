from __future__ import annotations

import contextlib
import json
import os
import shutil
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest
import yaml
from conftest import SMALL, merge
from mlflow.exceptions import MlflowException
from recorded_runs import CountingClient, open_client, train

from samebits.errors import LineageError, TrackingError
from samebits.holdings import downloads, runs
from samebits.holdings.downloads import count_listed, list_inner_files
from samebits.holdings.named_models import NamedModel, _normalise, check_model_is_the_runs
from samebits.holdings.runs import find_run_id, list_candidate_runs, list_originals, open_recorded_run, read_given_file
from samebits.lineage.tracked_candidates import CANDIDATE_TAG

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
    client.create_registered_model("m-5eed")  # a name that looks like the start of an id
    client.create_model_version("m-5eed", source=f"models:/{model_id}", run_id=run_id)
    client.create_registered_model("named")
    version = client.create_model_version("named", source=f"models:/{model_id}", run_id=run_id)
    client.set_registered_model_alias("named", "champion", version.version)
    reproduction = client.create_run(client.get_run(run_id).info.experiment_id, tags={"reproduces": run_id, "outputs_digest": "x"})
    client.set_terminated(reproduction.info.run_id)

    names = [run_id, run_id[:8], f"runs:/{run_id}", f"runs:/{run_id}/model", f"runs:/{run_id}/dummy", f"models:/{model_id}"]
    names += ["models:/m-5eed/1", "models:/named/1", "models:/named@champion", "latest"]

    assert {find_run_id(client, name) for name in names} == {run_id}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("runs:/00000000000000000000000000000000/nothing", "find run 00000000000000000000000000000000"),
        ("nothing/runs", "a run's id or its first 4 or more digits, found neither"),
        ("ab", "a run's id or its first 4 or more digits, found neither"),
        ("wdbc", "found neither"),
        ("4dbb2c0e/lineage.json", "run '4dbb2c0e/lineage.json': expected a run's id"),
        ("/nowhere/lineage.json", "If it is a lineage.json, there is no such file."),
        ("5555555", "expected one run whose id begins so, found none"),
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
    from samebits.holdings import runs

    before = runs._MIN_PREFIX
    runs._MIN_PREFIX = 1
    try:
        with pytest.raises(TrackingError, match=r"expected one run whose id begins so, found \d+: .*Give more digits"):
            find_run_id(client, made[:1])
    finally:
        runs._MIN_PREFIX = before


def test_another_name_than_the_models_is_no_name_of_its_run(run_id: str, store: str) -> None:
    with pytest.raises(TrackingError, match="expected the run's model, found a model named dummy"):
        find_run_id(open_client(store), f"runs:/{run_id}/nothing")


def test_a_candidate_is_no_run_of_its_own_and_that_is_said(run_id: str, store: str) -> None:
    client = open_client(store)
    experiment = client.get_run(run_id).info.experiment_id
    tags = {"mlflow.parentRunId": run_id, CANDIDATE_TAG: "svm", "outputs_digest": "x"}
    nested = client.create_run(experiment, tags=tags, run_name="svm 0.9").info.run_id
    client.set_terminated(nested)

    with pytest.raises(TrackingError, match=f"expected a run of its own, found candidate svm of run {run_id}. Name that run"):
        open_recorded_run(client, nested)
    assert [run.info.run_id for run in list_candidate_runs(client, client.get_run(run_id))] == [nested]
    assert nested not in [run.info.run_id for run in list_originals(client)]


def test_an_id_under_which_several_runs_were_made_is_refused_with_all(store: str) -> None:
    client = open_client(store)
    experiment = client.create_experiment("parcels of one id")
    made = [client.create_run(experiment, tags={"parcel_id": "f" * 32}).info.run_id]
    with pytest.raises(LineageError, match=made[0]):  # the one that is meant, which is not finished
        open_recorded_run(client, "f" * 32).read_lineage()

    made.append(client.create_run(experiment, tags={"parcel_id": "f" * 32}).info.run_id)

    with pytest.raises(TrackingError, match="expected one run that was made under this id") as refused:
        open_recorded_run(client, "f" * 32)
    assert all(run_id in str(refused.value) for run_id in made)


def test_a_file_that_is_no_lineage_is_refused(store: str, tmp_path: Path) -> None:
    path = tmp_path / "lineage.json"
    path.write_text("{}", encoding="utf-8")

    with pytest.raises(LineageError, match=r"expected a lineage of schema 1, 2, 3, 4, 5 or 6, found schema None"):
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


WAYS = {
    "register_model(runs:/ID/name)": lambda client, run, model: mlflow.register_model(f"runs:/{run.info.run_id}/{model.name}", "ways"),
    "register_model(models:/m-…)": lambda client, run, model: mlflow.register_model(f"models:/{model.model_id}", "ways"),
    "client, source models:/m-…": lambda client, run, model: client.create_model_version(
        "ways", source=f"models:/{model.model_id}", run_id=run.info.run_id
    ),
    "client, without a run": lambda client, run, model: client.create_model_version("ways", source=f"models:/{model.model_id}"),
    "client, the files' place": lambda client, run, model: client.create_model_version(
        "ways", source=model.artifact_location, run_id=run.info.run_id
    ),
    "client, the files' place, a slash after it": lambda client, run, model: client.create_model_version(
        "ways", source=f"{model.artifact_location}/", run_id=run.info.run_id, model_id=model.model_id
    ),
    "client, the files' place, no run": lambda client, run, model: client.create_model_version("ways", source=model.artifact_location),
    "client, source runs:/": lambda client, run, model: client.create_model_version(
        "ways", source=f"runs:/{run.info.run_id}/{model.name}", run_id=run.info.run_id
    ),
    "client, all of it": lambda client, run, model: client.create_model_version(
        "ways", source=model.artifact_location, run_id=run.info.run_id, model_id=model.model_id
    ),
    "a copy of a version": lambda client, run, model: client.copy_model_version(
        f"models:/originals/{mlflow.register_model(f'models:/{model.model_id}', 'originals').version}",
        "ways",
    ),
}


@pytest.fixture(scope="module")
def served(server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of the same run on a real server."""
    path = tmp_path_factory.mktemp("served") / "small.yaml"
    path.write_text(yaml.safe_dump(merge(SMALL, {"name": "served", "models": {"dummy": {}}})), encoding="utf-8")
    return train(path, server)


@pytest.mark.parametrize("place", ["database", "server"])
@pytest.mark.parametrize("way", WAYS)
def test_a_model_goes_by_its_name_however_it_was_registered(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, way: str, place: str
) -> None:
    uri, own = (request.getfixturevalue(name) for name in (("store", "run_id") if place == "database" else ("server", "served")))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    client = open_client(uri)
    run = client.get_run(own)
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    for name in ("ways", "originals"):
        with contextlib.suppress(MlflowException):
            client.create_registered_model(name)

    try:
        version = WAYS[way](client, run, model).version
    except MlflowException as error:
        assert place == "server" and "Invalid model version source" in str(error)  # a way that only a database leaves open
        return
    client.set_registered_model_alias("ways", "champion", version)

    for reference in (f"models:/ways/{version}", "models:/ways@champion"):
        with open_recorded_run(client, reference) as recorded:
            assert recorded.run_id == own


def test_a_model_registered_on_the_page_goes_by_its_name(server: str, served: str) -> None:
    """The page sends the model's place and its run."""
    client = open_client(server)
    run = client.get_run(served)
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    for path, body in (
        ("registered-models/create", {"name": "page"}),
        ("model-versions/create", {"name": "page", "source": model.artifact_location, "run_id": served, "model_id": model.model_id}),
    ):
        asked = urllib.request.Request(
            f"{server}/api/2.0/mlflow/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        assert urllib.request.urlopen(asked).status == 200

    with open_recorded_run(client, "models:/page/1") as recorded:
        assert recorded.run_id == served


@pytest.mark.parametrize(
    "source",
    [
        "{location}/../../other/artifacts",
        "{location}2",
        "s3://elsewhere/models/{model_id}/artifacts",
        "/elsewhere/models/{model_id}/artifacts",
        "https://elsewhere/models/{model_id}/artifacts",
        "models:/m-00000000000000000000000000000000",
        "runs:/00000000000000000000000000000000/model",
        "runs:/{run_id}/another",
        "",
    ],
)
def test_a_version_whose_files_lie_elsewhere_is_another_model(run_id: str, store: str, source: str) -> None:
    client = open_client(store)
    run = client.get_run(run_id)
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    forged = NamedModel(run_id, source.format(location=model.artifact_location, model_id=model.model_id, run_id=run_id))

    with pytest.raises(TrackingError, match=r"Register the run's own model"):
        check_model_is_the_runs(client, run, "models:/x/1", forged)


def test_one_place_written_in_different_ways_is_one_place() -> None:
    same = [
        ("mlflow-artifacts:/1/models/m-1/artifacts", "mlflow-artifacts://host:5000/1/models/m-1/artifacts/"),
        ("mlflow-artifacts:/1/a", "http://host:5000/api/2.0/mlflow-artifacts/artifacts/1/a"),
        ("/srv/a b", "file:///srv/a%20b"),
        ("s3://bucket/a", "s3://bucket/a/"),
    ]

    assert all(_normalise(left) == _normalise(right) for left, right in same)
    assert _normalise("s3://bucket/a") != _normalise("s3://other/a")


def test_a_folder_that_is_none_of_a_run_is_not_listed(tmp_path: Path) -> None:
    """A server says where a run's files are: any folder of this machine, if it were believed."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/key").write_text("x", encoding="utf-8")

    for uri in (str(tmp_path / "secrets"), (tmp_path / "secrets").as_uri(), "/etc"):
        with pytest.raises(TrackingError, match=r"expected a folder …/r/artifacts"):
            downloads._open_location(None, uri, tmp_path / "to", "r")


def test_no_link_is_followed_out_of_a_runs_folder(tmp_path: Path) -> None:
    folder = tmp_path / "r/artifacts"
    folder.mkdir(parents=True)
    (folder / "own.txt").write_text("x", encoding="utf-8")
    (folder / "inside.txt").symlink_to(folder / "own.txt")
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "etc").symlink_to("/etc")
    os.mkfifo(folder / "pipe")

    assert sorted(list_inner_files(folder)) == ["inside.txt", "own.txt"]


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ({"lineage.json": 33 << 20}, "at most 32 MiB, found 33 MiB"),
        ({"a": 1 << 50}, "expected room for them"),
        ({f"a{number}": 1 for number in range(200_001)}, "at most 200000, found more"),
    ],
)
def test_what_is_listed_is_counted_before_it_is_fetched(tmp_path: Path, listed: dict[str, int], said: str) -> None:
    infos = [SimpleNamespace(path=path, file_size=size, is_dir=False) for path, size in listed.items()]
    repository = SimpleNamespace(list_artifacts=lambda path=None: infos)
    with pytest.raises(TrackingError, match=said), count_listed(repository, tmp_path):
        repository.list_artifacts("")


def test_a_lineage_that_cannot_be_read_is_refused_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("samebits.holdings.runs.read_plain", refuse)

    with pytest.raises(LineageError, match=r"lineage\.json: expected a readable file, found Permission denied"):
        read_given_file(tmp_path / "lineage.json")


class Page(list):  # type: ignore[type-arg]
    """What MLflow gives: entries, and the word for the next page."""

    token = "again"


def test_the_latest_is_found_among_few_however_many_there_are(
    empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_FEW", 2)
    client = CountingClient(open_client(f"sqlite:///{shutil.copy(empty_store, tmp_path / 'mlflow.db')}"))
    experiment_id = client.create_experiment("many")
    made = []
    for number in range(8):
        tags = {"outputs_digest": "sha256:any", **({"reproduces": "another"} if number > 5 else {})}
        made.append(client.create_run(experiment_id, start_time=1 + number, tags=tags).info.run_id)
        client.set_terminated(made[-1])

    assert find_run_id(client, "latest") == made[5]
    assert client.n_read == 4


def test_a_server_whose_pages_have_no_end_is_said() -> None:
    client = SimpleNamespace(search_experiments=lambda **_: Page())

    with pytest.raises(TrackingError, match="found the same page again and again"):
        find_run_id(client, "latest")
