"""`samebits results [EXPERIMENT]`: one row for each run, what it was of and how good it came out, as a table that can be kept.

Everything in it stands on the server as tags, params and metrics, which `verify` holds to the lineage. A level and a verdict are those
that stand there: `verify` says whether they are backed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from samebits.config.catalog import name_metric
from samebits.errors import Problem, TrackingError, suggest
from samebits.holdings.runs import list_experiments, list_originals
from samebits.lineage.tracked_values import name_score, turn_score
from samebits.project import find_project_root
from samebits.text import clean_text, escape_cell, tell, tell_json
from samebits.tracking.server import connect, explain_failures

COLUMNS = ("started", "experiment", "version", "data", "model", "scoring", "cv", "spread", "test", "level", "verdict", "run")
_SHORTENED = {"data": 19, "run": 8}  # for a reader; of a digest, its kind and twelve digits


def run_results(experiment: str | None, form: str, sort: str | None, is_reversed: bool, conditions: Sequence[str]) -> None:
    """Print a row for each finished run, the latest first.

    Parameters
    ----------
    experiment
        Its name; None for all.
    form
        One of `RESULT_FORMATS` of the command line.
    sort
        A column by which rows are sorted, the smallest first.
    is_reversed
        The other way round.
    conditions
        `COLUMN=VALUE` each: only rows whose column is that, or begins so.

    Raises
    ------
    TrackingError
        There is no such experiment or column, or the server cannot be asked.
    """
    wanted = [_read_condition(condition) for condition in conditions]
    key = _choose_column(sort, "--sort") if sort else None
    client = connect(find_project_root())
    rows = _choose(_list_rows(client, experiment), [one for one in wanted if one[0] != "spread"])
    for row in rows:
        row["spread"] = _measure_spread(client, row) if row["spread"] is None and row["cv"] is not None else row["spread"]
    rows = _choose(rows, wanted)
    _PRINTERS[form](_sort(rows, key, is_reversed) if key else rows[::-1] if is_reversed else rows)


def _choose(rows: list[dict[str, Any]], wanted: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [row for row in rows if all(_shows(row[name]).startswith(value) for name, value in wanted)]


def _measure_spread(client: Any, row: dict[str, Any]) -> float | None:
    """Of a run before schema 5 it takes a call: the folds' scores are steps of one metric."""
    history = explain_failures("give a metric", lambda: client.get_metric_history(row["run"], f"fold_score_{row['model']}"))
    return float(np.std([point.value for point in history])) if len(history) > 1 else None


def _read_condition(condition: str) -> tuple[str, str]:
    name, sign, value = condition.partition("=")
    if not sign:
        raise TrackingError(Problem("--where", "COLUMN=VALUE", repr(condition), "Such as --where model=svm."))
    return _choose_column(name, "--where"), value


def _choose_column(name: str, option: str) -> str:
    if name not in COLUMNS:
        raise TrackingError(Problem(option, f"one of {', '.join(COLUMNS)}", repr(name), suggest(name, COLUMNS, "Name one of them.")))
    return name


def _list_rows(client: Any, experiment: str | None) -> list[dict[str, Any]]:
    names = list_experiments(client)
    if experiment is not None and experiment not in names.values():
        remedy = suggest(experiment, names.values(), "`samebits results` shows all.")
        raise TrackingError(Problem(f"experiment {experiment!r}", "one that is on the server", "none of that name", remedy))
    return [
        _describe(run, names[run.info.experiment_id])
        for run in list_originals(client)
        if run.info.experiment_id in names  # one that was made since then is for the next time
        and experiment in (None, names[run.info.experiment_id])
    ]


def _describe(run: Any, experiment: str) -> dict[str, Any]:
    tags, metrics, best = run.data.tags, run.data.metrics, run.data.tags.get("best_model", "")
    scoring = run.data.params.get("scoring") or _find_scoring(metrics)
    metric = name_metric(scoring)
    return {
        "started": _as_moment(run.info.start_time),
        "experiment": experiment,
        "version": tags.get("config_version", ""),
        "data": tags.get("data_hash", ""),
        "model": best,
        "scoring": name_score(scoring),
        "cv": _read_cv(scoring, metrics),
        "spread": metrics.get(f"test_{metric}_spread", metrics.get("cv_spread")),
        "test": metrics.get(f"test_{metric}", metrics.get(f"out_of_fold_{metric}")),
        "level": tags.get("level", "L0 recorded"),
        "verdict": tags.get("verdict", ""),
        "run": run.info.run_id,
    }


def _find_scoring(metrics: dict[str, float]) -> str:
    """Return what a run was chosen by whose config names no scorer, by the metric; of a backtest, by that of its worst window."""
    worst = [found[1] for name in metrics if (found := re.fullmatch("test_(.+)_worst", name))]
    folds = [found[1] for name in metrics if (found := re.fullmatch("cv_(?!spread$|score$)(.+)", name))]
    return next(iter([*worst, *folds]), "")


def _read_cv(scoring: str, metrics: dict[str, float]) -> float | None:
    """A run before schema 5 has it under scikit-learn's sign."""
    if (former := metrics.get("cv_score")) is not None:
        return turn_score(scoring, former)
    return metrics.get(f"cv_{name_score(scoring)}")


def _as_moment(milliseconds: int) -> str:
    return np.datetime_as_string(np.datetime64(milliseconds // 1000, "s")) + "+00:00"


def _sort(rows: list[dict[str, Any]], key: str, is_reversed: bool) -> list[dict[str, Any]]:
    """What has no value comes last either way."""
    empty = [row for row in rows if row[key] in (None, "") or row[key] != row[key]]
    filled = [row for row in rows if not any(row is other for other in empty)]
    return sorted(filled, key=lambda row: row[key], reverse=is_reversed) + empty


def _shows(value: Any) -> str:
    return "" if value is None else f"{value:.6f}" if isinstance(value, float) else str(value)


def _list_cells(row: dict[str, Any]) -> list[str]:
    return [_shows(row[name])[: _SHORTENED.get(name)] for name in COLUMNS]


def _print_text(rows: list[dict[str, Any]]) -> None:
    table = [list(COLUMNS), *([clean_text(cell) for cell in _list_cells(row)] for row in rows)]
    widths = [max(len(line[place]) for line in table) for place in range(len(COLUMNS))]
    tell(*("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table))


def _print_markdown(rows: list[dict[str, Any]]) -> None:
    lines = [[escape_cell(cell) for cell in _list_cells(row)] for row in rows]
    tell(*(f"| {' | '.join(line)} |" for line in [list(COLUMNS), ["---"] * len(COLUMNS), *lines]))


def _print_csv(rows: list[dict[str, Any]]) -> None:
    for line in [list(COLUMNS), *([row[name] for name in COLUMNS] for row in rows)]:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(["" if cell is None else cell for cell in line])
        tell(text.getvalue())


_PRINTERS = {"text": _print_text, "markdown": _print_markdown, "csv": _print_csv, "json": tell_json}
