"""From raw files to a model and back: a team's project with steps, a raw file in a bucket and a store in another, from its first run to the
day on which its checkout, its cache and the raw file are gone.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import servers
import yaml
from conftest import ROOT, SMALL, merge, run_samebits
from recorded_runs import clone_project, git, open_client, run_in

from samebits.digests import digest_bytes

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("moto") is None or importlib.util.find_spec("boto3") is None,
        reason="moto, boto3 not installed: uv sync --inexact --extra server --group servers",
    ),
    pytest.mark.xdist_group("bucket"),
]

TEAM = {"SAMEBITS_DATA_STORE": "s3://kept/tables"}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What speaks to an object store with two buckets, `raw` and `kept`; the second is the team's data store."""
    import boto3

    with servers.start_object_store(tmp_path) as address:
        for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
        for name in ("raw", "kept"):
            client.create_bucket(Bucket=name)
        yield client


PREPARATION = """\
import csv

def join(measured, labels, table, digits):
    diagnoses = dict(csv.reader(labels.open()))
    rows = list(csv.reader(measured.open()))
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*rows[0], "diagnosis"])
        writer.writerows([row[0], *(round(float(value), digits) for value in row[1:]), diagnoses[row[0]]] for row in rows[1:])

def clean(joined, table):
    lines = joined.read_text().splitlines(keepends=True)
    table.write_text("".join([lines[0], *sorted(lines[1:])]))
"""


def write_project(work: Path, client: Any) -> None:
    """Give a clone of this project two raw files, one of them in a bucket, two steps, and a config for what they make."""
    lines = [line.split(",") for line in (ROOT / "data/raw/wdbc.csv").read_text(encoding="utf-8").splitlines()]
    names = lines[0]
    target = names.index("diagnosis")
    kept = [number for number in range(len(names)) if number != target][:8]
    (work / "data/mine").mkdir()
    (work / "data/mine/measured.csv").write_text(
        "".join(",".join(row[number] for number in kept) + "\n" for row in lines), encoding="utf-8"
    )
    content = "".join(f"{row[names.index('id')]},{row[target]}\n" for row in lines).encode()
    client.put_object(Bucket="raw", Key="labels.csv", Body=content)
    labels = {"digest": digest_bytes(content), "source": "s3://raw/labels.csv"}
    with (work / ".git/info/exclude").open("a", encoding="utf-8") as file:
        file.write("/data/mine/\n/data/processed/\n")
    (work / "prep.py").write_text(PREPARATION, encoding="utf-8")
    steps = {
        "join": {
            "function": "prep.join",
            "inputs": {"measured": "data/mine/measured.csv", "labels": {"path": "data/mine/labels.csv", **labels}},
            "parameters": {"digits": 3},
            "outputs": {"table": "data/processed/joined.csv"},
        },
        "clean": {
            "function": "prep.clean",
            "inputs": {"joined": "data/processed/joined.csv"},
            "outputs": {"table": "data/processed/clean.csv"},
        },
    }
    config = merge(SMALL, {"name": "steps", "allow": ["prep"], "steps": steps, "data": {"path": "data/processed/clean.csv"}})
    (work / "mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def test_a_run_whose_checkout_and_files_are_gone_is_made_again_from_raw_and_from_its_table(
    store: str, tmp_path: Path, client: Any
) -> None:
    _, work = clone_project(tmp_path)
    git("push", "-q", "origin", "HEAD", cwd=work)
    write_project(work, client)
    pulled = run_in(work, "data", "pull", "mine.yaml", store=store, **TEAM)
    assert (work / "data/mine/labels.csv").exists(), pulled.stdout + pulled.stderr
    trained = run_in(work, "train", "mine.yaml", store=store, **TEAM)
    assert trained.returncode == 0, trained.stderr
    assert re.search(r"^step    join  ran in .*\nstep    clean  ran in ", trained.stderr, flags=re.MULTILINE)
    assert "cannot be brought back" not in trained.stderr
    run_id = trained.stdout.split()[1]
    reused = run_in(work, "train", "mine.yaml", "--reuse", store=store, **TEAM)
    assert run_id in reused.stdout and "reused" in reused.stderr

    (work / "data/processed/clean.csv").write_text("edited by hand", encoding="utf-8")
    verified = run_in(work, "verify", run_id, store=store, **TEAM)
    assert verified.returncode == 1
    assert "DIFFERS  step clean: table at data/processed/clean.csv" in verified.stdout and "it was edited" in verified.stdout
    refused = run_in(work, "train", "mine.yaml", store=store, **TEAM)
    assert refused.returncode == 2 and "expected what step clean wrote, found it edited since" in refused.stderr
    for folder in (work, tmp_path / "cache"):
        shutil.rmtree(folder)
    client.delete_object(Bucket="raw", Key="labels.csv")

    reports = []
    for words in (["--from", "raw"], []):
        done = run_samebits("reproduce", run_id, "--here", "--json", *words, MLFLOW_TRACKING_URI=store, **TEAM)
        assert done.returncode == 0, done.stdout + done.stderr
        reports.append(json.loads(done.stdout))
    assert [report["verdict"] for report in reports] == ["IDENTICAL", "IDENTICAL"]
    assert [report["conditions"]["from"] for report in reports] == ["raw", "table"]
    assert any("--from raw" in line for line in reports[1]["not_checked"])
    lineages = [json.loads(run_samebits("lineage", one["run_id"], MLFLOW_TRACKING_URI=store, **TEAM).stdout) for one in reports]
    original = json.loads(run_samebits("lineage", run_id, MLFLOW_TRACKING_URI=store, **TEAM).stdout)
    assert {one["stages"]["steps"]["digest"] for one in [*lineages, original]} == {original["stages"]["steps"]["digest"]}
    assert not any(step["found"] for step in lineages[0]["stages"]["steps"]["ran"].values())
    assert original["archive"]["raw"] == {"data/mine/measured.csv": "stored", "data/mine/labels.csv": "stored"}
    assert [one["archive"]["raw"] for one in lineages] == [original["archive"]["raw"]] * 2
    assert {one["archive"]["data"] for one in lineages} == {"stored"}  # nothing of it goes to the server with a rerun
    assert open_client(store).get_run(run_id).data.tags["verdict"] == "IDENTICAL"
