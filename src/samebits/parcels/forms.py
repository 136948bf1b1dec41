"""What a parcel's own two files must hold to be read: the note of its run, and the values that are sent beside files.

Whoever hands a parcel over may have written anything into them; what is of another kind is said before a server is asked.
"""

from __future__ import annotations

import re
from typing import Any

_DATASET_FIELDS = ("name", "digest", "source_type", "source", "schema", "profile")
_LATEST = 1 << 53  # of milliseconds since 1970, and of a process's number: what every server and system takes


def is_note(note: dict[str, Any]) -> bool:
    """Tell whether all that is asked of a note is of its kind, whoever wrote it."""
    ids = [note.get("parcel_id"), *(note.get(name) or "0" * 32 for name in ("run_id", "server_run_id"))]
    words = [note.get(name) for name in ("experiment_name", "conf_file", "started", "host")]
    words += [note.get(name) or "" for name in ("server", "project", "run_name", "experiment_id", "wanted_experiment_id")]
    return (
        all(map(_is_id, ids))
        and all(isinstance(word, str) for word in words)
        and _is_count(note.get("process"))
        and _are_texts(note.get("tags", {}))
    )


def are_values(values: dict[str, Any]) -> bool:
    """Tell whether what is sent beside files is of the kinds that a server takes."""
    dataset, metrics = values.get("dataset"), values.get("metrics")
    return (
        all(_are_texts(values.get(name)) for name in ("params", "tags", "model_tags"))
        and isinstance(dataset, dict)
        and set(dataset) == set(_DATASET_FIELDS)
        and all(isinstance(value, str | None) for value in dataset.values())
        and isinstance(metrics, list)
        and all(map(_is_metric, metrics))
        and _is_count(values.get("started"))
        and _is_count(values.get("ended"))
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(name, str) and isinstance(text, str) for name, text in value.items())


def _is_metric(value: Any) -> bool:
    """Name, value, time and step."""
    if not (isinstance(value, list) and len(value) == 4):
        return False
    name, number, when, step = value
    is_number = isinstance(number, float) or (isinstance(number, int) and _is_count(abs(number)))
    return isinstance(name, str) and is_number and _is_count(when) and _is_count(step)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LATEST


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value) is not None
