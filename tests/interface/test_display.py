from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from samebits.interface.display import MOST_PICTURES, show_outcome, show_page, show_run
from samebits.lineage.manifest import read_lineage

PNG = b"\x89PNG\r\n\x1a\nrest"
HOSTILE = "<script>alert(1)</script>' onload='x\x1b[8m https://me:secret@host"


def make_lineage(text: str = "logistic_regression") -> dict[str, Any]:
    metrics = {"test": {"average_precision": 0.9943, text: 0.5}, "train": {"average_precision": 0.998}}
    return {
        "remarks": [text],
        "stages": {
            "config": {"resolved": {"name": text, "data": {"target": text}}, "version": text},
            "data": {"path": text, "n_rows": 569},
            "model": {"name": text},
            "cross_validation": {
                "best": text,
                "scoring": "average_precision",
                "candidates": {text: {"mean": 0.995, "scores": [0.99, 1.0]}, "other": {"mean": 0.9, "scores": []}},
            },
            "metrics": metrics,
        },
    }


def test_a_run_answers_the_four_questions() -> None:
    html = show_run("5e2c", "able-gull", {"level": "L1 restorable", "verdict": "IDENTICAL"}, make_lineage(), {})

    text = re.sub("<[^>]+>", " ", html)
    for said in (
        "logistic_regression for logistic_regression of logistic_regression, 569 rows",
        "average_precision 0.9943 on the test rows; cross-validated average_precision 0.9950 ± 0.0050",
        "L1 restorable, IDENTICAL",
        "samebits reproduce 5e2c",
    ):
        assert said in text


def test_a_run_says_what_its_score_is_worth_and_errors_as_positive_numbers() -> None:
    lineage = make_lineage("ridge")
    lineage["stages"]["cross_validation"] = {
        "best": "ridge",
        "scoring": "neg_root_mean_squared_error",
        "candidates": {"ridge": {"mean": -58.5, "scores": [-58.0, -59.0]}, "tree": {"mean": -70.25, "scores": []}},
    }
    lineage["stages"]["metrics"]["test"] = {"rmse": 56.2}
    lineage["stages"]["assessment"] = {
        "uncertainty": {"confidence": 0.95, "intervals": {"rmse": [51.0, 64.5]}},
        "baseline": {"metrics": {"rmse": 80.25}},
        "claims": [{"claim": "rmse", "at_most": 50, "found": 56.2, "kept": False}],
    }

    text = re.sub("<[^>]+>", " ", show_run("5e2c", "a", {}, lineage, {}))

    worth = "rmse 56.2000 on the test rows (95% interval 51.0000 to 64.5000; knowing nothing scores 80.2500)"
    assert f"{worth}; cross-validated rmse 58.5000 ± 0.5000" in text
    assert "70.2500" in text and "-70.25" not in text
    assert "BROKEN: RMSE 56.20, claimed at most 50" in text


def test_no_text_of_a_run_or_a_proof_is_markup_or_a_secret() -> None:
    tags = {"level": HOSTILE, "verdict": HOSTILE, "git_commit": HOSTILE}
    differences = [{"path": HOSTILE, "what": HOSTILE}, {"name": HOSTILE, "recorded": HOSTILE, "observed": 1}]

    shown = show_run(HOSTILE, HOSTILE, tags, make_lineage(HOSTILE), {"figures/<script>'.png": PNG})
    proof = show_outcome(HOSTILE, "DIFFERENT", None, [HOSTILE], differences, [HOSTILE])

    for html in (shown, proof):
        assert "alert(1)" in html and "<script" not in html and "' onload" not in html
        assert "secret" not in html and "\x1b" not in html


def test_pictures_are_bounded_in_number_and_are_pictures() -> None:
    pictures = {f"figures/{number}_curve.png": PNG for number in range(10)}

    html = show_run("5e2c", "a", {}, make_lineage(), pictures)

    assert html.count("<img alt='") == MOST_PICTURES and "alt='0 curve'" in html
    assert "<img" not in show_run("5e2c", "a", {}, make_lineage(), {"figures/0.png": b"<svg onload=alert(1)>"})


def test_a_report_is_shown_where_none_of_its_scripts_runs() -> None:
    html = show_page("<script>alert('1')</script>")

    assert html.startswith("<iframe sandbox='' srcdoc='&lt;!doctype html&gt;&lt;meta http-equiv=&#x27;Content-Security-Policy")
    assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;'" in html and "<script" not in html


def test_what_is_on_one_side_only_is_absent_on_the_other() -> None:
    leaves = [
        {"path": "a", "kind": "extra", "left": None, "right": 5},
        {"path": "b", "kind": "changed", "left": None, "right": 5},
    ]

    html = show_outcome("diff a b", "DIFFERENT", None, [], leaves * 20, [])

    assert "a: absent → 5" in html and "b: None → 5" in html and "… and 28 more in its <code>differences</code>" in html


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/goldens/lineage_*.json")), ids=lambda path: path.stem)
def test_a_run_of_every_past_schema_shows_itself(path: Path) -> None:
    html = show_run("5e2c", "a", {}, read_lineage(path.read_bytes(), path.name), {})

    assert "cross-validated" in html and "Candidate" in html
