from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from samebits.differences.comparison import compare_outputs, is_specified_output
from samebits.digests import digest_bytes, digest_value
from samebits.lineage.manifest import OUTPUT_STAGES, SPECIFIED_OUTPUTS
from samebits.verdicts import Verdict

GOLDEN: dict[str, Any] = json.loads((ROOT / "tests/goldens/lineage_2.json").read_text(encoding="utf-8"))
PREDICTIONS = "row,recorded,predicted\n1,100.0,101.5\n2,80.0,79.25\n"


OUT_OF_FOLD = "row,fold,recorded,predicted_a,response_a\n3,1,100.0,101.5,0.5\n4,2,80.0,79.25,0.25\n"


def make_run(
    folder: Path,
    tolerance: dict[str, float | None],
    predictions: str = PREDICTIONS,
    r2_shift: float = 0.0,
    out_of_fold: str = OUT_OF_FOLD,
) -> Any:
    """A regression's lineage and artifacts; whatever differs is digested as it is."""
    folder.mkdir()
    lineage = json.loads(json.dumps(GOLDEN))
    stages = lineage["stages"]
    stages["config"]["resolved"]["tolerance"] = tolerance
    stages["metrics"]["test"]["r2"] += r2_shift
    stages["metrics"]["digest"] = digest_value({"test": stages["metrics"]["test"]})
    contents = dict.fromkeys(SPECIFIED_OUTPUTS, "as ever")
    contents |= {"predictions.csv": predictions, "metrics.json": json.dumps(stages["metrics"]["test"])}
    contents["out_of_fold.csv"] = out_of_fold
    stages["predictions"]["digest"] = digest_bytes(predictions.encode())
    files = {}
    for name, content in contents.items():
        path = folder / name.replace("/", "_")
        path.write_text(content, encoding="utf-8")
        files[name] = path
        lineage["artifacts"][name] = {"digest": digest_bytes(content.encode()), "size_bytes": len(content)}
    return lineage, files


def compare(tmp_path: Path, tolerance: dict[str, float | None], **changes: Any) -> Verdict:
    (left, left_files), (right, right_files) = make_run(tmp_path / "left", tolerance), make_run(tmp_path / "right", {}, **changes)
    return compare_outputs(left, right, left_files, right_files).verdict


NEAR = PREDICTIONS.replace("101.5", "101.5000001")
REORDERED = "row,recorded,predicted\n2,80.0,79.25\n1,100.0,101.5\n"


@pytest.mark.parametrize(
    ("tolerance", "changes", "verdict"),
    [
        ({}, {}, Verdict.IDENTICAL),
        ({"metrics": 1.0, "predictions": 1.0}, {}, Verdict.IDENTICAL),
        ({"metrics": None, "predictions": None}, {"predictions": NEAR}, Verdict.DIFFERENT),
        ({"metrics": None, "predictions": 1e-6}, {"predictions": NEAR}, Verdict.EQUIVALENT),
        ({"metrics": None, "predictions": 1e-8}, {"predictions": NEAR}, Verdict.DIFFERENT),
        ({"metrics": 1e-6, "predictions": None}, {"predictions": NEAR}, Verdict.DIFFERENT),
        ({"metrics": 1.0, "predictions": 1.0}, {"predictions": REORDERED}, Verdict.DIFFERENT),
        ({"metrics": None, "predictions": 1e-6}, {"predictions": NEAR, "r2_shift": 1e-9}, Verdict.DIFFERENT),
        ({"metrics": 1e-8, "predictions": 1e-6}, {"predictions": NEAR, "r2_shift": 1e-9}, Verdict.EQUIVALENT),
        ({"metrics": 1e-8, "predictions": 1e-6}, {"r2_shift": 1e-3}, Verdict.DIFFERENT),
        ({"metrics": 1e-6, "predictions": 1e-6}, {"predictions": "row,recorded,predicted\n1,100.0,101.5\n"}, Verdict.DIFFERENT),
        ({"metrics": 1e-6, "predictions": 1e-6}, {"predictions": "rubbish"}, Verdict.DIFFERENT),
        ({"metrics": 1e-6, "predictions": 1e-6}, {"predictions": PREDICTIONS.replace("80.0", "80.0000001")}, Verdict.DIFFERENT),
        ({}, {"out_of_fold": OUT_OF_FOLD.replace("79.25", "79.2500001")}, Verdict.DIFFERENT),
        ({"predictions": 1e-6}, {"out_of_fold": OUT_OF_FOLD.replace("79.25", "79.2500001")}, Verdict.EQUIVALENT),
        (
            {"predictions": 1e-6},
            {"out_of_fold": OUT_OF_FOLD.replace("0.25\n", "0.2500001\n"), "predictions": NEAR},
            Verdict.EQUIVALENT,
        ),
        ({"predictions": 1e-8}, {"out_of_fold": OUT_OF_FOLD.replace("79.25", "79.2500001")}, Verdict.DIFFERENT),
        ({"predictions": 1.0}, {"out_of_fold": OUT_OF_FOLD.replace("3,1,100.0", "3,1,100.1")}, Verdict.DIFFERENT),
        ({"predictions": 1.0}, {"out_of_fold": OUT_OF_FOLD.replace("response_a", "response_b")}, Verdict.DIFFERENT),
        ({"predictions": 1.0}, {"out_of_fold": OUT_OF_FOLD[:-24]}, Verdict.DIFFERENT),
        ({"predictions": 1.0}, {"out_of_fold": "rubbish"}, Verdict.DIFFERENT),
        ({"predictions": 1.0}, {"out_of_fold": OUT_OF_FOLD.replace("79.25", "much")}, Verdict.DIFFERENT),
    ],
)
def test_what_is_not_equal_is_equivalent_only_inside_the_tolerance_that_covers_it(
    tmp_path: Path, tolerance: dict[str, float | None], changes: dict[str, Any], verdict: Verdict
) -> None:
    assert compare(tmp_path, tolerance, **changes) == verdict


def test_the_tolerance_is_the_original_runs_never_the_reruns(tmp_path: Path) -> None:
    left, left_files = make_run(tmp_path / "left", {})
    right, right_files = make_run(tmp_path / "right", {"metrics": 1.0, "predictions": 1.0}, predictions=NEAR)

    assert compare_outputs(left, right, left_files, right_files).verdict == Verdict.DIFFERENT


@pytest.mark.parametrize("stage", OUTPUT_STAGES)
def test_every_output_stage_that_differs_is_named(tmp_path: Path, stage: str) -> None:
    (left, left_files), (right, right_files) = make_run(tmp_path / "left", {}), make_run(tmp_path / "right", {})
    right["stages"].setdefault(stage, {})["digest"] = "sha256:another"

    found = compare_outputs(left, right, left_files, right_files)

    assert (found.verdict, found.stages, found.parting_stage) == (Verdict.DIFFERENT, [stage], stage)


@pytest.mark.parametrize("name", SPECIFIED_OUTPUTS)
@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_every_specified_output_is_digested_again_whatever_the_rerun_claims(tmp_path: Path, name: str, damage: str) -> None:
    """Missing or changed, with a lineage that says it is as ever: never IDENTICAL, and with no tolerance EQUIVALENT."""
    (left, left_files), (right, right_files) = make_run(tmp_path / "left", {"predictions": 1.0}), make_run(tmp_path / "right", {})
    right_files[name].write_text("other", encoding="utf-8") if damage == "changed" else right_files.pop(name)

    found = compare_outputs(left, right, left_files, right_files)

    assert found.verdict not in (Verdict.IDENTICAL,)
    assert found.artifacts == {name: "not equal" if damage == "changed" else "missing"}


def test_records_of_inputs_are_no_outputs_but_what_nobody_expects_is() -> None:
    assert not any(map(is_specified_output, ("config/resolved.json", "code/uncommitted.patch", "model/MLmodel", "lineage.json")))
    assert all(map(is_specified_output, (*SPECIFIED_OUTPUTS, "surprise.csv", "plots/roc.png")))


@pytest.mark.parametrize("stage", ["assessment", "report"])
def test_a_stage_that_one_schema_does_not_know_is_inside_no_tolerance(tmp_path: Path, stage: str) -> None:
    tolerance = {"metrics": 1.0, "predictions": 1.0}
    (left, left_files), (right, right_files) = make_run(tmp_path / "left", tolerance), make_run(tmp_path / "right", tolerance)
    right["stages"][stage] = {"digest": "sha256:another"}

    found = compare_outputs(left, right, left_files, right_files)

    assert (found.verdict, found.stages) == (Verdict.DIFFERENT, [stage])
