"""What makes a run's page in MLflow speak beside its description: names, nested candidates, the model, the experiment.

All of it is settled when a run is packed, as plain values that are sent with the others; what of it `verify` holds to the lineage is
`tracked_values` and `tracked_candidates`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from samebits.estimation.resampling import CONFIDENCE
from samebits.lineage.standing import NOTE_TAG
from samebits.lineage.tracked_candidates import TrackedCandidate, list_candidates, list_parameters
from samebits.lineage.tracked_values import VIEW, list_datasets, list_metrics, name_score, write_params
from samebits.text import clean_text, escape_markdown
from samebits.training.training import Training

VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"  # as the page keeps a view that somebody saved
EXPERIMENT_ID, EXPERIMENT_NAME = "{experiment_id}", "{experiment_name}"  # in a description, until the server has said them
_MOST_NAMED, _MOST_ASKED = 60, 1000  # letters of a name within another, and of a question: MLflow takes 5,000 in all
# Of the view's columns, in pixels: a run's name is read whole, and the score and the level stand beside it on a narrow page.
_NAME_COLUMN, _NAME_WIDTH = "attributes.`Run Name`", 280
_TAGS = {"level": 105, "verdict": 105, "best_model": 140}
_NOT_IN_A_MODELS_NAME = re.compile(r"[/:.%\"']")

Step = tuple[str, float, int, int]  # a metric's name, value, time in milliseconds and step


def list_page_values(training: Training, lineage: dict[str, Any], when: int) -> dict[str, Any]:
    """Return what is sent beside params, metrics and tags, for the page's sake.

    Parameters
    ----------
    when
        The run ended, in milliseconds since 1970.
    """
    return {
        "run_name": name_run(lineage),
        "candidates": [_describe_candidate(candidate, lineage, when) for candidate in list_candidates(lineage)],
        "model": _describe_model(training, lineage),
        "experiment_tags": _describe_experiment(training, lineage, when),
    }


def name_run(lineage: dict[str, Any]) -> str:
    """Return a run's name: which model was chosen, how good it is, and what it is a run of."""
    stages = lineage["stages"]
    resolved, assessment = stages["config"]["resolved"], stages["assessment"]
    of_what = f"{_shorten(resolved['name'])} {_shorten(stages['config']['version'])}"
    return f"{_shorten(stages['model']['name'])} {shorten_number(float(assessment['value']))} · {of_what}"


def name_model(lineage: dict[str, Any]) -> str:
    """Return the logged model's name: the candidate's, in the letters that MLflow takes."""
    return _NOT_IN_A_MODELS_NAME.sub("_", _shorten(lineage["stages"]["model"]["name"]))


def _shorten(name: str) -> str:
    return clean_text(str(name))[:_MOST_NAMED]


def shorten_number(value: float) -> str:
    """Return a score in about three digits.

    >>> [shorten_number(value) for value in (0.994298, 51.12, 3210.4, -0.5, 0.00123)]
    ['0.994', '51.1', '3,210', '-0.500', '0.00123']
    """
    size = abs(value)
    if 0 < size < 0.01:
        return f"{value:.3g}"
    n_digits = 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0
    return f"{value:,.{n_digits}f}"


def list_steps(metrics: dict[str, float], folds: dict[str, list[float]], when: int) -> list[Step]:
    """Return each metric as it is sent: sent twice, they are the same entries."""
    single = [(name, value, when, 0) for name, value in metrics.items()]
    return single + [(name, score, when, fold) for name, scores in folds.items() for fold, score in enumerate(scores)]


def _describe_candidate(candidate: TrackedCandidate, lineage: dict[str, Any], when: int) -> dict[str, Any]:
    score = name_score(lineage["stages"]["cross_validation"]["scoring"])
    mean, spread = candidate.metrics[f"cv_{score}"], candidate.metrics.get("cv_spread")
    beside = f" ± {spread:.4f}" if spread is not None else ""
    kept = "chosen: its model is the run's" if candidate.is_chosen else "not chosen"
    kind = "Trial" if "trial" in candidate.params else "Candidate"
    note = f"{kind} **{escape_markdown(candidate.name)}**, {kept}. In the folds: {escape_markdown(score)} {mean:.4f}{beside}"
    return {
        "name": candidate.name,
        "run_name": f"{_shorten(candidate.name)} {shorten_number(mean)}{' (chosen)' if candidate.is_chosen else ''}",
        "params": candidate.params,
        "metrics": list_steps(candidate.metrics, candidate.folds, when),
        "tags": {**candidate.tags, NOTE_TAG: note},
    }


def _describe_model(training: Training, lineage: dict[str, Any]) -> dict[str, Any]:
    """Its parameters, and which metrics are its own, each with the rows that it is of."""
    stages = lineage["stages"]
    name, assessment = stages["model"]["name"], stages["assessment"]
    params = write_params({"candidate": name, **list_parameters(lineage, name)})
    rows = {"test_": "test", "train_": "training"}
    own = {key: context for key in list_metrics(lineage) for begin, context in rows.items() if key.startswith(begin)}
    metric, value = escape_markdown(assessment["metric"]), float(assessment["value"])
    rows_held = "test rows" if assessment["rows"] == "test" else "rows held out of the folds"
    note = f"**{escape_markdown(name)}** {_say_task(training)}: {metric} {value:.4f} on the {rows_held}"
    return {"name": name_model(lineage), "params": params, "metrics": own, "note": note}


def describe_test_rows(training: Training, lineage: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any] | None:
    """Return the test rows as a dataset of MLflow's; None where there are none.

    Parameters
    ----------
    whole
        The run's table as one.
    """
    digest = list_datasets(lineage).get("test")
    if digest is None:
        return None
    stages, table = lineage["stages"], training.materials.dataset
    n_rows = len(training.materials.split.test_rows)
    own = stages["data"].get("test")
    name = f"{Path(stages['data']['path']).stem[:480]} (test rows)" if own is None else Path(own["path"]).stem[:500]
    source = whole["source"] if own is None else json.dumps({"uri": own["location"]})
    profile = json.dumps({"num_rows": n_rows, "num_elements": n_rows * table.frame.shape[1]})
    return {**whole, "name": name, "digest": digest, "source": source, "profile": profile}


def _describe_experiment(training: Training, lineage: dict[str, Any], when: int) -> dict[str, str]:
    """Return the experiment's tags, its description last: that one says whether they are there."""
    stages = lineage["stages"]
    metric, rows, scores = stages["assessment"]["metric"], stages["assessment"]["rows"], stages["cross_validation"]
    cv = f"cv_{name_score(scores['scoring'])}"
    widths = {f"metrics.`{rows}_{metric}`": 120, **{f"tags.`{name}`": width for name, width in _TAGS.items()}}
    ordered = {_NAME_COLUMN: _NAME_WIDTH, **widths}
    state = {"selectedColumns": list(widths), "columnOrder": list(ordered), "columnWidths": ordered}
    view = {"name": VIEW, "createdAt": when, "updatedAt": when, "state": json.dumps(state)}
    return {VIEW_TAG: json.dumps(view), NOTE_TAG: _explain_experiment(training, lineage, cv)}


def _say_task(training: Training) -> str:
    target, table = training.loaded.config.data.target, Path(training.stages["data"]["path"]).name
    return f"predicts **{escape_markdown(_shorten(target))}** from {escape_markdown(_shorten(table))}"


def _explain_experiment(training: Training, lineage: dict[str, Any], cv: str) -> str:
    """The page folds all but the first line."""
    assessment, question = lineage["stages"]["assessment"], training.loaded.config.report.question
    metric, held = escape_markdown(assessment["metric"]), escape_markdown(f"{assessment['rows']}_{assessment['metric']}")
    link = f"#/experiments/{EXPERIMENT_ID}/runs?viewStateShareKey={VIEW}&workflowType=machine_learning"
    return "\n".join(
        [
            f"Each run {_say_task(training)}: [the runs with their scores, winner and level]({link})",
            "",
            *([escape_markdown(question[:_MOST_ASKED]), ""] if question else []),
            f"- a run's name is the model that was chosen, its {metric} on the rows held back, the config and its version;"
            " the runs nested below it are its candidates, and the trials of a search",
            f"- **{held}**: on rows that chose nothing; with \\_low and \\_high its interval of {CONFIDENCE:.0%};"
            f" **baseline\\_{metric}**: what knowing no column scores",
            f"- **{escape_markdown(cv)}**: mean over the folds, which chose; **cv\\_spread**: its standard deviation over them",
            "- **best\\_model**: the winner; **level**: how far a run is proved; **verdict**: what making it again came to",
            f"- the same as text: `samebits results {EXPERIMENT_NAME}`",
        ]
    )
