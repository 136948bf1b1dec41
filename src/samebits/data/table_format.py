"""The format of a table's file: which parser reads it, and what a config says of its layout in the words of that parser.

What is made of the cells is for those who read: `dataset` takes values from them, `table_differences` and `control` their text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samebits.config.keys import Read

_PARQUET_SUFFIXES = (".parquet", ".pq")


def is_parquet(path: Path, read: Read) -> bool:
    """Tell whether a file is read as Parquet."""
    return read.format == "parquet" or (read.format == "auto" and path.suffix.lower() in _PARQUET_SUFFIXES)


def list_csv_settings(read: Read) -> dict[str, Any]:
    """Return how a CSV file is laid out, as arguments of `pandas.read_csv`.

    >>> settings = list_csv_settings(Read(sep=";", encoding="UTF-8"))
    >>> settings["sep"], settings["encoding"], settings["engine"]
    (';', 'utf-8-sig', 'c')
    """
    is_pattern = len(read.sep) > 1 and read.sep != r"\s+"  # which pandas' own C parser does not take
    return {
        "sep": read.sep,
        "encoding": "utf-8-sig" if read.encoding.lower().replace("-", "") == "utf8" else read.encoding,
        "quotechar": read.quotechar,
        "comment": read.comment,
        "skiprows": read.skip_rows,
        "engine": "python" if is_pattern else "c",
    }
