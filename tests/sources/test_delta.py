"""A version of a Delta table is the files that its log names: its own rows whatever was written since, or a refusal in words."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import servers
import yaml
from conftest import SMALL, merge, run_samebits
from recorded_runs import clone_project, run_in

from samebits.errors import DataError
from samebits.keys.table import Read
from samebits.sources.bringing import bring_named
from samebits.table.files import choose_parts, digest_table
from samebits.table.reading import read_table

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("deltalake") is None, reason="deltalake not installed: uv sync --inexact --group servers"
    ),
    pytest.mark.xdist_group("bucket"),
]


# A bitmap of rows 0 and 3 as Delta's protocol lays it out (magic 1681511377, one 32-bit Roaring bitmap), in base 85.
INLINE_VECTOR = {
    "storageType": "i", "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000315c8Xg00093", "sizeInBytes": 36, "cardinality": 2
}  # fmt: skip
NO_FILE_VECTOR = {
    "storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4, "sizeInBytes": 40, "cardinality": 1
}  # fmt: skip


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a table of four versions: written, added to, a row removed (its file is written anew), its files put together."""
    from deltalake import DeltaTable, write_deltalake

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "lake" / "churn"
    folder.mkdir(parents=True)
    write_deltalake(folder, pa.table({"id": [1, 2, 3], "city": ["São Paulo", "a/b", "x"]}), partition_by=["city"])
    write_deltalake(folder, pa.table({"id": [4, 5], "city": ["x", "x"]}), mode="append")
    DeltaTable(folder).delete("id = 4")
    DeltaTable(folder).optimize.compact()
    return folder


def bring_rows(named: Path | str, pin: str | None = None) -> list[tuple[int, str]]:
    """Return id and city of a version's rows, as they are read for a training, in the order of the ids."""
    brought = bring_named(str(named), Path(named), pin)
    assert brought is not None
    table = read_table([brought.path], [pin], Read())
    columns = table.canonicalise(table.names, Read())
    return sorted((int(number), str(city)) for number, city in zip(columns["id"].values, columns["city"].values, strict=True))


def bring_ids(named: Path | str, pin: str | None = None) -> list[int]:
    return [number for number, _ in bring_rows(named, pin)]


def at(table: Path, version: int) -> Path:
    return table.with_name(f"{table.name}@v{version}")


def rewrite_log(table: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change each action of the first version's log."""
    path = table / "_delta_log/00000000000000000000.json"
    actions = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for action in actions:
        change(action)
    path.write_text("".join(json.dumps(action) + "\n" for action in actions), encoding="utf-8")


def test_each_version_has_its_own_rows_of_files_that_later_ones_left_there(table: Path) -> None:
    assert [bring_ids(at(table, version)) for version in range(4)] == [[1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, 5], [1, 2, 3, 5]]
    assert bring_rows(at(table, 0)) == [(1, "São Paulo"), (2, "a/b"), (3, "x")]


def test_what_was_brought_stays_to_be_had_by_its_pin_after_its_files_were_removed(table: Path) -> None:
    from deltalake import DeltaTable

    brought = bring_named(str(at(table, 0)), at(table, 0), None)
    assert brought is not None
    pin = digest_table(brought.path)
    DeltaTable(table).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)

    with pytest.raises(
        DataError, match=r"expected all files that the version's log names, found one of them removed \(VACUUM\): .*x/part"
    ):
        bring_ids(at(table, 1))
    assert bring_ids(at(table, 0), pin) == [1, 2, 3]
    with pytest.raises(DataError, match="expected the pinned sha256:0"):
        bring_ids(at(table, 3), "sha256:" + "0" * 64)
    shutil.rmtree(table)
    assert bring_ids(at(table, 0), pin) == [1, 2, 3]


def test_the_table_itself_is_refused_with_how_a_version_is_named(table: Path) -> None:
    with pytest.raises(DataError, match=r"found a Delta Lake table\. .* A config may name it as NAME@v12"):
        choose_parts(table)


def test_a_misspelt_table_is_suggested(table: Path) -> None:
    with pytest.raises(DataError, match=r"chrun@v1: expected the table, found no such file\. Did you mean 'churn'\?"):
        choose_parts(table.with_name("chrun@v1"))


def test_nothing_is_pinned_where_one_thing_cannot_be_and_that_is_named_as_the_config_has_it(table: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    named = f"{table}@v1"
    keys = {"split": {"method": "rows", "rows_file": named, "rows_digest": "sha256:" + "0" * 64}}
    config.write_text(yaml.safe_dump(merge({name: SMALL[name] for name in SMALL if name != "split"}, keys)), encoding="utf-8")
    before = config.read_bytes()

    done = run_samebits("data", "pin", str(config))

    assert done.returncode == 2 and f"{named}: expected a readable file, found" in done.stderr, done.stderr
    assert config.read_bytes() == before


def test_a_version_that_is_not_there_is_refused_with_the_last(table: Path) -> None:
    with pytest.raises(DataError, match=r"churn@v9: expected a version up to 3, found 9"):
        bring_ids(at(table, 9))
    (table / "_delta_log/00000000000000000000.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"churn@v1: expected version 1 in Delta's log, found "):
        bring_ids(at(table, 1))


@pytest.mark.parametrize(
    ("features", "settings", "said"),
    [
        (["columnMapping"], {"delta.columnMapping.mode": "name"}, "one that uses columnMapping"),
        (["deletionVectors"], {}, None),
        (["typeWidening"], {}, "typeWidening"),
    ],
)
def test_rows_and_names_that_stand_in_the_log_alone_are_refused(
    table: Path, features: list[str], settings: dict[str, str], said: str | None
) -> None:
    """That a table may have deletion vectors is no reason, as long as this version has none."""

    def change(action: dict[str, Any]) -> None:
        if "protocol" in action:
            action["protocol"] = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}
        if "metaData" in action and settings:
            schema = json.loads(action["metaData"]["schemaString"])
            for number, field in enumerate(schema["fields"], start=1):
                field["metadata"] = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": field["name"]}
            action["metaData"] |= {"configuration": settings, "schemaString": json.dumps(schema)}

    rewrite_log(table, change)

    if said is None:
        assert bring_ids(at(table, 0)) == [1, 2, 3]
    else:
        with pytest.raises(DataError, match=said):
            bring_ids(at(table, 0))


@pytest.mark.parametrize("vector", [INLINE_VECTOR, NO_FILE_VECTOR])
@pytest.mark.parametrize("features", [["deletionVectors"], []])
def test_rows_that_a_deletion_vector_takes_away_are_not_read(table: Path, vector: dict[str, Any], features: list[str]) -> None:
    """Whether the table says that it has such or not, and where the vector itself is not to be had."""

    def change(action: dict[str, Any]) -> None:
        if "protocol" in action:
            action["protocol"] = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}
        if "add" in action:
            action["add"]["deletionVector"] = vector

    rewrite_log(table, change)

    with pytest.raises(DataError, match="one that uses deletionVectors"):
        bring_ids(at(table, 0))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("file:///elsewhere/{}", r"expected a table whose files lie in its folder, found file:///elsewhere/.*\(a clone of another\)"),
        ("../{}", "expected a table whose files lie in its folder"),
        ("/etc/{}", "expected a table whose files lie in its folder"),
        ("_hidden/{}", "expected files whose names do not begin with"),
        ("_delta_log/00000000000000000000.json", "expected files whose names do not begin with"),
        ("kX/part-0.parquet", "expected files in folders named by city, found kX/part-0.parquet"),
        ("run=7/{}", "expected files in folders named by city, found run=7/"),
    ],
)
def test_what_a_log_names_that_folders_would_not_give_is_refused(table: Path, place: str, said: str) -> None:
    """Paths outside, files that a reader of folders passes over, partitions that stand in the log alone."""

    def change(action: dict[str, Any]) -> None:
        if "add" in action:
            action["add"]["path"] = place.format(action["add"]["path"])

    rewrite_log(table, change)

    with pytest.raises(DataError, match=said):
        bring_ids(at(table, 0))


def test_a_file_that_cannot_be_looked_at_is_named(table: Path) -> None:
    def change(action: dict[str, Any]) -> None:
        if "add" in action:
            action["add"]["path"] = f"city=x/{'y' * 300}"

    rewrite_log(table, change)

    with pytest.raises(DataError, match="expected a readable file, found File name too long"):
        bring_ids(at(table, 0))


@pytest.mark.skipif(
    importlib.util.find_spec("moto") is None or importlib.util.find_spec("boto3") is None,
    reason="moto, boto3 not installed: uv sync --inexact --extra server --group servers",
)
def test_a_version_in_a_bucket_is_brought_by_its_log(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    with servers.start_object_store(tmp_path) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
        client.create_bucket(Bucket="team")
        for path in filter(Path.is_file, table.rglob("*")):
            client.upload_file(str(path), "team", f"lake/{path.relative_to(table.parent)}")
        client.put_object(Bucket="team", Key="lake/export@v3", Body=b"id,city\n8,y\n")
        shutil.rmtree(table)

        assert bring_ids("s3://team/lake/churn@v1") == [1, 2, 3, 4, 5]
        assert bring_ids("s3://team/lake/churn@v2") == [1, 2, 3, 5]
        assert bring_ids("s3://team/lake/export@v3") == [8]
        with pytest.raises(DataError, match=r"found nothing at s3://team/lake/other@v1"):
            bring_ids("s3://team/lake/other@v1")
        with pytest.raises(DataError, match=r"s3://team/lake/churn@v9: expected a version up to 3"):
            bring_ids("s3://team/lake/churn@v9")


def test_a_config_is_proposed_for_a_version_and_what_is_wrong_with_it_is_said_by_its_name(table: Path, tmp_path: Path) -> None:
    from deltalake import write_deltalake

    columns = {"x": [float(number % 17) for number in range(120)], "y": [number % 2 for number in range(120)]}
    write_deltalake(table.parent / "new", pa.table(columns))
    write_deltalake(table.parent / "new", pa.table({**columns, "z": columns["x"]}), mode="append", schema_mode="merge")
    words = ["--target", "y", "--output", str(tmp_path / "new.yaml")]

    refused = run_samebits("new", str(at(table.parent / "new", 1)), *words)
    made = run_samebits("new", str(at(table.parent / "new", 0)), *words)

    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith(f"{at(table.parent / 'new', 1)}/part-")
    assert "found a difference in z" in refused.stderr
    assert made.returncode == 0, made.stderr
    proposed = yaml.safe_load((tmp_path / "new.yaml").read_text(encoding="utf-8"))
    assert proposed["name"] == "new" and proposed["data"]["path"] == str(at(table.parent / "new", 0))


def test_a_run_on_a_version_in_its_project_is_made_again_after_others_were_written(tmp_path: Path, store: str) -> None:
    from deltalake import DeltaTable, write_deltalake

    _, work = clone_project(tmp_path)
    table = work / "data/lake/churn"
    columns = {"x": [float(number % 17) for number in range(120)], "y": [number % 2 for number in range(120)]}
    write_deltalake(table, pa.table(columns))
    changes = {"name": "delta", "models": {"decision_tree": {"max_depth": 3}}, "cv": {"n_splits": 2}}
    data = {"path": "data/lake/churn@v0", "target": "y", "positive": 1, "drop": []}
    (work / "mine.yaml").write_text(yaml.safe_dump(merge(SMALL, {**changes, "data": data})), encoding="utf-8")
    variables = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "SAMEBITS_DATA_STORE": str(tmp_path / "kept")}
    (tmp_path / "kept").mkdir()

    pinned = run_in(work, "data", "pin", "mine.yaml", store=store, **variables)
    trained = run_in(work, "train", "mine.yaml", store=store, **variables)
    assert trained.returncode == 0, pinned.stderr + trained.stderr
    run_id = trained.stdout.split()[1]
    write_deltalake(table, pa.table(columns), mode="overwrite")
    DeltaTable(table).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    again = run_in(work, "train", "mine.yaml", "--reuse", store=store, **variables)
    synced = run_in(work, "data", "sync", "mine.yaml", store=store, **variables)
    status = run_in(work, "data", "status", "mine.yaml", store=store, **variables)
    shutil.rmtree(tmp_path / "cache")
    pulled = run_in(work, "data", "pull", "mine.yaml", store=store, **variables)
    verified = run_in(work, "verify", run_id, store=store, **variables)
    reproduced = run_in(work, "reproduce", run_id, "--here", "--json", store=store, **variables)

    assert again.stdout.split()[1] == run_id, "what the lake got since is no change of the code"
    assert synced.returncode == 0, synced.stderr
    assert status.stdout.startswith("elsewhere   stored ")
    assert pulled.returncode == 0 and pulled.stdout.startswith("pulled "), pulled.stderr
    assert not (work / "data/lake/churn@v0").exists()
    assert verified.returncode == 0, verified.stdout
    assert json.loads(reproduced.stdout)["verdict"] == "IDENTICAL", reproduced.stdout
