"""`samebits data push`, `pull`, `status` and `sync`: tables of configs and runs, and runs' models, to the team's store and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.commands.data_pin import ROWS_PIN, digest_named_file, digest_named_table, list_pinned, read_query
from samebits.config.documents import take_section
from samebits.config.loading import Brought, read_config_document
from samebits.errors import ConfigError, DataError, Problem
from samebits.holdings.data_search import is_inside
from samebits.keys.table import Query
from samebits.project import find_config, find_data, find_project_root
from samebits.sources.address import is_address
from samebits.sources.bringing import bring_answer, bring_named
from samebits.sources.delta import read_version
from samebits.steps.graph import list_step_inputs, list_step_outputs
from samebits.stores.folder import copy_whole
from samebits.stores.store import STORE_VARIABLE, Store, list_stores, open_store, take_from
from samebits.table.files import digest_table
from samebits.text import tell, warn
from samebits.transfers.cache import keep_cached

_CODE = frozenset({".py", ".pyc", ".pth", ".so", ".sh"})


@dataclass(frozen=True)
class Named:
    """A file or folder that a config reads, and the digest that it is pinned to, if any.

    Parameters
    ----------
    named
        As the config has it.
    query
        What a database is asked where nothing lies there, and the variable that names it.
    is_made
        Whether a step of the config makes it.
    is_raw
        Whether steps of the config begin with it, so that it must lie at its place.
    folder
        That of the config, from which paths are found too.
    """

    where: str
    named: str
    place: Path
    pin: str | None
    is_table: bool = True
    query: tuple[Query, str] | None = field(default=None, repr=False)
    is_made: bool = False
    is_raw: bool = False
    folder: Path | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is read from the cache, and lies at no place of its own."""
        return not self.is_raw and (is_address(self.named) or read_version(self.place) is not None)

    @property
    def shown(self) -> str:
        """How a line names it."""
        return self.named if self.is_elsewhere else str(self.place)

    def bring(self) -> Brought | None:
        """Bring it from its own source, if it has one: an address, DVC's stores, a database."""
        brought = None
        if not (self.is_raw and self.place.exists()):
            brought = bring_named(self.named, self.place, self.pin, self.where, warn)
        if brought is None and self.query is not None and not self.place.exists():
            return bring_answer(*self.query, self.pin, warn)
        return brought

    def digest(self, path: Path) -> str:
        """Return the digest of what lies at a path, having looked that it is what a config may name."""
        return digest_named_table(path) if self.is_table or path.is_dir() else digest_named_file(path)


def list_named(conf_files: Sequence[str]) -> Iterator[Named]:
    """Yield what configs read, each place once; without a config named, of all below confs/.

    Raises
    ------
    ConfigError
        One is no config.
    """
    root, seen = find_project_root(), set[Path]()
    for conf_file in conf_files or list_configs(root):
        path = find_config(conf_file, root)
        sections = read_config_document(path).value
        for one in (*_list_of_steps(sections, path, root), *_list_of_keys(sections, path, root)):
            if one.place not in seen:
                seen.add(one.place)
                yield one


def _list_of_keys(sections: dict[str, Any], path: Path, root: Path) -> Iterator[Named]:
    for key_path, named in list_pinned(path).items():
        pin = take_section(sections, key_path[0]).get(key_path[1])
        query = read_query(take_section(sections, "data")) if key_path[1] == "digest" else None
        place = find_data(named, path, root)
        yield Named(f"{path}: {'.'.join(key_path)}", named, place, pin, key_path != ROWS_PIN, query, folder=path.parent)


def _list_of_steps(sections: dict[str, Any], path: Path, root: Path) -> Iterator[Named]:
    """Yield what steps begin with, and what they make: that is kept where it is there, and made again where it is not."""
    for key_path, one in list_step_inputs(sections, path, root).items():
        where = f"{path}: {'.'.join(map(str, key_path))}"
        yield Named(where, one.source or one.path, one.place, one.pin, is_table=False, is_raw=True, folder=path.parent)
    pinned = {find_data(named, path, root) for key_path, named in list_pinned(path).items() if _has_pin(sections, key_path)}
    for place in list_step_outputs(sections, root):
        if place not in pinned:
            yield Named(f"{path}: steps", str(place), place, None, is_table=False, is_made=True)


def _has_pin(sections: dict[str, Any], key_path: tuple[str, str]) -> bool:
    return take_section(sections, key_path[0]).get(key_path[1]) is not None


def list_configs(root: Path) -> list[str]:
    """Return the files below confs/ that name a table; others that lie there are not meant.

    Raises
    ------
    DataError
        There is none.
    """
    found = sorted(path for pattern in ("*.yaml", "*.yml", "*.toml", "*.json") for path in (root / "confs").glob(pattern))
    configs = [str(path) for path in found if _names_table(path)]
    if not configs:
        raise DataError(Problem(f"{root / 'confs'}", "configs", "none", "Name a config: samebits data push CONF."))
    return configs


def _names_table(path: Path) -> bool:
    try:
        value = read_config_document(path).value
    except ConfigError:  # whatever else lies there
        return False
    return isinstance(value.get("data"), dict) and "path" in value["data"] and "models" in value


def is_config(word: str) -> bool:
    """Tell whether a word of the command line names a config rather than a run."""
    return Path(word).suffix.lower() in (".yaml", ".yml", ".toml") or any((folder / word).is_file() for folder in _list_folders())


def _list_folders() -> tuple[Path, Path]:
    return find_project_root(), Path.cwd()


def run_data_push(words: Sequence[str]) -> None:
    """Keep the tables of configs in the store, and the tables and models of runs, each once.

    Raises
    ------
    DataError
        A table is missing or is not the pinned one, or the store cannot be written.
    """
    store = open_store(find_project_root())[0]
    configs = [word for word in words if is_config(word)]
    for named in list_named(configs) if configs or not words else ():
        _push(named, store)
    for word in words:
        if word not in configs:
            from samebits.commands.data_of_runs import push_run  # which imports MLflow

            push_run(word, store)


def _push(named: Named, store: Store) -> None:
    if named.pin is not None and not named.place.exists() and store.holds(named.pin):
        tell(f"there   {named.pin}  {named.shown}")
        return
    if named.is_made and not named.place.exists():
        return
    brought = named.bring()
    path = named.place if brought is None else brought.path
    digest = named.digest(path)
    if named.pin is not None and named.pin != digest:
        remedy = "Restore the file, or take the new bytes with `samebits data pin CONF`."
        raise DataError(Problem(named.where, f"the bytes of {named.pin}", f"{digest} at {path}", remedy))
    tell(f"{'pushed ' if store.put(path, digest) else 'there  '} {digest}  {named.shown}")


def run_data_pull(words: Sequence[str]) -> None:
    """Bring the pinned tables of configs to where the configs read them, and runs' tables and models; nothing is overwritten.

    Raises
    ------
    DataError
        A table is not pinned, is nowhere to be had, or its place holds other bytes.
    """
    root, problems = find_project_root(), list[Problem]()
    stores = open_store(root) if list_stores(root) else ()  # what has a source of its own needs none
    configs = [word for word in words if is_config(word)]
    for named in list_named(configs) if configs or not words else ():
        try:
            tell(f"{_pull(named, stores)} {named.pin or 'not pinned':71}  {named.shown}")
        except DataError as error:
            problems += error.problems
    for word in words:
        if word not in configs:
            from samebits.commands.data_of_runs import pull_run

            pull_run(word, stores)
    if problems:
        raise DataError(*problems)


def _pull(named: Named, stores: tuple[Store, ...]) -> str:
    if named.place.exists():
        if named.pin is not None and digest_table(named.place, named.pin) != named.pin:
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
        copy_whole(path, named.place, named.pin or named.digest(path))
    elif named.pin is not None:
        keep_cached(path, named.pin)
    return "pulled "


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


def run_data_status(conf_files: Sequence[str]) -> None:
    """Say of each table of the configs whether it is here, and whether it is in the store.

    Raises
    ------
    DataError
        There is no store.
    """
    stores = open_store(find_project_root())
    for named in list_named(conf_files):
        digest = named.digest(named.place) if named.place.exists() else None
        wanted = named.pin or digest
        here = "elsewhere" if named.is_elsewhere else _say_what_lies_there(digest, wanted)
        stored = "stored" if wanted is not None and any(store.holds(wanted) for store in stores) else "not stored"
        tell(f"{here:11} {stored:10} {wanted or 'no digest':71} {named.shown}")


def _say_what_lies_there(digest: str | None, wanted: str | None) -> str:
    if digest is None:
        return "missing"
    return "here" if digest == wanted else "other bytes"


def run_data_sync(conf_files: Sequence[str]) -> None:
    """Bring what is missing here, and keep what is missing in the store: tables of configs, and their latest runs' models.

    Raises
    ------
    DataError
        A table can be neither brought nor kept; the others are all the same.
    """
    root, problems = find_project_root(), list[Problem]()
    stores = open_store(root)
    configs = list(conf_files) or list_configs(root)
    for named in list_named(configs):
        try:
            if named.place.exists() or named.is_elsewhere:
                _push(named, stores[0])
            else:
                tell(f"{_pull(named, stores)} {named.pin or 'not pinned':71}  {named.shown}")
        except DataError as error:
            problems += error.problems
    from samebits.commands.data_of_runs import sync_models

    sync_models(configs, stores)
    if problems:
        raise DataError(*problems)
