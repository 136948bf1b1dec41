"""The steps of a config and where their files lie: in order, each input raw or another step's output.

What is wrong with them by their words alone was said when the config was read; here it is said where a raw input is not there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebits.config.documents import KeyPath, take_section
from samebits.config.step_order import PLACEHOLDER, find_maker, find_makers, list_paths, normalise_path, order_steps
from samebits.errors import DataError, Problem, suggest
from samebits.keys.steps import InputFile, Step, take_path
from samebits.numerics.profile import ProfileName
from samebits.project import find_data


@dataclass(frozen=True)
class InputPlace:
    """An input of a step.

    Parameters
    ----------
    path
        From the project's root, with slashes; the whole path where it lies elsewhere.
    place
        Where it lies.
    pin
        The digest that the config writes down, if any.
    source
        The address that the config names for it, if any.
    maker
        The step whose output it is, or lies in; None where it is raw.
    """

    path: str
    place: Path
    pin: str | None
    maker: str | None
    source: str | None = None


@dataclass(frozen=True)
class PlannedStep:
    """A step with its places.

    Parameters
    ----------
    outputs
        Path of each, from the project's root.
    """

    name: str
    step: Step
    inputs: dict[str, InputPlace]
    outputs: dict[str, str]

    @property
    def needed(self) -> list[str]:
        """The steps whose outputs it reads."""
        return list(dict.fromkeys(one.maker for one in self.inputs.values() if one.maker is not None))

    def fill_words(self) -> list[str]:
        """Return the words of its command, with paths, parameters and seed in their places."""
        values: dict[tuple[str, str], Any] = {("inputs", name): one.path for name, one in self.inputs.items()}
        values |= {("outputs", name): path for name, path in self.outputs.items()}
        values |= {("parameters", name): value for name, value in self.step.parameters.items()}
        return [
            PLACEHOLDER.sub(lambda found: str(self.step.seed if found[3] else values[found[1], found[2]]), word)
            for word in self.step.command or []
        ]


@dataclass(frozen=True)
class Graph:
    """All steps of a config, each after those that it needs."""

    root: Path
    steps: dict[str, PlannedStep]
    profile: ProfileName

    def list_raw(self) -> dict[str, InputPlace]:
        """Return every raw input once, by its path."""
        return {one.path: one for step in self.steps.values() for one in step.inputs.values() if one.maker is None}

    def list_outputs(self) -> dict[str, Path]:
        """Return the place of every output, by its path from the root."""
        return {path: self.root / path for step in self.steps.values() for path in step.outputs.values()}


def plan_steps(steps: Mapping[str, Step], conf_path: Path, root: Path, profile: ProfileName = "portable") -> Graph:
    """Return the graph of a config's steps.

    Raises
    ------
    DataError
        An input is neither a file nor an output of a step: all of them at once.
    """
    written: dict[str, dict[str, Any]] = {name: step.model_dump(mode="json") for name, step in steps.items()}
    makers, problems, planned = find_makers(written), list[Problem](), {}
    for name in order_steps(written):
        inputs = {key: _place_input(value, makers, conf_path, root) for key, value in steps[name].inputs.items()}
        planned[name] = PlannedStep(name, steps[name], inputs, list_paths(written[name], "outputs"))
        problems += [_describe_unknown(f"steps.{name}.inputs.{key}", one, makers) for key, one in inputs.items() if not _is_known(one)]
    read: dict[KeyPath, InputPlace] = {
        ("steps", name, "inputs", key): one for name, step in planned.items() for key, one in step.inputs.items()
    }
    problems += _find_misnamed(read, makers, root)
    if problems:
        raise DataError(*problems)
    return Graph(root, planned, profile)


def _place_input(value: Any, makers: Mapping[str, str], conf_path: Path, root: Path) -> InputPlace:
    path = normalise_path(take_path(value))
    told = value.model_dump() if isinstance(value, InputFile) else value if isinstance(value, dict) else {}
    maker = find_maker(path, makers)
    place = root / path if maker is not None else find_data(path, conf_path, root)
    whole = Path(os.path.abspath(place))  # noqa: PTH100 - links stay as they are named
    name = whole.relative_to(root).as_posix() if whole.is_relative_to(root) else str(whole)
    return InputPlace(name, whole, told.get("digest"), maker, told.get("source"))


def _find_misnamed(inputs: Mapping[KeyPath, InputPlace], makers: Mapping[str, str], root: Path) -> list[Problem]:
    """An edge of the graph is known by its words: an output that an input names otherwise would be read before it is made."""
    outputs = {(root / made).resolve(): (made, maker) for made, maker in makers.items()}
    expected, remedy = "a raw file, or an output by its step's own name", "Write it as step {} does, from the project's root."
    return [
        Problem(".".join(map(str, key)), expected, made, remedy.format(maker))
        for key, real in {key: one.place.resolve() for key, one in inputs.items() if one.maker is None}.items()
        for output, (made, maker) in outputs.items()
        if real.is_relative_to(output)
    ]


def _is_known(one: InputPlace) -> bool:
    return one.maker is not None or one.place.exists()


def _describe_unknown(where: str, one: InputPlace, makers: Mapping[str, str]) -> Problem:
    folder = one.place.parent
    beside = [str(Path(one.path).parent / other.name) for other in folder.iterdir()] if folder.is_dir() else []
    remedy = "Check the path, or bring it: samebits data pull."
    if one.pin is None:
        remedy = suggest(one.path, [*makers, *beside], "Check the path.")
    return Problem(where, "a file, or an output of a step", f"neither at {one.path}", remedy)


def list_step_paths(sections: Mapping[str, Any], conf_path: Path, root: Path) -> list[Path]:
    """Return where a config's raw inputs and all its steps' outputs lie, from its plain values; those that are not there too."""
    raw = [one.place for one in list_step_inputs(sections, conf_path, root).values()]
    return [*dict.fromkeys(raw), *list_step_outputs(sections, root)]


def list_step_outputs(sections: Mapping[str, Any], root: Path) -> list[Path]:
    """Return where a config's steps write, from its plain values; those that are not there too."""
    return [root / path for path in find_makers(take_section(sections, "steps"))]


def list_step_inputs(sections: Mapping[str, Any], conf_path: Path, root: Path) -> dict[KeyPath, InputPlace]:
    """Return the raw inputs of a config's steps by their keys, from the config's plain values; those that are not there too.

    Parameters
    ----------
    sections
        A whole config as it was read and found sound (`config.loading.read_config_document`).

    Raises
    ------
    DataError
        One is an output of a step by another spelling.
    """
    steps = take_section(sections, "steps")
    makers = find_makers(steps)
    found: dict[KeyPath, InputPlace] = {}
    for name, step in steps.items():
        for key, value in take_section(step, "inputs").items():
            one = _place_input(value, makers, conf_path, root)
            if one.maker is None:
                found["steps", name, "inputs", key] = one
    if problems := _find_misnamed(found, makers, root):
        raise DataError(*problems)
    return found
