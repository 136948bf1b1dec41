"""What of runs goes to the team's store and back: the tables that they were trained on, by their lineages, and their models."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from samebits.config.documents import take_section
from samebits.config.loading import read_config_document
from samebits.delivery.offline import connect_for
from samebits.digests import digest_bytes, write_manifest
from samebits.errors import DataError, Problem, SamebitsError, TrackingError
from samebits.holdings.data_search import find_recorded_data, is_inside
from samebits.holdings.runs import RecordedRun, list_originals, open_recorded_run, settle_reference
from samebits.lineage.gaps import list_tables
from samebits.lineage.manifest import FILE_NAME, is_inner_path
from samebits.lineage.step_stage import NO_STEPS, list_raw
from samebits.project import find_config, find_project_root
from samebits.sources.address import is_address
from samebits.stores.folder import copy_whole
from samebits.stores.store import Store, take_from
from samebits.table.files import digest_table
from samebits.text import shorten_list, tell, warn
from samebits.tracking.server import connect
from samebits.trust.own_runs import is_own_run

MODELS_FOLDER = "models"
_MODEL = "model/"
_SHORT_ID = 8


def push_run(reference: str, store: Store) -> None:
    """Keep in the store what a run was trained on, and its model.

    Raises
    ------
    TrackingError, LineageError
        There is no such run.
    DataError
        One of its tables is nowhere to be had, or the store cannot be written.
    """
    with _open(reference) as recorded, tempfile.TemporaryDirectory(prefix="samebits-push-") as scratch:
        lineage = recorded.read_lineage()
        is_own = is_own_run(recorded.run_id, digest_bytes(recorded.lineage_bytes))
        for kind, stage in list_whole_data(lineage).items():
            found = find_recorded_data(stage, [find_project_root()], recorded.archive, _make(scratch, kind), is_own)
            if found.path is None:
                remedy = "Put it back where the run read it, and push again."
                raise DataError(Problem(f"run {recorded.run_id}: {stage['path']}", stage["digest"], "nowhere", remedy))
            _tell_put(store, found.path, stage["digest"], str(stage["path"]))
        _push_model(recorded, lineage, store, Path(scratch))


def list_whole_data(lineage: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tables of a run as its lineage describes them, by their kind, and the raw files that its steps began with."""
    listed = list_raw(lineage["stages"].get("steps", NO_STEPS))  # of a run that knew no steps, none
    raw = {f"raw{number}": {"path": path, "digest": listed[path]} for number, path in enumerate(sorted(listed))}
    return {**list_tables(lineage), **raw}


def _open(reference: str) -> RecordedRun:
    client, reference = connect_for(settle_reference(reference), find_project_root())
    return open_recorded_run(client, reference)


def _make(scratch: str, name: str) -> Path:
    folder = Path(scratch, name)
    folder.mkdir()
    return folder


def _tell_put(store: Store, path: Path, digest: str, name: str) -> None:
    tell(f"{'pushed ' if store.put(path, digest) else 'there  '} {digest}  {name}")


def _push_model(recorded: RecordedRun, lineage: dict[str, Any], store: Store, scratch: Path, others: tuple[Store, ...] = ()) -> None:
    """Keep a model's files as MLflow lays them out, the lineage that they are held to, and a manifest of both."""
    files = _list_model_files(recorded, lineage, others)
    for name, path in files.items():
        store.put(path, _digest_model_file(name, lineage))
    (scratch / FILE_NAME).write_bytes(recorded.lineage_bytes)
    store.put(scratch / FILE_NAME, digest_bytes(recorded.lineage_bytes))
    manifest = _write_model_manifest(lineage, recorded.lineage_bytes)
    (scratch / "manifest").write_bytes(manifest)
    _tell_put(store, scratch / "manifest", digest_bytes(manifest), f"the model of run {recorded.run_id}")


def list_model_digests(lineage: dict[str, Any], lineage_bytes: bytes) -> set[str]:
    """Return the digests that a store has of a run's model beside those that its lineage names."""
    return {digest_bytes(lineage_bytes), digest_bytes(_write_model_manifest(lineage, lineage_bytes))}


def _write_model_manifest(lineage: dict[str, Any], lineage_bytes: bytes) -> bytes:
    names = [name for name in lineage["artifacts"] if name.startswith(_MODEL)]
    digests = {name.removeprefix(_MODEL): _digest_model_file(name, lineage) for name in names}
    return write_manifest({**digests, FILE_NAME: digest_bytes(lineage_bytes)}.items())


def _digest_model_file(name: str, lineage: dict[str, Any]) -> str:
    return str(lineage["artifacts"][name]["digest"])


def _list_model_files(recorded: RecordedRun, lineage: dict[str, Any], stores: tuple[Store, ...] = ()) -> dict[str, Path]:
    """Return a model's recorded files, each held to its digest; those that the server has not, from a store."""
    wanted = [name for name in lineage["artifacts"] if name.startswith(_MODEL)]
    kept = {name: take_from(stores, _digest_model_file(name, lineage)) for name in wanted if name not in recorded.files}
    files = {name: found[0] for name, found in kept.items() if found is not None}
    missing = [name for name in kept if name not in files]
    if missing:
        where = " or ".join(["on the server", *(f"in {store.where}" for store in stores)])
        found = f"no {shorten_list(missing)} {where}"
        raise DataError(Problem(f"run {recorded.run_id}", "its whole model", found, "`samebits verify` says more."))
    for name in wanted:
        if name not in files:
            _hold(recorded.files[name], _digest_model_file(name, lineage), f"run {recorded.run_id}: {name}")
            files[name] = recorded.files[name]
    return files


def _hold(path: Path, recorded: str | None, where: str) -> None:
    observed = digest_table(path)
    if observed != recorded:
        raise DataError(Problem(where, f"{recorded}, as recorded", str(observed), "`samebits verify` says more."))


def pull_run(reference: str, stores: tuple[Store, ...]) -> None:
    """Bring a run's tables to where it read them in this project, and its model to models/; nothing is overwritten.

    Raises
    ------
    TrackingError, LineageError
        There is no such run.
    DataError
        A table is nowhere to be had, or its place holds other bytes.
    """
    root = find_project_root()
    with _open(reference) as recorded, tempfile.TemporaryDirectory(prefix="samebits-pull-") as scratch:
        lineage = recorded.read_lineage()
        for kind, stage in list_whole_data(lineage).items():
            if _may_be_pulled(str(stage["path"]), root):
                _pull_table(recorded, stage, root / stage["path"], stores, _make(scratch, kind))
        _pull_model(recorded, lineage, root, stores)


def _may_be_pulled(path: str, root: Path) -> bool:
    """Whoever wrote a record says where its table goes: not among what programs read and run, and not out of the project."""
    if is_address(path) or Path(path).is_absolute():
        return False
    if is_inner_path(path) and is_inside(root / path, root) and Path(path).parts[0] == "data":
        return True
    remedy = "Bring it by its config: samebits data pull CONF."
    raise DataError(Problem(f"the run's table {path!r}", "a path below data/", "another", remedy))


def _pull_table(recorded: RecordedRun, stage: dict[str, Any], place: Path, stores: tuple[Store, ...], scratch: Path) -> None:
    digest = str(stage["digest"])
    if digest_table(place, digest) == digest:
        tell(f"there   {digest}  {place}")
        return
    if place.exists():
        remedy = "Nothing is overwritten: move them away."
        raise DataError(Problem(f"run {recorded.run_id}: {stage['path']}", digest, f"other bytes at {place}", remedy))
    found = take_from(stores, digest)
    path = found[0] if found is not None else find_recorded_data(stage, [], recorded.archive, scratch, False).path
    if path is None:
        places = ", ".join(store.where for store in stores)
        raise DataError(Problem(str(place), f"{digest} in {places}", "nothing", "Ask who has it for samebits data push."))
    copy_whole(path, place, digest)
    tell(f"pulled  {digest}  {place}")


def _pull_model(recorded: RecordedRun, lineage: dict[str, Any], root: Path, stores: tuple[Store, ...]) -> None:
    name = str(lineage["stages"]["config"]["resolved"].get("name", "run"))
    experiment = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
    place = root / MODELS_FOLDER / f"{experiment.strip('.')}-{recorded.run_id[:_SHORT_ID]}"
    if place.exists():
        tell(f"there   {lineage['stages']['model']['digest']}  {place}")
        return
    place.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=place.parent) as scratch:
        folder = Path(scratch, "model")
        for name, path in _list_model_files(recorded, lineage, stores).items():
            (folder / name.removeprefix(_MODEL)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name.removeprefix(_MODEL))
        (folder / FILE_NAME).write_bytes(recorded.lineage_bytes)
        folder.rename(place)
    tell(f"pulled  {lineage['stages']['model']['digest']}  {place}")


def sync_models(conf_files: Sequence[str], stores: tuple[Store, ...]) -> None:
    """Bring the model of each config's latest run here, and keep it in the store; where no server answers, that is said."""
    root = find_project_root()
    try:
        client = connect(root)
        latest = _find_latest(client, root, conf_files)
    except TrackingError as error:
        warn(f"no models: {error}")
        return
    for run_id in latest:
        try:
            with open_recorded_run(client, run_id) as recorded, tempfile.TemporaryDirectory(prefix="samebits-sync-") as scratch:
                lineage = recorded.read_lineage()
                _push_model(recorded, lineage, stores[0], Path(scratch), stores)
                _pull_model(recorded, lineage, root, stores)
        except SamebitsError as error:  # such as a backtest, which has a model for each of its windows
            warn(f"no model: {error}")


def _find_latest(client: Any, root: Path, conf_files: Sequence[str]) -> list[str]:
    names = {str(take_section({"a": read_config_document(find_config(one, root)).value}, "a").get("name")) for one in conf_files}
    found: dict[str, str] = {}
    experiments = {name: client.get_experiment_by_name(name) for name in sorted(names)}
    ids = {str(experiment.experiment_id): name for name, experiment in experiments.items() if experiment is not None}
    for run in list_originals(client):
        name = ids.get(str(run.info.experiment_id))
        if name is not None and name not in found:
            found[name] = str(run.info.run_id)
        if len(found) == len(ids):
            break
    return list(found.values())
