"""The files of a run, from wherever its server keeps them: all that are listed, none from outside, no more than there is room for.

Who may write to a server may say what it likes of places and sizes: a folder of this machine is taken only where it is named as
MLflow names a run's, no link is followed out of it, and what is listed is counted before it is fetched.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from samebits.errors import Problem, TrackingError
from samebits.holdings.artifacts import find_own_folder, open_artifacts
from samebits.holdings.named_models import list_models
from samebits.lineage.manifest import FILE_NAME, MAX_ARTIFACTS, MAX_BYTES
from samebits.plain_files import is_plain

SPARE_BYTES = 256 << 20  # left free on the disk that files are fetched to
MOST_MODELS = 20  # a run records one


def fetch_files(client: Any, run: Any, scratch: Path) -> dict[str, Path]:
    """Return every file of a run; where the server's store is a folder of this machine, the files in their own place.

    Raises
    ------
    TrackingError
        There are more than there is room for, or their place is none of a run's.
    """
    run_id = str(run.info.run_id)
    files = list_inner_files(_open_location(client, run.info.artifact_uri, scratch / "run", run_id))
    models = list_models(client, run)
    if len(models) > MOST_MODELS:
        raise TrackingError(Problem(f"run {run_id}", "one model", f"{len(models)}", "It is no run of samebits."))
    for number, model in enumerate(models):
        place = "model" if number == 0 else f"model of {model.model_id}"
        found = list_inner_files(_open_location(client, model.artifact_location, scratch / place, str(model.model_id)))
        files.update({f"{place}/{name}": path for name, path in found.items()})
    return files


def _open_location(client: Any, uri: str, folder: Path, owner_id: str) -> Path:
    """Return a folder with what a location holds and nothing else: MLflow's own download of a model adds a file to it."""
    local = find_own_folder(uri, owner_id)
    if local is not None:
        return local
    folder.mkdir()
    repository = open_artifacts(uri, client.tracking_uri)
    with count_listed(repository, folder):
        if repository.list_artifacts():
            repository.download_artifacts("", str(folder))
    return folder


@contextlib.contextmanager
def count_listed(repository: Any, folder: Path) -> Iterator[None]:
    """Let a repository of MLflow's refuse, while it lists what it is about to fetch, more than a run has or a folder takes."""
    list_artifacts: Callable[..., Any] = repository.list_artifacts
    listed: dict[str, int] = {}

    def list_and_count(path: str | None = None) -> Any:
        found = list_artifacts(path)
        listed.update({info.path: info.file_size or 0 for info in found})
        _refuse_too_much(listed, shutil.disk_usage(folder).free)
        return found

    repository.list_artifacts = list_and_count
    try:
        yield
    finally:
        repository.list_artifacts = list_artifacts


def _refuse_too_much(listed: dict[str, int], free_bytes: int) -> None:
    if len(listed) > 2 * MAX_ARTIFACTS:
        raise TrackingError(Problem("artifacts of the run", f"at most {2 * MAX_ARTIFACTS}", "more", "It is no run of samebits."))
    if listed.get(FILE_NAME, 0) > MAX_BYTES:
        found = f"{listed[FILE_NAME] >> 20} MiB"
        raise TrackingError(Problem(FILE_NAME, f"at most {MAX_BYTES >> 20} MiB", found, "It is no run's record."))
    if sum(listed.values()) > max(free_bytes - SPARE_BYTES, 0):
        found = f"{sum(listed.values()) >> 20} MiB to fetch"
        remedy = "Make room, or let TMPDIR name a disk that has it."
        raise TrackingError(Problem("artifacts of the run", f"room for them ({free_bytes >> 20} MiB are free)", found, remedy))


def list_inner_files(folder: Path, names: Iterable[str] | None = None) -> dict[str, Path]:
    """Return the regular files below a folder, by their path in it; what a link leads out of it to is none of them.

    Parameters
    ----------
    names
        Only these are looked for; else all that are there.
    """
    inside = folder.resolve()
    places = sorted(folder.rglob("*")) if names is None else [folder / name for name in names]
    found = [path for path in places if is_plain(path) and path.resolve().is_relative_to(inside)]
    return {path.relative_to(folder).as_posix(): path for path in found}
