"""`samebits predict MODEL TABLE --output FILE`: what a recorded run's model says of later rows, written with a record of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samebits.delivery.offline import connect_for
from samebits.errors import ProvenanceError
from samebits.lineage.manifest import PREDICTIONS_SUFFIX
from samebits.numerics.profile import PINNED_MARK, ProfileName, pin_profile
from samebits.project import expand_home, find_project_root, name_program
from samebits.text import quote_word, shorten_list, tell, warn

if TYPE_CHECKING:
    from samebits.application.later_rows import LaterTable
    from samebits.application.predicting import Unseen
    from samebits.application.stored_model import ModelFiles, StoredModel


def run_predict(reference: str, table: str, output: str, overwrite: bool = False, is_trusted: bool = False) -> None:
    """Write what a model says of each row of a table, in the table's order, and a record of it beside.

    Parameters
    ----------
    output
        A new file, .csv or .parquet.
    overwrite
        Replace it where it is there.
    is_trusted
        The code that the model is made of may run here.

    Raises
    ------
    SamebitsError
        Something that the user can mend; no file is left.
    """
    pin_first()
    from samebits.application.prediction_file import check_output

    given, path = expand_home(table).absolute(), expand_home(output).absolute()
    check_output(path, path.with_name(path.name + PREDICTIONS_SUFFIX), given, overwrite)
    with open_model(reference, is_trusted) as stored:
        write_predictions(stored, given, path, overwrite)


def write_predictions(stored: StoredModel, table: Path, path: Path, overwrite: bool, part_rows: int | None = None) -> None:
    """Apply a loaded model to a table, and say what was done.

    Parameters
    ----------
    part_rows
        Rows that are read at a time; by default as many as are predicted at a time.
    """
    from samebits.application.input_columns import describe_inputs
    from samebits.application.later_rows import LaterTable
    from samebits.application.predicting import choose_block_rows, make_predictor, read_blocks, start_unseen
    from samebits.application.prediction_file import PredictionFile, name_files
    from samebits.application.prediction_record import describe_predictions

    inputs = describe_inputs(stored.lineage, stored.model)
    predictor, block_rows = make_predictor(stored.lineage, stored.model), choose_block_rows(inputs)
    baseline = stored.read_baseline() if stored.has_baseline else {"columns": {}}
    rows, unseen = LaterTable(table, inputs, part_rows or block_rows), start_unseen(baseline, inputs)
    record = path.with_name(path.name + PREDICTIONS_SUFFIX)
    columns: dict[str, Any] = {}
    with PredictionFile(path) as file, PredictionFile(record) as beside:
        for first, block in read_blocks(rows, block_rows):
            columns = predictor.tabulate(block)
            unseen.count(block)
            file.write(first, columns)
        file.finish()
        names = ["row", *columns]
        beside.scratch.write_bytes(describe_predictions(stored, rows, file.scratch, path, names, dict(unseen.rows)))
        name_files((beside.scratch, record), (file.scratch, path), overwrite=overwrite)
    _say(stored, rows, unseen, names, path)


def _say(stored: StoredModel, rows: LaterTable, unseen: Unseen, columns: list[str], path: Path) -> None:
    stages = stored.lineage["stages"]
    if rows.ignored:
        warn(f"ignored: columns that the model does not take: {shorten_list(rows.ignored, 12)}")
    for name, count in sorted(unseen.rows.items()):
        warn(f"unseen  {name}: categories that no training row has, in {count:,} rows ({shorten_list(unseen.examples[name])})")
    warn(*(f"missing {line}" for line in unseen.list_missing(rows.n_rows)))
    warn(*(f"beyond  {line}" for line in unseen.list_outside(rows.n_rows)))
    model, version = stages["model"], stages["config"]["version"]
    tell(f"model   {model['digest']}  {model['name']} of run {stored.files.run_id}, config {version}")
    tell(f"table   {rows.digest}  {rows.n_rows:,} rows")
    tell(f"output  {path}  {', '.join(columns)}")
    tell(f"record  {path.name}{PREDICTIONS_SUFFIX} beside it: {name_program()} verify {quote_word(str(path))}")
    threshold = stages["threshold"].get("value")
    if threshold is not None:
        tell(f"label   positive from {columns[-1]} {threshold:.6g} on, the run's threshold")


def pin_first() -> None:
    """Pin a numeric profile before NumPy loads: the portable one, or that which this process was started under again."""
    mark = os.environ.get(PINNED_MARK)
    _pin("native" if mark == "native" else "portable")


def _pin(profile: ProfileName) -> None:
    try:
        pin_profile(profile)
    except ProvenanceError as error:
        if os.environ.get(PINNED_MARK) != "native":
            warn(f"{error.problems[0]} Predictions here may differ from the run's in their last bits.")
            pin_profile("native")


@contextlib.contextmanager
def open_model(reference: str, is_trusted: bool) -> Iterator[StoredModel]:
    """Find the model that a user's words mean, start again under its run's numeric profile, hold it to its record, and load it.

    Raises
    ------
    SamebitsError
        There is none, it is not what its run recorded, or it is somebody's code that the caller does not trust.
    """
    from samebits.application.stored_model import load_stored_model

    here = Path.cwd()
    with _open_files(reference) as files:
        there = Path.cwd()
        os.chdir(here)  # from where words are taken, should the process start again
        _pin("native" if files.profile == "native" else "portable")
        os.chdir(there)
        with load_stored_model(files, is_trusted) as stored:
            for name, recorded, installed in stored.other_versions:
                warn(f"made with {name} {recorded}, here is {installed}: predictions may differ from the run's")
            yield stored


@contextlib.contextmanager
def _open_files(reference: str) -> Iterator[ModelFiles]:
    from samebits.application.stored_model import find_lineage, find_model_folder, read_run_of_folder, take_folder, take_run
    from samebits.holdings.runs import open_recorded_run, settle_reference

    folder = find_model_folder(reference)
    lineage = find_lineage(folder) if folder is not None else None
    if folder is not None and lineage is not None:
        yield take_folder(folder, lineage)
        return
    words = read_run_of_folder(folder) if folder is not None else settle_reference(reference)
    client, words = connect_for(words, find_project_root())
    with open_recorded_run(client, words) as recorded:
        yield take_run(recorded, folder)
