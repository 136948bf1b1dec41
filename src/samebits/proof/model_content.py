"""The content of a stored model, held to its digest by a process of its own while the rest of a run is being verified.

The process (`model_check`) starts first and is asked once the model's file is at hand. Where its answer decides nothing, since another
scikit-learn is installed here or the class is one that it does not let in, that is said: the file's own digest covers the content too.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from samebits.project import PACKAGE
from samebits.proof.verification import Check

# A model is a stranger's: the process that loads it has no secret of the caller's.
_HANDED_DOWN = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "VIRTUAL_ENV")
_TOO_MUCH = "the process that loads it ended: it takes more time or memory than a model of its size can need"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class ModelCheck:
    """A process that stands ready to load one model, until this is closed."""

    def __init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if name in _HANDED_DOWN or name.startswith("LC_")}
        environment = {**kept, "PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1", **_ONE_THREAD}
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{PACKAGE.name}.model.check"],
            env=environment, cwd=PACKAGE.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._is_asked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    def ask(self, path: Path) -> None:
        """Let the process load a model file; the answer is waited for later."""
        self._is_asked = True
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # the process ended already: its answer says so
                self._process.stdin.write(f"{path}\n")
                self._process.stdin.flush()

    def answer(self, lineage: dict[str, Any], is_file_whole: bool) -> Check | str:
        """Return the check of the content of the model that was asked for, or in words why there is none.

        Parameters
        ----------
        is_file_whole
            Whether the file has its recorded digest: then a model that cannot be loaded here is no damage.
        """
        observed = self._process.communicate()[0].strip()
        expected = lineage["stages"]["model"]["digest"]
        if not observed.startswith("sha256:"):
            reason = observed or (_TOO_MUCH if self._is_asked else "its file is not the recorded one, and was not loaded")
            unknown = f"the model's content digest, beyond that of its file ({reason})"
            return unknown if is_file_whole else Check("model content", expected, reason, False)
        if observed != expected and not _has_same_packages(lineage):
            return "the model's content digest: other versions of scikit-learn or NumPy are installed here"
        return Check("model content", expected, observed, observed == expected)


def _has_same_packages(lineage: dict[str, Any]) -> bool:
    """Another scikit-learn loads the same file into other attributes."""
    recorded = lineage["stages"]["environment"]["packages"]
    return all(importlib.metadata.version(name) == recorded.get(name) for name in ("scikit-learn", "numpy", "scipy", "skops"))
