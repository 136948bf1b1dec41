from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from step_projects import Project, make_project

from samebits.differences.lineages import diff_lineages, name_cause
from samebits.errors import DataError, ProvenanceError
from samebits.lineage.manifest import find_parting_stage
from samebits.lineage.step_stage import NO_STEPS, is_whole, list_outputs
from samebits.provenance.code import identify_code
from samebits.steps.stage import RECORDED, find_steps, hold_made
from samebits.training.stages import describe_code, list_input_paths

GOLDEN: dict[str, Any] = json.loads((ROOT / "tests/goldens/lineage_6.json").read_text(encoding="utf-8"))


def put_stage(stage: dict[str, Any]) -> dict[str, Any]:
    """Return a whole lineage with a stage of steps, and the table that they made."""
    lineage: dict[str, Any] = json.loads(json.dumps(GOLDEN))
    lineage["stages"]["steps"] = stage
    lineage["stages"]["data"]["digest"] = stage["made"]["data.path"]
    return lineage


def test_a_project_that_lies_elsewhere_and_files_of_other_names_give_the_same_stage(project: Project, tmp_path: Path) -> None:
    other = make_project(tmp_path / "elsewhere")
    (other.root / "data/raw/orders.csv").rename(other.root / "data/raw/renamed.csv")
    other.steps["join"]["inputs"] = {**other.steps["join"]["inputs"], "orders": "data/raw/renamed.csv"}

    left, right = project.make_stage(), other.make_stage()

    assert left["digest"] == right["digest"]
    assert is_whole(left) and left["order"] == ["join", "clean"]
    assert left["made"] == {"data.path": left["steps"]["clean"]["outputs"]["table"]}
    assert set(left["raw"]) == {"data/raw/customers.csv", "data/raw/orders.csv"}
    assert list(list_outputs(left)) == ["data/processed/joined.csv", "data/processed/clean.csv"]


def test_a_config_without_steps_has_an_empty_stage(project: Project) -> None:
    project.steps = {}

    assert project.make_stage(steps=None) == NO_STEPS == {"digest": NO_STEPS["digest"]}
    assert is_whole(NO_STEPS)


CAUSES: dict[str, tuple[Callable[[Project], Any], str]] = {
    "raw file": (lambda one: one.write("data/raw/orders.csv", "2,9.6\n"), "step join: input orders: sha256:"),
    "parameter": (lambda one: one.steps["join"].update(parameters={"how": "inner"}), "step join: parameter how: nothing -> inner"),
    "seed": (
        lambda one: (one.steps["clean"].update(seed=2), one.write("src/churn/names.py", "TITLE = 'a\\n'\n")),
        "step clean: seed: 0 -> 2",
    ),
    "shared module": (  # join imports it too, and gives what it gave
        lambda one: one.write("src/churn/names.py", "TITLE = 'id,age,amount\\n'\n"),
        "step clean: module src/churn/names.py: sha256:",
    ),
    "module that parts nothing": (
        lambda one: one.write("src/churn/names.py", one.read("src/churn/names.py") + "OTHER = 1\n"),
        "step join: module src/churn/names.py: sha256:",
    ),
    "one step's function in a shared module": (
        lambda one: one.write("src/churn/preparation.py", one.read("src/churn/preparation.py").replace("TITLE +", "'\\n' +")),
        "step clean: module src/churn/preparation.py: sha256:",
    ),
    "function": (
        lambda one: (
            one.write("src/churn/preparation.py", one.read("src/churn/preparation.py") + "\ntidy = clean\n"),
            one.steps["clean"].update(function="churn.preparation.tidy"),
        ),
        "step join: module src/churn/preparation.py",
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_first_step_that_parts_is_named_with_why(project: Project, name: str) -> None:
    change, cause = CAUSES[name]
    left = put_stage(project.make_stage())
    change(project)
    right = put_stage(project.make_stage())

    differences = diff_lineages(left, right)

    assert name_cause(differences).startswith(cause)
    assert find_parting_stage(left, right) == "steps"


def test_a_key_that_a_later_samebits_may_know_is_a_difference_like_any_other(project: Project) -> None:
    left = put_stage(project.make_stage())
    project.write("data/raw/orders.csv", "2,9.6\n")
    right = put_stage({**project.make_stage(), "later": "x"})

    differences = diff_lineages(left, right)

    assert "stages.steps.later" in {found.path for found in differences}
    assert name_cause(differences).startswith("step join: input orders: sha256:")


def test_a_step_that_gave_other_bytes_of_the_same_is_named_as_that_unless_what_it_ran_in_is_another(project: Project) -> None:
    left, right = put_stage(project.make_stage()), put_stage(project.make_stage())
    other = "sha256:" + "1" * 64
    right["stages"]["steps"]["steps"]["join"]["outputs"]["table"] = other
    right["stages"]["steps"]["steps"]["clean"]["inputs"]["joined"] = other
    right["stages"]["steps"]["steps"]["clean"]["outputs"]["table"] = other
    right["stages"]["data"]["digest"] = other

    # what the next step read follows from what this one gave
    assert name_cause(diff_lineages(left, right)).startswith(
        "step join: the same inputs, parameters and code gave other bytes of table"
    )

    right["stages"]["environment"]["packages"]["numpy"] = "9.9"
    assert name_cause(diff_lineages(left, right)).startswith("environment numpy: ")


def test_a_run_that_is_made_again_takes_the_recorded_steps_as_they_are(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, loaded = project.make_stage(), project.load()
    for name in ("data/raw/orders.csv", "data/processed/joined.csv"):
        (project.root / name).unlink()
    recorded = tmp_path / "steps.json"
    recorded.write_text(json.dumps(stage))
    monkeypatch.setenv(RECORDED, str(recorded))

    assert project.make_stage() == stage
    assert not (project.root / "data/processed/joined.csv").exists()

    hold_made(stage, "data.path", stage["made"]["data.path"])
    with pytest.raises(ProvenanceError, match=r"data\.path: expected sha256:.*, as its step made it, found sha256:other"):
        hold_made(stage, "data.path", "sha256:other")
    assert loaded.config.steps


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another function": lambda stage: stage["steps"]["join"].update(function="churn.preparation.other"),
    "another output": lambda stage: stage["steps"]["clean"]["outputs"].update(table="sha256:1"),
    "a step less": lambda stage: stage["steps"].pop("clean"),
    "no steps": lambda stage: stage.clear(),
}


@pytest.mark.parametrize("name", EDITS)
def test_recorded_steps_that_are_not_the_config_s_or_not_whole_are_refused(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    stage = project.make_stage()
    EDITS[name](stage)
    recorded = tmp_path / "steps.json"
    recorded.write_text(json.dumps(stage))
    monkeypatch.setenv(RECORDED, str(recorded))

    with pytest.raises(ProvenanceError, match=r"SAMEBITS_RECORDED_STEPS: expected the recorded steps of this config, found others"):
        project.make_stage()


def test_what_was_recorded_is_found_without_running_anything(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_steps(project.load(), project.root) is None
    stage = project.make_stage()
    monkeypatch.setattr("samebits.steps.running.run_process", lambda *_: pytest.fail("a step ran"))

    found = find_steps(project.load(), project.root)
    assert found is not None and found["digest"] == stage["digest"]

    project.write("data/raw/orders.csv", "1,7\n")
    assert find_steps(project.load(), project.root) is None
    (project.root / "data/raw/orders.csv").unlink()
    with pytest.raises(DataError):
        find_steps(project.load(), project.root)


def test_what_steps_read_and_write_is_no_change_of_code(project: Project) -> None:
    git = {**os.environ, **{f"GIT_{who}_{what}": "a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}}
    loaded = project.load()
    for words in (["init", "-q"], ["add", "src", "confs"], ["commit", "-qm", "a"]):
        subprocess.run(["git", *words], cwd=project.root, env=git, check=True)

    before = describe_code(identify_code(project.root), list_input_paths(loaded, project.root), project.root)
    project.make_stage()
    after = describe_code(identify_code(project.root), list_input_paths(loaded, project.root), project.root)

    assert before["changes"] == after["changes"] == {}
    assert before["digest"] == after["digest"]


@pytest.mark.parametrize("path", ["../x.csv", "/x/..", "data/../../x.csv", "", "/"])
@pytest.mark.parametrize("kind", ["inputs", "outputs", "raw"])
def test_a_stage_whose_paths_lead_aside_is_not_whole(project: Project, kind: str, path: str) -> None:
    stage = project.make_stage()
    assert is_whole(stage)
    paths = stage["raw"] if kind == "raw" else stage["paths"]["join"][kind]
    name = next(iter(paths))

    paths |= {path: paths[name]} if kind == "raw" else {name: path}

    assert not is_whole(stage)


def test_inputs_of_a_stage_may_lie_elsewhere_and_outputs_not(project: Project) -> None:
    stage = project.make_stage()
    stage["paths"]["join"]["inputs"]["orders"] = "/mnt/orders.csv"
    assert is_whole(stage)

    stage["paths"]["join"]["outputs"]["table"] = "/mnt/joined.csv"
    assert not is_whole(stage)


PARTS = {"a table in an output": "data/processed/parts/clean.csv", "a folder of outputs": "data"}


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("key", ["path", "test_path"])
def test_a_table_that_is_a_part_of_outputs_or_holds_them_is_refused(project: Project, name: str, key: str) -> None:
    project.take_step("def work(out): ...\n", outputs={"out": "data/processed/parts"})
    data = {"path": "data/raw/orders.csv", "target": "age", key: PARTS[name]}
    tests = (
        {"data": {**data, "test_digest": f"sha256:{'0' * 64}"}, "split": {"method": "path"}} if key == "test_path" else {"data": data}
    )

    with pytest.raises(DataError, match=rf"data\.{key}: expected what one output of a step is, .* of step one\. Name"):
        project.make_stage(**tests)
