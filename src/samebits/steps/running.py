"""Steps run: each that must, in a process of its own under the numeric profile, its outputs brought to their places and on record.

What was read without being declared, or written to an input, refuses the step: nothing of it is taken. The same key with other outputs
is an unstable step, which is said as the ledger says it of runs.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from samebits.errors import DataError, Problem
from samebits.steps.graph import PlannedStep
from samebits.steps.process import FAILED, run_process
from samebits.steps.record import StepRecord, StepRun
from samebits.steps.states import Desk, Standing, judge_graph, judge_step, refuse_edited
from samebits.steps.workplace import collect_outputs, lay_out, list_left_out, place_output, refuse_left_out
from samebits.table.files import digest_table
from samebits.text import shorten_list
from samebits.voice import SILENT, Voice

ALARM = "NONDETERMINISM DETECTED"
Bring = Callable[[str, Path], bool]  # a digest and a place: whether what has the digest was brought there


@dataclass(frozen=True)
class Outcome:
    """What became of a step.

    Parameters
    ----------
    is_found
        Whether it was as it is on record, so that nothing ran.
    unstable
        Other runs of the same key that had other outputs.
    """

    step: PlannedStep
    record: StepRecord
    run: StepRun
    is_found: bool
    unstable: list[StepRun] = field(default_factory=list)


def bring_nothing(digest: str, place: Path) -> bool:
    """Have no store."""
    return False


def run_graph(desk: Desk, voice: Voice = SILENT, bring: Bring = bring_nothing, wanted: str | None = None) -> dict[str, Outcome]:
    """Run every step that must, in their order, and return what became of each.

    Parameters
    ----------
    bring
        Asked for outputs that are missing before their step runs again.
    wanted
        One step, run with those that it needs; all where it is None.

    Raises
    ------
    DataError
        A step fails, reads what it did not declare, leaves out an output, or would write over what no step wrote.
    """
    steps = _list_wanted(desk, wanted)
    standings = [standing for standing in judge_graph(desk).values() if standing.step in steps]
    for standing in standings:
        refuse_edited(standing)
    if all(standing.state == "unchanged" for standing in standings):
        return {standing.step.name: _settle(desk, standing, voice, bring) for standing in standings}
    found: dict[str, Outcome] = {}
    with desk.records.lock(voice):
        for step in steps:
            standing = judge_step(desk, step)
            refuse_edited(standing)
            found[step.name] = _settle(desk, standing, voice, bring)
    desk.cache.save()
    return found


def run_again(desk: Desk, outcomes: dict[str, Outcome], voice: Voice = SILENT) -> dict[str, Outcome]:
    """Run every step once more, in its workplace alone, and return what came: `unstable` where it is not what came before.

    Raises
    ------
    DataError
        As `run_graph`.
    """
    found: dict[str, Outcome] = {}
    with desk.records.lock(voice):
        for name, outcome in outcomes.items():
            again = _run(desk, outcome.step, outcome.record, voice, is_placed=False, how="again, ")
            is_other = again.run.digests != outcome.run.digests and again.run.modules != outcome.run.modules
            by_modules = [outcome.run] if is_other else []
            for line in describe_unstable(replace(again, unstable=by_modules)):
                voice.say(line)
            found[name] = replace(again, unstable=[*again.unstable, *by_modules])
    return found


def _list_wanted(desk: Desk, wanted: str | None) -> list[PlannedStep]:
    needed, waiting = set[str](), [wanted] if wanted is not None else list(desk.graph.steps)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += desk.graph.steps[name].needed
    return [step for name, step in desk.graph.steps.items() if name in needed]


def _settle(desk: Desk, standing: Standing, voice: Voice, bring: Bring) -> Outcome:
    """See to it that a step's outputs lie at their places, made of what its inputs are now."""
    step, record, run = standing.step, standing.record, standing.run
    assert record is not None  # no input is still to be made
    if standing.state == "unchanged" and run is not None:
        return _say_found(Outcome(step, record, run, True, record.find_unstable(run)), voice, "")
    if run is not None and _bring_missing(desk, step, run, bring):
        return _say_found(Outcome(step, record, run, True, record.find_unstable(run)), voice, ", its outputs from the data store")
    return _run(desk, step, record, voice, is_placed=True)


def _say_found(outcome: Outcome, voice: Voice, how: str) -> Outcome:
    voice.follow(f"step    {outcome.step.name}  unchanged{how}")
    for line in describe_unstable(outcome):
        voice.say(line)
    return outcome


def _bring_missing(desk: Desk, step: PlannedStep, run: StepRun, bring: Bring) -> bool:
    """Bring what is missing to where the config has it; where an output has other bytes, or cannot be had, the step must run."""
    for name, path in step.outputs.items():
        place, digest = desk.graph.root / path, run.digests[name]
        if not place.exists() and not bring(digest, place):
            return False
        if desk.cache.digest(place) != digest:
            return False
    return True


def _run(desk: Desk, step: PlannedStep, record: StepRecord, voice: Voice, is_placed: bool, how: str = "") -> Outcome:
    """Run a step, and put on record what came of it: before that is brought to its places, so that it is known there as the step's."""
    if voice.show is not None:
        voice.show(f"step    {step.name}  runs")
    started, when = time.monotonic(), datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with lay_out(desk, step) as workplace:
        done = run_process(desk, step, workplace)
        sources = collect_outputs(workplace, step)
        outputs = {name: {"path": step.outputs[name], "digest": str(digest_table(source))} for name, source in sources.items()}
        seconds, others = round(time.monotonic() - started, 3), done.others_opened or []
        run = StepRun(done.modules, outputs, seconds, when, done.places, done.network, others)
        observed = {name: desk.cache.digest(desk.graph.root / path) for name, path in step.outputs.items()}
        if is_placed:
            _refuse_unknown(desk, step, run, observed)
            _say_left_out(step, sources, voice)
        whole = desk.records.add(record, run)
        (desk.records.folder / step.name / FAILED).unlink(missing_ok=True)
        for name, source in sources.items() if is_placed else ():
            if observed[name] != run.digests[name]:
                place_output(source, desk.graph.root / step.outputs[name])
                desk.cache.note(desk.graph.root / step.outputs[name], run.digests[name])
    outcome = Outcome(step, whole, run, False, whole.find_unstable(run))
    _say_ran(outcome, voice, how)
    if not done.is_watched:
        where = "beside its inputs" if done.others_opened is None else "outside of the project"
        voice.say(f"step {step.name}: no Python of its command was watched: what it opened {where} is not known")
    return outcome


def _refuse_unknown(desk: Desk, step: PlannedStep, run: StepRun, observed: dict[str, str | None]) -> None:
    for name, path in step.outputs.items():
        if observed[name] not in (None, run.digests[name], *desk.records.list_writers(path)):
            found = f"{observed[name]}, of which nothing is on record"
            remedy = "Nothing is overwritten: move it away, and run this again."
            raise DataError(Problem(path, f"what step {step.name} wrote, or nothing", found, remedy))
        if observed[name] != run.digests[name]:
            refuse_left_out(desk.graph.root / path, path)


def _say_left_out(step: PlannedStep, sources: dict[str, Path], voice: Voice) -> None:
    for name, source in sources.items():
        if names := list_left_out(source):
            voice.say(f"step {step.name}: not taken of {step.outputs[name]}, since it begins with _ or .: {shorten_list(names)}")


def _say_ran(outcome: Outcome, voice: Voice, how: str) -> None:
    name = outcome.step.name
    voice.follow(f"step    {name}  {how}ran in {outcome.run.seconds:.1f} s")
    for address in outcome.run.network:
        voice.say(f"step {name} spoke to {address}: what it got there is no input on record")
    if outcome.run.others_opened:
        shown = shorten_list(outcome.run.others_opened, 5)
        voice.say(f"step {name}: opened while it ran, by it or by another program: {shown}. What it reads, name under inputs.")
    for line in describe_unstable(outcome):
        voice.say(line)


def describe_unstable(outcome: Outcome) -> list[str]:
    """Return in words which other outputs a step had of the same inputs, parameters and code; none where it had none."""
    lines = []
    for other in outcome.unstable:
        name = next(name for name in outcome.run.digests if outcome.run.digests[name] != other.digests.get(name))
        both = f"other bytes of {name}: {outcome.run.digests[name]} now, {other.digests.get(name)} on {other.when}"
        if other.modules == outcome.run.modules:
            lines.append(f"{ALARM}: step {outcome.step.name}: the same inputs, parameters and code gave {both}")
        else:
            parted = sorted({path for path, _ in other.modules.items() ^ outcome.run.modules.items()})
            lines.append(f"step {outcome.step.name}: with other modules ({shorten_list(parted)}) it gave {both}")
    return lines
