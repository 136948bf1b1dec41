"""The record of a backtest: which runs its windows are, by their digests, and what the summary made of them has as its own.

It has a schema of its own and no stages: what decides is in the lineages of the windows. Equal backtests leave equal summaries and
equal digests; which runs they were, and when, are facts of the record.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from samebits import __version__
from samebits.digests import canonical_json, digest_bytes, digest_value
from samebits.errors import LineageError, Problem
from samebits.lineage.manifest import read_bounded_json
from samebits.lineage.tracked_values import choose_params, flatten_config

SCHEMA = 1
BACKTEST_FILE = "backtest_lineage.json"
SUMMARY_FILE = "backtest.json"
_FORM: dict[str, type] = {"run": dict, "config": dict, "windows": list, "artifacts": dict, "inputs_digest": str, "outputs_digest": str}
_OF_WINDOW = ("cutoff", "model", "run_id", "inputs_digest", "outputs_digest", "lineage_digest")
_SHARED_TAGS = ("data_hash", "git_commit", "git_dirty", "config_version", "numeric_profile")  # with the windows, by a window's lineage


def make_record(
    config: dict[str, Any],
    windows: list[dict[str, Any]],
    artifacts: dict[str, dict[str, Any]],
    run: dict[str, Any],
    shared: dict[str, str],
    request_digest: str,
) -> dict[str, Any]:
    """Return the record of a backtest.

    Parameters
    ----------
    config
        The stage of the whole config, as a lineage has it.
    windows
        Of each its cut-off, run, and digests of inputs, outputs and lineage; and whether it was there already.
    artifacts
        Digest and size of each file that the run leaves, by its path; the record itself is not among them.
    run
        Facts of this one run: its id, experiment and times.
    shared
        The tags that it has in common with its windows.
    """
    return {
        "backtest_schema": SCHEMA,
        "samebits": __version__,
        "run": run,
        "config": config,
        "windows": windows,
        "shared": {name: shared[name] for name in _SHARED_TAGS if name in shared},
        "request_digest": request_digest,
        "inputs_digest": digest_inputs(config, windows),
        "outputs_digest": digest_outputs(windows, artifacts),
        "artifacts": artifacts,
    }


def digest_inputs(config: dict[str, Any], windows: list[dict[str, Any]]) -> str:
    """Digest what went into a backtest: its config, and what went into each window."""
    return digest_value({"config": config["digest"], "windows": [window["inputs_digest"] for window in windows]})


def digest_outputs(windows: list[dict[str, Any]], artifacts: dict[str, dict[str, Any]]) -> str:
    """Digest what came out: of each window, and the summary."""
    summary = artifacts.get(SUMMARY_FILE, {}).get("digest")
    return digest_value({"summary": summary, "windows": [window["outputs_digest"] for window in windows]})


def write_record(record: dict[str, Any]) -> bytes:
    """Return a record's canonical bytes."""
    return canonical_json(record) + b"\n"


def read_record(content: bytes, where: str) -> dict[str, Any]:
    """Return the record that some bytes hold.

    Raises
    ------
    LineageError
        They are no JSON, too much of it, or no record of a backtest that is read here.
    """
    record = read_bounded_json(content, where)
    schema = record.get("backtest_schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise LineageError(Problem(where, f"a backtest of schema {SCHEMA}", repr(schema), "A later samebits may read it."))
    if not _is_sound(record):
        raise LineageError(Problem(where, "the record of a backtest", "something else", "It was edited or cut: fetch it again."))
    return dict(record)


def _is_sound(record: dict[str, Any]) -> bool:
    windows, config = record.get("windows"), record.get("config")
    return (
        all(isinstance(record.get(name), kind) for name, kind in _FORM.items())
        and bool(windows)
        and all(
            isinstance(window, dict) and all(isinstance(window.get(name), str | int | float) for name in _OF_WINDOW)
            for window in windows or []
        )
        and all(re.fullmatch(r"[0-9a-f]{32}", str(window["run_id"])) for window in windows or [])
        and isinstance(config, dict)
        and isinstance(config.get("digest"), str)
        and isinstance(config.get("resolved"), dict)
        and isinstance(config["resolved"].get("backtest"), dict)
        and isinstance(config["resolved"].get("split"), dict)
        and all(isinstance(entry, dict) and isinstance(entry.get("digest"), str) for entry in record["artifacts"].values())
        and isinstance(record.get("shared"), dict)
        and all(isinstance(value, str) for value in record["shared"].values())
    )


def list_params(record: dict[str, Any]) -> dict[str, str]:
    """Return the params of a backtest's run: the keys of its config that a reader compares."""
    return choose_params(flatten_config(json.loads(canonical_json(record["config"]["resolved"]))))


def list_tags(record: dict[str, Any], content: bytes) -> dict[str, str]:
    """Return the tags of a backtest's run that follow from its record."""
    own = {name: str(record[name]) for name in ("inputs_digest", "outputs_digest", "request_digest")}
    told = {"backtest": f"{len(record['windows'])} windows", "best_model": _name_best(record["windows"])}
    return {**record["shared"], **own, **told, "lineage_digest": digest_bytes(content)}


def _name_best(windows: list[dict[str, Any]]) -> str:
    """Return the model that was chosen in most windows, and in how many where that is not all; of equally many the first."""
    (name, count), *_ = Counter(str(window["model"]) for window in windows).most_common()
    return name if count == len(windows) else f"{name} ({count} of {len(windows)})"
