"""A run's description on its page, in Markdown: what it is, how good, whether to trust it, how it is made again; then the details.

The page folds all but the first four lines, which are short enough to stand in one each; a fifth lies half in the fold.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from samebits.estimation.scoring import Threshold
from samebits.holdings.looks import Looks, describe_looks
from samebits.lineage.found_values import describe_found
from samebits.lineage.standing import describe_standing
from samebits.lineage.tracked_values import name_score, turn_score
from samebits.text import escape_markdown
from samebits.training.claims import describe_claim
from samebits.training.training import Training

_SHORT_ID = 8  # digits, which are enough to find it by
_MOST_FOUND = 300  # letters of what a search found for a candidate
_LINE = 68  # letters of a line, beside MLflow's assistant on a screen of 1400 px


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
        f"- **How good?** {_describe_score(training)}",
        *_describe_reservations(training, looks),
        f"- **Again?** `samebits reproduce {run_id[:_SHORT_ID]}` · {describe_standing(tags)}",
        "",
        _describe_choice(training),
        *([_describe_search(training)] if training.result.found is not None else []),
        *([describe_looks(Looks(**looks))] if looks else []),
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
    table = Path(training.stages["data"]["path"]).name
    return f"{_name(config.data.target)}{classes} from {_name(table)}: {rows}"


def _name(value: object) -> str:
    return escape_markdown(str(value)[:60])


def _describe_score(training: Training) -> str:
    """The metric that chose, on the rows that nobody chose by; how far it might be off, and what knowing nothing scores."""
    assessment = training.result.assessment
    metric, intervals = assessment["metric"], assessment["uncertainty"]["intervals"]
    baseline = assessment["baseline"]["metrics"].get(metric)
    beside = ["{:.3g} to {:.3g}".format(*intervals[metric])] if metric in intervals else []
    beside.append(f"baseline {baseline:.3g}" if baseline is not None else "no baseline")
    rows = "test" if assessment["rows"] == "test" else "held-out"
    return f"**{_name(metric)} {assessment['value']:.4f}** on {rows} rows ({'; '.join(beside)})"


def _describe_reservations(training: Training, looks: Mapping[str, Any] | None) -> list[str]:
    """What must be known beside the score, the gravest first, as far as one line holds it; all of it stands below the fold too."""
    assessment, wanted = training.result.assessment, training.loaded.config.business.target_precision
    found, claims = training.result.metrics["test"].get("precision", 1.0), assessment["claims"]
    n_broken = sum(not one["kept"] for one in claims)
    is_best_of = Looks(**looks).n_runs if looks and looks["place"] == 1 else 1
    said = [f"**{n_broken} of {len(claims)} claims broken**"] if n_broken else []
    said += [f"**precision {found:.4f} misses its target of {wanted}**"] if wanted is not None and found < wanted else []
    said += [f"the best of {is_best_of} runs on these rows"] if is_best_of > 1 else []
    said += [f"{', '.join(map(_name, assessment['as_good']))} as good"] if assessment["as_good"] else []
    said += [f"{len(claims)} claims kept"] if claims and not n_broken else []
    if not said and training.result.remarks:
        said = [escape_markdown(textwrap.shorten(training.result.remarks[0], _LINE - len("Note "), placeholder=" …"))]
    lengths = np.cumsum([len(part.replace("*", "")) + 2 for part in said])
    held = [part for part, length in zip(said, lengths, strict=True) if length <= _LINE or part is said[0]]
    return [f"- **Note** {'; '.join(held)}"] if held else []


def _describe_choice(training: Training) -> str:
    best, others, scoring = training.result.best, training.result.scored, training.materials.scoring
    spread = f" ± {np.std(best.scores):.4f}" if len(best.scores) > 1 else ""
    means = ", ".join(f"{_name(one.name)} {turn_score(scoring, one.mean):.4f}" for one in others)
    chosen = f", the best of {len(others)}: {means}" if len(others) > 1 else ""
    as_good = training.result.assessment["as_good"]
    chosen += f"; no worse in the folds: {', '.join(map(_name, as_good))}" if as_good else ""
    return f"In {len(best.scores)} folds: {_name(name_score(scoring))} {turn_score(scoring, best.mean):.4f}{spread}{chosen}"


def _describe_search(training: Training) -> str:
    scores = training.stages["cross_validation"]
    found = {name: describe_found(scores, name) for name in sorted(scores["candidates"])}
    said = "; ".join(f"{_name(name)}: {escape_markdown(words[:_MOST_FOUND])}" for name, words in found.items() if words)
    return f"Searched ({scores['search']['method']}): {said}" if said else "Searched: nothing"


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
