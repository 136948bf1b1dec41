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
    return (
        all(_are_texts(values.get(name)) for name in ("params", "tags", "model_tags"))
        and _is_dataset(values.get("dataset"))
        and _are_metrics(values.get("metrics"))
        and _is_count(values.get("started"))
        and _is_count(values.get("ended"))
        and _makes_a_page(values)
    )


def _makes_a_page(values: dict[str, Any]) -> bool:
    """What a parcel has since schema 2; none of it is in one of schema 1."""
    model, candidates = values.get("model", {}), values.get("candidates", [])
    return (
        isinstance(values.get("run_name", ""), str)
        and (values.get("test_dataset") is None or _is_dataset(values["test_dataset"]))
        and _are_texts(values.get("experiment_tags", {}))
        and isinstance(model, dict)
        and all(isinstance(model.get(name, ""), str) for name in ("name", "note"))
        and all(_are_texts(model.get(name, {})) for name in ("params", "metrics"))
        and isinstance(candidates, list)
        and all(map(_is_candidate, candidates))
    )


def _is_candidate(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in ("name", "run_name"))
        and all(_are_texts(value.get(name)) for name in ("params", "tags"))
        and _are_metrics(value.get("metrics"))
    )


def _is_dataset(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == set(_DATASET_FIELDS)
        and all(isinstance(field, str | None) for field in value.values())
    )


def _are_metrics(values: Any) -> bool:
    return isinstance(values, list) and all(map(_is_metric, values))


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
