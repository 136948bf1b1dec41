"""Packs a training: all that goes to the server, as files and plain values in one folder, complete before anything is sent.

So the lineage's bytes are settled here, and what is sent later, even by another process on another day, is what was made now.
"""

from __future__ import annotations

import datetime
import errno
import itertools
import json
import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from samebits.data.dataset import Dataset as Table
from samebits.digests import PREFIX, digest_file
from samebits.errors import Problem, ProvenanceError, TrackingError
from samebits.history.fetching import bundle_commit
from samebits.holdings.archive import CAP_BYTES, name_code_entry, name_data_entry
from samebits.holdings.looks import Looks
from samebits.lineage.manifest import FILE_NAME, PAGE_FILE, assemble_lineage, write_lineage
from samebits.lineage.standing import NOTE_TAG
from samebits.lineage.tracked_values import DATASET_DIGEST_LENGTH, list_fold_scores, list_metrics, list_params, list_tags
from samebits.model import mlflow_flavor
from samebits.model.file import list_trusted_types
from samebits.parcels.description import describe_run
from samebits.parcels.page import describe_test_rows, list_page_values, list_steps
from samebits.parcels.parcel import SCHEMA, Parcel, flush
from samebits.parcels.spool import move_parcel
from samebits.provenance.served_code import collect_served_code
from samebits.report.making import ThisRun, fill_page
from samebits.served_model import PARAMS
from samebits.signals import hold_signals
from samebits.table.files import digest_table, list_table_files
from samebits.table.reading import Source
from samebits.text import shorten_list, warn
from samebits.tracking.server import name_user
from samebits.training.stages import list_raw_sources
from samebits.training.training import Training
from samebits.verdicts import Level

BUNDLE = "commit.bundle"  # of a commit, in its entry of the archive
ARTIFACTS, MODEL, ARCHIVE = (
    "artifacts",
    "model",
    "archive",
)  # a parcel's folders: the run's own files, its model's, what the archive keeps
N_EXAMPLE_ROWS = 5
_SERVING_PACKAGES = ("mlflow", "scikit-learn", "numpy", "scipy", "pandas", "skops", "joblib", "threadpoolctl")
_MLFLOW_TYPES = {"numeric": "double", "categorical": "string", "text": "string", "boolean": "boolean", "date": "datetime"}
_FULL = (errno.ENOSPC, errno.EDQUOT)
_TRIES, _PAUSE_SECONDS = 40, 15.0  # ten minutes in which somebody may make room


def pack_training(
    parcel: Parcel,
    training: Training,
    started: datetime.datetime,
    project_root: Path,
    looks: dict[str, Any] | None = None,
    stored: Collection[str] = (),
) -> dict[str, Any]:
    """Write everything that a training made into a parcel, and return the lineage.

    Where the parcel's place is full, it goes on in another; where all are, somebody is given time to make room.

    Parameters
    ----------
    looks
        How often the rows that it is judged by have been looked at; None where no server could be asked.
    stored
        The digests of tables that the team's store has: they need not go with the experiment too.

    Raises
    ------
    TrackingError
        No place took it.
    """
    for attempt in range(_TRIES):
        reasons: dict[str, str] = {}
        is_full = False
        for place in itertools.chain([parcel], move_parcel(parcel, project_root)):
            try:
                with hold_signals():  # what was computed stands nowhere else yet
                    lineage = _pack(place, training, started, looks, stored)
                    if place is not parcel:
                        parcel.turn_to(place)
                return lineage
            except Exception as error:
                refusal = _find_refusal(error)
                if refusal is None:
                    raise
                reasons[str(place.folder.parent)] = refusal.strerror or str(refusal)
                is_full = is_full or refusal.errno in _FULL
                _empty(place, is_own=place is parcel)
        if not is_full:
            break
        if attempt == 0:
            warn(f"no folder has room for what the run made ({_name(reasons)}): make some, it is tried again for ten minutes")
        time.sleep(_PAUSE_SECONDS)
    remedy = "Make room, name another folder in SAMEBITS_SPOOL, or lift the limit (ulimit -f), and train again."
    raise TrackingError(Problem("spool", "a folder that takes what the run made", _name(reasons), remedy))


def _find_refusal(error: BaseException | None) -> OSError | None:
    """Return what the system refused, also where a library made an error of its own of it."""
    seen: set[int] = set()
    while error is not None and not isinstance(error, OSError) and id(error) not in seen:
        seen.add(id(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return error if isinstance(error, OSError) else None


def _name(reasons: dict[str, str]) -> str:
    return "; ".join(f"{place}: {reason}" for place, reason in reasons.items())


def _empty(parcel: Parcel, is_own: bool) -> None:
    if not is_own:
        parcel.let_go()
        return
    for name in (ARTIFACTS, MODEL, ARCHIVE, "scratch"):
        shutil.rmtree(parcel.folder / name, ignore_errors=True)


def _pack(
    parcel: Parcel, training: Training, started: datetime.datetime, looks: dict[str, Any] | None, stored: Collection[str]
) -> dict[str, Any]:
    ended = datetime.datetime.now(datetime.UTC)
    facts = _describe_run(parcel, started, ended)
    _write_files(parcel.folder / ARTIFACTS, _fill_report(training, facts, looks))
    _write_model(parcel, training, started)
    archived = _keep_inputs(parcel, training, stored)
    lineage = _make_lineage(parcel, training, facts, archived, looks)
    content = write_lineage(lineage)
    _write_files(parcel.folder, {FILE_NAME: content})
    shutil.rmtree(parcel.folder / "scratch", ignore_errors=True)
    for path in (*parcel.folder.rglob("*"), parcel.folder):
        flush(path)
    parcel.write_values(
        {
            "schema": SCHEMA,
            "params": list_params(lineage),
            "metrics": list_steps(list_metrics(lineage), list_fold_scores(lineage), _as_milliseconds(ended)),
            "tags": _list_tags(parcel, training, lineage, content),
            "dataset": _describe_dataset(training),
            "test_dataset": describe_test_rows(training, lineage, _describe_dataset(training)),
            "model_tags": {"model_digest": training.result.model_digest, "data_hash": training.materials.dataset.digest},
            **list_page_values(training, lineage, _as_milliseconds(ended)),
            "started": _as_milliseconds(started),
            "ended": _as_milliseconds(ended),
        }
    )
    return lineage


def _as_milliseconds(moment: datetime.datetime) -> int:
    return int(moment.timestamp() * 1000)


def _describe_run(parcel: Parcel, started: datetime.datetime, ended: datetime.datetime) -> dict[str, Any]:
    return {
        "run_id": parcel.run_id,
        "experiment_id": parcel.note["experiment_id"],
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((ended - started).total_seconds(), 3),
        "user": name_user(),
    }


def _fill_report(training: Training, facts: dict[str, Any], looks: dict[str, Any] | None) -> dict[str, bytes]:
    """Return the run's files, its page saying which run it is of."""
    if PAGE_FILE not in training.files:
        return training.files
    run = ThisRun(facts, training.stages, looks=str(Looks(**looks)) if looks else "")
    try:
        return {**training.files, PAGE_FILE: fill_page(training.files[PAGE_FILE], run)}
    except Exception as error:  # what was trained for hours is not lost to a mistake in how it is told
        warn(f"the report does not say which run it is of: {type(error).__name__}: {error}")
        return training.files


def _make_lineage(
    parcel: Parcel, training: Training, facts: dict[str, Any], archived: dict[str, Any], looks: dict[str, Any] | None
) -> dict[str, Any]:
    files = list_files(parcel.folder / ARTIFACTS) | {f"model/{name}": path for name, path in list_files(parcel.folder / MODEL).items()}
    artifacts = {name: {"digest": digest_file(path), "size_bytes": path.stat().st_size} for name, path in sorted(files.items())}
    sections = {"request_digest": training.request_digest, "archive": archived, "remarks": training.result.remarks}
    if looks is not None:
        sections["looks"] = looks
    return assemble_lineage(training.stages, artifacts, facts, **sections)


def list_files(folder: Path) -> dict[str, Path]:
    """Return every file below a folder, by its path in it."""
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def _write_files(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _keep_inputs(parcel: Parcel, training: Training, stored: Collection[str]) -> dict[str, Any]:
    """Copy what nobody but this machine has, and say of each table and of the commit what becomes of it."""
    wish = training.loaded.config.data.archive
    kinds = ("data", "test_data")
    sources = training.materials.dataset.sources
    tables = {kind: _keep_input(parcel, source, wish, stored) for kind, source in zip(kinds, sources, strict=False)}
    raw_sources = list_raw_sources(training.stages["steps"], training.project_root)
    raw = {path: _keep_input(parcel, source, wish, stored) for path, source in raw_sources.items()}
    return {**tables, **({"raw": raw} if raw else {}), "code": _keep_commit(parcel, training)}


def _keep_input(parcel: Parcel, source: Source, wish: str, stored: Collection[str]) -> str:
    return "stored" if source.digest in stored else _keep_table(parcel, source, wish)


def _keep_table(parcel: Parcel, source: Source, wish: str) -> str:
    if wish == "never":
        return "never"
    if wish == "auto" and source.size_bytes > CAP_BYTES:
        return "over the cap"
    entry = parcel.folder / ARCHIVE / name_data_entry(source.digest)
    if entry.exists():  # of another file with the same bytes
        return "kept"
    if not source.path.exists() or not all(_copy(path, entry / name) for name, path in list_table_files(source.path).items()):
        shutil.rmtree(entry, ignore_errors=True)
        return "gone meanwhile"  # what was made is kept all the same
    copied = entry / source.path.name if source.path.is_file() else entry
    if digest_table(copied) != source.digest:
        shutil.rmtree(entry)
        return "changed meanwhile"  # under this digest's name, other bytes would be taken for it ever after
    return "kept"


def _copy(path: Path, copy: Path) -> bool:
    """Copy a file of the table's; False where it cannot be read any more."""
    try:
        content = path.open("rb")
    except OSError:
        return False
    copy.parent.mkdir(parents=True, exist_ok=True)
    with content, copy.open("wb") as file:
        shutil.copyfileobj(content, file, 1 << 20)
    return True


def _keep_commit(parcel: Parcel, training: Training) -> str:
    """Commits of repositories inside are kept likewise; what is said is of the project's own, or that one is too large."""
    code = training.code
    if code.commit is None or code.root is None:
        return "no commit"
    said = [_bundle(parcel, root, commit) for root, commit in code.list_unpushed()]
    return next((what for what in said if what != "kept"), "pushed" if code.is_pushed else "kept")


def _bundle(parcel: Parcel, root: Path, commit: str) -> str:
    path = parcel.folder / ARCHIVE / name_code_entry(commit) / BUNDLE
    if path.is_file():
        return "kept"
    path.parent.mkdir(parents=True)
    try:
        bundle_commit(root, commit, path)
    except ProvenanceError as error:
        shutil.rmtree(path.parent)
        if os.strerror(errno.ENOSPC) in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
        return "could not be bundled"  # what was made is kept all the same
    if path.stat().st_size > CAP_BYTES:
        shutil.rmtree(path.parent)
        return "over the cap"
    return "kept"


def _describe_dataset(training: Training) -> dict[str, Any]:
    dataset, stage = training.materials.dataset, training.stages["data"]
    columns = [{"type": _MLFLOW_TYPES[kind], "name": name, "required": True} for name, kind in dataset.kinds.items()]
    return {
        "name": Path(stage["path"]).stem[:500],
        "digest": dataset.digest[:DATASET_DIGEST_LENGTH],
        "source_type": "local",
        "source": json.dumps({"uri": stage["location"]}),
        "schema": json.dumps({"mlflow_colspec": columns}) if len(columns) < 500 else None,  # the server takes 65,535 characters
        "profile": json.dumps({"num_rows": len(dataset.frame), "num_elements": int(dataset.frame.size)}),
    }


def _list_tags(parcel: Parcel, training: Training, lineage: dict[str, Any], content: bytes) -> dict[str, str]:
    """Return the tags that follow from the lineage, and those that are no copy of a value in it."""
    code = training.code
    tags = {**list_tags(lineage, content), "task": training.materials.target.task, "level": str(Level.L0)}
    try:
        tags[NOTE_TAG] = describe_run(training, parcel.run_id, tags, lineage.get("looks"))
    except Exception as error:
        warn(f"the run has no description: {type(error).__name__}: {error}")
    if code.branch:
        tags["mlflow.source.git.branch"] = code.branch
    if code.remote:
        tags["mlflow.source.git.repoURL"] = code.remote
    if code.patch:
        tags["mlflow.source.git.diff"] = code.patch.decode("utf-8", "replace")
    return tags


def _write_model(parcel: Parcel, training: Training, started: datetime.datetime) -> None:
    """Lay the model out for MLflow; what names it there is settled here too, so that no server's answer changes a byte."""
    labels = training.materials.target.labels
    output = "double" if labels is None else {"b": "boolean", "i": "long", "f": "double"}.get(labels.dtype.kind, "string")
    mlflow_flavor.save_model(
        parcel.folder / MODEL,
        Model(
            run_id=parcel.run_id,
            model_uuid=training.result.model_digest.removeprefix(PREFIX)[:32],
            utc_time_created=str(started.replace(tzinfo=None)),
        ),
        model_file=training.result.model_file,
        trusted_types=list_trusted_types(training.result.model_file, training.loaded.config.allow),
        signature=ModelSignature(
            inputs=Schema([ColSpec(_choose_type(training.materials.dataset, name), name) for name in training.materials.inputs]),
            outputs=Schema([ColSpec(output)]),
            params=PARAMS,
        ),
        input_example=_take_example(training),
        pip_requirements=_pin_requirements(training),
        own_code=_list_own_code(training, parcel.scratch / "own"),
        scratch=parcel.scratch,
    )


def _list_own_code(training: Training, folder: Path) -> list[Path]:
    """Lay out the allowed modules as they ran, and return the topmost: whoever loads the model has no other way to them."""
    served, left_out = collect_served_code(training.loaded.config.allow, training.code, training.project_root)
    if left_out:
        named = shorten_list([f"{name} ({reason})" for name, reason in left_out.items()], 10)
        warn(f"not served with the model, whoever loads it must have what its code needs of these: {named}")
    _write_files(folder, served)
    return sorted(folder.iterdir()) if served else []


def _take_example(training: Training) -> pd.DataFrame:
    X, _ = training.materials.read(training.materials.split.train_rows[:N_EXAMPLE_ROWS])
    integers = {name: np.int64 for name in training.materials.dataset.integers if name in X.columns}
    return X.reset_index(drop=True).astype(integers)


def _choose_type(dataset: Table, name: str) -> str | AnyType:
    """MLflow's type of a column as the table has it, so that the table itself is an input that MLflow's loader takes."""
    if dataset.kinds[name] == "boolean" and dataset.frame[name].isna().any():
        return AnyType()  # MLflow's boolean has no missing value
    return "long" if name in dataset.integers else _MLFLOW_TYPES[dataset.kinds[name]]


def _pin_requirements(training: Training) -> list[str]:
    versions = training.environment.packages
    return [f"{name}=={versions[name]}" for name in _SERVING_PACKAGES if name in versions]
