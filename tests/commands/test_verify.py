"""Attacks on `samebits verify`: whatever is changed on the server or the disk after a run was recorded is found and named."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, SMALL, merge, run_samebits
from mlflow.entities import LoggedModelOutput
from recorded_runs import RememberingClient, git, open_client, run_in, train
from strange_run import make_project

from samebits.commands.verify import verify_run
from samebits.digests import digest_file
from samebits.errors import LineageError
from samebits.holdings.archive import name_data_entry
from samebits.holdings.code_search import list_code_sources, list_unasked
from samebits.holdings.runs import RecordedRun, list_candidate_runs, open_recorded_run
from samebits.lineage.manifest import FILE_NAME, MODEL_FILE, OUTPUT_STAGES, digest_stages, read_lineage, write_lineage
from samebits.lineage.tracked_candidates import CANDIDATE_TAG
from samebits.lineage.tracked_values import list_metrics, list_tags
from samebits.proof.model_content import ModelCheck
from samebits.proof.verification import check_level, check_record, check_sources, conclude, is_same
from samebits.verdicts import Verdict

pytestmark = pytest.mark.xdist_group("verify")


@pytest.fixture(scope="module")
def run_id(store: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("verified")
    shutil.copyfile(ROOT / "data/raw/wdbc.csv", folder / "table.csv")
    changes = {
        "name": "verify",
        "models": {"decision_tree": {"max_depth": 3}, "dummy": {}},
        "data": {"path": str(folder / "table.csv")},
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(merge(SMALL, changes)), encoding="utf-8")
    return train(folder / "small.yaml", store)


@pytest.fixture
def recorded(run_id: str, store: str) -> Iterator[RecordedRun]:
    with open_recorded_run(open_client(store), run_id) as run:
        yield run


def find_wrong(run: RecordedRun) -> list[str]:
    return [check.name for check in check_record(run) if not check.passed]


def observe(run_id: str, store: str) -> list[str]:
    with open_recorded_run(open_client(store), run_id) as run:
        return find_wrong(run)


def test_a_server_that_takes_no_tags_still_gets_its_verdict_in_words(run_id: str, store: str, tmp_path: Path) -> None:
    """As an auditor has it who may only read."""
    shutil.copyfile(store.removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        for change in ("INSERT", "UPDATE"):  # a run that was verified before has its tags changed
            database.execute(f"CREATE TRIGGER no_{change} BEFORE {change} ON tags BEGIN INSERT INTO what_nobody_has VALUES (1); END")
        database.commit()

    done = run_samebits("verify", run_id, MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/mlflow.db")

    assert done.returncode == 0
    assert "verdict     IDENTICAL" in done.stdout
    assert done.stderr.startswith("the verdict was not left on the run: sqlite:///") and "what_nobody_has" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_as_it_was_recorded_is_identical(run_id: str, store: str) -> None:
    done = run_samebits("verify", run_id, "--json", MLFLOW_TRACKING_URI=store)

    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert report["verdict"] == "IDENTICAL"
    assert all(check["passed"] for check in report["checks"])
    names = {check["name"] for check in report["checks"]}
    assert {
        "model content",
        "data",
        "commit",
        "artifact model/MLmodel",
        "artifact environment/uv.lock",
        "params on the server",
    } <= names
    assert report["not_checked"]
    tags = open_client(store).get_run(run_id).data.tags
    assert tags["verified"] == "IDENTICAL" and tags["verified_time"].endswith("+00:00")


def test_a_hundred_random_single_bit_flips_are_all_found_and_named(recorded: RecordedRun) -> None:
    recorded.client = RememberingClient(recorded.client)
    draw = random.Random(20261125)
    files = sorted(recorded.files)
    assert len(files) > 15

    for _ in range(100):
        name = draw.choice(files)
        path = recorded.files[name]
        content = bytearray(path.read_bytes())
        position, bit = draw.randrange(len(content)), draw.randrange(8)
        content[position] ^= 1 << bit
        original = path.read_bytes()
        path.write_bytes(content)
        try:
            if name == FILE_NAME:
                recorded.lineage_bytes = bytes(content)
            wrong = find_wrong(recorded)
        finally:
            path.write_bytes(original)
            recorded.lineage_bytes = recorded.files[FILE_NAME].read_bytes()
        expected = f"{FILE_NAME}: digest" if name == FILE_NAME else f"artifact {name}"
        assert expected in wrong, (name, position, bit)
    assert find_wrong(recorded) == []


@pytest.mark.parametrize("damage", ["missing", "extra", "truncated", "emptied"])
def test_a_damaged_artifact_is_named(recorded: RecordedRun, run_id: str, store: str, damage: str) -> None:
    path = recorded.files["predictions.csv"]
    content, extra = path.read_bytes(), path.with_name("extra.txt")
    try:
        if damage == "missing":
            path.unlink()
        elif damage == "extra":
            extra.write_text("x", encoding="utf-8")
        else:
            path.write_bytes(content[:-1] if damage == "truncated" else b"")
        wrong = observe(run_id, store)
    finally:
        extra.unlink(missing_ok=True)
        path.write_bytes(content)

    assert wrong == ["artifact extra.txt" if damage == "extra" else "artifact predictions.csv"]


def list_leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list) and value:
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from list_leaves(member, (*path, key))
    else:
        yield path


def change_leaf(lineage: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    changed = json.loads(json.dumps(lineage))
    owner = changed
    for key in path[:-1]:
        owner = owner[key]
    value = owner[path[-1]]
    owner[path[-1]] = not value if isinstance(value, bool) else value + 1 if isinstance(value, int | float) else f"{value}x"
    return changed


def test_a_lineage_edited_by_hand_is_found_whichever_field_it_is(recorded: RecordedRun) -> None:
    recorded.client = RememberingClient(recorded.client)
    lineage = recorded.read_lineage()

    for path in list_leaves(lineage):
        recorded.lineage_bytes = write_lineage(change_leaf(lineage, path))
        assert f"{FILE_NAME}: digest" in find_wrong(recorded), path


def test_an_edit_that_also_forges_the_tag_still_contradicts_the_lineage_itself(recorded: RecordedRun) -> None:
    """What decides is digested inside; only facts beside it can be changed together with the tag."""
    from samebits.digests import digest_bytes

    lineage = recorded.read_lineage()
    edits = {
        ("stages", "metrics", "test", "accuracy"): "stages.metrics.digest",
        ("stages", "config", "resolved", "seed"): "stages.config.digest",
        ("stages", "environment", "python"): "stages.environment.digest",
        ("stages", "data", "digest"): "inputs_digest",
        ("stages", "model", "file_digest"): "stages.model.file_digest",
        ("artifacts", "predictions.csv", "digest"): "stages.predictions.digest",
    }
    for path, named in edits.items():
        recorded.lineage_bytes = write_lineage(change_leaf(lineage, path))
        recorded.run.data.tags["lineage_digest"] = digest_bytes(recorded.lineage_bytes)
        assert f"{FILE_NAME}: {named}" in find_wrong(recorded), path


def test_a_forged_digest_of_the_models_content_is_found_by_loading_the_model(recorded: RecordedRun) -> None:
    """Lineage and tags all follow from the forgery, and the file is whole: nothing but the content contradicts it."""
    lineage = recorded.read_lineage()
    lineage["stages"]["model"]["digest"] = f"sha256:{'0' * 64}"
    lineage["outputs_digest"] = digest_stages(lineage["stages"], OUTPUT_STAGES)
    recorded.lineage_bytes = write_lineage(lineage)
    recorded.run.data.tags.update(list_tags(lineage, recorded.lineage_bytes))

    with ModelCheck() as model_check:
        checks, not_checked = verify_run(recorded, ROOT, model_check, with_content=False)

    assert [check.name for check in checks if not check.passed] == ["model content"]
    assert conclude(checks) == Verdict.DIFFERENT
    assert not any("content" in said for said in not_checked)


def test_a_lineage_that_is_none_any_more_is_different_not_a_traceback(recorded: RecordedRun) -> None:
    for content in (b"{", b"[]", b'{"schema": 2}', b'{"schema": 99}', b"\xff\xfe", write_lineage({"schema": 2, "stages": {}})):
        recorded.lineage_bytes = content
        assert conclude(check_record(recorded)) == Verdict.DIFFERENT, content
    recorded.lineage_bytes = b""
    with pytest.raises(LineageError, match=r"expected a finished run with its lineage\.json, found none"):
        check_record(recorded)


@pytest.mark.parametrize("kind", ["metric", "tag", "status"])
def test_a_value_edited_on_the_server_is_named(run_id: str, store: str, kind: str) -> None:
    client = open_client(store)
    run = client.get_run(run_id)
    accuracy, commit = run.data.metrics["test_accuracy"], run.data.tags["git_commit"]
    try:
        if kind == "metric":
            client.log_metric(run_id, "test_accuracy", 0.99)
        elif kind == "tag":
            client.set_tag(run_id, "git_commit", "0" * 40)
        else:
            client.set_terminated(run_id, "FAILED")
        wrong = observe(run_id, store)
    finally:
        client.log_metric(run_id, "test_accuracy", accuracy)
        client.set_tag(run_id, "git_commit", commit)
        client.set_terminated(run_id, "FINISHED")

    assert wrong == [{"metric": "metric test_accuracy", "tag": "tag git_commit", "status": "status"}[kind]]
    assert observe(run_id, store) == []


@pytest.mark.parametrize("kind", ["metric", "tag", "status", "missing"])
def test_a_candidate_that_is_not_as_in_the_lineage_is_named(run_id: str, store: str, kind: str) -> None:
    client = open_client(store)
    (nested,) = [run for run in list_candidate_runs(client, client.get_run(run_id)) if run.data.tags[CANDIDATE_TAG] == "dummy"]
    own = nested.info.run_id
    edits = {
        "metric": lambda: client.log_metric(own, "cv_average_precision", 0.99),
        "tag": lambda: client.set_tag(own, "chosen", "true"),
        "status": lambda: client.set_terminated(own, "FAILED"),
        "missing": lambda: client.delete_run(own),
    }

    edits[kind]()

    try:
        wrong = observe(run_id, store)
    finally:
        client.restore_run(own)
        client.log_metric(own, "cv_average_precision", nested.data.metrics["cv_average_precision"])
        client.set_tag(own, "chosen", "false")
        client.set_terminated(own, "FINISHED")
    names = {"metric": ": metric cv_average_precision", "tag": ": tag chosen", "status": ": status", "missing": ""}
    assert wrong == [f"candidate dummy{names[kind]}"]
    assert observe(run_id, store) == []


def test_an_earlier_folds_score_edited_on_the_server_is_named(run_id: str, store: str) -> None:
    """The server shows the last one alone; the others stand in the metric's history."""
    client = open_client(store)
    name = "fold_average_precision"
    first = min(client.get_metric_history(run_id, name), key=lambda metric: metric.step)

    client.log_metric(run_id, name, 0.5, step=first.step, timestamp=first.timestamp - 1)

    try:
        assert observe(run_id, store) == [f"metric {name}"]
    finally:
        with contextlib.closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as database:
            database.execute(
                "DELETE FROM metrics WHERE run_uuid = ? AND key = ? AND timestamp = ?", (run_id, name, first.timestamp - 1)
            )
            database.commit()


def test_a_second_model_logged_into_a_run_is_one_too_many(store: str, write_config: Callable[..., Path], tmp_path: Path) -> None:
    run_id = train(write_config({"name": "second model", "models": {"dummy": {}}}), store)
    client = open_client(store)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/weights.bin").write_bytes(b"x")
    model = client.create_logged_model(client.get_run(run_id).info.experiment_id, name="other", source_run_id=run_id)
    client.log_model_artifacts(model.model_id, str(tmp_path / "other"))
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])

    assert observe(run_id, store) == [f"artifact model of {model.model_id}/weights.bin"]


def test_a_process_that_dies_before_it_is_asked_is_said_not_raised(recorded: RecordedRun) -> None:
    with ModelCheck() as model_check:
        model_check._process.kill()
        model_check._process.wait()
        model_check.ask(recorded.files[MODEL_FILE])
        answer = model_check.answer(recorded.read_lineage(), is_file_whole=True)

    assert (
        answer
        == "the model's content digest, beyond that of its file (the process that loads it ended: it takes more time or memory than a model of its size can need)"
    )


def test_one_byte_of_the_table_at_its_path_is_named_and_the_archive_still_has_it(recorded: RecordedRun) -> None:
    lineage = recorded.read_lineage()
    table = Path(lineage["stages"]["data"]["location"])
    content = table.read_bytes()
    try:
        table.write_bytes(content.replace(b"17.99", b"17.98", 1))
        checks = check_sources(lineage, recorded, ROOT, is_trusted=True)
        unasked = check_sources(lineage, recorded, ROOT)
        table.unlink()
        without = check_sources(lineage, recorded, ROOT, is_trusted=True)
    finally:
        table.write_bytes(content)

    assert [check.name for check in checks if not check.passed] == [f"data at {table}"]
    assert all(check.passed for check in unasked) and f"not asked, since only the run names it: {table}" in str(unasked)
    assert "the experiment's archive" in next(check.observed for check in checks if check.name == "data")
    assert all(check.passed for check in without)


def test_an_archived_table_that_was_changed_or_lost_is_named(recorded: RecordedRun, store: str) -> None:
    lineage = recorded.read_lineage()
    location = open_client(store).get_experiment(recorded.run.info.experiment_id).artifact_location
    entry = Path(location.removeprefix("file://")) / "samebits-archive" / name_data_entry(lineage["stages"]["data"]["digest"])
    (kept,) = (entry / "files").iterdir()
    content = kept.read_bytes()
    try:
        kept.write_bytes(content[:-1] + b"x")
        changed = [check.name for check in check_sources(lineage, recorded, ROOT, is_trusted=True) if not check.passed]
        (entry / "manifest.json").rename(entry / "manifest.away")
        lost = [check.name for check in check_sources(lineage, recorded, ROOT, is_trusted=True) if not check.passed]
    finally:
        kept.write_bytes(content)
        (entry / "manifest.away").rename(entry / "manifest.json")

    assert changed == ["data in the experiment's archive"]
    assert lost == ["data in the experiment's archive"]


def test_data_and_commit_that_are_found_nowhere_are_inconclusive(recorded: RecordedRun, tmp_path: Path) -> None:
    lineage = recorded.read_lineage()
    lineage["stages"]["data"] |= {"path": "nowhere.csv", "location": None, "digest": "sha256:" + "0" * 64}
    lineage["stages"]["code"] |= {"repository": None, "remote": None, "commit": "0" * 40}
    lineage["archive"] = {}

    checks = check_sources(lineage, recorded, tmp_path)

    assert {check.name: check.passed for check in checks} == {"data": None, "commit": None}
    assert conclude(checks) == Verdict.INCONCLUSIVE


def test_a_lineage_file_in_hand_is_held_to_the_server(run_id: str, store: str, recorded: RecordedRun, tmp_path: Path) -> None:
    path = tmp_path / "lineage.json"
    path.write_bytes(recorded.lineage_bytes)
    assert run_samebits("verify", str(path), MLFLOW_TRACKING_URI=store).returncode == 0

    path.write_bytes(write_lineage(change_leaf(recorded.read_lineage(), ("run", "user"))))
    done = run_samebits("verify", str(path), MLFLOW_TRACKING_URI=store)

    assert done.returncode == 1
    assert f"DIFFERS  lineage.json: on the server as in {path}" in done.stdout


def test_nothing_is_unpickled_and_no_package_of_a_config_is_imported(recorded: RecordedRun, tmp_path: Path) -> None:
    """A model file that names a function outside scikit-learn is refused, not called."""
    import subprocess
    import sys
    import zipfile

    hostile = tmp_path / "model.skops"
    with zipfile.ZipFile(recorded.files["model/model.skops"]) as source, zipfile.ZipFile(hostile, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(
                name, content.replace(b'"DecisionTreeClassifier"', b'"system"').replace(b'"sklearn.tree._classes"', b'"os"')
            )
    command = [sys.executable, "-m", "samebits.model.check"]
    done = subprocess.run(command, input=f"{hostile}\n", capture_output=True, encoding="utf-8", cwd=ROOT / "src", check=True)

    assert done.stdout.startswith("not loaded: ")


def test_verifying_is_reported_the_same_in_every_exit_code(write_config: Callable[..., Path], store: str) -> None:
    done = run_samebits("verify", "0123456789abcdef", MLFLOW_TRACKING_URI=store)

    assert done.returncode == 2
    assert done.stderr.startswith("run 0123456789abcdef…: expected one run whose id begins so, found none on sqlite")


HOSTILE: list[tuple[tuple[str, ...], Any]] = [
    (("stages", "code", "commit"), "--output=x"),
    (("stages", "code", "commit"), ...),
    (("run", "user"), "\ud800"),
    (("run", "seconds"), "x"),
    (("request_digest",), ...),
    (("archive",), []),
    (("stages", "cross_validation", "candidates"), {"decision_tree": {"scores": 5, "mean": 1.0}}),
    (("stages", "cross_validation", "candidates"), {"decision_tree": {"scores": {"a": 1}, "mean": 1.0}}),
    (("stages", "metrics", "test", "accuracy"), {}),
    (("stages", "metrics", "train", "accuracy"), {}),
    (("stages", "metrics", "train"), []),
    (("stages", "metrics", "candidates"), {"knn": {"accuracy": "high"}}),
    (("stages", "metrics", "candidates"), ["knn"]),
    (("remarks",), "none"),
    (("remarks",), [3]),
    (("stages", "threshold", "precision"), "high"),
    (("stages", "config", "resolved", "data"), None),
    (("artifacts", "metrics.json"), None),
]


@pytest.mark.parametrize(("path", "value"), HOSTILE, ids=lambda case: ".".join(case) if isinstance(case, tuple) else "")
def test_a_hostile_lineage_is_refused_in_words_by_every_command(
    recorded: RecordedRun, store: str, tmp_path: Path, path: tuple[str, ...], value: Any
) -> None:
    lineage = recorded.read_lineage()
    owner = lineage
    for key in path[:-1]:
        owner = owner[key]
    if value is ...:
        del owner[path[-1]]
    else:
        owner[path[-1]] = value
    content = json.dumps(lineage).encode()

    with pytest.raises(LineageError):
        read_lineage(content, "lineage.json")
    recorded.lineage_bytes = content
    assert conclude(check_record(recorded)) == Verdict.DIFFERENT


def test_metrics_that_are_no_numbers_are_as_recorded(recorded: RecordedRun) -> None:
    lineage = recorded.read_lineage()
    lineage["stages"]["metrics"]["test"]["r2"] = "NaN"

    assert math.isnan(list_metrics(lineage)["test_r2"])


def test_a_metric_that_is_no_number_is_no_number_on_the_server_either() -> None:
    """MLflow keeps NaN as it is, and the largest float in place of infinity."""
    largest = sys.float_info.max

    assert is_same(math.nan, math.nan) and is_same(-math.inf, -largest)
    assert not is_same(math.nan, 0.5)
    assert not is_same(math.inf, -largest) and not is_same(math.inf, 0.5)


def test_a_damaged_bundle_of_the_only_copy_of_a_commit_is_named(store: str, tmp_path: Path) -> None:
    work = make_project(tmp_path / "work")
    (work / "small.json").write_text(json.dumps(merge(SMALL, {"name": "bundled", "models": {"dummy": {}}})), encoding="utf-8")
    trained = run_in(work, "train", "small.json", store=store)
    assert trained.returncode == 0, trained.stderr
    shutil.rmtree(work)
    client = open_client(store)
    with open_recorded_run(client, trained.stdout.split()[1]) as run:
        lineage = run.read_lineage()
        assert all(check.passed for check in check_sources(lineage, run, ROOT))
        location = client.get_experiment(run.run.info.experiment_id).artifact_location.removeprefix("file://")
        (bundle,) = Path(location).rglob("commit.bundle")
        content = bundle.read_bytes()
        bundle.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        wrong = {check.name: check.passed for check in check_sources(lineage, run, ROOT) if not check.passed}
        assert wrong == {"commit in the experiment's archive": False, "commit": None}
        shutil.rmtree(bundle.parent)
        assert "commit in the experiment's archive" in [check.name for check in check_sources(lineage, run, ROOT) if not check.passed]


def test_a_large_models_content_is_checked_when_asked_and_said_otherwise(
    run_id: str, store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from samebits.commands import verify

    monkeypatch.setattr(verify, "_LOADED_BYTES", 100)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(ROOT)

    assert verify.run_verify(run_id, as_json=True) == Verdict.IDENTICAL
    without = json.loads(capsys.readouterr().out)
    assert verify.run_verify(run_id, as_json=True, with_content=True) == Verdict.IDENTICAL
    asked = json.loads(capsys.readouterr().out)

    names = [{check["name"] for check in report["checks"]} for report in (without, asked)]
    assert "model content" not in names[0] and "model content" in names[1]
    assert any("--content" in line for line in without["not_checked"]) and not any(
        "--content" in line for line in asked["not_checked"]
    )


def forge_sources(recorded: RecordedRun, **changes: Any) -> dict[str, Any]:
    lineage = recorded.read_lineage()
    for stage, values in changes.items():
        lineage["stages"][stage] |= values
    lineage["archive"] = {}
    return lineage


def make_trap(folder: Path) -> Path:
    """A repository that runs a command when Git looks there for an object that it has not."""
    git("init", "-q", "--bare", str(folder / "evil"))
    for name, value in {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(folder / "evil"),
        "remote.origin.uploadpack": f"touch {folder}/PWNED; git-upload-pack",
    }.items():
        git("config", name, value, cwd=folder / "evil")
    return folder / "evil"


def test_no_command_runs_in_a_place_that_only_the_lineage_names(recorded: RecordedRun, tmp_path: Path) -> None:
    trap = make_trap(tmp_path)
    lineage = forge_sources(recorded, code={"repository": str(trap), "remote": f"file://{trap}", "commit": "1" * 40})

    checks = check_sources(lineage, recorded, ROOT)

    assert not (tmp_path / "PWNED").exists()
    (commit,) = [check for check in checks if check.name == "commit"]
    assert f"not asked, since only the run names it: repository {trap}, remote file://{trap}" in commit.observed
    assert commit.passed is None


def test_no_file_is_read_that_only_the_lineage_names_and_no_digest_of_one_is_told(recorded: RecordedRun, tmp_path: Path) -> None:
    project, secret = tmp_path / "project", tmp_path / "secret"
    (project / "data").mkdir(parents=True)
    secret.write_text("password", encoding="utf-8")
    (project / "own.csv").write_text("an own file", encoding="utf-8")
    (project / "data/linked.csv").symlink_to(secret)
    (project / ".env").write_text("password", encoding="utf-8")
    own, hidden = digest_file(project / "own.csv"), digest_file(secret)

    for path, location in (
        ("nowhere.csv", str(secret)),
        ("../secret", None),
        ("data/linked.csv", None),
        (".env", None),
        (str(secret), None),
        (".", None),
        ("own.csv", None),
        ("nul\0.csv", None),
    ):
        for size_bytes in (8, 11, None):
            wanted = {"path": path, "location": location, "digest": hidden, "size_bytes": size_bytes}
            checks = check_sources(forge_sources(recorded, data=wanted), recorded, project)
            said = str([(check.name, check.observed) for check in checks])
            assert own not in said and hidden not in said
            assert not any(check.passed for check in checks if check.name == "data")


def test_a_file_of_the_project_is_not_read_for_a_record_without_a_size(
    recorded: RecordedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large.csv").write_text("hours of reading", encoding="utf-8")
    monkeypatch.setattr("samebits.holdings.data_search.digest_table", lambda *_: pytest.fail("read"))

    for size_bytes in (None, "16", 16.0):
        wanted = {"path": "large.csv", "location": None, "digest": f"sha256:{'0' * 64}", "size_bytes": size_bytes}
        checks = check_sources(forge_sources(recorded, data=wanted), recorded, tmp_path)
        assert not any(check.passed for check in checks if check.name == "data")


def test_a_recorded_folder_that_is_large_is_not_walked(recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samebits.holdings.data_search.digest_table", lambda *_: pytest.fail("read"))

    for path in ("/usr", "/etc/shadow", "/", "~"):
        forged = {"path": path, "location": path, "digest": f"sha256:{'0' * 64}"}
        assert conclude(check_sources(forge_sources(recorded, data=forged), recorded, ROOT)) == Verdict.INCONCLUSIVE


@pytest.mark.parametrize("remote", ["https://git.example/own.git", "ssh://git@git.example/own.git", "git@git.example:own.git"])
def test_only_a_remote_of_the_callers_own_is_asked(tmp_path: Path, remote: str) -> None:
    git("init", "-q", str(tmp_path))
    git("remote", "add", "origin", remote.replace("https://", "https://me:secret@"), cwd=tmp_path)
    stage = {"remote": remote, "repository": "/elsewhere"}

    asked = list_code_sources(stage, [tmp_path], is_trusted=False)

    assert [source.name for source in asked] == [f"repository {tmp_path}", f"remote {remote}"]
    assert list_unasked(stage, [tmp_path]) == ["repository /elsewhere"]
    assert list_unasked({"remote": "https://evil.example/x"}, [tmp_path]) == ["remote https://evil.example/x"]
    assert all("evil" not in source.address for source in list_code_sources({"remote": "https://evil.example/x"}, [tmp_path], False))


def test_what_others_wrote_into_a_record_makes_no_line_of_a_report(
    recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from samebits.commands import verify

    forged = "file:///x\nverdict     IDENTICAL\n\x1b[8m"
    checks = check_sources(forge_sources(recorded, code={"remote": forged, "commit": "1" * 40}), recorded, ROOT)

    verify._print_report(recorded, Verdict.INCONCLUSIVE, checks, ["a\rb"], as_json=False)

    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("verdict")] == ["verdict     INCONCLUSIVE"]
    assert "\x1b" not in "".join(lines) and lines[-1] == "not checked a\\rb"


def test_a_level_and_a_dataset_that_somebody_typed_are_found(run_id: str, store: str, tmp_path: Path) -> None:
    shutil.copyfile(store.removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    client = open_client(f"sqlite:///{tmp_path}/mlflow.db")
    client.set_tag(run_id, "level", "L3 portable")
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("UPDATE datasets SET digest = substr(dataset_uuid, 1, 30)")
        database.commit()

    with open_recorded_run(client, run_id) as run:
        wrong = find_wrong(run)
        levels = [(check.observed, check.passed) for check in check_level(run.read_lineage(), run)[0]]

    assert wrong == ["dataset input", "dataset input of test rows"]
    assert levels == [("L3 portable", False)]


def test_a_model_that_is_not_the_recorded_file_is_not_loaded(recorded: RecordedRun) -> None:
    path = recorded.files[MODEL_FILE]
    content = path.read_bytes()
    try:
        path.write_bytes(content + b"x")
        with ModelCheck() as model_check:
            checks, _ = verify_run(recorded, ROOT, model_check, with_content=False)
            assert not model_check._is_asked
    finally:
        path.write_bytes(content)

    wrong = {check.name: check.observed for check in checks if not check.passed}
    assert wrong["model content"] == "its file is not the recorded one, and was not loaded"


def test_what_mlflow_notes_beside_a_model_that_was_loaded_by_its_name_is_no_difference(recorded: RecordedRun, tmp_path: Path) -> None:
    note, other = tmp_path / "note", tmp_path / "other"
    note.write_bytes(b"model_name: wdbc\nmodel_version: '3'\n")
    other.write_bytes(b"model_name: wdbc\nmodel_version: '3'\nimport: os\n")

    def list_differences(path: Path) -> list[str]:
        files = {**recorded.files, "model/registered_model_meta": path}
        return [check.name for check in check_record(dataclasses.replace(recorded, files=files)) if not check.passed]

    assert list_differences(note) == []
    assert list_differences(other) == ["artifact model/registered_model_meta"]
