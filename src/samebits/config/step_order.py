"""The graph of a config's steps, by their words alone: which comes after which, and what is wrong with them.

An input that is another step's output, or lies in one, is an edge; nothing else is. Which files are there is not known here.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from samebits.config.documents import Facts, KeyPath, take_section
from samebits.errors import suggest
from samebits.keys.steps import take_path

PLACEHOLDER = re.compile(r"\{(inputs|outputs|parameters)\.([A-Za-z_]\w*)\}|\{(seed)\}")
_RAW = "data/raw"
_OWN = (".git", ".samebits")
Steps = Mapping[str, Mapping[str, Any]]


def normalise_path(path: str) -> str:
    """Return a path without steps aside.

    >>> normalise_path("./data//raw/../processed/a.csv")
    'data/processed/a.csv'
    """
    return posixpath.normpath(path) if path else path


def list_paths(step: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Return the paths of a step's `inputs` or `outputs`, normalised, by name."""
    return {name: normalise_path(take_path(value)) for name, value in take_section(step, kind).items() if take_path(value)}


def is_within(path: str, folder: str) -> bool:
    """Tell whether a path is a folder or lies in it, by their names."""
    return path == folder or path.startswith(f"{folder}/")


def find_makers(steps: Steps) -> dict[str, str]:
    """Return which step makes each path that is an output."""
    return {path: name for name, step in steps.items() for path in list_paths(step, "outputs").values()}


def find_maker(path: str, makers: Mapping[str, str]) -> str | None:
    """Return the step whose output a path is or lies in; None where it is raw."""
    return next((step for made, step in makers.items() if is_within(path, made)), None)


def list_needed(steps: Steps) -> dict[str, list[str]]:
    """Return the steps whose outputs each step reads, in the order of its inputs."""
    makers = find_makers(steps)
    found = {name: [find_maker(path, makers) for path in list_paths(step, "inputs").values()] for name, step in steps.items()}
    return {name: list(dict.fromkeys(one for one in needed if one is not None)) for name, needed in found.items()}


def order_steps(steps: Steps) -> list[str]:
    """Return the steps in an order in which each comes after those that it needs; else as they are written.

    Raises
    ------
    ValueError
        There is none; `find_cycle` says why.
    """
    needed, order = list_needed(steps), list[str]()
    while len(order) < len(steps):
        ready = next((name for name in steps if name not in order and set(needed[name]) <= set(order)), None)
        if ready is None:
            raise ValueError("a cycle of steps")
        order.append(ready)
    return order


def find_cycle(steps: Steps) -> list[str]:
    """Return the steps of a circle, each needed by the next, the first again at the end; none where there is no circle."""
    needed = list_needed(steps)
    for first in steps:
        path = _find_way(first, first, needed, [first])
        if path:
            return path[::-1]
    return []


def _find_way(here: str, target: str, needed: Mapping[str, list[str]], path: list[str]) -> list[str]:
    for name in needed.get(here, []):
        if name == target:
            return [*path, name]
        if name not in path and (found := _find_way(name, target, needed, [*path, name])):
            return found
    return []


def find_step_problems(raw: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    """Yield what is wrong with the steps of a config, as far as no file is needed to know it."""
    steps = {name: step for name, step in take_section(raw, "steps").items() if isinstance(step, dict)}
    allow = [name for name in raw["allow"] if isinstance(name, str)] if isinstance(raw.get("allow"), list) else []
    for name, step in steps.items():
        yield from _check_work(name, step, allow)
        yield from _check_names(name, step)
        yield from _check_addresses(name, step)
    found = list(_check_outputs(steps))
    yield from found
    cycle = [] if found else find_cycle(steps)
    if cycle:
        yield ("steps", cycle[0]), ("steps of which none needs itself", " -> ".join(cycle), "Take one of these inputs away.")


def _check_work(name: str, step: Mapping[str, Any], allow: list[str]) -> Iterator[tuple[KeyPath, Facts]]:
    function, command = step.get("function"), step.get("command")
    if (function is None) == (command is None):
        yield ("steps", name), ("a function or a command", "neither" if function is None else "both", "Say one of the two.")
    if isinstance(function, str) and function.partition(".")[0] not in allow:
        package = function.partition(".")[0]
        expected = f"a function of {', '.join(allow)}" if allow else "a function of a package of allow:, which names none"
        yield ("steps", name, "function"), (expected, repr(function), f"If you trust {package}, add it to allow:.")
    for index, word in enumerate(command if isinstance(command, list) else []):
        for kind, key, _ in PLACEHOLDER.findall(word) if isinstance(word, str) else ():
            known = take_section(step, kind) if kind else {key: None}
            if key not in known:
                remedy = suggest(key, known, f"Name it under {kind}.")
                yield ("steps", name, "command", index), (f"one of the step's {kind}", repr(key), remedy)


def _check_names(name: str, step: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    """A function takes inputs, outputs and parameters by their names, so that each must be one of its own."""
    seen: dict[str, str] = {"seed": "the step's seed"} if step.get("function") is not None else {}
    for kind in ("inputs", "outputs", "parameters"):
        for key in take_section(step, kind):
            if key in seen:
                yield ("steps", name, kind, key), ("a name of its own", f"{seen[key]} of that name", "Rename one.")
            seen.setdefault(key, {"inputs": "an input", "outputs": "an output", "parameters": "a parameter"}[kind])


def _check_outputs(steps: Steps) -> Iterator[tuple[KeyPath, Facts]]:
    taken: dict[str, str] = {}
    for name, step in steps.items():
        for key, path in list_paths(step, "outputs").items():
            where: KeyPath = ("steps", name, "outputs", key)
            if path.startswith(("/", "~", "..")) or path == ".":
                yield where, ("a path inside the project", repr(path), "Write it from the project's root: data/processed/….")
            elif is_within(path, _RAW):
                yield where, ("a path outside of data/raw, which `data pull` alone writes", repr(path), "Write to data/processed/….")
            elif path.split("/")[0] in _OWN:
                yield where, ("a path that is the project's own", repr(path), "Write to data/processed/….")
            other = next((one for made, one in taken.items() if is_within(path, made) or is_within(made, path)), None)
            if other is not None:
                yield where, ("a path that no other output is, or lies in", f"{path!r}, which is {other}'s", "Write elsewhere.")
            taken[path] = f"step {name}"
    for name, step in steps.items():
        for key, path in list_paths(step, "inputs").items():
            yield from _check_input(name, key, path, steps)


def _check_addresses(name: str, step: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    for key, value in take_section(step, "inputs").items():
        if "://" in (address := take_path(value)):
            where: KeyPath = ("steps", name, "inputs", key)
            remedy = (
                f"Write {{path: data/raw/{posixpath.basename(address) or key}, source: {address!r}}}, then: samebits data pin CONF."
            )
            yield where, ("a path, with an address under source: beside it", repr(address), remedy)


def _check_input(name: str, key: str, path: str, steps: Steps) -> Iterator[tuple[KeyPath, Facts]]:
    where: KeyPath = ("steps", name, "inputs", key)
    own = list_paths(steps[name], "outputs").values()
    if any(is_within(path, made) or is_within(made, path) for made in own):
        yield where, ("a file that the step does not write", repr(path), "Let it write another.")
    above = [made for made in find_makers(steps) if made not in own and made != path and is_within(made, path)]
    if above:
        remedy = "Name each output as an input of its own."
        yield where, ("a folder that no step writes into", f"{path!r}, in which {above[0]!r} is made", remedy)
