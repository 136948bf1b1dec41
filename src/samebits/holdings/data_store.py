"""A store of tables by the SHA-256 of their bytes: a folder that a team shares, which `reproduce`, `verify` and `data pull` read from.

A table is written to it once, whole or not at all, and never over anything; what comes out is held to its digest before it has its
name. Where the store is looked into, and in which older layouts, is `data_search`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from samebits.digests import PREFIX
from samebits.errors import DataError, Problem
from samebits.holdings.data_search import STORE_VARIABLE, list_store_paths
from samebits.project import expand_home
from samebits.table.files import digest_table, list_table_files


@dataclass(frozen=True)
class DataStore:
    """The folders of SAMEBITS_DATA_STORE: the first is written to, all are read.

    Parameters
    ----------
    folders
        At least one.
    """

    folders: list[Path]

    def find(self, digest: str) -> Path | None:
        """Return where a table of that digest lies, its bytes held to it; None where it lies nowhere."""
        paths = [path for folder in self.folders for path in list_store_paths(folder, digest)]
        return next((path for path in paths if digest_table(path, digest) == digest), None)

    def put(self, table: Path, digest: str) -> bool:
        """Keep a table, and say whether it was not there yet.

        Raises
        ------
        DataError
            It cannot be written, its place holds other bytes, or the table changed meanwhile.
        """
        if self.find(digest) is not None:
            return False
        copy_whole(table, self._name_place(digest), digest)
        return True

    def _name_place(self, digest: str) -> Path:
        name = digest.removeprefix(PREFIX)
        return self.folders[0] / "sha256" / name[:2] / name[2:]


def open_store() -> DataStore:
    """Return the store that SAMEBITS_DATA_STORE names.

    Raises
    ------
    DataError
        It names none, or a folder that is not there: a mistyped one is not made.
    """
    folders = [expand_home(name) for name in os.environ.get(STORE_VARIABLE, "").split(os.pathsep) if name]
    if not folders:
        remedy = f"Set it: export {STORE_VARIABLE}=/path/to/a/shared/folder."
        raise DataError(Problem(STORE_VARIABLE, "the folder that keeps tables by their digest", "none named", remedy))
    missing = next((folder for folder in folders if not folder.is_dir()), None)
    if missing is not None:
        raise DataError(Problem(STORE_VARIABLE, "a folder that is there", str(missing), "Make it, or mount it."))
    return DataStore(folders)


def copy_whole(source: Path, target: Path, digest: str) -> None:
    """Copy a table's file or folder to a place where nothing is, whole or not at all.

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
            if digest_table(copied, digest) != digest:
                remedy = "Run this again; if it stays so, the disk or the network between is to be looked at."
                raise DataError(Problem(str(source), f"the bytes of {digest}", "others, as they were copied", remedy))
            _name_finally(copied, target)
    except OSError as error:
        raise DataError(
            Problem(str(target), "a place to write to", error.strerror or str(error), "Make room, or check its permissions.")
        ) from None


def bring_to_place(digest: str, place: Path) -> bool:
    """Bring what has a digest from the store to a place where nothing is, and tell whether it is there; without a store it is not.

    Raises
    ------
    DataError
        There is no room for it, or the store is named and is not there.
    """
    source = open_store().find(digest) if os.environ.get(STORE_VARIABLE) else None
    if source is not None:
        copy_whole(source, place, digest)
    return source is not None


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
