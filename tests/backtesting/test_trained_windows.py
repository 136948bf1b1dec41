"""A whole backtest: its windows are the single runs, it goes on where it was, and it is proved as a whole."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import PROGRAM, ROOT, SMALL, clean_environment, merge, run_samebits, wait_until
from recorded_runs import make_once, open_client

from samebits.backtesting.summary import list_metrics, list_steps, summarise, write_summary
from samebits.backtesting.verification import check_backtest, find_finished_backtest
from samebits.commands.reproduce_windows import reproduce_windows
from samebits.commands.verify import run_verify
from samebits.config.decisive import digest_config
from samebits.digests import digest_bytes
from samebits.holdings.runs import PARENT_TAG, WINDOW_TAG, open_recorded_run
from samebits.lineage.backtest_record import (
    BACKTEST_FILE,
    SUMMARY_FILE,
    digest_inputs,
    digest_outputs,
    list_params,
    list_tags,
    write_record,
)
from samebits.proof.reproduction import Report, Wishes
from samebits.proof.verification import check_record
from samebits.verdicts import Level, Verdict

N = 240


def write_table(path: Path, n: int = N, one_class_until: int = 0) -> Path:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, 3))
    labels = np.where(x[:, 0] + rng.normal(size=n) > 0, "yes", "no")
    labels[:one_class_until] = "no"
    table = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=n), "a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": labels})
    table.to_csv(path, index=False)
    return path


def write_config(folder: Path, name: str, **changes: Any) -> Path:
    if not (folder / "table.csv").exists():
        write_table(folder / "table.csv")
    base = {
        "name": name,
        "data": {"path": str(folder / "table.csv"), "target": "y", "positive": "yes", "drop": []},
        "models": {"decision_tree": {"max_depth": 3}, "dummy": {}},
        "business": ...,
        "split": {"method": "time", "column": "day"},
        "backtest": {"windows": 3, "horizon": "30d", "gap": "2d"},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(merge(merge(SMALL, base), changes)), encoding="utf-8")
    return path


def run(*words: str | Path, store: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    done = run_samebits(*map(str, words), MLFLOW_TRACKING_URI=store, **env)
    assert done.returncode == code, done.stderr
    return done


def train(config: Path, store: str, *words: str, **env: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run("train", config, "--json", "--quiet", *words, store=store, **env).stdout)
    return document


@dataclasses.dataclass(frozen=True)
class Trained:
    """A backtest that was trained once, in a store of its own."""

    folder: Path
    store: str
    document: dict[str, Any]

    @property
    def config(self) -> Path:
        return self.folder / "backtest.yaml"


@pytest.fixture(scope="session")
def trained(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    def make(folder: Path) -> list[Any]:
        shutil.copy(empty_store, folder)
        store = f"sqlite:///{folder}/mlflow.db"
        return [str(folder), store, train(write_config(folder, "backtest"), store)]

    folder, store, document = make_once("backtest", tmp_path_factory.mktemp("backtests"), make)
    return Trained(Path(folder), store, document)


@pytest.fixture
def own(trained: Trained, tmp_path: Path) -> Trained:
    """Return a copy of the backtest, for what changes it."""
    folder = Path(shutil.copytree(trained.folder, tmp_path / "own"))
    with sqlite3.connect(folder / "mlflow.db") as database:
        for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location"), ("logged_models", "artifact_location")):
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(trained.folder), str(folder)))
    return Trained(folder, f"sqlite:///{folder}/mlflow.db", trained.document)


def test_a_window_is_the_run_of_its_own_config(trained: Trained, own_store: str) -> None:
    told, recorded = trained.document["backtest"]["windows"][1], trained.document["windows"][1]
    bounds = {name: told[name] for name in ("train_until", "test_from", "test_until")}
    config = write_config(trained.folder, "alone", split={"method": "time", "column": "day", **bounds}, backtest=...)

    alone = train(config, own_store)

    assert alone["digests"]["inputs"] == recorded["inputs_digest"]
    assert alone["digests"]["outputs"] == recorded["outputs_digest"]


def test_the_windows_stand_below_the_run_that_tells_of_them(trained: Trained) -> None:
    client = open_client(trained.store)

    parent = client.get_run(trained.document["run_id"])
    windows = [client.get_run(window["run_id"]) for window in trained.document["windows"]]

    assert [window.data.tags[PARENT_TAG] for window in windows] == [parent.info.run_id] * 3
    assert [window.data.tags[WINDOW_TAG] for window in windows] == [told["cutoff"] for told in trained.document["windows"]]
    assert parent.info.run_name.startswith("backtest ") and parent.data.tags["best_model"]
    steps = client.get_metric_history(parent.info.run_id, "window_average_precision")
    assert [step.step for step in steps] == [1, 2, 3]
    assert [pd.Timestamp(step.timestamp, unit="ms").date().isoformat() for step in steps] == [
        told["cutoff"] for told in trained.document["windows"]
    ]
    assert parent.data.metrics["test_average_precision"] == pytest.approx(np.mean([step.value for step in steps]))
    first = parent.data.tags["mlflow.note.content"].splitlines()[:4]
    assert [line.split("**")[1] for line in first] == ["What?", "How good?", "Note", "Again?"]


def test_the_same_command_again_trains_nothing_and_tells_the_same(own: Trained) -> None:
    again = train(own.config, own.store)

    assert [window["run_id"] for window in again["windows"]] == [window["run_id"] for window in own.document["windows"]]
    assert all(window["was_there"] for window in again["windows"])
    assert again["backtest"] == own.document["backtest"] and again["run_id"] != own.document["run_id"]
    both = [open_client(own.store).get_run(one["run_id"]).data.tags["outputs_digest"] for one in (again, own.document)]
    assert both[0] == both[1]
    window = open_client(own.store).get_run(again["windows"][0]["run_id"])
    assert window.data.tags[PARENT_TAG] == own.document["run_id"], "it stays with the backtest that was finished"
    equal = run("diff", own.document["run_id"], again["run_id"], store=own.store)
    assert "IDENTICAL: 3 of 3 windows of both equal to the bit" in equal.stdout


def test_reuse_hands_the_finished_backtest_back(own: Trained) -> None:
    again = train(own.config, own.store, "--reuse")

    assert again["run_id"] == own.document["run_id"] and again["reused"] is True
    assert again["backtest"] == own.document["backtest"]


def test_a_backtest_that_was_killed_goes_on(tmp_path: Path, own_store: str) -> None:
    config = write_config(tmp_path, "killed", backtest={"windows": 2, "horizon": "30d"})
    environment = clean_environment(MLFLOW_TRACKING_URI=own_store, XDG_STATE_HOME=str(tmp_path / "state"))
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen([*PROGRAM, "train", str(config)], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=said)
    wait_until(
        lambda: "window  1 of 2" in (tmp_path / "said").read_text() and "made as run" in (tmp_path / "said").read_text(), process
    )
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (finished,) = [run for run in list_runs(own_store) if WINDOW_TAG in run.data.tags and run.info.status == "FINISHED"]

    went_on = train(config, own_store, XDG_STATE_HOME=str(tmp_path / "state"))

    assert [window["was_there"] for window in went_on["windows"]] == [True, False]
    assert went_on["windows"][0]["run_id"] == finished.info.run_id
    runs = list_runs(own_store)
    assert {run.info.status for run in runs} == {"FINISHED", "KILLED"}
    parents = {run.data.tags.get(PARENT_TAG) for run in runs if WINDOW_TAG in run.data.tags and run.info.status == "FINISHED"}
    assert parents == {went_on["run_id"]}


def list_runs(store: str) -> list[Any]:
    client = open_client(store)
    return list(client.search_runs([one.experiment_id for one in client.search_experiments()]))


def test_a_run_that_somebody_made_for_it_tells_of_the_windows(tmp_path: Path, own_store: str) -> None:
    """As `mlflow run` does it."""
    client = open_client(own_store)
    given = client.create_run(client.create_experiment("given"), run_name="friday").info.run_id
    config = write_config(tmp_path, "adopted", backtest={"windows": 2, "horizon": "30d"}, models={"dummy": {}})

    document = train(config, own_store, MLFLOW_RUN_ID=given, MLFLOW_RUN_NAME="friday")

    assert document["run_id"] == given and client.get_run(given).info.run_name == "friday"
    windows = [client.get_run(window["run_id"]) for window in document["windows"]]
    assert {window.data.tags[PARENT_TAG] for window in windows} == {given}
    assert {window.info.experiment_id for window in windows} == {client.get_run(given).info.experiment_id}
    assert [window.info.run_name for window in windows] == ["2020-06-27 · adopted 2026.11.0", "2020-07-27 · adopted 2026.11.0"]


def test_windows_made_without_a_server_wait_and_are_taken_when_it_is_there(tmp_path: Path, own_store: str) -> None:
    place = {"XDG_STATE_HOME": str(tmp_path / "state")}
    changes: dict[str, Any] = {"backtest": {"windows": 2, "horizon": "30d"}, "models": {"dummy": {}}}
    offline = write_config(tmp_path, "offline", tracking={"offline": True}, **changes)

    first = run("train", offline, "--quiet", store=own_store, code=75, **place)
    second = run("train", offline, store=own_store, code=75, **place)
    online = train(write_config(tmp_path, "offline", **changes), own_store, **place)

    assert "expected all its windows on the server, found 2 that wait" in first.stderr
    assert second.stderr.count("made before") == 2
    assert [window["was_there"] for window in online["windows"]] == [True, True]
    assert {run.data.tags.get(PARENT_TAG) for run in list_runs(own_store) if WINDOW_TAG in run.data.tags} == {online["run_id"]}
    assert "nothing waits" in run("status", store=own_store, **place).stdout


def test_what_would_stop_a_later_window_stops_the_first(tmp_path: Path, own_store: str) -> None:
    write_table(tmp_path / "table.csv", one_class_until=170)

    done = run("train", write_config(tmp_path, "one_class"), store=own_store, code=2)

    assert "window 1 of backtest (2020-05-28): " in done.stderr
    assert [run.info.status for run in list_runs(own_store)] == ["FAILED"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"split": {"method": "random", "column": ...}},
            "split.method: expected time, for the cut-off times of backtest, found random.",
        ),
        ({"split": {"test_size": 30}}, "split.test_size: expected no such key beside backtest.horizon, found it. Remove it."),
        ({"split": {"train_until": "2020-03-01"}}, "split.train_until: expected no such key beside backtest, which says it for each"),
        ({"registry": {"name": "m"}}, "registry.name: expected no registered model beside backtest, found it."),
        (
            {"backtest": {"windows": ...}},
            "backtest.windows: expected windows, how many there are, or cutoffs, the times themselves, found n",
        ),
        ({"backtest": {"cutoffs": ["2020-06-01"]}}, "backtest.windows: expected windows, how many there are, or cutoffs"),
        ({"backtest": {"horizon": "0d"}}, "backtest.horizon: expected a time above 0, found '0d'. Write such as 30d."),
        ({"backtest": {"horizon": "1 month"}}, "found '1 month'. Write such as 30d, 12h, 4w or 90s, or a number."),
        (
            {"backtest": {"windows": ..., "cutoffs": ["2020-06-01"], "step": "1d"}},
            "backtest.step: expected no such key beside cutoffs",
        ),
        (
            {"backtest": ..., "split": {"test_until": "2020-06-01"}},
            "split.train_until: expected the end of the training rows beside test_u",
        ),
        (
            {"backtest": ..., "split": {"train_until": "2020-06-01", "test_size": 9}},
            "split.test_size: expected no such key beside split.train_until",
        ),
        (
            {"backtest": ..., "split": {"method": "random", "column": ..., "train_until": 3}},
            "split.train_until: expected no such key under",
        ),
    ],
)
def test_keys_that_exclude_each_other_are_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    from samebits.config.loading import load_config
    from samebits.errors import ConfigError

    with pytest.raises(ConfigError) as refused:
        load_config(write_config(tmp_path, "refused", **changes))

    assert said in str(refused.value)


def test_keys_that_say_nothing_move_no_digest(tmp_path: Path) -> None:
    from samebits.config.loading import load_config

    plain = load_config(write_config(tmp_path, "plain", backtest=...))
    said = load_config(write_config(tmp_path, "said", backtest=None, split={"train_until": None, "test_from": None}))

    assert said.digest == plain.digest
    assert not {"backtest", "train_until"} & {*plain.resolved, *plain.resolved["split"]}


def test_a_backtest_verifies_with_all_its_windows(trained: Trained) -> None:
    report = json.loads(run("verify", trained.document["run_id"], "--json", store=trained.store).stdout)

    assert report["verdict"] == "IDENTICAL"
    assert sum(check["name"].startswith("window ") for check in report["checks"]) == 3


def change_summary(own: Trained) -> None:
    (path,) = own.folder.glob(f"mlruns/*/{own.document['run_id']}/artifacts/backtest.json")
    path.write_bytes(path.read_bytes().replace(b'"worst":', b'"worst": '))


def change_window(own: Trained) -> None:
    (path,) = own.folder.glob(f"mlruns/*/{own.document['windows'][1]['run_id']}/artifacts/metrics.json")
    path.write_bytes(path.read_bytes() + b" ")


def change_metric(own: Trained) -> None:
    open_client(own.store).log_metric(own.document["run_id"], "test_average_precision", 0.99, step=1)


def change_step(own: Trained) -> None:
    open_client(own.store).log_metric(own.document["run_id"], "window_average_precision", 0.99, step=4)


def change_tag(own: Trained) -> None:
    open_client(own.store).set_tag(own.document["run_id"], "best_model", "another")


def claim_level(own: Trained) -> None:
    open_client(own.store).set_tag(own.document["run_id"], "level", "L2 repeatable")


def delete_window(own: Trained) -> None:
    shutil.rmtree(next(own.folder.glob(f"mlruns/*/{own.document['windows'][2]['run_id']}")))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (change_summary, "artifact backtest.json"),
        (change_window, "window 2020-06-27"),
        (change_metric, "metric test_average_precision"),
        (change_step, "metric window_average_precision"),
        (change_tag, "tag best_model"),
        (claim_level, "tag level"),
        (delete_window, "window 2020-07-27"),
    ],
)
def test_what_was_changed_of_a_backtest_is_named(
    own: Trained,
    change: Callable[[Trained], None],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", own.store)
    monkeypatch.chdir(ROOT)
    change(own)

    verdict = run_verify(own.document["run_id"], as_json=True)

    report = json.loads(capsys.readouterr().out)
    assert verdict == Verdict.DIFFERENT and report["verdict"] == "DIFFERENT"
    assert next(check["name"] for check in report["checks"] if check["passed"] is False).startswith(named)


def drop_window(record: dict[str, Any]) -> None:
    del record["windows"][2]


def drop_window_and_say_so(record: dict[str, Any]) -> None:
    drop_window(record)
    record["config"]["resolved"]["backtest"]["windows"] = 2


def take_window_twice(record: dict[str, Any]) -> None:
    record["windows"][2] = record["windows"][1]


def change_config(record: dict[str, Any]) -> None:
    record["config"]["resolved"]["seed"] += 1
    record["config"]["digest"] = digest_config(record["config"]["resolved"])


def name_cutoff(record: dict[str, Any]) -> None:
    record["windows"][2]["cutoff"] = "2020-07-28"


def change_horizon(record: dict[str, Any]) -> None:
    record["config"]["resolved"]["backtest"]["horizon"] = "365d"
    record["config"]["digest"] = digest_config(record["config"]["resolved"])


def list_two_cutoffs(record: dict[str, Any]) -> None:
    record["config"]["resolved"]["backtest"]["cutoffs"] = ["2020-05-28", "2020-06-27"]
    record["config"]["digest"] = digest_config(record["config"]["resolved"])


def change_table(record: dict[str, Any]) -> None:
    record["shared"]["data_hash"] = f"sha256:{'0' * 64}"


def forge(own: Trained, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a record, and make all that follows from it anew: summary, digests, tags, params and metrics."""
    client, run_id = open_client(own.store), own.document["run_id"]
    (folder,) = own.folder.glob(f"mlruns/*/{run_id}/artifacts")
    record = json.loads((folder / BACKTEST_FILE).read_bytes())
    change(record)
    lineages = []
    for window in record["windows"]:
        with open_recorded_run(client, window["run_id"]) as one:
            lineages.append(one.read_lineage())
    summary = summarise(record["config"]["resolved"], lineages)
    (folder / SUMMARY_FILE).write_bytes(write_summary(summary))
    record["artifacts"][SUMMARY_FILE]["digest"] = digest_bytes(write_summary(summary))
    record["inputs_digest"] = digest_inputs(record["config"], record["windows"])
    record["outputs_digest"] = digest_outputs(record["windows"], record["artifacts"])
    (folder / BACKTEST_FILE).write_bytes(write_record(record))
    with sqlite3.connect(own.folder / "mlflow.db") as database:
        for table in ("metrics", "latest_metrics", "params"):
            database.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (run_id,))
    for name, value in list_tags(record, write_record(record)).items():
        client.set_tag(run_id, name, value)
    for name, value in list_params(record).items():
        client.log_param(run_id, name, value)
    for name, number in list_metrics(summary).items():
        client.log_metric(run_id, name, number)
    for name, number, step in list_steps(summary):
        client.log_metric(run_id, name, number, step=step)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (drop_window, "windows"),
        (drop_window_and_say_so, f"{BACKTEST_FILE}: config.digest"),
        (take_window_twice, "windows"),
        (change_config, "config of window 2020-05-28"),
        (name_cutoff, "cut-off of window 2020-07-28"),
        (change_horizon, "times of window 2020-05-28"),
        (list_two_cutoffs, "windows"),
        (change_table, f"{BACKTEST_FILE}: data_hash"),
    ],
)
def test_a_forged_backtest_whose_summary_was_made_anew_is_named(
    own: Trained, change: Callable[[dict[str, Any]], None], named: str
) -> None:
    forge(own, change)

    with open_recorded_run(open_client(own.store), own.document["run_id"]) as recorded:
        wrong = [check.name for check in check_backtest(recorded, check_record) if check.passed is False]

    assert wrong and wrong[0] == named


def test_what_is_forged_to_the_same_verifies(own: Trained) -> None:
    forge(own, lambda record: None)

    with open_recorded_run(open_client(own.store), own.document["run_id"]) as recorded:
        assert all(check.passed for check in check_backtest(recorded, check_record))


@pytest.mark.parametrize("of_window", [False, True])
def test_a_backtest_whose_inputs_came_out_otherwise_is_not_handed_back(own: Trained, of_window: bool, capsys: Any) -> None:
    client, run_id = open_client(own.store), own.document["run_id"]
    request_digest = client.get_run(run_id).data.tags["request_digest"]
    assert find_finished_backtest(client, request_digest) is not None
    tagged = own.document["windows"][1]["run_id"] if of_window else run_id

    client.set_tag(tagged, "nondeterminism", "NONDETERMINISM: run 9 parts at model")

    assert find_finished_backtest(client, request_digest) is None
    said = capsys.readouterr().err
    assert f"is not handed back: run {tagged}: NONDETERMINISM: run 9 parts at model" in said


def reproduce(own: Trained, make: Callable[[str], Report]) -> Verdict:
    with open_recorded_run(open_client(own.store), own.document["run_id"]) as recorded:
        return reproduce_windows(recorded, Wishes(), make)


def test_a_backtest_is_identical_where_its_windows_and_the_summary_are(own: Trained, capsys: Any) -> None:
    def make(run_id: str) -> Report:
        return Report(run_id, Wishes(), Verdict.IDENTICAL, run_id=run_id, level=Level.L1)

    assert reproduce(own, make) == Verdict.IDENTICAL
    tags = open_client(own.store).get_run(own.document["run_id"]).data.tags
    assert (tags["verdict"], tags["level"]) == ("IDENTICAL", "L1 restorable")
    assert "**Trusted?** L1 restorable, IDENTICAL" in tags["mlflow.note.content"]
    assert capsys.readouterr().out.count("verdict     IDENTICAL") == 4


def test_a_window_that_differs_decides(own: Trained) -> None:
    def make(run_id: str) -> Report:
        verdict = Verdict.DIFFERENT if run_id == own.document["windows"][1]["run_id"] else Verdict.IDENTICAL
        return Report(run_id, Wishes(), verdict, run_id=run_id, level=Level.L1)

    assert reproduce(own, make) == Verdict.DIFFERENT


def test_reruns_of_another_result_do_not_give_the_summary(own: Trained, capsys: Any) -> None:
    """Whatever a rerun says of itself: the summary is made of the reruns' own lineages."""

    def make(run_id: str) -> Report:
        return Report(run_id, Wishes(), Verdict.IDENTICAL, run_id=own.document["windows"][0]["run_id"], level=Level.L1)

    assert reproduce(own, make) == Verdict.DIFFERENT
    assert "backtest.json: recorded sha256:" in capsys.readouterr().out


def test_a_backtest_that_was_stopped_or_changed_is_not_decided(own: Trained) -> None:
    def make(run_id: str) -> Report:
        return Report(run_id, Wishes(), Verdict.INCONCLUSIVE, is_interrupted=True)

    assert reproduce(own, make) == Verdict.INCONCLUSIVE
    change_summary(own)
    assert reproduce(own, lambda run_id: pytest.fail("nothing is trained")) == Verdict.INCONCLUSIVE


def test_two_backtests_part_at_the_first_window_that_does(own: Trained) -> None:
    other = train(write_config(own.folder, "other", seed=8, backtest={"windows": 2}), own.store)

    differs = run("diff", own.document["run_id"], other["run_id"], "--json", store=own.store, code=1)
    mixed = run("diff", own.document["run_id"], own.document["windows"][0]["run_id"], store=own.store, code=2)

    found = json.loads(differs.stdout)
    assert found["windows_of_one_side"] == {"left": ["2020-05-28"], "right": []}
    assert found["unequal_windows"][0] == "2020-06-27"
    assert found["first_unequal_window"]["cause"].startswith("config seed: 7 -> 8")
    assert "expected two backtests, or two runs of their own, found one of each" in mixed.stderr


def test_results_and_latest_show_the_backtest_and_none_of_its_windows(trained: Trained) -> None:
    rows = json.loads(run("results", "--format", "json", store=trained.store).stdout)

    assert [row["run"] for row in rows] == [trained.document["run_id"]]
    assert rows[0]["test"] == pytest.approx(trained.document["backtest"]["mean"]["average_precision"])
    assert rows[0]["spread"] == pytest.approx(trained.document["backtest"]["spread"]["average_precision"])
    assert run("lineage", "latest", store=trained.store).stdout.startswith('{"artifacts":{"backtest.json"')


def test_a_command_that_wants_a_model_names_the_windows(trained: Trained) -> None:
    done = run("predict", "latest", trained.folder / "table.csv", "--output", trained.folder / "p.csv", store=trained.store, code=2)

    assert "expected a run with a model of its own, found a backtest of several. Name the run of one of its windows" in done.stderr


LAZY = """
from sklearn.tree import DecisionTreeClassifier


class Lazy(DecisionTreeClassifier):
    def fit(self, X, y, sample_weight=None):
        import lightgbm  # which brings an OpenMP of its own

        return super().fit(X, y, sample_weight)
"""


def test_what_a_window_loads_does_not_change_the_next(tmp_path: Path, own_store: str) -> None:
    """The libraries that are loaded are on record as they were before anything was trained, in each window as in a run of its own."""
    pytest.importorskip("lightgbm")
    (tmp_path / "lazy_class.py").write_text(LAZY, encoding="utf-8")
    own_class = {"allow": ["lazy_class"], "models": {"lazy": {"class": "lazy_class.Lazy", "max_depth": 2}}}
    windows = write_config(tmp_path, "windows", backtest={"windows": 2, "horizon": "30d", "gap": 0}, **own_class)
    bounds = {"train_until": "2020-07-29", "test_until": "2020-08-28"}
    alone = write_config(tmp_path, "alone", backtest=..., split={"method": "time", "column": "day", **bounds}, **own_class)

    documents = [train(one, own_store, PYTHONPATH=str(tmp_path)) for one in (windows, alone)]

    assert documents[0]["backtest"]["windows"][1]["cutoff"] == bounds["train_until"]
    assert documents[0]["windows"][1]["inputs_digest"] == documents[1]["digests"]["inputs"]
