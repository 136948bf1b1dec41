"""The files that are a table: one file, or all of a folder but its markers; their digest, and what their paths say of their rows.

In a folder, names that begin with "_" or "." are markers that other programs left (`_SUCCESS`, `_metadata`) and no part of the table,
nor of its digest. All other files must be of one kind. A folder name such as `year=2020` is a column of all rows below it, as Hive,
Spark and pandas write it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from samebits.digests import digest_file, digest_folder, digest_manifest
from samebits.errors import DataError, Problem, suggest
from samebits.plain_files import is_plain, read_plain
from samebits.text import shorten_list

DELTA_LOG = "_delta_log"
_COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
_KNOWN_KINDS = ("parquet", ".arrow", ".csv", ".tsv", ".txt", ".tab", ".data", ".dat")
_SAVED_DATASET = ("state.json", "dataset_info.json")
_MOST_STATE_BYTES = 16 << 20
_MISSING_PARTITION = "__HIVE_DEFAULT_PARTITION__"  # what Hive and Spark write for a missing value


def list_table_files(path: Path) -> dict[str, Path]:
    """Return a table's files by their path inside its folder, in the order of these paths as bytes; or the one file by its name."""
    if not path.is_dir():
        return {path.name: path}
    found = [Path(root, name) for root, names in _walk_once(path) for name in names]
    by_name = {file.relative_to(path).as_posix(): file for file in found}
    kept = [name for name in by_name if not is_marker(name) and not (is_saved_dataset(path) and name in _SAVED_DATASET)]
    return {name: by_name[name] for name in sorted(kept, key=os.fsencode)}


def is_saved_dataset(path: Path) -> bool:
    """Tell whether a folder is what Hugging Face's `Dataset.save_to_disk` writes: Arrow files, and two that tell of them."""
    return all((path / name).is_file() for name in _SAVED_DATASET)


def _refuse_other_dataset(path: Path) -> None:
    """Of a saved dataset, the files must be all its rows, in the order of their names."""
    if (path / "dataset_dict.json").is_file():
        splits = ", ".join(sorted(folder.name for folder in path.iterdir() if folder.is_dir()))
        remedy = "Name the folder of one of them in data.path."
        raise DataError(Problem(str(path), "one saved dataset", f"several ({splits})", remedy))
    if not is_saved_dataset(path):
        return
    try:
        state = json.loads(read_plain(path / _SAVED_DATASET[0], _MOST_STATE_BYTES))
        names = [str(file["filename"]) for file in state["_data_files"]]
        has_selection = bool(state.get("_indices_files"))
    except (OSError, ValueError, TypeError, KeyError) as error:
        where, found = str(path / _SAVED_DATASET[0]), repr(error)[:100]
        raise DataError(Problem(where, "what save_to_disk writes", found, "Save it again.")) from None
    if has_selection or names != list(list_table_files(path)):
        found = "a selection of their rows" if has_selection else f"in another order or number: {shorten_list(names)}"
        remedy = "Save it again after dataset.flatten_indices()."
        raise DataError(Problem(str(path), "a saved dataset that is all rows of its files", found, remedy))


def _walk_once(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Walk through links too, but into each folder once on its way down: a link to a folder above would have no end."""
    above: dict[str, frozenset[tuple[int, int]]] = {}
    for root, folders, names in os.walk(path, followlinks=True):
        own = Path(root).stat()
        entered = above.pop(root, frozenset()) | {(own.st_dev, own.st_ino)}
        inside = {name: Path(root, name).stat() for name in folders}
        folders[:] = [name for name in folders if (inside[name].st_dev, inside[name].st_ino) not in entered]
        above |= {str(Path(root, name)): entered for name in folders}
        yield root, names


def is_marker(name: str) -> bool:
    """Tell whether a path inside a folder is no part of the table.

    A partition's folder (`_year=2020`) is none, as Spark has it.
    """
    *folders, file = name.split("/")
    return file.startswith(("_", ".")) or any(folder.startswith(("_", ".")) and "=" not in folder for folder in folders)


def choose_parts(path: Path) -> dict[str, Path]:
    """Return the files that are to be read as one table, in order.

    Raises
    ------
    DataError
        Nothing is there, or a folder holds no file, or files of more than one kind: the odd ones are named.
    """
    if not path.exists():
        beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        wanted = path.name.rpartition("@v")[0] or path.name  # of a version of a Delta table, the table
        raise DataError(Problem(str(path), "the table", "no such file", suggest(wanted, beside, "Check data.path.")))
    _refuse_table_format(path)
    _refuse_other_dataset(path)
    parts = list_table_files(path)
    if not parts:
        raise DataError(
            Problem(str(path), "a folder with files", "none but markers (names with a leading _ or .)", "Check data.path.")
        )
    kinds = {name: _name_kind(name) for name in parts}
    odd = [name for name, file in parts.items() if not is_plain(file)]
    if odd:
        raise DataError(Problem(str(path), "regular files", f"pipes, devices or broken links: {shorten_list(odd)}", "Move them away."))
    counts = Counter(kinds.values())
    usual = max(counts, key=lambda kind: (kind in _KNOWN_KINDS, counts[kind]))
    odd = [name for name in parts if kinds[name] != usual]
    if odd:
        found = f"{counts[usual]} of kind {usual.lstrip('.') or 'no suffix'} and beside them {shorten_list(odd)}"
        remedy = 'Move them out of the folder, or let their names begin with "_".'
        raise DataError(Problem(str(path), "files of one kind, which are the table", found, remedy))
    return parts


def _refuse_table_format(path: Path) -> None:
    """Some folders hold files of rows that were removed since: only their own log says which are the table."""
    formats = {DELTA_LOG: "a Delta Lake table", ".hoodie": "a Hudi table"}
    named = next((name for mark, name in formats.items() if (path / mark).is_dir()), None)
    if named is None and any((path / "metadata").glob("*.metadata.json")):
        named = "an Iceberg table"
    if named is not None:
        remedy = "Export the version that is meant to Parquet or CSV: the folder also holds rows that were removed."
        if named == formats[DELTA_LOG]:
            remedy += " A config may name it as NAME@v12."
        raise DataError(Problem(str(path), "a folder whose files are the table", named, remedy))


def _name_kind(name: str) -> str:
    """Return a file's suffix without that of its compression; both of Parquet's are one kind."""
    plain = Path(name.lower())
    if plain.suffix in _COMPRESSED_SUFFIXES:
        plain = plain.with_suffix("")
    return "parquet" if plain.suffix in (".parquet", ".pq") else plain.suffix


def read_partitions(name: str) -> dict[str, str | None]:
    """Return the columns that a part's folders name, as text; None for Hive's word for a missing value.

    >>> read_partitions("year=2020/city=S%C3%A3o/part-0.parquet")
    {'year': '2020', 'city': 'São'}
    """
    pairs = [folder.partition("=") for folder in name.split("/")[:-1]]
    return {unquote(key): None if value == _MISSING_PARTITION else unquote(value) for key, sign, value in pairs if sign and key}


def digest_table(path: Path, recorded: str | None = None) -> str | None:
    """Return the digest of a table's file, or of the manifest of a folder's parts; None where nothing readable is.

    Parameters
    ----------
    recorded
        A digest that the table is held to: up to lineage schema 2 a folder's digest covered names with a leading "_" too.
    """
    try:
        if not path.is_dir():
            return digest_file(path) if path.is_file() else None
        if recorded is not None and digest_folder(path) == recorded:
            return recorded
        return join_parts(path, digest_parts(path))
    except OSError:
        return None


def digest_parts(path: Path) -> dict[str, str]:
    """Return the digest of each of a table's files, by its path inside a folder, or of the one file by its name.

    Raises
    ------
    OSError
        One cannot be read.
    """
    return {name: digest_file(file) for name, file in list_table_files(path).items()}


def join_parts(path: Path, parts: dict[str, str]) -> str:
    """Return a table's digest from those of its files."""
    return digest_manifest(parts.items()) if path.is_dir() else parts[path.name]
