"""The door: the stores that a person, or a project, names. The first is written to, all are read.

They are named by SAMEBITS_DATA_STORE, several separated as in PATH, or by `data_store` under `[tool.samebits]` of the project's
pyproject.toml, a text or a list.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from samebits.config.documents import read_document, take_section
from samebits.errors import DataError, Problem, SamebitsError
from samebits.project import expand_home
from samebits.sources.address import BUCKETS, is_address
from samebits.sources.buckets import Bucket
from samebits.stores.bucket import BucketStore
from samebits.stores.digest_cache import DigestCache
from samebits.stores.folder import FolderStore, Kept, copy_whole

STORE_VARIABLE = "SAMEBITS_DATA_STORE"
HELD_VARIABLE = "SAMEBITS_HELD_IN_STORE"  # digests of what it has, told to a run that is made again and is given no key to it
_KEY = "data_store"


class Store(Protocol):
    """What a store of either kind can be asked; see there for what each raises."""

    @property
    def where(self) -> str: ...
    def holds(self, digest: str) -> bool: ...
    def take(self, digest: str) -> Path | None: ...
    def put(self, table: Path, digest: str) -> bool: ...
    def list_digests(self) -> dict[str, Kept]: ...
    def list_parts(self, digest: str) -> list[str]: ...
    def delete(self, digest: str) -> None: ...


def list_stores(root: Path) -> list[str]:
    """Return the names of the stores, as the variable has them, or else the project.

    >>> os.environ[STORE_VARIABLE] = "/mnt/a:s3://team/b:/mnt/c"
    >>> list_stores(Path("/nowhere"))
    ['/mnt/a', 's3://team/b', '/mnt/c']
    >>> del os.environ[STORE_VARIABLE]
    """
    named = os.environ.get(STORE_VARIABLE, "")
    if named:
        return [name for name in re.split(rf"{re.escape(os.pathsep)}(?!//)", named) if name]
    path = root / "pyproject.toml"
    kept = take_section(read_document(path).value, "tool", "samebits").get(_KEY) if path.is_file() else None
    names = [kept] if isinstance(kept, str) else kept or []
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise DataError(Problem(f"{path}: tool.samebits.{_KEY}", "a text, or a list of such", repr(kept)[:60], "Mend it."))
    return [name if is_address(name) else str(root / expand_home(name)) for name in names]


def open_store(root: Path, known: DigestCache | None = None) -> tuple[Store, ...]:
    """Return the stores, the first of which is written to.

    Parameters
    ----------
    known
        Digests that need not be found anew.

    Raises
    ------
    DataError
        None is named, or one is not there: a mistyped one is not made.
    """
    found = tuple(open_named(name, known) for name in list_stores(root))
    if not found:
        remedy = (
            f"Set it: export {STORE_VARIABLE}=/path/to/a/shared/folder, or s3://bucket/prefix; or data_store under [tool.samebits]."
        )
        raise DataError(Problem(STORE_VARIABLE, "the store that keeps tables by their digest", "none named", remedy))
    for store in found:
        if isinstance(store, BucketStore):
            store.bucket.require()
    return found


def open_named(name: str, known: DigestCache | None = None) -> Store:
    """Return a store by its name: a bucket's address, or a folder.

    Raises
    ------
    DataError
        It is an address of another kind, or a folder that is not there.
    """
    if not is_address(name):
        folder = expand_home(name)
        if not folder.is_dir():
            raise DataError(Problem(STORE_VARIABLE, "a folder that is there", str(folder), "Make it, or mount it."))
        return FolderStore(folder, known)
    scheme, _, rest = name.partition("://")
    bucket, _, prefix = rest.strip("/").partition("/")
    if scheme not in BUCKETS or not bucket:
        schemes = ", ".join(f"{one}://" for one in BUCKETS)
        raise DataError(Problem(STORE_VARIABLE, f"a folder, or a bucket ({schemes})", name, "Name one of these."))
    return BucketStore(Bucket(f"{scheme}://{bucket}"), f"{prefix}/" if prefix else "", known)


def take_from(stores: tuple[Store, ...], digest: str) -> tuple[Path, str] | None:
    """Return a table that one of some stores has, and which; None where none has it."""
    for store in stores:
        if (path := store.take(digest)) is not None:
            return path, store.where
    return None


def find_stores(root: Path) -> Iterator[Store]:
    """Yield the stores that can be opened: whoever looks for a table goes on to the next place where one cannot."""
    try:
        names = list_stores(root)
    except SamebitsError:  # a pyproject.toml that cannot be read
        return
    for name in names:
        with contextlib.suppress(DataError):
            yield open_named(name)


def bring_to_place(root: Path, digest: str, place: Path) -> bool:
    """Bring what has a digest from a store to a place where nothing is, and tell whether it is there; without a store it is not.

    Raises
    ------
    DataError
        There is no room for it, or what a store has is not what its name says.
    """
    found = take_from(tuple(find_stores(root)), digest)
    if found is not None:
        copy_whole(found[0], place, digest)
    return found is not None
