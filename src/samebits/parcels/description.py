"""A run's description on its page, in Markdown: what it is, how good, whether to trust it, how it is made again; then the details.

The page folds all but the first lines.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from samebits.config.catalog import METRIC_OF_SCORER
from samebits.estimation.scoring import Threshold
from samebits.lineage.standing import describe_standing
from samebits.text import escape_markdown
from samebits.training.training import Training


def describe_run(training: Training, run_id: str, tags: Mapping[str, str]) -> str:
    """Return the run's description.

    Parameters
    ----------
    run_id
        By which it is made again.
    tags
        Of the run, as far as they are known.
    """
    lines = [
        f"- **What is it?** {_describe_task(training)}",
        f"- **How good is it?** {_describe_score(training)}",
        describe_standing(tags),
        f"- **How is it made again?** `samebits reproduce {run_id}`",
        "",
        f"All candidates: {_list_candidates(training)}",
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
    kind = {"binary": "a choice of two", "multiclass": "a choice of several"}.get(target.task, "a quantity")
    rows = f"{len(split.train_rows):,} rows to train" + (f", {len(split.test_rows):,} to test" if len(split.test_rows) else "")
    return f"{_name(config.data.target)}{classes}, {kind}, from {_name(training.materials.dataset.path.name)}: {rows}"


def _name(value: object) -> str:
    return escape_markdown(str(value)[:60])


def _describe_score(training: Training) -> str:
    best, scoring, metrics = training.result.best, training.materials.scoring, training.result.metrics
    rows, found = ("test", metrics["test"]) if metrics["test"] else ("held-out", metrics["out_of_fold"])
    metric = METRIC_OF_SCORER.get(scoring, scoring)
    on_rows = f"**{metric} {found[metric]:.4f}** on the {rows} rows; " if metric in found else ""
    spread = f" ± {np.std(best.scores):.4f}" if len(best.scores) > 1 else ""
    others = f", the best of {len(training.result.scored)}" if len(training.result.scored) > 1 else ""
    in_folds = f"{_name(scoring)} {best.mean:.4f}{spread} in {len(best.scores)} folds{others}"
    return f"{_name(best.name)}: {on_rows}{in_folds}{_describe_missed(training, rows, found)}"


def _describe_missed(training: Training, rows: str, metrics: Mapping[str, float]) -> str:
    """A target that the training folds reached may be missed on the rows that count."""
    wanted, reached = training.loaded.config.business.target_precision, metrics.get("precision")
    if wanted is None or reached is None or reached >= wanted:
        return ""
    return f"; **its precision of {reached:.4f} on the {rows} rows misses the target of {wanted}**"


def _list_candidates(training: Training) -> str:
    return ", ".join(f"{_name(one.name)} {one.mean:.4f}" for one in training.result.scored)


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
