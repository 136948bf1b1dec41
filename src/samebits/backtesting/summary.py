"""What the windows of a backtest come to, as plain values made of their lineages alone: equal windows give equal bytes.

Each window has its score with its interval and baseline, and all metrics on its test rows; above them are mean and spread over time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from samebits.digests import canonical_json
from samebits.errors import Undelivered
from samebits.keys.division import BOUNDS
from samebits.lineage.tracked_values import measure_spread

Summary = dict[str, Any]
Step = tuple[str, float, int]  # a metric's name, value, and the window's number


@dataclass(frozen=True)
class EndedBacktest:
    """A backtest whose windows are all made.

    Parameters
    ----------
    windows
        Of each its cut-off, its run, its digests, and whether it was there before, as the record has them.
    experiment_id
        None where no server has it.
    waits
        Why something of it is not on the server; None where all is.
    """

    run_id: str
    summary: Summary
    windows: Sequence[dict[str, Any]]
    data_digest: str
    experiment_id: str | None
    waits: Undelivered | None = None
    is_reused: bool = False


def summarise(resolved: dict[str, Any], lineages: Sequence[dict[str, Any]]) -> Summary:
    """Return what the windows of a backtest come to.

    Parameters
    ----------
    resolved
        The whole config.
    lineages
        Of the windows' runs, in the order of time.
    """
    windows = [describe_window(number, lineage) for number, lineage in enumerate(lineages, start=1)]
    assessment = lineages[0]["stages"]["assessment"]
    metric, less = str(assessment["metric"]), bool(assessment["lower_is_better"])
    shared = [name for name in windows[0]["metrics"] if all(name in window["metrics"] for window in windows)]
    values = {name: [float(window["metrics"][name]) for window in windows] for name in shared}
    ordered = sorted(windows, key=lambda window: (float(window["value"]) * (1 if less else -1), window["window"]))
    with_baseline = [window for window in windows if window["baseline"] is not None]
    return {
        "backtest": resolved["backtest"],
        "column": resolved["split"]["column"],
        "target": resolved["data"]["target"],
        "metric": metric,
        "lower_is_better": less,
        "windows": windows,
        "mean": {name: math.fsum(found) / len(found) for name, found in values.items()},
        "spread": {name: measure_spread(found) for name, found in values.items()},
        "best": ordered[0]["window"],
        "worst": ordered[-1]["window"],
        "n_with_baseline": len(with_baseline),
        "n_above_baseline": sum(_is_better(window["value"], window["baseline"], less) for window in with_baseline),
        "n_with_broken_claims": sum(window["n_broken_claims"] > 0 for window in windows),
    }


def describe_window(number: int, lineage: dict[str, Any]) -> dict[str, Any]:
    """Return what the run of a window comes to."""
    stages = lineage["stages"]
    split, assessment = stages["config"]["resolved"]["split"], stages["assessment"]
    metric = assessment["metric"]
    low, high = assessment["uncertainty"]["intervals"].get(metric, (None, None))
    return {
        "window": number,
        "cutoff": split["train_until"],
        **{name: split[name] for name in BOUNDS if split.get(name) is not None},
        "n_train": stages["split"].get("n_train"),
        "n_test": stages["split"].get("n_test"),
        "model": stages["model"]["name"],
        "value": _as_number(assessment["value"]),
        "low": _as_number(low),
        "high": _as_number(high),
        "baseline": _as_number(assessment["baseline"]["metrics"].get(metric)),
        "n_broken_claims": sum(not claim["kept"] for claim in assessment.get("claims", [])),
        "metrics": {name: _as_number(value) for name, value in stages["metrics"]["test"].items()},
    }


def _as_number(value: Any) -> float | None:
    """What JSON has no number for stands in a lineage as text."""
    return None if value is None else float(value)


def _is_better(value: float, other: float, less: bool) -> bool:
    return value < other if less else value > other


def write_summary(summary: Summary) -> bytes:
    """Return a summary's canonical bytes."""
    return canonical_json(summary) + b"\n"


def list_metrics(summary: Summary) -> dict[str, float]:
    """Return the metrics of a backtest that have one value: means over its windows, under the names that a run's own have."""
    metric, windows = summary["metric"], summary["windows"]
    baselines = [window["baseline"] for window in windows if window["baseline"] is not None]
    found = {
        f"test_{metric}": summary["mean"][metric],
        f"test_{metric}_spread": summary["spread"][metric],
        f"test_{metric}_worst": windows[summary["worst"] - 1]["value"],
        f"baseline_{metric}": math.fsum(baselines) / len(baselines) if baselines else None,
        **{f"test_{name}": mean for name, mean in summary["mean"].items()},
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def list_steps(summary: Summary) -> list[Step]:
    """Return each metric of each window, the window's number its step."""
    return [
        (f"window_{name}", float(value), window["window"])
        for window in summary["windows"]
        for name, value in window["metrics"].items()
    ]


def say_mean(summary: Summary) -> str:
    """Return the mean over the windows, and the spread where there is one."""
    spread = summary["spread"][summary["metric"]]
    return f"{summary['mean'][summary['metric']]:.4f}" + (f" ± {spread:.4f}" if spread is not None else "")


def say_reservations(summary: Summary) -> str:
    """Return what must be known beside the mean: the worst window, and in how many it is worth anything."""
    worst, n_windows = summary["windows"][summary["worst"] - 1], len(summary["windows"])
    said = [f"claims broken in {summary['n_with_broken_claims']} windows"] if summary["n_with_broken_claims"] else []
    said += [f"worst {worst['value']:.4g} at {worst['cutoff']}"]
    said += [f"better than the baseline in {summary['n_above_baseline']} of {n_windows}"] if summary["n_with_baseline"] else []
    return "; ".join(said)
