"""The ledger: every ordinary run is a test of every earlier one with the same inputs.

Runs carry a digest of all their inputs. Equal outputs confirm each other; unequal ones mean that something was drawn which no seed
reaches, or that something which matters is not on record, and that is said wherever somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from samebits.errors import LineageError, TrackingError
from samebits.holdings.artifacts import read_artifact
from samebits.holdings.runs import search_runs
from samebits.lineage.manifest import FILE_NAME, MAX_BYTES, find_parting_stage, read_lineage
from samebits.lineage.standing import NOTE_TAG
from samebits.text import escape_markdown, warn
from samebits.tracking.server import explain_failures, set_tags

ALARM = "NONDETERMINISM DETECTED"
_COMPARED = 20  # earlier runs with other outputs whose lineages are read


@dataclass(frozen=True)
class LedgerEntry:
    """What the earlier runs with the same inputs say of a run.

    Parameters
    ----------
    confirms
        Id of the latest one with equal outputs; None where there is none.
    contradicts
        Id and first parting stage of each one with other outputs.
    """

    confirms: str | None
    contradicts: dict[str, str]

    def __str__(self) -> str:
        parts = [f"run {run_id}, from the stage {stage} on" for run_id, stage in self.contradicts.items()]
        return f"{ALARM}: the same inputs gave other outputs in {'; '.join(parts)}" if parts else f"confirms run {self.confirms}"


def enter_ledger(client: Any, run_id: str, lineage: dict[str, Any]) -> None:
    """Compare a finished run with earlier ones and say what came of it; it stays recorded whatever becomes of the comparison."""
    try:
        entry = compare_with_ledger(client, run_id, lineage)
    except (TrackingError, OSError) as error:
        warn(f"not compared with earlier runs: {error}")
        return
    if entry is not None:
        warn(*([f"run {run_id} {entry}"] if not entry.contradicts else [str(entry), f"this run: {run_id}"]))


def compare_with_ledger(client: Any, run_id: str, lineage: dict[str, Any]) -> LedgerEntry | None:
    """Compare a recorded run with finished ones that had the same inputs, and tag both sides.

    Of equal ones the latest counts, of others the latest few, so it takes no longer however many there are.

    Returns
    -------
    LedgerEntry or None
        None where no run had the same inputs.

    Raises
    ------
    TrackingError
        The server cannot be searched or does not take tags.
    """
    equal = _find_twins(client, run_id, lineage, "=", ("FINISHED",))
    confirms = next((str(twin.info.run_id) for twin in equal), None)
    contradicts: dict[str, str] = {}
    for twin in islice(_find_twins(client, run_id, lineage, "!=", ("FINISHED", "RUNNING")), _COMPARED):
        stage = _find_stage(client, twin, lineage)
        if stage is not None:
            contradicts[str(twin.info.run_id)] = stage
    if confirms is None and not contradicts:
        return None
    entry = LedgerEntry(confirms, contradicts)
    _tag_both_sides(client, run_id, entry)
    return entry


def _find_twins(client: Any, run_id: str, lineage: dict[str, Any], relation: str, statuses: tuple[str, ...]) -> Iterator[Any]:
    """Yield the other runs with the same inputs, the latest first, whose outputs are equal, `=`, or others, `!=`."""
    inputs, outputs = lineage["inputs_digest"], lineage["outputs_digest"]
    condition = f"tags.inputs_digest = '{inputs}' AND tags.outputs_digest {relation} '{outputs}'"
    found = search_runs(client, condition, page_size=_COMPARED)
    return (twin for twin in found if twin.info.run_id != run_id and twin.info.status in statuses)


def _find_stage(client: Any, twin: Any, lineage: dict[str, Any]) -> str | None:
    """Return the first stage at which a twin parts; None where it has no lineage that can be read, which is said, or does not part.

    Whoever may write to the server may make a twin of any run: one that cannot be read stops no comparison with the others.
    """
    try:
        content = read_artifact(client, twin, FILE_NAME, MAX_BYTES)
        return None if content is None else find_parting_stage(lineage, read_lineage(content, f"run {twin.info.run_id}"))
    except TrackingError as error:
        warn(f"not compared with run {twin.info.run_id}: {error}")
        return None
    except LineageError:
        return None


def _tag_both_sides(client: Any, run_id: str, entry: LedgerEntry) -> None:
    if entry.confirms:
        set_tags(client, run_id, {"confirms": entry.confirms})
        set_tags(client, entry.confirms, {"confirmed_by": run_id})
    for twin_id, stage in entry.contradicts.items():
        _raise_alarm(client, twin_id, run_id, stage)
    if entry.contradicts:
        twin_id, stage = next(iter(entry.contradicts.items()))
        _raise_alarm(client, run_id, twin_id, stage)


def _raise_alarm(client: Any, run_id: str, other_id: str, stage: str) -> None:
    run = explain_failures(f"find run {run_id}", lambda: client.get_run(run_id))
    other = explain_failures(f"find run {other_id}", lambda: client.get_run(other_id)).info
    former = run.data.tags.get(NOTE_TAG, "")
    link = f"[{escape_markdown(str(other.run_name))}](#/experiments/{other.experiment_id}/runs/{other_id})"
    line = f"**{ALARM}**: with the same inputs, run {link} parts from this one at the stage `{stage}`."
    note = former if ALARM in former else f"{line}\n\n{former}"
    set_tags(
        client, run_id, {"nondeterminism": f"{ALARM}: run {other_id} parts at {stage}", "nondeterminism_stage": stage, NOTE_TAG: note}
    )
