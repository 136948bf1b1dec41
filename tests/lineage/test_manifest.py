from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from samebits.digests import canonical_json
from samebits.errors import LineageError
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
DECISIVE_ENVIRONMENT = {"python", "implementation", "packages", "modified", "startup"}


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


GOLDEN = json.loads((ROOT / "tests/goldens/lineage_5.json").read_text(encoding="utf-8"))


def put(path: str, value: Any) -> bytes:
    lineage = json.loads(json.dumps(GOLDEN))
    owner = lineage
    *above, last = path.split(".")
    for key in above:
        owner = owner[key]
    owner[last] = value
    return json.dumps(lineage).encode()


def nest(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b" " * (33 << 20), "expected a lineage of at most 32 MiB and 1000000 values, found 33 MiB"),
        (
            b'{"' + b"k" * (1 << 20) + b'": [' + b"0," * 100 + b"0]}",
            "expected names of values that together have at most 64000000 letters",
        ),
        (b"[" + b"[]," * 1_000_000 + b"1]", "and 1000000 values, found about"),
        (put("stages.metrics.test.r2", 10**400), "integers of at most 300 digits"),
        (put("run.seconds", 10**400), "integers of at most 300 digits"),
        (put("run.seconds", 1e300), "a run that took a time"),
        (put("run.seconds", -1), "a run that took a time"),
        (put("run.seconds", float("nan")), "a run that took a time"),
        (put("run.started", 10**310), "integers of at most 300 digits"),
        (put("x", nest(500)), "values at most 60 levels deep"),
        (b'{"schema": ' + b"9" * 5000 + b"}", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (put("artifacts", {"../../etc/passwd": {"digest": "x"}}), "named by paths inside the run"),
        (put("artifacts", {"/etc/passwd": {"digest": "x"}}), "named by paths inside the run"),
        (put("artifacts", {"a/./b": {"digest": "x"}}), "named by paths inside the run"),
        (put("artifacts", {"a\0": {"digest": "x"}}), "named by paths inside the run"),
        (put("artifacts", {f"a{number}": {"digest": "x"} for number in range(100_001)}), "at most 100000 artifacts"),
        (put("stages.code.remote", ["x"]), "places that are text"),
        (put("stages.code.repository", 3), "places that are text"),
        (put("stages.data.location", {}), "places that are text"),
        (put("stages.code.changes", {"a": 3}), "changed files with their digests"),
        (put("x", "\ud800"), "half of a surrogate pair"),
    ],
    ids=range(22),
)
def test_a_lineage_without_measure_is_refused_in_one_sentence(content: bytes, said: str) -> None:
    with pytest.raises(LineageError, match=said) as raised:
        read_lineage(content, "lineage.json")

    assert len(str(raised.value).splitlines()) == 1 and len(str(raised.value)) < 1000
