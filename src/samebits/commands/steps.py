"""`samebits steps CONF`: how the steps of a config stand and what would run; runs them, or runs them again and compares."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from samebits.config.loading import load_config
from samebits.errors import EXIT_REFUSED, ConfigError, Problem, suggest
from samebits.project import find_config, find_project_root
from samebits.steps.graph import PlannedStep
from samebits.steps.stage import open_steps
from samebits.steps.states import Desk, Standing, judge_graph
from samebits.text import quote_word, tell, tell_json, warn
from samebits.verdicts import EXIT_CODES, Verdict
from samebits.voice import Voice, ignore, show_over

_STATES = {"unchanged": "unchanged", "runs": "would run", "refused": "refused"}


@dataclass(frozen=True)
class StepsWishes:
    """What the caller wants of the steps.

    Parameters
    ----------
    is_run
        Run those that must; otherwise only what would run is said.
    only
        One step, with those that it needs.
    again
        Run every step once more besides, and compare.
    as_dvc
        Print an equivalent dvc.yaml instead.
    rehash
        Trust no digest of an earlier look.
    """

    is_run: bool = False
    only: str | None = None
    again: bool = False
    as_dvc: bool = False
    rehash: bool = False
    as_json: bool = False


def run_steps(conf_file: str, wishes: StepsWishes) -> int:
    """Say how the steps of a config stand, or run them, and return the exit code: 2 where one is refused, 1 where one is unstable.

    Raises
    ------
    ConfigError, DataError
        The config is not sound or has no such step; a step fails, or would write over what no step wrote.
    """
    root = find_project_root()
    path = find_config(conf_file, root)
    loaded = load_config(path)
    config = loaded.config
    if not config.steps:
        raise ConfigError(Problem(f"{path}: steps", "steps", "none", "See docs/how-to/steps.md."))
    if wishes.only is not None and wishes.only not in config.steps:
        remedy = suggest(wishes.only, config.steps, "Name one of them.")
        raise ConfigError(Problem(f"{path}: steps", f"one of {', '.join(config.steps)}", repr(wishes.only), remedy))
    with loaded.naming_lines():
        desk = open_steps(loaded, root, is_trusted=not wishes.rehash)
        if wishes.as_dvc:
            _print_dvc_stages(desk, conf_file)
            return 0
        return _run(desk, wishes) if wishes.is_run or wishes.again else _show(desk, wishes)


def _print_dvc_stages(desk: Desk, conf_file: str) -> None:
    from samebits.commands.steps_dvc import list_without_modules, write_dvc_stages

    if unknown := list_without_modules(desk):
        remedy = f"samebits steps {quote_word(conf_file)} --run, then this again"
        warn(f"no module is named for {', '.join(unknown)}, since none of its own is known here: {remedy}")
    tell(*write_dvc_stages(desk, conf_file).splitlines())


def _show(desk: Desk, wishes: StepsWishes) -> int:
    standings = judge_graph(desk)
    shown = {name: standing for name, standing in standings.items() if wishes.only in (None, name)}
    if wishes.as_json:
        tell_json({"steps": [_describe(standing) for standing in shown.values()]})
    else:
        tell(*_draw(shown))
    return EXIT_REFUSED if any(standing.state == "refused" for standing in shown.values()) else 0


def _draw(standings: Mapping[str, Standing]) -> list[str]:
    width = max(map(len, standings), default=0)
    return [f"{name:{width}}  {_STATES[one.state]:9}  {_say_flow(one)}" for name, one in standings.items()]


def _say_flow(standing: Standing) -> str:
    step = standing.step
    unstable = standing.record.find_unstable(standing.run) if standing.record is not None and standing.run is not None else []
    flow = f"{', '.join(one.path for one in step.inputs.values()) or 'nothing'} -> {', '.join(step.outputs.values())}"
    reason = standing.reason or ("unstable: it gave other bytes before" if unstable else "")
    return f"{reason}: {flow}" if reason else flow


def _describe(standing: Standing) -> dict[str, Any]:
    step = standing.step
    return {**_describe_step(step), "state": standing.state, "reason": standing.reason}


def _describe_step(step: PlannedStep) -> dict[str, Any]:
    inputs = {name: {"path": one.path, "step": one.maker} for name, one in step.inputs.items()}
    return {"step": step.name, "needs": step.needed, "inputs": inputs, "outputs": step.outputs}


def _run(desk: Desk, wishes: StepsWishes) -> int:
    from samebits.steps.running import describe_unstable, run_again, run_graph
    from samebits.stores.store import bring_to_place

    voice = Voice(warn, ignore if wishes.as_json else tell, show_over if sys.stderr.isatty() else None)
    outcomes = run_graph(desk, voice, partial(bring_to_place, find_project_root()), wishes.only)
    again = run_again(desk, outcomes, voice) if wishes.again else {}
    unstable = [outcome for outcome in {**outcomes, **again}.values() if outcome.unstable]
    if wishes.as_json:
        tell_json({"steps": [_describe_outcome(outcome, describe_unstable(outcome)) for outcome in {**outcomes, **again}.values()]})
    elif again:
        tell(*([f"verdict  {len(again)} steps gave the same bytes again"] if not unstable else []))
    return EXIT_CODES[Verdict.DIFFERENT] if unstable else 0


def _describe_outcome(outcome: Any, unstable: list[str]) -> dict[str, Any]:
    found = {"found": outcome.is_found, "seconds": outcome.run.seconds, "modules": outcome.run.modules, "unstable": unstable}
    return {**_describe_step(outcome.step), **found, "digests": outcome.run.digests}
