"""`samebits drift MODEL TABLE`: says how far a later table has drifted from the rows that a run's model was made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samebits.commands.predict import open_model, pin_first
from samebits.digests import canonical_json
from samebits.errors import DataError, LineageError, Problem
from samebits.project import expand_home
from samebits.text import clean_text, shorten_list, tell, tell_json, warn

if TYPE_CHECKING:
    import pandas as pd

    from samebits.application.drift_counts import Counted
    from samebits.application.drift_measures import ColumnDrift, Outcome
    from samebits.application.later_rows import LaterTable
    from samebits.application.stored_model import StoredModel
    from samebits.keys.judging import Drift

REPORT, PICTURE = "drift.json", "drift.png"
_SCORE = "score: "
_HEADER = ("column", "kind", "psi", "ks", "wasserstein", "cramers_v", "missing", "unseen", "p", "over its limit")


def run_drift(reference: str, table: str, folder: str | None = None, as_json: bool = False, is_trusted: bool = False) -> Outcome:
    """Measure drift, print it, and return what it came to.

    Parameters
    ----------
    folder
        Where the report and a picture are left too.
    is_trusted
        The code that the model is made of may run here.

    Raises
    ------
    SamebitsError
        Something that the user can mend.
    """
    pin_first()
    given, place = expand_home(table).absolute(), expand_home(folder).absolute() if folder else None
    if place is not None and place.exists() and not place.is_dir():
        raise DataError(Problem("--output", "a folder", f"{place}, which is none", "Name another."))
    with open_model(reference, is_trusted) as stored:
        return measure_table(stored, given, place, as_json)


def measure_table(stored: StoredModel, table: Path, folder: Path | None, as_json: bool) -> Outcome:
    """Hold a table to a loaded model's baseline, and say what is found."""
    from samebits.application.drift_measures import decide, measure_drift, take_thresholds

    thresholds = take_thresholds(stored.lineage)
    rows, counts = _count_rows(stored, table)
    columns = [measure_drift(counted, thresholds) for counted in counts.values()]
    ordered = sorted(columns, key=lambda column: (not column.name.startswith(_SCORE), not column.over))
    outcome = decide(columns, rows.n_rows, thresholds)
    report = _describe(stored, rows, ordered, thresholds, outcome)
    if folder is not None:
        _leave(folder, report, ordered, counts, thresholds)
        warn(f"wrote   {folder / REPORT}, {folder / PICTURE}")
    if as_json:
        tell_json(report)
    else:
        _print(report, ordered, rows, thresholds, outcome)
    return outcome


def _count_rows(stored: StoredModel, table: Path) -> tuple[LaterTable, dict[str, Counted]]:
    from samebits.application.drift_counts import start_counts
    from samebits.application.input_columns import describe_inputs
    from samebits.application.later_rows import LaterTable
    from samebits.application.predicting import choose_block_rows, make_predictor, read_blocks

    if not stored.has_baseline:
        remedy = "Name the run, or put its drift_baseline.json beside its lineage.json."
        raise LineageError(Problem("drift_baseline.json", "the run's, beside the model", "none", remedy))
    inputs, baseline = describe_inputs(stored.lineage, stored.model), stored.read_baseline()
    predictor, block_rows = make_predictor(stored.lineage, stored.model), choose_block_rows(inputs)
    features = {name: counted for name, counted in start_counts(baseline).items() if name in inputs.kinds}
    scores = start_counts(baseline, "scores")
    rows = LaterTable(table, inputs, block_rows)
    for _, block in read_blocks(rows, block_rows):
        for name, counted in features.items():
            counted.count(block[name])
        said = predictor.predict(block) if scores else {}
        for name, counted in scores.items():
            counted.count(_as_column(said, name, counted.kind))
    for name, counted in scores.items():
        counted.name = _SCORE + name
    return rows, {counted.name: counted for counted in (*scores.values(), *features.values())}


def _as_column(said: dict[str, Any], name: str, kind: str) -> pd.Series:
    import pandas as pd

    if name not in said:
        found = "another kind of score"
        raise LineageError(Problem("drift_baseline.json: scores", f"{name!r}, which the model gives", found, "Is it the model's own?"))
    return pd.Series(said[name]).astype("str" if kind == "categorical" else "float64")


def _describe(
    stored: StoredModel, rows: LaterTable, columns: Sequence[ColumnDrift], thresholds: Drift, outcome: Outcome
) -> dict[str, Any]:
    return {
        "outcome": str(outcome),
        "run_id": stored.files.run_id,
        "model": stored.lineage["stages"]["model"]["digest"],
        "config_version": stored.lineage["stages"]["config"]["version"],
        "table": {"digest": rows.digest, "n_rows": rows.n_rows, "ignored": rows.ignored},
        "thresholds": thresholds.model_dump(mode="json"),
        "columns": [column.describe() for column in columns],
    }


def _leave(
    folder: Path, report: dict[str, Any], columns: Sequence[ColumnDrift], counts: dict[str, Counted], thresholds: Drift
) -> None:
    from samebits.application.drift_picture import draw_drift

    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT).write_bytes(canonical_json(report) + b"\n")
    run, version, n_rows = report["run_id"][:8], report["config_version"], report["table"]["n_rows"]
    title = f"{report['outcome']}: {n_rows:,} rows against run {run}, config {version}"
    (folder / PICTURE).write_bytes(draw_drift(columns, counts, thresholds, title))


def _print(report: dict[str, Any], columns: Sequence[ColumnDrift], rows: LaterTable, thresholds: Drift, outcome: Outcome) -> None:
    if rows.ignored:
        warn(f"ignored: columns that the model does not take: {shorten_list(rows.ignored, 12)}")
    for column in columns:
        if column.examples:
            warn(f"unseen  {column.name}: {shorten_list(column.examples)}")
    if not any(column.name.startswith(_SCORE) for column in columns):
        warn("no scores: the run is of an earlier samebits, whose baseline has none")
    cells = [_HEADER, *(_list_cells(column) for column in columns)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(_HEADER))]
    tell(*("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells))
    tell(f"run     {report['run_id']}, config {report['config_version']}")
    tell(f"table   {rows.digest}  {rows.n_rows:,} rows")
    tell(*_explain_measures(thresholds))
    tell("        a column at one or over it has drifted, a date or a text by what is missing alone; p decides nothing")
    over = [column.name for column in columns if column.over]
    few = f": fewer rows than drift.min_rows ({thresholds.min_rows}), chance alone moves their shares"
    tell(f"outcome {outcome}{few if rows.n_rows < thresholds.min_rows else f': {shorten_list(over, 8)}' if over else ''}")


def _explain_measures(thresholds: Drift) -> list[str]:
    """Return each measure with its limit, which the config's section `drift` sets, and with what it measures."""
    from samebits.application.drift_measures import MEASURES

    fields, limits = type(thresholds).model_fields, thresholds.model_dump()
    named = [f"{name} {'without' if limits[name] is None else format(limits[name], 'g')}" for name in MEASURES]
    width = max(map(len, named))
    return [f"limit   {said:{width}}  {fields[name].description}" for name, said in zip(MEASURES, named, strict=True)]


def _list_cells(column: ColumnDrift) -> tuple[str, ...]:
    numbers = [f"{column.measures[name]:.3f}" if name in column.measures else "" for name in _HEADER[2:8]]
    p_value = "" if column.p_value is None else f"{column.p_value:.2g}"
    return (clean_text(column.name), column.kind, *numbers, p_value, ", ".join(column.over))
