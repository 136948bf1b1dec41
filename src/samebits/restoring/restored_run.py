"""A whole run brought back from its id alone: code, data, environment and config.

Whatever cannot be brought back is named, all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from samebits.digests import digest_folder
from samebits.errors import Problem, ProvenanceError, SamebitsError
from samebits.history.fetching import fetch_commit
from samebits.holdings.code_search import list_all_code_sources
from samebits.holdings.runs import RecordedRun
from samebits.lineage.gaps import list_stored
from samebits.lineage.manifest import ROWS_FILE, list_wheels
from samebits.numerics.profile import ProfileName
from samebits.project import PACKAGE
from samebits.provenance.code import read_sources_digest
from samebits.restoring.restoration import Restoration, make_folder
from samebits.restoring.restored_code import restore_changes, restore_modules
from samebits.restoring.restored_config import read_config_as_written
from samebits.restoring.restored_data import restore_data, restore_raw
from samebits.restoring.restored_environment import restore_environment


def restore_run(
    lineage: dict[str, Any],
    recorded: RecordedRun,
    folder: Path,
    caller: Path,
    here: bool,
    say: Callable[[str], None],
    from_raw: bool = False,
) -> Restoration:
    """Bring back all that a run was made of.

    Parameters
    ----------
    folder
        Fresh; everything goes into it.
    caller
        The caller's project: one of the places where commit and table are looked for.
    here
        Take the present environment instead of rebuilding the recorded one.
    say
        Called with a line as each part is there.
    from_raw
        Bring back what the run's steps started from, instead of the table that they made.

    Raises
    ------
    SamebitsError
        Something could not be brought back: one problem for each part.
    """
    profile: ProfileName = "native" if lineage["stages"]["numeric_profile"]["name"] == "native" else "portable"
    restoration = Restoration(
        folder,
        profile=profile,
        config_as_written=read_config_as_written(recorded),
        rows_file=recorded.files.get(ROWS_FILE),
        here=here,
        wheels={} if here else {package: recorded.files[name] for package, name in list_wheels(recorded.files).items()},
        addresses=list_addresses(recorded),
        stored=list_stored(lineage),
    )
    problems: list[Problem] = []

    def attempt(part: str, restore: Callable[[], str]) -> None:
        try:
            restoration.said[part] = restore()
            say(f"{part:11} {restoration.said[part]}")
        except SamebitsError as error:
            problems.extend(error.problems)

    attempt("code", lambda: _restore_code(lineage, recorded, restoration, caller))
    restore = restore_raw if from_raw else restore_data
    attempt("data", lambda: restore(lineage, recorded, restoration, caller))
    if "code" in restoration.said:
        attempt("environment", lambda: restore_environment(lineage, recorded, restoration, here))
    if problems:
        raise ProvenanceError(*problems)
    return restoration


def list_addresses(recorded: RecordedRun) -> list[str]:
    """Return the addresses of a run's tracking server and of its artifacts."""
    return [str(recorded.client.tracking_uri), str(recorded.run.info.artifact_uri)]


def _restore_code(lineage: dict[str, Any], recorded: RecordedRun, restoration: Restoration, caller: Path) -> str:
    stage = lineage["stages"]["code"]
    checkout = restoration.folder / "checkout"
    if not stage["commit"]:
        return _take_installed_code(stage, recorded, restoration, checkout)
    sources = list_all_code_sources(stage, [caller], recorded.archive, restoration.folder / "archive" / "code")
    source = fetch_commit(checkout, stage["commit"], sources, stage.get("remote"))
    restoration.project = checkout / (stage.get("project_folder") or _find_project_folder(checkout))
    if not restoration.project.resolve().is_relative_to(checkout.resolve()):
        remedy = "The lineage was edited: `samebits verify` says more."
        raise ProvenanceError(Problem("project folder", "one inside the repository", repr(stage["project_folder"]), remedy))
    n_changes = _restore_changes(lineage, recorded, restoration, checkout, caller)
    own = restoration.project / "src" / PACKAGE.name
    observed = digest_folder(own) if own.is_dir() else stage["sources_digest"]
    if observed != stage["sources_digest"]:
        remedy = "A file of it that Git ignores, or a change over the patch's cap, is not on record."
        raise ProvenanceError(Problem("samebits' sources", stage["sources_digest"], observed, remedy))
    changed = f", {n_changes} uncommitted files on top" if n_changes else ""
    return f"commit {stage['commit'][:12]} from {source.name}{changed}"


def _take_installed_code(stage: dict[str, Any], recorded: RecordedRun, restoration: Restoration, checkout: Path) -> str:
    restoration.project = make_folder(checkout)
    restoration.modules = restore_modules(stage, recorded, checkout, restoration.folder / "modules")
    if restoration.wheel is not None:
        return f"no repository was recorded; samebits from its recorded wheel, {restoration.wheel.name}"
    if read_sources_digest() != stage["sources_digest"]:
        remedy = "Install the samebits that made the run, and commit the project to a repository for later ones."
        raise ProvenanceError(Problem("code", f"samebits with sources {stage['sources_digest']}", "another version", remedy))
    return "no repository was recorded; the installed samebits is the same to the bit"


def _find_project_folder(checkout: Path) -> str:
    """A run of schema 1 did not record it."""
    found = sorted(checkout.rglob("MLproject"), key=lambda path: len(path.parts))
    return found[0].parent.relative_to(checkout).as_posix() if found else "."


def _restore_changes(lineage: dict[str, Any], recorded: RecordedRun, restoration: Restoration, checkout: Path, caller: Path) -> int:
    """Put the recorded changes on top of the commit, all but the config's own file, which is brought back as it was resolved."""
    stage = lineage["stages"]["code"]
    config_file = restoration.project / lineage["stages"]["config"]["file"]
    own = [config_file.relative_to(checkout).as_posix()] if config_file.is_relative_to(checkout) else []
    scratch = restoration.folder / "archive" / "nested"
    n_changes = restore_changes(stage, recorded, checkout, own, caller, scratch)
    restoration.modules = restore_modules(stage, recorded, checkout, restoration.folder / "modules")
    return n_changes
