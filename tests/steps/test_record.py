from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT
from step_projects import Project

from samebits.steps.record import FOLDER, Records, digest_environment
from samebits.voice import Voice


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"schema": 1, "runs": 3}', '{"schema": 2}'])
def test_a_record_that_is_none_any_more_lets_the_step_run_again(project: Project, content: str) -> None:
    project.run()
    (file,) = (project.root / FOLDER / "join").glob("*.json")
    file.write_text(content)

    assert project.judge()["join"].state == "runs"
    assert project.list_ran() == ["join"]


@pytest.mark.parametrize(
    "change",
    [
        {"modules": []},
        {"modules": None},
        {"places": {"src/churn/preparation.py": 5}},
        {"outputs": {}},
        {"outputs": {"table": {"path": "a", "digest": "b"}, "more": {"path": "a", "digest": "b"}}},
        {"modules": {"a\ud800": "b"}},
    ],
    ids=str,
)
def test_a_record_of_other_kinds_lets_the_step_run_again(project: Project, change: dict[str, object]) -> None:
    project.run()
    (file,) = (project.root / FOLDER / "join").glob("*.json")
    record = json.loads(file.read_text())
    record["runs"][0].update(change)
    file.write_text(json.dumps(record))

    assert project.list_ran() == ["join"]


@pytest.mark.parametrize("name", ["two\nlines.txt", "no\u00a0break.txt"])
def test_a_file_of_any_name_is_on_record(project: Project, name: str) -> None:
    project.take_step("def work(out): out.write_text('1')\n", outputs={"out": f"data/processed/{name}"})

    assert project.list_ran() == ["one"]
    assert project.list_ran() == []


def test_a_record_without_end_lets_the_step_run_again(project: Project) -> None:
    project.run()
    (project.root / FOLDER / "join/deep.json").write_text("[" * 200_000)
    project.steps["join"]["parameters"] = {"how": "inner"}

    assert project.list_ran() == ["join", "clean"]


def test_a_process_that_would_wait_for_the_one_that_started_it_is_refused(project: Project) -> None:
    waiting = (
        "from pathlib import Path; import sys; from samebits.steps.record import Records\nwith Records(Path(sys.argv[1])).lock(): pass"
    )
    with Records(project.root).lock():
        command = [sys.executable, "-c", waiting, str(project.root)]
        done = subprocess.run(command, env={"PYTHONPATH": str(ROOT / "src")}, capture_output=True, encoding="utf-8", check=False)

    assert "expected steps run by no step of the same project" in done.stderr


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


def test_who_waits_for_another_process_says_for_which(project: Project) -> None:
    holder = (
        "import os, sys; from pathlib import Path; from samebits.steps.record import Records\n"
        "with Records(Path(sys.argv[1])).lock(): print(os.getpid(), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holder, str(project.root)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as other:
        assert other.stdin is not None and other.stdout is not None
        number = other.stdout.readline().strip()
        said: list[str] = []

        def hear(line: str) -> None:
            said.append(line)
            other.communicate("")

        with Records(project.root).lock(Voice(hear, hear)):
            pass
    assert said == [f"waits until process {number} has run its steps of this project"]
