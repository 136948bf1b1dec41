"""docs/tutorial.md, typed as its reader types it: each command of its console blocks, in order, in a clone; what it shows is printed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, clean_environment
from test_readme import forget
from warm_program import WarmProgram

from samebits.numerics.profile import make_environment

PAGE = ROOT / "docs/tutorial.md"
CURVE = ROOT / "docs/images/precision-recall.png"
SHOWN = {"new", "train", "report", "reproduce", "diff", "predict", "verify", "data"}


def read_steps() -> list[tuple[str, list[str]]]:
    """Return the commands, each with the lines that are said to be among those that it prints."""
    steps: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return steps


def as_typed_here(command: str, ids: dict[str, str], folder: Path) -> str:
    """The set-up and the rebuilt environment are tried by README's session; here the present one stands."""
    command = command.replace("uv run samebits", "python -m samebits").replace("reproduce latest", "reproduce latest --here")
    for written, actual in ids.items():
        command = command.replace(written[:8], actual[:8])
    return command.replace("/tmp/", f"{folder}/")


def clone_project(root: Path) -> None:
    """Clone the project with what is being changed in it; the changes are committed there, so that the tree is as a reader's."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(root)], check=True)
    for name in ("confs", "data", "src"):
        shutil.copytree(ROOT / name, root / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    commit = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "--allow-empty", "-am", "a"]
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    subprocess.run(commit, cwd=root, check=True)


@pytest.mark.xdist_group("tutorial")
def test_the_tutorial_goes_as_it_says(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "samebits", tmp_path / "elsewhere"
    elsewhere.mkdir()
    clone_project(root)
    environment = make_environment("portable", clean_environment(XDG_STATE_HOME=str(tmp_path / "state")))
    program = WarmProgram(environment, root / "src")
    ids: dict[str, str] = {}

    for command, shown in read_steps():
        typed = as_typed_here(command, ids, elsewhere)
        said = program.run_typed(typed, environment, root)
        printed = forget(said, root)
        assert [line for line in shown if forget(line, root) not in printed] == [], f"{typed}\n{said}"
        if not ids and (found := re.search(r"^run +(\w{32})$", said, flags=re.MULTILINE)):
            ids[next(line.split()[1] for line in shown if line.startswith("run "))] = found[1]

    (drawn,) = (root / "mlruns").glob(f"*/{next(iter(ids.values()))}/artifacts/figures/precision_recall.png")
    assert drawn.read_bytes() == CURVE.read_bytes(), "the picture is of another run: just docs-pictures"
    assert (elsewhere / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_tutorial_shows_every_command_that_it_is_about() -> None:
    typed = " ".join(command for command, _ in read_steps())

    assert [name for name in SHOWN if f"samebits {name} " not in typed] == []
