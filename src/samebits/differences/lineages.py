"""The differences between two lineages: every leaf, in both directions, the most likely cause first.

Pure: it reads two manifests and nothing else. What a difference means inside a table, a model or the code is for others to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from samebits.config.decisive import is_default
from samebits.lineage.manifest import INPUT_STAGES, OUTPUT_STAGES, PACKAGES_FILE, STAGES, is_fact
from samebits.lineage.step_stage import NO_STEPS, StepRanks, rank_steps

Kind = Literal["changed", "added", "removed"]
# Packages whose numbers end in a model; the others seldom move a bit.
_NUMERIC_PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib", "pyarrow")
# What is most often why two runs part, and most surely: the table and its steps, the settings, what computes, the code, then the rest.
_STEPS = "stages.steps.steps."
_CAUSES = (
    _STEPS,
    "stages.data.digest",
    "stages.config.resolved.",
    "stages.config.digest",
    "stages.seeds.",
    "stages.numeric_profile.name",
    "stages.numeric_profile.blas",
    "stages.numeric_profile.cpu_dispatch",
    "stages.numeric_profile.probe",
    "stages.numeric_profile.",
    *(f"stages.environment.packages.{name}" for name in _NUMERIC_PACKAGES),
    "stages.environment.modified.",
    "stages.environment.startup.",
    "stages.code.sources_digest",
    "stages.code.changes",
    "stages.code.modules",
    "stages.code.commit",
    "stages.environment.python",
    "stages.environment.",
    "stages.code.",
)
_PACKAGES = f"artifacts.{PACKAGES_FILE}.digest"
_MISSING = object()


@dataclass(frozen=True)
class Difference:
    """One leaf that two lineages do not share.

    Parameters
    ----------
    path
        Dotted, from the top of the lineage.
    left, right
        The leaf's values; None on the side that has no such leaf.
    decides
        Whether it can be why other outputs came out: a part of an input stage's digest.
    """

    path: str
    kind: Kind
    left: Any
    right: Any
    decides: bool

    @property
    def stage(self) -> str | None:
        """The stage it belongs to, if any."""
        parts = self.path.split(".")
        return parts[1] if parts[0] == "stages" else None


def diff_lineages(left: dict[str, Any], right: dict[str, Any]) -> list[Difference]:
    """Return every difference between two lineages, the most likely cause first; none where they are equal.

    Differences that decide come first, then what came out in the order of the flow, then digests, artifacts and facts.
    """
    found = list(_walk(left, right, ()))
    ranks = rank_steps(*(side.get("stages", {}).get("steps", NO_STEPS) for side in (left, right)))
    return sorted(found, key=lambda difference: (*_rank(difference, ranks), difference.path))


def _walk(left: Any, right: Any, path: tuple[str, ...]) -> Iterator[Difference]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(set(left) | set(right)):
            yield from _walk(left.get(key, _MISSING), right.get(key, _MISSING), (*path, key))
    elif isinstance(left, list) and isinstance(right, list):
        for index in range(max(len(left), len(right))):
            pair = [side[index] if index < len(side) else _MISSING for side in (left, right)]
            yield from _walk(pair[0], pair[1], (*path, str(index)))
    elif left is _MISSING or right is _MISSING:
        kind: Kind = "added" if left is _MISSING else "removed"
        for leaf, value in _list_leaves(right if left is _MISSING else left, path):
            sides = (None, value) if left is _MISSING else (value, None)
            yield _make_difference(leaf, kind, *sides)
    elif type(left) is not type(right) or left != right:
        yield _make_difference(path, "changed", left, right)


def _list_leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict | list) and value:
        members = value.items() if isinstance(value, dict) else ((str(index), member) for index, member in enumerate(value))
        for key, member in members:
            yield from _list_leaves(member, (*path, key))
    else:
        yield path, value


def _make_difference(path: tuple[str, ...], kind: Kind, left: Any, right: Any) -> Difference:
    is_input = len(path) > 2 and path[0] == "stages" and path[1] in INPUT_STAGES
    decides = is_input and not is_fact(path[1], ".".join(path[2:])) and (path[2] != "digest" or path[1] == "data")
    decides = decides and not _is_new_default(path, kind, left if kind == "removed" else right)
    return Difference(".".join(path), kind, left, right, decides)


def _is_new_default(path: tuple[str, ...], kind: Kind, value: Any) -> bool:
    """A key that only one of two versions knows, and that says there what nothing says, is no cause."""
    return path[1:3] == ("config", "resolved") and kind != "changed" and is_default(".".join(path[3:]), value)


def _rank(difference: Difference, ranks: StepRanks) -> tuple[int, ...]:
    if difference.decides:
        return _rank_cause(difference.path, ranks)
    stage = difference.stage
    if stage in OUTPUT_STAGES:
        return 1, STAGES.index(stage)
    if difference.path.endswith("digest") or difference.path.startswith("artifacts."):
        return 2, 0
    return (3, STAGES.index(stage)) if stage in STAGES else (4, 0)


def _rank_cause(path: str, ranks: StepRanks) -> tuple[int, ...]:
    """What a step gave follows from what it was made of, and in."""
    index = next((index for index, prefix in enumerate(_CAUSES) if path.startswith(prefix)), len(_CAUSES))
    if not path.startswith(_STEPS):
        return 0, index, False, 0, 0
    leaf = path.removeprefix("stages.steps.")
    return 0, len(_CAUSES) if ranks.follows(leaf) else index, *ranks.rank(leaf)


def name_cause(differences: list[Difference]) -> str:
    """Return the most likely cause of other outputs, in words."""
    deciding = [difference for difference in differences if difference.decides]
    if not deciding and any(difference.path == _PACKAGES for difference in differences):
        return f"packages of the same versions have other files, or came from elsewhere: {PACKAGES_FILE}"
    if not deciding:
        return "no recorded input differs: something drew what no seed reaches, or something is not on record"
    first = _find_cause(deciding)
    if first.stage == "steps":
        return _describe_step(first)
    if first.stage == "numeric_profile":
        return _describe_kernels(deciding)
    name = first.path.removeprefix("stages.").replace("config.resolved.", "config ").replace(".packages.", " ").removesuffix(".digest")
    if name.startswith(("environment.modified.", "environment.startup.")):
        return _describe_installed(first)
    return f"{name}: {_describe_sides(first)}"


def _find_cause(deciding: list[Difference]) -> Difference:
    """A table that steps made is another since they are, or since what they ran in is."""
    of_steps = [found for found in deciding if found.path.startswith(_STEPS)]
    others = [found for found in deciding if found.path != "stages.data.digest"]
    return others[0] if of_steps else deciding[0]


def _describe_step(first: Difference) -> str:
    """Say of which step what is another; of one whose output alone is, that it is unstable."""
    _, _, _, name, part, *rest = [*first.path.split("."), "", ""]
    leaf = ".".join(filter(None, rest))
    sides = _describe_sides(first)
    words = {"parameters": "parameter", "modules": "module", "inputs": "input", "command": "word"}
    if part == "outputs":
        return f"step {name}: the same inputs, parameters and code gave other bytes of {leaf}: {sides}"
    return f"step {name}: {' '.join(filter(None, [words.get(part, part), leaf]))}: {sides}"


def _describe_installed(first: Difference) -> str:
    """A package that is as it was installed has no entry of its own."""
    _, _, kind, name = first.path.split(".", maxsplit=3)
    ordinary, word = ("as installed", "installed file") if kind == "modified" else ("nothing", "runs before the program:")
    left, right = (ordinary if side is None else _shorten(side) for side in (first.left, first.right))
    return f"environment {word} {name}: {left} -> {right}"


def _describe_kernels(deciding: list[Difference]) -> str:
    own = [difference for difference in deciding if difference.stage == "numeric_profile"]
    named = [f"{_shorten(found.left)} -> {_shorten(found.right)}" for found in own if found.path.endswith((".architecture", ".name"))]
    probed = [found.path.rpartition(".")[2] for found in own if ".probe." in found.path]
    parts = [", ".join(dict.fromkeys(named)), f"which compute otherwise: {', '.join(probed)}" if probed else ""]
    return f"numeric kernels {'; '.join(filter(None, parts)) or own[0].path}"


def _describe_sides(found: Difference) -> str:
    """Say both values; a key that is not there is told apart from one that says null."""
    left = "nothing" if found.kind == "added" else _shorten(found.left)
    right = "nothing" if found.kind == "removed" else _shorten(found.right)
    return f"{left} -> {right}"


def _shorten(value: Any) -> str:
    text = "null" if value is None else str(value)
    return f"{text[:19]}…" if text.startswith("sha256:") else text if len(text) <= 60 else f"{text[:59]}…"
