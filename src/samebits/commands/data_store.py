"""`samebits data push`, `pull` and `status`: the tables of configs, brought to the team's store and back, by their digests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from samebits.commands.data_pin import ROWS_PIN, digest_named_file, digest_named_table, list_pinned
from samebits.config.documents import take_section
from samebits.config.loading import read_config_document
from samebits.errors import ConfigError, DataError, Problem
from samebits.holdings.data_store import DataStore, copy_whole, open_store
from samebits.project import find_config, find_data, find_project_root
from samebits.table.files import digest_table
from samebits.text import tell


@dataclass(frozen=True)
class Named:
    """A file or folder that a config reads, and the digest that it is pinned to, if any."""

    where: str
    path: Path
    pin: str | None
    is_table: bool

    def digest(self) -> str:
        """Return the digest of what lies there."""
        return digest_named_table(self.path) if self.is_table else digest_named_file(self.path)


def list_named(conf_files: Sequence[str]) -> Iterator[Named]:
    """Yield what configs read, each place once; without a config named, of all below confs/.

    Raises
    ------
    ConfigError
        One is no config.
    """
    root, seen = find_project_root(), set[Path]()
    for conf_file in conf_files or _list_configs(root):
        path = find_config(conf_file, root)
        sections = read_config_document(path).value
        for key_path, named in list_pinned(path).items():
            place = find_data(named, path, root)
            if place not in seen:
                seen.add(place)
                pin = take_section(sections, key_path[0]).get(key_path[1])
                yield Named(f"{path}: {'.'.join(key_path)}", place, pin, key_path != ROWS_PIN)


def _list_configs(root: Path) -> list[str]:
    """Files below confs/ that name a table; others that lie there are not meant."""
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


def run_data_push(conf_files: Sequence[str]) -> None:
    """Keep the configs' tables in the store, each once.

    Raises
    ------
    DataError
        A table is missing or is not the pinned one, or the store cannot be written.
    """
    store = open_store()
    for named in list_named(conf_files):
        digest = named.digest()
        if named.pin is not None and named.pin != digest:
            remedy = "Restore the file, or take the new bytes with `samebits data pin CONF`."
            raise DataError(Problem(named.where, f"the bytes of {named.pin}", f"{digest} at {named.path}", remedy))
        tell(f"{'pushed ' if store.put(named.path, digest) else 'there  '} {digest}  {named.path}")


def run_data_pull(conf_files: Sequence[str]) -> None:
    """Bring the configs' pinned tables from the store to where the configs read them; nothing is overwritten.

    Raises
    ------
    DataError
        A table is not pinned, is not in the store, or its place holds other bytes.
    """
    store, problems = open_store(), list[Problem]()
    for named in list_named(conf_files):
        try:
            tell(f"{_pull(named, store)} {named.pin}  {named.path}")
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(*problems)


def _pull(named: Named, store: DataStore) -> str:
    if named.pin is None:
        raise DataError(Problem(named.where, "a digest, by which it is found", "none", "Where the table is: samebits data pin CONF."))
    if named.path.exists():
        if digest_table(named.path, named.pin) != named.pin:
            found = f"other bytes at {named.path}"
            raise DataError(
                Problem(named.where, f"the bytes of {named.pin}", found, "Nothing is overwritten: move them away, or pin them.")
            )
        return "there  "
    source = store.find(named.pin)
    if source is None:
        folders = ", ".join(map(str, store.folders))
        raise DataError(Problem(named.where, f"{named.pin} in {folders}", "nothing", "Ask who has it for samebits data push."))
    copy_whole(source, named.path, named.pin)
    return "pulled "


def run_data_status(conf_files: Sequence[str]) -> None:
    """Say of each table of the configs whether it is here, and whether it is in the store.

    Raises
    ------
    DataError
        There is no store.
    """
    store = open_store()
    for named in list_named(conf_files):
        digest = named.digest() if named.path.exists() else None
        wanted = named.pin or digest
        here = "missing" if digest is None else "here" if digest == wanted else "other bytes"
        stored = "stored" if wanted is not None and store.find(wanted) is not None else "not stored"
        tell(f"{here:11} {stored:10} {wanted or 'no digest':71} {named.path}")
