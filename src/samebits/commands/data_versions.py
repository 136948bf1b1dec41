"""`samebits data log` and `samebits data gc`: which versions of a table runs were trained on, and what of a store none names."""

from __future__ import annotations

import datetime
import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.commands.data_of_runs import list_model_digests
from samebits.commands.data_pin import TABLE_PIN, list_pinned
from samebits.commands.named_data import list_configs, list_named
from samebits.config.documents import take_section
from samebits.config.loading import read_config_document
from samebits.errors import DataError, Problem, SamebitsError
from samebits.holdings.runs import PARENT_TAG, WINDOW_TAG, list_originals, open_recorded_run, search_runs
from samebits.lineage.manifest import FILE_NAME
from samebits.parcels.spool import list_parcels
from samebits.project import find_config, find_project_root
from samebits.stores.store import open_store
from samebits.text import shorten_list, tell
from samebits.tracking.server import connect

_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")
_FEW = 3
_YOUNG_SECONDS = 7 * 86400


@dataclass
class Version:
    """One content of a table, as the runs of the server tell of it.

    Parameters
    ----------
    first, last
        When runs with it started, in milliseconds since 1970.
    n_rows
        Of the table as it was used; None where no run says it.
    """

    digest: str
    first: int
    last: int
    n_rows: int | None
    users: set[str] = field(default_factory=set)
    runs: list[str] = field(default_factory=list)


def run_data_log(conf_file: str) -> None:
    """List the versions of a config's table, the latest first: digest, when, rows, who, which runs.

    Raises
    ------
    ConfigError
        It is no config.
    TrackingError
        The server cannot be searched.
    """
    root = find_project_root()
    client, path = connect(root), find_config(conf_file, root)
    sections, named = read_config_document(path).value, list_pinned(path)[TABLE_PIN]
    data = take_section(sections, "data")
    experiment = client.get_experiment_by_name(str(sections.get("name"))) if data.get("query") is not None else None
    asked_in = None if experiment is None else str(experiment.experiment_id)
    found: dict[str, Version] = {}
    for run in list_originals(client, with_windows=True):
        dataset = _find_dataset(run, named, asked_in)
        if dataset is not None:
            _add(found, run, dataset)
    if not found:
        tell(f"no run on this server was trained on {named}")
    for version in found.values():
        pinned = "  pinned" if version.digest == data.get("digest") else ""
        runs = shorten_list([run_id[:8] for run_id in version.runs], _FEW)
        rows = "" if version.n_rows is None else f"  {version.n_rows:,} rows"
        users = shorten_list(sorted(version.users), _FEW)
        tell(f"{version.digest}  {_name_days(version)}{rows}  {users}  runs {runs}{pinned}")


def _find_dataset(run: Any, named: str, asked_in: str | None) -> Any:
    """Return the run's table as MLflow has it, where it is the named one, wherever the project lay.

    Of rows of a database a run has that database's address, which others share: in the config's experiment they go by their name.
    """
    plain = named.partition("?")[0]
    for entry in getattr(run.inputs, "dataset_inputs", None) or []:
        try:
            uri = str(json.loads(entry.dataset.source).get("uri", "")).partition("?")[0]
        except (ValueError, AttributeError):
            continue
        is_named = uri == plain or uri.endswith(f"/{plain}")
        is_asked = str(run.info.experiment_id) == asked_in and entry.dataset.name == Path(plain).stem
        if "training" in {tag.value for tag in entry.tags} and (is_named or is_asked):
            return entry.dataset
    return None


def _add(found: dict[str, Version], run: Any, dataset: Any) -> None:
    digest, started = run.data.tags.get("data_hash", "not on record"), int(run.info.start_time)
    try:
        n_rows = int(json.loads(dataset.profile)["num_rows"])
    except (ValueError, TypeError, KeyError):
        n_rows = None
    version = found.setdefault(digest, Version(digest, started, started, n_rows))
    version.first, version.last = min(version.first, started), max(version.last, started)
    version.users.add(run.data.tags.get("mlflow.user", "unknown"))
    above = run.data.tags.get(PARENT_TAG) if WINDOW_TAG in run.data.tags else None  # a backtest is named once
    name = str(above or run.info.run_id)
    version.runs += [name] if name not in version.runs else []


def _name_days(version: Version) -> str:
    days = [datetime.datetime.fromtimestamp(when / 1000, datetime.UTC).date().isoformat() for when in (version.first, version.last)]
    return " to ".join(dict.fromkeys(days))


def run_data_gc(is_deleting: bool) -> None:
    """List what is in the store and neither a run on the server nor a config of this project names; delete it where that was asked.

    Raises
    ------
    TrackingError
        The server cannot be searched: then nothing is known to be unnamed.
    DataError
        The store does not answer, or a run's record cannot be read, so that what it names is not known.
    """
    root = find_project_root()
    store = open_store(root)[0]
    kept = _list_named_digests(root)
    held = store.list_digests()
    sizes = {digest: one.size_bytes for digest, one in held.items()}
    kept |= {part for digest in sorted(kept & sizes.keys()) for part in store.list_parts(digest)}
    young = {digest for digest, one in held.items() if time.time() - one.modified < _YOUNG_SECONDS}  # of a training under way
    unnamed = {digest: size for digest, size in sizes.items() if digest not in kept | young}
    for digest, size in unnamed.items():
        if is_deleting:
            store.delete(digest)
        tell(f"{'deleted' if is_deleting else 'unnamed'} {digest}  {size:,} bytes")
    n_bytes = sum(unnamed.values())
    rest = "" if is_deleting or not unnamed else "; `samebits data gc --delete` removes these"
    spared = len(young - kept)
    told = f", {spared} by none but kept less than a week ago" if spared else ""
    n_named = len(sizes) - len(unnamed) - spared
    tell(f"{n_named} named by runs or configs, {len(unnamed)} by none ({n_bytes:,} bytes){told} in {store.where}{rest}")


def _list_digests(content: bytes) -> set[str]:
    return {digest.decode() for digest in _DIGEST.findall(content)}


def _list_named_digests(root: Path) -> set[str]:
    """Return every digest that stands in a run's record, whatever of, and every pin of this project's configs."""
    client = connect(root)
    named_here = list_named(list_configs(root)) if (root / "confs").is_dir() else ()
    found = {named.pin for named in named_here if named.pin is not None}
    for parcel in list_parcels(root):  # what waits for its server
        lineage = parcel.folder / FILE_NAME
        found |= _list_digests(lineage.read_bytes()) if lineage.is_file() else set()
    for run in search_runs(client, "tags.outputs_digest != ''"):
        try:
            with open_recorded_run(client, str(run.info.run_id)) as recorded:
                found |= _list_digests(recorded.lineage_bytes)
                found |= set() if recorded.is_backtest else list_model_digests(recorded.read_lineage(), recorded.lineage_bytes)
        except SamebitsError as error:
            remedy = "Mend or delete that run first: what it names must not be removed."
            raise DataError(Problem(f"run {run.info.run_id}", "its record", error.problems[0].found, remedy)) from None
    return found
