"""A run's description on its page, in Markdown: what it is, how good, whether to trust it, how it is made again; then the details.

The page folds all but the first lines, which are short enough to stand in one each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from samebits.estimation.scoring import Threshold
from samebits.holdings.looks import Looks
from samebits.lineage.standing import describe_standing
from samebits.text import escape_markdown
from samebits.training.claims import describe_claim
from samebits.training.training import Training

_SHORT_ID = 8  # digits, which are enough to find it by


def describe_run(training: Training, run_id: str, tags: Mapping[str, str], looks: Mapping[str, Any] | None = None) -> str:
    """Return the run's description.

    Parameters
    ----------
    run_id
        By which it is made again.
    tags
        Of the run, as far as they are known.
    looks
        How often the rows that it is judged by have been looked at, as plain values.
    """
    lines = [
        f"- **What?** {_describe_task(training)}",
        f"- **How good?** {_describe_score(training)}{_describe_place(looks)}",
        describe_standing(tags),
        f"- **Again?** `samebits reproduce {run_id[:_SHORT_ID]}`",
        "",
        _describe_choice(training),
        *([f"- looks at these rows: this run is {Looks(**looks)}"] if looks else []),
        *(f"- claim: {escape_markdown(describe_claim(one))}" for one in training.result.assessment["claims"]),
        "",
        f"- data `{training.materials.dataset.digest}`",
        f"- model `{training.result.model_digest}`",
    ]
    if training.result.threshold:
        lines.append(_describe_threshold(training.result.threshold))
    lines += [f"- {escape_markdown(remark)}" for remark in training.result.remarks]
    return "\n".join(lines)


def _describe_task(training: Training) -> str:
    target, split = training.materials.target, training.materials.split
    config = training.loaded.config
    classes = ""
    if target.labels is not None:
        names = [f"**{name}**" if label == target.positive else name for label in target.labels.tolist() for name in [_name(label)]]
        classes = f" ({', '.join(names[:9])}{', …' if len(names) > 9 else ''})"
    rows = f"{len(split.train_rows):,} rows to train" + (f", {len(split.test_rows):,} to test" if len(split.test_rows) else "")
    return f"{_name(config.data.target)}{classes} from {_name(training.materials.dataset.path.name)}: {rows}"


def _name(value: object) -> str:
    return escape_markdown(str(value)[:60])


def _describe_score(training: Training) -> str:
    """The metric that chose, on the rows that nobody chose by; a target that the training folds reached may be missed there."""
    assessment = training.result.assessment
    metric, rows = assessment["metric"], "test" if assessment["rows"] == "test" else "held-out"
    wanted, found = training.loaded.config.business.target_precision, training.result.metrics["test"].get("precision", 1.0)
    missed = f"; **precision {found:.4f} misses its target of {wanted}**" if wanted is not None and found < wanted else ""
    score = f"**{_name(metric)} {assessment['value']:.4f}** on {rows} rows ({_describe_worth(assessment)})"
    return f"{score}{missed}{_describe_claims(assessment['claims'])}"


def _describe_worth(assessment: Mapping[str, Any]) -> str:
    """How far a score might be off, what a model scores that looks at no column, and which candidates are as good."""
    metric, intervals = assessment["metric"], assessment["uncertainty"]["intervals"]
    baseline = assessment["baseline"]["metrics"].get(metric)
    parts = ["{:.3g} to {:.3g}".format(*intervals[metric])] if metric in intervals else []
    parts.append(f"baseline {baseline:.3g}" if baseline is not None else "no baseline")
    as_good = [_name(name) for name in assessment["as_good"]]
    parts += [f"{as_good[0]} as good" if len(as_good) == 1 else f"{len(as_good)} others as good"] if as_good else []
    return "; ".join(parts)


def _describe_claims(claims: Sequence[Mapping[str, Any]]) -> str:
    if not claims:
        return ""
    n_kept = sum(one["kept"] for one in claims)
    return (
        f"; {n_kept} of {len(claims)} claims kept"
        if n_kept == len(claims)
        else f"; **{len(claims) - n_kept} of {len(claims)} claims broken**"
    )


def _describe_place(looks: Mapping[str, Any] | None) -> str:
    """The best of several is said where the score is: it was chosen by these rows."""
    found = Looks(**looks) if looks else None
    return f"; the best of {found.n_runs} runs on these rows" if found and found.place == 1 and found.n_runs > 1 else ""


def _describe_choice(training: Training) -> str:
    best, others = training.result.best, training.result.scored
    spread = f" ± {np.std(best.scores):.4f}" if len(best.scores) > 1 else ""
    means = ", ".join(f"{_name(one.name)} {one.mean:.4f}" for one in others)
    chosen = f", the best of {len(others)}: {means}" if len(others) > 1 else ""
    return f"In {len(best.scores)} folds: {_name(training.materials.scoring)} {best.mean:.4f}{spread}{chosen}"


def _describe_threshold(threshold: Threshold) -> str:
    goal = threshold.goal
    if "target_precision" in goal:
        reached = "" if threshold.precision >= goal["target_precision"] else " (the target was not reached)"
        wish = f"for a target precision of {goal['target_precision']}{reached}"
    elif "f_beta" in goal:
        wish = f"where F-beta of beta {goal['f_beta']:g} is highest: {goal['reached']:.4f}"
    elif "costs" in goal:
        wish = f"where the total cost is least: {goal['reached']:g}"
    else:
        wish = "as the config fixes it"
    found = f"precision {threshold.precision:.4f}, recall {threshold.recall:.4f} on training folds"
    return f"- threshold {threshold.value:.6g}: {found}, {wish}"
