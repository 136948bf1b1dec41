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
from samebits.digests import canonical_json, digest_bytes, digest_file, digest_value
from samebits.environment import Environment
from samebits.materials import Materials
from samebits.profile import HASH_SEED, Kernels
from samebits.result import Result
from samebits.split import Split
from samebits.validation import LoadedConfig

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


def describe_inputs(
    loaded: LoadedConfig,
    code: CodeIdentity,
    environment: Environment,
    kernels: Kernels,
    materials: Materials,
    project_root: Path,
) -> dict[str, Stage]:
    """Return the stages of what went in."""
    dataset = materials.dataset
    return {
        "code": _describe_code(code, [loaded.document.path, dataset.path]),
        "config": {
            "digest": loaded.digest,
            "file": _relative(loaded.document.path, project_root),
            "file_digest": digest_file(loaded.document.path),
            "resolved": loaded.resolved,
            "version": loaded.config.version,
        },
        "data": {
            "digest": dataset.digest,
            "path": _relative(dataset.path, project_root),
            "size_bytes": dataset.size_bytes,
            "n_rows": len(dataset.frame),
            "columns": dataset.kinds,
        },
        "environment": _describe_environment(environment),
        "numeric_profile": _describe_profile(loaded.config.numeric_profile, kernels),
        "seeds": make_stage({"root": loaded.config.seed, "planted": materials.seeds}),
    }


def _describe_code(code: CodeIdentity, paths_with_own_stage: list[Path]) -> Stage:
    """A change to the config or the table is named by its own stage and is not one of code."""
    own = {path.resolve() for path in paths_with_own_stage}
    root = (code.root or Path()).resolve()
    changes = {name: digest for name, digest in code.changes.items() if root / name not in own}
    return make_stage(
        {"sources_digest": code.sources_digest, "commit": code.commit, "changes": changes},
        wheel_digest=code.wheel_digest,
        branch=code.branch,
        remote=code.remote,
        dirty=code.is_dirty,
        patch={"digest": digest_bytes(code.patch), "size_bytes": len(code.patch), "left_out": code.left_out},
    )


def _describe_environment(environment: Environment) -> Stage:
    """Python and the packages that samebits needs decide; the machine is a fact."""
    facts = dataclasses.asdict(environment)
    decisive = {name: facts.pop(name) for name in ("python", "implementation", "packages")}
    return make_stage(decisive, **facts)


def _describe_profile(name: str, kernels: Kernels) -> Stage:
    decisive = {
        "name": name,
        "hash_seed": HASH_SEED,
        "memory_order": "C",
        "forest_prediction": "sequential",
        **dataclasses.asdict(kernels),
    }
    return make_stage(decisive)


def _relative(path: Path, project_root: Path) -> str:
    resolved, root = path.resolve(), project_root.resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else str(resolved)


def describe_outputs(materials: Materials, result: Result) -> dict[str, Stage]:
    """Return the stages of what came out."""
    threshold = dataclasses.asdict(result.threshold) if result.threshold else {"value": None}
    return {
        "split": _describe_split(materials.split),
        "cross_validation": _describe_scores(materials.scoring, result),
        "model": {
            "digest": result.model_digest,
            "name": result.best.name,
            "class": result.model_class,
            "file_digest": digest_bytes(result.model_file),
            "size_bytes": len(result.model_file),
        },
        "threshold": make_stage(threshold),
        "predictions": {"digest": digest_bytes(result.predictions), "n_rows": len(materials.split.test_rows)},
        "metrics": make_stage({"test": result.metrics}),
        "drift_baseline": {"digest": digest_value(result.baseline)},
    }


def _describe_split(split: Split) -> Stage:
    decisive = {
        "train_rows": digest_bytes(split.train_rows.tobytes()),
        "test_rows": digest_bytes(split.test_rows.tobytes()),
        "folds": [[digest_bytes(fit.tobytes()), digest_bytes(score.tobytes())] for fit, score in split.folds],
    }
    return make_stage(decisive, n_train=len(split.train_rows), n_test=len(split.test_rows), n_folds=len(split.folds))


def _describe_scores(scoring: str, result: Result) -> Stage:
    candidates = {candidate.name: {"scores": candidate.scores, "mean": candidate.mean} for candidate in result.scored}
    return make_stage({"scoring": scoring, "candidates": candidates, "best": result.best.name})


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
