from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from samebits.lineage.gaps import list_unrestorable

GOLDENS = Path(__file__).parent.parent / "goldens"
WHOLE: dict[str, Any] = {
    "stages": {
        "code": {"commit": "c" * 40, "pushed": True, "changes": {}, "patch": {"left_out": []}},
        "data": {"path": "data/x.csv", "digest": "sha256:1"},
        "environment": {"python": "3.11.7", "packages": {}},
    },
    "archive": {"data": "kept", "code": "pushed"},
    "artifacts": {"environment/uv.lock": {"digest": "sha256:2"}},
}
WHEEL = {"environment/packages.json": {}, "environment/samebits-2026.11.3-py3-none-any.whl": {}}


def change(**changes: Any) -> dict[str, Any]:
    """Return the lineage with fields set, each by its place with `__` between."""
    lineage = copy.deepcopy(WHOLE)
    for place, value in changes.items():
        *above, last = place.split("__")
        target = lineage
        for name in above:
            target = target[name]
        target[last] = value
    return lineage


def test_a_run_of_which_all_is_kept_has_no_gap() -> None:
    assert list_unrestorable(WHOLE) == []
    assert list_unrestorable(change(stages__code__pushed=False, archive__code="kept")) == []
    kept = {**WHOLE["artifacts"], "environment/my_pack-1.0-py3-none-any.whl": {}}
    assert list_unrestorable(change(stages__environment__local=["my-pack"], artifacts=kept)) == []
    assert list_unrestorable(change(stages__code__commit=None, artifacts=WHEEL, archive__code="no commit")) == []


@pytest.mark.parametrize(
    ("lineage", "said"),
    [
        (
            change(stages__code__commit=None, artifacts={"environment/uv.lock": {}, "environment/packages.json": {}}),
            "samebits' own code (no commit and no wheel)",
        ),
        (
            change(stages__code__commit=None, artifacts={"environment/uv.lock": {}, "environment/samebits-1-py3-none-any.whl": {}}),
            "the environment (no commit holds the project of its uv.lock",
        ),
        (change(artifacts={}), "the environment (no uv.lock)"),
        (
            change(stages__code__pushed=False, archive__code="over the cap"),
            "the commit cccccccccccc (neither pushed nor archived: over",
        ),
        (change(stages__code__patch={"left_out": ["a.bin"]}, stages__code__changes={"a.bin": "sha256:1"}), "does not hold (a.bin)"),
        (
            change(stages__code__patch={"left_out": ["inside/a.py"]}, stages__code__modules={"inside/a.py": "sha256:1"}),
            "modules that are not kept (a.py)",
        ),
        (change(archive__data="never"), "the table data/x.csv (archive: never, unless the commit holds it)"),
        (change(archive__data="over the cap", stages__data__path="/srv/x.csv"), "the table /srv/x.csv (archive: over the cap)"),
        (change(stages__data__test={"path": "/srv/t.csv", "digest": "sha256:3"}), "the table /srv/t.csv (archive: not on record)"),
        (change(stages__environment__beside_lock=["foo 1.0"]), "packages installed beside uv.lock (foo 1.0)"),
        (change(stages__environment__local=["my-pack"]), "packages that came from this machine's own disk and are not kept (my-pack)"),
        (change(stages__environment__modified={"sklearn/a.py": "sha256:4"}), "installed files that were changed (sklearn/a.py)"),
        (change(stages__environment__startup={"sitecustomize": "sha256:5"}), "what runs before the program (sitecustomize)"),
        (change(stages__environment__not_held={"foo": "editable"}), "packages of unknown files (foo: editable)"),
    ],
)
def test_each_part_that_is_nowhere_else_is_named(lineage: dict[str, Any], said: str) -> None:
    (gap,) = list_unrestorable(lineage)

    assert said in gap and "\n" not in gap


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_lineage_of_every_schema_is_read(number: int) -> None:
    lineage = json.loads((GOLDENS / f"lineage_{number}.json").read_text(encoding="utf-8"))

    assert all(isinstance(gap, str) for gap in list_unrestorable(lineage))
