"""The schema of a model file, which says how its parts are put together: changed and held to rules before skops reads it.

A part is built by calling what its schema names; so a file that nobody trusts is as safe as what it may name here. Which types
these are is for `file`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from samebits.errors import LineageError, Problem

_NETWORKS = [("samebits.networks", "ModuleClassifier"), ("samebits.networks", "ModuleRegressor")]
_NETWORK_CLASS = ("samebits.networks", "StoredClass")
_KEY_MODULES = ("builtins", "numpy", "decimal", "fractions")  # keys are made by calling these, with the text that stands in the file


def list_nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping of a schema, outer before inner, in the order of the keys; by a stack, since schemas nest deeply."""
    stack = [value]
    while stack:
        current = stack.pop()
        if isinstance(current, dict):
            yield current
            stack.extend(current[key] for key in sorted(current, reverse=True))
        elif isinstance(current, list):
            stack.extend(reversed(current))


def check_schema(schema: Any) -> None:
    """Refuse a file that would import what no type in it names: a network with its class as a text, keys that are not plain.

    Raises
    ------
    LineageError
        It is such a file.
    """
    for node in list_nodes(schema):
        if _name(node) in _NETWORKS and "__loader__" in node and not _holds_its_class(node):
            raise _refuse("networks whose class stands in the file as a type")
        if "key_types" in node and not _has_plain_keys(node["key_types"]):
            raise _refuse("keys of plain types")


def _refuse(expected: str) -> LineageError:
    return LineageError(Problem("model file", expected, "others", "Do not load it."))


def _name(node: dict[str, Any]) -> tuple[Any, Any]:
    return node.get("__module__"), node.get("__class__")


def _holds_its_class(network: dict[str, Any]) -> bool:
    """Tell whether a network has plain attributes, its class among them as a type; one that is not fitted has no class."""
    if network["__loader__"] == "TypeNode":
        return True
    attributes = network.get("content")
    if network["__loader__"] != "ObjectNode" or not isinstance(attributes, dict) or attributes.get("__loader__") != "DictNode":
        return False
    members = attributes.get("content")
    kind = members.get("module_class_") if isinstance(members, dict) else None
    return kind is None or (isinstance(kind, dict) and _name(kind) == _NETWORK_CLASS)


def _has_plain_keys(key_types: Any) -> bool:
    members = key_types.get("content") if isinstance(key_types, dict) else None
    return isinstance(members, list) and all(isinstance(one, dict) and one.get("__module__") in _KEY_MODULES for one in members)


def part_all(schema: Any) -> bool:
    """Let no part stand for another, and tell whether any did."""
    shared = [node for node in list_nodes(schema) if "__id__" in node and "__loader__" in node]
    for node in shared:
        del node["__id__"]
    return bool(shared)


def name_classes(schema: Any) -> bool:
    """Put the names of networks' classes in the place of the classes, and tell whether there were any."""
    nodes = [node for node in list_nodes(schema) if _name(node) == _NETWORK_CLASS]
    for node in nodes:
        (kind,) = node["content"]["content"]
        name = json.dumps(f"{kind['__module__']}.{kind['__class__']}")
        node.clear()
        node.update({"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": name, "is_json": True})
    return bool(nodes)
