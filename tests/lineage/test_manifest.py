from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from samebits.digests import canonical_json
from samebits.lineage.manifest import (
    INPUT_STAGES,
    OUTPUT_STAGES,
    SCHEMA,
    assemble_lineage,
    find_contradictions,
    make_stage,
    read_lineage,
    write_lineage,
)
from samebits.numerics.profile import Kernels
from samebits.provenance.code import CodeIdentity
from samebits.provenance.environment import Environment, read_environment
from samebits.training.stages import describe_code, describe_environment, describe_profile

ROOT = Path(__file__).parent.parent.parent
CODE = CodeIdentity(sources_digest="sha256:1", wheel_digest=None, commit="c", branch="main", remote="r", root=ROOT)
KERNELS = Kernels(blas=[{"architecture": "Haswell", "num_threads": 1}], openmp_threads=[1], cpu_dispatch=[], probe={"sum": "sha256:1"})

# Fields that decide a stage's digest; every other field is a fact beside it.
DECISIVE_CODE = {"absent", "changes", "commit", "modules", "sources_digest"}
DECISIVE_ENVIRONMENT = {"python", "implementation", "packages"}


def change(value: Any) -> Any:
    changes = {dict: {"x": "sha256:9"}, list: ["x"], bytes: b"x", int: 99, Path: Path("/elsewhere")}
    return next((changes[kind] for kind in changes if isinstance(value, kind)), "changed")


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(CodeIdentity)])
def test_each_field_of_the_code_changed_alone_is_decisive_or_a_fact(field: str) -> None:
    changed = dataclasses.replace(CODE, **{field: change(getattr(CODE, field))})

    differs = describe_code(changed, [], ROOT)["digest"] != describe_code(CODE, [], ROOT)["digest"]

    assert differs == (field in DECISIVE_CODE)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Environment)])
def test_each_field_of_the_environment_changed_alone_is_decisive_or_a_fact(field: str) -> None:
    environment = read_environment(ROOT, [])
    changed = dataclasses.replace(environment, **{field: change(getattr(environment, field))})

    differs = describe_environment(changed)["digest"] != describe_environment(environment)["digest"]

    assert differs == (field in DECISIVE_ENVIRONMENT)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Kernels)])
def test_each_field_of_the_kernels_decides(field: str) -> None:
    changed = dataclasses.replace(KERNELS, **{field: change(getattr(KERNELS, field))})

    assert describe_profile("portable", changed)["digest"] != describe_profile("portable", KERNELS)["digest"]
    assert describe_profile("native", KERNELS)["digest"] != describe_profile("portable", KERNELS)["digest"]


def test_a_change_to_the_config_or_the_table_is_not_one_of_code(tmp_path: Path) -> None:
    changes = {"conf.yaml": "sha256:2", "other.py": "sha256:3"}
    changed = dataclasses.replace(CODE, root=tmp_path, changes=changes)
    only_other = dataclasses.replace(CODE, root=tmp_path, changes={"other.py": "sha256:3"})

    assert describe_code(changed, [tmp_path / "conf.yaml"], ROOT)["digest"] == describe_code(only_other, [], ROOT)["digest"]
    assert describe_code(changed, [], ROOT)["digest"] != describe_code(only_other, [], ROOT)["digest"]


STAGES = {name: make_stage({"value": name}) for name in (*INPUT_STAGES, *OUTPUT_STAGES)}


@pytest.mark.parametrize("name", STAGES)
def test_each_stage_changed_alone_moves_its_own_side_only(name: str) -> None:
    changed = {**STAGES, name: make_stage({"value": "changed"})}

    left, right = (assemble_lineage(stages, {}, {}) for stages in (STAGES, changed))

    assert (left["inputs_digest"] != right["inputs_digest"]) == (name in INPUT_STAGES)
    assert (left["outputs_digest"] != right["outputs_digest"]) == (name in OUTPUT_STAGES)


def test_facts_of_one_run_move_no_digest() -> None:
    left, right = (assemble_lineage(STAGES, {}, {"run_id": run_id}) for run_id in "ab")

    assert left["inputs_digest"] == right["inputs_digest"]
    assert left["outputs_digest"] == right["outputs_digest"]


def test_a_lineage_is_written_as_canonical_bytes_that_read_back() -> None:
    lineage = assemble_lineage(STAGES, {"b": {"digest": "sha256:1", "size_bytes": 1}}, {"run_id": "ü"})

    content = write_lineage(lineage)

    assert json.loads(content) == lineage
    assert content == canonical_json(json.loads(content)) + b"\n"


@pytest.mark.parametrize("path", sorted((ROOT / "tests/goldens").glob("lineage_*.json")), ids=lambda path: path.name)
def test_a_lineage_of_every_schema_so_far_still_holds_together(path: Path) -> None:
    content = path.read_bytes()
    lineage = json.loads(content)

    assert path.name == f"lineage_{lineage['schema']}.json"
    assert write_lineage(lineage) == content
    assert read_lineage(content, str(path)) == lineage
    assert find_contradictions(lineage) == []


def test_the_present_schema_has_its_golden() -> None:
    assert (ROOT / f"tests/goldens/lineage_{SCHEMA}.json").is_file()
