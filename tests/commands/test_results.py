from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from conftest import run_samebits
from recorded_runs import ShippedRun, open_client, record_shipped

from samebits.commands.results import COLUMNS


@pytest.fixture
def shipped(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> ShippedRun:
    return record_shipped("training", empty_store, tmp_path_factory.getbasetemp())


def ask(shipped: ShippedRun, *words: str) -> str:
    done = run_samebits("results", *words, MLFLOW_TRACKING_URI=shipped.store)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_row_says_what_a_run_was_of_and_how_good_it_came_out(shipped: ShippedRun) -> None:
    (row,) = json.loads(ask(shipped, "wdbc", "--format", "json", "--where", f"run={shipped.run_id}"))

    assert tuple(row) == COLUMNS
    assert (row["experiment"], row["version"], row["model"], row["scoring"]) == (
        "wdbc",
        "2026.11.0",
        "logistic_regression",
        "average_precision",
    )
    assert row["data"].startswith("sha256:c3e3bad9") and row["run"] == shipped.run_id
    assert (row["cv"], row["test"]) == (pytest.approx(0.995421, abs=1e-6), pytest.approx(0.994298, abs=1e-6))
    assert row["spread"] == pytest.approx(0.003545, abs=1e-6)  # as `train` says it


def test_every_form_has_the_same_rows(shipped: ShippedRun) -> None:
    rows = json.loads(ask(shipped, "--format", "json"))

    text, markdown = ask(shipped).splitlines(), ask(shipped, "--format", "markdown").splitlines()
    table = list(csv.DictReader(io.StringIO(ask(shipped, "--format", "csv"))))

    assert text[0].split() == list(COLUMNS) and len(text) == len(rows) + 1
    assert markdown[0] == f"| {' | '.join(COLUMNS)} |" and len(markdown) == len(rows) + 2
    assert f" | {rows[0]['cv']:.6f} | " in markdown[2]  # as a reader of the text reads it too
    assert [(row["run"], float(row["cv"])) for row in table] == [(row["run"], row["cv"]) for row in rows]


def test_rows_are_chosen_and_ordered(own_store: str) -> None:
    client = open_client(own_store)
    for number, (model, version) in enumerate([("svm", "2026.11.0"), ("knn", ""), ("svm", "2026.10.0")]):
        run_id = client.create_run("0", start_time=1000 * (number + 1)).info.run_id
        for name, value in {"outputs_digest": "x", "best_model": model, "config_version": version}.items():
            client.set_tag(run_id, name, value)
        client.log_param(run_id, "scoring", "neg_root_mean_squared_error")
        name, sign = ("cv_score", -1) if number else ("cv_rmse", 1)  # a run before schema 5 has scikit-learn's sign
        client.log_metric(run_id, name, sign * [0.5, 0.9, 0.7][number])
        client.set_terminated(run_id)
    store = ShippedRun(own_store, "")

    def list_column(name: str, *words: str) -> list[object]:
        return [row[name] for row in json.loads(ask(store, "--format", "json", *words))]

    assert list_column("cv") == [0.7, 0.9, 0.5]  # the latest first
    assert list_column("cv", "--reverse") == [0.5, 0.9, 0.7]
    assert list_column("cv", "--sort", "cv") == [0.5, 0.7, 0.9]
    assert list_column("cv", "--sort", "cv", "--reverse", "--where", "model=sv") == [0.7, 0.5]
    assert list_column("version", "--sort", "version") == ["2026.10.0", "2026.11.0", ""]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wdcb"], "experiment 'wdcb': expected one that is on the server, found none of that name. Did you mean 'wdbc'?"),
        (["--sort", "modle"], "--sort: expected one of started, experiment"),
        (["--where", "model"], "--where: expected COLUMN=VALUE, found 'model'."),
    ],
)
def test_what_is_not_there_is_refused_by_name(shipped: ShippedRun, words: list[str], said: str) -> None:
    done = run_samebits("results", *words, MLFLOW_TRACKING_URI=shipped.store)

    assert done.returncode == 2 and said in done.stderr and done.stdout == ""
