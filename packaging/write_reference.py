"""Writes docs/reference from the code: every command with its options, every key of the config. Run by `just docs-reference`.

A test holds the files to what is made here, so a page cannot say anything that the program does not.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from samebits.command_line import make_parser
from samebits.config.schema import make_json_schema

FOLDER = Path(__file__).resolve().parent.parent / "docs/reference"
_WRITTEN = "Written by `just docs-reference` from the code; a test holds it to that."
_COMMANDS = f"""# Commands

{_WRITTEN} `samebits COMMAND` is also `python -m samebits COMMAND`, and in a
checkout `uv run just COMMAND` (`data pin` is `data-pin` there, and RUN comes before the options). `samebits help COMMAND` says
the same in a terminal.
"""
_KEYS = f"""# Keys of a config

{_WRITTEN} How a config is written, read and checked: [The config file](../configs.md).
[confs/training.yaml](../../confs/training.yaml) has every key with a value and a word on it; an editor completes them from
[confs/config.schema.json](../../confs/config.schema.json).
"""
_TABLE = ("| key | takes | default | what it is for |", "|---|---|---|---|")
# What a key takes is said in a few words; forms that the words do not tell (a version, an import path) are in what it is for.
_TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "null": "null"}
_BOUNDS = {"minimum": "from {}", "exclusiveMinimum": "above {}", "maximum": "to {}", "exclusiveMaximum": "below {}"}


def write_reference(folder: Path) -> None:
    """Write both pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"commands.md": describe_commands(), "config.md": describe_config()}.items():
        (folder / name).write_text(text, encoding="utf-8")


def describe_commands() -> str:
    """Return the page of the commands."""
    parser = make_parser()
    epilog = f"\n{_end(parser.epilog or '')}\n"
    return "\n".join([_COMMANDS, f"{_end(parser.description or '')}", epilog, *_list_commands(parser, "samebits")])


def _list_commands(parser: argparse.ArgumentParser, words: str) -> Iterator[str]:
    for group in parser._actions:
        if not isinstance(group, argparse._SubParsersAction):
            continue
        said = {choice.dest: choice.help or "" for choice in group._choices_actions}
        for name, inner in group.choices.items():
            yield from _describe_command(inner, f"{words} {name}", said.get(name, ""))
            yield from _list_commands(inner, f"{words} {name}")


def _describe_command(parser: argparse.ArgumentParser, words: str, said: str) -> Iterator[str]:
    actions = [action for action in parser._actions if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)]
    if not actions:
        inner = any(isinstance(action, argparse._SubParsersAction) for action in parser._actions)
        yield from [] if inner else [f"## {words}\n", "```sh", words, "```\n", f"{_begin(said)}\n"]
        return
    ordered = [*(action for action in actions if action.option_strings), *(action for action in actions if not action.option_strings)]
    usage = [_spell(action) if action.required else f"[{_spell(action)}]" for action in ordered]
    yield from [f"## {words}\n", "```sh", " ".join([words, *usage]), "```\n", f"{_begin(said)}\n", "| | |", "|---|---|"]
    shown = sorted(ordered, key=lambda action: bool(action.option_strings))
    yield from (f"| `{_cell(_spell(action))}` | {_cell(_describe_action(action))} |" for action in shown)
    yield ""


def _spell(action: argparse.Action) -> str:
    """Return an argument as it is written on the command line."""
    value = str(action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else action.dest.upper()))
    if not action.option_strings:
        return value
    return action.option_strings[-1] if action.nargs == 0 else f"{action.option_strings[-1]} {value}"


def _describe_action(action: argparse.Action) -> str:
    default = f" (default: {action.default})" if isinstance(action.default, str) and action.default != argparse.SUPPRESS else ""
    return _begin(action.help or "", default)


def _begin(text: str, last: str = "") -> str:
    return f"{text[:1].upper()}{text[1:]}{last}{'' if text.endswith(('.', '?')) else '.'}"


def _end(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def describe_config() -> str:
    """Return the page of the config's keys: one section for each section of the config, named by where it is first met."""
    schema = make_json_schema()
    places = _name_sections(schema)
    parts = [_describe_section(schema, "Top level", places)]
    parts += [_describe_section(schema["$defs"][name], f"`{place}`", places) for name, place in places.items()]
    return "\n".join([_KEYS, *parts])


def _name_sections(schema: Mapping[str, Any]) -> dict[str, str]:
    """Return the place of each section by its name in the schema, in the order of the keys."""
    places: dict[str, str] = {}

    def walk(section: Mapping[str, Any], prefix: str) -> None:
        for key, value in [*section.get("properties", {}).items(), ("NAME", section.get("additionalProperties"))]:
            for name in _list_references(value):
                if name not in places:
                    places[name] = f"{prefix}{key}"
                    walk(schema["$defs"][name], f"{prefix}{key}.")

    walk(schema, "")
    return places


def _list_references(value: Any) -> list[str]:
    """Return the sections that a part of the schema names."""
    if isinstance(value, dict):
        own = [str(value["$ref"]).rpartition("/")[2]] if "$ref" in value else []
        return own + [name for inner in value.values() for name in _list_references(inner)]
    return [name for inner in value for name in _list_references(inner)] if isinstance(value, list) else []


def _describe_section(section: Mapping[str, Any], title: str, places: Mapping[str, str]) -> str:
    required = section.get("required", [])
    rows = [_describe_key(key, value, key in required, places) for key, value in section.get("properties", {}).items()]
    others = section.get("additionalProperties")
    rows += [f"| any other name | {_describe_type(others, places)} | | |"] if isinstance(others, dict) else []
    rows += ["| any other name | any value | | A parameter of the class. |"] if others is True else []
    return "\n".join([f"## {title}\n", _cell(" ".join(section.get("description", "").split())), "", *_TABLE, *rows, ""])


def _describe_key(key: str, value: Mapping[str, Any], is_required: bool, places: Mapping[str, str]) -> str:
    default = "required" if is_required else f"`{_write_default(value['default'])}`" if "default" in value else _find_empty(value)
    return f"| `{key}` | {_describe_type(value, places)} | {_cell(default)} | {_cell(value.get('description', ''))} |"


def _find_empty(value: Mapping[str, Any]) -> str:
    """Return how nothing is written where a list or a mapping is left out; a section's keys have their own defaults."""
    kind = value.get("type") or next((inner.get("type") for inner in value.get("anyOf", [])), None)
    return {"array": "`[]`", "object": "`{}`"}.get(str(kind), "")


def _write_default(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return value if re.fullmatch(r"[\w-]+", value) else f'"{value}"' if value != '"' else "'\"'"
    return str(value)


def _describe_type(value: Mapping[str, Any], places: Mapping[str, str]) -> str:
    """Return in words what a key takes."""
    if "$ref" in value:
        place = places[str(value["$ref"]).rpartition("/")[2]]
        return f"[{place}](#{_name_anchor(place)})"
    if "anyOf" in value:
        return _shorten(" or ".join(dict.fromkeys(_describe_type(inner, places) for inner in value["anyOf"])))
    if "enum" in value or "const" in value:
        return ", ".join(f"`{word}`" for word in value.get("enum", [value.get("const")]))
    if value.get("type") == "array":
        return f"list of: {_describe_type(value.get('items', {}), places)}{_count(value)}"
    if value.get("type") == "object":
        inner = value.get("additionalProperties")
        return f"name: {_describe_type(inner, places)}" if isinstance(inner, dict) else "mapping"
    if "sha256" in value.get("pattern", ""):
        return "`sha256:…`"
    bounds = [text.format(_write_default(value[name])) for name, text in _BOUNDS.items() if name in value]
    return " ".join([_TYPES.get(value.get("type", ""), "any value"), *bounds])


def _shorten(kinds: str) -> str:
    return kinds.replace("text or integer or number or true or false", "any plain value").replace("integer or number", "number")


def _count(value: Mapping[str, Any]) -> str:
    least, most = value.get("minItems"), value.get("maxItems")
    if least is not None and least == most:
        return f" ({least} of them)"
    return f" (at least {least})" if least else ""


def _name_anchor(place: str) -> str:
    """Return the address of a section's heading, as GitHub and MyST make it."""
    return re.sub(r"[^\w -]", "", place.lower()).replace(" ", "-")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    write_reference(FOLDER)
