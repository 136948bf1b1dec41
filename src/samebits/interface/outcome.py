"""What a proof came to, as a value: the verdict with what was compared, what differs, and what was not looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from samebits.interface.display import show_outcome
from samebits.verdicts import Level, Verdict


@dataclass(frozen=True)
class Outcome:
    """What `verify`, `reproduce` or `diff` came to. It counts as true where the verdict is IDENTICAL, and nowhere else.

    Parameters
    ----------
    of
        What was asked, such as `reproduce 5e2c…`.
    verdict
        IDENTICAL, EQUIVALENT, DIFFERENT or INCONCLUSIVE.
    level
        How far the run's reproducibility is shown; None where the proof computes no level.
    differences
        What is not equal or could not be decided, one mapping each; of `diff` the most likely cause first.
    reasons
        Why it is not IDENTICAL, in sentences.
    not_checked
        What the verdict says nothing about.
    document
        All that the command prints with `--json`.
    """

    of: str
    verdict: Verdict
    level: Level | None = None
    differences: list[dict[str, Any]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The verdict's word."""
        return self.verdict.value

    def __bool__(self) -> bool:
        return self.verdict is Verdict.IDENTICAL

    def __repr__(self) -> str:
        return f"<{self.of}: {self.name}>"

    def __str__(self) -> str:
        return self.name

    def _repr_html_(self) -> str:
        return show_outcome(self.of, self.name, self.level, self.reasons, self.differences, self.not_checked)


def read_outcome(of: str, document: dict[str, Any]) -> Outcome:
    """Return the value of what `verify`, `reproduce` or `diff` printed with `--json`."""
    level = document.get("level")
    return Outcome(
        of,
        Verdict(document["verdict"]),
        Level(level) if level in list(Level) else None,
        list(_list_differences(document)),
        list(_list_reasons(document)),
        list(document.get("not_checked", [])),
        document,
    )


def _list_differences(document: dict[str, Any]) -> list[dict[str, Any]]:
    if "checks" in document:
        return [check for check in document["checks"] if not check["passed"]]
    if "differences" in document:
        return list(document["differences"])
    stages = [{"path": f"stages.{name}", "what": "not equal"} for name in document["unequal_stages"]]
    return [*stages, *({"path": name, "what": what} for name, what in document["unequal_artifacts"].items())]


def _list_reasons(document: dict[str, Any]) -> list[str]:
    if "checks" in document:
        return [
            f"{check['name']}: recorded {check['recorded']}, observed {check['observed']}"
            for check in document["checks"]
            if not check["passed"]
        ]
    cause = [f"likely cause: {document['cause']}"] if document.get("cause") else []
    return [*cause, *document.get("reasons", [])]
