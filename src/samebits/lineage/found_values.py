"""What a search found, as a lineage tells it: each candidate's values, and the trials that stand on the server as runs of their own.

Of a run without a search there is nothing of either. All trials are rows of search.csv.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MOST_SHOWN = 100  # trials that have a run of their own: the best, where there are more


def take_found(scores: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the values that a search found for a candidate, by the key that each has in a config.

    Parameters
    ----------
    scores
        The stage of the cross-validation.
    """
    found: dict[str, Any] = scores["candidates"].get(name, {}).get("values") or {}
    return found


def name_trial(candidate: str, number: int, n_rows: int | None = None) -> str:
    """Return a trial as it is said, and as its run on the server is called.

    >>> name_trial("forest", 3), name_trial("forest", 3, 200)
    ('forest #3', 'forest #3 on 200 rows')
    """
    return f"{candidate} #{number}" + ("" if n_rows is None else f" on {n_rows} rows")


def shorten_key(key: str, name: str) -> str:
    """Return a key as it is said where its candidate is known.

    >>> shorten_key("models.forest.max_depth", "forest"), shorten_key("preprocessing.scale", "forest")
    ('max_depth', 'preprocessing.scale')
    """
    return key.removeprefix(f"models.{name}.")


def describe_found(scores: Mapping[str, Any], name: str) -> str:
    """Return what a search found for a candidate, in words; nothing where none was made."""
    own = scores["candidates"].get(name, {})
    values = ", ".join(f"{shorten_key(key, name)}={json.dumps(value)}" for key, value in sorted(take_found(scores, name).items()))
    n_trials = own.get("n_trials")
    return f"{values} (best of {n_trials:,} trials)" if values and n_trials else ""


def list_shown_trials(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the trials that stand on the server, in the order in which they were asked for."""
    shown: list[dict[str, Any]] = scores.get("search", {}).get("shown", [])
    return shown
