"""A store that is a bucket, or a prefix of one: an object at `sha256/ab/cdef…` has the bytes of that digest.

A folder's digest is that of its manifest (`digests.digest_manifest`): so the manifest is the object of that digest, and its files are
objects of their own, each kept once whatever folders hold it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from samebits.digests import PREFIX, digest_bytes, digest_file, is_digest, write_manifest
from samebits.errors import DataError, Problem, describe_unreadable
from samebits.lineage.manifest import is_inner_path
from samebits.plain_files import read_pieces
from samebits.sources.bringing import join_folder
from samebits.sources.buckets import Bucket, open_object
from samebits.stores.digest_cache import DigestCache
from samebits.stores.folder import Kept
from samebits.table.files import list_table_files
from samebits.transfers.abreast import Watch, run_abreast
from samebits.transfers.cache import find_cached
from samebits.transfers.transfer import bring

_PIECE_BYTES = 8 << 20
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_MOST_MANIFEST_BYTES = 64 << 20


@dataclass(frozen=True)
class BucketStore:
    """A bucket of tables by their digests.

    Parameters
    ----------
    prefix
        Before every key: empty, or with a slash at its end.
    known
        Digests of files that did not change since they were read; without it, files of a folder are read once more than they are sent.
    """

    bucket: Bucket
    prefix: str
    known: DigestCache | None = None

    @property
    def where(self) -> str:
        """As a person names it."""
        return f"{self.bucket.root}/{self.prefix}".rstrip("/")

    def holds(self, digest: str) -> bool:
        """Tell whether a table of that digest is there; what it holds is seen when it is taken."""
        try:
            self.bucket.look(self._name_key(digest))
        except FileNotFoundError:
            return False
        return True

    def take(self, digest: str) -> Path | None:
        """Return a table of that digest, brought into the cache and held to it; None where there is none.

        Raises
        ------
        DataError
            The bucket does not answer, or what lies there is not what its name says.
        """
        if (cached := find_cached(digest)) is not None:
            return cached
        manifest = self._read_manifest(digest)
        if not manifest:
            return self._bring(digest, Watch()) if manifest is not None else None
        wanted = {part: name for name, part in manifest.items()}
        places = run_abreast(lambda part, name, watch: self._bring_part(name, part, watch), wanted)
        return join_folder({name: (places[part], part) for name, part in manifest.items()}, digest, self.where)

    def _read_manifest(self, digest: str) -> dict[str, str] | None:
        """Return the digest of each file of a folder by its path inside: none of one file, None where nothing is there."""
        origin = open_object(self.bucket, self._name_key(digest))
        try:
            held = origin.look()
            first = bytes(next(origin.read(held, 0)[1], b"")[:200])
        except FileNotFoundError:
            return None
        if _LINE.match(first.decode("utf-8", "replace")) is None or (held.size_bytes or 0) > _MOST_MANIFEST_BYTES:
            return {}
        content = b"".join(bytes(piece) for piece in origin.read(held, 0)[1])
        if digest_bytes(content) != digest:
            remedy = "The store is damaged there: remove the object, and push the folder again."
            raise DataError(Problem(origin.where, f"the pinned {digest}", digest_bytes(content), remedy))
        return parse_manifest(content)

    def _bring_part(self, name: str, digest: str, watch: Watch) -> Path:
        found = find_cached(digest) or self._bring(digest, watch)
        if found is None:
            raise DataError(Problem(self.where, f"{digest}, which is {name} of a folder", "nothing", "Push the folder again."))
        return found

    def _bring(self, digest: str, watch: Watch) -> Path | None:
        origin = watch.follow_origin(open_object(self.bucket, self._name_key(digest)))
        try:
            return bring(origin, origin.look(), digest)[0]
        except FileNotFoundError:
            return None

    def put(self, table: Path, digest: str) -> bool:
        """Keep a table, its files before the manifest that names them, and say whether it was not there yet.

        Raises
        ------
        DataError
            The bucket does not take it, or the table changed meanwhile.
        """
        if self.holds(digest):
            return False
        if not table.is_dir():
            self._put_file(digest, table, Watch())
            return True
        files = list_table_files(table)
        digests = {name: self._digest(file) for name, file in files.items()}
        run_abreast(self._put_part, {digests[name]: file for name, file in files.items()})
        self._put_pieces(str(table), digest, iter([write_manifest(digests.items())]))
        return True

    def _digest(self, path: Path) -> str:
        found = None if self.known is None else self.known.digest(path)
        try:
            return found or digest_file(path)
        except OSError as error:
            raise DataError(describe_unreadable(path, error)) from None

    def _put_part(self, digest: str, path: Path, watch: Watch) -> None:
        if not self.holds(digest):
            self._put_file(digest, path, watch)

    def _put_file(self, digest: str, path: Path, watch: Watch) -> None:
        self._put_pieces(str(path), digest, watch.follow(_read(path)))

    def _put_pieces(self, where: str, digest: str, pieces: Iterator[bytes]) -> None:
        """Send bytes as they are digested: where they come out as others, the object never gets its name."""
        self.bucket.put(self._name_key(digest), _hold_to(where, digest, pieces))

    def list_digests(self) -> dict[str, Kept]:
        """Return what `put` wrote, by its digest."""
        listed = self.bucket.list_objects(f"{self.prefix}sha256/")
        kept = {name: Kept(*one) for name, one in listed.items() if re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{62}", name)}
        return {f"{PREFIX}{name.replace('/', '')}": one for name, one in kept.items()}

    def list_parts(self, digest: str) -> list[str]:
        """Return the digests of a folder's files; none where a table is one file."""
        return list((self._read_manifest(digest) or {}).values())

    def delete(self, digest: str) -> None:
        """Remove an object."""
        self.bucket.delete(self._name_key(digest))

    def _name_key(self, digest: str) -> str:
        if not is_digest(digest):
            raise DataError(Problem(self.where, "a digest, sha256: and 64 hexadecimal digits", repr(digest)[:100], "Mend it."))
        name = digest.removeprefix(PREFIX)
        return f"{self.prefix}sha256/{name[:2]}/{name[2:]}"


def _read(path: Path) -> Iterator[bytes]:
    try:
        yield from read_pieces(path, _PIECE_BYTES)
    except OSError as error:
        raise DataError(describe_unreadable(path, error)) from None


def _hold_to(where: str, digest: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield pieces, the last one only where all together have the digest."""
    sha256, kept = hashlib.sha256(), b""
    for piece in pieces:
        sha256.update(piece)
        if kept:
            yield kept
        kept = piece
    if f"{PREFIX}{sha256.hexdigest()}" != digest:
        raise DataError(Problem(where, f"the bytes of {digest}", "others, as they were sent", "It is being written: push it again."))
    yield kept


def parse_manifest(content: bytes) -> dict[str, str]:
    """Return the digest of each file that a manifest names, by its path; none where the bytes are no manifest."""
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    found = [_LINE.fullmatch(line) for line in lines[:-1]]
    if lines[-1] or not all(found):
        return {}
    return {line[2]: PREFIX + line[1] for line in found if line is not None and is_inner_path(line[2])}
