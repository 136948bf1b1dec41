"""A run that is made, as its end is told. It is light to import, since one that is handed back is told likewise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from samebits.errors import Undelivered


@dataclass(frozen=True)
class Made:
    """A run that is made.

    Parameters
    ----------
    experiment_id
        None where no server has it.
    waits
        Why it waits in the spool; None where it was delivered.
    is_reused
        Whether it was made before, and is handed back.
    """

    run_id: str
    lineage: dict[str, Any]
    experiment_id: str | None
    waits: Undelivered | None = None
    is_reused: bool = False
