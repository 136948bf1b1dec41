"""What of runs goes to a team's store: tables before they are trained on, models with their records; what no run names is told."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import run_samebits
from recorded_runs import open_client

from samebits.commands import data_of_runs, data_store, data_versions, named_data
from samebits.commands.data_of_runs import _pull_table, pull_run, push_run
from samebits.commands.data_store import run_data_sync
from samebits.commands.data_versions import run_data_gc, run_data_log
from samebits.digests import digest_bytes, digest_file
from samebits.errors import DataError
from samebits.holdings.runs import open_recorded_run
from samebits.stores.store import open_named, open_store
from samebits.tracking.server import connect

TABLE = ("x,y\n" + "".join(f"{index * 7 % 10},{'ab'[index * 7 % 10 > 4]}\n" for index in range(60))).encode()
DIGEST = digest_bytes(TABLE)


@pytest.fixture
def team(tmp_path: Path, own_store: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with a config and its table, beside a store that the environment names."""
    root, store = tmp_path / "project", tmp_path / "shelf"
    for folder in (root / "confs", root / "data", store):
        folder.mkdir(parents=True)
    (root / "data/t.csv").write_bytes(TABLE)
    (root / "confs/a.yaml").write_text(
        f'name: team\nversion: "2026.11.0"\nseed: 1\ndata: {{path: {root}/data/t.csv, digest: "{DIGEST}", target: y}}\n'
        "models: {decision_tree: {}}\ncv: {n_splits: 2}\nreport: none\n",
        "utf-8",
    )
    variables = {"MLFLOW_TRACKING_URI": own_store, "SAMEBITS_DATA_STORE": str(store)}
    variables |= {name: str(tmp_path / name) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME")}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for module in (data_of_runs, data_store, data_versions, named_data):
        monkeypatch.setattr(module, "find_project_root", lambda: root)
    return root


@pytest.fixture
def train(team: Path, own_store: str) -> Callable[..., str]:
    def train_config(**env: str) -> str:
        kept = {name: str(team.parent / name) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME")}
        kept |= {"MLFLOW_TRACKING_URI": own_store, "SAMEBITS_DATA_STORE": str(team.parent / "shelf")}
        done = run_samebits("train", str(team / "confs/a.yaml"), "--quiet", **{**kept, **env})
        assert done.returncode == 0, done.stderr
        return str(done.stdout.split()[1]) + (done.stderr if env else "")

    return train_config


def read_lineage_of(run_id: str) -> tuple[dict[str, Any], bytes]:
    with open_recorded_run(connect(Path()), run_id) as recorded:
        return recorded.read_lineage(), recorded.lineage_bytes


def test_a_table_goes_to_the_store_before_it_is_trained_on_and_not_with_the_experiment(train: Callable[..., str], team: Path) -> None:
    lineage, _ = read_lineage_of(train())

    assert lineage["archive"]["data"] == "stored"
    assert open_named(str(team.parent / "shelf")).holds(DIGEST)


def test_a_store_that_takes_nothing_costs_no_run(train: Callable[..., str], team: Path) -> None:
    said = train(SAMEBITS_DATA_STORE=str(team.parent / "none"))

    assert "the table is not in the store" in said
    assert read_lineage_of(said[:32])[0]["archive"]["data"] == "kept"


def test_a_model_goes_to_the_store_with_its_record_and_comes_whole(train: Callable[..., str], team: Path) -> None:
    run_id = train()
    lineage, content = read_lineage_of(run_id)

    push_run(run_id, open_store(team)[0])
    pull_run(run_id, open_store(team))

    store, place = open_named(str(team.parent / "shelf")), team / f"models/team-{run_id[:8]}"
    recorded = {name.removeprefix("model/"): one["digest"] for name, one in lineage["artifacts"].items() if name.startswith("model/")}
    pulled = {path.relative_to(place).as_posix(): digest_file(path) for path in place.rglob("*") if path.is_file()}
    assert pulled == {**recorded, "lineage.json": digest_bytes(content)}
    assert all(store.holds(digest) for digest in pulled.values())


def test_a_model_that_the_server_lost_comes_from_the_store(train: Callable[..., str], team: Path, own_store: str) -> None:
    run_id = train()
    stores = open_store(team)
    push_run(run_id, stores[0])
    with open_recorded_run(connect(team), run_id) as recorded:
        model = recorded.run.outputs.model_outputs[0].model_id
    location = Path(open_client(own_store).get_logged_model(model).artifact_location)
    kept = digest_file(location / "model.skops")
    (location / "model.skops").unlink()

    with pytest.raises(DataError, match=r"expected its whole model, found no model/model\.skops on the server\."):
        push_run(run_id, stores[0])
    pull_run(run_id, stores)

    assert digest_file(team / f"models/team-{run_id[:8]}/model.skops") == kept


def test_both_ways_at_once_bring_what_is_missing_on_either_side(train: Callable[..., str], team: Path, capsys: Any) -> None:
    run_id = train()
    (team / "data/t.csv").unlink()

    run_data_sync([])
    run_data_sync([])

    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert words == ["pulled", "pushed", "pulled", "there", "there", "there"]
    assert (team / "data/t.csv").read_bytes() == TABLE
    assert (team / f"models/team-{run_id[:8]}/model.skops").is_file()


def test_only_what_neither_a_run_nor_a_config_names_is_unnamed(train: Callable[..., str], team: Path, capsys: Any) -> None:
    store, other = open_named(str(team.parent / "shelf")), team / "other.csv"
    push_run(train(), store)
    other.write_bytes(b"x\n1\n")
    store.put(other, digest_file(other))
    n_kept = len(store.list_digests())
    capsys.readouterr()
    run_data_gc(is_deleting=True)
    assert "1 by none but kept less than a week ago" in capsys.readouterr().out
    for path in (team.parent / "shelf").rglob("*"):
        os.utime(path, (0, 0))

    run_data_gc(is_deleting=False)
    told = capsys.readouterr().out
    run_data_gc(is_deleting=True)

    assert told.count("unnamed sha256:") == 1 and f"unnamed {digest_file(other)}  4 bytes" in told
    assert not store.holds(digest_file(other))
    assert len(store.list_digests()) == n_kept - 1 and store.holds(DIGEST)


def test_nothing_is_unnamed_where_a_record_cannot_be_read(
    train: Callable[..., str], team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train()
    monkeypatch.setattr(data_versions, "list_model_digests", lambda *_: read_lineage_of("nothing"))

    with pytest.raises(DataError, match="Mend or delete that run first"):
        run_data_gc(is_deleting=True)

    assert open_named(str(team.parent / "shelf")).holds(DIGEST)


def test_versions_of_a_table_are_told_with_their_runs(train: Callable[..., str], team: Path, capsys: Any) -> None:
    first = train()
    config = team / "confs/a.yaml"
    later = TABLE + b"3,a\n"
    (team / "data/t.csv").write_bytes(later)
    config.write_text(config.read_text("utf-8").replace(DIGEST, digest_bytes(later)), "utf-8")
    second = train()

    run_data_log(str(config))

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [digest_bytes(later), DIGEST]
    assert "61 rows" in lines[0] and lines[0].endswith(f"runs {second[:8]}  pinned")
    assert "60 rows" in lines[1] and lines[1].endswith(f"runs {first[:8]}")


def test_a_backtest_is_named_once_among_the_runs_of_a_version(
    train: Callable[..., str], team: Path, own_store: str, capsys: Any
) -> None:
    for _ in range(2):
        run_id, client = train(), open_client(own_store)
        client.set_tag(run_id, "backtest_cutoff", "2026-11-01")
        client.set_tag(run_id, "mlflow.parentRunId", "ab" * 16)
    capsys.readouterr()

    run_data_log(str(team / "confs/a.yaml"))

    assert re.fullmatch(rf"{DIGEST}  [\d-]+  60 rows  \S+  runs abababab  pinned\n", capsys.readouterr().out)


def test_versions_of_a_query_s_rows_are_told(train: Callable[..., str], team: Path, tmp_path: Path, capsys: Any) -> None:
    config, database = team / "confs/a.yaml", sqlite3.connect(tmp_path / "team.db")
    database.execute("CREATE TABLE t (x INT, y TEXT)")
    database.executemany("INSERT INTO t VALUES (?, ?)", [(index, "ab"[index % 2]) for index in range(60)])
    database.commit()
    asked = "query: {sql: SELECT * FROM t, order_by: [x]}, database: TEAM_DATABASE"
    config.write_text(config.read_text("utf-8").replace(f"{team}/data/t.csv", f"rows.parquet, {asked}").replace(f'"{DIGEST}"', "null"))
    runs = []
    for index in (61, 62):
        runs.append(train(TEAM_DATABASE=f"sqlite:///{tmp_path}/team.db"))
        database.execute("INSERT INTO t VALUES (?, 'a')", (index,))
        database.commit()
    capsys.readouterr()

    run_data_log(str(config))

    lines = capsys.readouterr().out.splitlines()
    assert [(line.split()[2], line[-8:]) for line in lines] == [("61", runs[1][:8]), ("60", runs[0][:8])]


def test_a_runs_table_comes_back_and_never_over_other_bytes(train: Callable[..., str], team: Path, tmp_path: Path) -> None:
    run_id, stores, place = train(), open_store(team), tmp_path / "elsewhere/t.csv"
    with open_recorded_run(connect(Path()), run_id) as recorded:
        stage = {**recorded.read_lineage()["stages"]["data"], "path": "t.csv"}
        _pull_table(recorded, stage, place, stores, tmp_path)
        brought = place.read_bytes()
        place.write_bytes(b"edited")

        with pytest.raises(DataError, match="Nothing is overwritten"):
            _pull_table(recorded, stage, place, stores, tmp_path)

    assert brought == TABLE and place.read_bytes() == b"edited"
