"""The main job: from a config to everything that a run makes, in the order in which it happens. It touches no server.

`train` calls `make_training`, and `reproduce` calls `train` of the code that it brought back, so that they cannot drift apart.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samebits.candidates.materials import Materials, prepare_materials
from samebits.config.loading import LoadedConfig
from samebits.data.dataset import list_reading_lines, load_dataset
from samebits.data.preparation import ReadDataset
from samebits.data.target import describe_choice
from samebits.digests import canonical_json, digest_bytes
from samebits.engines.opening import check_engine, open_engine
from samebits.estimation.portability import list_unproven
from samebits.installed.kept import collect_environment_files, pack_local_wheels, pack_own_wheel
from samebits.keys.config import Config
from samebits.lineage.manifest import (
    ASSESSMENT_FILE,
    LOCK_FILE,
    OUT_OF_FOLD_FILE,
    ROWS_FILE,
    SEARCH_FILE,
    Stage,
    infer_task,
    list_unmade,
    list_wheels,
)
from samebits.lineage.step_stage import list_outputs
from samebits.numerics.generators import plant_seeds
from samebits.numerics.gpu import wants_gpu
from samebits.numerics.profile import UNFUSED_PROBE, Kernels, check_kernels, read_kernels
from samebits.project import lies_in
from samebits.provenance.code import CodeIdentity, describe_kept, describe_modules, identify_code, leave_tables
from samebits.provenance.environment import Environment, read_environment
from samebits.provenance.modules import add_imported, identify_modules, note_what_ran, refuse_changed_imports
from samebits.report.account import Account, read_predictions
from samebits.search.journal import Journal
from samebits.search.trials import write_trials
from samebits.sources.bringing import bring_inputs
from samebits.steps.running import Bring, bring_nothing
from samebits.steps.stage import hold_made, make_steps
from samebits.stored.room import is_large, judge_room, return_memory_at_once
from samebits.table.files import choose_parts
from samebits.table.reading import Source
from samebits.training.result import Result, make_result
from samebits.training.stages import (
    describe_inputs,
    describe_outputs,
    describe_report,
    describe_rows,
    describe_shown,
    digest_request,
    list_input_paths,
    list_raw_sources,
    list_table_paths,
)
from samebits.voice import SILENT, Voice

if TYPE_CHECKING:
    from samebits.engines.admission import Request
    from samebits.report.gallery import Gallery
    from samebits.report.making import Report


@dataclass(frozen=True)
class Beforehand:
    """What is known before a training; several in one process have it in common, so that each is as the first would be.

    Parameters
    ----------
    code
        As it was identified before anything of the config's was imported; None: as it is now.
    kernels
        Of the numeric libraries, as they were before any training loaded more of them; None: as they are now.
    read
        By which the table is read; None: as it lies there now, once there is found to be room for it.
    """

    code: CodeIdentity | None = None
    kernels: Kernels | None = None
    read: ReadDataset | None = None


@dataclass(frozen=True)
class Training:
    """Everything that one run used and made.

    Parameters
    ----------
    stages
        The lineage's stages, inputs and outputs.
    request_digest
        Of what decides the inputs, as it can be known without training.
    files
        What is kept beside the model, by its path on the server; the lineage is not among them, since it is made of them.
    project_root
        Where the config's modules are looked for last.
    journal
        Of a search, to be forgotten as soon as what came of it is kept elsewhere.
    """

    loaded: LoadedConfig
    code: CodeIdentity
    environment: Environment
    materials: Materials
    result: Result
    stages: dict[str, Stage]
    request_digest: str
    files: dict[str, bytes]
    project_root: Path
    journal: Journal


def make_training(
    loaded: LoadedConfig,
    project_root: Path,
    voice: Voice = SILENT,
    beforehand: Beforehand = Beforehand(),
    note_rows: Callable[[dict[str, Stage]], None] = lambda _: None,
    note_tables: Callable[[list[Source]], None] = lambda _: None,
    bring: Bring = bring_nothing,
) -> Training:
    """Train what a config says, and describe it.

    Parameters
    ----------
    voice
        Told before training starts what was read and what is kept of the code, and then how far the training is.
    beforehand
        What is known already, and how the table is read.
    note_rows
        Told before training starts which rows are held back, where any are, by the stages that say so.
    note_tables
        Told before training starts which tables were read.
    bring
        Asked for outputs of steps that are missing, by digest and place, before the step runs again.

    Raises
    ------
    ConfigError, DataError, ProvenanceError
        The config, the table or the machine does not allow it; as far as it can be known, before anything is trained.
    LineageError
        The fitted model cannot be stored without pickle.
    """
    config = loaded.config
    plant_seeds(config.seed, "run")
    with loaded.naming_lines():
        check_engine(config)
    code = leave_tables(beforehand.code or identify_code(project_root, config.code.keep), list_table_paths(loaded, project_root))
    code = identify_modules(code, config.allow, project_root)
    refuse_changed_imports(code)
    environment = read_environment(project_root, config.further_packages)
    kernels = beforehand.kernels or read_own_kernels(loaded, environment)
    check_kernels(config.numeric_profile, kernels)
    kept = _keep_environment(environment, project_root, code.commit)  # now, since training may take hours
    with loaded.naming_lines():
        steps = make_steps(loaded, project_root, voice, bring)
        loaded = loaded if beforehand.read is not None else bring_inputs(loaded, project_root, voice.follow)
    if beforehand.read is None:
        make_room(loaded, project_root, voice)
    with loaded.naming_lines():
        materials = prepare_materials(loaded, project_root, beforehand.read or load_dataset)
        _hold_to_steps(steps, materials)
    if kernels.torch is not None and config.numeric_profile == "portable":
        kernels = _say_unproven(materials, kernels, voice)
    told = describe_kept(add_imported(code), list_input_paths(loaded, project_root))
    for line in [*list_reading_lines(materials.dataset.reading), *describe_choice(config, materials.target)]:
        voice.follow(line)
    for line in [*told, *_describe_wheels(environment, kept)]:
        voice.say(line)
    note_tables([*materials.dataset.sources, *list_raw_sources(steps, project_root).values()])
    if len(materials.split.test_rows):
        note_rows(describe_rows(loaded, materials, project_root))
    request_digest = digest_request(loaded, code, environment, steps, materials.dataset.digest, project_root)
    journal = Journal(request_digest if config.search is not None else "")
    request = _describe_process(config, environment, kernels, code, project_root)
    with loaded.naming_lines(), open_engine(config, request, voice) as engine:
        draw = functools.partial(_draw_pictures, loaded, materials, project_root)
        result = make_result(config, materials, voice, journal, engine, None if config.report.detail == "none" else draw)
    told_of_engine = {"engine": engine.describe()} if engine is not None else {}
    code = _leave_out_made(note_what_ran(code, project_root), steps, project_root)
    for line in (line for line in describe_modules(code) if line not in told):  # of what was imported since
        voice.say(line)
    stages = {
        **describe_inputs(loaded, code, environment, kernels, materials, steps, project_root),
        **describe_outputs(materials, result),
    }
    stages["environment"] |= told_of_engine
    report, failure = _make_report(stages, result)
    result = dataclasses.replace(result, pictures=None)  # with which the table that they show would stay while all is packed
    stages["report"] = describe_report(report, failure)
    for line in list_unmade(stages):
        voice.say(f"{line}; the run is kept without it")
    dataset = materials.dataset
    request_digest = digest_request(loaded, code, environment, steps, dataset.digest, project_root)
    files = _collect_files(loaded, code, result, stages, kept, materials.rows_file) | (report.list_files() if report else {})
    return Training(loaded, code, environment, materials, result, stages, request_digest, files, project_root, journal)


def _hold_to_steps(steps: Stage, materials: Materials) -> None:
    """What was read is what the steps made."""
    for key, source in zip(("data.path", "data.test_path"), materials.dataset.sources, strict=False):
        hold_made(steps, key, source.digest)
    if materials.rows_file is not None:
        hold_made(steps, "split.rows_file", digest_bytes(materials.rows_file))


def _leave_out_made(code: CodeIdentity, steps: Stage, project_root: Path) -> CodeIdentity:
    """What steps of this run wrote is no change of code that somebody made meanwhile."""
    made = {(project_root / path).resolve() for path in list_outputs(steps)}
    root = code.root or project_root
    names = [name for name in code.changed_meanwhile if not lies_in((root / name).resolve(), made)]
    return dataclasses.replace(code, changed_meanwhile=names)


def read_own_kernels(loaded: LoadedConfig, environment: Environment) -> Kernels:
    """Return what the numeric libraries say of themselves now, those that the config asks for."""
    return read_kernels("torch" in environment.packages, wants_gpu(loaded.resolved["models"]))


def make_room(loaded: LoadedConfig, project_root: Path, voice: Voice) -> None:
    """Prepare for a large table; a run on one that memory is too small for would be ended by the system, without a word.

    Raises
    ------
    DataError
        There is not memory enough for it.
    """
    files = [file for path in loaded.find_tables(project_root) for file in choose_parts(path).values()]
    if is_large(files):
        return_memory_at_once()
    line = judge_room(files) if loaded.config.batches is None else None
    if line is not None:
        voice.say(line)


def _say_unproven(materials: Materials, kernels: Kernels, voice: Voice) -> Kernels:
    """Say which networks are not proved on other CPUs; where all are, the roots that only others take are no input."""
    unproven = list_unproven(materials.candidates)
    for line in unproven:
        voice.say(line)
    probe = {name: digest for name, digest in kernels.probe.items() if unproven or name != UNFUSED_PROBE}
    return dataclasses.replace(kernels, probe=probe)


def _describe_process(
    config: Config, environment: Environment, kernels: Kernels, code: CodeIdentity, project_root: Path
) -> Request | None:
    """Return what an engine's workers are held to; of what runs here alone, nothing."""
    if config.engine is None:
        return None
    from samebits.engines.admission import Request
    from samebits.engines.facts import list_module_names, make_facts, read_modules

    names = list_module_names(config.allow)
    facts = make_facts(environment, kernels, code.sources_digest, read_modules(names, project_root))
    return Request(facts, config.further_packages, names, project_root)


def _draw_pictures(loaded: LoadedConfig, materials: Materials, project_root: Path, result: Result) -> tuple[Account, Gallery]:
    """Return the pictures, and the account that they are of: the assessment, the remarks and most stages are still to come."""
    from samebits.report.making import draw_pictures

    account = _give_account(describe_shown(loaded, materials, result, project_root), result)
    return account, draw_pictures(account)


def _make_report(stages: dict[str, Stage], result: Result) -> tuple[Report | None, str | None]:
    """Return the report and why there is none: what was trained for hours is not lost to a mistake in how it is told."""
    if result.pictures is None:
        return None, None
    from samebits.report.making import make_report

    try:
        account, gallery = result.pictures.result()
        told, assessment = _as_read_back(stages, result.assessment)
        account = dataclasses.replace(account, stages=told, assessment=assessment, remarks=tuple(result.remarks))
        return make_report(account, gallery), None
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def _give_account(stages: dict[str, Stage], result: Result) -> Account:
    predictions = read_predictions(result.predictions, infer_task(stages["metrics"]))
    told, baseline, explored = _as_read_back(stages, result.baseline, result.explored)
    return Account(told, predictions=predictions, baseline=baseline, explored=explored)


def _as_read_back(*values: Any) -> Iterator[Any]:
    """Yield each value as it will be read from the server."""
    return (json.loads(canonical_json(value)) for value in values)


def _keep_environment(environment: Environment, project_root: Path, commit: str | None) -> dict[str, bytes]:
    """Return the lock, or what else the environment can be rebuilt from; and samebits' own wheel, where it runs from one.

    A lock is installed together with its project: without a commit that holds one, the packages are kept beside it.
    """
    path = project_root / "uv.lock"
    lock = {LOCK_FILE: path.read_bytes()} if path.is_file() else {}
    others = pack_own_wheel() if lock and commit else collect_environment_files(environment.packages)
    return {**lock, **_name_in_run({**pack_local_wheels(environment.packages), **others})}


def _describe_wheels(environment: Environment, kept: dict[str, bytes]) -> list[str]:
    """Say before the training what of this machine's own disk goes with the run."""
    taken = [name for name in environment.local if name in list_wheels(kept)]
    return [f"packages of this machine's own disk that are kept with the run: {', '.join(taken)}"] if taken else []


def _name_in_run(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"environment/{name}": content for name, content in files.items()}


def _collect_files(
    loaded: LoadedConfig,
    code: CodeIdentity,
    result: Result,
    stages: dict[str, Stage],
    kept: dict[str, bytes],
    rows_file: bytes | None,
) -> dict[str, bytes]:
    files = {
        ASSESSMENT_FILE: canonical_json(result.assessment),
        f"config/as_written{loaded.document.path.suffix or '.yaml'}": loaded.document.content,
        "config/resolved.json": canonical_json(loaded.resolved),
        "cross_validation.json": canonical_json(stages["cross_validation"]),
        "drift_baseline.json": canonical_json(result.baseline),
        "metrics.json": canonical_json(result.metrics),
        OUT_OF_FOLD_FILE: result.out_of_fold,
        "predictions.csv": result.predictions,
        "threshold.json": canonical_json(stages["threshold"]),
        **kept,
    }
    files |= code.files
    if rows_file is not None:
        files[ROWS_FILE] = rows_file
    if result.found is not None:
        files[SEARCH_FILE] = write_trials(result.found.trials)
    return files
