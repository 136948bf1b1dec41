"""A config as YAML: every key with its value and, beside it, what it is for.

The sentences are those of `keys`, kept nowhere else.
Text is quoted so that it is read back as it was; the document that comes of it is held to the values that went in.
"""

from __future__ import annotations

import re
import textwrap
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from samebits.config.documents import Document, parse_document
from samebits.errors import ConfigError, Problem
from samebits.keys.config import Config
from samebits.text import clean_text, quote_key

_COMMENT_COLUMN = 30
_LONGEST_LINE = 135
_LONGEST_FLOW = 80
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")  # with two points it is no number
_BY_LINE = ("models", "drop")  # whose members have a line each


def write_config(
    path: Path,
    values: Mapping[str, Any],
    head: Sequence[str] = (),
    reasons: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Document:
    """Return the document of a config with every key written out.

    Parameters
    ----------
    path
        Where it is to lie; nothing is written there.
    values
        Keys in nested mappings; those that are left out have their defaults.
    head
        Lines of comment at its top.
    reasons
        Why a column is dropped, by its name.
    notes
        What is said of a key's value after what the key is for, by the key's path: preprocessing.outlier_factor.

    Raises
    ------
    ConfigError
        The text is not read back as it was meant.
    """
    lines = [
        *(f"# {clean_text(line)}".rstrip() for line in head),
        *([""] if head else []),
        *_write_section(Config, values, (), reasons or {}, notes or {}),
    ]
    document = parse_document(path, "\n".join(lines) + "\n")
    if _leave_defaults(document.value, values) != values:
        raise ConfigError(Problem(str(path), "a config that is read as it was meant", "another", "Write it by hand, and report this."))
    return document


def _leave_defaults(written: Any, meant: Any) -> Any:
    if isinstance(meant, Mapping) and isinstance(written, Mapping):
        return {key: _leave_defaults(written.get(key), value) for key, value in meant.items()}
    return written


def _write_section(
    section: type[BaseModel], values: Mapping[str, Any], path: tuple[str, ...], reasons: Mapping[str, str], notes: Mapping[str, str]
) -> Iterator[str]:
    depth = len(path)
    indent = "  " * depth
    for name, field in section.model_fields.items():
        key = field.alias or name
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from [""] if depth == 0 else []
            yield _add_comment(f"{indent}{key}:", str(field.description))
            yield from _write_section(inner, values.get(key, {}), (*path, key), reasons, notes)
            continue
        value = values[key] if key in values else field.get_default(call_default_factory=True)
        yield from [""] if depth == 0 and key in ("models", "scoring", "keep", "n_jobs") else []
        yield from _write_key(indent, key, value, f"{describe_key(field)} {notes.get('.'.join((*path, key)), '')}".strip(), reasons)
    extra = [key for key in values if key not in {field.alias or name for name, field in section.model_fields.items()}]
    for key in extra:
        yield f"{indent}{key}: {write_value(values[key])}"


def _write_key(indent: str, key: str, value: Any, comment: str, reasons: Mapping[str, str]) -> Iterator[str]:
    line = f"{indent}{key}: {write_value(value)}"
    is_long = isinstance(value, list | Mapping) and len(line) > _LONGEST_FLOW
    if not value or not (key in _BY_LINE or is_long):
        yield _add_comment(line, comment)
        return
    yield _add_comment(f"{indent}{key}:", comment)
    if isinstance(value, Mapping):
        yield from (f"{indent}  {quote_text(member)}: {write_value(given)}" for member, given in value.items())
        return
    for member in value:
        line = f"{indent}  - {write_value(member)}"
        reason = reasons.get(member) if key == "drop" else None
        yield _add_comment(line, reason) if reason is not None else line


def _add_comment(line: str, comment: str) -> str:
    """Return a line with its comment beside it, over several lines where it is long; above it where the line itself is."""
    comment, indent = clean_text(comment), line[: len(line) - len(line.lstrip())]
    start = max(len(line), _COMMENT_COLUMN - 2) + 2
    if len(line) < _COMMENT_COLUMN or start + 2 + len(comment) <= _LONGEST_LINE:
        first, *others = textwrap.wrap(comment, _LONGEST_LINE - 2 - start) or [""]
        return "\n".join([f"{line.ljust(start - 2)}  # {first}", *(f"{' ' * start}# {other}" for other in others)])
    return "\n".join([*(f"{indent}# {part}" for part in textwrap.wrap(comment, _LONGEST_LINE - 2 - len(indent))), line])


def describe_key(field: FieldInfo) -> str:
    """Return what a key is for, after the words that it may be where it is one of some.

    >>> from samebits.keys.config import Config
    >>> describe_key(Config.model_fields["task"])
    'auto, binary, multiclass or regression. auto goes by the target.'
    """
    words = _list_words(field.annotation)
    listed = f"{', '.join(words[:-1])} or {words[-1]}. " if len(words) > 1 else ""
    return f"{listed}{field.description}"


def _list_words(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    members = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()
    literals = [member for member in members if get_origin(member) is Literal]
    return [*_list_words(literals[0]), "null"] if literals and len(members) == 2 and type(None) in members else []


def write_value(value: Any) -> str:
    r"""Return a plain value in YAML's flow style.

    >>> print(write_value({"a b": [1.0, None, True], "yes": 'say "no"'}))
    {a b: [1.0, null, true], "yes": "say \"no\""}
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return _write_float(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quote_text(str(key))}: {write_value(member)}" for key, member in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(write_value, value)) + "]"
    return quote_text(str(value))


def _write_float(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    text = re.sub(r"e([+-])0", r"e\1", repr(value))
    return text if "." in text else text.replace("e", ".0e")


def quote_text(text: str) -> str:
    """Return a text as a YAML scalar: as it is where nothing else can be read in it, else in double quotes."""
    if (quote_key(text) == text and text.isascii()) or _VERSION.fullmatch(text):
        return text
    if text == '"':
        return f"'{text}'"
    return '"' + "".join(_escape(letter) for letter in text) + '"'


def _escape(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter.isprintable() and not re.match("[\ud800-\udfff\ufeff\ufffe\uffff]", letter):
        return letter
    number = ord(letter)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
