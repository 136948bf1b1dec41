"""Digests of files that did not change since they were last read: by size, inode and times, in the user's own cache folder.

A file that changed less than two seconds before it was read may change again within one tick of its clock, and is read again (as Git
holds it with its index). Who trusts nothing of this asks for a cache that does not.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from pathlib import Path
from typing import Any, Self

from samebits.digests import digest_bytes, digest_file
from samebits.errors import DataError, describe_unreadable
from samebits.private_files import read_private, write_private
from samebits.table.files import join_parts, list_table_files

_RACY_NS = 2_000_000_000
_MOST_KEPT = 50_000  # files; of more, those that were asked for last are kept
_MOST_BYTES = 15 << 20


class DigestCache:
    """The digests of the files that a project asks for, kept for its next process by `save`, or at the end of a `with`.

    Parameters
    ----------
    is_trusted
        Whether what was found before counts: otherwise each file is read, once.
    """

    def __init__(self, root: Path, is_trusted: bool = True) -> None:
        self._name = f"digests/{digest_bytes(os.fsencode(root.resolve())).partition(':')[2][:32]}.json"
        self._kept: dict[str, list[Any]] = _read(self._name) if is_trusted else {}
        self._asked: dict[str, list[Any]] = {}
        self._read_now: dict[str, list[Any]] = {}
        self._brought: dict[str, list[Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.save()

    def digest(self, path: Path) -> str | None:
        """Return the digest of a file, or of a folder's files as of a table's; None where nothing is.

        Raises
        ------
        DataError
            Something is there that cannot be read, or is neither a file nor a folder of files.
        """
        if not os.path.lexists(path):
            return None
        try:
            if not path.is_dir():
                return self._digest_file(path)
            return join_parts(path, {name: self._digest_file(file) for name, file in list_table_files(path).items()})
        except OSError as error:
            place = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else path
            raise DataError(describe_unreadable(place, error, "Check it and its permissions, or move it away.")) from None

    def _digest_file(self, path: Path) -> str:
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "no regular file", str(path))
        place, facts = str(path), _read_facts(path)
        for known in (self._brought, self._read_now, self._kept):
            if known.get(place, [])[:-1] == facts:
                self._asked |= {place: known[place]} if known is not self._brought else {}
                return str(known[place][-1])
        now = time.time_ns()
        found = digest_file(path)
        if _read_facts(path) == facts and now - max(facts[1], facts[3]) >= _RACY_NS:
            self._read_now[place] = self._asked[place] = [*facts, found]
        return found

    def note(self, path: Path, digest: str) -> None:
        """Take a file that this process has just brought to its place for what was digested of it, until the process ends."""
        with contextlib.suppress(OSError):
            if path.is_file():
                self._brought[str(path)] = [*_read_facts(path), digest]

    def note_copy(self, place: Path, parts: dict[str, str]) -> None:
        """Take a table's files for what was digested of them where nobody else writes, just before they came to their place.

        Later processes do so too where a file was written two seconds ago: what is written to it at its place has another time.
        """
        for name, digest in parts.items():
            path = place / name if place.is_dir() else place
            self.note(path, digest)
            facts = self._brought.get(str(path), [])
            if facts and time.time_ns() - facts[1] >= _RACY_NS:
                self._read_now[str(path)] = self._asked[str(path)] = facts

    def save(self) -> None:
        """Keep what was read, for the next process; where there is no place for it, nothing is kept."""
        if not self._read_now:
            return
        kept = {**_read(self._name), **self._read_now}
        if len(kept) > _MOST_KEPT:
            kept = dict(list(self._asked.items())[-_MOST_KEPT:])
        while len(content := json.dumps(kept).encode("utf-8")) > _MOST_BYTES:  # of what is longer, nothing would be read
            kept = dict(list(kept.items())[len(kept) // 2 + 1 :])
        write_private("cache", self._name, content)


def _read_facts(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns, found.st_dev]


def _read(name: str) -> dict[str, list[Any]]:
    try:
        found = json.loads(read_private("cache", name) or b"{}")
    except ValueError:
        return {}
    entries = found if isinstance(found, dict) else {}
    return {path: facts for path, facts in entries.items() if isinstance(facts, list) and len(facts) == 6}
