"""The nested runs of a run's candidates, held to its lineage: each is there, with its parameters, its scores and its tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from samebits.holdings.runs import RecordedRun, list_candidate_runs
from samebits.lineage.tracked_candidates import CANDIDATE_TAG, TrackedCandidate, list_candidates
from samebits.tracking.server import explain_failures

Same = Callable[[Any, Any], bool]


def list_differing(lineage: dict[str, Any], recorded: RecordedRun, is_same: Same) -> tuple[int, list[tuple[str, Any, Any]]]:
    """Return how many candidates a run has runs of, and what of them is not as the lineage has it: (name, recorded, observed) each.

    Raises
    ------
    TrackingError
        The server cannot be searched.
    """
    wanted = list_candidates(lineage)
    if not wanted:
        return 0, []
    runs: dict[str, list[Any]] = {}
    for run in list_candidate_runs(recorded.client, recorded.run):
        runs.setdefault(run.data.tags[CANDIDATE_TAG], []).append(run)
    found = []
    for candidate in wanted:
        held = runs.get(candidate.name, [])
        if not held:
            found.append((f"candidate {candidate.name}", "a nested run", "missing"))
        for run in held:  # whoever nests a second one of that name says something of the candidate too
            found += [(f"candidate {candidate.name}: {what}", *sides) for what, *sides in _compare(candidate, run, recorded, is_same)]
    return len(wanted), found


def _compare(candidate: TrackedCandidate, run: Any, recorded: RecordedRun, is_same: Same) -> list[tuple[str, Any, Any]]:
    kinds: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("param", candidate.params, run.data.params),
        ("metric", candidate.metrics, run.data.metrics),
        ("tag", candidate.tags, run.data.tags),
    ]
    found = [
        (f"{kind} {name}", value, observed.get(name, "missing"))
        for kind, expected, observed in kinds
        for name, value in expected.items()
        if not is_same(value, observed.get(name))
    ]
    found += [] if run.info.status == "FINISHED" else [("status", "FINISHED", run.info.status)]
    for name, scores in candidate.folds.items():
        observed = read_steps(recorded.client, run.info.run_id, name)
        is_equal = len(observed) == len(scores) and all(map(is_same, scores, observed))
        found += [] if is_equal else [(f"metric {name}", scores, observed)]
    return found


def read_steps(client: Any, run_id: str, name: str) -> list[float]:
    """Return a metric's values in the order of its steps.

    Raises
    ------
    TrackingError
        The server does not give them.
    """
    history = explain_failures(f"give the metric {name}", lambda: client.get_metric_history(run_id, name))
    return [metric.value for metric in sorted(history, key=lambda metric: metric.step)]
