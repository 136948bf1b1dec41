"""`samebits data pin CONF`: writes the digest of the config's table into the file itself; every comment stays."""

from __future__ import annotations

import codecs
import re
import shutil
import sys
from pathlib import Path

from samebits.config.documents import Document, parse_document, read_document
from samebits.config.loading import LoadedConfig, load_config
from samebits.digests import digest_file, digest_folder
from samebits.errors import ConfigError, DataError, Problem
from samebits.project import find_config, find_data, find_project_root
from samebits.provenance.blobs import describe_changed_blobs
from samebits.tracking.data_search import list_table_files


def run_data_pin(conf_file: str) -> None:
    """Write `data.digest` into a config file.

    Raises
    ------
    ConfigError
        The file is no valid config, or its form leaves no place for the key.
    DataError
        The table is not there.
    """
    root = find_project_root()
    loaded = load_config(find_config(conf_file, root))
    path = find_data(loaded.config.data.path, loaded.document.path, root)
    if not path.exists():
        raise DataError(Problem(str(path), "the table", "no such file", "Check data.path."))
    digest = digest_folder(path) if path.is_dir() else digest_file(path)
    pinned = write_pin(loaded, digest)
    print(f"{loaded.document.path}: data.digest {'is' if not pinned else 'set to'} {digest}")
    for line in describe_changed_blobs(root, list(list_table_files(path).values())):
        print(line, file=sys.stderr)


def write_pin(loaded: LoadedConfig, digest: str) -> bool:
    """Put a digest into the config's file, and say whether that changed it.

    Raises
    ------
    ConfigError
        The file cannot be changed without rewriting it.
    """
    path = loaded.document.path.resolve()  # through a link, the file itself
    document = read_document(path)  # as it stands, without what datasets.yaml filled in
    if loaded.config.data.digest == digest:
        return False
    text = _replace(document, digest) if ("data", "digest") in document.lines else _insert(document, digest)
    _check_written(path, text, digest)
    written = path.with_name(f".{path.name}.tmp")
    mark = codecs.BOM_UTF8 if path.read_bytes().startswith(codecs.BOM_UTF8) else b""
    written.write_bytes(mark + text.encode("utf-8"))
    shutil.copymode(path, written)
    written.replace(path)
    return True


def _check_written(path: Path, text: str, digest: str) -> None:
    try:
        is_there = parse_document(path, text).value["data"].get("digest") == digest
    except ConfigError:
        is_there = False
    if not is_there:
        remedy = f'Write it by hand: digest: "{digest}"'
        raise ConfigError(Problem(f"{path}: data", "a form in which the key can be put", "another", remedy))


def _replace(document: Document, digest: str) -> str:
    if ("data", "digest") in document.spans:
        start, end = document.spans[("data", "digest")]
        space = " " if document.text[start - 1] == ":" else ""  # a key with nothing after it
        return f'{document.text[:start]}{space}"{digest}"{document.text[end:]}'
    lines = document.text.splitlines(keepends=True)  # TOML knows its keys' lines only
    number = document.lines[("data", "digest")] - 1
    lines[number] = re.sub(r"""(digest\s*=\s*)("[^"]*"|'[^']*')""", rf'\1"{digest}"', lines[number])
    return "".join(lines)


def _insert(document: Document, digest: str) -> str:
    """Put the key before the section's first one, in the section's own style."""
    if document.path.suffix.lower() == ".toml":
        return _insert_toml(document, digest)
    start, _ = document.spans[("data",)]
    quoted = '"digest"' if document.path.suffix.lower() == ".json" else "digest"
    if document.text[start] == "{":
        return f'{document.text[: start + 1]}{quoted}: "{digest}", {document.text[start + 1 :]}'
    line_start = document.text.rfind("\n", 0, start) + 1
    indent = document.text[line_start:start]
    end_of_line = "\r\n" if "\r\n" in document.text else "\n"
    return f'{document.text[:start]}digest: "{digest}"{end_of_line}{indent}{document.text[start:]}'


def _insert_toml(document: Document, digest: str) -> str:
    number = document.lines.get(("data",))
    if number is None:
        remedy = f'Write it by hand: digest = "{digest}"'
        raise ConfigError(Problem(str(document.path), "a [data] table", "none", remedy))
    lines = document.text.splitlines(keepends=True)
    lines.insert(number, f'digest = "{digest}"\n')
    return "".join(lines)
