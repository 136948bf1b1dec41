"""The door of the wing: what it refuses before any rule, split or candidate is tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, SMALL, merge, run_samebits

from samebits.config.loading import load_config
from samebits.data.preparation import prepare_rows
from samebits.errors import DataError

WRONG = {
    "data": {"rows": [{"keep": {"aera": 1}}], "drop": ["id"]},
    "split": {"method": "group", "column": "grup"},
    "weights": {"column": "wieght"},
    "features": {"ratios": {"made": ["mean_area", "mean_aera"]}, "derived": [{"name": "logged", "log": "worst_aera"}]},
    "preprocessing": {"columns": [{"columns": ["made", "logged", "radius"], "transformers": []}]},
}


def test_every_name_that_is_no_column_is_said_at_once_whichever_key_has_it(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(merge(SMALL, WRONG), sort_keys=False), encoding="utf-8")

    with pytest.raises(DataError) as refusal:
        prepare_rows(load_config(path), ROOT)

    assert {problem.where: problem.found for problem in refusal.value.problems} == {
        "data.rows.0": "'aera'",
        "split.column": "'grup'",
        "weights.column": "'wieght'",
        "features.derived.0.log": "'worst_aera'",
        "features.ratios.made": "'mean_aera'",
        "preprocessing.columns.0.columns": "'radius'",
    }


@pytest.mark.parametrize(
    "keys",
    [
        {"split": {"method": "group", "column": "made"}},
        {"weights": {"column": "made"}},
        {"data": {"rows": [{"keep": {"made": {"min": 0}}}]}},
        {"data": {"rows": [{"drop_missing": ["made"]}]}},
    ],
)
def test_what_is_made_in_each_candidate_is_no_column_of_the_table(tmp_path: Path, keys: dict[str, Any]) -> None:
    path = tmp_path / "a.yaml"
    changes = merge({"features": {"ratios": {"made": ["mean_area", "worst_area"]}}}, keys)
    path.write_text(yaml.safe_dump(merge(SMALL, changes), sort_keys=False), encoding="utf-8")

    with pytest.raises(DataError, match=r"expected a column of .*, found 'made'"):
        prepare_rows(load_config(path), ROOT)


def test_train_names_the_line_of_the_config_too(tmp_path: Path, store: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(merge(SMALL, {"data": {"target": "diagnosys"}})), encoding="utf-8")
    line = next(number for number, text in enumerate(path.read_text().splitlines(), start=1) if "diagnosys" in text)

    done = run_samebits(str(path), MLFLOW_TRACKING_URI=store)

    assert done.returncode == 2
    assert done.stderr.startswith(f"{path}:{line}: data.target: expected a column of ")
    assert "Did you mean 'diagnosis'?" in done.stderr
