"""The stage of a run's steps: what of it decides, whether it is whole, and what in it parts two runs first.

How it is made of steps that ran is `steps`. A run without steps has a stage that holds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from samebits.digests import digest_value

STEP_FACTS = frozenset({"order", "paths", "raw", "ran", "made"})
NO_STEPS: dict[str, Any] = {"digest": digest_value({})}
# Of one step, in the order in which it is asked why it is another: what it is told to do comes before what it is made of.
PARTS = ("function", "command", "parameters", "seed", "modules", "inputs", "outputs")
_DIGESTED = ("inputs", "modules", "outputs")


def has_steps(stage: Mapping[str, Any] | None) -> bool:
    """Tell whether a run had steps; one of a schema that knew none had none."""
    return bool(stage) and bool((stage or {}).get("order"))


def is_whole(stage: Mapping[str, Any]) -> bool:
    """Tell whether a stage of steps has all that a reader takes for granted."""
    if set(stage) == {"digest"}:
        return True
    steps, order, paths = stage.get("steps"), stage.get("order"), stage.get("paths")
    if not (isinstance(steps, dict) and isinstance(order, list) and isinstance(paths, dict) and isinstance(stage.get("ran"), dict)):
        return False
    return (
        sorted(map(str, order)) == sorted(steps) == sorted(paths)
        and all(isinstance(step, dict) and all(_has_texts(step.get(kind)) for kind in _DIGESTED) for step in steps.values())
        and all(isinstance(one, dict) and all(_has_texts(one.get(kind)) for kind in ("inputs", "outputs")) for one in paths.values())
        and all(paths[name][kind].keys() == steps[name][kind].keys() for name in steps for kind in ("inputs", "outputs"))
        and _has_texts(stage.get("raw"))
        and all(_is_straight(path) for path in [*stage["raw"], *(path for one in paths.values() for path in one["inputs"].values())])
        and all(_is_straight(path) and path[0] != "/" for one in paths.values() for path in one["outputs"].values())
        and _has_texts(stage.get("made"))
    )


def _has_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _is_straight(path: str) -> bool:
    """Tell whether a path, from a project's root or whole, leads to where its names say and nowhere aside."""
    return "\0" not in path and not {"", ".", ".."} & set(path.removeprefix("/").split("/"))


def list_outputs(stage: Mapping[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Return the step, the name and the digest of each output, by its path from the project's root."""
    return {
        path: (step, name, stage["steps"][step]["outputs"][name])
        for step in stage.get("order", [])
        for name, path in stage["paths"][step]["outputs"].items()
    }


def list_raw(stage: Mapping[str, Any]) -> dict[str, str]:
    """Return the digest of each raw input, by its path: from the project's root, or the whole of it."""
    return dict(stage.get("raw", {}))


@dataclass(frozen=True)
class StepRanks:
    """Which leaf of the stages of two runs parts them first.

    Parameters
    ----------
    order
        The steps of both.
    followers
        Leaves (`steps.NAME.outputs…`) of what follows from something before it: what a step gave, and what another read of that.
    parted
        The steps that gave other bytes: where there are such, one that gave the same is no cause, whatever it was made of.
    """

    order: list[str]
    followers: frozenset[str]
    parted: frozenset[str]

    def follows(self, leaf: str) -> bool:
        """Tell whether a leaf follows from others, or nothing from it, so that by itself it is the last to be a cause."""
        return leaf in self.followers or self._is_idle(leaf)

    def rank(self, leaf: str) -> tuple[bool, int, int]:
        """Return where a leaf stands: those of steps that gave the same last, then by step, then by part."""
        name, part = _split_leaf(leaf)
        place = self.order.index(name) if name in self.order else len(self.order)
        return self._is_idle(leaf), place, PARTS.index(part) if part in PARTS else len(PARTS)

    def _is_idle(self, leaf: str) -> bool:
        return bool(self.parted) and _split_leaf(leaf)[0] not in self.parted


def _split_leaf(leaf: str) -> tuple[str, str]:
    """Return the step and its part; empty where a leaf is of no step."""
    _, name, part, *_ = [*leaf.split("."), "", ""]
    return name, part


def rank_steps(left: Mapping[str, Any], right: Mapping[str, Any]) -> StepRanks:
    """Return the ranks of two runs' stages: in the order of the first, with steps that only the second has behind."""
    left, right = (stage if is_whole(stage) else NO_STEPS for stage in (left, right))
    order = list(dict.fromkeys([*left.get("order", []), *right.get("order", [])]))
    parted = (name for name in order if _find_outputs(left, name) != _find_outputs(right, name))
    return StepRanks(order, frozenset([*_list_followers(left), *_list_followers(right)]), frozenset(parted))


def _find_outputs(stage: Mapping[str, Any], name: str) -> Any:
    return stage["steps"][name]["outputs"] if name in stage.get("order", []) else None


def place_steps(stage: Mapping[str, Any]) -> tuple[dict[str, tuple[int, int]], list[tuple[str, str]]]:
    """Return where a drawing has each node, as column and row from 0, and which leads to which; nothing in it is of one run alone.

    Nodes are `raw NAME DIGEST` for each input that no step made, `step NAME`, and `training`, to which what it reads leads.
    """
    made = list_outputs(stage)
    edges = []
    for name in sorted(stage["order"]):
        for key, path in sorted(stage["paths"][name]["inputs"].items()):
            maker = next((one for output, (one, _, _) in made.items() if path == output or path.startswith(f"{output}/")), None)
            raw = f"raw {key} {stage['steps'][name]['inputs'][key]}"
            edges.append((raw if maker is None else f"step {maker}", f"step {name}"))
    read = set(stage["made"].values())
    edges += [(f"step {step}", "training") for step, _, digest in made.values() if digest in read]
    edges = list(dict.fromkeys(edges))
    depths: dict[str, int] = {}
    for name in stage["order"]:  # each after those that it needs
        depths[f"step {name}"] = 1 + max((depths.get(one, 0) for one, other in edges if other == f"step {name}"), default=0)
    last = 1 + max(depths.values())
    columns = {**{one: 0 for one, _ in edges if one.startswith("raw ")}, **depths, "training": last}
    rows: dict[int, int] = {}
    places = {}
    for node in sorted(columns, key=lambda node: (columns[node], node)):
        places[node] = (columns[node], rows.get(columns[node], 0))
        rows[columns[node]] = places[node][1] + 1
    return places, edges


def _list_followers(stage: Mapping[str, Any]) -> Iterator[str]:
    made = list_outputs(stage)
    for name in stage.get("order", []):
        yield from (f"steps.{name}.outputs.{key}" for key in stage["paths"][name]["outputs"])
        for key, path in stage["paths"][name]["inputs"].items():
            if any(path == output or path.startswith(f"{output}/") for output in made):
                yield f"steps.{name}.inputs.{key}"
