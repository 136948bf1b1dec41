from __future__ import annotations

from step_projects import Project

from samebits.proof.processed import find_writer, list_processed


def test_a_processed_file_is_held_to_the_record_and_one_edited_by_hand_is_said(project: Project) -> None:
    stage = project.make_stage()
    lineage = {"stages": {"steps": stage}}
    digest = stage["steps"]["clean"]["outputs"]["table"]

    name = "step clean: table at data/processed/clean.csv"
    assert list_processed(lineage, project.root, True)[1] == (name, digest, digest, True)

    project.write("data/processed/clean.csv", "edited")
    _, _, said, passed = list_processed(lineage, project.root, True)[1]
    assert passed is False and said.endswith(", which no step wrote: it was edited") and said.startswith("sha256:")
    assert list_processed(lineage, project.root, False)[1][2] == "other bytes, which no step wrote: it was edited"


def test_a_file_that_a_step_wrote_of_something_else_since_is_no_damage_and_one_that_is_gone_is_none(project: Project) -> None:
    stage = project.make_stage()
    project.write("data/raw/orders.csv", "1,7\n")
    later = project.make_stage()

    found = list_processed({"stages": {"steps": stage}}, project.root, True)

    assert [passed for *_, passed in found] == [True, True]
    assert found[1][2].endswith(", which step clean wrote of something else")
    assert find_writer(project.root, "data/processed/clean.csv", later["steps"]["clean"]["outputs"]["table"]) == "clean"
    (project.root / "data/processed/clean.csv").unlink()
    assert len(list_processed({"stages": {"steps": stage}}, project.root, True)) == 1
    assert list_processed({"stages": {}}, project.root, True) == []
