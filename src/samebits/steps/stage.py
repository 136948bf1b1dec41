"""The door of this wing: a config's steps run, or found as they are on record, and what stands of them in a lineage.

Paths and times are facts: a project that lies elsewhere, or a file that was moved, gives the same stage. A run that is made again from
its table is handed the steps that were recorded of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samebits.config.loading import LoadedConfig
from samebits.digests import canonical_json
from samebits.errors import DataError, Problem, ProvenanceError
from samebits.lineage.manifest import MAX_BYTES, Stage, make_stage, read_bounded_json
from samebits.lineage.step_stage import NO_STEPS, is_whole
from samebits.plain_files import read_plain
from samebits.project import find_data
from samebits.sources.delta import read_version
from samebits.steps.graph import Graph, plan_steps
from samebits.steps.running import Bring, Outcome, bring_nothing, run_graph
from samebits.steps.states import Desk, judge_graph, open_desk
from samebits.voice import SILENT, Voice

RECORDED = "SAMEBITS_RECORDED_STEPS"  # names a file with the stage of a run that is made again from its table
_NAME_IT = "Name that very file or folder as an output of its own."
_WORK = ("function", "command", "parameters", "seed")


def make_steps(loaded: LoadedConfig, root: Path, voice: Voice = SILENT, bring: Bring = bring_nothing) -> Stage:
    """Run the steps of a config that must, so that their outputs lie at their places, and return the stage of them all.

    Raises
    ------
    DataError
        As `running.run_graph`.
    ProvenanceError
        The recorded steps that this is made again with are not those of the config.
    """
    if not loaded.config.steps:
        return dict(NO_STEPS)
    if os.environ.get(RECORDED):
        return _take_recorded(Path(os.environ[RECORDED]), loaded)
    desk = open_steps(loaded, root)
    return describe_steps(desk.graph, run_graph(desk, voice, bring), loaded, root)


def find_steps(loaded: LoadedConfig, root: Path) -> Stage | None:
    """Return the stage of a config's steps where all are as they are on record; None where one would run. Nothing is run.

    Raises
    ------
    DataError
        An input is not there, cannot be read, or is not the pinned one.
    """
    if not loaded.config.steps:
        return dict(NO_STEPS)
    desk = open_steps(loaded, root)
    found: dict[str, Outcome] = {}
    for name, standing in judge_graph(desk).items():
        if standing.state != "unchanged" or standing.record is None or standing.run is None:
            return None
        found[name] = Outcome(standing.step, standing.record, standing.run, True, standing.record.find_unstable(standing.run))
    return describe_steps(desk.graph, found, loaded, root)


def open_steps(loaded: LoadedConfig, root: Path, is_trusted: bool = True) -> Desk:
    """Plan the steps of a config, and return what they are judged by.

    Raises
    ------
    ConfigError
        The steps have no one order.
    DataError
        A table of the config lies in an output, or holds one.
    """
    config = loaded.config
    graph = plan_steps(config.steps or {}, loaded.document.path, root, config.numeric_profile)
    _refuse_parts(graph, loaded, root)
    return open_desk(graph, is_trusted)


def _refuse_parts(graph: Graph, loaded: LoadedConfig, root: Path) -> None:
    """Refuse a table that lies in an output or holds one: its digest is not the output's, so that none holds it to its step."""
    outputs = {(graph.root / path).resolve(): (path, name) for name, step in graph.steps.items() for path in step.outputs.values()}
    problems = [
        Problem(key, "what one output of a step is, or nothing of any", f"{place}, which {how} {path} of step {name}", _NAME_IT)
        for key, place in _find_read(loaded, root).items()
        for made, (path, name) in outputs.items()
        if place != made and (how := "lies in" if made in place.parents else "holds" if place in made.parents else "")
    ]
    if problems:
        raise DataError(*problems)


def _find_read(loaded: LoadedConfig, root: Path) -> dict[str, Path]:
    """Return where the files lie that the config reads, by its key; of a version of a Delta table, where the table does."""
    places = {".".join(key): find_data(name, loaded.document.path, root) for key, (name, _) in loaded.list_named().items()}
    return {key: (version[0] if (version := read_version(place)) else place).resolve() for key, place in places.items()}


def describe_steps(graph: Graph, outcomes: Mapping[str, Outcome], loaded: LoadedConfig, root: Path) -> Stage:
    """Return the stage of steps that ran or were found: their order, paths and times are facts."""
    paths = {
        name: {"inputs": {key: one.path for key, one in step.inputs.items()}, "outputs": step.outputs}
        for name, step in graph.steps.items()
    }
    return make_stage(
        {"steps": {name: _describe_step(outcome) for name, outcome in outcomes.items()}},
        order=list(outcomes),
        paths=paths,
        raw={path: _find_digest(outcomes, path) for path in graph.list_raw()},
        ran={name: _describe_run(outcome) for name, outcome in outcomes.items()},
        made=_list_made(graph, outcomes, loaded, root),
    )


def _describe_step(outcome: Outcome) -> dict[str, Any]:
    work = {key: value for key, value in outcome.record.definition.items() if key in _WORK}
    return {**work, "inputs": outcome.record.inputs, "modules": outcome.run.modules, "outputs": outcome.run.digests}


def _describe_run(outcome: Outcome) -> dict[str, Any]:
    return {
        "found": outcome.is_found,
        "seconds": outcome.run.seconds,
        "when": outcome.run.when,
        **({"network": outcome.run.network} if outcome.run.network else {}),
        **({"others_opened": outcome.run.others_opened} if outcome.run.others_opened else {}),
        **({"unstable": [run.digests for run in outcome.unstable]} if outcome.unstable else {}),
    }


def _find_digest(outcomes: Mapping[str, Outcome], path: str) -> str:
    inputs = [(outcome, name) for outcome in outcomes.values() for name, one in outcome.step.inputs.items() if one.path == path]
    return inputs[0][0].record.inputs[inputs[0][1]]


def _list_made(graph: Graph, outcomes: Mapping[str, Outcome], loaded: LoadedConfig, root: Path) -> dict[str, str]:
    """Return the digest of each file that the config reads and a step made, by the config's key."""
    made = {
        (graph.root / path).resolve(): outcome.run.digests[name]
        for outcome in outcomes.values()
        for name, path in outcome.step.outputs.items()
    }
    return {key: made[place] for key, place in _find_read(loaded, root).items() if place in made}


def hold_made(stage: Stage, key: str, digest: str) -> None:
    """Hold a file that was read to the digest that a step made it with.

    Raises
    ------
    ProvenanceError
        It is another.
    """
    expected = stage.get("made", {}).get(key)
    if expected is not None and expected != digest:
        raise ProvenanceError(Problem(key, f"{expected}, as its step made it", digest, "It was changed meanwhile: run this again."))


def _take_recorded(path: Path, loaded: LoadedConfig) -> Stage:
    """Return recorded steps, held to those of the config: what they are told to do, and to themselves."""
    remedy = "It is written by `samebits reproduce`, for one rerun: unset the variable."
    try:
        stage = read_bounded_json(read_plain(path, MAX_BYTES), RECORDED)
    except OSError as error:
        raise ProvenanceError(Problem(RECORDED, "a readable file", error.strerror or str(error), remedy)) from None
    steps = {name: step.model_dump(mode="json") for name, step in (loaded.config.steps or {}).items()}
    is_sound = isinstance(stage, dict) and is_whole(stage) and make_stage({"steps": stage.get("steps")})["digest"] == stage["digest"]
    recorded = stage["steps"] if is_sound else {}
    works = [{name: _take_work(one) for name, one in found.items()} for found in (recorded, steps)]
    if canonical_json(works[0]) != canonical_json(works[1]):
        raise ProvenanceError(Problem(RECORDED, "the recorded steps of this config", "others", remedy))
    return dict(stage)


def _take_work(step: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key in _WORK if (value := step.get(key)) is not None}
