"""The ledger and reuse: runs with the same inputs confirm or contradict each other, on a real store."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, clean_environment, run_fresh, run_samebits
from recorded_runs import CountingClient, open_client, train

from samebits.proof import ledger
from samebits.proof.ledger import ALARM, compare_with_ledger

pytestmark = pytest.mark.xdist_group("ledger")


def test_equal_runs_confirm_each_other(own_store: str, write_config: Callable[..., Path]) -> None:
    path = write_config({"name": "confirmed", "models": {"dummy": {}}})

    first = train(path, own_store)
    done = run_samebits(str(path), MLFLOW_TRACKING_URI=own_store)

    second = done.stdout.split()[1]
    client = open_client(own_store)
    assert f"run {second} confirms run {first}" in done.stderr
    assert client.get_run(second).data.tags["confirms"] == first
    assert client.get_run(first).data.tags["confirmed_by"] == second


def test_unseeded_randomness_raises_the_alarm_on_both_runs_at_the_right_stage(
    own_store: str, write_config: Callable[..., Path]
) -> None:
    path = write_config({"name": "alarm", "allow": ["unseeded"], "models": {"coin": {"class": "unseeded.UnseededClassifier"}}})
    around = {"PYTHONPATH": str(ROOT / "tests")}

    first = train(path, own_store, **around)
    done = run_samebits(str(path), MLFLOW_TRACKING_URI=own_store, **around)

    second = done.stdout.split()[1]
    client = open_client(own_store)
    assert done.returncode == 0  # the run is recorded; what is wrong is said loudly
    assert f"{ALARM}: the same inputs gave other outputs in run {first}, from the stage cross_validation on" in done.stderr
    for one, other in ((first, second), (second, first)):
        tags = client.get_run(one).data.tags
        assert tags["nondeterminism_stage"] == "cross_validation"
        assert other in tags["nondeterminism"]
        assert tags["mlflow.note.content"].startswith(f"**{ALARM}**: with the same inputs, run [")

    again = run_samebits("train", "--reuse", str(path), MLFLOW_TRACKING_URI=own_store, **around)

    assert again.stdout.split()[1] not in (first, second)  # which of them would be the result?
    assert "is not handed back: NONDETERMINISM DETECTED" in again.stderr


def test_many_equal_runs_hide_no_other_one_and_cost_no_more(
    empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_COMPARED", 2)
    monkeypatch.setattr(ledger, "_find_stage", lambda *_: "model")
    client = CountingClient(open_client(f"sqlite:///{shutil.copy(empty_store, tmp_path / 'mlflow.db')}"))
    experiment_id = client.create_experiment("twins")
    made = []
    for number, outputs in enumerate(["other", *["same"] * 8]):
        tags = {"inputs_digest": "sha256:in", "outputs_digest": f"sha256:{outputs}"}
        made.append(client.create_run(experiment_id, start_time=1 + number, tags=tags).info.run_id)
        client.set_terminated(made[-1])

    entry = compare_with_ledger(client, made[-1], {"inputs_digest": "sha256:in", "outputs_digest": "sha256:same"})

    assert entry is not None
    assert entry.confirms == made[-2]
    assert entry.contradicts == {made[0]: "model"}
    assert client.n_read == 3


def test_other_inputs_are_no_twins(own_store: str, write_config: Callable[..., Path]) -> None:
    train(write_config({"name": "twins", "models": {"dummy": {}}}), own_store)

    done = run_samebits(str(write_config({"name": "twins", "models": {"dummy": {}}, "seed": 8})), MLFLOW_TRACKING_URI=own_store)

    assert "confirms" not in done.stderr and ALARM not in done.stderr


def test_reuse_hands_back_the_finished_run_and_trains_where_that_cannot_be_trusted(
    own_store: str, tmp_path: Path, write_config: Any
) -> None:
    table = tmp_path / "table.csv"
    shutil.copyfile(ROOT / "data/raw/wdbc.csv", table)
    path = write_config({"name": "reuse", "seed": 9, "models": {"dummy": {}}, "data": {"path": str(table)}})
    first = run_samebits("train", "--reuse", str(path), MLFLOW_TRACKING_URI=own_store)
    run_id = first.stdout.split()[1]

    second = run_samebits("train", "--reuse", str(path), MLFLOW_TRACKING_URI=own_store, cwd=tmp_path)

    assert second.stdout == first.stdout
    assert "reused: trained" in second.stderr and "reused" not in first.stderr
    client = open_client(own_store)
    artifact = Path(client.get_run(run_id).info.artifact_uri.removeprefix("file://")) / "metrics.json"
    artifact.write_text("{}", encoding="utf-8")
    damaged = run_fresh("train", "--reuse", str(path), MLFLOW_TRACKING_URI=own_store)
    assert damaged.stdout.split()[1] != run_id
    assert f"run {run_id} has the same inputs but does not verify, and is not handed back: artifact metrics.json" in damaged.stderr
    table.write_bytes(table.read_bytes().replace(b"17.99", b"17.98", 1))
    changed = run_samebits("train", "--reuse", str(path), MLFLOW_TRACKING_URI=own_store)
    assert changed.stdout.split()[1] not in (run_id, damaged.stdout.split()[1])


def test_a_part_that_one_of_two_equal_runs_could_not_make_is_no_contradiction(
    own_store: str, write_config: Callable[..., Path]
) -> None:
    path = write_config({"name": "unmade", "models": {"dummy": {}}, "report": {"detail": "short"}})
    whole = train(path, own_store)

    done = train_without(["report.gallery.hang_pictures", "training.assessment.resample_metrics"], path, own_store)

    assert done.stderr.count("MemoryError: all of it is in use; the run is kept without it") == 2
    assert ALARM not in done.stderr
    left = done.stdout.split()[1]
    client = open_client(own_store)
    assert client.get_run(left).info.status == "FINISHED"
    assert run_samebits("verify", left, MLFLOW_TRACKING_URI=own_store).returncode == 0
    for one, other in ((whole, left), (left, whole)):
        compared = run_samebits("diff", one, other, MLFLOW_TRACKING_URI=own_store)
        assert "INCONCLUSIVE: every specified output equal to the bit; run " in compared.stdout
        assert "MemoryError" in compared.stdout


def train_without(parts: list[str], path: Path, store: str) -> subprocess.CompletedProcess[str]:
    """Train where some functions of samebits find no memory."""
    fail = "def fail(*_, **__): raise MemoryError('all of it is in use')\n"
    for module, _, name in (part.rpartition(".") for part in parts):
        fail += f"import samebits.{module} as m\nm.{name} = fail\n"
    program = f"import sys; sys.argv[1:1] = ['train']\nfrom samebits.__main__ import main\nfrom samebits import numerics\n{fail}main()"
    environment = clean_environment(MLFLOW_TRACKING_URI=store)
    return subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, env=environment, capture_output=True, text=True)
