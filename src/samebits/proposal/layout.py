"""How a text table is laid out: its encoding, separator, quotes and the lines before its header, found by trying.

Each layout is tried on the beginning of the file, and the one under which most lines have as many fields as the header is taken; the
encoding is tried on the whole file. Rows that have a field more or less in their middle, and the right number of them, show by which
fields hold words. What the fields mean is `notation`.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from samebits.errors import DataError, Problem, describe_unreadable
from samebits.keys.table import Read
from samebits.proposal.findings import Finding
from samebits.table.columns import MISSING_WORDS, RawColumn
from samebits.table.csv_file import parse_csv_in_parts
from samebits.table.files import choose_parts
from samebits.table.formats import DAMAGED, check_format, decompress, describe_damage, find_compression, is_typed, read_head
from samebits.table.numerals import clean_numbers, read_numerals
from samebits.text import shorten_text

_READ_BYTES = 1 << 20
_HEAD_BYTES = 1 << 12
_MOST_LINES = 1000
_MOST_BEFORE = 20  # lines before a header
_LONGEST_CODE = 64  # letters
_SEPARATORS = (",", ";", "\t", "|")
_SPACED = r"\s+"
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", _SPACED: "blanks"}
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_MOSTLY_MOVED = 0.9  # of the rows in which a column of words has numbers
_MOSTLY_FULL = 0.8  # of the lines, which have the header's fields


@dataclass(frozen=True)
class _Trial:
    """A layout, tried.

    Parameters
    ----------
    fitting
        Fraction of the lines after the header that have as many fields as it.
    n_before
        Lines before the header.
    """

    sep: str
    quotechar: str
    escapechar: str | None
    fitting: float
    n_fields: int
    n_before: int

    @property
    def rank(self) -> tuple[bool, bool, float, int, bool]:
        """By which the best layout is chosen, the greater the better; of equals the first that was tried."""
        is_table = self.n_fields > 1 and self.fitting >= _MOSTLY_FULL
        return is_table, self.n_before == 0, round(self.fitting, 2), self.n_fields, self.escapechar is None


def find_layout(path: Path) -> tuple[Read, list[Finding]]:
    """Return how the table at a path is to be read, its first file standing for all, and what of that is out of the ordinary.

    Raises
    ------
    DataError
        Nothing is there, it cannot be read, or it is known to be no table.
    """
    parts = list(choose_parts(path).values())
    for part in parts:
        check_format(part)
    if is_typed(parts[0], Read()):
        return Read(), []
    _refuse_no_text(parts)
    encoding, odd = _find_encoding(parts)
    sample = _read_sample(parts[0], encoding)
    best = max(_try_layouts(sample), key=lambda trial: trial.rank)
    read = Read(sep=best.sep, encoding=encoding, quotechar=best.quotechar, escapechar=best.escapechar, skip_rows=best.n_before)
    return read, _describe(read, odd)


def _refuse_no_text(parts: list[Path]) -> None:
    for part in parts:
        head = _read_bytes(part, _HEAD_BYTES)
        is_wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _find_wide(head) is not None
        if not head.strip():
            raise DataError(Problem(str(part), "a table in CSV or Parquet", "an empty file", "Name another."))
        if b"\0" in head and not is_wide:
            raise DataError(Problem(str(part), "a table in CSV or Parquet", "bytes that are no text", "Save the table as CSV."))


def _find_wide(head: bytes) -> str | None:
    """Return the codec of text of two bytes a letter without a mark: of Latin letters every second byte is 0."""
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if zeros and zeros.count(0) > 0.7 * len(zeros):
            return name
    return None


def _describe(read: Read, odd: str | None) -> list[Finding]:
    found = []
    if read.sep != ",":
        found.append(f"fields are divided by {_NAMES[read.sep]}")
    if read.encoding != "utf-8":
        shown = f": is {shorten_text(odd)} right?" if odd else ""
        found.append(f"the text is no UTF-8 and was taken for {read.encoding}{shown}" if odd else f"the text is {read.encoding}")
    if read.quotechar != '"':
        found.append(f"fields are quoted by {read.quotechar}")
    if read.escapechar is not None:
        found.append("quotes within fields have a backslash before them")
    if read.skip_rows:
        found.append(f"the header stands in line {read.skip_rows + 1}")
    return [Finding("layout", text) for text in found]


def _find_encoding(parts: list[Path]) -> tuple[str, str | None]:
    """Return the codec of all parts, and where that is a guess a word by which a reader sees whether it is right."""
    head = _read_bytes(parts[0], _HEAD_BYTES)
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name, None
    if wide := _find_wide(head):
        return wide, None
    for name in ("utf-8", "cp1252"):
        if all(_decodes(part, name) for part in parts):
            return name, None if name == "utf-8" else _show_odd_word(parts, name)
    return "latin-1", _show_odd_word(parts, "latin-1")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for piece in _read_pieces(path):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _show_odd_word(parts: list[Path], encoding: str) -> str | None:
    for part in parts:
        for piece in _read_pieces(part):
            text = piece.decode(encoding, "replace")
            place = next((index for index, letter in enumerate(text) if ord(letter) > 127), None) if not text.isascii() else None
            if place is not None:
                before, after = text[max(0, place - 20) : place], text[place : place + 20]
                return _take_letters(before[::-1])[::-1] + _take_letters(after)
    return None


def _take_letters(text: str) -> str:
    end = next((index for index, letter in enumerate(text) if letter.isspace() or letter in "\",;|'"), len(text))
    return text[:end]


def _read_pieces(path: Path) -> Iterator[bytes]:
    """Yield what a file holds, decompressed."""
    head = read_head(path)
    try:
        with path.open("rb") as file:
            stream = decompress(file, path, head)
            while piece := stream.read(_READ_BYTES):
                yield piece
    except DAMAGED as error:
        if find_compression(head) is None and isinstance(error, OSError):
            raise DataError(describe_unreadable(path, error)) from None
        raise DataError(describe_damage(path, head, error)) from None


def has_leading_zeros(path: Path, read: Read) -> bool:
    """Tell whether some field of a text is digits that begin with a zero, as codes do, and no number does that is written down."""
    between = r"\s" if read.sep == _SPACED else re.escape(read.sep)
    ends = rf"[\n\r{re.escape(read.quotechar)}{between}]"
    field = re.compile(rf"0(?<={ends}0)[0-9]+(?={ends}|$)")  # what it begins with is looked for first, which is fast
    parts = [part for part in choose_parts(path).values() if not is_typed(part, read)]
    return any(field.search(text) for part in parts for text in _read_texts(part, read.encoding))


def _read_texts(path: Path, encoding: str) -> Iterator[str]:
    """Yield what a text holds, each piece with the end of the one before, so that no field is cut; lines end before and after all."""
    decoder, tail = codecs.getincrementaldecoder(encoding)(errors="replace"), "\n"
    for piece in _read_pieces(path):
        text = tail + decoder.decode(piece)
        yield text
        tail = text[-_LONGEST_CODE:]


def read_header(path: Path, read: Read) -> list[str]:
    """Return the names of a text's columns, of which no more is read.

    Raises
    ------
    Refusal
        It cannot be parsed.
    """
    part = next(iter(choose_parts(path).values()))
    head = read_head(part)
    with part.open("rb") as file:
        first = next(parse_csv_in_parts(decompress(file, part, head), read, 1))
    return list(map(str, first.columns))


def _read_bytes(path: Path, most: int) -> bytes:
    return next(_read_pieces(path), b"")[:most]


def _read_sample(path: Path, encoding: str) -> str:
    """Return the beginning of a text, up to the end of a line."""
    content = _read_bytes(path, _READ_BYTES)
    stream: BinaryIO = io.BytesIO(content)
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    text = io.TextIOWrapper(stream, encoding=name, errors="replace", newline="").read()
    cut = text.rfind("\n") + 1
    return text[:cut] if len(content) == _READ_BYTES and cut else text


def _try_layouts(text: str) -> Iterator[_Trial]:
    quotes = ('"', "'") if "'" in text else ('"',)
    escapes = (None, "\\") if '\\"' in text or "\\'" in text else (None,)
    for quotechar in quotes:
        for escapechar in escapes:
            for sep in _SEPARATORS:
                yield _try_layout(text, sep, quotechar, escapechar)
    squeezed = "\n".join(" ".join(line.split()) for line in text.splitlines()[:_MOST_LINES])
    spaced = _try_layout(squeezed, " ", '"', None)
    is_whole = spaced.fitting == 1.0 and spaced.n_before == 0  # prose has blanks too
    yield _Trial(_SPACED, '"', None, spaced.fitting if is_whole else 0.0, spaced.n_fields, spaced.n_before)


def _try_layout(text: str, sep: str, quotechar: str, escapechar: str | None) -> _Trial:
    rows = _split_rows(text, sep, quotechar, escapechar)
    widths = [width for _, width in rows]
    usual = Counter(widths[1:] or widths).most_common(1)[0][0] if widths else 0
    n_before = next((index for index, width in enumerate(widths[: _MOST_BEFORE + 1]) if width == usual), 0)
    if n_before and usual == 1:
        n_before = 0
    after = widths[n_before + 1 :]
    fitting = sum(width == usual for width in after) / len(after) if after else 1.0
    is_quoted = quotechar == '"' or _has_quoted_field(text, sep, quotechar)
    lines_before = rows[n_before - 1][0] if n_before else 0
    return _Trial(sep, quotechar, escapechar, fitting if is_quoted else 0.0, usual, lines_before)


def _has_quoted_field(text: str, sep: str, quotechar: str) -> bool:
    edge, quote = rf"(?:^|$|{re.escape(sep)})", re.escape(quotechar)
    pattern = re.compile(rf"{edge}\s*{quote}[^{quote}]*{quote}{edge}")
    return any(pattern.search(line) for line in text.splitlines()[:_MOST_LINES])


def _split_rows(text: str, sep: str, quotechar: str, escapechar: str | None) -> list[tuple[int, int]]:
    """Return the last line and the number of fields of each row that is not blank."""
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sep, quotechar=quotechar, escapechar=escapechar)
    rows: list[tuple[int, int]] = []
    try:
        for row in reader:
            rows += [(reader.line_num, len(row))] if row else []
            if len(rows) > _MOST_LINES:
                break
    except csv.Error:
        return rows
    return rows


def refuse_shifted_rows(raws: Mapping[str, RawColumn], path: Path, read: Read) -> None:
    """Hold every row to the columns of most: a config for a table of shifted values would call half of them missing.

    Raises
    ------
    DataError
        In some rows the words stand where they do in most, but from some column on one column further right or left.
    """
    forms = [_tell_forms(raw.values, name, read) for name, raw in raws.items()]
    if not any(are_words.any() and are_numbers.any() for are_words, are_numbers in forms):
        return
    words, numbers = (np.column_stack(one) for one in zip(*forms, strict=True))
    packed, firsts, inverse, counts = np.unique(
        np.packbits(words, axis=1), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    masks = np.unpackbits(packed, axis=1, count=words.shape[1]).astype(bool)
    usual = masks[np.lexsort((firsts, -counts))[0]]
    for step in (1, -1):
        shifted = np.array([_is_shifted(mask, usual, step) for mask in masks])
        rows = np.flatnonzero(shifted[inverse.ravel()])
        if len(rows) and (place := _find_moved(raws, words, numbers, usual, rows, step)) is not None:
            raise DataError(_describe_shift(raws, path, place, rows, step))


def _tell_forms(values: pd.Series, name: str, read: Read) -> tuple[np.ndarray, np.ndarray]:
    """Return where a column has words and where numbers, each of shape (n_rows,), bool; what is missing is neither."""
    if not isinstance(values.dtype, pd.StringDtype):
        known, has_words = values.notna().to_numpy(), values.dtype == object or pd.api.types.is_bool_dtype(values.dtype)
        return known & has_words, known & (not has_words)
    codes, distinct = pd.factorize(values)
    texts = [str(text) for text in distinct]
    cleaned = clean_numbers(texts, read_numerals(read, name))
    are_words = [number is None and text.strip() not in {"", *MISSING_WORDS} for text, number in zip(texts, cleaned, strict=True)]
    are_numbers = [number is not None and text.strip() != "" for text, number in zip(texts, cleaned, strict=True)]
    return np.array([*are_words, False])[codes], np.array([*are_numbers, False])[codes]


def _is_shifted(mask: np.ndarray, usual: np.ndarray, step: int) -> bool:
    """Tell whether words stand as usual, but from some column on one further right (1) or left (-1)."""
    gained, lost = np.flatnonzero(mask & ~usual), np.flatnonzero(usual & ~mask)
    if len(gained) == 0 or len(lost) == 0:
        return False
    start = int(min(gained[0], lost[0]))  # the first place that is not as usual
    moved = usual.copy()
    if step > 0:
        moved[start + 1 :], moved[start] = usual[start:-1], False
    else:
        moved[start:-1], moved[-1] = usual[start + 1 :], False
    return bool((moved == mask).all())


def _find_moved(
    raws: Mapping[str, RawColumn], words: np.ndarray, numbers: np.ndarray, usual: np.ndarray, rows: np.ndarray, step: int
) -> int | None:
    """Return the first column into which words were moved; None where words and numbers are mixed so in other rows too."""
    mask = words[rows[0]]
    place = int(np.flatnonzero(mask & ~usual)[0])
    are_only_there = 2 * words[rows, place].sum() >= words[:, place].sum()
    lost = [numbers[:, one] for one in np.flatnonzero(usual & ~mask)]
    if not are_only_there or not any(one[rows].any() and one[rows].sum() >= _MOSTLY_MOVED * one.sum() for one in lost):
        return None
    columns = [raw.values for raw in raws.values()]
    own = columns[place - step][words[:, place - step]]
    n_moved = int(usual[min(place - step, place) :].sum())
    return place if n_moved > 1 or bool((own == columns[place].iloc[rows[0]]).any()) else None


def _describe_shift(raws: Mapping[str, RawColumn], path: Path, place: int, rows: np.ndarray, step: int) -> Problem:
    names = list(raws)
    value = shorten_text(str(raws[names[place]].values.iloc[rows[0]]))
    side, how = ("right", "a field too many") if step > 0 else ("left", "a field lost")
    found = (
        f"{len(rows):,} rows (first in row {rows[0] + 1:,}) whose values stand one column further {side}: "
        f"{value} in {names[place]!r}, where {names[place - step]!r} has such words"
    )
    return Problem(str(path), "each value in its own column", found, f"Mend these rows ({how} before that place), then ask again.")
