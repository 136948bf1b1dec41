"""A store that is a folder: a network drive, a mounted bucket. A table lies at `sha256/ab/cdef…`; older layouts are read too."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from samebits.digests import PREFIX, is_digest
from samebits.errors import DataError, Problem, describe_unreadable
from samebits.stores.digest_cache import DigestCache
from samebits.table.files import digest_parts, digest_table, join_parts, list_table_files


@dataclass(frozen=True)
class Kept:
    """What a store keeps.

    Parameters
    ----------
    modified
        When it was put there, in seconds since 1970.
    """

    size_bytes: int
    modified: float


@dataclass(frozen=True)
class FolderStore:
    """A folder of tables by their digests.

    Parameters
    ----------
    known
        Digests of its files that did not change since they were read or written; without it, each is read whenever it is asked for.
    """

    folder: Path
    known: DigestCache | None = None

    @property
    def where(self) -> str:
        """As a person names it."""
        return str(self.folder)

    def holds(self, digest: str) -> bool:
        """Tell whether a table of that digest lies there, held to it now, or since when it did not change."""
        return any(self._knows(path, digest) for path in list_store_paths(self.folder, digest)) or self.take(digest) is not None

    def _knows(self, path: Path, digest: str) -> bool:
        try:
            return self.known is not None and self.known.digest(path) == digest
        except DataError:  # what cannot be read is not kept
            return False

    def take(self, digest: str) -> Path | None:
        """Return where a table of that digest lies, its bytes held to it; None where it lies nowhere."""
        paths = list_store_paths(self.folder, digest)
        return next((path for path in paths if digest_table(path, digest) == digest), None)

    def put(self, table: Path, digest: str) -> bool:
        """Keep a table, and say whether it was not there yet.

        Raises
        ------
        DataError
            It cannot be written, its place holds other bytes, or the table changed meanwhile.
        """
        if self.holds(digest):
            return False
        parts = copy_whole(table, self._name_place(digest), digest)
        if self.known is not None:
            self.known.note_copy(self._name_place(digest), parts)
        return True

    def list_digests(self) -> dict[str, Kept]:
        """Return what `put` wrote, by its digest."""
        found = sorted((self.folder / "sha256").glob("??/*"))
        kept = [place for place in found if is_digest(_name_digest(place))]
        return {_name_digest(place): _weigh(place) for place in kept}

    def list_parts(self, digest: str) -> list[str]:
        """Return the digests of what a table is kept as elsewhere: here it is one."""
        return []

    def delete(self, digest: str) -> None:
        """Remove a table."""
        place = self._name_place(digest)
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

    def _name_place(self, digest: str) -> Path:
        name = digest.removeprefix(PREFIX)
        return self.folder / "sha256" / name[:2] / name[2:]


def _weigh(place: Path) -> Kept:
    return Kept(sum(file.stat().st_size for file in list_table_files(place).values()), place.stat().st_mtime)


def _name_digest(place: Path) -> str:
    return f"{PREFIX}{place.parent.name}{place.name}"


def list_store_paths(store: Path, digest: str) -> list[Path]:
    """Return the places of a folder, in any layout, at which something lies that should have a digest."""
    name = digest.removeprefix(PREFIX)
    if not is_digest(digest):
        return []
    layouts = (f"sha256/{name[:2]}/{name[2:]}", name, f"sha256/{name}", f"{name[:2]}/{name[2:]}", f"{name[:2]}/{name[2:4]}/{name}")
    return [store / layout for layout in layouts if (store / layout).exists()]


def copy_whole(source: Path, target: Path, digest: str) -> dict[str, str]:
    """Copy a table's file or folder to a place where nothing is, whole or not at all, and return the digests of its files.

    Raises
    ------
    DataError
        Something is there, there is no room, or the bytes that came are others.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=target.parent) as folder:
            copied = Path(folder) / target.name
            for name, file in list_table_files(source).items():
                place = copied / name if source.is_dir() else copied
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
            parts = digest_parts(copied)
            if join_parts(copied, parts) != digest:
                remedy = "Run this again; if it stays so, the disk or the network between is to be looked at."
                raise DataError(Problem(str(source), f"the bytes of {digest}", "others, as they were copied", remedy))
            _name_finally(copied, target)
            return parts
    except OSError as error:
        read = str(error.filename or "")
        if error.filename2 is None and read and Path(read).is_relative_to(source):
            raise DataError(describe_unreadable(Path(read), error)) from None
        raise DataError(
            Problem(str(target), "a place to write to", error.strerror or str(error), "Make room, or check its permissions.")
        ) from None


def _name_finally(copied: Path, target: Path) -> None:
    """A link, not a rename, fails where a file is there; a folder is renamed only over an empty one."""
    try:
        if copied.is_dir():
            copied.rename(target)
        else:
            os.link(copied, target)
    except FileExistsError:
        raise DataError(_describe_taken(target)) from None
    except OSError:
        if target.exists():
            raise DataError(_describe_taken(target)) from None
        copied.rename(target)  # on a disk without links


def _describe_taken(target: Path) -> Problem:
    return Problem(str(target), "a place where nothing is", "something else", "Nothing is overwritten: move it away.")
