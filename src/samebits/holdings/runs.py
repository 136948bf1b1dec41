"""The recorded run: which one a user means, and what the tracking server holds of it today.

A run is named by its id, a unique prefix of it, `runs:/…`, `models:/name/version`, `models:/name@alias`, `latest`, or the path of a
lineage.json. Which run a model belongs to is `named_models`; its files are fetched as they are by `downloads`, and nothing in them is
believed or unpickled.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from samebits.errors import LineageError, Problem, TrackingError, describe_unreadable
from samebits.holdings.archive import Archive
from samebits.holdings.downloads import fetch_files
from samebits.holdings.named_models import check_model_is_the_runs, find_named_model, list_models
from samebits.lineage.backtest_record import BACKTEST_FILE
from samebits.lineage.manifest import FILE_NAME, MAX_BYTES, read_lineage
from samebits.lineage.tracked_candidates import CANDIDATE_TAG
from samebits.plain_files import read_plain
from samebits.project import expand_home
from samebits.text import hide_credentials
from samebits.tracking.server import explain_failures

_MIN_PREFIX = 4
_MODEL_NAME = "model"  # of the one model of every run before its name said which
_PAGE = 1000
_FEW = 20  # of which the first that fits is wanted: a run is read in two milliseconds, the whole page in two seconds
# Runs that exist only beside another are not "the last run".
PARCEL_TAG = "parcel_id"  # stands on a run from its beginning, and is its id where it was made without a server
DERIVED_TAGS = ("reproduces", "control_of", CANDIDATE_TAG)
WINDOW_TAG = "backtest_cutoff"  # on the run of a backtest's window, which is told of with the others on the run above it
PARENT_TAG = "mlflow.parentRunId"  # by which MLflow nests a run below another


@dataclass
class RecordedRun:
    """A run with its files at hand until it is closed.

    Parameters
    ----------
    lineage_bytes
        As they were given, or else as they stand on the server; empty where the run has no lineage.
    files
        Path on this machine of each of its artifacts, by its path on the server; the model's are under `model/`.
    archive
        Of the run's experiment.
    """

    client: Any
    run: Any
    lineage_bytes: bytes
    given_path: Path | None
    files: dict[str, Path]
    archive: Archive
    _scratch: Path | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def run_id(self) -> str:
        """Its id on the server."""
        return str(self.run.info.run_id)

    @property
    def is_backtest(self) -> bool:
        """Whether it tells of a backtest, whose windows are runs of their own."""
        return BACKTEST_FILE in self.files

    @property
    def where(self) -> str:
        """What an error calls its lineage."""
        return str(self.given_path) if self.given_path else f"run {self.run_id}: {FILE_NAME}"

    @property
    def tags(self) -> dict[str, str]:
        """Its tags as they stand on the server."""
        return dict(self.run.data.tags)

    def read_lineage(self) -> dict[str, Any]:
        """Return its lineage.

        Raises
        ------
        LineageError
            It has none, so that it is not a finished run, or what it has is no lineage.
        """
        if self.is_backtest:
            remedy = "Name the run of one of its windows: its page and `samebits lineage` list them."
            raise LineageError(Problem(f"run {self.run_id}", "a run with a model of its own", "a backtest of several", remedy))
        if not self.lineage_bytes:
            found = f"none, in a run that ended as {self.run.info.status}"
            raise LineageError(Problem(f"run {self.run_id}", f"a finished run with its {FILE_NAME}", found, "Name another run."))
        return read_lineage(self.lineage_bytes, self.where)


def open_recorded_run(client: Any, reference: str) -> RecordedRun:
    """Find the run that a user means and fetch what the server holds of it.

    Raises
    ------
    TrackingError
        There is no such run, more than one, or the server cannot be reached.
    LineageError
        The file that was named is no lineage.
    """
    given = expand_home(reference)
    is_file = names_file(reference)
    content = read_given_file(given) if is_file else b""
    named = find_named_model(client, reference) if not is_file and reference.startswith("models:/") else None
    run_id = named.run_id if named is not None else _read_run_id(content, given) if is_file else find_run_id(client, reference)
    run = explain_failures(f"find run {run_id}", lambda: _take_run(client, run_id))
    run_id = str(run.info.run_id)
    _refuse_candidate(run)
    if named is not None:
        check_model_is_the_runs(client, run, reference, named)
    experiment = explain_failures("find the run's experiment", lambda: client.get_experiment(run.info.experiment_id))
    archive = explain_failures("open its artifacts", lambda: Archive(experiment.artifact_location, client.tracking_uri))
    scratch = Path(tempfile.mkdtemp(prefix="samebits-run-"))
    try:
        files = explain_failures(f"give the artifacts of run {run_id}", lambda: fetch_files(client, run, scratch))
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    if not is_file and FILE_NAME in files:
        content = read_given_file(files[FILE_NAME])
    return RecordedRun(client, run, content, given if is_file else None, files, archive, scratch)


def _take_run(client: Any, run_id: str) -> Any:
    """Return a run by its id, or by the id under which it was made without a server."""
    try:
        return client.get_run(run_id)
    except Exception as error:
        from mlflow.exceptions import MlflowException  # which whoever finds the run has no need of

        if not isinstance(error, MlflowException):
            raise
        found = list(islice(search_runs(client, f"tags.{PARCEL_TAG} = '{run_id}'"), _MIN_PREFIX))
        if not found:
            raise
        if len(found) > 1:  # anybody may set a tag: which one is the parcel's own is not for the newest to say
            seen = ", ".join(str(run.info.run_id) for run in found)
            remedy = "Name the run itself, by its own id."
            raise TrackingError(Problem(f"run {run_id}", "one run that was made under this id", seen, remedy)) from None
        return found[0]


def _refuse_candidate(run: Any) -> None:
    """What a nested run shows of a candidate is on record with the run that it is a candidate of."""
    if (name := run.data.tags.get(CANDIDATE_TAG)) is None:
        return
    parent = run.data.tags.get(PARENT_TAG)
    found = f"candidate {name} of run {parent}"
    raise TrackingError(Problem(f"run {run.info.run_id}", "a run of its own", found, f"Name that run: {parent}"))


def names_file(reference: str) -> bool:
    """Tell whether a reference is the path of a file rather than the name of a run."""
    try:
        return expand_home(reference).is_file()
    except (OSError, ValueError):  # too long for a path
        return False


def read_given_file(path: Path) -> bytes:
    """Return the bytes of a lineage.json.

    Raises
    ------
    LineageError
        It cannot be read, or is larger than a lineage may be.
    """
    try:
        return read_plain(path, MAX_BYTES)
    except OSError as error:
        raise LineageError(describe_unreadable(path, error)) from None


def settle_reference(reference: str) -> str:
    """Return a reference that means the same from any folder: a path as an absolute one, anything else as it is."""
    return str(expand_home(reference).absolute()) if names_file(reference) else reference


def _read_run_id(content: bytes, path: Path) -> str:
    run_id = read_lineage(content, str(path))["run"].get("run_id")
    if not isinstance(run_id, str):
        raise LineageError(Problem(f"{path}: run.run_id", "a run's id", repr(run_id), "Name the run itself."))
    return run_id


def find_run_id(client: Any, reference: str) -> str:
    """Return the id of the run that a user's words mean.

    Raises
    ------
    TrackingError
        There is no such run, or more than one.
    """
    if reference == "latest":
        return _find_latest(client)
    if reference.startswith("models:/"):
        return find_named_model(client, reference).run_id
    of_run = re.fullmatch(r"runs:/([^/]+)(?:/([^/]+))?/?", reference)
    run_id = of_run[1] if of_run else reference
    run_id = run_id if re.fullmatch(r"[0-9a-f]{32}", run_id) else _find_by_prefix(client, run_id)
    if of_run and of_run[2] not in (None, _MODEL_NAME):
        _check_name(client, run_id, of_run[2])
    return run_id


def _check_name(client: Any, run_id: str, name: str) -> None:
    """A run has one model, and goes by its name too."""
    run = explain_failures(f"find run {run_id}", lambda: client.get_run(run_id))
    names = [str(model.name) for model in explain_failures("find the run's model", lambda: list_models(client, run))[:1]]
    if name not in names:
        found = f"a model named {names[0]}" if names else "none"
        raise TrackingError(Problem(f"runs:/{run_id}/{name}", "the run's model", found, f"Name the run itself: {run_id}"))


def list_experiments(client: Any) -> dict[str, str]:
    """Return the name of every active experiment on the server, by its id."""
    pages = _turn_pages("list its experiments", lambda token: client.search_experiments(max_results=_PAGE, page_token=token))
    return {str(experiment.experiment_id): str(experiment.name) for page in pages for experiment in page}


def _turn_pages(action: str, ask: Callable[[str | None], Any]) -> Iterator[Any]:
    """Yield page after page, each of which says by what the next one is asked for.

    Raises
    ------
    TrackingError
        A page that was seen is said to be the next: there would be no end.
    """
    token: str | None = None
    seen: set[str | None] = set()
    while token not in seen:
        seen.add(token)
        page = explain_failures(action, partial(ask, token))
        yield page
        token = page.token or None
        if token is None:
            return
    expected = f"a tracking store that can {action}"
    raise TrackingError(Problem("tracking server", expected, "the same page again and again", "Check what stands before it."))


def search_runs(client: Any, condition: str, page_size: int = _PAGE) -> Iterator[Any]:
    """Yield the active runs of every experiment that meet a condition in MLflow's search syntax, the latest first.

    Parameters
    ----------
    page_size
        How many are asked for at once; whoever stops early asks for few, so that it costs the same however many there are.

    Raises
    ------
    TrackingError
        The server cannot be searched.
    """
    ids, order = list(list_experiments(client)), ["attributes.start_time DESC"]
    pages = _turn_pages(
        "search its runs",
        lambda token: client.search_runs(ids, condition, max_results=page_size, order_by=order, page_token=token),
    )
    for page in pages:
        yield from page


def list_originals(client: Any, page_size: int = _PAGE, with_windows: bool = False) -> Iterator[Any]:
    """Yield every finished run of samebits that is none made from another, the latest first.

    Parameters
    ----------
    page_size
        As for `search_runs`.
    with_windows
        Whether the windows of backtests are among them, and not only the runs above these.

    Raises
    ------
    TrackingError
        The server cannot be searched.
    """
    found = search_runs(client, "attributes.status = 'FINISHED' AND tags.outputs_digest != ''", page_size)
    unlike = DERIVED_TAGS if with_windows else (*DERIVED_TAGS, WINDOW_TAG)
    return (run for run in found if not any(tag in run.data.tags for tag in unlike))


def list_candidate_runs(client: Any, run: Any) -> list[Any]:
    """Return the nested runs in which a run shows its candidates, whatever they hold.

    Raises
    ------
    TrackingError
        The server cannot be searched.
    """
    condition = f"tags.`{PARENT_TAG}` = '{run.info.run_id}' AND tags.{CANDIDATE_TAG} != ''"
    ids = [run.info.experiment_id]
    pages = _turn_pages(
        "search the run's candidates", lambda token: client.search_runs(ids, condition, max_results=_PAGE, page_token=token)
    )
    return [found for page in pages for found in page]


def _find_latest(client: Any) -> str:
    for run in list_originals(client, _FEW):
        return str(run.info.run_id)
    raise TrackingError(
        Problem(f"latest on {hide_credentials(client.tracking_uri)}", "a finished run of samebits", "none", "Train one first.")
    )


def _find_by_prefix(client: Any, prefix: str) -> str:
    remedy = (
        "If it is a lineage.json, there is no such file. Else give the run's id as `train` prints it, runs:/ID, models:/NAME/VERSION,"
        " models:/NAME@ALIAS, or latest."
    )
    if not re.fullmatch(rf"[0-9a-f]{{{_MIN_PREFIX},32}}", prefix):
        raise TrackingError(Problem(f"run {prefix!r}", f"a run's id or its first {_MIN_PREFIX} or more digits", "neither", remedy))
    begun = list(search_runs(client, f"attributes.run_id LIKE '{prefix}%'"))
    own = [run for run in begun if CANDIDATE_TAG not in run.data.tags] or begun  # of a run and a candidate, the run is meant
    found = [str(run.info.run_id) for run in own] or [
        str(run.info.run_id) for run in search_runs(client, f"tags.{PARCEL_TAG} LIKE '{prefix}%'")
    ]
    if len(found) != 1:
        seen = f"{len(found)}: {', '.join(found[:5])}" if found else f"none on {hide_credentials(client.tracking_uri)}"
        raise TrackingError(Problem(f"run {prefix}…", "one run whose id begins so", seen, "Give more digits." if found else remedy))
    return found[0]
