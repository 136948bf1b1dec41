from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, run_samebits
from step_projects import Project

from samebits.commands.steps import StepsWishes, run_steps
from samebits.errors import ConfigError, DataError
from samebits.lineage.step_stage import NO_STEPS


@pytest.fixture
def steps(project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Return what runs the command in a small project, and what it gave: exit code and output."""
    monkeypatch.setattr("samebits.commands.steps.find_project_root", lambda: project.root)

    def run(**wishes: Any) -> tuple[int, str]:
        project.load()
        code = run_steps("confs/churn.yaml", StepsWishes(**wishes))
        return code, capsys.readouterr().out

    return run


def test_steps_are_said_in_order_one_a_line_with_why_each_would_run(project: Project, steps: Callable[..., tuple[int, str]]) -> None:
    project.steps = {"clean": project.steps["clean"], "join": project.steps["join"]}

    flows = [
        "data/raw/customers.csv, data/raw/orders.csv -> data/processed/joined.csv",
        "data/processed/joined.csv -> data/processed/clean.csv",
    ]
    assert steps() == (0, f"join   would run  never run here: {flows[0]}\nclean  would run  after step join: {flows[1]}\n")
    assert steps(is_run=True)[0] == 0
    assert steps() == (0, f"join   unchanged  {flows[0]}\nclean  unchanged  {flows[1]}\n")
    project.write("data/processed/clean.csv", "edited")
    code, said = steps()
    assert code == 2 and "clean  refused    data/processed/clean.csv was edited since step clean wrote it" in said


def test_a_step_that_is_not_there_and_a_config_without_any_are_refused(
    project: Project, steps: Callable[..., tuple[int, str]]
) -> None:
    with pytest.raises(ConfigError, match=r"expected one of join, clean, found 'clan'\. Did you mean 'clean'\?"):
        steps(only="clan")
    project.steps = {}
    with pytest.raises(ConfigError, match=r"churn\.yaml: steps: expected steps, found none"):
        steps()


def test_what_stands_in_the_way_is_said_with_the_line_of_its_key(project: Project, steps: Callable[..., tuple[int, str]]) -> None:
    project.write("src/churn/names.py", "raise ValueError('not today')\n")

    with pytest.raises(
        DataError, match=r"churn\.yaml:\d+: steps\.join\.function: .*ValueError: not today \(names\.py:1, in <module>\)"
    ):
        steps(is_run=True)


def test_a_table_that_is_a_part_of_an_output_is_refused_before_anything_runs(
    project: Project, steps: Callable[..., tuple[int, str]]
) -> None:
    project.take_step("def work(out): ...\n", outputs={"out": "data/processed"})

    with pytest.raises(DataError, match=r"data\.path: expected what one output of a step is, .* lies in data/processed of step one"):
        steps()


def test_steps_run_again_are_compared_and_an_unstable_one_has_an_exit_code(
    project: Project, steps: Callable[..., tuple[int, str]]
) -> None:
    code, said = steps(again=True)
    assert code == 0 and said.endswith("verdict  2 steps gave the same bytes again\n")

    project.steps["clock"] = {"function": "churn.clock.work", "outputs": {"out": "data/processed/clock.txt"}}
    project.write("src/churn/clock.py", "import time\ndef work(out):\n    out.write_text(str(time.time_ns()))\n")
    assert steps(again=True)[0] == 1
    code, said = steps(as_json=True)
    assert json.loads(said)["steps"][2]["step"] == "clock"
    assert "unstable: it gave other bytes before" in steps()[1]


def test_json_says_how_steps_stand_and_what_ran(project: Project, steps: Callable[..., tuple[int, str]]) -> None:
    ran = json.loads(steps(is_run=True, as_json=True)[1])["steps"]
    stands = json.loads(steps(as_json=True)[1])["steps"]

    assert [(one["step"], one["found"]) for one in ran] == [("join", False), ("clean", False)]
    assert [(one["step"], one["state"], one["needs"]) for one in stands] == [
        ("join", "unchanged", []),
        ("clean", "unchanged", ["join"]),
    ]


def test_steps_are_written_as_stages_of_dvc_with_what_each_reads_and_imports(
    project: Project, steps: Callable[..., tuple[int, str]]
) -> None:
    steps(is_run=True)

    stages = yaml.safe_load(steps(as_dvc=True)[1])["stages"]

    assert list(stages) == ["join", "clean"]
    assert stages["clean"]["cmd"] == "samebits steps confs/churn.yaml --run --only clean"
    code = ["src/churn/__init__.py", "src/churn/names.py", "src/churn/preparation.py"]
    assert stages["clean"]["deps"] == ["data/processed/joined.csv", "confs/churn.yaml", *code]
    assert stages["clean"]["outs"] == ["data/processed/clean.csv"]


def test_stages_of_dvc_whose_modules_nobody_knows_yet_are_named(
    project: Project, steps: Callable[..., tuple[int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    steps(is_run=True, only="join")
    capsys.readouterr()

    assert run_steps("confs/churn.yaml", StepsWishes(as_dvc=True)) == 0

    said = capsys.readouterr()
    assert said.out.startswith("stages:")
    assert (
        "no module is named for clean, since none of its own is known here: samebits steps confs/churn.yaml --run, then this again\n"
        in said.err
    )


def test_who_only_asks_loads_no_numeric_library() -> None:
    script = (
        "import sys, samebits.commands.steps; sys.exit(any(name in sys.modules for name in ('numpy', 'pandas', 'sklearn', 'mlflow')))"
    )

    assert (
        subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, check=False).returncode
        == 0
    )


def test_going_back_to_raw_files_of_a_run_without_steps_is_refused(store: str, write_config: Callable[..., Path]) -> None:
    trained = run_samebits("train", str(write_config({"models": {"dummy": {}}})), MLFLOW_TRACKING_URI=store)
    run_id = trained.stdout.split()[1]

    done = run_samebits("reproduce", run_id, "--from", "raw", MLFLOW_TRACKING_URI=store)

    assert done.returncode == 2
    assert "expected steps, which --from raw runs again, found none on record" in done.stdout
    lineage = json.loads(run_samebits("lineage", run_id, MLFLOW_TRACKING_URI=store).stdout)
    assert lineage["stages"]["steps"] == NO_STEPS
