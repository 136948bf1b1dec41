"""A model file's members, expanded only as far as a model can need it: the archive's own words on sizes are not believed.

bzip2 makes 45 bytes of a million zeros, so that a file of two kilobytes can fill a machine's memory. Honest members are arrays of at
most a megabyte, since larger ones are stored as they are, and a schema; what all of them together may take is bounded here, member by
member, while it is expanded.
"""

from __future__ import annotations

import bz2
import copy
import io
import zipfile
import zlib

from samebits.errors import LineageError, Problem

MOST_MEMBERS = 200_000
LEAST_EXPANDED_BYTES = 256 << 20  # what every file may take, and beside it
EXPANSION_RATIO = 50  # so many times its own size


def expand_archive(content: bytes) -> bytes:
    """Return the same archive without compression: skops reads it twice, once for the types and once for the model.

    Raises
    ------
    LineageError
        It would take more than a model of its size can need.
    zipfile.BadZipFile
        It is damaged.
    """
    left = LEAST_EXPANDED_BYTES + EXPANSION_RATIO * len(content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(buffer, "w") as target:
        members = source.infolist()
        packed_bytes = sum(member.compress_size for member in members)  # more than there is: members that lie over each other
        if len(members) > MOST_MEMBERS or packed_bytes > len(content) or sum(member.file_size for member in members) > left:
            raise _refuse_bomb()
        for member in members:
            expanded = _expand(source, member, left)
            left -= len(expanded)
            target.writestr(member.filename, expanded)
    return buffer.getvalue()


def _expand(source: zipfile.ZipFile, member: zipfile.ZipInfo, most_bytes: int) -> bytes:
    stored = copy.copy(member)
    stored.compress_type, stored.file_size = zipfile.ZIP_STORED, member.compress_size
    del stored.CRC  # of what is inside: it is held to it below
    with source.open(stored) as file:
        packed = file.read()
    if member.file_size > most_bytes:
        raise _refuse_bomb()
    expanded = _decompress(packed, member.compress_type, member.file_size + 1)
    if len(expanded) != member.file_size or zlib.crc32(expanded) != member.CRC:
        raise zipfile.BadZipFile(f"{member.filename} is not what its header says")
    return expanded


def _decompress(packed: bytes, method: int, most_bytes: int) -> bytes:
    if method == zipfile.ZIP_STORED:
        return packed
    if method == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor().decompress(packed, most_bytes)
    if method == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-15).decompress(packed, most_bytes)
    raise zipfile.BadZipFile("a member of another compression than bzip2 or deflate")


def _refuse_bomb() -> LineageError:
    most = f"at most {LEAST_EXPANDED_BYTES >> 20} MiB and {EXPANSION_RATIO} times its size when it is expanded"
    return LineageError(Problem("model file", most, "more", "Do not load it."))
