"""`samebits data pin CONF`: writes the digests of a config's table and raw files into the file itself; every comment stays."""

from __future__ import annotations

import codecs
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from samebits.config.documents import Document, parse_document, read_document, take_section
from samebits.config.loading import read_config_document
from samebits.config.validation import find_problems
from samebits.digests import digest_file
from samebits.errors import ConfigError, DataError, Problem, describe_unreadable
from samebits.keys.table import Query
from samebits.project import find_config, find_data, find_project_root
from samebits.provenance.blobs import describe_changed_blobs
from samebits.sources.bringing import bring_answer, bring_named
from samebits.steps.graph import list_step_inputs, list_step_outputs
from samebits.table.files import choose_parts, digest_table, list_table_files
from samebits.table.formats import check_format
from samebits.text import tell, warn

TABLE_PIN, TEST_PIN, ROWS_PIN = ("data", "digest"), ("data", "test_digest"), ("split", "rows_digest")


def run_data_pin(conf_file: str) -> None:
    """Write into a config file the digest of its table, of the table and the file of its test rows, and of its steps' inputs.

    Raises
    ------
    ConfigError
        The file is no valid config, or its form leaves no place for the key.
    DataError
        The table is not there, or is known to be no table.
    """
    root = find_project_root()
    path = find_config(conf_file, root)
    named = list_pinned(path)
    for pin in [*_find_inputs(path, root), *_find_tables(path, root, named)]:  # none is written where one cannot be
        is_written = write_pin(path, pin.digest, pin.key_path)
        tell(f"{path}: {'.'.join(pin.key_path)} {'set to' if is_written else 'is'} {pin.digest}")
        warn(*pin.remarks)


class _Pin(NamedTuple):
    key_path: tuple[str, ...]
    digest: str
    remarks: list[str]


def _find_tables(path: Path, root: Path, named_keys: dict[tuple[str, str], str]) -> list[_Pin]:
    sections = read_config_document(path).value
    made, found = list_step_outputs(sections, root), []
    for key_path, named in named_keys.items():
        place = find_data(named, path, root)
        if not place.exists() and any(place.is_relative_to(output) for output in made):
            warn(f"{path}: {'.'.join(key_path)} is left as it is: {named} is made by a step, and is not there yet")
            continue
        brought = bring_named(named, place, None, ".".join(key_path), warn)
        query = read_query(take_section(sections, "data")) if key_path == TABLE_PIN else None
        if brought is None and query is not None and not place.exists():
            brought = bring_answer(*query, None, warn)
        place, shown = (place, str(place)) if brought is None else (brought.path, named)
        digest = _digest(key_path, shown, place)
        found.append(_Pin(key_path, digest, describe_changed_blobs(root, list(list_table_files(place).values()))))
    return found


def _digest(key_path: tuple[str, str], named: str, place: Path) -> str:
    """Return a digest; what was brought to another place is refused by the config's own name for it."""
    try:
        return digest_named_file(place) if key_path == ROWS_PIN else digest_named_table(place)
    except DataError as error:
        raise DataError(*(problem.rename(str(place), named) for problem in error.problems)) from None


def _find_inputs(path: Path, root: Path) -> list[_Pin]:
    """Return the pin of each raw input of a step that has keys of its own; of what is elsewhere only what has none is fetched."""
    sections, found = read_config_document(path).value, []
    for key_path, one in list_step_inputs(sections, path, root).items():
        *above, name = map(str, key_path)
        is_left = one.pin is not None and not one.place.exists()
        if is_left or not isinstance(take_section(sections, *above)[name], dict):
            continue
        brought = None
        if one.source is not None and not one.place.exists():
            brought = bring_named(one.source, one.place, None, ".".join((*above, name)), warn)
        place = one.place if brought is None else brought.path
        digest = digest_named_table(place) if place.is_dir() else digest_named_file(place)
        remarks = [] if one.place.exists() else [f"{one.path} is not there yet: samebits data pull {path}"]
        found.append(_Pin((*above, name, "digest"), digest, remarks))
    return found


def read_query(data: dict[str, Any]) -> tuple[Query, str] | None:
    """Return what a config asks a database, and the variable that names it; None where it asks none. Its keys are sound."""
    return (Query.model_validate(data["query"]), str(data["database"])) if data.get("query") is not None else None


def list_pinned(path: Path) -> dict[tuple[str, str], str]:
    """Return the path that each pin of a config is of, by the pin's key.

    Raises
    ------
    ConfigError
        The file is no config, but for its pins.
    """
    document = read_config_document(path)
    steps = take_section(document.value, "steps")
    inputs = [key_path for name in steps for key_path in _list_input_pins(steps, name)]
    pins = tuple(document.locate(key_path) for key_path in (TABLE_PIN, TEST_PIN, ROWS_PIN, *inputs))
    problems = [problem for problem in find_problems(document) if problem.where not in pins]
    if problems:
        raise ConfigError(*problems)
    named = {
        TABLE_PIN: take_section(document.value, "data").get("path"),
        TEST_PIN: take_section(document.value, "data").get("test_path"),
        ROWS_PIN: take_section(document.value, "split").get("rows_file"),
    }
    return {key_path: str(value) for key_path, value in named.items() if value is not None}


def _list_input_pins(steps: dict[str, Any], name: str) -> list[tuple[str, ...]]:
    return [("steps", name, "inputs", key, "digest") for key in take_section(steps, name, "inputs")]


def digest_named_table(path: Path, digest_path: Callable[[Path], str | None] = digest_table) -> str:
    """Return the digest of a table that a config names, having looked that it is one.

    Raises
    ------
    DataError
        Nothing readable is there, or it is known to be no table.
    """
    for file in choose_parts(path).values():
        check_format(file)
    digest = digest_path(path)
    if digest is None:
        raise DataError(Problem(str(path), "a readable table", "one that cannot be read", "Check its permissions."))
    return digest


def digest_named_file(path: Path) -> str:
    """Return a file's digest.

    Raises
    ------
    DataError
        It cannot be read.
    """
    try:
        return digest_file(path)
    except OSError as error:
        raise DataError(describe_unreadable(path, error, "Check the path.")) from None


def write_pin(path: Path, digest: str, key_path: tuple[str, ...] = TABLE_PIN) -> bool:
    """Put a digest into a config's file, or the file of steps that it names, and say whether that changed it.

    Raises
    ------
    ConfigError
        The file cannot be changed without rewriting it.
    """
    document = read_config_document(path)
    *above, key = key_path
    if take_section(document.value, *above).get(key) == digest:
        return False
    steps = document.sections.get("steps") if above[0] == "steps" else None
    _write(path if steps is None else steps.path, digest, key_path if steps is None else key_path[1:])
    return True


def _write(path: Path, digest: str, key_path: tuple[str, ...]) -> None:
    path = path.resolve()  # through a link, the file itself
    document = read_document(path)  # as it stands, without what datasets.yaml filled in
    text = _replace(document, digest, key_path) if key_path in document.lines else _insert(document, digest, key_path)
    _check_written(path, text, digest, key_path)
    written = path.with_name(f".{path.name}.tmp")
    mark = codecs.BOM_UTF8 if path.read_bytes().startswith(codecs.BOM_UTF8) else b""
    written.write_bytes(mark + text.encode("utf-8"))
    shutil.copymode(path, written)
    written.replace(path)


def _check_written(path: Path, text: str, digest: str, key_path: tuple[str, ...]) -> None:
    *sections, key = key_path
    try:
        is_there = take_section(parse_document(path, text).value, *sections).get(key) == digest
    except ConfigError:
        is_there = False
    if not is_there:
        remedy = f'Write it by hand: {key}: "{digest}"'
        raise ConfigError(Problem(f"{path}: {'.'.join(sections)}", "a form in which the key can be put", "another", remedy))


def _replace(document: Document, digest: str, key_path: tuple[str, ...]) -> str:
    if key_path in document.spans:
        start, end = document.spans[key_path]
        space = " " if document.text[start - 1] == ":" else ""  # a key with nothing after it
        return f'{document.text[:start]}{space}"{digest}"{document.text[end:]}'
    lines = document.text.splitlines(keepends=True)  # TOML knows its keys' lines only
    number = document.lines[key_path] - 1
    lines[number] = re.sub(rf"""({key_path[-1]}\s*=\s*)("[^"]*"|'[^']*')""", rf'\1"{digest}"', lines[number])
    return "".join(lines)


def _insert(document: Document, digest: str, key_path: tuple[str, ...]) -> str:
    """Put the key before the section's first one, in the section's own style."""
    *section, key = key_path
    if document.path.suffix.lower() == ".toml":
        return _insert_toml(document, digest, key_path)
    start, _ = document.spans[tuple(section)]
    quoted = f'"{key}"' if document.path.suffix.lower() == ".json" else key
    if document.text[start] == "{":
        return f'{document.text[: start + 1]}{quoted}: "{digest}", {document.text[start + 1 :]}'
    line_start = document.text.rfind("\n", 0, start) + 1
    indent = document.text[line_start:start]
    end_of_line = "\r\n" if "\r\n" in document.text else "\n"
    return f'{document.text[:start]}{key}: "{digest}"{end_of_line}{indent}{document.text[start:]}'


def _insert_toml(document: Document, digest: str, key_path: tuple[str, ...]) -> str:
    *section, key = key_path
    number = document.lines.get(tuple(section))
    if number is None:
        remedy = f'Write it by hand: {key} = "{digest}"'
        raise ConfigError(Problem(str(document.path), f"a [{'.'.join(section)}] table", "none", remedy))
    lines = document.text.splitlines(keepends=True)
    lines.insert(number, f'{key} = "{digest}"\n')
    return "".join(lines)
