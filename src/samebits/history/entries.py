"""Files, links and folders as Git and a record note them: their kind, their name as text, the id and the digest of their bytes.

An id is computed here of a file's own bytes: no setting is asked, and no filter takes part.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from samebits.digests import PREFIX, digest_bytes, digest_file
from samebits.secret_files import SLOW_PREFIX, digest_slowly

NULL_IDS = {"sha1": "0" * 40, "sha256": "0" * 64}
_ESCAPED = re.compile(rb"\\x([89a-f][0-9a-f]|5c)")
_READ_BYTES = 1 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def is_commit_id(commit: str) -> bool:
    """Tell whether some text is a whole id, which Git takes for no option, name or range."""
    return _COMMIT.fullmatch(commit) is not None


def name_object_format(commit: str) -> str:
    """Return the format of objects that an id is one of."""
    return "sha256" if len(commit) == 64 else "sha1"


def digest_blob(path: Path, object_format: str) -> str:
    """Return the id of the blob that a file's own bytes make, read in constant memory."""
    size_bytes = path.stat().st_size
    found = start_object("blob", size_bytes, object_format)
    with path.open("rb", buffering=0) as file:
        while part := file.read(_READ_BYTES):
            found.update(part)
    return found.hexdigest()


def digest_new_blob(path: Path, object_format: str) -> tuple[str, str, int]:
    """Return the id of a file's blob, the digest of its bytes and their number, all of one reading.

    Of a file that grows meanwhile, what it had; of one that is cut, what is left.
    """
    size_bytes = path.stat().st_size
    with path.open("rb", buffering=0) as file:
        while True:
            blob, plain, left = start_object("blob", size_bytes, object_format), hashlib.sha256(), size_bytes
            while left and (part := file.read(min(_READ_BYTES, left))):
                blob.update(part)
                plain.update(part)
                left -= len(part)
            if not left:
                return blob.hexdigest(), PREFIX + plain.hexdigest(), size_bytes
            size_bytes -= left
            file.seek(0)


def digest_object(kind: str, content: bytes, object_format: str) -> str:
    """Return the id of an object.

    >>> digest_object("blob", b"", "sha1")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    found = start_object(kind, len(content), object_format)
    found.update(content)
    return found.hexdigest()


def start_object(kind: str, size_bytes: int, object_format: str) -> hashlib._Hash:
    """Return the digest of an object's head, to which its content is to be added."""
    return hashlib.new(object_format, f"{kind} {size_bytes}\0".encode(), usedforsecurity=False)


DELETED = "deleted"
LINK, REPOSITORY, PROGRAM, FILE = "120000", "160000", "100755", "100644"


def read_kind(path: Path) -> str | None:
    """Return the mode that Git notes of a file, a link or a folder with a repository of its own; None of anything else."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(mode):
        return REPOSITORY if os.path.lexists(path / ".git") else None
    if stat.S_ISLNK(mode):
        return LINK
    return (PROGRAM if mode & stat.S_IXUSR else FILE) if stat.S_ISREG(mode) else None


def digest_entry(path: Path) -> str:
    """Return a file's digest, or a link's of where it points; "deleted" where there is neither."""
    if path.is_symlink():
        return digest_bytes(os.fsencode(path.readlink()))
    return digest_file(path) if path.is_file() else DELETED


def find_entry(folder: Path, name: str) -> Path:
    """Return where a file lies that a record names as `as_text` does."""
    written = _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), name.encode("utf-8"))
    path = folder / os.fsdecode(written)
    return path if os.path.lexists(path) else folder / name


def is_recorded_entry(path: Path, name: str, digest: str) -> bool:
    """Tell whether a file, by its name in the record, is what was recorded of it."""
    return is_recorded_digest(name, digest_entry(path), digest)


def is_recorded_digest(name: str, found: str, recorded: str) -> bool:
    """Tell whether the digest of what a file holds is the one on record, which may be a slow one."""
    if recorded.startswith(SLOW_PREFIX) and found != DELETED:
        return digest_slowly(name, found) == recorded
    return found == (DELETED if recorded == "folder" else recorded)


def as_text(name: str) -> str:
    """A name that is no UTF-8 is written with its bytes escaped: a lineage is UTF-8. One that looks so by itself is told apart."""
    return _ESCAPED.sub(rb"\\x5cx\1", os.fsencode(name)).decode("utf-8", "backslashreplace")
