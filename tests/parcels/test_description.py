from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import run_samebits
from recorded_runs import ShippedRun, open_client, record_shipped


@pytest.fixture
def shipped(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> ShippedRun:
    return record_shipped("training", empty_store, tmp_path_factory.getbasetemp())


def read_description(shipped: ShippedRun) -> list[str]:
    run = open_client(shipped.store).get_run(shipped.run_id)
    return str(run.data.tags["mlflow.note.content"]).splitlines()


def test_the_first_lines_answer_what_a_reader_asks(shipped: ShippedRun) -> None:
    what, good, note, again = read_description(shipped)[:4]

    assert "diagnosis (B, **M**) from wdbc.csv: 455 rows to train, 114 to test" in what
    assert "0.9943** on test rows (0.983 to 1; baseline 0.368)" in good
    assert "precision 0.8936 misses its target of 0.9**; svm as good" in note
    assert re.search(r" · \*\*Trusted\?\*\* L[0-2] ", again)
    assert f"`samebits reproduce {shipped.run_id[:8]}`" in again


def test_what_proves_a_run_is_said_in_its_description(shipped: ShippedRun) -> None:
    done = run_samebits("verify", shipped.run_id, MLFLOW_TRACKING_URI=shipped.store)

    assert done.returncode == 0, done.stderr
    assert ", record IDENTICAL 2" in read_description(shipped)[3]


def test_the_answers_fit_above_the_fold_of_the_page(shipped: ShippedRun) -> None:
    lines = [re.sub(r"[*`\\\\]", "", line).removeprefix("- ") for line in read_description(shipped)[:4]]

    lines[3] = lines[3].partition(" · ")[0]  # what follows grows as the run is proved
    assert [line for line in lines if len(line) > 76] == []
