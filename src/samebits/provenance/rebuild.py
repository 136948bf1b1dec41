"""Rebuilds a recorded environment from its uv.lock, every package held to the hash in it, under the recorded Python; and probes one.

What runs in an environment here is a process of its own, which nothing of the caller's shell or project leads back to the caller's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from samebits.digests import digest_file
from samebits.errors import Problem, ProvenanceError
from samebits.numerics.profile import PINNED_MARK

_HERE = "or use the present environment, which the verdict then says: --here."
# Of the caller's own shell and project; what runs in another environment has its own.
_DROPPED = (
    *("MLFLOW_RUN_ID", "MLFLOW_RUN_NAME", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", PINNED_MARK),
    *("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"),
)
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
        "samebits.delivery.packing",
        "samebits.tracking.recording",
        "samebits.commands.train",
        "samebits.proof.ledger",
    ),
    *("samebits.training", "samebits.recording", "samebits.train", "samebits.ledger"),
)
_PROBE = f"""
import contextlib, importlib, json
for name in {_PROBE_MODULES}:
    with contextlib.suppress(ImportError):
        print(json.dumps(importlib.import_module(name).probe_kernels()), flush=True)
        break
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


def rebuild_environment(stage: dict[str, Any], project: Path, lock: Path | None, folder: Path) -> Path:
    """Make an environment in a fresh folder and return its Python.

    Parameters
    ----------
    stage
        The lineage's environment stage.
    project
        The restored project, whose pyproject.toml the lock belongs to.
    lock
        The recorded uv.lock.

    Raises
    ------
    ProvenanceError
        No lock was recorded, uv or the Python is not installed, or a package cannot be had as it was.
    """
    if lock is None:
        raise ProvenanceError(Problem("environment", "a recorded uv.lock", "none", f"Add one to the project for later runs, {_HERE}"))
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise ProvenanceError(Problem("environment", "uv, which rebuilds it", "none on PATH", f"pip install uv, {_HERE}"))
    if not (project / "uv.lock").is_file() or digest_file(project / "uv.lock") != digest_file(lock):
        shutil.copyfile(lock, project / "uv.lock")
    interpreter = _find_python(uv, stage["python"])
    _sync(uv, project, folder, interpreter, ["--no-dev"], stage)
    python = folder / "bin" / "python"
    if list_missing_packages(python, stage["packages"]):  # a package that the config allows may stand in a group
        with contextlib.suppress(ProvenanceError):  # what is still missing then is the clearer thing to say
            _sync(uv, project, folder, interpreter, ["--all-groups", "--all-extras"], stage)
    missing = list_missing_packages(python, stage["packages"])
    if missing:
        remedy = f"The lock does not hold them: they were installed by hand. Add them to the project for later runs, {_HERE}"
        raise ProvenanceError(Problem("environment", "the recorded packages", ", ".join(missing), remedy))
    return python


def probe_environment(python: Path, variables: dict[str, str], warm_up: bool) -> dict[str, str] | None:
    """Return what an environment's kernels compute of known numbers, by computation; None where its samebits has no probe.

    Parameters
    ----------
    variables
        Of the process that computes: the numeric profile's among them, and where samebits is imported from.
    warm_up
        Also import what a training imports and ask the tracking store once, so that the byte code of all that is written.
    """
    command = [str(python), "-P", "-c", f"{_PROBE}{_WARM_UP if warm_up else ''}"]
    done = subprocess.run(command, cwd=python.parent, env=variables, capture_output=True, text=True, check=False)
    found: dict[str, str] | None = json.loads(done.stdout.splitlines()[0]) if done.stdout.startswith("{") else None
    return found


def list_missing_packages(python: Path, recorded: dict[str, str]) -> list[str]:
    """Return the recorded packages that an environment has not, or has in another version, each with both versions."""
    done = subprocess.run([str(python), "-c", _LIST_PACKAGES], capture_output=True, text=True, check=True, env=keep_variables())
    found = json.loads(done.stdout)
    return [
        f"{name} {found.get(name, 'not installed')} (recorded {version})"
        for name, version in recorded.items()
        if found.get(name) != version
    ]


def keep_variables() -> dict[str, str]:
    """Return this process's environment variables, but for those that would lead another environment back to the caller's."""
    return {name: value for name, value in os.environ.items() if name not in _DROPPED}


def _find_python(uv: str, version: str) -> str:
    """Return an interpreter of exactly this version; where none is here, the version itself, which uv may know how to fetch."""
    own = ".".join(map(str, sys.version_info[:3]))
    if own == version:
        return str(Path(getattr(sys, "_base_executable", sys.executable)))
    command = [uv, "python", "find", "--no-python-downloads", "--no-project", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=keep_variables(), cwd="/")
    of_pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions", version, "bin", "python")
    if found.returncode == 0:
        return found.stdout.strip()
    return str(of_pyenv) if of_pyenv.is_file() else version


def _sync(uv: str, project: Path, folder: Path, interpreter: str, groups: list[str], stage: dict[str, Any]) -> None:
    environment = {**keep_variables(), "UV_PROJECT_ENVIRONMENT": str(folder)}
    command = [uv, "sync", "-q", "--frozen", *groups, "--python", interpreter]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    reason = " ".join(done.stderr.replace("error:", "").split())[:600]
    if interpreter == stage["python"]:
        remedy = f"uv python install {interpreter}, {_HERE}"
        raise ProvenanceError(Problem(f"Python {interpreter}", "the recorded Python", f"not installed ({reason})", remedy))
    remedy = f"If a package is gone from its registry, offer it from a cache or a mirror, {_HERE}"
    raise ProvenanceError(Problem("environment", "every package of the recorded uv.lock", reason, remedy))
