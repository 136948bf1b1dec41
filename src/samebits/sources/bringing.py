"""The door: from what a config names to the file or folder on this disk that it means, brought here where it lies elsewhere.

A path stays a path. An address, and a path at which nothing lies and that DVC tracks or that names a version of a Delta table, is
brought into the cache, once for each digest.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from samebits.config.loading import Brought, LoadedConfig
from samebits.errors import DataError, Problem
from samebits.keys.table import Query
from samebits.lineage.manifest import is_inner_path
from samebits.plain_files import describe_size
from samebits.project import find_data
from samebits.sources.address import HUB, WEB, Address, is_address, parse_address
from samebits.sources.buckets import Bucket, open_address, open_object
from samebits.sources.delta import find_version, list_files, read_version, require_deltalake, split_version
from samebits.sources.dvc import DvcStore, Tracked, check_md5, find_store, find_tracked, read_listing
from samebits.sources.web import open_web
from samebits.table.files import DELTA_LOG, join_parts, list_table_files
from samebits.transfers.abreast import Watch, run_abreast
from samebits.transfers.cache import find_cached, find_folder, recall, take_in
from samebits.transfers.origin import Held, Origin, open_file
from samebits.transfers.transfer import Check, bring

Follow = Callable[[str], None]


def bring_inputs(loaded: LoadedConfig, project_root: Path, follow: Follow = lambda _: None) -> LoadedConfig:
    """Return a config with all that it reads on this disk: what it names by an address, or DVC tracks, is brought.

    Raises
    ------
    ConfigError, DataError
        One of them is to be had from nowhere.
    """
    brought = {
        name: bring_named(name, find_data(name, loaded.document.path, project_root), pin, ".".join(key), follow)
        for key, (name, pin) in loaded.list_named().items()
    }
    data, place = loaded.config.data, find_data(loaded.config.data.path, loaded.document.path, project_root)
    if data.query is not None and data.database is not None and not place.exists() and brought[data.path] is None:
        brought[data.path] = bring_answer(data.query, data.database, data.digest, follow)
    return dataclasses.replace(loaded, brought={name: found for name, found in brought.items() if found is not None})


def bring_answer(query: Query, variable: str, pin: str | None, follow: Follow) -> Brought:
    """Bring rows of a database; those that are pinned and were asked for before are not asked for again.

    Raises
    ------
    ConfigError, DataError
        They are not to be had, or are not the pinned ones.
    """
    from samebits.sources.query import bring_query  # which imports Arrow and SQLAlchemy

    cached = find_cached(pin) if pin is not None else None
    if cached is not None:
        return Brought(cached, f"rows of the database in {variable}")
    follow(f"ask     the database in {variable}")
    path, address = bring_query(query, variable, pin)
    return Brought(path, address)


def bring_named(named: str, place: Path, pin: str | None, where: str = "data.path", follow: Follow = lambda _: None) -> Brought | None:
    """Bring what a config names; None where it is a path that the caller reads as it is.

    Parameters
    ----------
    named
        As the config has it.
    place
        The path that it is, where it is one.
    pin
        The digest that the config pins it to, if any: what is pinned and was brought before is not asked for again.
    where
        The key that names it.
    follow
        Told what is fetched from where.

    Raises
    ------
    ConfigError
        The address is none that is known here.
    DataError
        It cannot be had, or is not what it is pinned to.
    """
    fetch = _choose_fetch(named, place, where)
    if pin is not None and (fetch is not None or read_version(place) is not None) and (cached := find_cached(pin)) is not None:
        return Brought(cached, named if is_address(named) else str(place))
    if fetch is None:
        return None
    try:
        return fetch(pin, follow)
    except FileNotFoundError as error:
        raise DataError(Problem(where, "a table", f"nothing at {error}", "Check the address, and the version.")) from None


def _choose_fetch(named: str, place: Path, where: str) -> Callable[[str | None, Follow], Brought] | None:
    if is_address(named):
        return partial(_bring_address, parse_address(named, where))
    if place.exists():
        return None
    if (versioned := find_version(place)) is not None:
        return partial(_bring_version, *versioned, str(place))
    tracked = find_tracked(place)
    return None if tracked is None else partial(_bring_tracked, tracked, place)


def _bring_address(address: Address, pin: str | None, follow: Follow) -> Brought:
    if address.scheme in (*WEB, HUB):
        return Brought(_bring_file(open_web(address), pin, follow).path, address.text)
    bucket, key = open_address(address)
    if address.version is None and (table := split_version(key)) is not None:
        return _bring_bucket_version(bucket, *table, address, pin, follow)
    if address.is_folder:
        return Brought(_bring_bucket_folder(bucket, key, pin, follow), address.text)
    return _bring_object(bucket, key, address, pin, follow)


def _bring_object(bucket: Bucket, key: str, address: Address, pin: str | None, follow: Follow) -> Brought:
    arrived = _bring_file(open_object(bucket, key, address.version), pin, follow)
    return Brought(arrived.path, address.name_version(arrived.held.version))


class _Arrived(NamedTuple):
    path: Path
    digest: str
    held: Held

    @property
    def place(self) -> tuple[Path, str]:
        return self.path, self.digest


def _bring_file(origin: Origin, pin: str | None, follow: Follow, check: Check | None = None, watch: Watch | None = None) -> _Arrived:
    held = origin.look()
    known = recall(origin.where, held)
    if known is not None and known == (pin or known) and (cached := find_cached(known)) is not None:
        return _Arrived(cached, known, held)
    size = "" if held.size_bytes is None else f", {describe_size(held.size_bytes)}"
    follow(f"fetch   {origin.where}{size}")
    return _Arrived(*bring(origin if watch is None else watch.follow_origin(origin), held, pin, check), held)


def _bring_files(origins: dict[str, Origin], follow: Follow) -> dict[str, tuple[Path, str]]:
    return run_abreast(lambda _, origin, watch: _bring_file(origin, None, follow, watch=watch).place, origins)


def _bring_bucket_folder(bucket: Bucket, prefix: str, pin: str | None, follow: Follow) -> Path:
    origins = {name: open_object(bucket, prefix + name) for name in bucket.list_objects(prefix) if is_inner_path(name)}
    if not origins:
        raise FileNotFoundError(f"{bucket.root}/{prefix}")
    return join_folder(_bring_files(origins, follow), pin, f"{bucket.root}/{prefix}")


def _bring_version(table: Path, version: int, named: str, pin: str | None, follow: Follow) -> Brought:
    files = {name: open_file(table / name) for name in list_files(table, version, named)}
    return Brought(_bring_files_of_version(files, pin, named, follow), named)


def _bring_bucket_version(bucket: Bucket, table: str, version: int, address: Address, pin: str | None, follow: Follow) -> Brought:
    """The log alone tells which of the folder's files are the version's: it is brought first."""
    log = [f"{DELTA_LOG}/{name}" for name in bucket.list_objects(f"{table}/{DELTA_LOG}/") if is_inner_path(name)]
    if not log:
        return _bring_object(bucket, address.key, address, pin, follow)  # a name of its own that ends so
    require_deltalake(address.text)
    follow(f"fetch   the log of {bucket.root}/{table}, {len(log)} files")
    with tempfile.TemporaryDirectory(prefix=".log-", dir=find_folder()) as scratch:
        parts = _bring_files({name: open_object(bucket, f"{table}/{name}") for name in log}, lambda _: None)
        for name, (path, _) in parts.items():
            Path(scratch, name).parent.mkdir(parents=True, exist_ok=True)
            os.link(path, Path(scratch, name))
        names = list_files(Path(scratch), version, address.text)
    origins = {name: open_object(bucket, f"{table}/{name}") for name in names}
    return Brought(_bring_files_of_version(origins, pin, address.text, follow), address.text)


def _bring_files_of_version(origins: dict[str, Origin], pin: str | None, where: str, follow: Follow) -> Path:
    try:
        files = _bring_files(origins, follow)
    except FileNotFoundError as error:
        found = f"one of them removed (VACUUM): {error.filename or error}"
        remedy = "Name a later version, or have the pinned rows from a data store or a run."
        raise DataError(Problem(where, "all files that the version's log names", found, remedy)) from None
    return join_folder(files, pin, where)


def join_folder(files: dict[str, tuple[Path, str]], pin: str | None, where: str) -> Path:
    """Return a folder of files that lie in the cache, by links: they are there once.

    Parameters
    ----------
    files
        By its path inside, where each lies, and its digest, to which it was held as it came.

    Raises
    ------
    DataError
        It is not what it is pinned to.
    """
    with tempfile.TemporaryDirectory(prefix=".joined-", dir=find_folder()) as scratch:
        folder = Path(scratch, "folder")
        for name, (file, _) in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(file, folder / name)
        digest = join_parts(folder, {name: files[name][1] for name in list_table_files(folder)})
        if pin not in (None, digest):
            remedy = "Name the folder that is meant, or take the new bytes with `samebits data pin CONF`."
            raise DataError(Problem(where, f"the pinned {pin}", digest, remedy))
        return take_in(folder, digest)


def _bring_tracked(tracked: Tracked, place: Path, pin: str | None, follow: Follow) -> Brought:
    store = find_store(tracked.repository)
    if not tracked.md5.endswith(".dir"):
        return Brought(_bring_md5(store, tracked.md5, pin, follow).path, str(place))
    listing = read_listing(_bring_md5(store, tracked.md5, None, follow).path, tracked.inner)
    if list(listing) == [""]:
        return Brought(_bring_md5(store, listing[""], pin, follow).path, str(place))
    named = {name: md5 for name, md5 in listing.items() if is_inner_path(name)}
    if not named:
        raise FileNotFoundError(f"{tracked.inner!r} in what {tracked.by} names")
    wanted = dict.fromkeys(sorted(set(named.values())))
    arrived = run_abreast(lambda md5, _, watch: _bring_md5(store, md5, None, follow, watch), wanted)
    return Brought(join_folder({name: arrived[md5].place for name, md5 in named.items()}, pin, str(place)), str(place))


def _bring_md5(store: DvcStore, md5: str, pin: str | None, follow: Follow, watch: Watch | None = None) -> _Arrived:
    for origin in store.open(md5):
        try:
            return _bring_file(origin, pin, follow, partial(check_md5, md5), watch)
        except FileNotFoundError:
            continue
    places = " or ".join(filter(None, (str(store.cache), store.remote)))
    remedy = "Ask who has it for `dvc push`, or configure DVC's remote."
    raise DataError(Problem("a table that DVC tracks", f"the file of MD5 {md5} in {places}", "nothing", remedy))
