"""The lineage: a run's manifest, one digest per stage, from what went in to what came out; canonical bytes.

A later comparison reads the stages in order and names the first whose digest differs. A stage's digest covers what can change a
result; beside it stand facts that help a reader (paths, CPU, times) and are compared by nobody. The schema number changes when the
meaning of a field does.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from samebits import __version__
from samebits.code import CodeIdentity
from samebits.config import LoadedConfig
from samebits.dataset import Dataset
from samebits.digests import canonical_json, digest_bytes, digest_value
from samebits.environment import Environment
from samebits.profile import HASH_SEED, Kernels

SCHEMA = 1
INPUT_STAGES = ("code", "config", "data", "environment", "numeric_profile", "seeds")
OUTPUT_STAGES = ("split", "cross_validation", "model", "threshold", "predictions", "metrics", "drift_baseline")

Stage = dict[str, Any]


def make_stage(decisive: Any, **facts: Any) -> Stage:
    """Return a stage: the digest of what decides, and beside it that and the facts.

    >>> sorted(make_stage({"root": 42}, note="x"))
    ['digest', 'note', 'root']
    """
    own = decisive if isinstance(decisive, dict) else {}
    return {**facts, **own, "digest": digest_value(decisive)}


def describe_code(code: CodeIdentity, paths_with_own_stage: list[Path]) -> Stage:
    """Return the code stage.

    Parameters
    ----------
    paths_with_own_stage
        The config and the table: a change to them is named by their own stages and is not one of code.
    """
    own = {path.resolve() for path in paths_with_own_stage}
    root = (code.root or Path()).resolve()
    changes = {name: digest for name, digest in code.changes.items() if root / name not in own}
    decisive = {"sources_digest": code.sources_digest, "commit": code.commit, "changes": changes}
    return make_stage(
        decisive,
        wheel_digest=code.wheel_digest,
        branch=code.branch,
        remote=code.remote,
        dirty=code.is_dirty,
        patch={"digest": digest_bytes(code.patch), "size_bytes": len(code.patch), "left_out": code.left_out},
    )


def describe_config(loaded: LoadedConfig, file_name: str) -> Stage:
    """Return the config stage: as written and as resolved; the digest covers the keys that can change a result."""
    return {
        "digest": loaded.digest,
        "file": file_name,
        "file_digest": digest_bytes(loaded.document.path.read_bytes()),
        "resolved": loaded.resolved,
        "version": loaded.config.version,
    }


def describe_data(dataset: Dataset, path: str) -> Stage:
    """Return the data stage; its digest is the table's own."""
    return {
        "digest": dataset.digest,
        "path": path,
        "size_bytes": dataset.size_bytes,
        "n_rows": len(dataset.frame),
        "columns": dataset.kinds,
    }


def describe_environment(environment: Environment) -> Stage:
    """Return the environment stage: Python and the packages that samebits needs decide; the machine is a fact."""
    facts = dataclasses.asdict(environment)
    decisive = {name: facts.pop(name) for name in ("python", "implementation", "packages")}
    return make_stage(decisive, **facts)


def describe_profile(name: str, kernels: Kernels) -> Stage:
    """Return the numeric-profile stage, as read back from the libraries."""
    decisive = {
        "name": name,
        "hash_seed": HASH_SEED,
        "memory_order": "C",
        "forest_prediction": "sequential",
        **dataclasses.asdict(kernels),
    }
    return make_stage(decisive)


def assemble_lineage(stages: dict[str, Stage], artifacts: dict[str, dict[str, Any]], run: dict[str, Any]) -> dict[str, Any]:
    """Return the whole manifest.

    Parameters
    ----------
    stages
        Every input and output stage, by name.
    artifacts
        Digest and size of each file that the run leaves, by its path on the server.
    run
        Facts of this one run: its id, experiment and times.
    """
    return {
        "schema": SCHEMA,
        "samebits": __version__,
        "run": run,
        "stages": {name: stages[name] for name in (*INPUT_STAGES, *OUTPUT_STAGES)},
        "inputs_digest": digest_stages(stages, INPUT_STAGES),
        "outputs_digest": digest_stages(stages, OUTPUT_STAGES),
        "artifacts": artifacts,
    }


def digest_stages(stages: dict[str, Stage], names: tuple[str, ...]) -> str:
    """Return one digest over the digests of some stages."""
    return digest_value({name: stages[name]["digest"] for name in names})


def write_lineage(lineage: dict[str, Any]) -> bytes:
    """Return a lineage's canonical bytes."""
    return canonical_json(lineage) + b"\n"
