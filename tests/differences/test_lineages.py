from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import ROOT

from samebits.differences.lineages import diff_lineages, name_cause
from samebits.lineage.manifest import INPUT_STAGES

LINEAGE: dict[str, Any] = json.loads((ROOT / "tests/goldens/lineage_6.json").read_text(encoding="utf-8"))


def list_leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict | list) and value:
        members = value.items() if isinstance(value, dict) else ((str(index), member) for index, member in enumerate(value))
        for key, member in members:
            yield from list_leaves(member, (*path, key))
    else:
        yield path


def reach(lineage: Any, path: tuple[str, ...]) -> tuple[Any, Any]:
    owner = lineage
    for key in path[:-1]:
        owner = owner[int(key)] if isinstance(owner, list) else owner[key]
    return owner, int(path[-1]) if isinstance(owner, list) else path[-1]


def copy_lineage() -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(json.dumps(LINEAGE))
    return copied


def test_a_lineage_does_not_differ_from_itself() -> None:
    assert diff_lineages(LINEAGE, copy_lineage()) == []


def test_every_field_changed_alone_gives_exactly_that_difference_in_both_directions() -> None:
    leaves = list(list_leaves(LINEAGE))
    assert len(leaves) > 200

    for path in leaves:
        changed = copy_lineage()
        owner, key = reach(changed, path)
        owner[key] = "another"
        there, back = diff_lineages(LINEAGE, changed), diff_lineages(changed, LINEAGE)
        name = ".".join(path)
        assert [(found.path, found.kind) for found in there] == [(name, "changed")]
        assert [(found.path, found.left, found.right) for found in there] == [
            (found.path, found.right, found.left) for found in back
        ], name


def test_every_field_missing_or_extra_is_said_as_such() -> None:
    for path in list_leaves(LINEAGE):
        owner, _ = reach(LINEAGE, path)
        if isinstance(owner, list):
            continue
        shorter = copy_lineage()
        short_owner, key = reach(shorter, path)
        del short_owner[key]
        (removed,), (added,) = diff_lineages(LINEAGE, shorter), diff_lineages(shorter, LINEAGE)
        assert (removed.path, removed.kind) == (".".join(path), "removed")
        assert (added.path, added.kind) == (".".join(path), "added")


def test_only_parts_of_input_digests_decide() -> None:
    deciding = set()
    for path in list_leaves(LINEAGE):
        changed = copy_lineage()
        owner, key = reach(changed, path)
        owner[key] = "another"
        if diff_lineages(LINEAGE, changed)[0].decides:
            deciding.add(".".join(path))

    assert "stages.config.resolved.seed" in deciding
    assert "stages.environment.packages.numpy" in deciding
    assert "stages.numeric_profile.probe.exp_log" in deciding
    assert "stages.data.digest" in deciding
    assert not any(path.startswith(("run.", "artifacts.", "archive.")) for path in deciding)
    facts = (
        "config.resolved.n_jobs",
        "config.resolved.name",
        "config.resolved.tolerance.metrics",
        "environment.cpu",
        "data.path",
        "code.branch",
    )
    assert not deciding & {f"stages.{name}" for name in facts}
    assert {path.split(".")[1] for path in deciding} == set(INPUT_STAGES)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        (
            {"stages.numeric_profile.blas.0.architecture": "SkylakeX", "stages.code.commit": "f" * 40},
            "numeric kernels Haswell -> SkylakeX",
        ),
        ({"stages.numeric_profile.probe.exp_log": "sha256:0", "stages.code.branch": "x"}, "compute otherwise: exp_log"),
        ({"stages.environment.packages.numpy": "2.5.0", "stages.environment.packages.urllib3": "0"}, "environment numpy: 2.4"),
        ({"stages.data.digest": "sha256:0", "stages.environment.packages.numpy": "2.5.0"}, "data: sha256:"),
        ({"stages.config.resolved.seed": 7, "stages.seeds.root": 7}, "config seed: 42 -> 7"),
        ({"run.user": "somebody", "stages.environment.cpu": "another"}, "no recorded input differs"),
    ],
)
def test_the_cause_is_never_something_innocent(changes: dict[str, Any], cause: str) -> None:
    changed = copy_lineage()
    for name, value in changes.items():
        owner, key = reach(changed, tuple(name.split(".")))
        owner[key] = value

    assert cause in name_cause(diff_lineages(LINEAGE, changed))


def test_packages_of_the_same_versions_with_other_files_are_the_cause_where_no_input_differs() -> None:
    left, right = copy_lineage(), copy_lineage()
    for lineage, letter in ((left, "1"), (right, "2")):
        lineage["artifacts"]["environment/packages.json"] = {"digest": f"sha256:{letter}", "size_bytes": 9}

    assert "packages of the same versions have other files" in name_cause(diff_lineages(left, right))


def test_a_key_that_only_the_later_version_knows_is_no_cause_where_it_says_nothing() -> None:
    left, right = copy_lineage(), copy_lineage()
    resolved = right["stages"]["config"]["resolved"]
    resolved["keep"] = "best"
    resolved["data"]["rows"] = []
    resolved["business"]["f_beta"] = None
    left["stages"]["config"]["resolved"]["cv"].pop("n_splits", None)
    resolved["cv"]["n_splits"] = 7

    deciding = [difference.path for difference in diff_lineages(left, right) if difference.decides]

    assert deciding == ["stages.config.resolved.cv.n_splits"]


def test_a_key_that_is_not_there_is_told_apart_from_one_that_says_null() -> None:
    left, right = copy_lineage(), copy_lineage()
    left["stages"]["config"]["resolved"]["models"]["logistic_regression"]["l1_ratio"] = None

    assert name_cause(diff_lineages(left, right)).endswith("l1_ratio: null -> nothing")
    assert name_cause(diff_lineages(right, left)).endswith("l1_ratio: nothing -> null")


@pytest.mark.parametrize(
    ("field", "found", "cause"),
    [
        (
            "modified",
            {"sklearn/tree/_classes.py": "sha256:" + "4" * 64},
            "installed file sklearn/tree/_classes.py: as installed -> sha256:4",
        ),
        ("modified", {"numpy/random/x.so": "missing"}, "installed file numpy/random/x.so: as installed -> missing"),
        ("startup", {"sitecustomize": "sha256:" + "5" * 64}, "runs before the program: sitecustomize: nothing -> sha256:5"),
        ("startup", {"zz.pth": "sha256:" + "5" * 64}, "runs before the program: zz.pth: nothing -> sha256:5"),
    ],
)
def test_what_is_not_as_it_was_installed_is_the_cause_in_both_directions(field: str, found: dict[str, str], cause: str) -> None:
    changed = copy_lineage()
    changed["stages"]["environment"][field] = found

    assert cause in name_cause(diff_lineages(LINEAGE, changed))
    assert name_cause(diff_lineages(changed, LINEAGE)).startswith("environment ")
    assert all(difference.decides for difference in diff_lineages(LINEAGE, changed))
