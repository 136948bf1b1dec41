"""The user's own tables by their digests, brought once from wherever they lie, and what each source held when it was last asked.

A file here has its name only once it is whole, and no other process believes it without digesting it again. The folder may be
removed at any time: what is needed is brought again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from samebits.digests import PREFIX, digest_bytes, is_digest
from samebits.errors import DataError, Problem
from samebits.private_files import make_private_folder, read_private, write_private
from samebits.table.files import digest_table
from samebits.transfers.origin import Held

_MANIFEST_LINE = re.compile(rb"[0-9a-f]{64}  .")


def find_folder() -> Path:
    """Return the folder of the cache, made where it is missing.

    Raises
    ------
    DataError
        There is no home that is this user's alone.
    """
    folder = make_private_folder("cache", "tables")
    if folder is None:
        remedy = "Let XDG_CACHE_HOME name a folder that nobody else may write to."
        raise DataError(Problem("the cache of tables", "a folder of your own", "none that can be made", remedy))
    return folder


def name_place(digest: str) -> Path:
    """Return where a table of a digest lies, or will.

    Raises
    ------
    DataError
        It is no digest: whoever wrote it might name any folder.
    """
    if not is_digest(digest):
        raise DataError(Problem("the cache of tables", "a digest, sha256: and 64 hexadecimal digits", repr(digest)[:100], "Mend it."))
    name = digest.removeprefix(PREFIX)
    return find_folder() / name[:2] / name[2:]


def find_cached(digest: str) -> Path | None:
    """Return a table's file or folder, held to its digest; what is not what its name says is removed."""
    place = name_place(digest)
    if not place.exists():
        return None
    if place.is_symlink() or digest_table(place, digest) != digest or is_manifest(place):
        remove(place)
        return None
    return place


def is_manifest(place: Path) -> bool:
    """Tell whether a file is the manifest of a folder's files, whose bytes have the folder's digest, and not the folder itself."""
    if place.is_dir():
        return False
    with place.open("rb") as file:
        return _MANIFEST_LINE.match(file.read(100)) is not None


def remove(place: Path) -> None:
    """Remove a file or folder of the cache."""
    if not place.absolute().is_relative_to(find_folder().absolute()):
        raise DataError(Problem(str(place), "a place in the cache of tables", "another", "Nothing is removed there."))
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def take_in(arrived: Path, digest: str) -> Path:
    """Give what arrived its name; where another process was first, its own is kept."""
    place = name_place(digest)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(OSError):  # a folder that another process put there
        arrived.replace(place)
    if arrived != place and arrived.exists():
        remove(arrived)
    return place


def keep_cached(table: Path, digest: str) -> None:
    """Keep a copy of a table that lies elsewhere on this machine, so that it is there by its digest.

    Raises
    ------
    DataError
        There is no room.
    """
    if find_cached(digest) is not None:
        return
    try:
        with tempfile.TemporaryDirectory(prefix=".kept-", dir=find_folder()) as scratch:
            copied = Path(scratch, "table")
            shutil.copytree(table, copied) if table.is_dir() else shutil.copyfile(table, copied)
            if digest_table(copied, digest) == digest:
                take_in(copied, digest)
    except OSError as error:
        raise DataError(Problem("the cache of tables", "room", error.strerror or str(error), "Make some.")) from None


def recall(where: str, held: Held) -> str | None:
    """Return the digest of what a source held when it said the same of itself; None where it was not asked, or says nothing."""
    if held.tag is None:
        return None
    content = read_private("cache", _name_note(where))
    try:
        note = json.loads(content or b"null")
    except ValueError:
        return None
    is_same = isinstance(note, dict) and (note.get("where"), note.get("tag"), note.get("size")) == (where, held.tag, held.size_bytes)
    return str(note["digest"]) if is_same else None


def note(where: str, held: Held, digest: str) -> None:
    """Note what a source held, so that it need not be brought again; that it cannot be noted harms nobody."""
    value = {"where": where, "tag": held.tag, "size": held.size_bytes, "digest": digest}
    write_private("cache", _name_note(where), json.dumps(value).encode())


def _name_note(where: str) -> str:
    return f"sources/{digest_bytes(os.fsencode(where)).removeprefix(PREFIX)}.json"
