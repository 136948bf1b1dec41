"""A recorded run's model: found on a server or in a folder, held to the run's lineage, and only then loaded.

The types that a model file may hold are scikit-learn's, samebits' and a short list; where it holds others that the run's config
allowed, somebody's own code would run here: the caller is asked as `reproduce` asks, and what runs are the files on record.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebits.digests import digest_bytes, digest_file
from samebits.errors import LineageError, Problem, SamebitsError, describe_unreadable
from samebits.holdings.downloads import list_inner_files
from samebits.holdings.runs import read_given_file
from samebits.lineage.manifest import FILE_NAME, MODEL_FILE, find_contradictions, read_bounded_json, read_lineage
from samebits.plain_files import read_plain
from samebits.project import expand_home
from samebits.trust.question import LOADED, require_trust

BASELINE_FILE = "drift_baseline.json"
MOST_MODEL_BYTES = 8 << 30
CONTENT_BYTES = 4 << 20  # of a larger file the content is not digested: it takes many times as long, and the file's digest covers it
_CODE = "model/code/"
_DECIDING_PACKAGES = ("scikit-learn", "numpy", "scipy", "skops", "pandas")
_RUN_OF_FOLDER = re.compile(rb"^run_id: ['\"]?([0-9a-f]{32})['\"]?\s*$", re.MULTILINE)


@dataclass(frozen=True)
class ModelFiles:
    """What there is of a run's model, before any of it is believed.

    Parameters
    ----------
    lineage_bytes
        Of the run.
    files
        Path on this machine of each of the run's artifacts, by its name in the lineage.
    addresses
        Of the server and its artifacts, where there is one.
    """

    lineage_bytes: bytes
    lineage: dict[str, Any]
    files: dict[str, Path]
    addresses: list[str]

    @property
    def run_id(self) -> str:
        """The id of the run that made it, by its lineage."""
        return str(self.lineage["run"].get("run_id"))

    @property
    def profile(self) -> str:
        """The numeric profile under which it was made."""
        return str(self.lineage["stages"]["numeric_profile"]["name"])

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return one file of the run, held to its recorded digest.

        Raises
        ------
        LineageError
            It is not there, or not what the run recorded.
        """
        path = self.files.get(name)
        if path is None:
            raise LineageError(Problem(f"run {self.run_id}: {name}", "a file of the run", "none", "Fetch the whole run again."))
        try:
            content = read_plain(path, most_bytes)
        except OSError as error:
            raise LineageError(describe_unreadable(path, error)) from None
        _hold(f"run {self.run_id}: {name}", str(self.lineage["artifacts"].get(name, {}).get("digest")), digest_bytes(content))
        return content


@dataclass(frozen=True)
class StoredModel:
    """A model that is its run's, loaded.

    Parameters
    ----------
    content_digest
        Of what was loaded; None where it was not digested, or another scikit-learn loads it into other attributes.
    other_versions
        Packages that are not those of the run, as (name, recorded, installed).
    """

    files: ModelFiles
    model: Any
    content_digest: str | None
    other_versions: list[tuple[str, str, str]]

    @property
    def lineage(self) -> dict[str, Any]:
        """The lineage of its run."""
        return self.files.lineage

    @property
    def has_baseline(self) -> bool:
        """Whether its run's drift baseline is at hand."""
        return BASELINE_FILE in self.files.files

    def read_baseline(self) -> dict[str, Any]:
        """Return the drift baseline that the run recorded.

        Raises
        ------
        LineageError
            There is none, or it is not the recorded one.
        """
        content = read_bounded_json(self.files.read(BASELINE_FILE, 32 << 20), BASELINE_FILE)
        if not isinstance(content, dict) or not isinstance(content.get("columns"), dict):
            raise LineageError(Problem(BASELINE_FILE, "columns with their distributions", "another form", "Fetch it again."))
        return content


def _hold(where: str, recorded: str, observed: str) -> None:
    if recorded != observed:
        remedy = "It is not what the run recorded, and was not loaded: `samebits verify RUN` says more."
        raise LineageError(Problem(where, recorded, observed, remedy))


def find_model_folder(reference: str) -> Path | None:
    """Return the model folder of this machine that a user's words mean; None where they mean a run."""
    path = expand_home(reference)
    with contextlib.suppress(OSError, ValueError):
        if (path / Path(MODEL_FILE).name).is_file():
            return path.absolute()
        if (path / MODEL_FILE).is_file():
            return (path / MODEL_FILE).parent.absolute()
        if path.is_dir():
            remedy = "Name a run, or the folder that MLflow laid the model out in."
            raise LineageError(Problem(str(path), f"a model folder, with its {Path(MODEL_FILE).name}", "a folder without", remedy))
    return None


def find_lineage(folder: Path) -> Path | None:
    """Return the lineage that lies in a model's folder or beside it."""
    return next((path for path in (folder / FILE_NAME, folder.parent / FILE_NAME) if path.is_file()), None)


def read_run_of_folder(folder: Path) -> str:
    """Return the id of the run that a model folder says it is of.

    Raises
    ------
    LineageError
        It says none.
    """
    try:
        found = _RUN_OF_FOLDER.search(read_plain(folder / "MLmodel", 4 << 20))
    except OSError:
        found = None
    if found is None:
        remedy = f"Put the run's own {FILE_NAME} into it: `samebits lineage RUN`."
        raise LineageError(Problem(str(folder), f"a {FILE_NAME}, or an MLmodel that names the run", "neither", remedy))
    return found[1].decode("ascii")


def take_folder(folder: Path, lineage_path: Path) -> ModelFiles:
    """Return the files of a model folder, with a lineage that lies on this machine."""
    content = read_given_file(lineage_path)
    baseline = lineage_path.parent / BASELINE_FILE
    beside = {BASELINE_FILE: baseline} if baseline.is_file() else {}
    return _settle(content, str(lineage_path), {**beside, **_list_folder(folder)}, [])


def take_run(recorded: Any, folder: Path | None) -> ModelFiles:
    """Return the files of a recorded run, the model's from a folder of this machine where one is given."""
    recorded.read_lineage()
    noted = recorded.tags.get("lineage_digest")
    if noted:
        _hold(recorded.where, noted, digest_bytes(recorded.lineage_bytes))
    own = {name: path for name, path in recorded.files.items() if folder is None or not name.startswith("model/")}
    addresses = [str(recorded.client.tracking_uri), str(recorded.run.info.artifact_uri)]
    return _settle(recorded.lineage_bytes, recorded.where, {**own, **(_list_folder(folder) if folder else {})}, addresses)


def _list_folder(folder: Path) -> dict[str, Path]:
    return {f"model/{name}": path for name, path in list_inner_files(folder).items() if name != FILE_NAME}


def _settle(content: bytes, where: str, files: dict[str, Path], addresses: list[str]) -> ModelFiles:
    lineage = read_lineage(content, where)
    if wrong := find_contradictions(lineage):
        name, recorded, observed = wrong[0]
        raise LineageError(Problem(f"{where}: {name}", str(recorded), str(observed), "It was edited: fetch it again."))
    return ModelFiles(content, lineage, files, addresses)


@contextlib.contextmanager
def load_stored_model(files: ModelFiles, is_trusted: bool) -> Iterator[StoredModel]:
    """Load a run's model, held to its record; the user's own code that it needs can be imported as long as this is open.

    Parameters
    ----------
    is_trusted
        Whether the caller said on the command line that the run's code may run here.

    Raises
    ------
    LineageError
        The file or what is in it is not what the run recorded, or it holds what is on no list.
    ProvenanceError
        It is made of somebody's code, and the caller does not trust it.
    """
    with contextlib.ExitStack() as open_until_done:
        try:
            model = load_recorded(files)
        except LineageError:
            allow = files.lineage["stages"]["config"]["resolved"].get("allow")
            if not allow or not isinstance(allow, list):
                raise
            require_trust(files.run_id, files.lineage_bytes, files.lineage, files.addresses, is_trusted, LOADED)
            open_until_done.enter_context(_lay_out_code(files))
            model = _load_with_code(files, [str(name) for name in allow])
        other = _list_other_versions(files.lineage)
        size_bytes = files.files[MODEL_FILE].stat().st_size
        yield StoredModel(files, model, _digest_content(files, model, size_bytes, other), other)


def load_recorded(files: ModelFiles, allow: Sequence[str] = ()) -> Any:
    """Return a run's model, from a file that is the recorded one; no code of anybody's is looked for.

    Parameters
    ----------
    allow
        Packages that are trusted beside scikit-learn and samebits.

    Raises
    ------
    LineageError
        The file is not what the run recorded, is damaged, or holds what is on no list.
    """
    from samebits.model.file import load_model

    content = files.read(MODEL_FILE, MOST_MODEL_BYTES)
    recorded = str(files.lineage["stages"]["model"]["file_digest"])
    _hold(f"run {files.run_id}: {MODEL_FILE}", recorded, digest_bytes(content))
    return load_model(content, allow)


def _load_with_code(files: ModelFiles, allow: list[str]) -> Any:
    try:
        return load_recorded(files, allow)
    except SamebitsError:
        raise
    except Exception as error:  # of a stranger's module as it is imported
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise LineageError(Problem("model file", "a model whose code can be imported", reason, "Install what it needs.")) from None


@contextlib.contextmanager
def _lay_out_code(files: ModelFiles) -> Iterator[None]:
    """Let the modules that are served with the model be imported: copies of those on record, and of nothing beside them."""
    folder = Path(tempfile.mkdtemp(prefix="samebits-code-"))
    try:
        for name in [name for name in files.files if name.startswith(_CODE) and not name.startswith(f"{_CODE}samebits/")]:
            target = folder / name.removeprefix(_CODE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files.read(name, 64 << 20))
        sys.path.insert(0, str(folder))
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))
        shutil.rmtree(folder, ignore_errors=True)


def _list_other_versions(lineage: dict[str, Any]) -> list[tuple[str, str, str]]:
    recorded = lineage["stages"]["environment"]["packages"]
    pairs = [(name, str(recorded.get(name)), importlib.metadata.version(name)) for name in _DECIDING_PACKAGES]
    return [(name, before, now) for name, before, now in pairs if before != now]


def _digest_content(files: ModelFiles, model: Any, size_bytes: int, other: list[tuple[str, str, str]]) -> str | None:
    from samebits.model.fingerprint import digest_model

    if size_bytes > CONTENT_BYTES:
        return None
    observed = digest_model(model)
    if observed != files.lineage["stages"]["model"]["digest"] and other:
        return None
    _hold(f"run {files.run_id}: content of the model", files.lineage["stages"]["model"]["digest"], observed)
    return observed


def digest_given(path: Path) -> str:
    """Return the digest of a file that a user named.

    Raises
    ------
    LineageError
        It cannot be read.
    """
    try:
        return digest_file(path)
    except OSError as error:
        raise LineageError(describe_unreadable(path, error)) from None
