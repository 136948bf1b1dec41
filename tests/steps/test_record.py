from __future__ import annotations

import json
import subprocess

import pytest
from step_projects import Project

from samebits.steps.record import FOLDER, Records, digest_environment


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"schema": 1, "runs": 3}', '{"schema": 2}'])
def test_a_record_that_is_none_any_more_lets_the_step_run_again(project: Project, content: str) -> None:
    project.run()
    (file,) = (project.root / FOLDER / "join").glob("*.json")
    file.write_text(content)

    assert project.judge()["join"].state == "runs"
    assert project.list_ran() == ["join"]


def test_a_record_says_of_which_inputs_and_modules_what_came(project: Project) -> None:
    outcome = project.run()["clean"]
    (file,) = (project.root / FOLDER / "clean").glob("*.json")
    recorded = json.loads(file.read_text())

    assert list(recorded["inputs"]) == ["joined"]
    assert list(recorded["runs"][0]["modules"]) == ["src/churn/__init__.py", "src/churn/names.py", "src/churn/preparation.py"]
    assert recorded["runs"][0]["outputs"]["table"] == {"path": "data/processed/clean.csv", "digest": outcome.run.digests["table"]}
    assert Records(project.root).list_writers("data/processed/clean.csv") == {outcome.run.digests["table"]: "clean"}


def test_several_sets_of_modules_are_each_found_again(project: Project) -> None:
    titles = ["TITLE = 'number,age,amount\\n'\n", "TITLE = 'a,b,c\\n'\n"]
    for title in titles:
        project.write("src/churn/names.py", title)
        project.run()
    (file,) = (project.root / FOLDER / "join").glob("*.json")
    assert len(json.loads(file.read_text())["runs"]) == 2

    project.write("src/churn/names.py", titles[0])

    assert project.judge()["join"].state == "unchanged"  # whose outputs are the same under both
    assert project.list_ran() == ["clean"]


def test_git_sees_nothing_of_the_records(project: Project) -> None:
    subprocess.run(["git", "init", "-q"], cwd=project.root, check=True)

    project.run()

    shown = subprocess.run(["git", "status", "--porcelain", "-uall"], cwd=project.root, capture_output=True, text=True, check=True)
    assert ".samebits" not in shown.stdout


def test_the_environment_is_known_by_what_is_installed_and_by_the_profile() -> None:
    assert digest_environment("portable") == digest_environment("portable") != digest_environment("native")
