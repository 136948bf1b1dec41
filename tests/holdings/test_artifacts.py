from __future__ import annotations

import ast
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT

from samebits.delivery.preflight import check_store
from samebits.errors import TrackingError
from samebits.holdings.archive import Archive
from samebits.holdings.artifacts import check_location, open_artifacts, read_artifact, send_artifact
from samebits.holdings.runs import open_recorded_run

SERVER = "https://me:word@ml.example/team"
SOURCES = sorted((ROOT / "src/samebits").rglob("*.py"))
FOREIGN = [
    "http://evil/api/2.0/mlflow-artifacts/artifacts/x",
    "https://evil/api/2.0/mlflow-artifacts/artifacts/x",
    "http://ml.example/api/2.0/mlflow-artifacts/artifacts/x",  # in clear text
    "https://ml.example:444/api/2.0/mlflow-artifacts/artifacts/x",
    "https://ml.example@evil/x",
    "https://evil\\@ml.example/x",
    "https://a@evil@ml.example/x",
    "https://ml.example:x/y",
    "HTTPS://evil/api",
    "https:/evil/api",
    "ht\ntps://evil/x",
    " https://evil/x",
    "https://[evil/x",
    "mlflow-artifacts://evil/1",
    "mlflow-artifacts://ml.example:444/1",
    "ftp://evil/x",
    "sftp://evil/x",
    "hdfs://evil/x",
    "viewfs://evil/x",
    "dbfs:/x",
    "dbfs://profile@databricks/x",
    "models:/m/1",
    "runs:/0/x",
    "r2://bucket@evil.example/x",
    "b2://bucket@s3.evil.example/x",
    "abfss://files@account.evil.example/x",
    "wasbs://container@evil.example/x",
    "evil:x",
]


@pytest.mark.parametrize("location", FOREIGN)
def test_no_other_host_is_signed_in_at(location: str, tmp_path: Path) -> None:
    run: Any = SimpleNamespace(info=SimpleNamespace(run_id="r", artifact_uri=location))

    for ask in (
        lambda: open_artifacts(location, SERVER),
        lambda: Archive(location, SERVER),
        lambda: read_artifact(SimpleNamespace(tracking_uri=SERVER), run, "lineage.json", 9),
    ):
        with pytest.raises(TrackingError, match="expected a folder, the tracking server's own artifacts, or an object store"):
            ask()


@pytest.mark.parametrize(
    "location",
    [
        "/srv/runs/1",
        "file:///srv/runs/1",
        "mlflow-artifacts:/1/r/artifacts",
        "mlflow-artifacts://ML.example/1",
        "mlflow-artifacts://ml.example:443/1",
        "https://ml.example/team/api/2.0/mlflow-artifacts/artifacts/x",
        "https://me:word@ml.example:443/api/2.0/mlflow-artifacts/artifacts/x",
        "s3://bucket/x",
        "gs://bucket/x",
        "r2://bucket@account.r2.cloudflarestorage.com/x",
        "b2://bucket@s3.us-west-004.backblazeb2.com/x",
        "wasbs://container@account.blob.core.windows.net/x",
        "abfss://files@account.dfs.core.windows.net/x",
    ],
)
def test_a_folder_the_servers_own_place_and_an_object_store_are_taken(location: str) -> None:
    check_location(location, SERVER)


def test_a_server_of_databricks_has_files_of_its_own_and_a_database_no_host() -> None:
    check_location("dbfs:/databricks/mlflow-tracking/1", "databricks://profile")

    with pytest.raises(TrackingError, match="location of artifacts"):
        check_location("mlflow-artifacts://evil/1", "sqlite:////srv/mlflow.db")
    with pytest.raises(TrackingError, match="location of artifacts"):
        check_location("http://evil/1", "sqlite:////srv/mlflow.db")


@pytest.mark.parametrize("spelt", ["{}", "file://{}", "FILE://{}", " {}", "x://../{}"])
def test_one_file_is_read_from_a_runs_own_folder_only(tmp_path: Path, spelt: str) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/lineage.json").write_text("{}", encoding="utf-8")
    run: Any = SimpleNamespace(info=SimpleNamespace(run_id="r", artifact_uri=spelt.format(tmp_path / "secret")))

    with pytest.raises(TrackingError, match=r"expected a folder …/r/artifacts|location of artifacts"):
        read_artifact(SimpleNamespace(tracking_uri=SERVER), run, "lineage.json", 9)


def test_one_file_is_bounded_and_no_link_leads_out(tmp_path: Path) -> None:
    folder = tmp_path / "r/artifacts"
    folder.mkdir(parents=True)
    (tmp_path / "key").write_text("{}", encoding="utf-8")
    (folder / "key").symlink_to(tmp_path / "key")
    (folder / "large").write_text("x" * 10, encoding="utf-8")
    run: Any = SimpleNamespace(info=SimpleNamespace(run_id="r", artifact_uri=str(folder)))
    client = SimpleNamespace(tracking_uri=SERVER)

    assert read_artifact(client, run, "key", 9) is None and read_artifact(client, run, "none", 9) is None
    assert read_artifact(client, run, "large", 10) == b"x" * 10
    with pytest.raises(TrackingError, match="large"):
        read_artifact(client, run, "large", 9)


def test_what_a_server_lists_as_too_large_is_not_fetched(server: str, tmp_path: Path) -> None:
    from recorded_runs import open_client

    client = open_client(server)
    run = client.create_run(client.create_experiment("one file"))
    client.log_text(run.info.run_id, "x" * 10, "reproduction.json")

    assert read_artifact(client, run, "reproduction.json", 10) == b"x" * 10
    assert read_artifact(client, run, "lineage.json", 10) is None
    (tmp_path / "lineage.json").write_bytes(b"{}")
    send_artifact(client, run.info.run_id, tmp_path / "lineage.json")
    assert read_artifact(client, run, "lineage.json", 10) == b"{}"
    with pytest.raises(TrackingError, match="at most 9 bytes, found 10"):
        read_artifact(client, run, "reproduction.json", 9)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT / "src/samebits").as_posix())
def test_artifacts_have_one_door(path: Path) -> None:
    """MLflow's own ways to a run's artifacts go wherever the server says, with the reader's password."""
    if path.name == "artifacts.py" and path.parent.name == "holdings":
        return
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    names = [ast.unparse(node) for node in tree if isinstance(node, ast.Attribute | ast.alias | ast.Name)]

    ways = ("client.download_artifacts", "client.list_artifacts", "client.log_artifact", "client.log_artifacts", "mlflow.artifacts")
    assert [name for name in names if "get_artifact_repository" in name or name.endswith(ways)] == []


def test_a_run_that_somebody_placed_at_another_host_gets_no_password(
    empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: a server that says so, a listener in the stranger's place, a password in the environment."""
    from recorded_runs import open_client

    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "our-own-password")
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.settimeout(0.5)
        place = f"http://127.0.0.1:{stranger.getsockname()[1]}/api/2.0/mlflow-artifacts/artifacts/x"
        shutil.copyfile(empty_store, tmp_path / "mlflow.db")
        client = open_client(f"sqlite:///{tmp_path}/mlflow.db")
        run = client.create_run(client.create_experiment("elsewhere", place))

        with pytest.raises(TrackingError, match="location of artifacts"):
            open_recorded_run(client, run.info.run_id)
        with pytest.raises(TrackingError, match="location of artifacts"):
            read_artifact(client, run, "lineage.json", 9)
        with pytest.raises(TrackingError, match="location of artifacts"):
            check_store(place, client.tracking_uri, tmp_path)

        with pytest.raises(TimeoutError):
            stranger.accept()
