"""The stages of a lineage, described: what of the code, config, environment and data decides, what came out, and the facts beside it.

What can be known before anything is trained, and without a numeric library, is here too as the request: by its digest a finished
run is found again in about a second.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samebits.config.loading import LoadedConfig
from samebits.digests import digest_bytes, digest_value
from samebits.lineage.found_values import MOST_SHOWN
from samebits.lineage.manifest import SCHEMA, UNMADE, Stage, make_stage
from samebits.lineage.step_stage import list_raw
from samebits.numerics.gpu import read_gpu, wants_gpu
from samebits.numerics.profile import HASH_SEED, Kernels
from samebits.project import find_data, lies_in
from samebits.provenance.code import CodeIdentity
from samebits.provenance.environment import Environment
from samebits.sources.delta import find_version
from samebits.steps.graph import list_step_paths
from samebits.table.files import list_table_files

if TYPE_CHECKING:
    import numpy as np

    from samebits.candidates.materials import Materials
    from samebits.data.dataset import Dataset
    from samebits.data.folds import Split
    from samebits.report.making import Report
    from samebits.search.trials import Trial
    from samebits.table.reading import Source
    from samebits.training.result import Result, SearchResult


def describe_inputs(
    loaded: LoadedConfig,
    code: CodeIdentity,
    environment: Environment,
    kernels: Kernels,
    materials: Materials,
    steps: Stage,
    project_root: Path,
) -> dict[str, Stage]:
    """Return the stages of what went in."""
    return {
        "code": describe_code(code, list_input_paths(loaded, project_root), project_root),
        "config": describe_config(loaded, project_root),
        "steps": steps,
        "data": _describe_data(loaded, materials.dataset, project_root),
        "environment": describe_environment(environment),
        "numeric_profile": describe_profile(loaded.config.numeric_profile, kernels),
        "seeds": _describe_seeds(loaded.config.seed, materials),
    }


def describe_rows(loaded: LoadedConfig, materials: Materials, project_root: Path) -> dict[str, Stage]:
    """Return the stages that say which rows of which table are held back: they are known before anything is trained."""
    return {
        "config": describe_config(loaded, project_root),
        "data": _describe_data(loaded, materials.dataset, project_root),
        "split": _describe_split(materials.split, materials.dataset.row_numbers),
    }


def _describe_seeds(root_seed: int, materials: Materials) -> Stage:
    """The settings of boosting libraries are named only where there are any."""
    settings = {"settings": materials.settings} if materials.settings else {}
    return make_stage({"root": root_seed, "planted": materials.seeds, **settings})


def digest_request(
    loaded: LoadedConfig, code: CodeIdentity, environment: Environment, steps: Stage, data_digest: str, project_root: Path
) -> str:
    """Digest what decides a run's inputs: the kernels follow from the packages, the profile and, under `native`, the machine."""
    gpu = {"gpu": read_gpu()} if wants_gpu(loaded.resolved["models"]) else {}
    machine = {"cpu": environment.cpu, "flags": environment.cpu_flags, "libc": environment.libc}
    return digest_value(
        {
            "schema": SCHEMA,
            "code": describe_code(code, list_input_paths(loaded, project_root), project_root)["digest"],
            "config": loaded.digest,
            "steps": steps["digest"],
            "data": data_digest,
            "environment": describe_environment(environment)["digest"],
            "numeric_profile": loaded.config.numeric_profile,
            "machine": machine if loaded.config.numeric_profile == "native" else environment.machine,
            **gpu,
        }
    )


def list_input_paths(loaded: LoadedConfig, project_root: Path) -> list[Path]:
    """Return the files that have a digest of their own in a lineage: the config, and all that it and its steps read, or write."""
    files = [one.path for one in loaded.document.sections.values()]
    return [loaded.document.path, *files, *list_table_paths(loaded, project_root)]


def list_table_paths(loaded: LoadedConfig, project_root: Path) -> list[Path]:
    """Return the files and folders that a config and its steps read, or write."""
    named = [name for name, _ in loaded.list_named().values()]
    read = [loaded.find(name, project_root) for name in named]
    versions = [find_version(find_data(name, loaded.document.path, project_root)) for name in named]
    read += [table for table, _ in filter(None, versions)]  # which grows by versions that no run reads
    return [*read, *list_step_paths(loaded.document.value, loaded.document.path, project_root)]


def list_raw_sources(steps: Stage, project_root: Path) -> dict[str, Source]:
    """Return the raw files that steps began with, by their paths; what is there no more has no size."""
    from samebits.table.reading import Source

    found = {}
    for path, digest in list_raw(steps).items():
        place = project_root / path
        size_bytes = sum(file.stat().st_size for file in list_table_files(place).values()) if place.exists() else 0
        found[path] = Source(place, digest, size_bytes, 0)
    return found


def describe_code(code: CodeIdentity, paths_with_own_stage: list[Path], project_root: Path) -> Stage:
    """A change to the config or the table is named by its own stage and is not one of code.

    What an ordinary run has not (a sparse checkout, repositories inside, modules from elsewhere) has a field only where it is there.
    """
    own = {path.resolve() for path in paths_with_own_stage}
    root = (code.root or Path()).resolve()
    changes = {name: digest for name, digest in code.changes.items() if not lies_in(root / name, own)}
    unusual = _take_unusual(code, "absent", "modules")
    return make_stage(
        {"sources_digest": code.sources_digest, "commit": code.commit, "changes": changes, **unusual},
        wheel_digest=code.wheel_digest,
        branch=code.branch,
        remote=code.remote,
        repository=str(root) if code.root else None,
        project_folder=relative_to(project_root, root) if code.root else None,
        pushed=code.is_pushed,
        dirty=code.is_dirty,
        patch={
            "digest": digest_bytes(code.patch),
            "size_bytes": len(code.patch),
            "left_out": code.left_out,
            **_take_unusual(code, "reasons"),
        },
        **_take_unusual(code, "nested", "filtered", "line_ends", "changed_meanwhile"),
    )


def _take_unusual(code: CodeIdentity, *names: str) -> dict[str, Any]:
    """Return some fields of the code's identity, those that are not empty."""
    return {name: getattr(code, name) for name in names if getattr(code, name)}


def describe_config(loaded: LoadedConfig, project_root: Path) -> Stage:
    """Every key that can change a result decides; the file is a fact, as it was when it was read."""
    return {
        "digest": loaded.digest,
        "file": relative_to(loaded.document.path, project_root),
        "file_digest": digest_bytes(loaded.document.content),
        "resolved": loaded.resolved,
        "version": loaded.config.version,
    }


def _describe_data(loaded: LoadedConfig, dataset: Dataset, project_root: Path) -> Stage:
    data = loaded.config.data
    return {
        "digest": dataset.digest,
        **_describe_place(loaded, data.path, dataset.sources[0], project_root),
        "size_bytes": dataset.size_bytes,
        "n_rows": len(dataset.frame),
        "columns": dataset.kinds,
        "reading": dataset.reading,
        **({"test": _describe_test(loaded, dataset.sources[1], project_root)} if len(dataset.sources) > 1 else {}),
    }


def _describe_place(loaded: LoadedConfig, named: str | None, source: Source, project_root: Path) -> dict[str, str]:
    """Of a table that was brought from elsewhere, not the cache is told but what names it, and where it is to be had again."""
    found = loaded.brought.get(named or "")
    if found is None:
        return {"path": relative_to(source.path, project_root), "location": str(source.path.resolve())}
    return {"path": str(named), "location": found.location}


def _describe_test(loaded: LoadedConfig, source: Source, project_root: Path) -> dict[str, Any]:
    """A further table is pinned by the config, so that its digest decides there."""
    return {
        "digest": source.digest,
        **_describe_place(loaded, loaded.config.data.test_path, source, project_root),
        "size_bytes": source.size_bytes,
        "n_rows": source.n_rows,
    }


def describe_environment(environment: Environment) -> Stage:
    """Python and the packages that samebits needs decide, and what of them is not as it was installed; the machine is a fact."""
    facts = dataclasses.asdict(environment)
    decisive = {name: facts.pop(name) for name in ("python", "implementation", "packages")}
    found = {name: facts.pop(name) for name in ("modified", "startup", "not_held", "beside_lock", "local")}
    decisive |= {name: found[name] for name in ("modified", "startup") if found[name]}
    facts |= {name: found[name] for name in ("not_held", "beside_lock", "local") if found[name]}
    return make_stage(decisive, **facts)


def describe_profile(name: str, kernels: Kernels) -> Stage:
    """What the libraries said of themselves decides, and what they computed; PyTorch is named only where it is in use."""
    decisive = {
        "name": name,
        "hash_seed": HASH_SEED,
        "memory_order": "C",
        "forest_prediction": "sequential",
        **{field: found for field, found in dataclasses.asdict(kernels).items() if found is not None},
    }
    return make_stage(decisive)


def relative_to(path: Path, folder: Path) -> str:
    """Return a path as seen from a folder, where it lies inside; else the whole path."""
    resolved, root = path.resolve(), folder.resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else str(resolved)


def describe_outputs(materials: Materials, result: Result) -> dict[str, Stage]:
    """Return the stages of what came out, but for the report, which is made of them."""
    return {
        "split": _describe_split(materials.split, materials.dataset.row_numbers),
        **_describe_scored(materials, result),
        "model": {
            "digest": result.model_digest,
            "name": result.best.name,
            "class": result.model_class,
            "file_digest": digest_bytes(result.model_file),
            "size_bytes": len(result.model_file),
        },
        "predictions": {"digest": digest_bytes(result.predictions), "n_rows": len(materials.split.test_rows)},
        "drift_baseline": {"digest": digest_value(result.baseline)},
        "assessment": describe_assessment(result.assessment),
    }


def describe_shown(loaded: LoadedConfig, materials: Materials, result: Result, project_root: Path) -> dict[str, Stage]:
    """Return the stages that pictures show something of: they are drawn before all of the others are known."""
    return {"config": describe_config(loaded, project_root), **_describe_scored(materials, result)}


def _describe_scored(materials: Materials, result: Result) -> dict[str, Stage]:
    threshold = result.threshold.describe() if result.threshold else {"value": None}
    return {
        "cross_validation": _describe_scores(materials.scoring, result),
        "threshold": make_stage(threshold),
        "metrics": make_stage(result.metrics),
    }


def describe_assessment(assessment: dict[str, Any]) -> Stage:
    """What could not be made is a fact: memory that was short decides nothing."""
    decisive = {name: value for name, value in assessment.items() if name != UNMADE}
    return make_stage(decisive, **{name: value for name, value in assessment.items() if name == UNMADE})


def describe_report(report: Report | None, failure: str | None = None) -> Stage:
    """Return the stage of what is told of all others; of a config that wants nothing told, or a page that failed, of nothing."""
    if report is not None:
        return report.describe()
    return make_stage({"page": None, "figures": {}}, **({UNMADE: {"report": failure}} if failure else {}))


def _describe_split(split: Split, row_numbers: np.ndarray) -> Stage:
    """Rows go by their numbers in the table, whatever rules left some out."""
    decisive = {
        "train_rows": digest_bytes(row_numbers[split.train_rows].tobytes()),
        "test_rows": digest_bytes(row_numbers[split.test_rows].tobytes()),
        "folds": [[digest_bytes(fit.tobytes()), digest_bytes(score.tobytes())] for fit, score in split.folds],
    }
    return make_stage(decisive, n_train=len(split.train_rows), n_test=len(split.test_rows), n_folds=len(split.folds))


def _describe_scores(scoring: str, result: Result) -> Stage:
    """What a search adds stands there only where one was made."""
    found = result.found
    candidates: dict[str, dict[str, Any]] = {one.name: {"scores": one.scores, "mean": one.mean} for one in result.scored}
    for name, trial in found.best.items() if found else ():
        n_trials = len({one.number for one in found.trials if one.candidate == name}) if found else 0
        candidates[name] |= {"values": trial.values, "trial": trial.number, "n_trials": n_trials}
    searched = {"search": _describe_search(found)} if found else {}
    return make_stage({"scoring": scoring, "candidates": candidates, "best": result.best.name, **searched})


def _describe_search(found: SearchResult) -> dict[str, Any]:
    from samebits.search.trials import write_trials

    ranked = sorted(
        (one for one in found.trials if one.mean is not None), key=lambda one: (one.n_rows is not None, -(one.mean or 0.0))
    )
    shown = {id(one) for one in ranked[:MOST_SHOWN]}
    return {
        "method": found.method,
        "trials_digest": digest_bytes(write_trials(found.trials)),
        "n_trials": len({(one.candidate, one.number) for one in found.trials}),
        "n_failed": sum(one.failure is not None for one in found.trials),
        "shown": [_describe_trial(one) for one in found.trials if id(one) in shown],
        **({"nested": [dataclasses.asdict(one) for one in found.nested]} if found.nested else {}),
    }


def _describe_trial(trial: Trial) -> dict[str, Any]:
    rows = {} if trial.n_rows is None else {"rows": trial.n_rows}
    return {
        "candidate": trial.candidate,
        "trial": trial.number,
        **rows,
        "values": trial.values,
        "scores": trial.scores,
        "mean": trial.mean,
    }
