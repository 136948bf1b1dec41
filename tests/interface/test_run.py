from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT
from recorded_runs import ShippedRun, open_client, record_shipped, share_value

import samebits
from samebits.digests import digest_bytes
from samebits.errors import LineageError, TrackingError
from samebits.interface.run import REPORT, Run

pytestmark = pytest.mark.xdist_group("values")


@pytest.fixture
def shipped(empty_store: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> ShippedRun:
    found = record_shipped("training", empty_store, tmp_path_factory.getbasetemp())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", found.store)
    return found


@pytest.fixture
def run(shipped: ShippedRun, warm_children: None) -> Run:
    return share_value(shipped.run_id)


def without_artifacts(run: Run, *names: str) -> Run:
    """Return a run as if it had not recorded some files."""
    copy, known = Run(run.id), run._fetch()
    copy._known = {**known, "files": {name: path for name, path in known["files"].items() if not name.startswith(names)}}
    artifacts = {name: record for name, record in run.lineage["artifacts"].items() if not name.startswith(names)}
    copy.__dict__["lineage"] = {**run.lineage, "artifacts": artifacts}
    return copy


def with_artifact(run: Run, folder: Path, name: str, content: bytes) -> Run:
    """Return a run as if it had recorded a file more."""
    (folder / "file").write_bytes(content)
    copy = Run(run.id)
    known = run._fetch()
    copy._known = {**known, "files": {**known["files"], name: str(folder / "file")}}
    record = {"digest": digest_bytes(content), "size_bytes": len(content)}
    copy.__dict__["lineage"] = {**run.lineage, "artifacts": {**run.lineage["artifacts"], name: record}}
    return copy


def test_what_a_run_says_is_what_the_server_has(run: Run, shipped: ShippedRun) -> None:
    data = open_client(shipped.store).get_run(run.id).data

    shown = {name.removeprefix("test_"): value for name, value in data.metrics.items()}
    assert run.metrics == {name: shown[name] for name in run.metrics} and "average_precision" in run.metrics
    assert {**run.params, "conf_file": "confs/training.yaml"} == data.params and run.tags == data.tags
    assert run.lineage["run"]["run_id"] == run.id and "predictions.csv" in run.files


def test_predictions_and_the_table_go_by_the_same_row_numbers(run: Run) -> None:
    table = pd.read_csv(ROOT / "data/raw/wdbc.csv")

    assert list(run.frame.columns) == list(table.columns) and len(run.frame) == len(table)
    assert run.frame.loc[run.predictions.index, "diagnosis"].tolist() == run.predictions["recorded"].tolist()
    assert len(run.predictions) == run.lineage["stages"]["predictions"]["n_rows"]


def test_a_file_that_is_not_the_recorded_one_is_refused(run: Run, tmp_path: Path) -> None:
    changed = with_artifact(run, tmp_path, "predictions.csv", b"row\n")
    Path(changed._fetch()["files"]["predictions.csv"]).write_bytes(b"row,recorded\n")

    with pytest.raises(LineageError, match=r"predictions\.csv: expected sha256:.*, found sha256:"):
        changed.read_file("predictions.csv")
    with pytest.raises(LineageError, match="expected an artifact of the run, found none of that name"):
        run.read_file("../../etc/passwd")


def test_a_run_without_a_report_says_so_and_one_with_it_gives_it(run: Run, tmp_path: Path) -> None:
    with pytest.raises(LineageError, match=rf"run {run.id}: expected a {REPORT} among its artifacts, found none"):
        without_artifacts(run, REPORT).report()
    assert run.report().startswith("<!doctype html>")

    page = with_artifact(run, tmp_path, REPORT, b"<h1>wdbc</h1>").report()

    assert page == "<h1>wdbc</h1>" and "&lt;h1&gt;wdbc" in page._repr_html_()


def test_a_run_shows_itself_with_its_pictures(run: Run, tmp_path: Path) -> None:
    bare = without_artifacts(run, "figures/")
    drawn = with_artifact(bare, tmp_path, "figures/roc_curve.png", b"\x89PNG\r\n\x1a\n")

    html = drawn._repr_html_()

    assert "average_precision 0.9943 on the test rows" in html and "misses business.target_precision" in html
    assert "<img alt='roc curve' src='data:image/png;base64,iVBORw0KGgo='" in html and "<img" not in bare._repr_html_()


def test_a_run_is_found_by_the_beginning_of_its_id(shipped: ShippedRun) -> None:
    """By processes that are started as a user's are."""
    found = samebits.open_run(shipped.run_id[:12])

    assert found == Run(shipped.run_id) and len({found, Run(shipped.run_id)}) == 1
    with pytest.raises(TrackingError, match="expected one run whose id begins so, found none"):
        samebits.open_run("ffff0000ffff")


@pytest.mark.usefixtures("warm_children")
def test_a_lineage_that_is_not_the_tagged_one_is_not_taken(own_store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    client = open_client(own_store)
    experiment = client.create_experiment("a", artifact_location=str(tmp_path))
    info: Any = client.create_run(experiment, tags={"lineage_digest": "sha256:0"}).info
    lineage = json.loads((ROOT / "tests/goldens/lineage_2.json").read_text(encoding="utf-8"))
    (tmp_path / "lineage.json").write_text(json.dumps(lineage), encoding="utf-8")
    client.log_artifact(info.run_id, str(tmp_path / "lineage.json"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", own_store)

    with pytest.raises(LineageError, match=r"lineage\.json: expected sha256:0, found sha256:"):
        _ = Run(info.run_id).lineage
