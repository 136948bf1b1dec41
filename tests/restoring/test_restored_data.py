from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT
from step_projects import Project

from samebits.config.loading import load_config
from samebits.digests import digest_file
from samebits.errors import ProvenanceError
from samebits.restoring.restoration import Restoration
from samebits.restoring.restored_config import write_config
from samebits.restoring.restored_data import restore_data, restore_raw
from samebits.steps.stage import RECORDED

RECORDED_RUN: Any = SimpleNamespace(archive=None)


def record(project: Project) -> dict[str, Any]:
    """Return what is on record of a run of the project's config."""
    lineage: dict[str, Any] = json.loads((ROOT / "tests/goldens/lineage_6.json").read_text(encoding="utf-8"))
    stage = lineage["stages"]["steps"] = project.make_stage()
    lineage["stages"]["data"] |= {"digest": stage["made"]["data.path"], "path": "data/processed/clean.csv", "location": None}
    lineage["stages"]["config"]["resolved"] = project.load().resolved
    return lineage


def make_restoration(folder: Path) -> Restoration:
    (folder / "checkout").mkdir(parents=True)
    return Restoration(folder, project=folder / "checkout")


def test_the_table_that_the_steps_made_is_taken_and_the_steps_as_they_were_recorded(project: Project, tmp_path: Path) -> None:
    lineage, restoration = record(project), make_restoration(tmp_path / "restored")

    restore_data(lineage, RECORDED_RUN, restoration, project.root)

    config = load_config(write_config(lineage, restoration, "steps")).config  # of confs/steps.yaml
    assert restoration.data == project.root / "data/processed/clean.csv"
    variables = restoration.list_variables("sqlite:///x")
    assert json.loads(Path(variables[RECORDED]).read_text())["digest"] == lineage["stages"]["steps"]["digest"]
    assert config.data.digest == lineage["stages"]["data"]["digest"]


def test_raw_files_come_to_their_places_and_what_steps_are_to_make_is_taken_away(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "orders.csv"
    outside.write_text(project.read("data/raw/orders.csv"))
    project.steps["join"]["inputs"] = {**project.steps["join"]["inputs"], "orders": str(outside)}
    lineage, restoration = record(project), make_restoration(tmp_path / "restored")
    for name in ("data/processed/clean.csv", "data/raw/customers.csv"):  # as the commit has them
        (restoration.project / name).parent.mkdir(parents=True)
        (restoration.project / name).write_text("other bytes")

    said = restore_raw(lineage, RECORDED_RUN, restoration, project.root)

    assert said == "2 raw files, of which 2 steps are to make the table"
    assert (restoration.project / "data/raw/customers.csv").read_text() == "1,20\n2,30\n"
    assert not (restoration.project / "data/processed/clean.csv").exists()
    moved = restoration.moved[str(outside)]
    assert digest_file(moved) == digest_file(outside) and moved.is_relative_to(restoration.folder)
    config = load_config(write_config(lineage, restoration, "again")).config
    assert (config.steps or {})["join"].inputs["orders"] == str(moved)
    assert config.data.digest is None and config.data.path == str(restoration.project / "data/processed/clean.csv")
    assert RECORDED not in restoration.list_variables("sqlite:///x")


def test_raw_files_that_are_nowhere_are_named_all_at_once(project: Project, tmp_path: Path) -> None:
    lineage, restoration = record(project), make_restoration(tmp_path / "restored")
    for name in ("customers.csv", "orders.csv"):
        (project.root / "data/raw" / name).unlink()

    with pytest.raises(ProvenanceError) as caught:
        restore_raw(lineage, RECORDED_RUN, restoration, project.root)

    assert [problem.where for problem in caught.value.problems] == ["data data/raw/customers.csv", "data data/raw/orders.csv"]


@pytest.mark.parametrize("name", ["raw", "output"])
@pytest.mark.parametrize("way", ["../../victim", "link/victim"])
def test_nothing_outside_of_the_restoration_is_written_or_taken_away(project: Project, tmp_path: Path, name: str, way: str) -> None:
    lineage, restoration = record(project), make_restoration(tmp_path / "restored")
    (restoration.project / "link").symlink_to(tmp_path)
    victim = project.write("../victim/kept.csv", "of somebody else")
    stage = lineage["stages"]["steps"]
    if name == "raw":
        stage["raw"] = {way: stage["raw"]["data/raw/customers.csv"]}
    else:
        stage["paths"]["clean"]["outputs"] = {"table": way}

    with pytest.raises(ProvenanceError, match=rf"{way}: expected a place in the restored project"):
        restore_raw(lineage, RECORDED_RUN, restoration, project.root)

    assert victim.read_text() == "of somebody else"


def test_inputs_named_from_home_or_the_config_s_folder_are_taken_from_where_the_record_names_them(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    project.write("../home/orders.csv", "2,9.5\n")
    project.write("confs/customers.csv", "1,20\n2,30\n")
    project.steps["join"]["inputs"] = {"customers": "customers.csv", "orders": "~/orders.csv"}
    lineage, restoration = record(project), make_restoration(tmp_path / "restored")

    restore_raw(lineage, RECORDED_RUN, restoration, project.root)

    steps = load_config(write_config(lineage, restoration, "again")).config.steps or {}
    moved = restoration.moved[str(tmp_path / "home/orders.csv")]
    assert steps["join"].inputs == {"customers": "confs/customers.csv", "orders": str(moved)}
    assert (restoration.project / "confs/customers.csv").is_file()
