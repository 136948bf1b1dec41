"""A text file of separated fields, parsed by pandas into columns of numbers, booleans or text; nothing but an empty field is missing.

What a column's text means is `columns`. Where the parser's guess lost what was written (integers beyond floating point, a part whose
codes look like numbers), the file is parsed again with those columns as text, and its bytes are held to the first reading's digest.
"""

from __future__ import annotations

import csv
import io
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import pandas as pd

from samebits.keys.table import Read
from samebits.table.formats import list_csv_settings, name_encoding

_PEEK_BYTES = 1 << 20


class Refusal(Exception):
    """Why a file cannot be parsed, before its path is known: expected, found, what to do."""

    def __init__(self, expected: str, found: str, remedy: str) -> None:
        super().__init__(expected)
        self.facts = (expected, found, remedy)


def parse_csv(stream: BinaryIO, read: Read, forms: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return a text's columns: numbers, booleans (as object where some are missing) or str; an empty field is missing.

    Parameters
    ----------
    stream
        Decompressed; read once, from front to back.
    forms
        Columns to return alone, each with the type that it is parsed as, `str` or `float64`; None for all columns, as text those that
        the config calls text, categories or dates, and those with a decimal mark of their own.

    Raises
    ------
    Refusal
        It cannot be parsed as data.read says.
    """
    layout = _choose_layout(read)
    buffered = io.BufferedReader(stream, _PEEK_BYTES)  # type: ignore[type-var]
    head = buffered.peek(_PEEK_BYTES)
    settings = _choose_settings(read, layout, forms)
    frame: pd.DataFrame = _explain(lambda: _read_csv(buffered, settings), read)
    if forms is None:
        _refuse_repeated_names(frame, head, layout)
    return frame


def parse_csv_in_parts(stream: BinaryIO, read: Read, n_rows: int, forms: Mapping[str, str] | None = None) -> Iterator[pd.DataFrame]:
    """Yield a text's columns by so many rows at a time, each as `parse_csv` returns the whole: a text of a header alone, one part.

    A column whose kind `read` settles has the same values wherever the parts end.

    Parameters
    ----------
    forms
        As `parse_csv` takes them.

    Raises
    ------
    Refusal
        It cannot be parsed as data.read says.
    """
    layout = _choose_layout(read)
    buffered = io.BufferedReader(stream, _PEEK_BYTES)  # type: ignore[type-var]
    head = buffered.peek(_PEEK_BYTES)
    settings = {**_choose_settings(read, layout, forms), "chunksize": n_rows}
    with _explain(lambda: _read_csv(buffered, settings), read) as parts:
        part = _explain(lambda: _read_next(parts), read)
        if forms is None:
            _refuse_repeated_names(part, head, layout)
        while part is not None:
            yield part.reset_index(drop=True)
            part = _explain(lambda: _read_next(parts), read)


def _read_next(parts: Any) -> pd.DataFrame | None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        part: pd.DataFrame | None = next(parts, None)
    return part


def _choose_layout(read: Read) -> dict[str, Any]:
    layout = list_csv_settings(read)
    _explain(lambda: _check_separator(read), read)
    if layout["engine"] == "c":
        layout["low_memory"] = False  # else a column's type depends on where the parser cuts the file
    return layout


def _choose_settings(read: Read, layout: dict[str, Any], forms: Mapping[str, str] | None = None) -> dict[str, Any]:
    wanted = {name for name, kind in read.types.items() if kind in ("category", "text")} | set(read.dates)
    wanted |= set(read.decimal) if isinstance(read.decimal, dict) else set()
    return {
        **layout,
        "decimal": read.decimal if isinstance(read.decimal, str) else ".",
        "keep_default_na": False,
        "na_values": [""],
        "dtype": (dict.fromkeys(wanted, "str") if forms is None else dict(forms)) or None,
        "usecols": None if forms is None else list(forms),
    }


def _check_separator(read: Read) -> None:
    if len(read.sep) > 1 and re.fullmatch(read.sep, "") is not None:
        raise re.error("it matches nothing at all")


def _read_csv(stream: BinaryIO, settings: dict[str, Any]) -> Any:
    """By itself pandas takes the first field for an index where rows have more fields than the header; here it is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = pd.read_csv(stream, index_col=False, **settings)
    return frame


def _explain(parse: Any, read: Read) -> Any:
    """Call, and turn what pandas and Python say of a text into facts of our own.

    Raises
    ------
    Refusal
        The text cannot be parsed.
    """
    try:
        return parse()
    except pd.errors.EmptyDataError:
        raise Refusal("a table as data.read says", "an empty file", "Check data.path and data.read.skip_rows.") from None
    except re.error as error:
        remedy = "Write a backslash before each of * + ? | ( ) [ ] . that stands for itself."
        raise Refusal("a separator, or a pattern for one, in data.read.sep", f"{read.sep!r} ({error})", remedy) from None
    except LookupError:
        raise Refusal("a known encoding in data.read.encoding", repr(read.encoding), "Write utf-8, cp1252 or another.") from None
    except UnicodeDecodeError as error:
        byte = f"the byte 0x{error.object[error.start]:02x}" if error.start < len(error.object) else "a cut character"
        remedy = "Set data.read.encoding to the file's own, such as cp1252 or utf-16."
        raise Refusal(f"text in {read.encoding}", byte, remedy) from None
    except pd.errors.ParserWarning as warning:
        remedy = "Check data.read.sep (a header that is one name has another) and quotechar, or mend the rows."
        if "Length of header" in str(warning):
            raise Refusal("a table as data.read says", "rows with more fields than the header has names", remedy) from None
        raise Refusal("a table as data.read says", _as_one_line(warning), remedy) from None
    except (pd.errors.ParserError, csv.Error, ValueError) as error:
        raise _describe_parser_error(error) from None


def _as_one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _describe_parser_error(error: Exception) -> Refusal:
    text = _as_one_line(error)
    if fields := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", text):
        expected = f"{fields[1]} fields in line {fields[2]}, as before it"
        return Refusal(expected, fields[3], "Mend the line, or check data.read.sep, quotechar and comment.")
    if row := re.search(r"EOF inside string starting at row (\d+)", text):
        found = f"one that opens in row {row[1]} and is never closed"
        return Refusal("quotes that are closed", found, "Mend it, or set data.read.quotechar to a sign that the file has not.")
    if "Usecols do not match" in text:
        return Refusal("the columns of the first reading", "others", "The file was changed meanwhile: run this again.")
    return Refusal("a table as data.read says", text, "Check data.read (sep, encoding, quotechar, comment, skip_rows).")


def _refuse_repeated_names(frame: pd.DataFrame, head: bytes, layout: dict[str, Any]) -> None:
    """Pandas renames a column that stands twice (`a`, `a.1`), so the header's own line is asked."""
    if not any(re.search(r"\.\d+$", str(name)) for name in frame.columns):
        return
    names = pd.read_csv(io.BytesIO(head), header=None, nrows=1, dtype="str", **layout).iloc[0]
    if names.duplicated().any():
        twice = str(names[names.duplicated()].iloc[0])
        raise Refusal("each column once", f"{twice!r} twice", "Rename one.")


def find_short_row(stream: BinaryIO, read: Read) -> tuple[int, int, int] | None:
    """Return the first row with fewer fields than the header: its line, its fields and the header's; None where there is none.

    pandas fills such rows with missing values, in silence.
    """
    text = io.TextIOWrapper(stream, encoding=name_encoding(read), newline="")
    n_fields = 0
    for line, row in _split_lines(text, read):
        n_fields = n_fields or len(row)
        if 0 < len(row) < n_fields and any(field.strip() for field in row):
            return line, len(row), n_fields
    return None


def _split_lines(text: io.TextIOWrapper, read: Read) -> Iterator[tuple[int, list[str]]]:
    """Yield each row's last line, counted from 1, and its fields, in the layout that pandas is told."""
    for _ in range(read.skip_rows):
        text.readline()
    lines = iter(text) if read.comment is None else _cut_comments(text, read.comment, read.quotechar)
    if len(read.sep) == 1 or read.sep == r"\s+":
        csv.field_size_limit(sys.maxsize)
        is_spaced = read.sep == r"\s+"
        squeezed = (" ".join(line.split()) for line in lines) if is_spaced else lines
        delimiter = " " if is_spaced else read.sep
        reader = csv.reader(squeezed, delimiter=delimiter, quotechar=read.quotechar, escapechar=read.escapechar)
        for row in reader:
            yield reader.line_num + read.skip_rows, row
        return
    for number, line in enumerate(lines, start=read.skip_rows + 1):
        yield number, re.split(read.sep, line.rstrip("\r\n")) if line.strip() else []


def _cut_comments(lines: Iterable[str], comment: str, quotechar: str) -> Iterator[str]:
    """Yield lines without what follows a comment's sign; between quotes it is text, also over several lines."""
    is_quoted = False
    for line in lines:
        for position, sign in enumerate(line):
            is_quoted ^= sign == quotechar
            if sign == comment and not is_quoted:
                yield line[:position] + "\n"
                break
        else:
            yield line
