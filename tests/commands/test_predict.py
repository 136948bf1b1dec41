"""Predictions of a recorded run's model: the bits of the run's own, a file that is there in full or not, a record that verifies."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import ROOT, SMALL, merge, run_samebits
from recorded_runs import open_client, train

from samebits.application.drift_measures import MEASURES
from samebits.application.prediction_file import name_files
from samebits.application.prediction_record import KIND, check_record, find_record
from samebits.application.stored_model import StoredModel, load_stored_model, take_folder, take_run
from samebits.commands import predict
from samebits.commands.drift import measure_table
from samebits.commands.predict import write_predictions
from samebits.commands.verify import run_verify
from samebits.digests import digest_bytes
from samebits.errors import DataError, Interrupted, LineageError
from samebits.holdings.runs import open_recorded_run
from samebits.verdicts import Verdict

pytestmark = pytest.mark.xdist_group("predict")
TABLE = ROOT / "data/raw/wdbc.csv"


@pytest.fixture(scope="module")
def run_id(store: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("predicted")
    changes: dict[str, Any] = {"name": "predict", "models": {"logistic_regression": {"max_iter": 1000}}}
    (folder / "small.yaml").write_text(yaml.safe_dump(merge(SMALL, changes)), encoding="utf-8")
    return train(folder / "small.yaml", store)


@pytest.fixture(scope="module")
def stored(run_id: str, store: str) -> Iterator[StoredModel]:
    with open_recorded_run(open_client(store), run_id) as recorded, load_stored_model(take_run(recorded, None), False) as model:
        yield model


def write_test_rows(stored: StoredModel, folder: Path) -> tuple[Path, pd.DataFrame]:
    """Return a table of the run's test rows in the run's order, and what the run recorded of them."""
    recorded = pd.read_csv(stored.files.files["predictions.csv"], dtype=str)
    header, *lines = TABLE.read_text(encoding="utf-8").splitlines()
    (folder / "later.csv").write_text("\n".join([header, *(lines[int(row)] for row in recorded["row"])]) + "\n", encoding="utf-8")
    return folder / "later.csv", recorded


@pytest.mark.parametrize("part_rows", [1, 10, 113, None])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_predictions_of_the_test_rows_are_the_runs_own_to_the_bit(
    part_rows: int | None, suffix: str, stored: StoredModel, tmp_path: Path
) -> None:
    table, recorded = write_test_rows(stored, tmp_path)
    output = tmp_path / f"out{suffix}"

    write_predictions(stored, table, output, overwrite=False, part_rows=part_rows)

    found = pd.read_parquet(output) if suffix == ".parquet" else pd.read_csv(output, dtype=str)
    assert found["row"].astype(int).tolist() == list(range(len(recorded)))
    assert found["predicted"].astype(str).tolist() == recorded["predicted"].tolist()
    responses = recorded["response"].astype(float) if suffix == ".parquet" else recorded["response"]
    assert found["probability_M"].tolist() == responses.tolist()


def test_equal_predictions_leave_equal_bytes_and_a_record_that_verifies(
    stored: StoredModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, record = tmp_path / "out.csv", tmp_path / "out.csv.lineage.json"
    shutil.copyfile(TABLE, tmp_path / "later.csv")
    write_predictions(stored, tmp_path / "later.csv", output, overwrite=False)
    before = output.read_bytes(), record.read_bytes()

    write_predictions(stored, tmp_path / "later.csv", output, overwrite=True, part_rows=7)

    assert (output.read_bytes(), record.read_bytes()) == before
    written = find_record(record) or {}
    assert written["output"]["digest"] == digest_bytes(before[0]) and written["model"]["run_id"] == stored.files.run_id
    assert sorted(path.name for path in tmp_path.iterdir()) == ["later.csv", "out.csv", "out.csv.lineage.json"]
    capsys.readouterr()
    assert run_verify(str(record), as_json=True) == Verdict.IDENTICAL
    assert len(json.loads(capsys.readouterr().out)["checks"]) == 2
    assert run_verify(str(output), as_json=False) == Verdict.IDENTICAL  # whoever names the predictions means their record
    output.write_bytes(before[0] + b"\n")
    assert run_verify(str(output), as_json=False) == Verdict.DIFFERENT
    assert run_verify(str(record), as_json=False) == Verdict.DIFFERENT
    output.unlink()
    assert run_verify(str(record), as_json=False) == Verdict.INCONCLUSIVE


def test_numbers_beyond_those_of_training_are_said(stored: StoredModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pd.read_csv(TABLE, dtype=str)
    rows["mean_area"] = [f"1{area}" for area in rows["mean_area"]]
    rows["mean_texture"] = None
    rows.to_csv(tmp_path / "later.csv", index=False)

    write_predictions(stored, TABLE, tmp_path / "own.csv", overwrite=False)
    ordinary = capsys.readouterr().err
    write_predictions(stored, tmp_path / "later.csv", tmp_path / "out.csv", overwrite=False)

    assert "beyond" not in ordinary
    said = r"^beyond  mean_area: \d+ of 569 rows lie beyond all training rows, which have [\d.]+ to 2501$"
    warned = capsys.readouterr().err
    assert re.search(said, warned, re.MULTILINE)
    assert "missing mean_texture: in 569 of 569 rows, of the training rows in 0%\n" in warned and "missing" not in ordinary


def test_a_table_that_only_a_record_names_is_not_read(stored: StoredModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here").mkdir()
    shutil.copyfile(TABLE, tmp_path / "elsewhere/later.csv")
    write_predictions(stored, tmp_path / "elsewhere/later.csv", tmp_path / "here/out.csv", overwrite=False)
    (tmp_path / "elsewhere/later.csv").write_text("other", encoding="utf-8")

    assert run_verify(str(tmp_path / "here/out.csv.lineage.json"), as_json=False) == Verdict.IDENTICAL
    assert "which only the record names" in capsys.readouterr().out
    run_verify(str(tmp_path / "here/out.csv.lineage.json"), as_json=True)
    assert "which only the record names" in capsys.readouterr().out
    assert run_verify(str(tmp_path / "here/out.csv.lineage.json"), as_json=False, is_trusted=True) == Verdict.DIFFERENT


@pytest.mark.parametrize("failure", [Interrupted(15), OSError(28, "No space left on device")])
def test_what_stops_it_leaves_no_file(
    failure: BaseException, stored: StoredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr("samebits.application.prediction_file.PredictionFile.finish", stop)

    with pytest.raises(type(failure)):
        write_predictions(stored, TABLE, tmp_path / "out.csv", overwrite=False)

    assert list(tmp_path.iterdir()) == []


def test_an_output_that_came_to_be_meanwhile_is_not_replaced(
    stored: StoredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out.csv").write_text("another's", encoding="utf-8")

    with pytest.raises(DataError, match="one that came to be meanwhile"):
        write_predictions(stored, TABLE, tmp_path / "out.csv", overwrite=False)

    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "another's"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_predictions_are_kept_on_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    for name in ("a.part", "b.part"):
        (tmp_path / name).write_text(name, encoding="utf-8")

    name_files((tmp_path / "a.part", tmp_path / "a"), (tmp_path / "b.part", tmp_path / "b"), overwrite=False)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    with pytest.raises(DataError, match="one that came to be meanwhile"):
        name_files((tmp_path / "a", tmp_path / "b"), overwrite=False)


@pytest.mark.parametrize("path", ["..", "", ".", "a/b.csv", "/etc/hostname", "a\0b"])
def test_a_record_names_no_file_but_one_beside_it(path: str, tmp_path: Path) -> None:
    parts = {name: {"digest": "sha256:0", "path": place, "size_bytes": 9} for name, place in (("output", path), ("table", "t.csv"))}
    content = json.dumps({"kind": KIND, "schema": 1, **parts}, separators=(",", ":"))
    (tmp_path / "x.lineage.json").write_text(content, encoding="utf-8")

    with pytest.raises(LineageError, match="the name of a file beside it"):
        find_record(tmp_path / "x.lineage.json")


def test_a_file_of_another_size_is_not_digested(tmp_path: Path) -> None:
    with (tmp_path / "t.csv").open("wb") as table:
        table.truncate(1 << 42)  # which to digest would take an hour
    record = {name: {"digest": "sha256:0", "path": f"{name}.csv", "size_bytes": 9} for name in ("output", "table")}
    record["table"]["path"] = "t.csv"

    held, _ = check_record(record, tmp_path / "x.lineage.json", [tmp_path], is_trusted=False)

    assert [(one.observed, one.passed) for one in held] == [("gone", None), (f"{1 << 42} bytes", False)]


def test_a_hidden_file_is_not_read_for_a_record(tmp_path: Path) -> None:
    (tmp_path / ".secret").write_text("x", encoding="utf-8")
    record = {"output": {"digest": "sha256:0", "path": "o.csv"}, "table": {"digest": "sha256:0", "path": ".secret"}}

    held, unasked = check_record(record, tmp_path / "x.lineage.json", [tmp_path], is_trusted=False)

    assert [one.name for one in held] == [f"predictions {tmp_path / 'o.csv'}"] and len(unasked) == 1


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("out.txt", "expected a file that ends in .csv, .parquet, .pq"),
        ("no/out.csv", "expected a folder"),
        ("later.csv", "expected another file than the table"),
        ("there.csv", "one that is there already. Name another, or say --overwrite"),
    ],
)
def test_an_output_that_cannot_be_is_refused_first(output: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "pin_first", lambda: None)
    for name in ("later.csv", "there.csv"):
        (tmp_path / name).write_text("x\n1\n", encoding="utf-8")

    with pytest.raises(DataError, match=message):
        predict.run_predict("latest", str(tmp_path / "later.csv"), str(tmp_path / output))


def test_a_model_folder_with_its_lineage_needs_no_server_and_other_bytes_are_not_loaded(stored: StoredModel, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model/model.skops", "model/MLmodel"):
        shutil.copyfile(stored.files.files[name], tmp_path / name)
    (folder / "lineage.json").write_bytes(stored.files.lineage_bytes)

    with load_stored_model(take_folder(folder, folder / "lineage.json"), False) as found:
        assert found.content_digest == stored.lineage["stages"]["model"]["digest"] and not found.has_baseline
        write_predictions(found, TABLE, tmp_path / "out.csv", overwrite=False)
    content = (folder / "model.skops").read_bytes()
    (folder / "model.skops").write_bytes(content + b"x")
    with pytest.raises(LineageError, match="It is not what the run recorded, and was not loaded"):  # noqa: SIM117
        with load_stored_model(take_folder(folder, folder / "lineage.json"), False):
            pass


def test_a_type_that_no_list_has_and_no_config_allowed_is_not_loaded(stored: StoredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samebits.model.file.is_trusted", lambda name, allow=(): False)

    with pytest.raises(LineageError, match="only trusted types"), load_stored_model(stored.files, True):
        pass


def test_drift_of_the_runs_own_table_is_none_and_of_a_moved_one_is_said(
    stored: StoredModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = pd.read_csv(TABLE)
    moved["mean_radius"] *= 1.5
    moved.to_csv(tmp_path / "moved.csv", index=False)
    moved.head(20).to_csv(tmp_path / "few.csv", index=False)
    capsys.readouterr()

    assert measure_table(stored, TABLE, None, as_json=False).exit_code == 0
    said = capsys.readouterr().out
    assert "score: probability" in said
    assert all(re.search(rf"^limit   {name} \d\S* +[A-Z].*\.$", said, re.MULTILINE) for name in MEASURES)
    assert measure_table(stored, tmp_path / "moved.csv", tmp_path / "found", as_json=True).exit_code == 1
    report = json.loads(capsys.readouterr().out)
    assert {"psi", "ks", "wasserstein"} <= set(next(one for one in report["columns"] if one["name"] == "mean_radius")["over"])
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == ["drift.json", "drift.png"]
    assert measure_table(stored, tmp_path / "few.csv", None, as_json=False).exit_code == 2
    assert "fewer rows than drift.min_rows (100)" in capsys.readouterr().out


def test_from_the_command_line_a_prediction_is_pinned_and_verifies(run_id: str, store: str, tmp_path: Path) -> None:
    done = run_samebits("predict", run_id, str(TABLE), "--output", str(tmp_path / "out.csv"), MLFLOW_TRACKING_URI=store)

    assert done.returncode == 0, done.stderr
    assert "ignored: columns that the model does not take:" in done.stderr and "569 rows" in done.stdout
    assert run_samebits("verify", str(tmp_path / "out.csv.lineage.json")).returncode == 0
