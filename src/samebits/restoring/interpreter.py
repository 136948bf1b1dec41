"""An environment's Python, asked: where its packages lie, which they are, and what its kernels compute.

What runs there is a process of its own, which has a short list of the caller's variables.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path

from samebits.errors import Problem, ProvenanceError
from samebits.trust.variables import list_plain_variables

HERE = "or use the present environment, which the verdict then says: --here."
_LIST_PACKAGES = (
    "import importlib.metadata as m, json, re; found = {}\n"
    "for d in m.distributions(): found.setdefault(re.sub(r'[-_.]+', '-', d.metadata['Name']).lower(), d.version)\n"
    "print(json.dumps(found))"
)
# What other versions' samebits is asked by: since 2026.11.2 its modules stand in wings, before that on one floor.
_PROBE_MODULES = ("samebits.numerics.probe", "samebits.probe")
_TRAINING_MODULES = (
    *(
        "samebits.training.training",
        "samebits.delivery.open_run",
        "samebits.parcels.packing",
        "samebits.tracking.recording",
        "samebits.commands.train",
        "samebits.proof.ledger",
    ),
    *("samebits.training", "samebits.recording", "samebits.train", "samebits.ledger"),
)
_PROBE = f"""
import contextlib, importlib, json
found = {{}}
for name in {_PROBE_MODULES}:
    with contextlib.suppress(ImportError):
        found = importlib.import_module(name).probe_kernels()
        break
"""
_PROBE_TORCH = """
with contextlib.suppress(ImportError):
    found |= importlib.import_module("samebits.numerics.torch_kernels").probe_torch({with_gpu})
"""
_SAY = """
if found:
    print(json.dumps(found), flush=True)
"""
_WARM_UP = f"""
import os
import mlflow.pyfunc
mlflow.MlflowClient().search_experiments(max_results=1)
for name in {_TRAINING_MODULES}:
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
os._exit(0)
"""


def list_site_folders(python: Path) -> list[str]:
    """Return the folders in which an environment's packages lie."""
    return [str(folder) for folder in sorted(python.parent.parent.glob("lib/python*/site-packages"))]


def probe_environment(
    python: Path, variables: dict[str, str], warm_up: bool, with_torch: bool = False, with_gpu: bool = False
) -> dict[str, str] | None:
    """Return what an environment's kernels compute of known numbers, by computation; None where its samebits has no probe.

    Parameters
    ----------
    variables
        Of the process that computes: the numeric profile's among them, and where samebits is imported from.
    warm_up
        Also import what a training imports and ask the tracking store once, so that the byte code of all that is written.
    with_torch, with_gpu
        Also what PyTorch's kernels compute, and those of a GPU where there is one.
    """
    torch = _PROBE_TORCH.format(with_gpu=with_gpu) if with_torch else ""
    script = f"{_PROBE}{torch}{_SAY}{_WARM_UP if warm_up else ''}"
    command = [str(python), "-P", "-c", script]
    done = subprocess.run(command, cwd=python.parent, env=variables, capture_output=True, text=True, check=False, errors="replace")
    with contextlib.suppress(ValueError):
        found = json.loads(done.stdout.splitlines()[0]) if done.stdout.startswith("{") else None
        return found if isinstance(found, dict) else None
    return None


def list_missing_packages(python: Path, recorded: dict[str, str]) -> list[str]:
    """Return the recorded packages that an environment has not, or has in another version, each with both versions.

    Raises
    ------
    ProvenanceError
        The environment's Python does not run.
    """
    command, variables = [str(python), "-c", _LIST_PACKAGES], list_plain_variables()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables, errors="replace")
    try:
        found = dict(json.loads(done.stdout.splitlines()[-1]))
    except (ValueError, IndexError, TypeError):
        reason = " ".join(done.stderr.split())[-300:] or f"exit code {done.returncode}"
        raise ProvenanceError(Problem("environment", "a Python that lists its packages", reason, f"Run this again, {HERE}")) from None
    return [
        f"{name} {found.get(name, 'not installed')} (recorded {version})"
        for name, version in recorded.items()
        if found.get(name) != version
    ]
