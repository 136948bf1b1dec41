"""`samebits data push`, `pull`, `status` and `sync`: tables of configs and runs, and runs' models, to the team's store and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from samebits.commands.named_data import Named, list_configs, list_named
from samebits.errors import DataError, Problem
from samebits.holdings.data_search import is_inside
from samebits.project import find_project_root
from samebits.stores.digest_cache import DigestCache
from samebits.stores.folder import copy_whole
from samebits.stores.store import STORE_VARIABLE, Store, list_stores, open_store, take_from
from samebits.table.files import digest_table
from samebits.text import tell
from samebits.transfers.cache import keep_cached

_CODE = frozenset({".py", ".pyc", ".pth", ".so", ".sh"})


def is_config(word: str) -> bool:
    """Tell whether a word of the command line names a config rather than a run."""
    return Path(word).suffix.lower() in (".yaml", ".yml", ".toml") or any((folder / word).is_file() for folder in _list_folders())


def _list_folders() -> tuple[Path, Path]:
    return find_project_root(), Path.cwd()


def run_data_push(words: Sequence[str], rehash: bool = False) -> None:
    """Keep the tables of configs in the store, and the tables and models of runs, each once.

    Parameters
    ----------
    rehash
        Whether each file is read, here and in a store that is a folder, also where it did not change since it was read last.

    Raises
    ------
    DataError
        A table is missing or is not the pinned one, or the store cannot be written.
    """
    root = find_project_root()
    with DigestCache(root, not rehash) as known:
        store = open_store(root, known)[0]
        configs = [word for word in words if is_config(word)]
        for named in list_named(configs) if configs or not words else ():
            _push(named, store, known)
        for word in words:
            if word not in configs:
                from samebits.commands.data_of_runs import push_run  # which imports MLflow

                push_run(word, store)


def _push(named: Named, store: Store, known: DigestCache) -> None:
    if named.pin is not None and not named.place.exists() and store.holds(named.pin):
        tell(f"there   {named.pin}  {named.shown}")
        return
    if named.is_made and not named.place.exists():
        return
    brought = named.bring()
    path = named.place if brought is None else brought.path
    digest = named.digest(path, known)
    if named.pin is not None and named.pin != digest:
        remedy = "Restore the file, or take the new bytes with `samebits data pin CONF`."
        raise DataError(Problem(named.where, f"the bytes of {named.pin}", f"{digest} at {path}", remedy))
    tell(f"{'pushed ' if store.put(path, digest) else 'there  '} {digest}  {named.shown}")


def run_data_pull(words: Sequence[str], rehash: bool = False) -> None:
    """Bring the pinned tables of configs to where the configs read them, and runs' tables and models; nothing is overwritten.

    Parameters
    ----------
    rehash
        Whether each file that is here already is read, also where it did not change since it was read last.

    Raises
    ------
    DataError
        A table is not pinned, is nowhere to be had, or its place holds other bytes.
    """
    root, problems = find_project_root(), list[Problem]()
    stores = open_store(root) if list_stores(root) else ()  # what has a source of its own needs none
    configs = [word for word in words if is_config(word)]
    with DigestCache(root, not rehash) as known:
        for named in list_named(configs) if configs or not words else ():
            try:
                tell(f"{_pull(named, stores, known)} {named.pin or 'not pinned':71}  {named.shown}")
            except DataError as error:
                problems += error.problems
    for word in words:
        if word not in configs:
            from samebits.commands.data_of_runs import pull_run

            pull_run(word, stores)
    if problems:
        raise DataError(*problems)


def _pull(named: Named, stores: tuple[Store, ...], known: DigestCache) -> str:
    if named.place.exists():
        if named.pin is not None and not _is_there(named.place, named.pin, known):
            found = f"other bytes at {named.place}"
            remedy = "Nothing is overwritten: move them away, or pin them."
            raise DataError(Problem(named.where, f"the bytes of {named.pin}", found, remedy))
        return "there  "
    if named.is_made:
        return "to make"
    _refuse_place(named)
    if named.query is not None and named.pin is None:
        return "asked anew"  # rows that are written down here would stand for the database ever after
    found_there = take_from(stores, named.pin) if named.pin is not None else None
    path = found_there[0] if found_there is not None else None
    if path is None and (brought := named.bring()) is not None:
        path = brought.path
    if path is None:
        raise DataError(_describe_missing(named, stores))
    if not named.is_elsewhere:
        known.note_copy(named.place, copy_whole(path, named.place, named.pin or named.digest(path, known)))
    elif named.pin is not None:
        keep_cached(path, named.pin)
    return "pulled "


def _is_there(place: Path, pin: str, known: DigestCache) -> bool:
    """Tell whether a place has the pinned bytes: of a folder, a pin of long ago may cover names that are left out today."""
    return known.digest(place) == pin or digest_table(place, pin) == pin


def _refuse_place(named: Named) -> None:
    """What a config of somebody else names is data in its project, and nothing that a program reads or runs.

    Raises
    ------
    DataError
        The place lies outside of the project and of the config's folder, in a hidden folder, or is named as code.
    """
    if named.is_elsewhere:
        return
    folders = [find_project_root(), *([named.folder] if named.folder is not None else [])]
    if not any(is_inside(named.place, folder) for folder in folders) or named.place.suffix in _CODE:
        remedy = "Copy the file there yourself, or name another path: data/raw/…."
        raise DataError(Problem(named.where, "a path for data inside the project", str(named.place), remedy))


def _describe_missing(named: Named, stores: tuple[Store, ...]) -> Problem:
    if named.pin is None:
        raw = "Where the file is, run its steps and write the digest that `samebits data status CONF` shows: {path: …, digest: …}."
        remedy = raw if named.is_raw else "Where the table is: samebits data pin CONF."
        return Problem(named.where, "a digest, by which it is found", "none", remedy)
    places = ", ".join(store.where for store in stores) or f"a store: {STORE_VARIABLE} names none"
    return Problem(named.where, f"{named.pin} in {places}", "nothing", "Ask who has it for samebits data push.")


def run_data_status(conf_files: Sequence[str], rehash: bool = False) -> None:
    """Say of each table of the configs whether it is here, and whether it is in the store.

    Parameters
    ----------
    rehash
        As of `run_data_push`.

    Raises
    ------
    DataError
        There is no store.
    """
    root = find_project_root()
    with DigestCache(root, not rehash) as known:
        stores = open_store(root, known)
        for named in list_named(conf_files):
            digest = named.digest(named.place, known) if named.place.exists() else None
            wanted = named.pin or digest
            here = "elsewhere" if named.is_elsewhere else _say_what_lies_there(digest, wanted)
            stored = "stored" if wanted is not None and any(store.holds(wanted) for store in stores) else "not stored"
            tell(f"{here:11} {stored:10} {wanted or 'no digest':71} {named.shown}")


def _say_what_lies_there(digest: str | None, wanted: str | None) -> str:
    if digest is None:
        return "missing"
    return "here" if digest == wanted else "other bytes"


def run_data_sync(conf_files: Sequence[str], rehash: bool = False) -> None:
    """Bring what is missing here, and keep what is missing in the store: tables of configs, and their latest runs' models.

    Parameters
    ----------
    rehash
        As of `run_data_push`.

    Raises
    ------
    DataError
        A table can be neither brought nor kept; the others are all the same.
    """
    root, problems = find_project_root(), list[Problem]()
    configs = list(conf_files) or list_configs(root)
    with DigestCache(root, not rehash) as known:
        stores = open_store(root, known)
        for named in list_named(configs):
            try:
                if named.place.exists() or named.is_elsewhere:
                    _push(named, stores[0], known)
                else:
                    tell(f"{_pull(named, stores, known)} {named.pin or 'not pinned':71}  {named.shown}")
            except DataError as error:
                problems += error.problems
    from samebits.commands.data_of_runs import sync_models

    sync_models(configs, stores)
    if problems:
        raise DataError(*problems)
