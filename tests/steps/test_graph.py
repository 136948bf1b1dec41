from __future__ import annotations

from pathlib import Path

import pytest
from step_projects import Project

from samebits.errors import DataError
from samebits.steps.graph import list_step_inputs, list_step_paths


def test_an_input_that_is_neither_a_file_nor_an_output_is_named_with_the_one_that_was_meant(project: Project) -> None:
    project.steps["join"] = {
        **project.steps["join"],
        "inputs": {"customers": "data/raw/custmers.csv", "orders": "data/raw/orders.csv"},
    }
    project.steps["clean"] = {**project.steps["clean"], "inputs": {"joined": "data/processed/joind.csv"}}

    with pytest.raises(DataError) as caught:
        project.run()

    lines = str(caught.value).splitlines()
    assert lines[1] == (
        "steps.clean.inputs.joined: expected a file, or an output of a step, found neither at data/processed/joind.csv. "
        "Did you mean 'data/processed/joined.csv'?"
    )
    assert "Did you mean 'data/raw/customers.csv'?" in lines[0]


def test_a_raw_file_that_can_be_brought_is_not_mistaken_for_one_that_lies_beside(project: Project) -> None:
    lost = {"path": "data/raw/custmers.csv", "digest": "sha256:" + "0" * 64}
    project.take_step("def work(lost, out):\n    pass\n", inputs={"lost": lost})

    with pytest.raises(DataError, match=r"neither at data/raw/custmers\.csv\. Check the path, or bring it: samebits data pull\."):
        project.run()


def test_an_input_may_lie_outside_of_the_project_and_in_another_step_s_folder(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("9,9\n")
    code = "def work(customers, out):\n    out.mkdir()\n    (out / 'a.txt').write_text(customers.read_text())\n"
    project.take_step(code, inputs={"customers": str(outside)}, outputs={"out": "data/processed/parts"})
    project.write("src/churn/two.py", "def work(part, out):\n    out.write_text(part.read_text())\n")
    project.steps["two"] = {
        "function": "churn.two.work", "inputs": {"part": "data/processed/parts/a.txt"}, "outputs": {"out": "data/processed/b.txt"}
    }  # fmt: skip

    assert project.list_ran() == ["one", "two"]
    assert project.read("data/processed/b.txt") == "9,9\n"
    assert project.list_ran() == []


def test_an_input_is_held_to_the_digest_that_it_is_pinned_to(project: Project) -> None:
    pin = project.run()["join"].record.inputs["orders"]
    inputs = {**project.steps["join"]["inputs"], "orders": {"path": "data/raw/orders.csv", "digest": pin}}
    project.steps["join"] = {**project.steps["join"], "inputs": inputs}
    project.run()
    project.write("data/raw/orders.csv", "1,7\n")

    with pytest.raises(
        DataError, match=rf"steps\.join\.inputs\.orders: expected the pinned {pin}, found sha256:.* at data/raw/orders\.csv"
    ):
        project.run()


def test_raw_inputs_are_listed_by_their_keys_whether_they_are_there_or_not(project: Project) -> None:
    pin = "sha256:" + "0" * 64
    (project.root / "data/raw/orders.csv").unlink()
    steps = {
        "join": {
            **project.steps["join"],
            "inputs": {"customers": "data/raw/customers.csv", "orders": {"path": "data/raw/orders.csv", "digest": pin}},
        }
    }
    steps["clean"] = project.steps["clean"]
    conf = project.root / "confs/a.yaml"

    found = list_step_inputs({"steps": steps}, conf, project.root)

    assert {key: (one.place, one.pin) for key, one in found.items()} == {
        ("steps", "join", "inputs", "customers"): (project.root / "data/raw/customers.csv", None),
        ("steps", "join", "inputs", "orders"): (project.root / "data/raw/orders.csv", pin),
    }
    made = [project.root / path for path in ("data/processed/joined.csv", "data/processed/clean.csv")]
    assert list_step_paths({"steps": steps}, conf, project.root)[-2:] == made
    assert list_step_inputs({}, conf, project.root) == {}
