"""What is seen in a table, in words: one finding, one line for whoever watches and one comment in the config."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is seen.

    Parameters
    ----------
    topic
        One word: layout, missing, date, id, constant, duplicate, leak, text, category, class, target, split.
    text
        One sentence without its full stop.
    dropped
        The columns that are no features for it, each with the reason that stands beside it in the config.
    """

    topic: str
    text: str
    dropped: tuple[tuple[str, str], ...] = ()

    @property
    def line(self) -> str:
        """As it is told and written down."""
        return f"{self.topic:9} {self.text}"
