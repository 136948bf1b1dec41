"""The tutorial's notebook, run in a kernel of its own, its training in a fresh process as a reader has it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import HANG_SECONDS, ROOT

NOTEBOOK = ROOT / "docs/notebooks/tutorial.ipynb"
# All but the training is asked of a process that has its imports behind it; none of this is in the names that the cells see.
STARTUP = f"""
def _warm():
    import os, sys
    sys.path.append({str(ROOT / "tests")!r})
    from samebits.interface import child
    from samebits.numerics.profile import make_environment
    from warm_interface import answer_warm
    from warm_program import WarmProgram
    fresh, warm = child._ask, answer_warm(WarmProgram(make_environment("portable", dict(os.environ))))
    child._ask = lambda what, *words: (fresh if what == "samebits train" else warm)(what, *words)
_warm()
del _warm
"""


def run_notebook(monkeypatch: pytest.MonkeyPatch, store: str, scratch: Path) -> Any:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: `uv sync` brings it")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: `uv sync` brings it")
    import nbformat

    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):  # none of the user's own
        monkeypatch.setenv(name, str(scratch / name.lower()))
    (scratch / "ipythondir/profile_default/startup").mkdir(parents=True)
    (scratch / "ipythondir/profile_default/startup/warm.py").write_text(STARTUP, encoding="utf-8")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=HANG_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    ).execute()
    return {cell["id"]: cell.get("outputs", []) for cell in notebook["cells"]}


def read_text(outputs: list[Any], kind: str = "text/plain") -> str:
    return "".join(output.get("text") or output.get("data", {}).get(kind, "") for output in outputs)


def test_the_tutorial_runs_from_top_to_bottom(own_store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cells = run_notebook(monkeypatch, own_store, tmp_path)

    assert "scored logistic_regression 0.994842" in read_text(cells["train"])  # shown while it runs
    assert "cross-validated average_precision 0.9948" in read_text(cells["train"], "text/html")
    assert "'average_precision': 0.9949" in read_text(cells["metrics"])
    assert "= IDENTICAL" in read_text(cells["verify"], "text/html") and "= IDENTICAL" in read_text(cells["reproduce"], "text/html")
    assert "Put it into a module of the project" in read_text(cells["refused"])
    assert "IDENTICAL" in read_text(cells["results"])


def test_the_tutorial_is_kept_without_what_it_printed() -> None:
    import json

    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]

    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert shutil.which("python")  # by which Jupyter starts a kernel


def test_the_tutorial_says_how_the_kernels_packages_and_threads_are_kept_out() -> None:
    text = " ".join(NOTEBOOK.read_text(encoding="utf-8").split())

    assert "own packages and threads take no part" in text and "a fresh samebits process" in text
