"""One step's process: started in its workplace under the numeric profile, watched, and held to what it declared.

What it must not have done is refused here by name; where its outputs go is `running`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from samebits.config.step_order import find_maker
from samebits.errors import DataError, Problem
from samebits.numerics.generators import derive_seed
from samebits.numerics.profile import make_environment
from samebits.project import PACKAGE, is_checkout, list_code_folders
from samebits.signals import ended_with_us, hold_signals
from samebits.steps.graph import PlannedStep
from samebits.steps.openings import watch_openings
from samebits.steps.record import FOLDER, name_module
from samebits.steps.states import Desk, digest_named
from samebits.steps.step_process import PLAN
from samebits.steps.workplace import Workplace, bring_back
from samebits.text import shorten_list

FAILED = "failed.log"  # what a step printed that failed last
_STOP_SECONDS = 5
_PROGRAM = "from samebits.steps.step_process import run; run()"
_NOT_HANDED = ("MLFLOW_", "SAMEBITS_")
_HOOK = """\
import importlib.machinery, importlib.util, sys
sys.path[:] = [path for path in sys.path if path != {hook!r}]
sys.path[:0] = {package!r}
try:
    from samebits.steps.step_process import begin
    begin()
except Exception:
    pass  # another Python, which has no samebits: it goes unwatched
{clean}_own = importlib.machinery.PathFinder.find_spec("sitecustomize", sys.path)
if _own is not None and _own.loader is not None:
    _own.loader.exec_module(importlib.util.module_from_spec(_own))
"""


@dataclass(frozen=True)
class Done:
    """What is known of a process that did what it should.

    Parameters
    ----------
    modules, places
        As a `StepRun` has them.
    others_opened
        Further files of the project that were opened meanwhile, by it or by another program; None: nobody knows.
    is_watched
        Whether any of its processes was a Python that noted what it did.
    """

    modules: dict[str, str]
    places: dict[str, str]
    network: list[str]
    others_opened: list[str] | None
    is_watched: bool


def run_process(desk: Desk, step: PlannedStep, workplace: Workplace) -> Done:
    """Run a step to its end.

    Raises
    ------
    DataError
        It failed, wrote to an input, or opened a file that it did not declare.
    """
    before = {place: _read_facts(place) for place in workplace.links.values()}
    named = digest_named(desk, step) if step.step.command else {}
    try:
        with watch_openings(desk.graph.root.resolve()) as openings:
            exit_code = _start(desk, step, workplace)
    finally:
        bring_back(workplace, {place: facts.inode for place, facts in before.items() if facts is not None})
    notes = _read_notes(workplace.notes)
    written = sorted({note["written"] for note in notes if "written" in note}) or [
        str(place) for place, facts in before.items() if _read_facts(place) != facts
    ]
    if written:
        path = _name_in_project(desk, written[0])
        remedy = "Let it write an output instead."
        raise DataError(Problem(f"steps.{step.name}", "inputs that are only read", f"a write to {path}", remedy))
    problems = _find_undeclared(desk, step, workplace, notes)
    if exit_code != 0:
        problems.append(_describe_failure(desk, step, workplace, notes, exit_code))
    if problems:
        raise DataError(*problems)
    imported = [note for note in notes if "module" in note]
    modules = {name_module(desk.graph.root.resolve(), note["module"], note["place"]): note["digest"] for note in imported}
    outside = {name: place for name, place in modules if place is not None}
    found = {**named, **{name: digest for (name, _), digest in modules.items()}}
    network = sorted({note["network"] for note in notes if "network" in note})
    others = None if openings is None else _list_undeclared(desk, workplace, notes, {str(path) for path in openings})
    return Done(dict(sorted(found.items())), outside, network, others, any("begun" in note for note in notes))


def _start(desk: Desk, step: PlannedStep, workplace: Workplace) -> int:
    """Start the process with its workplace for a folder, and wait for its end."""
    plan = workplace.folder / "plan.json"
    plan.write_text(json.dumps(_make_plan(desk, step, workplace)), encoding="utf-8")
    workplace.notes.touch()
    hook = workplace.folder / "hook"
    package = [str(PACKAGE.parent)] if is_checkout() else []
    clean = f"sys.path.remove({package[0]!r})\n" if package and step.step.command else ""
    (hook / "sitecustomize.py").write_text(_HOOK.format(hook=str(hook), package=package, clean=clean), encoding="utf-8")
    words = [sys.executable, "-P", "-c", _PROGRAM] if step.step.function else step.fill_words()
    environment = _make_variables(desk, workplace, hook, plan)
    with workplace.said.open("wb") as said, ended_with_us(_STOP_SECONDS) as processes:
        with hold_signals():
            try:
                process = subprocess.Popen(
                    words, cwd=workplace.project, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                    start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                expected, found = "a program that can be started", f"{words[0]}: {error.strerror}"
                raise DataError(Problem(f"steps.{step.name}.command", expected, found, "Install it.")) from None
            processes.append(process)
        return process.wait()


def _make_plan(desk: Desk, step: PlannedStep, workplace: Workplace) -> dict[str, Any]:
    root = desk.graph.root
    return {
        "function": step.step.function,
        "code": list_code_folders(root),
        "input_paths": {name: one.path for name, one in step.inputs.items()},
        "outputs": step.outputs,
        "parameters": step.step.model_dump(mode="json")["parameters"],  # a date of TOML as its text
        "given_seed": step.step.seed,
        "seed": derive_seed(step.step.seed, f"steps.{step.name}"),
        "inputs": sorted({str(place.resolve()) for place in workplace.links.values()}),
        "folder": str(workplace.folder.resolve()),
        "project": str(workplace.project.resolve()),
        "root": str(root.resolve()),
        "notes": str(workplace.notes),
    }


def _make_variables(desk: Desk, workplace: Workplace, hook: Path, plan: Path) -> dict[str, str]:
    """Return the caller's variables under the profile; a user's own settings of libraries are nothing that a step is made of."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_HANDED)}
    own = {
        PLAN: str(plan),
        "PATH": os.pathsep.join(filter(None, [str(Path(sys.executable).parent), kept.get("PATH")])),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(hook), kept.get("PYTHONPATH")])),
        "TMPDIR": str(workplace.folder / "tmp"),
        "XDG_CONFIG_HOME": str(workplace.folder / "config"),
        "XDG_CACHE_HOME": str(workplace.folder / "cache"),
        "MPLCONFIGDIR": str(workplace.folder / "config"),
    }
    return make_environment(desk.graph.profile, {**kept, **own})


def _read_notes(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def _find_undeclared(desk: Desk, step: PlannedStep, workplace: Workplace, notes: list[dict[str, Any]]) -> list[Problem]:
    """Say which files a step opened, or looked for where only declared ones lie, without a word of them."""
    root = desk.graph.root.resolve()
    sought = {note["sought"] for note in notes if "sought" in note}
    opened = {note["opened"] for note in notes if "opened" in note}
    opened |= {str(root / path) for path in sought if _is_withheld(desk, step, workplace, path)}
    undeclared = _list_undeclared(desk, workplace, notes, opened)
    shown = shorten_list(undeclared, 5)
    remedy = "Name them under inputs: a step is given no other file of the project."
    return [Problem(f"steps.{step.name}", "files that it declares", f"others opened: {shown}", remedy)] if undeclared else []


def _is_withheld(desk: Desk, step: PlannedStep, workplace: Workplace, path: str) -> bool:
    """Tell whether a file that was not at hand is there in the project, or comes there by another step."""
    if path in workplace.links:
        return False
    maker = find_maker(path, {made: name for name, one in desk.graph.steps.items() for made in one.outputs.values()})
    return maker != step.name if maker is not None else (desk.graph.root / path).is_file()


def _list_undeclared(desk: Desk, workplace: Workplace, notes: list[dict[str, Any]], opened: set[str]) -> list[str]:
    """Return by their paths in the project the files of some that are neither declared nor modules, nor what Python keeps of these."""
    declared = {str(place.resolve()) for place in workplace.links.values()}
    modules = {note["module"] for note in notes if "module" in note}
    return [_name_in_project(desk, path) for path in sorted(opened - declared - modules) if _find_source(path) not in modules]


def _find_source(path: str) -> str | None:
    try:
        return importlib.util.source_from_cache(path)
    except (ValueError, NotImplementedError):
        return None


def _name_in_project(desk: Desk, path: str) -> str:
    root = desk.graph.root.resolve()
    return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else path


class _Facts(NamedTuple):
    """What a file system says of a file; that it changed, nobody can take back."""

    size_bytes: int
    modified: int
    inode: int
    changed: int


def _read_facts(path: Path) -> _Facts | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _Facts(found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns)


def _describe_failure(desk: Desk, step: PlannedStep, workplace: Workplace, notes: list[dict[str, Any]], exit_code: int) -> Problem:
    """Say why a step failed; all that it printed is kept beside the records."""
    kept = desk.records.folder / step.name / FAILED
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(workplace.said, kept)
    lines = workplace.said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    said = next((note["failure"] for note in notes if "failure" in note), None)
    found = said or f"exit code {exit_code}: {lines[-1][-400:] if lines else 'it said nothing'}"
    kind = "function" if step.step.function else "command"
    return Problem(f"steps.{step.name}.{kind}", "a step that ends well", found, f"All that it printed: {FOLDER}/{step.name}/{FAILED}.")
