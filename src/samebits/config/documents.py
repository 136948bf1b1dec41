"""Reads YAML, TOML and JSON into plain values, and knows on which line each key stands.

YAML is read by the core schema of YAML 1.2: `1e-3` is a number, `no` and `2026-11-01` are text. Keys may not repeat. What the
keys mean is not known here: that is `keys`.
"""

from __future__ import annotations

import errno
import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from samebits.bounds import MAX_DIGITS, find_excess
from samebits.errors import ConfigError, Problem, describe_unreadable
from samebits.plain_files import read_plain

KeyPath = tuple[str | int, ...]
Facts = tuple[str, str, str]  # what was expected at a key, what was found, what to do
MAX_BYTES = 4 << 20  # a config is written by hand; more is some other file
MAX_NODES = 50_000  # values, each alias counted as often as it stands for something
MAX_DEPTH = 50


@dataclass(frozen=True)
class Document:
    """A file's plain value, with the place of every key.

    Parameters
    ----------
    lines
        From a key's path to its line, counted from 1.
    spans
        From a key's path to the first and last offset of its value's text, in characters; YAML and JSON only.
    content
        The file's bytes; empty where a text was parsed.
    sections
        Files that a section's name stands for, by the section: its keys are located there.
    """

    path: Path
    text: str
    value: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)
    spans: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    content: bytes = b""
    sections: dict[str, Document] = field(default_factory=dict)

    def locate(self, key_path: KeyPath) -> str:
        """Return `file:line: key.path` of a key, or of the nearest key above it that the file has."""
        if len(key_path) > 1 and key_path[0] in self.sections:
            return self.sections[str(key_path[0])].locate(key_path[1:])
        known = key_path
        while known and known not in self.lines:
            known = known[:-1]
        line = f":{self.lines[known]}" if known in self.lines else ""
        name = ".".join(str(part) for part in key_path)
        return f"{self.path}{line}: {name}" if name else f"{self.path}{line}"

    def place(self, problem: Problem) -> Problem:
        """Return a problem that begins with one of the file's keys with the line of the file in which that key stands."""
        section, _, rest = problem.where.partition(".")
        if rest and section in self.sections:
            return self.sections[section].place(replace(problem, where=rest))
        if problem.where.startswith(str(self.path)):
            return problem
        names = {".".join(map(str, key_path)): key_path for key_path in self.lines if key_path}
        leading = [name for name in names if re.match(rf"{re.escape(name)}(?=[\s,:.]|$)", problem.where)]
        if not leading:
            return problem
        return replace(problem, where=f"{self.path}:{self.lines[names[max(leading, key=len)]]}: {problem.where}")


def read_document(path: Path) -> Document:
    """Read a file by its suffix: `.toml`, `.json`, and YAML for anything else.

    Raises
    ------
    ConfigError
        The file is missing, a folder, unreadable, not UTF-8, too large, or not of its format; or a key stands twice.
    """
    content = _read_bytes(path)
    return replace(parse_document(path, _decode(path, content)), content=content)


def parse_document(path: Path, text: str) -> Document:
    """Parse a text by the suffix of the file that holds it, or is to hold it.

    Raises
    ------
    ConfigError
        The text is not of its format, or a key stands twice.
    """
    readers = {".toml": _read_toml, ".json": _read_json}
    document = readers.get(path.suffix.lower(), _read_yaml)(path, text)
    excess = find_excess(document.value, MAX_NODES, MAX_DEPTH)
    if excess is not None:
        raise ConfigError(Problem(str(document.path), *excess, "Is this a config?"))
    return document


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise ConfigError(Problem(str(path), "a config file", "a folder", "Name a file in it."))
    try:
        return read_plain(path, MAX_BYTES)
    except FileNotFoundError:
        raise ConfigError(Problem(str(path), "a config file", "no such file", "Check the path.")) from None
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise ConfigError(Problem(str(path), "at most 4 MiB", "more", "Is this the data rather than the config?")) from None
        raise ConfigError(describe_unreadable(path, error, "Check the path and its permissions.")) from None


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte 0x{content[error.start]:02x} at offset {error.start}"
        raise ConfigError(Problem(str(path), "UTF-8 text", found, "Save the file as UTF-8.")) from None


class _CoreLoader(yaml.SafeLoader):
    """SafeLoader with the implicit types of YAML 1.2's core schema in place of YAML 1.1's, and an end to aliases."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    n_nodes = 0

    def count(self, node: yaml.Node | None, n_more: int = 1) -> None:
        self.n_nodes += n_more
        if self.n_nodes > 2 * MAX_NODES:  # keys count here too
            mark = node.start_mark if node is not None else None
            raise yaml.constructor.ConstructorError(None, None, f"more than {MAX_NODES} values, aliases followed", mark)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        node = super().compose_node(parent, index)
        self.count(node)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        self.count(node, len(node.value))


_CORE_SCHEMA = [  # https://yaml.org/spec/1.2.2/#103-core-schema
    ("tag:yaml.org,2002:null", r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("tag:yaml.org,2002:int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))",
        list("-+.0123456789"),
    ),
    ("tag:yaml.org,2002:merge", r"(?:<<)", ["<"]),
]
for _tag, _pattern, _first in _CORE_SCHEMA:
    _CoreLoader.add_implicit_resolver(_tag, re.compile(f"^{_pattern}$"), _first)


def _construct_int(loader: _CoreLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if len(text) > MAX_DIGITS:
        raise yaml.constructor.ConstructorError(None, None, f"an integer of more than {MAX_DIGITS} digits", node.start_mark)
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


_CoreLoader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def _read_yaml(path: Path, text: str) -> Document:
    loader = None
    try:
        loader = _CoreLoader(text)
        node = loader.get_single_node()
        document = Document(path, text, None)
        value = _YamlReader(loader, document).read(node, ()) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(Problem(where, "YAML", error.problem or "something else", "Mend the line.")) from None
    except yaml.reader.ReaderError as error:
        where, found = f"{path}:{text.count(chr(10), 0, error.position) + 1}", f"the control character {chr(error.character)!r}"
        raise ConfigError(Problem(where, "text", found, "Take it out, or write it as an escape in double quotes.")) from None
    except RecursionError:
        raise ConfigError(Problem(str(path), "YAML", "nesting without end", "Mend the file.")) from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(Problem(str(path), "YAML", str(error).splitlines()[0], "Mend the file.")) from None
    finally:
        if loader is not None:
            loader.dispose()
    return Document(path, text, value, document.lines, document.spans)


class _YamlReader:
    """Walks YAML nodes once, writing down each key's line and span and refusing a key that stands twice."""

    def __init__(self, loader: _CoreLoader, document: Document) -> None:
        self.loader = loader
        self.document = document
        self.open_nodes: list[yaml.Node] = []

    def read(self, node: yaml.Node, key_path: KeyPath) -> Any:
        self.loader.count(node)
        self.document.lines.setdefault(key_path, node.start_mark.line + 1)
        self.document.spans[key_path] = (node.start_mark.index, node.end_mark.index)
        if any(node is open_node for open_node in self.open_nodes):
            raise yaml.constructor.ConstructorError(None, None, "an alias that contains itself", node.start_mark)
        self.open_nodes.append(node)
        try:
            return self._read_children(node, key_path)
        finally:
            self.open_nodes.pop()

    def _read_children(self, node: yaml.Node, key_path: KeyPath) -> Any:
        if not isinstance(node, yaml.ScalarNode) and node.tag not in ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise yaml.constructor.ConstructorError(None, None, f"the tag {node.tag!r}", node.start_mark)
        if isinstance(node, yaml.MappingNode):
            self._refuse_repeated_keys(node, key_path)
            self.loader.flatten_mapping(node)
            result = {}
            for key_node, value_node in node.value:
                key = self._read_key(key_node)
                self.document.lines[(*key_path, key)] = key_node.start_mark.line + 1
                result[key] = self.read(value_node, (*key_path, key))
            return result
        if isinstance(node, yaml.SequenceNode):
            return [self.read(member, (*key_path, index)) for index, member in enumerate(node.value)]
        return self.loader.construct_object(node)

    def _read_key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key that is no plain text", node.start_mark)
        return str(node.value)

    def _refuse_repeated_keys(self, node: yaml.MappingNode, key_path: KeyPath) -> None:
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key, line = self._read_key(key_node), key_node.start_mark.line + 1
            if key in seen:
                name = ".".join(str(part) for part in (*key_path, key))
                where = f"{self.document.path}:{line}: {name}"
                raise ConfigError(Problem(where, "each key once", f"it also on line {seen[key]}", "Keep one of the two."))
            seen[key] = line


def _read_json(path: Path, text: str) -> Document:
    try:
        value = json.loads(text)
    except RecursionError:
        raise ConfigError(Problem(str(path), "JSON", "nesting without end", "Mend the file.")) from None
    except json.JSONDecodeError as error:
        raise ConfigError(Problem(f"{path}:{error.lineno}", "JSON", error.msg, "Mend the line.")) from None
    except ValueError:
        raise ConfigError(Problem(str(path), f"integers of at most {MAX_DIGITS} digits", "a longer one", "Mend it.")) from None
    # JSON is YAML, but for tabs between tokens: a tab inside a JSON string is always written \t, so none is lost here.
    placed = _read_yaml(path, text.replace("\t", " "))
    return Document(path, text, value, placed.lines, placed.spans)


# tomllib keeps every beginning of a dotted key: a long one would take its length squared.
_LONG_KEY = re.compile(rf"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){{{MAX_DEPTH},}}""")


def _read_toml(path: Path, text: str) -> Document:
    if _LONG_KEY.search(text):
        raise ConfigError(Problem(str(path), f"values at most {MAX_DEPTH} levels deep", "deeper ones", "Is this a config?"))
    if text.count("=") + text.count("[") + text.count(",") > 2 * MAX_NODES:
        raise ConfigError(Problem(str(path), f"at most {MAX_NODES} values", "more", "Is this a config?"))
    try:
        value = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(Problem(str(path), "TOML", "nesting without end", "Mend the file.")) from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"{path}:{line[1]}" if line else str(path)
        raise ConfigError(Problem(where, "TOML", str(error).split(" (at")[0], "Mend the line.")) from None
    except ValueError:
        raise ConfigError(Problem(str(path), f"integers of at most {MAX_DIGITS} digits", "a longer one", "Mend it.")) from None
    return Document(path, text, value, _find_toml_lines(text))


def _find_toml_lines(text: str) -> dict[KeyPath, int]:
    """Return the line of each table header and each `key =` at the start of a line; tomllib keeps no positions."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    n_members: Counter[KeyPath] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*(\[\[?)([^\]]+)\]", line):
            table = _split_toml_key(header[2])
            lines.setdefault(table, number)
            if header[1] == "[[":  # one more of a list
                n_members[table] += 1
                table = (*table, n_members[table] - 1)
                lines[table] = number
        elif entry := re.match(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""", line):
            lines[(*table, *_split_toml_key(entry[1]))] = number
    return lines


def _split_toml_key(text: str) -> KeyPath:
    parts = re.findall(r""""([^"]*)"|'([^']*)'|([\w-]+)""", text)
    return tuple("".join(part) for part in parts)


def take_section(raw: Any, *keys: str) -> dict[str, Any]:
    """Return the mapping below some keys, or an empty one where the file has something else there."""
    for key in keys:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return raw if isinstance(raw, dict) else {}
