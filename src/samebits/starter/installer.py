"""uv, asked to lock a project's packages: what `uv run`, `mlflow run` and `reproduce` install by.

Where uv is missing, or finds no index, a project is whole but for its lock: then the command is said.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from samebits.project import PACKAGE, is_checkout
from samebits.trust.variables import list_installer_variables

LOCK, REQUIREMENTS = "uv.lock", "requirements.txt"
# `just` sets the first for the project that it runs in.
_OF_ANOTHER_PROJECT = ("UV_FROZEN", "UV_LOCKED", "UV_NO_SOURCES")
_MOST_LETTERS = 400


def lock_packages(folder: Path, export: list[str]) -> str | None:
    """Write a project's uv.lock, and from it requirements.txt; return why that could not be, and None where it is done.

    Versions that a uv.lock has already are kept where they still fit, but for samebits' own. A new project starts from those that a
    checkout of samebits is tested with.

    Parameters
    ----------
    export
        Options of `uv export`.
    """
    lock = folder / LOCK
    if is_checkout() and not lock.exists():
        shutil.copyfile(PACKAGE.parent.parent / LOCK, lock)
    reason = run_uv(folder, "lock", "--quiet", "--upgrade-package", PACKAGE.name)
    written = (*export, "--output-file", REQUIREMENTS)
    return reason or run_uv(folder, "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", *written)


def run_uv(folder: Path, *words: str) -> str | None:
    """Run one command of uv in a folder; return what it said where it failed, and None where it did not."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        return "no uv on PATH (pip install uv)"
    variables = {name: value for name, value in list_installer_variables().items() if name not in _OF_ANOTHER_PROJECT}
    done = subprocess.run([uv, *words], cwd=folder, env=variables, capture_output=True, text=True, check=False, errors="replace")
    said = " ".join(done.stderr.replace("error:", "").split())
    return None if done.returncode == 0 else f"uv {words[0]} failed: {said[:_MOST_LETTERS]}"
