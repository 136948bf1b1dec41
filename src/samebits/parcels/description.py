"""A run's description on its page, in Markdown: what it is, how good, whether to trust it, how it is made again; then the details.

The page folds all but the first four lines, which are short enough to stand in one each; a fifth lies half in the fold.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from samebits.data.target import Target
from samebits.estimation.scoring import Threshold
from samebits.holdings.looks import Looks, describe_looks
from samebits.lineage.found_values import describe_found
from samebits.lineage.standing import describe_standing
from samebits.lineage.tracked_values import name_score, turn_score
from samebits.report.words import describe_claim
from samebits.text import escape_markdown
from samebits.training.training import Training

_SHORT_ID = 8  # digits, which are enough to find it by
_MOST_FOUND = 300  # letters of what a search found for a candidate
_LINE = 72  # letters of a line, beside MLflow's assistant on a screen of 1400 px
_MOST_NAME = 60
_LEAST_NAME = 16  # letters of a table's name, and of a target's, that has no more room


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
        *(
            f"- claim {'kept' if one['kept'] else 'BROKEN'}: {escape_markdown(describe_claim(one))}"
            for one in training.result.assessment["claims"]
        ),
        "",
        f"- data `{training.materials.dataset.digest}`",
        f"- model `{training.result.model_digest}`",
    ]
    if training.result.threshold:
        lines.append(_describe_threshold(training.result.threshold))
    lines += [f"- {escape_markdown(remark)}" for remark in training.result.remarks]
    return "\n".join(lines)


def _describe_task(training: Training) -> str:
    """In full where it fits into one line; else with fewer words, and at last with shorter names."""
    n_train, n_test = len(training.materials.split.train_rows), len(training.materials.split.test_rows)
    column, table = training.loaded.config.data.target, Path(training.stages["data"]["path"]).name
    rows = f"{n_train:,} rows to train" + (f", {n_test:,} to test" if n_test else "")
    fewer = f"{n_train:,} + {n_test:,} test rows" if n_test else rows
    whole, short = _describe_classes(training.materials.target)
    forms = [
        f"{_name(column)}{classes} from {_name(table)}: {said}" for classes, said in ((whole, rows), (whole, fewer), (short, fewer))
    ]
    least = f"{_name(column, _LEAST_NAME)}{short} from : {fewer}"
    room = _LINE - len("What? ") - _count_letters(least)
    forms.append(least.replace(" from ", f" from {_name(table, max(room, _LEAST_NAME))}"))
    return _fit("What? ", forms)


def _describe_classes(target: Target) -> tuple[str, str]:
    """Return the classes in full, and in few words; nothing under regression."""
    if target.labels is None:
        return "", ""
    labels = target.labels.tolist()
    names = [f"**{_name(label)}**" if label == target.positive else _name(label) for label in labels]
    short = f"**{_name(target.positive, _LEAST_NAME)}**" if target.positive is not None else f"{len(labels)} classes"
    return f" ({', '.join(names[:9])}{', …' if len(names) > 9 else ''})", f" ({short})"


def _fit(begin: str, forms: list[str]) -> str:
    """Return the first form that stands in one line behind its beginning, or else the last."""
    return next((form for form in forms if len(begin) + _count_letters(form) <= _LINE), forms[-1])


def _count_letters(text: str) -> int:
    """Return how many letters of a Markdown text are seen."""
    return len(text.replace("**", "").replace("\\", ""))


def _name(value: object, most: int = _MOST_NAME) -> str:
    text = str(value)
    return escape_markdown(text if len(text) <= most else f"{text[: most - 1]}…")


def _describe_score(training: Training) -> str:
    """The metric that chose, on the rows that nobody chose by; how far it might be off, and what knowing nothing scores."""
    assessment = training.result.assessment
    metric, intervals = assessment["metric"], assessment["uncertainty"]["intervals"]
    baseline = assessment["baseline"]["metrics"].get(metric)
    beside = ["{:.3g} to {:.3g}".format(*intervals[metric])] if metric in intervals else []
    beside.append(f"baseline {baseline:.3g}" if baseline is not None else "no baseline")
    rows = "test" if assessment["rows"] == "test" else "held-out"
    score, worth = f"{_name(metric)} {assessment['value']:.4f}", f"({'; '.join(beside)})"
    return _fit("How good? ", [f"**{score}** on {rows} rows {worth}", f"**{rows} {score}** {worth}"])


def _describe_reservations(training: Training, looks: Mapping[str, Any] | None) -> list[str]:
    """What must be known beside the score, the gravest first, as far as one line holds it; all of it stands below the fold too."""
    assessment, wanted = training.result.assessment, training.loaded.config.business.target_precision
    found, claims = training.result.metrics["test"].get("precision", 1.0), assessment["claims"]
    n_broken = sum(not one["kept"] for one in claims)
    is_best_of = Looks(**looks).n_runs if looks and looks["place"] == 1 else 1
    said = [f"**{n_broken} of {len(claims)} claims broken**"] if n_broken else []
    said += [f"**precision {found:.4f} misses its target of {wanted}**"] if wanted is not None and found < wanted else []
    said += [f"the best of {is_best_of} models on these rows"] if is_best_of > 1 else []
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
