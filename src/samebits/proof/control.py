"""The negative control: the restored run with one input changed. If that comes out the same, the comparison proves nothing.

The seed is changed where the split is drawn from it, since that moves rows for certain; otherwise one value of the table, in a
training row, since that moves the drift baseline for certain.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from samebits.errors import Problem, ProvenanceError
from samebits.keys.config import Config
from samebits.lineage.manifest import OUT_OF_FOLD_FILE
from samebits.restoring.restoration import Restoration
from samebits.restoring.restored_config import read_resolved, write_config
from samebits.table.arrow_file import parse_typed
from samebits.table.files import digest_table, list_table_files
from samebits.table.formats import is_typed, list_csv_settings, read_decompressed


def write_control_config(lineage: dict[str, Any], restoration: Restoration, recorded: Mapping[str, Path]) -> tuple[Path, str]:
    """Write the config of the control run and return its path, and what was changed, in words.

    Parameters
    ----------
    recorded
        The original run's files: its out_of_fold.csv says which rows were training rows; where it has none, predictions.csv says
        which were not.

    Raises
    ------
    ProvenanceError
        Nothing could be changed.
    """
    resolved = read_resolved(lineage, restoration)
    if "split.random_state" in lineage["stages"]["seeds"]["planted"]:
        seed = (int(resolved["seed"]) + 1) % 2**32
        return write_config(lineage, restoration, "control", seed=seed), f"seed {resolved['seed']} -> {seed}"
    changed, said = _change_one_value(resolved, restoration, _choose_rows(recorded))
    if not said:
        remedy = "Without a control no run is more than restorable."
        raise ProvenanceError(Problem("control", "a value of a training row that can be changed", "none", remedy))
    digest = digest_table(changed)
    read = {**resolved["data"]["read"], "sep": _choose_separator(resolved["data"]["read"]["sep"])}
    data = {**resolved["data"], "path": str(changed), "digest": digest, "read": read}
    made_by_none = {"steps": None} if resolved.get("steps") else {}  # no step made the changed table
    return write_config(lineage, restoration, "control", data=data, **made_by_none), said


def _choose_rows(recorded: Mapping[str, Path]) -> Callable[[int], bool]:
    """Return what tells whether a row of the table, by its number, was trained on."""
    if OUT_OF_FOLD_FILE in recorded:
        return _list_rows(recorded[OUT_OF_FOLD_FILE]).__contains__
    test_rows = _list_rows(recorded["predictions.csv"])
    return lambda row: row not in test_rows


def _list_rows(path: Path) -> set[int]:
    return {int(row["row"]) for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))}


def _change_one_value(resolved: dict[str, Any], restoration: Restoration, is_trained_on: Callable[[int], bool]) -> tuple[Path, str]:
    """Copy the table with one feature's value in one training row replaced by another row's; return the copy and the change."""
    config = Config.model_validate(resolved)
    target = restoration.folder / "control data"
    files = list_table_files(restoration.data)
    first_row, changed = 0, ""
    for name, path in files.items():
        frame = _read_plainly(path, config)
        if not changed:
            changed = _swap_value(frame, config, is_trained_on, first_row)
        first_row += len(frame)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        _write_plainly(frame, target / name, config, is_typed(path, config.data.read))
    return (target if restoration.data.is_dir() else target / restoration.data.name), changed


def _swap_value(frame: pd.DataFrame, config: Config, is_trained_on: Callable[[int], bool], first_row: int) -> str:
    features = [name for name in frame.columns if name not in (config.data.target, config.split.column, *config.data.drop)]
    for row in range(len(frame)):
        if not is_trained_on(first_row + row):
            continue
        for name in features:
            column = frame[name].copy()
            value: Any = column.iloc[row]
            is_known = column.notna() & (column != "")
            others = column[is_known & (column != value)]
            if is_known.iloc[row] and len(others):
                other: Any = others.iloc[-1]
                column.iloc[row] = other
                frame[name] = column
                return f"data row {first_row + row}, column {name}: {value} -> {other}"
    return ""


def _read_plainly(path: Path, config: Config) -> pd.DataFrame:
    if is_typed(path, config.data.read):
        exact: pd.DataFrame = parse_typed(path.read_bytes()).to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
        return exact
    settings = list_csv_settings(config.data.read)
    content = io.BytesIO(read_decompressed(path))
    frame: pd.DataFrame = pd.read_csv(content, dtype="str", keep_default_na=False, index_col=False, **settings)
    return frame


def _choose_separator(written: str) -> str:
    """A pattern can be read by, not written: such a table is written with tabs."""
    return written if len(written) == 1 else "\t"


def _write_plainly(frame: pd.DataFrame, path: Path, config: Config, as_parquet: bool) -> None:
    read = config.data.read
    if as_parquet:
        frame.to_parquet(path, index=False)
        return
    separator = _choose_separator(read.sep)
    text = frame.to_csv(index=False, sep=separator, quotechar=read.quotechar, escapechar=read.escapechar, lineterminator="\n")
    path.write_bytes(("\n" * read.skip_rows + text).encode(read.encoding))
