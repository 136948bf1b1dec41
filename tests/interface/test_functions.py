from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, SMALL, clean_environment, merge
from recorded_runs import open_client

import samebits
from samebits.errors import ConfigError, TrackingError
from samebits.interface import child, functions
from samebits.verdicts import Verdict

LINEAGE = ROOT / "tests/goldens/lineage_2.json"


def test_the_import_is_instant_and_brings_nothing() -> None:
    script = "import sys; before = set(sys.modules); import samebits; print(set(sys.modules) - before)"

    done = subprocess.run(
        [sys.executable, "-c", script], env=clean_environment(PYTHONPATH=str(ROOT / "src")), capture_output=True, encoding="utf-8"
    )

    assert done.stdout == "{'samebits'}\n", done.stderr


def test_every_name_of_the_package_is_there_and_no_other() -> None:
    assert all(getattr(samebits, name) is getattr(functions, name) for name in samebits.__all__)
    assert set(samebits.__all__) <= set(dir(samebits)) and set(functions.__all__) == set(samebits.__all__)
    with pytest.raises(AttributeError, match="module 'samebits' has no attribute 'trian'"):
        _ = samebits.trian


def test_the_file_that_is_served_with_a_model_stands_alone(tmp_path: Path) -> None:
    (tmp_path / "samebits").mkdir()
    (tmp_path / "samebits/__init__.py").write_bytes((ROOT / "src/samebits/__init__.py").read_bytes())
    (tmp_path / "samebits/transformers.py").write_text("A = 1\n", encoding="utf-8")

    script = "from samebits import transformers, __version__; import samebits; print(transformers.A, hasattr(samebits, 'other'))"
    done = subprocess.run([sys.executable, "-c", script], env=clean_environment(PYTHONPATH=str(tmp_path)), capture_output=True)

    assert done.stdout == b"1 False\n", done.stderr


def test_a_mapping_is_trained_recorded_and_verified(
    own_store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", own_store)
    monkeypatch.chdir(tmp_path)

    run = samebits.train(merge(SMALL, {"name": "mapping", "scoring": "roc_auc"}), quiet=True)

    request.getfixturevalue("warm_children")  # the training alone is started as a user starts it
    assert run.answer["reused"] is False and run.answer["metrics"] == run.metrics and run.is_own
    assert json.loads(run.read_file("config/as_written.json"))["name"] == "mapping"
    assert samebits.verify(run)
    (row,) = samebits.results("mapping").to_dict("records")
    assert (row["run"], row["scoring"], row["test"]) == (run.id, "roc_auc", pytest.approx(run.metrics["roc_auc"]))
    assert str(samebits.results()["started"].dtype).endswith("UTC]")


@pytest.mark.usefixtures("warm_children")
def test_what_is_wrong_with_a_mapping_is_said_by_its_keys() -> None:
    with pytest.raises(ConfigError) as caught:
        samebits.train(merge(SMALL, {"seed": "x", "models": {"own": {"class": "nowhere.Mine"}}}))

    first, second = sorted(str(caught.value).splitlines(), key=len)
    assert first.startswith("config: seed: expected") and second.startswith("config: models.own.class: expected")


@pytest.mark.usefixtures("warm_children")
def test_a_config_file_cannot_name_what_a_notebook_defines(write_config: Callable[..., Path]) -> None:
    path = write_config({"models": {"own": {"class": "__main__.Mine"}}})

    with pytest.raises(
        ConfigError, match=r"models\.own\.class: .* Put it into a module of the project, and name that module in allow:"
    ):
        samebits.train(path)


@pytest.mark.usefixtures("warm_children")
def test_two_lineages_are_compared_without_a_server(tmp_path: Path) -> None:
    lineage: dict[str, Any] = json.loads(LINEAGE.read_text(encoding="utf-8"))
    lineage["stages"]["seeds"]["root"] += 1
    (tmp_path / "lineage.json").write_text(json.dumps(lineage), encoding="utf-8")

    outcome = samebits.diff(LINEAGE, tmp_path / "lineage.json")

    assert isinstance(outcome, samebits.Outcome) and "stages.seeds.root" in [found["path"] for found in outcome.differences]
    assert outcome.verdict in (Verdict.INCONCLUSIVE, Verdict.DIFFERENT) and not outcome


@pytest.mark.usefixtures("warm_children")
def test_an_empty_store_has_no_results_and_what_the_command_line_refuses_is_raised(
    own_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", own_store)

    with pytest.raises(TrackingError, match="run 'nothing': expected a run's id"):
        samebits.reproduce("nothing", here=True)
    with pytest.raises(TrackingError, match="experiment 'nothing': expected one that is on the server"):
        samebits.results("nothing")
    assert len(samebits.results()) == 0


def test_an_interrupted_training_ends_its_run_before_it_is_raised(own_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(line: str) -> None:
        if line.startswith("read "):  # by then its run is open
            raise KeyboardInterrupt

    monkeypatch.setenv("MLFLOW_TRACKING_URI", own_store)
    monkeypatch.setattr(child, "warn", interrupt)

    with pytest.raises(KeyboardInterrupt):
        samebits.train(merge(SMALL, {"name": "stopped", "models": {"random_forest": {"n_estimators": 5000}}}))

    client = open_client(own_store)
    (run,) = client.search_runs([client.get_experiment_by_name("stopped").experiment_id])
    assert run.info.status == "KILLED"


@pytest.mark.usefixtures("warm_children")
def test_a_run_that_waits_for_its_server_is_a_value_as_well(
    write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAMEBITS_SPOOL", str(tmp_path / "spool"))

    run = samebits.train(write_config({"tracking": {"offline": True}, "models": {"decision_tree": {"max_depth": 2}}}), quiet=True)

    assert run.answer["waiting"]["class"] == "Undelivered" and run.answer["page"] is None
    assert f"samebits push {run.id}" in capsys.readouterr().err and run.metrics == run.answer["metrics"]
