"""The words of a proof, fixed everywhere: four verdicts with their exit codes, and levels that are computed from evidence.

Nothing but IDENTICAL ever exits with 0. A level is no setting: `compute_level` is the only place where one comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What a comparison came to."""

    IDENTICAL = "IDENTICAL"  # every specified output equal to the bit
    EQUIVALENT = "EQUIVALENT"  # not equal, inside a tolerance that the original run's config recorded before
    DIFFERENT = "DIFFERENT"
    INCONCLUSIVE = "INCONCLUSIVE"  # could not be decided

    @property
    def exit_code(self) -> int:
        """The exit code of every command that says this verdict."""
        return EXIT_CODES[self]


EXIT_CODES = {Verdict.IDENTICAL: 0, Verdict.EQUIVALENT: 10, Verdict.DIFFERENT: 1, Verdict.INCONCLUSIVE: 2}
EXIT_CODES_TEXT = "0 IDENTICAL or done; 10 EQUIVALENT; 1 DIFFERENT; 2 INCONCLUSIVE or refused, the reason is on stderr"


class Level(StrEnum):
    """How far a run's reproducibility is shown; each includes those before it."""

    L0 = "L0 recorded"
    L1 = "L1 restorable"
    L2 = "L2 repeatable"
    L3 = "L3 portable"


@dataclass(frozen=True)
class Evidence:
    """What one reproduction, or one drill, of a run showed.

    Parameters
    ----------
    verdict
        None for a drill, in which nothing is trained.
    rebuilt
        Whether code, data and environment were all brought back, rather than the present environment used.
    varied
        Whether it was made under other conditions.
    control_differs
        Whether a run with one changed input came out DIFFERENT; None where no such run was made.
    other_machine
        Whether this machine is of another class than the original run's.
    by
        In words, which run showed it, and when; it shows no more for that.
    """

    verdict: Verdict | None
    rebuilt: bool
    varied: bool = False
    control_differs: bool | None = None
    other_machine: bool = False
    by: str = field(default="", compare=False)


def compute_level(evidence: Sequence[Evidence]) -> Level:
    """Return the level that evidence shows of a run that is on record.

    >>> identical = Evidence(Verdict.IDENTICAL, rebuilt=True, varied=True, control_differs=True)
    >>> compute_level([identical]).value, compute_level([Evidence(None, rebuilt=True)]).value
    ('L2 repeatable', 'L1 restorable')
    """
    rebuilt = [found for found in evidence if found.rebuilt]
    identical = [found for found in rebuilt if found.verdict == Verdict.IDENTICAL]
    failed = any(found.verdict in (Verdict.DIFFERENT, Verdict.EQUIVALENT) and not found.other_machine for found in rebuilt)
    if not rebuilt:
        return Level.L0
    repeatable = any(found.varied for found in identical) and any(found.control_differs for found in identical)
    if not repeatable or failed:
        return Level.L1
    return Level.L3 if any(found.other_machine for found in identical) else Level.L2
