"""Who was judged by the rows that a run holds back, asked of the server while nothing that was computed waits for the answer."""

from __future__ import annotations

import dataclasses
from typing import Any

from samebits.errors import TrackingError
from samebits.holdings.looks import count_looks, find_judged
from samebits.lineage.manifest import SCHEMA
from samebits.lineage.tracked_values import list_params
from samebits.text import warn


class AskedLooks:
    """Who was judged by the rows that a run holds back: asked before anything is trained, so that nothing computed waits for it.

    Nothing depends on the looks: where the server cannot be asked then, they are not said.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._judged: list[Any] | None = None

    def note_rows(self, stages: dict[str, Any]) -> None:
        """Ask which runs were judged by the rows that some stages say are held back."""
        try:
            self._judged = find_judged(self._client, stages) if self._client is not None else None
        except TrackingError as error:
            warn(f"how often these test rows were looked at is not known: {error}")

    def count(self, stages: dict[str, Any]) -> dict[str, Any] | None:
        """Return how often they were looked at, by the stages of the run that was made; None where that is not known."""
        if self._judged is None:
            return None
        try:  # of what others wrote on the server
            return dataclasses.asdict(count_looks(self._judged, stages, list_params({"schema": SCHEMA, "stages": stages})))
        except Exception as error:
            warn(f"how often these test rows were looked at is not known: {type(error).__name__}: {error}")
            return None
