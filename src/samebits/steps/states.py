"""Whether a step must run, and why: judged by what is on record of it and what lies at its places, without running anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from samebits.errors import DataError, Problem
from samebits.steps.graph import Graph, PlannedStep
from samebits.steps.record import Records, StepRecord, StepRun, digest_environment, find_module
from samebits.stores.digest_cache import DigestCache

State = Literal["unchanged", "runs", "refused"]
_SHORT = 19


@dataclass(frozen=True)
class Standing:
    """How a step stands.

    Parameters
    ----------
    reason
        Why it would run, or is refused; empty where it is unchanged.
    record
        What its runs are kept under; None while an input is still to be made.
    run
        The recorded run that it is; where it would run only since an output is missing, the one that made them.
    """

    step: PlannedStep
    state: State
    reason: str = ""
    record: StepRecord | None = None
    run: StepRun | None = None


@dataclass(frozen=True)
class Desk:
    """All that steps are judged by."""

    graph: Graph
    records: Records
    cache: DigestCache
    environment: str


def open_desk(graph: Graph, is_trusted: bool = True) -> Desk:
    """Return what a graph's steps are judged by; `is_trusted`: whether digests of earlier looks count."""
    return Desk(graph, Records(graph.root), DigestCache(graph.root, is_trusted), digest_environment(graph.profile))


def judge_graph(desk: Desk) -> dict[str, Standing]:
    """Return how each step stands; what reads an output that is still to be made is not known before that ran."""
    found: dict[str, Standing] = {}
    for name, step in desk.graph.steps.items():
        waiting = [one for one in step.needed if found[one].state != "unchanged"]
        found[name] = judge_step(desk, step, waiting)
    desk.cache.save()
    return found


def judge_step(desk: Desk, step: PlannedStep, waiting: list[str] | None = None) -> Standing:
    """Return how one step stands.

    Parameters
    ----------
    waiting
        Steps it needs that have not run yet.

    Raises
    ------
    DataError
        An input cannot be read, or is not the pinned one.
    """
    if waiting:
        edited, after = _find_edited(desk, step), f"after step {', '.join(waiting)}"
        return Standing(step, "refused" if edited else "runs", edited or after)
    record = desk.records.find(_make_record(desk, step))
    matching = [run for run in record.runs if _holds_modules(desk, run)]
    observed = {name: desk.cache.digest(desk.graph.root / path) for name, path in step.outputs.items()}
    whole = next((run for run in reversed(matching) if run.digests == observed), None)
    if whole is not None:
        return Standing(step, "unchanged", "", record, whole)
    if edited := _find_edited(desk, step):
        return Standing(step, "refused", edited, record)
    if matching:
        other = next(name for name in step.outputs if observed[name] != matching[-1].digests.get(name))
        what = "is missing" if observed[other] is None else "is one that it wrote of something else"
        return Standing(step, "runs", f"output {step.outputs[other]} {what}", record, matching[-1])
    return Standing(step, "runs", _say_change(desk, step, record), record)


def _find_edited(desk: Desk, step: PlannedStep) -> str:
    """Say which output was edited since a step wrote it; nothing where none was, or nothing is known of who wrote it."""
    for path in step.outputs.values():
        observed = desk.cache.digest(desk.graph.root / path)
        writers = desk.records.list_writers(path) if observed is not None else {}
        if writers and observed not in writers:
            return f"{path} was edited since step {list(writers.values())[-1]} wrote it"
    return ""


def refuse_edited(standing: Standing) -> None:
    """Refuse to write over what a step did not write.

    Raises
    ------
    DataError
        An output was edited.
    """
    if standing.state == "refused":
        path = standing.reason.partition(" was ")[0]
        remedy = "Move it away, or declare it: name it as an input, and no step as its maker."
        raise DataError(Problem(path, f"what step {standing.step.name} wrote", "it edited since", remedy))


def _make_record(desk: Desk, step: PlannedStep) -> StepRecord:
    inputs = {name: desk.cache.digest(one.place) for name, one in step.inputs.items()}
    for name, one in step.inputs.items():
        where = f"steps.{step.name}.inputs.{name}"
        if inputs[name] is None:
            raise DataError(Problem(where, "a readable file or folder", f"none at {one.path}", "Check it and its permissions."))
        if one.pin is not None and inputs[name] != one.pin:
            remedy = "Restore the file, or pin the new one."
            raise DataError(Problem(where, f"the pinned {one.pin}", f"{inputs[name]} at {one.path}", remedy))
    return StepRecord(step.name, describe_definition(desk, step), {name: str(one) for name, one in inputs.items()}, desk.environment)


def describe_definition(desk: Desk, step: PlannedStep) -> dict[str, Any]:
    """Return what a step is, as plain values: its work, parameters, seed and paths, and of a command the files that it names."""
    work = {"function": step.step.function} if step.step.function else {"command": step.step.command, "code": digest_named(desk, step)}
    return {
        **work,
        "parameters": step.step.model_dump(mode="json")["parameters"],
        "seed": step.step.seed,
        "inputs": {name: one.path for name, one in step.inputs.items()},
        "outputs": step.outputs,
    }


def digest_named(desk: Desk, step: PlannedStep) -> dict[str, str]:
    """Return the digest of each file of the project that a command's words name: it is code."""
    data = {*(one.path for one in step.inputs.values()), *step.outputs.values()}
    places = {word: desk.graph.root / word for word in step.fill_words() if word not in data and "\0" not in word}
    return {word: str(desk.cache.digest(place)) for word, place in sorted(places.items()) if _is_inner_file(desk, word)}


def _is_inner_file(desk: Desk, word: str) -> bool:
    try:
        place = desk.graph.root / word
        return not word.startswith(("/", "..")) and place.is_file()
    except OSError:  # a word that is too long for a name
        return False


def _holds_modules(desk: Desk, run: StepRun) -> bool:
    return all(_digest_module(desk, run, name) == digest for name, digest in run.modules.items())


def _digest_module(desk: Desk, run: StepRun, name: str) -> str | None:
    """A file of code that cannot be read is gone: the step runs again, and says itself what it misses."""
    try:
        return desk.cache.digest(find_module(desk.graph.root, name, run.places))
    except DataError:
        return None


def _say_change(desk: Desk, step: PlannedStep, record: StepRecord) -> str:
    """Say by what a step differs from what ran last of it."""
    latest = record if record.runs else desk.records.find_latest(step.name)
    if latest is None or not latest.runs:
        return "never run here"
    if latest.environment != record.environment:
        return "other packages, Python or numeric profile"
    changed = compare_parts(latest.definition, record.definition) + compare_parts({"input": latest.inputs}, {"input": record.inputs})
    return changed[0] if changed else _say_changed_module(desk, latest.runs[-1])


def _say_changed_module(desk: Desk, run: StepRun) -> str:
    found = {name: _digest_module(desk, run, name) for name in run.modules}
    name = next((name for name, digest in run.modules.items() if found[name] != digest), None)
    return f"module {name} {'is gone' if found.get(str(name)) is None else 'changed'}"


def compare_parts(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    """Return in words what two definitions do not share.

    >>> compare_parts({"seed": 0, "parameters": {"how": "left"}}, {"seed": 0, "parameters": {"how": "inner"}})
    ['parameter how: left -> inner']
    >>> compare_parts({"parameters": {"n": 1, "m": True}}, {"parameters": {"n": 1.0, "m": "1"}})
    ['parameter m: true -> "1"', 'parameter n: 1 -> 1.0']
    """
    words = {"parameters": "parameter ", "inputs": "path of input ", "outputs": "path of output ", "code": "code ", "input": "input "}
    found = []
    for part in sorted({*left, *right}):
        one, other = left.get(part), right.get(part)
        if isinstance(one, dict) and isinstance(other, dict):
            names = [name for name in sorted({*one, *other}) if _write(one.get(name)) != _write(other.get(name))]
            found += [f"{words.get(part, part)}{name}: {_show(one.get(name))} -> {_show(other.get(name))}" for name in names]
        elif _write(one) != _write(other):
            found.append(f"{part}: {_show(one)} -> {_show(other)}")
    return found


def _write(value: Any) -> str:
    """Return a value as it decides: 1, 1.0, true and "1" are four."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _reads_otherwise(text: str) -> bool:
    """Tell whether a text without quotes would be taken for another value."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _show(value: Any) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) and not _reads_otherwise(value) else _write(value)
    return f"{text[:_SHORT]}…" if text.startswith("sha256:") else text
