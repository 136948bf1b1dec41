from __future__ import annotations

from typing import Any

import pytest

from samebits.differences.comparison import Comparison
from samebits.interface.outcome import Outcome, read_outcome
from samebits.proof.reproduction import Report, Wishes
from samebits.verdicts import Level, Verdict


@pytest.mark.parametrize("verdict", Verdict)
def test_nothing_but_identical_counts_as_true(verdict: Verdict) -> None:
    outcome = Outcome("verify 5e2c", verdict)

    assert bool(outcome) == (verdict == Verdict.IDENTICAL)
    assert (outcome.name, str(outcome), repr(outcome)) == (verdict.value, verdict.value, f"<verify 5e2c: {verdict.value}>")


def test_a_reproduction_is_read_with_its_level_and_what_is_not_equal() -> None:
    report = Report("5e2c", Wishes(), Verdict.DIFFERENT, ["likely cause: seed"], level=Level.L1)
    report.comparison = Comparison(Verdict.DIFFERENT, ["model"], {"model/model.skops": "not equal"}, "seeds")

    outcome = read_outcome("reproduce 5e2c", report.as_document())

    assert (outcome.verdict, outcome.level, outcome.reasons) == (Verdict.DIFFERENT, Level.L1, ["likely cause: seed"])
    assert outcome.differences == [{"path": "stages.model", "what": "not equal"}, {"path": "model/model.skops", "what": "not equal"}]
    assert outcome.not_checked == report.list_not_checked() and outcome.document == report.as_document()


def test_a_verification_is_read_with_the_checks_that_did_not_pass() -> None:
    checks: list[dict[str, Any]] = [
        {"name": name, "recorded": 1, "observed": 2, "passed": passed} for name, passed in (("a", True), ("b", False), ("c", None))
    ]

    outcome = read_outcome("verify 5e2c", {"verdict": "DIFFERENT", "checks": checks, "not_checked": ["d"]})

    assert [found["name"] for found in outcome.differences] == ["b", "c"]
    assert outcome.reasons == ["b: recorded 1, observed 2", "c: recorded 1, observed 2"] and outcome.level is None


def test_a_comparison_is_read_with_its_cause_first() -> None:
    leaf = {"path": "stages.seeds.root", "kind": "changed", "left": 1, "right": 2, "decides": True}

    outcome = read_outcome("diff a b", {"verdict": "DIFFERENT", "cause": "seed: 1 -> 2", "differences": [leaf], "not_checked": []})

    assert (outcome.reasons, outcome.differences) == (["likely cause: seed: 1 -> 2"], [leaf])
