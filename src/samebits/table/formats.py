"""The format of a table's file, told by its first bytes: Parquet or text, how it is compressed, or what else it is.

What is no table is named as what it is, with what to do: a Git LFS pointer, a workbook, an archive. How a text's layout is said in a
config becomes arguments of pandas here. What is made of the cells is for those who read.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from samebits.errors import DataError, Problem, describe_unreadable
from samebits.keys.table import Read
from samebits.plain_files import open_plain
from samebits.text import shorten_list

_HEAD_BYTES = 512
_READ_BYTES = 1 << 24
MOST_COMPARED_BYTES = 2 << 30  # of one file, decompressed
_PARQUET = b"PAR1"
_ARROW = (b"ARROW1\x00\x00", b"\xff\xff\xff\xff")  # an IPC file (Feather 2), and an IPC stream
_TYPED_SUFFIXES = (".parquet", ".pq", ".arrow", ".feather")
_COMPRESSIONS = {b"\x1f\x8b\x08": "gzip", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
DAMAGED = (EOFError, OSError, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)  # of a compressed file
_AS_TABLE = "Save the table as CSV or Parquet, and name that file in data.path."
_LFS_POINTER = re.compile(rb"(?:\xef\xbb\xbf)?\s*version https?://(?:git-lfs|hawser)\.github\.com/spec/v\S+\s")
_ANNEX_POINTER = re.compile(rb"/annex/objects/|(?:\.\./)*\.git/annex/objects/")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Magic bytes at an offset; of formats that hold tables, or are taken for one. Text that must be looked at closer is below.
_FOREIGN: list[tuple[int, bytes, str]] = [
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls) or another OLE file"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"Obj\x01", "an Avro file"),
    (0, b"SQLite format 3\x00", "an SQLite database"),
    (0, b"\x93NUMPY", "a NumPy array (.npy)"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"$FL2@(#)", "an SPSS file (.sav)"),
    (0, b"$FL3@(#)", "an SPSS file (.zsav)"),
    (0, b"<stata_dta>", "a Stata file (.dta)"),
    (0, b"RDX2\n", "an R data file"),
    (0, b"RDX3\n", "an R data file"),
    (0, b"CDF\x01", "a NetCDF file"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"\x04\x22\x4d\x18", "an LZ4 file"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x7fELF", "a program"),
    (8, b"DUCK", "a DuckDB database"),
    (0, b"\x1f\x9d", "a file compressed by compress (.Z)"),
]
_SAS_HEAD = b"\x00" * 12 + b"\xc2\xea\x81\x60\xb3\x14\x11\xcf\xbd\x92\x08\x00\x09\xc7\x31\x8c"
_FOREIGN_BINARIES = [(b"ORC", "an ORC file"), (b"FEA1", "a Feather file of version 1")]  # a header may begin so too; it has no NUL
_FOREIGN_TEXTS = [
    (re.compile(rb"<{7} \S"), "a file with the marks of a merge conflict"),
    (re.compile(rb"\s*<(!doctype html|html|table|body|head)\b", re.IGNORECASE), "a web page (HTML)"),
    (re.compile(rb"\s*<\?xml|\s*<[A-Za-z][\w:.-]*(\s[^<>]*)?>\s*<"), "an XML file"),
    (re.compile(rb"\s*[{]\s*\"|\s*\[\s*([{\[]|\]|-?\d+(\.\d+)?\s*,\s*-?\d)"), "a JSON file"),
    (re.compile(rb"(RD[XA][23]|[XA])\n(\x00\x00\x00[\x02\x03]|[23]\n)|RDA[23]\n"), "an R data file"),
    (re.compile(rb"HEADER RECORD\*{7}"), "a SAS transport file (.xpt)"),
    (re.compile(rb"MATLAB [57]\.\d MAT-file"), "a MATLAB file (.mat)"),
    (re.compile(rb"\(?[dl]p\d+\n|c(pandas|numpy|sklearn|__builtin__|copy_reg)\b[\w.]*\n"), "a Python pickle, which is never loaded"),
    (re.compile(rb"(%[^\n]*\n|\s)*@relation\s", re.IGNORECASE), "a Weka file (ARFF)"),
    (re.compile(rb"\x80[\x02-\x05][\x80-\xff(}\]c]"), "a Python pickle, which is never loaded: it can run code"),
]
_IN_ZIP = [("xl/workbook.xml", "an Excel workbook (.xlsx)"), ("xl/workbook.bin", "an Excel workbook (.xlsb)")]


def refuse_foreign_format(path: Path, head: bytes) -> None:
    """Refuse a file that is known to be no table.

    Parameters
    ----------
    head
        Its first bytes, decompressed.

    Raises
    ------
    DataError
        It is a pointer, or of another format: it is named, with what to do.
    """
    if head.startswith((_PARQUET, *_ARROW)) and find_compression(read_head(path)) is not None:
        name = "Parquet" if head.startswith(_PARQUET) else "Arrow"
        remedy = f"Unpack it: {name} compresses what is in it by itself."
        raise DataError(Problem(str(path), "a table in CSV or Parquet", f"a compressed {name} file", remedy))
    if _LFS_POINTER.match(head):
        remedy = "Fetch the table itself: git lfs pull."
        raise DataError(Problem(str(path), "the table", "a Git LFS pointer to it", remedy))
    if _ANNEX_POINTER.match(head):
        raise DataError(Problem(str(path), "the table", "a git-annex pointer to it", "Fetch the table itself: git annex get."))
    found = _name_foreign_format(path, _without_mark(head))
    if found is not None:
        raise DataError(Problem(str(path), "a table in CSV or Parquet", found, _AS_TABLE))


def _without_mark(head: bytes) -> bytes:
    """Return text without its byte-order mark, that of UTF-16 as plain bytes: only signs of ASCII are looked for."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[2:].replace(b"\0", b"")
    return head.removeprefix(_BYTE_ORDER_MARK)


def _name_foreign_format(path: Path, head: bytes) -> str | None:
    if head.startswith(_SAS_HEAD):
        return "a SAS file (.sas7bdat)"
    for offset, magic, name in _FOREIGN:
        if head[offset : offset + len(magic)] == magic:
            return name
    for magic, name in _FOREIGN_BINARIES:
        if head.startswith(magic) and b"\0" in head:
            return name
    for pattern, name in _FOREIGN_TEXTS:
        if pattern.match(head):
            return name
    if path.suffix.lower() == ".dta" and head[:1] in (b"\x71", b"\x72", b"\x73", b"\x6c", b"\x69"):
        return "a Stata file (.dta)"
    return None


def read_head(path: Path) -> bytes:
    """Return a file's first bytes, as they are stored.

    Raises
    ------
    DataError
        It cannot be read.
    """
    try:
        with open_plain(path) as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise DataError(describe_unreadable(path, error)) from None


def check_format(path: Path) -> None:
    """Refuse a file that is known to be no table, compressed or not.

    Raises
    ------
    DataError
        It is of another format, a damaged archive, or cannot be read.
    """
    head = read_head(path)
    if find_compression(head) is None:
        refuse_foreign_format(path, head)
        return
    with path.open("rb") as file:
        try:
            head = decompress(file, path, head).read(_HEAD_BYTES)
        except DAMAGED as error:
            raise DataError(describe_damage(path, head, error)) from None
    refuse_foreign_format(path, head)


def is_typed(path: Path, read: Read) -> bool:
    """Tell whether a file holds values of Arrow's types (Parquet, Arrow IPC): by data.read.format, its first bytes, or its suffix."""
    if read.format != "auto":
        return read.format == "parquet"
    return read_head(path).startswith((_PARQUET, *_ARROW)) or path.suffix.lower() in _TYPED_SUFFIXES


def find_compression(head: bytes) -> str | None:
    """Return how a file is compressed, by its first bytes; None where it is not."""
    if re.match(rb"BZh[1-9]1AY&SY", head):
        return "bzip2"
    return next((name for magic, name in _COMPRESSIONS.items() if head.startswith(magic)), None)


def decompress(file: BinaryIO, path: Path, head: bytes) -> BinaryIO:
    """Return a stream of what a compressed file holds, or the file itself; nothing needs to seek but a zip archive.

    Raises
    ------
    DataError
        A zip archive is of another format, or does not hold one file.
    """
    compression = find_compression(head)
    if compression == "gzip":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if compression == "bzip2":
        return bz2.BZ2File(file)  # type: ignore[return-value]
    if compression == "xz":
        return lzma.LZMAFile(file)  # type: ignore[return-value]
    if compression == "zstd":
        import pyarrow

        return pyarrow.CompressedInputStream(pyarrow.PythonFile(file, mode="r"), "zstd")  # type: ignore[no-any-return]
    return _open_zip(file, path) if compression == "zip" else file


def _open_zip(file: BinaryIO, path: Path) -> BinaryIO:
    archive = zipfile.ZipFile(io.BytesIO(file.read()))
    names = [entry.filename for entry in archive.infolist() if not entry.is_dir() and not _is_left_by_finder(entry.filename)]
    for name, format_name in _IN_ZIP:
        if name in names:
            raise DataError(Problem(str(path), "a table in CSV or Parquet", format_name, _AS_TABLE))
    if "mimetype" in names and b"opendocument" in archive.read("mimetype"):
        raise DataError(Problem(str(path), "a table in CSV or Parquet", "an OpenDocument file (.ods)", _AS_TABLE))
    if any(name.endswith(".npy") for name in names):
        raise DataError(Problem(str(path), "a table in CSV or Parquet", "NumPy arrays (.npz)", _AS_TABLE))
    if len(names) != 1:
        found = f"{len(names)} ({shorten_list(names)})" if names else "an empty one"
        raise DataError(Problem(str(path), "a zip archive of one file", found, "Unpack it, and name the file or the folder."))
    return archive.open(names[0])  # type: ignore[return-value]


def _is_left_by_finder(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rpartition("/")[2] == ".DS_Store"


def describe_damage(path: Path, head: bytes, error: Exception) -> Problem:
    """Return what is wrong with a compressed file that could not be decompressed."""
    if isinstance(error, RuntimeError | NotImplementedError):  # of zipfile: a password, or a method that Python has not
        return Problem(str(path), "a zip archive that can be unpacked without a password", str(error), "Unpack it by hand.")
    return Problem(str(path), f"a whole {find_compression(head)} file", "a damaged or cut one", "Fetch it again.")


def read_decompressed(path: Path) -> bytes:
    """Return all that a table's file holds, decompressed, for whoever compares it whole.

    Raises
    ------
    DataError
        It cannot be read or decompressed, is known to be no table, or holds more than is compared.
    """
    check_format(path)
    head = read_head(path)
    content = bytearray()
    with path.open("rb") as file:
        try:
            stream = decompress(file, path, head)
            while len(content) <= MOST_COMPARED_BYTES and (piece := stream.read(_READ_BYTES)):
                content += piece
        except DAMAGED as error:
            raise DataError(describe_damage(path, head, error)) from None
    if len(content) > MOST_COMPARED_BYTES:
        most = f"at most {MOST_COMPARED_BYTES >> 30} GiB to compare row by row"
        raise DataError(Problem(str(path), most, "more", "Its digest says that it differs."))
    return bytes(content)


def list_csv_settings(read: Read) -> dict[str, Any]:
    """Return how a CSV file is laid out, as arguments of `pandas.read_csv`.

    >>> settings = list_csv_settings(Read(sep=";", encoding="UTF-8"))
    >>> settings["sep"], settings["encoding"], settings["engine"]
    (';', 'utf-8-sig', 'c')
    """
    is_pattern = len(read.sep) > 1 and read.sep != r"\s+"  # which pandas' own C parser does not take
    return {
        "sep": read.sep,
        "encoding": name_encoding(read),
        "quotechar": read.quotechar,
        "escapechar": read.escapechar,
        "comment": read.comment,
        "skiprows": read.skip_rows,
        "engine": "python" if is_pattern else "c",
    }


def name_encoding(read: Read) -> str:
    """Return the codec of a text; that of UTF-8 skips a byte-order mark."""
    return "utf-8-sig" if read.encoding.lower().replace("-", "") == "utf8" else read.encoding
