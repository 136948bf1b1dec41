"""How two versions of a table differ: columns, rows and single cells, each cell as the text that the file holds.

Nothing is parsed into numbers, dates or missing values here, so that no change is read away; what a training makes of the cells is
`table.columns`. Rows are matched by a column that names them where there is one, else by their place.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samebits.errors import DataError, Problem
from samebits.keys.table import Read
from samebits.table.arrow_file import count_cells, parse_typed
from samebits.table.files import list_table_files, read_partitions
from samebits.table.formats import is_typed, list_csv_settings, read_decompressed

MAX_EXAMPLES = 5
MOST_CELLS = 50_000_000  # of one Parquet file: each is compared as text
_MEASUREMENT = r"[+-]?(?:\d*[.,]\d*[1-9]\d*(?:[eE][+-]?\d+)?|\d+[eE]-\d+)"  # a number with a fraction, and no 12.0
_GLANCE = 1000  # rows that show of most columns that they are no key


@dataclass(frozen=True)
class TableDifference:
    """What differs between two tables, the right one seen from the left.

    Parameters
    ----------
    columns_reordered
        Whether the columns in both come in another order.
    key
        The column that rows were matched by; None where they were matched by position, or as a bag of whole rows.
    rows_added, rows_removed
        Rows of one side alone, over the columns in both; without a key, a row's every copy counts.
    rows_changed
        Matched rows with any changed cell.
    rows_reordered
        Whether the rows in both come in another order; known with a key, or where the rows are the same altogether.
    changed_by_column
        Changed cells of the matched rows, for each column that has any.
    examples
        Up to five changed cells: `key` (the row's name, "" without a key), `row` (its number in the right table, from 0), `column`,
        `left` and `right` (the texts). As many columns as can be are shown.
    """

    n_rows_left: int
    n_rows_right: int
    columns_added: list[str]
    columns_removed: list[str]
    columns_reordered: bool
    key: list[str] | None
    rows_added: int
    rows_removed: int
    rows_changed: int
    rows_reordered: bool
    changed_by_column: dict[str, int]
    examples: list[dict[str, Any]]

    @property
    def is_equal(self) -> bool:
        """Whether every cell is the same and in the same place."""
        columns = self.columns_added or self.columns_removed or self.columns_reordered
        return not (columns or self.rows_added or self.rows_removed or self.rows_changed or self.rows_reordered)


@dataclass(frozen=True)
class _Match:
    """Pairs of row numbers, in the right table's order, and what paired them."""

    key: str | None
    left_rows: np.ndarray
    right_rows: np.ndarray


def read_plain_table(path: Path, read: Read) -> pd.DataFrame:
    """Return a table, or a folder's tables one after the other, with every cell as text.

    A CSV's cells are as written, save for quotes; a Parquet file's are what Python writes of the values, "" for a missing one.

    Parameters
    ----------
    read
        Its format, separator, encoding, quotes, comments and lines to skip are honoured; nothing else in it is.

    Raises
    ------
    DataError
        Nothing is there, it cannot be read or parsed, or a folder's files have different columns.
    """
    files = list_table_files(path)
    if not files:
        raise DataError(Problem(str(path), "a folder with files", "an empty folder", "Check data.path."))
    frames = [_read_part(file, read).assign(**_list_partitions(name)) for name, file in files.items()]
    for frame, name in zip(frames, files, strict=True):
        if list(frame.columns) != list(frames[0].columns):
            first = next(iter(files))
            raise DataError(Problem(str(files[name]), f"the columns of {first}", ", ".join(frame.columns), "Mend the file."))
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _list_partitions(name: str) -> dict[str, str]:
    return {key: value or "" for key, value in read_partitions(name).items()}


def _read_part(path: Path, read: Read) -> pd.DataFrame:
    if not path.exists() and not path.is_symlink():
        raise DataError(Problem(str(path), "the table", "no such file", "Check data.path."))
    content = read_decompressed(path)
    try:
        if is_typed(path, read):
            _refuse_many_cells(path, content)
        return _parse_typed(content) if is_typed(path, read) else _parse_csv(content, read)
    except (ValueError, OSError, LookupError, pd.errors.ParserWarning) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        problem = Problem(str(path), "a table as data.read says", reason, "Check data.read (sep, encoding, quotechar…).")
        raise DataError(problem) from None


def _refuse_many_cells(path: Path, content: bytes) -> None:
    """Parquet and Arrow write a value that repeats once, however many rows have it."""
    n_rows, n_columns = count_cells(content)
    if n_rows * n_columns > MOST_CELLS:
        found = f"{n_rows} rows of {n_columns}"
        raise DataError(Problem(str(path), f"at most {MOST_CELLS} cells to compare", found, "Its digest says that it differs."))


def _parse_csv(content: bytes, read: Read) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # of rows with more fields than the header
        frame: pd.DataFrame = pd.read_csv(
            io.BytesIO(content),
            index_col=False,
            dtype="str",
            na_filter=False,
            **list_csv_settings(read),
        )
    return frame.fillna("")  # the Python parser's answer to a row with too few fields


def _parse_typed(content: bytes) -> pd.DataFrame:
    # Arrow's own types: through NumPy's, one missing value makes floats of a column of integers
    frame: pd.DataFrame = parse_typed(content).to_pandas(types_mapper=pd.ArrowDtype)
    named = [name for name in frame.index.names if name is not None]
    frame = frame.reset_index(named) if named else frame
    return pd.DataFrame({str(name): pd.Series(map(_write_value, frame[name].tolist()), dtype="str") for name in frame.columns})


def _write_value(value: Any) -> str:
    is_missing = value is pd.NA or (isinstance(value, float) and value != value)
    return "" if is_missing else str(value)


def compare_tables(left: pd.DataFrame, right: pd.DataFrame, preferred_keys: list[str]) -> TableDifference:
    """Return how two tables of text differ.

    Rows are matched by the first of these that there is: a preferred key; another column that looks like one; their position, where
    both have as many rows and it explains the difference with fewer rows than the bag of whole rows does; the bag of whole rows.

    Parameters
    ----------
    left, right
        As `read_plain_table` gives them.
    preferred_keys
        Columns that may name the rows, the likeliest first; one is taken if its values are unique and not empty in both tables.
    """
    common = [name for name in left.columns if name in right.columns]
    match = _match_by_key(left, right, common, preferred_keys)
    if match is not None:
        is_reordered = bool((np.diff(match.left_rows) < 0).any())
        return _summarise(left, right, match, _find_changes(left, right, common, match), is_reordered)
    if len(left) == len(right):
        match = _Match(None, np.arange(len(left)), np.arange(len(right)))
        changes = _find_changes(left, right, common, match)
        if not changes:
            return _summarise(left, right, match, changes, is_reordered=False)
        paired = _pair_equal_rows(left, right, common)
        n_unpaired = len(left) - len(paired.left_rows)
        if 2 * n_unpaired >= _count_rows(changes):  # a row put in at the top would change every row below it
            return _summarise(left, right, match, changes, is_reordered=False)
        return _summarise(left, right, paired, {}, is_reordered=n_unpaired == 0)
    return _summarise(left, right, _pair_equal_rows(left, right, common), {}, is_reordered=False)


def _match_by_key(left: pd.DataFrame, right: pd.DataFrame, common: list[str], preferred_keys: list[str]) -> _Match | None:
    for name in preferred_keys:
        match = _match_on(name, left[name], right[name]) if name in common else None
        if match is not None:
            return match
    for name in common:
        if _is_measured(left[name]) or _is_measured(right[name]):
            continue
        match = _match_on(name, left[name], right[name])
        if match is not None and _is_credible(match, len(left), len(right)):
            return match
    return None


def _is_measured(column: pd.Series) -> bool:
    return bool(column.head(_GLANCE).str.fullmatch(_MEASUREMENT).any()) or bool(column.str.fullmatch(_MEASUREMENT).any())


def _match_on(name: str, left: pd.Series, right: pd.Series) -> _Match | None:
    """Match rows by a column's values, if they are unique and not empty on both sides."""
    if not all(column.head(_GLANCE).is_unique and not (column == "").any() for column in (left, right)):
        return None
    codes = pd.factorize(pd.concat([left, right], ignore_index=True))[0]
    left_codes, right_codes = codes[: len(left)], codes[len(left) :]
    is_numbered = np.array_equal(left_codes, np.arange(len(left)))  # in order of appearance, so a value's second place breaks it
    if not is_numbered or np.bincount(right_codes, minlength=1).max() > 1:
        return None
    right_rows = np.flatnonzero(right_codes < len(left))
    return _Match(name, right_codes[right_rows], right_rows)


def _is_credible(match: _Match, n_left: int, n_right: int) -> bool:
    """Tell whether a column that nobody called a key is one: both tables share it, and no single value was edited in its place."""
    n_shared = len(match.left_rows)
    is_edited = n_left == n_right > n_shared and np.array_equal(match.left_rows, match.right_rows)
    return n_shared > 0 and 2 * n_shared >= min(n_left, n_right) and not is_edited


def _pair_equal_rows(left: pd.DataFrame, right: pd.DataFrame, common: list[str]) -> _Match:
    """Pair rows that are equal altogether, the first copy with the first, the second with the second."""
    numbers = np.zeros(len(left) + len(right), dtype=np.int64)
    for name in common:
        codes, values = pd.factorize(pd.concat([left[name], right[name]], ignore_index=True))
        numbers = pd.factorize(numbers * max(len(values), 1) + codes)[0]
    tables = [pd.DataFrame({"number": part}) for part in (numbers[: len(left)], numbers[len(left) :])]
    for table in tables:
        table["copy"] = table.groupby("number").cumcount()
        table["row"] = np.arange(len(table))
    pairs = tables[1].merge(tables[0], on=["number", "copy"], suffixes=("_right", "_left"))
    return _Match(None, pairs["row_left"].to_numpy(), pairs["row_right"].to_numpy())


def _find_changes(left: pd.DataFrame, right: pd.DataFrame, common: list[str], match: _Match) -> dict[str, np.ndarray]:
    """Return, for each column with a changed cell, which of the matched rows have it."""
    changes = {}
    for name in common:
        before, after = left[name].array.take(match.left_rows), right[name].array.take(match.right_rows)
        is_changed = np.asarray(before != after, dtype=bool)
        if is_changed.any():
            changes[name] = is_changed
    return changes


def _count_rows(changes: dict[str, np.ndarray]) -> int:
    return int(np.logical_or.reduce(list(changes.values())).sum())


def _summarise(
    left: pd.DataFrame, right: pd.DataFrame, match: _Match, changes: dict[str, np.ndarray], is_reordered: bool
) -> TableDifference:
    common = [name for name in left.columns if name in right.columns]
    return TableDifference(
        n_rows_left=len(left),
        n_rows_right=len(right),
        columns_added=[name for name in right.columns if name not in left.columns],
        columns_removed=[name for name in left.columns if name not in right.columns],
        columns_reordered=common != [name for name in right.columns if name in left.columns],
        key=None if match.key is None else [match.key],
        rows_added=len(right) - len(match.right_rows),
        rows_removed=len(left) - len(match.left_rows),
        rows_changed=_count_rows(changes),
        rows_reordered=is_reordered,
        changed_by_column={name: int(is_changed.sum()) for name, is_changed in changes.items()},
        examples=list(_list_examples(left, right, match, changes)),
    )


def _list_examples(left: pd.DataFrame, right: pd.DataFrame, match: _Match, changes: dict[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """Yield every column's first changed cell before any column's second."""
    cells = [
        (rank, pair, name)
        for name, is_changed in changes.items()
        for rank, pair in enumerate(np.flatnonzero(is_changed)[:MAX_EXAMPLES].tolist())
    ]
    for _, pair, name in sorted(cells, key=lambda cell: cell[:2])[:MAX_EXAMPLES]:
        row = int(match.right_rows[pair])
        yield {
            "key": "" if match.key is None else str(right[match.key].iloc[row]),
            "row": row,
            "column": name,
            "left": str(left[name].iloc[match.left_rows[pair]]),
            "right": str(right[name].iloc[row]),
        }
