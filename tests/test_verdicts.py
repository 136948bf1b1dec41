from __future__ import annotations

import pytest

from samebits.verdicts import EXIT_CODES, Evidence, Level, Verdict, compute_level

PROOF = Evidence(Verdict.IDENTICAL, rebuilt=True, varied=True, control_differs=True)


def test_exit_codes_are_fixed_and_only_identical_is_zero() -> None:
    assert {verdict.value: code for verdict, code in EXIT_CODES.items()} == {
        "IDENTICAL": 0,
        "EQUIVALENT": 10,
        "DIFFERENT": 1,
        "INCONCLUSIVE": 2,
    }


@pytest.mark.parametrize(
    ("evidence", "level"),
    [
        ([], Level.L0),
        ([Evidence(None, rebuilt=True)], Level.L1),
        ([Evidence(Verdict.IDENTICAL, rebuilt=False, varied=True, control_differs=True)], Level.L0),
        ([Evidence(Verdict.IDENTICAL, rebuilt=True)], Level.L1),
        ([Evidence(Verdict.IDENTICAL, rebuilt=True, varied=True)], Level.L1),
        ([Evidence(Verdict.IDENTICAL, rebuilt=True, control_differs=True)], Level.L1),
        ([PROOF], Level.L2),
        (
            [Evidence(Verdict.IDENTICAL, rebuilt=True, varied=True), Evidence(Verdict.IDENTICAL, rebuilt=True, control_differs=True)],
            Level.L2,
        ),
        ([Evidence(Verdict.IDENTICAL, rebuilt=True, varied=True, control_differs=False)], Level.L1),
        ([Evidence(Verdict.EQUIVALENT, rebuilt=True, varied=True, control_differs=True)], Level.L1),
        ([PROOF, Evidence(Verdict.DIFFERENT, rebuilt=True)], Level.L1),
        ([PROOF, Evidence(Verdict.DIFFERENT, rebuilt=True, other_machine=True)], Level.L2),
        ([PROOF, Evidence(Verdict.IDENTICAL, rebuilt=True, other_machine=True)], Level.L3),
        ([Evidence(Verdict.IDENTICAL, rebuilt=True, other_machine=True)], Level.L1),
    ],
)
def test_a_level_follows_from_the_evidence_alone(evidence: list[Evidence], level: Level) -> None:
    assert compute_level(evidence) == level
