"""A config's steps as a `dvc.yaml`: each a stage that runs that step by samebits, so that its bits are the same under DVC."""

from __future__ import annotations

import json
import shlex
from typing import Any

from samebits.steps.graph import PlannedStep
from samebits.steps.states import Desk, digest_named


def write_dvc_stages(desk: Desk, conf_file: str) -> str:
    """Return the text of a dvc.yaml: inputs, the config and the code that each step ran last are its dependencies."""
    stages = {name: _describe_stage(desk, step, conf_file) for name, step in desk.graph.steps.items()}
    lines = ["stages:"]
    for name, stage in stages.items():
        lines.append(f"  {name}:")
        lines.append(f"    cmd: {json.dumps(stage['cmd'], ensure_ascii=False)}")
        for key in ("deps", "outs"):
            lines += [f"    {key}:", *(f"      - {json.dumps(path, ensure_ascii=False)}" for path in stage[key])]
    return "\n".join(lines)


def list_without_modules(desk: Desk) -> list[str]:
    """Return the functions' steps of which no module is on record here."""
    return [name for name, step in desk.graph.steps.items() if step.step.function and not _find_modules(desk, step)]


def _describe_stage(desk: Desk, step: PlannedStep, conf_file: str) -> dict[str, Any]:
    """Modules are known of a step that ran here; before, the config and the inputs are all that is."""
    code = {
        *(name for name in _find_modules(desk, step) if not name.startswith("outside/")),
        *(digest_named(desk, step) if step.step.command else ()),
    }
    return {
        "cmd": f"samebits steps {shlex.quote(conf_file)} --run --only {step.name}",
        "deps": [*dict.fromkeys([one.path for one in step.inputs.values()]), conf_file, *sorted(code)],
        "outs": list(step.outputs.values()),
    }


def _find_modules(desk: Desk, step: PlannedStep) -> dict[str, str]:
    latest = desk.records.find_latest(step.name)
    return latest.runs[-1].modules if latest is not None and latest.runs else {}
