"""What configs name and a store keeps: tables, files of rows, what steps begin with and what they make, each with its pin.

How it goes to a store and comes back is in `data_store`, which of it nobody needs any more in `data_versions`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.commands.data_pin import ROWS_PIN, digest_named_file, digest_named_table, list_pinned, read_query
from samebits.config.documents import take_section
from samebits.config.loading import Brought, read_config_document
from samebits.errors import ConfigError, DataError, Problem
from samebits.keys.table import Query
from samebits.project import find_config, find_data, find_project_root
from samebits.sources.address import is_address
from samebits.sources.bringing import bring_answer, bring_named
from samebits.sources.delta import read_version
from samebits.steps.graph import list_step_inputs, list_step_outputs
from samebits.stores.digest_cache import DigestCache
from samebits.text import warn


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

    def digest(self, path: Path, known: DigestCache) -> str:
        """Return the digest of what lies at a path, having looked that it is what a config may name."""
        if self.is_table or path.is_dir():
            return digest_named_table(path, known.digest)
        return known.digest(path) or digest_named_file(path)


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
