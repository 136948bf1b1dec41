"""Published results of other people's pipelines, written down as configs: they give the published numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, train_fresh

CONFIGS = ROOT / "confs/published"
TABLES = ROOT.parent / "shared/data"  # tables too large for the repository, where somebody has put them beside it

# config -> (place in the lineage's stages, what was published)
PUBLISHED: dict[str, list[tuple[str, float]]] = {
    "auto_mpg_leave_one_out": [
        ("cross_validation.candidates.line.mean", -24.2315),
        ("cross_validation.candidates.parabola.mean", -19.2482),
    ],
    "diabetes_last_20": [("metrics.test.r2", 0.47), ("metrics.test.rmse", 50.48)],
    "bike_sharing_time_series": [("cross_validation.candidates.boosting.mean", -0.044)],
    "winequality_white_linear": [("cross_validation.candidates.linear_regression.mean", -0.59)],
    "online_shoppers_intention": [("cross_validation.candidates.dummy.mean", 0.845)],
}


def reach(stages: dict[str, Any], place: str) -> float:
    value: Any = stages
    for key in place.split("."):
        value = value[key]
    return float(value)


def count_decimals(number: float) -> int:
    return len(str(number).partition(".")[2])


def test_every_published_config_is_tried() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == set(PUBLISHED)


def find_table(name: str) -> Path | None:
    """Return a table of a config's, if somebody has it."""
    text = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
    table = text.partition("path: data/raw/")[2].split()[0]
    return next((folder / table for folder in (ROOT / "data/raw", TABLES) if (folder / table).exists()), None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The stages of each config whose table is there, from one process."""
    folder, paths = tmp_path_factory.mktemp("published"), []
    for name in PUBLISHED:
        if (table := find_table(name)) is not None:
            text = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
            paths.append(folder / f"{name}.yaml")
            paths[-1].write_text(text.replace(f"data/raw/{table.name}", str(table)), encoding="utf-8")
    return dict(zip([path.stem for path in paths], train_fresh(paths), strict=True))


@pytest.mark.xdist_group("published")
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_pipeline_gives_the_published_numbers(trained: dict[str, dict[str, Any]], name: str) -> None:
    if name not in trained:
        pytest.skip("its table is not in the repository: its config says where it is from")

    for place, published in PUBLISHED[name]:
        assert round(reach(trained[name], place), count_decimals(published)) == published, place
