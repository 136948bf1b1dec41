"""The config of a recorded run, written anew as it was resolved, for the table where it lies now."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

from samebits.config.documents import read_document
from samebits.config.step_order import normalise_path
from samebits.errors import SamebitsError
from samebits.holdings.runs import RecordedRun
from samebits.keys.steps import take_path
from samebits.lineage.step_stage import NO_STEPS, has_steps
from samebits.restoring.restoration import Restoration, make_folder
from samebits.table.files import list_table_files


def write_config(lineage: dict[str, Any], restoration: Restoration, name: str, **changes: Any) -> Path:
    """Write the config as it was resolved, the restored table in it, with changes to its top level; return its path."""
    resolved = read_resolved(lineage, restoration)
    steps = lineage["stages"].get("steps", NO_STEPS)
    data = {**resolved["data"], "path": str(restoration.data), "digest": lineage["stages"]["data"]["digest"]}
    if has_steps(steps) and restoration.steps_file is None and "data.path" in steps["made"]:
        data["digest"] = None  # made again, so that a table that comes out otherwise is compared, not refused
    if restoration.test_data is not None:
        data["test_path"] = str(restoration.test_data)
    config = {**resolved, "data": data, **_place_steps(resolved, steps, restoration), **changes}
    if "tracking" in resolved:  # a rerun is recorded beside its original, wherever that is
        config["tracking"] = {**resolved["tracking"], "offline": False}
    if "registry" in resolved:  # and none of what is registered
        config["registry"] = {**resolved["registry"], "name": None}
    config.pop("engine", None)  # it was where, not what: a rerun needs none
    if restoration.rows_file is not None:
        config["split"] = {**resolved["split"], "rows_file": str(restoration.rows_file)}
    path = restoration.folder / f"{name}.json"
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")
    return path


def _place_steps(resolved: dict[str, Any], stage: dict[str, Any], restoration: Restoration) -> dict[str, Any]:
    """Return the steps with their inputs where the record names them, those from outside of the project in their new places.

    As they were written they may have been named from somebody's home, or from the config's folder, which is another now.
    """
    if not resolved.get("steps"):
        return {}
    steps = {name: {**step, "inputs": dict(step["inputs"])} for name, step in resolved["steps"].items()}
    for name, step in steps.items():
        recorded = stage.get("paths", {}).get(name, {}).get("inputs", {})
        for key, value in step["inputs"].items():
            path = recorded.get(key, normalise_path(take_path(value)))
            moved = str(restoration.moved.get(path, path))
            step["inputs"][key] = {**value, "path": moved} if isinstance(value, dict) else moved
    return {"steps": steps}


def read_resolved(lineage: dict[str, Any], restoration: Restoration) -> dict[str, Any]:
    """Return the config as it was resolved, its numbers as the config's own file has them."""
    resolved: dict[str, Any] = _decode_numbers(lineage["stages"]["config"]["resolved"], restoration.config_as_written)
    return resolved


def _decode_numbers(value: Any, written: Any) -> Any:
    """Undo what canonical JSON makes of the numbers that JSON has not, where the config as it was written has a number."""
    if isinstance(value, dict):
        return {key: _decode_numbers(member, written.get(key) if isinstance(written, dict) else None) for key, member in value.items()}
    if isinstance(value, list):
        others = written if isinstance(written, list) and len(written) == len(value) else [None] * len(value)
        return [_decode_numbers(member, other) for member, other in zip(value, others, strict=True)]
    return written if isinstance(written, float) and not math.isfinite(written) else value


def read_config_as_written(recorded: RecordedRun) -> Any:
    """Return the plain values of the config's own file; None where it cannot be read."""
    for name, path in recorded.files.items():
        if name.startswith("config/as_written"):
            with contextlib.suppress(SamebitsError):
                return read_document(path).value
    return None


def copy_data_in_other_order(restoration: Restoration) -> None:
    """Take the table from a copy whose files were written in the reverse order."""
    target = make_folder(restoration.folder / "data in another order")
    files = list_table_files(restoration.data)
    for name in sorted(files, reverse=True):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files[name], target / name)
    restoration.data = target if restoration.data.is_dir() else target / restoration.data.name
