"""A run's description on its page: Markdown, its first two lines saying what came out, since the page folds the rest."""

from __future__ import annotations

from samebits.estimation.scoring import Threshold
from samebits.text import escape_markdown
from samebits.training.training import Training


def describe_run(training: Training) -> str:
    """Return the run's description."""
    best = training.result.best
    scores = ", ".join(f"{escape_markdown(candidate.name)} {candidate.mean:.4f}" for candidate in training.result.scored)
    rows = "test" if training.result.metrics["test"] else "out_of_fold"
    shown = list(training.result.metrics[rows].items())[:4]
    dirty = f", uncommitted files: {len(training.code.changes)}" if training.code.is_dirty else ""
    scoring = training.materials.scoring
    lines = [
        f"**{escape_markdown(best.name)}** is best of {len(training.result.scored)} by cross-validated {scoring}: {best.mean:.4f}",
        f"{rows.replace('_', ' ').capitalize()}: " + ", ".join(f"{name} {value:.4f}" for name, value in shown),
        "",
        f"All candidates: {scores}",
        f"- data `{training.materials.dataset.digest}`",
        f"- model `{training.result.model_digest}`",
        f"- commit `{training.code.commit or 'none'}`{dirty}",
    ]
    if training.result.threshold:
        lines.append(_describe_threshold(training.result.threshold))
    lines += [f"- {escape_markdown(remark)}" for remark in training.result.remarks]
    return "\n".join(lines)


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
