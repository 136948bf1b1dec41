from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import run_samebits
from recorded_runs import ShippedRun, open_client, record_shipped

from samebits.data.target import Target
from samebits.parcels.description import _describe_reservations, _describe_task


@pytest.fixture
def shipped(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> ShippedRun:
    return record_shipped("training", empty_store, tmp_path_factory.getbasetemp())


def read_description(shipped: ShippedRun) -> list[str]:
    run = open_client(shipped.store).get_run(shipped.run_id)
    return str(run.data.tags["mlflow.note.content"]).splitlines()


def test_the_first_lines_answer_what_a_reader_asks(shipped: ShippedRun) -> None:
    what, good, note, again = read_description(shipped)[:4]

    assert "diagnosis (B, **M**) from wdbc.csv: 455 rows to train, 114 to test" in what
    assert "**test average\\_precision 0.9943** (0.983 to 1; baseline 0.368)" in good
    assert "precision 0.8936 misses its target of 0.9**; svm as good" in note
    assert re.search(r" · \*\*Trusted\?\*\* L[0-2] ", again)
    assert f"`samebits reproduce {shipped.run_id[:8]}`" in again


@pytest.mark.parametrize(
    ("as_good", "note"),
    [([], "- **Note** 275 of 980 test rows are equal to a training row in every column: …"), (["svm"], "- **Note** svm as good")],
)
def test_where_nothing_graver_is_to_be_said_the_first_remark_stands_beside_the_score(as_good: list[str], note: str) -> None:
    assessment = {"claims": [], "as_good": as_good}
    remarks = ("275 of 980 test rows are equal to a training row in every column: they show no more than memory.", "Another.")
    result = SimpleNamespace(assessment=assessment, metrics={"test": {}}, remarks=remarks)
    config = SimpleNamespace(business=SimpleNamespace(target_precision=None))
    training: Any = SimpleNamespace(result=result, loaded=SimpleNamespace(config=config))

    assert _describe_reservations(training, None) == [note]


def test_what_proves_a_run_is_said_in_its_description(shipped: ShippedRun) -> None:
    done = run_samebits("verify", shipped.run_id, MLFLOW_TRACKING_URI=shipped.store)

    assert done.returncode == 0, done.stderr
    assert ", record IDENTICAL 2" in read_description(shipped)[3]


def test_the_answers_fit_above_the_fold_of_the_page(shipped: ShippedRun) -> None:
    lines = [re.sub(r"[*`\\\\]", "", line).removeprefix("- ") for line in read_description(shipped)[:4]]

    lines[3] = lines[3].partition(" · ")[0]  # what follows grows as the run is proved
    assert [line for line in lines if len(line) > 72] == []


def describe_task(table: str, target: str, labels: list[str], positive: str | None) -> str:
    rows = SimpleNamespace(train_rows=range(9864), test_rows=range(2466))
    found = Target("binary" if positive else "multiclass", np.empty(0), np.array(labels), positive)
    config = SimpleNamespace(data=SimpleNamespace(target=target))
    materials, stages = SimpleNamespace(split=rows, target=found), {"data": {"path": f"data/raw/{table}"}}
    training: Any = SimpleNamespace(materials=materials, stages=stages, loaded=SimpleNamespace(config=config))
    return _describe_task(training)


@pytest.mark.parametrize(
    ("table", "target", "labels", "positive", "line"),
    [
        ("churn.csv", "left", ["no", "yes"], "yes", "left (no, **yes**) from churn.csv: 9,864 rows to train, 2,466 to test"),
        ("wine.csv", "q", list("3456789"), None, "q (3, 4, 5, 6, 7, 8, 9) from wine.csv: 9,864 + 2,466 test rows"),
        (
            "white_wine_quality.csv",
            "grade",
            list("3456789"),
            None,
            "grade (7 classes) from white\\_wine\\_qualit…: 9,864 + 2,466 test rows",
        ),
        (
            "online_shoppers_intention.csv",
            "Revenue",
            ["False", "True"],
            "True",
            "Revenue (**True**) from online\\_shoppers\\_inte…: 9,864 + 2,466 test rows",
        ),
    ],
)
def test_what_a_run_is_stands_in_one_line_whatever_its_table_is_called(
    table: str, target: str, labels: list[str], positive: str | None, line: str
) -> None:
    found = describe_task(table, target, labels, positive)

    assert found == line
    assert len("What? ") + len(re.sub(r"[*\\]", "", found)) <= 72
