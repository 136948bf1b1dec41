"""`samebits diff` as its users run it: two lineages without a server, two runs with all they left."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import ROOT, SMALL, clean_environment, merge, run_samebits
from recorded_runs import open_client, train
from strange_run import make_project
from warm_program import WarmProgram

from samebits.commands.diff import run_diff
from samebits.numerics.profile import make_environment
from samebits.verdicts import EXIT_CODES, Verdict

pytestmark = pytest.mark.xdist_group("diff")


def test_two_lineage_files_are_compared_without_any_server(tmp_path: Path) -> None:
    left = ROOT / "tests/goldens/lineage_2.json"
    lineage = json.loads(left.read_text(encoding="utf-8"))
    lineage["stages"]["config"]["resolved"]["seed"] = 43
    lineage["stages"]["config"]["digest"] = lineage["stages"]["model"]["digest"] = "sha256:another"
    right = tmp_path / "lineage.json"
    right.write_text(json.dumps(lineage), encoding="utf-8")

    done = run_samebits("diff", str(left), str(right), MLFLOW_TRACKING_URI="http://127.0.0.1:1")
    same = run_samebits("diff", str(left), str(left), MLFLOW_TRACKING_URI="http://127.0.0.1:1")

    assert done.returncode == 1 and same.returncode == 0
    assert "verdict     DIFFERENT: model" in done.stdout
    assert "parts at    config" in done.stdout
    assert "likely cause config seed: 42 -> 43" in done.stdout
    assert "fitted content not compared: the model of" in done.stdout
    assert "artifacts that do not lie beside a side that is a file" in same.stdout


@pytest.fixture(scope="module")
def data_pair(store: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    """Two runs whose tables differ in row 15,000: a boolean, a date and a number."""
    folder = tmp_path_factory.mktemp("pair")
    days = [f"2026-{1 + row % 12:02d}-{1 + row % 28:02d}" for row in range(16_000)]
    lines = [
        f"{row},{row % 97},{'TRUE' if row % 3 else 'FALSE'},{days[row]},{'yes' if row % 97 > 40 else 'no'}" for row in range(16_000)
    ]
    tables = []
    for name, cells in (("left", None), ("right", "15000,1000,TRUE,1999-01-01,yes")):
        changed = [*lines[:15_000], cells or lines[15_000], *lines[15_001:]]
        tables.append(folder / f"{name}.csv")
        tables[-1].write_text("id,x,flag,day,y\n" + "\n".join(changed) + "\n", encoding="utf-8")
    runs = []
    for table in tables:
        config = {
            "name": "pair", "version": "2026.11.0", "seed": 7, "models": {"decision_tree": {"max_depth": 3}}, "cv": {"n_splits": 2},
            "report": {"detail": "none"},
            "data": {"path": str(table), "target": "y", "positive": "yes", "drop": ["id"], "archive": "never"},
        }  # fmt: skip
        path = table.with_suffix(".json")
        path.write_text(json.dumps(config), encoding="utf-8")
        runs.append(train(path, store))
    return runs[0], runs[1], tables[0]


def test_a_change_in_row_15000_is_named_by_key_column_and_value(data_pair: tuple[str, str, Path], store: str) -> None:
    left, right, _ = data_pair

    done = run_samebits("diff", left, right, "--recorded-places", "--json", MLFLOW_TRACKING_URI=store)
    screen = run_samebits("diff", left, right, "--recorded-places", MLFLOW_TRACKING_URI=store)

    report = json.loads(done.stdout)
    assert done.returncode == screen.returncode == EXIT_CODES[report["verdict"]]  # of the outputs: a test row may change none
    assert report["cause"].startswith("data: sha256:")
    assert report["parting_stage"] == "data"
    assert report["data"]["key"] == ["id"] and report["data"]["rows_changed"] == 1
    assert report["data"]["changed_by_column"] == {"x": 1, "flag": 1, "day": 1}
    assert {example["row"] for example in report["data"]["examples"]} == {15_000}
    assert "rows 16000 -> 16000 by id: 1 changed, 0 added, 0 removed" in screen.stdout
    assert len(screen.stdout.splitlines()) <= 40


def test_data_changed_after_the_run_is_refused_and_named(data_pair: tuple[str, str, Path], store: str, tmp_path: Path) -> None:
    """In a boolean and in a date column, at row 15,000: where MLflow's own digest sees nothing."""
    left, _, table = data_pair
    content = table.read_text(encoding="utf-8")
    lines = content.splitlines(keepends=True)
    try:
        for place, value in ((2, "TRUE"), (3, "1999-01-01")):
            fields = lines[15_001].split(",")
            fields[place] = value
            assert ",".join(fields) != lines[15_001]
            table.write_text("".join([*lines[:15_001], ",".join(fields), *lines[15_002:]]), encoding="utf-8")
            verified = run_samebits("verify", left, "--recorded-places", MLFLOW_TRACKING_URI=store)
            assert verified.returncode == 1 and f"DIFFERS  data at {table}" in verified.stdout
        own = run_samebits("verify", left, MLFLOW_TRACKING_URI=store)
        unasked = run_samebits("verify", left, MLFLOW_TRACKING_URI=store, XDG_STATE_HOME=str(tmp_path / "a colleague's"))
        reproduced = run_samebits("reproduce", left, "--here", MLFLOW_TRACKING_URI=store)
    finally:
        table.write_text(content, encoding="utf-8")

    assert own.returncode == 1 and f"DIFFERS  data at {table}" in own.stdout
    assert unasked.returncode == 2 and f"not asked, since only the run names it: {table} (--recorded-places" in unasked.stdout
    assert reproduced.returncode == 2 and f"other bytes at {table}" in reproduced.stdout


def test_code_is_shown_as_a_patch_and_equal_accuracy_hides_no_changed_model(store: str, tmp_path: Path) -> None:
    work = make_project(tmp_path / "work")
    environment = make_environment("portable", clean_environment(MLFLOW_TRACKING_URI=store))
    program = WarmProgram(environment, work / "src")
    config = merge(SMALL, {"name": "models", "models": {"logistic_regression": {"max_iter": 500}}})
    runs = []
    for name, C in (("left", 1.0), ("right", 1.0000001)):
        config["models"]["logistic_regression"]["C"] = C
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        trained = program.run(["train", str(path)], environment, work)
        assert trained.returncode == 0, trained.stderr
        runs.append(trained.stdout.split()[1])
        (work / "helper.py").write_text("ANSWER = 42\n", encoding="utf-8")
    left, right = runs
    shutil.rmtree(work)

    done = run_samebits("diff", left, right, "--json", MLFLOW_TRACKING_URI=store)
    screen = run_samebits("diff", left, right, MLFLOW_TRACKING_URI=store).stdout

    report = json.loads(done.stdout)
    assert "+ANSWER = 42" in report["code"]["patch"] and report["code"]["files"] == ["helper.py"]
    assert any(found["path"].endswith("coef_") and "ulps" in found["what"] for found in report["model"]["differences"])
    assert report["predictions"]["n_flips"] == 0 and 0 < report["predictions"]["largest_change"] < 1e-3
    assert set(report["predictions"]["largest_change_by_class"]) == {"B", "M"}
    assert "in both, and yet the models differ" in screen
    assert "likely cause config models.logistic_regression.C: 1.0 -> 1.0000001" in screen


def test_of_two_uncommitted_configs_each_is_named_as_a_change_to_the_others_code(store: str, tmp_path: Path) -> None:
    """Both lie in both trees, so that no patch shows them; a run's own config is no change of its code."""
    work = make_project(tmp_path / "work")
    environment = make_environment("portable", clean_environment(MLFLOW_TRACKING_URI=store))
    program = WarmProgram(environment, work / "src")
    for name, C in (("one", 1.0), ("two", 0.5)):
        config = merge(SMALL, {"name": "uncommitted", "models": {"logistic_regression": {"C": C}}})
        (work / f"confs/{name}.json").write_text(json.dumps(config), encoding="utf-8")
    trained = [program.run(["train", f"confs/{name}.json"], environment, work) for name in ("one", "two")]
    assert [one.returncode for one in trained] == [0, 0], trained[0].stderr
    left, right = (one.stdout.split()[1] for one in trained)

    screen = run_samebits("diff", left, right, MLFLOW_TRACKING_URI=store).stdout

    assert "0 files" not in screen
    assert "code        confs/one.json: absent -> sha256:" in screen
    assert "            confs/two.json: sha256:" in screen


def test_a_run_that_is_not_finished_is_inconclusive(data_pair: tuple[str, str, Path], store: str) -> None:
    left, right, _ = data_pair
    client = open_client(store)
    client.set_terminated(right, "FAILED")
    try:
        done = run_samebits("diff", left, right, MLFLOW_TRACKING_URI=store)
    finally:
        client.set_terminated(right, "FINISHED")

    assert done.returncode == 2
    assert "verdict     INCONCLUSIVE" in done.stdout


def test_a_commit_that_is_nowhere_leaves_the_rest_compared(data_pair: tuple[str, str, Path], store: str, tmp_path: Path) -> None:
    left, _, _ = data_pair
    client = open_client(store)
    folder = tmp_path / "copy"
    shutil.copytree(client.download_artifacts(left, ""), folder)
    lineage = json.loads((folder / "lineage.json").read_text(encoding="utf-8"))
    lineage["stages"]["code"] |= {"commit": "0" * 40, "digest": "sha256:another", "repository": None, "remote": None}
    (folder / "lineage.json").write_text(json.dumps(lineage), encoding="utf-8")

    done = run_samebits("diff", left, str(folder / "lineage.json"), MLFLOW_TRACKING_URI=store)

    assert done.returncode == 2  # the outputs are equal, by a lineage that contradicts itself
    assert "stages.code.digest (contradicts its lineage)" in done.stdout
    assert "no patch: " in done.stdout


def test_damage_on_either_side_is_never_identical(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(merge(SMALL, {"name": "damaged", "models": {"dummy": {}}})), encoding="utf-8")
    left, right = train(path, store), train(path, store)
    assert run_samebits("diff", left, right, MLFLOW_TRACKING_URI=store).returncode == 0
    artifact = Path(open_client(store).get_run(left).info.artifact_uri.removeprefix("file://")) / "predictions.csv"

    artifact.write_bytes(artifact.read_bytes().replace(b"B", b"M", 1))

    assert run_samebits("diff", left, right, MLFLOW_TRACKING_URI=store).returncode == 1
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(ROOT)
    alone = tmp_path / "lineage.json"
    alone.write_bytes(artifact.with_name("lineage.json").read_bytes())
    for sides in ([right, left], [str(alone), left], [left, str(alone)]):
        assert run_diff(*sides, as_json=True) == Verdict.DIFFERENT, sides
    assert run_diff(str(alone), right, as_json=True) == Verdict.IDENTICAL
    artifact.unlink()
    for sides in ([left, right], [str(alone), left]):
        assert run_diff(*sides, as_json=True) == Verdict.DIFFERENT, sides


def test_lineages_that_record_other_files_of_an_equal_model_are_different(tmp_path: Path) -> None:
    golden = json.loads((ROOT / "tests/goldens/lineage_2.json").read_text(encoding="utf-8"))
    golden["artifacts"]["model/model.skops"]["digest"] = f"sha256:{'0' * 64}"
    (tmp_path / "other.json").write_text(json.dumps(golden), encoding="utf-8")

    done = run_samebits("diff", str(ROOT / "tests/goldens/lineage_2.json"), str(tmp_path / "other.json"))

    assert done.returncode == 1
    assert "DIFFERENT: model/model.skops (not equal)" in done.stdout
