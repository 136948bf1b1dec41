"""What is seen in a table, in words: one finding, one line for whoever watches and one comment in the config."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is seen.

    Parameters
    ----------
    topic
        One word: layout, missing, date, id, constant, duplicate, leak, text, category, codes, class, target, group, split.
    text
        One sentence without its full stop.
    dropped
        The columns that are no features for it, each with the reason that stands beside it in the config.
    kept
        The columns of which it says that they stay features, or asks something of them as such.
    """

    topic: str
    text: str
    dropped: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """As it is told and written down."""
        return f"{self.topic:9} {self.text}"


def hold_to_features(findings: list[Finding], features: Collection[str]) -> list[Finding]:
    """Return the findings but those that say of a column that it stays, where another reason takes it out."""
    return [finding for finding in findings if set(finding.kept) <= set(features)]
