from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, SMALL, merge
from sklearn.linear_model import LogisticRegression

from samebits.config.loading import read_config_document
from samebits.errors import ConfigError, DataError, Problem
from samebits.interface.configs import write_config


def write(config: dict[str, Any]) -> Any:
    with write_config(config) as path:
        return read_config_document(path).value


def test_a_mapping_is_written_as_it_is() -> None:
    assert write(SMALL) == SMALL


def test_numpys_numbers_paths_tuples_and_classes_are_written_as_json_has_them(tmp_path: Path) -> None:
    changes = {
        "seed": np.int64(3),
        "data": {"path": tmp_path / "a.csv", "drop": ("id",)},
        "models": {"own": {"class": LogisticRegression, "C": np.float64(0.5)}},
    }

    written = write(merge(SMALL, changes))

    assert (written["seed"], written["data"]["path"], written["data"]["drop"]) == (3, str(tmp_path / "a.csv"), ["id"])
    assert written["models"]["own"] == {"class": "sklearn.linear_model._logistic.LogisticRegression", "C": 0.5}


def mine() -> None:
    """Stand for what a cell defines."""


@pytest.mark.parametrize("spec", ["__main__.Mine", lambda: None, mine])
def test_what_only_a_notebook_has_is_refused_with_the_way_out(spec: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mine, "__module__", "__main__")

    with pytest.raises(ConfigError) as caught, write_config(merge(SMALL, {"models": {"m": {"class": spec}}})):
        pass

    said = str(caught.value)
    assert said.startswith("config.models.m.class: expected what a fresh process can import, found '")
    assert said.endswith("Put it into a module of the project, and name that module in allow:.")


def test_an_estimator_that_was_made_already_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"config\.models\.m: expected text, .*, found an object of LogisticRegression"):
        write({"models": {"m": LogisticRegression()}})


def test_a_problem_names_the_key_and_not_a_file_that_is_gone() -> None:
    with pytest.raises(DataError) as caught, write_config(SMALL) as path:
        raise DataError(Problem(f"{path}:3: data.path", "a", "b", ""), Problem(str(path), "c", "d", ""), Problem("x", "e", "f", ""))

    assert [problem.where for problem in caught.value.problems] == ["config: data.path", "config", "x"]
    assert not path.exists()


def test_a_table_beside_the_notebook_is_found_and_the_projects_own_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data/raw").mkdir(parents=True)
    for name in ("beside.csv", "data/raw/wdbc.csv"):
        (tmp_path / name).write_text("a\n1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    found = [write({"data": {"path": path}})["data"]["path"] for path in ("beside.csv", "data/raw/wdbc.csv", "nowhere.csv")]

    assert found == [str(tmp_path / "beside.csv"), "data/raw/wdbc.csv", "nowhere.csv"]


def test_the_projects_registry_of_datasets_is_at_hand() -> None:
    registry = read_config_document(ROOT / "confs/training.yaml")
    assert registry.value  # the shipped configs stand beside it

    with write_config(SMALL) as path:
        assert (path.parent / "datasets.yaml").read_bytes() == (ROOT / "confs/datasets.yaml").read_bytes()
        assert json.loads(path.read_text(encoding="utf-8")) == SMALL
