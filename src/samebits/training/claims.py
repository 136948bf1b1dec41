"""Claims: what a config expected of a result before anything was trained, and whether it came true."""

from __future__ import annotations

from typing import Any

from samebits.keys.judging import Claims
from samebits.training.groups import Groups


def judge_claims(claims: Claims, metrics: dict[str, float], groups: Groups) -> list[dict[str, Any]]:
    """Return each claim with what was found and whether it was kept; what has no value keeps none.

    Parameters
    ----------
    metrics
        On the rows held back.
    groups
        Metrics by value, for each column of `report.groups`.
    """
    judged = []
    for name, bounds in claims.bounds.items():
        judged.append(_judge(name, metrics.get(name), bounds.at_least, bounds.at_most))
    gap = claims.group_gap
    if gap is not None:
        known = {group["value"]: group["metrics"].get(gap.metric) for group in groups.get(gap.column, [])}
        values = [value for value in known.values() if value is not None]
        found = max(values) - min(values) if len(values) > 1 else None  # one group alone is no gap
        left_out = [name for name, value in known.items() if value is None]
        claim = _judge(f"gap of {gap.metric} between groups of {gap.column}", found, None, gap.at_most)
        judged.append({**claim, "left_out": left_out} if left_out else claim)
    return judged


def _judge(claim: str, found: float | None, at_least: float | None, at_most: float | None) -> dict[str, Any]:
    kept = found is not None and (at_least is None or found >= at_least) and (at_most is None or found <= at_most)
    bounds = {"at_least": at_least, "at_most": at_most}
    return {"claim": claim, **{name: value for name, value in bounds.items() if value is not None}, "found": found, "kept": kept}
