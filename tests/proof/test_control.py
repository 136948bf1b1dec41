from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT

from samebits.config.loading import load_config
from samebits.data.dataset import load_dataset
from samebits.digests import digest_file
from samebits.errors import ProvenanceError
from samebits.keys.table import Read
from samebits.proof.control import write_control_config
from samebits.restoring.restoration import Restoration
from samebits.restoring.restored_config import write_config

GOLDEN: dict[str, Any] = json.loads((ROOT / "tests/goldens/lineage_2.json").read_text(encoding="utf-8"))
TABLES: dict[str, tuple[str, dict[str, Any]]] = {
    "comma": ("id,x,when\n1,1.5,a\n2,2.5,b\n3,3.5,c\n", {}),
    "semicolon and decimal comma": ("id;x;when\n1;1,5;a\n2;2,5;b\n3;3,5;c\n", {"sep": ";", "decimal": ","}),
    "lines before the header, cp1252": ("é\n\nid,x,when\n1,1.5,ä\n2,2.5,b\n3,3.5,c\n", {"skip_rows": 2, "encoding": "cp1252"}),
    "a pattern": ("id ; x ; when\n1 ; 1.5 ; a\n2 ; 2.5 ; b\n3 ; 3.5 ; c\n", {"sep": r"\s*;\s*"}),
}


def make_lineage(read: dict[str, Any], planted: dict[str, int]) -> dict[str, Any]:
    lineage = json.loads(json.dumps(GOLDEN))
    lineage["stages"]["seeds"]["planted"] = planted
    settings = Read().model_dump(mode="json") | read
    lineage["stages"]["config"]["resolved"]["data"] |= {"target": "when", "drop": ["id"], "read": settings}
    return lineage


@pytest.mark.parametrize("form", TABLES)
def test_one_value_of_a_training_row_is_changed_and_the_table_still_reads(tmp_path: Path, form: str) -> None:
    text, read = TABLES[form]
    table = tmp_path / "table.csv"
    table.write_text(text, encoding=read.get("encoding", "utf-8"))
    (tmp_path / "predictions.csv").write_text("row,recorded,predicted\n0,a,a\n", encoding="utf-8")
    lineage = make_lineage(read, {"models.x.random_state": 1})
    lineage["stages"]["data"]["digest"] = digest_file(table)
    restoration = Restoration(tmp_path, data=table)

    path, said = write_control_config(lineage, restoration, {"predictions.csv": tmp_path / "predictions.csv"})

    assert said.startswith("data row 1, column x: ")
    configs = [load_config(one).config for one in (write_config(lineage, restoration, "original"), path)]
    left, right = (load_dataset(config.data, Path(config.data.path)).frame for config in configs)
    changed = left.ne(right)
    assert left["x"].tolist() == [1.5, 2.5, 3.5]
    assert changed.to_numpy().sum() == 1 and bool(changed.loc[1, "x"])
    assert pd.api.types.is_float_dtype(right["x"])


def test_the_seed_is_changed_where_the_split_is_drawn_from_it(tmp_path: Path) -> None:
    lineage = make_lineage({}, {"split.random_state": 1})

    path, said = write_control_config(lineage, Restoration(tmp_path, data=tmp_path / "t.csv"), {})

    assert said == "seed 42 -> 43"
    assert load_config(path).config.seed == 43


def test_numbers_that_json_has_not_come_back_as_they_were_written(tmp_path: Path) -> None:
    lineage = make_lineage({}, {})
    lineage["stages"]["config"]["resolved"] |= {"name": "NaN", "models": {"ridge": {"class": None, "alpha": "Infinity"}}}
    restoration = Restoration(tmp_path, data=tmp_path / "t.csv", config_as_written={"models": {"ridge": {"alpha": float("inf")}}})

    config = load_config(write_config(lineage, restoration, "again")).config

    assert config.name == "NaN"
    assert config.models["ridge"].model_dump()["alpha"] == float("inf")


def test_a_row_is_changed_that_was_trained_on_whatever_rules_left_out_and_where_no_row_was_held_back(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(TABLES["comma"][0], encoding="utf-8")
    for name in ("predictions.csv", "out_of_fold.csv"):
        (tmp_path / name).write_text("row,recorded,predicted\n1,a,a\n2,b,b\n", encoding="utf-8")
    lineage = make_lineage(TABLES["comma"][1], {"models.x.random_state": 1})
    lineage["stages"]["data"]["digest"] = digest_file(tmp_path / "table.csv")
    recorded = {name: tmp_path / name for name in ("predictions.csv", "out_of_fold.csv")}

    _, said = write_control_config(lineage, Restoration(tmp_path, data=tmp_path / "table.csv"), recorded)

    assert said.startswith("data row 1, column x: ")


def test_a_control_that_changes_nothing_is_none(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(TABLES["comma"][0], encoding="utf-8")
    (tmp_path / "out_of_fold.csv").write_text("row,recorded,predicted\n99,a,a\n", encoding="utf-8")
    lineage = make_lineage(TABLES["comma"][1], {})

    with pytest.raises(ProvenanceError, match="expected a value of a training row that can be changed, found none"):
        write_control_config(
            lineage, Restoration(tmp_path, data=tmp_path / "table.csv"), {"out_of_fold.csv": tmp_path / "out_of_fold.csv"}
        )


def test_a_rerun_registers_nothing(tmp_path: Path) -> None:
    lineage = make_lineage({}, {})
    lineage["stages"]["config"]["resolved"]["registry"] = {"name": "shop", "alias": "champion", "margin": 0.5, "level": "L0"}

    registry = load_config(write_config(lineage, Restoration(tmp_path, data=tmp_path / "t.csv"), "again")).config.registry

    assert registry.name is None and registry.margin == 0.5
