"""Restoration: code, data, environment and config of a recorded run, brought back into a fresh folder, from its id alone.

Whatever cannot be brought back is named, all of it at once. Nothing is trained here, and nothing outside the folder is changed.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.config.documents import read_document
from samebits.digests import digest_folder
from samebits.errors import Problem, ProvenanceError, SamebitsError
from samebits.holdings.code_search import list_all_code_sources
from samebits.holdings.data_search import STORE_VARIABLE, find_recorded_data
from samebits.holdings.runs import RecordedRun
from samebits.installed.kept import pack_own_wheel, read_kept_packages
from samebits.lineage.manifest import LOCK_FILE, PACKAGES_FILE, ROWS_FILE, list_wheels
from samebits.numerics.profile import ProfileName, make_environment
from samebits.project import PACKAGE, is_checkout
from samebits.proof.restored_code import restore_changes, restore_modules
from samebits.provenance.checkout import fetch_commit
from samebits.provenance.code import read_sources_digest
from samebits.provenance.rebuild import (
    install_wheel,
    list_missing_packages,
    list_site_folders,
    probe_environment,
    rebuild_environment,
    rebuild_from_packages,
)
from samebits.table.files import list_table_files
from samebits.trust.variables import list_run_variables


@dataclass
class Restoration:
    """A recorded run's makings, in a folder of their own.

    Parameters
    ----------
    project
        The project's folder in the restored checkout; an empty folder where the code is the installed samebits alone.
    python
        Of the environment.
    data
        The table's path.
    test_data
        That of the table of test rows, where the run had one.
    rows_file
        The file of the test rows' numbers, where the run had one.
    modules
        A folder of modules that the run imported from elsewhere, where there were any.
    profile
        The numeric profile's name.
    probe
        What the kernels compute of known numbers here, under the profile; None where it is not known.
    here
        Whether the present environment is used instead of the recorded one.
    wheels
        Those that the run kept, by package: of samebits itself, where it was made from one, and of packages that are in no index.
    is_installed
        Whether the environment holds samebits itself.
    addresses
        Of the tracking server and of its artifacts.
    said
        For each of code, data and environment: what it is and where it came from.
    """

    folder: Path
    project: Path = Path()
    python: Path = Path(sys.executable)
    data: Path = Path()
    profile: ProfileName = "portable"
    probe: dict[str, str] | None = None
    config_as_written: Any = None
    test_data: Path | None = None
    rows_file: Path | None = None
    here: bool = False
    wheels: dict[str, Path] = field(default_factory=dict)
    is_installed: bool = False
    addresses: list[str] = field(default_factory=list)
    modules: Path | None = None
    said: dict[str, str] = field(default_factory=dict)

    @property
    def wheel(self) -> Path | None:
        """Of samebits itself."""
        return self.wheels.get(PACKAGE.name)

    @property
    def program(self) -> list[str]:
        """The words that start samebits in it."""
        own = self.project / "src" / PACKAGE.name
        return [str(self.python), str(own)] if (own / "__main__.py").is_file() else [str(self.python), "-m", PACKAGE.name]

    @property
    def source_folder(self) -> Path | None:
        """The folder from which samebits is imported in it; None where the environment itself holds it."""
        own = self.project / "src"
        return own if (own / PACKAGE.name).is_dir() else None if self.is_installed else PACKAGE.parent

    def list_variables(self, tracking_uri: str) -> dict[str, str]:
        """Return the environment variables of a process in it, under the profile: a few of the caller's, and places in the folder.

        What a program leaves behind where it works, or notes of itself, is gone with the folder.
        """
        kept = list_run_variables([tracking_uri, *self.addresses])
        if self.program[1] == "-m" and self.source_folder is not None:
            kept["PYTHONPATH"] = str(self.source_folder)
        places = {"TMPDIR": _make_folder(self.folder / "tmp"), "XDG_STATE_HOME": _make_folder(self.folder / "state")}
        if self.modules is not None:
            kept["PYTHONPATH"] = os.pathsep.join(filter(None, [kept.get("PYTHONPATH"), str(self.modules)]))
        path = f"{self.python.parent}{os.pathsep}{kept.get('PATH', '')}"
        own = {**{name: str(place) for name, place in places.items()}, "PATH": path, "MLFLOW_TRACKING_URI": tracking_uri}
        return make_environment(self.profile, {**kept, **own})


def restore_run(
    lineage: dict[str, Any], recorded: RecordedRun, folder: Path, caller: Path, here: bool, say: Callable[[str], None]
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

    Raises
    ------
    SamebitsError
        Something could not be brought back: one problem for each part.
    """
    profile: ProfileName = "native" if lineage["stages"]["numeric_profile"]["name"] == "native" else "portable"
    restoration = Restoration(
        folder,
        profile=profile,
        config_as_written=_read_config_as_written(recorded),
        rows_file=recorded.files.get(ROWS_FILE),
        here=here,
        wheels={} if here else {package: recorded.files[name] for package, name in list_wheels(recorded.files).items()},
        addresses=list_addresses(recorded),
    )
    problems: list[Problem] = []

    def attempt(part: str, restore: Callable[[], str]) -> None:
        try:
            restoration.said[part] = restore()
            say(f"{part:11} {restoration.said[part]}")
        except SamebitsError as error:
            problems.extend(error.problems)

    attempt("code", lambda: _restore_code(lineage, recorded, restoration, caller))
    attempt("data", lambda: _restore_data(lineage, recorded, restoration, caller))
    if "code" in restoration.said:
        attempt("environment", lambda: _restore_environment(lineage, recorded, restoration, here))
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
    restoration.project = _make_folder(checkout)
    restoration.modules = restore_modules(stage, recorded, checkout, restoration.folder / "modules")
    if restoration.wheel is not None:
        return f"no repository was recorded; samebits from its recorded wheel, {restoration.wheel.name}"
    if read_sources_digest() != stage["sources_digest"]:
        remedy = "Install the samebits that made the run, and commit the project to a repository for later ones."
        raise ProvenanceError(Problem("code", f"samebits with sources {stage['sources_digest']}", "another version", remedy))
    return "no repository was recorded; the installed samebits is the same to the bit"


def _make_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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


def _restore_data(lineage: dict[str, Any], recorded: RecordedRun, restoration: Restoration, caller: Path) -> str:
    stage = lineage["stages"]["data"]
    found, said = _find_table(lineage, stage, "data", recorded, restoration, caller)
    restoration.data = found
    if "test" in stage:
        restoration.test_data, said_of_test = _find_table(lineage, stage["test"], "test_data", recorded, restoration, caller)
        said += f"; test rows: {said_of_test}"
    return said


def _find_table(
    lineage: dict[str, Any], stage: dict[str, Any], kind: str, recorded: RecordedRun, restoration: Restoration, caller: Path
) -> tuple[Path, str]:
    folders = [restoration.project, caller] if restoration.project != Path() else [caller]
    found = find_recorded_data(stage, folders, recorded.archive, _make_folder(restoration.folder / "archive" / kind))
    if found.path is None:
        places = [f"other bytes at {path} ({digest})" for path, digest in found.other_bytes.items()]
        kept = lineage.get("archive", {}).get(kind, "not recorded")
        seen = "; ".join(places) or "no file at its recorded path"
        remedy = f"Put the file with this digest back, or into a folder named by {STORE_VARIABLE}. Archive: {kept}."
        raise ProvenanceError(Problem(f"data {stage['path']}", stage["digest"], seen, remedy))
    if found.path.is_relative_to(restoration.project):
        return found.path, f"{stage['digest']} with the code, {stage['path']}"
    return found.path, f"{stage['digest']} {'at ' + str(found.path) if found.place == 'recorded path' else 'from ' + found.place}"


def _restore_environment(lineage: dict[str, Any], recorded: RecordedRun, restoration: Restoration, here: bool) -> str:
    stage = lineage["stages"]["environment"]
    if here:
        restoration.is_installed = not is_checkout()
        _probe(restoration, recorded, warm_up=False)
        other = list_missing_packages(Path(sys.executable), stage["packages"])
        differences = f"; other than recorded: {', '.join(other[:5])}{', …' if len(other) > 5 else ''}" if other else ""
        return f"the present one, Python {'.'.join(map(str, sys.version_info[:3]))}, not rebuilt{differences}"
    started = time.monotonic()
    how = _rebuild(lineage, recorded, restoration)
    _settle_own_code(lineage["stages"]["code"], restoration)
    _probe(restoration, recorded, warm_up=True)
    return f"Python {stage['python']} and {len(stage['packages'])} packages {how}, in {time.monotonic() - started:.1f} s"


def _rebuild(lineage: dict[str, Any], recorded: RecordedRun, restoration: Restoration) -> str:
    stage, folder = lineage["stages"]["environment"], restoration.folder / "environment"
    lock, packages = recorded.files.get(LOCK_FILE), recorded.files.get(PACKAGES_FILE)
    if packages is not None and (lock is None or not lineage["stages"]["code"]["commit"]):
        kept = read_kept_packages(packages.read_bytes(), f"run {recorded.run_id}: {PACKAGES_FILE}")
        restoration.python = rebuild_from_packages(stage, kept, restoration.wheels, folder, restoration.addresses)
        return "by their names, with the files that they had"
    if not lineage["stages"]["code"]["commit"]:
        remedy = "Commit the project for later runs, or use the present environment, which the verdict then says: --here."
        raise ProvenanceError(Problem("environment", "the project that its uv.lock belongs to", "no repository on record", remedy))
    restoration.python = rebuild_environment(stage, restoration.project, lock, folder, restoration.addresses, restoration.wheels)
    return "by the recorded uv.lock and its hashes"


def _settle_own_code(stage: dict[str, Any], restoration: Restoration) -> None:
    """See to it that the samebits that runs is the recorded one: the project's own, the environment's, or the caller's."""
    if restoration.program[1] != "-m":
        return
    folders = [Path(folder, PACKAGE.name) for folder in list_site_folders(restoration.python)]
    restoration.is_installed = any(folder.is_dir() and digest_folder(folder) == stage["sources_digest"] for folder in folders)
    if restoration.is_installed:
        return
    wheel = restoration.wheel or _find_callers_own(stage, restoration)
    if wheel is not None:
        install_wheel(restoration.python, wheel)
        restoration.is_installed = True


def _find_callers_own(stage: dict[str, Any], restoration: Restoration) -> Path | None:
    """Return a wheel of the caller's samebits; None in a checkout, from whose folder it is imported.

    The folder of an installed one holds all packages of the caller's, which would come before the rebuilt ones.
    """
    if read_sources_digest() != stage["sources_digest"]:
        remedy = "Install the samebits that made the run beside this project."
        raise ProvenanceError(Problem("code", f"samebits with sources {stage['sources_digest']}", "another version", remedy))
    for name, content in pack_own_wheel().items():
        (restoration.folder / name).write_bytes(content)
        return restoration.folder / name
    return None


def _probe(restoration: Restoration, recorded: RecordedRun, warm_up: bool) -> None:
    variables = restoration.list_variables(recorded.client.tracking_uri)
    if restoration.source_folder is not None:
        variables["PYTHONPATH"] = str(restoration.source_folder)
    restoration.probe = probe_environment(restoration.python, variables, warm_up)


def write_config(lineage: dict[str, Any], restoration: Restoration, name: str, **changes: Any) -> Path:
    """Write the config as it was resolved, the restored table in it, with changes to its top level; return its path."""
    resolved = read_resolved(lineage, restoration)
    data = {**resolved["data"], "path": str(restoration.data), "digest": lineage["stages"]["data"]["digest"]}
    if restoration.test_data is not None:
        data["test_path"] = str(restoration.test_data)
    config = {**resolved, "data": data, **changes}
    if "tracking" in resolved:  # a rerun is recorded beside its original, wherever that is
        config["tracking"] = {**resolved["tracking"], "offline": False}
    if restoration.rows_file is not None:
        config["split"] = {**resolved["split"], "rows_file": str(restoration.rows_file)}
    path = restoration.folder / f"{name}.json"
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")
    return path


def read_resolved(lineage: dict[str, Any], restoration: Restoration) -> dict[str, Any]:
    """Return the config as it was resolved, its numbers as the config's own file has them."""
    resolved: dict[str, Any] = _decode_numbers(lineage["stages"]["config"]["resolved"], restoration.config_as_written)
    return resolved


def _decode_numbers(value: Any, written: Any) -> Any:
    """Undo what canonical JSON makes of the numbers that JSON has not, where the config as it was written has a number."""
    if isinstance(value, dict):
        return {key: _decode_numbers(member, written.get(key) if isinstance(written, dict) else None) for key, member in value.items()}
    if isinstance(value, list):
        others = written if isinstance(written, list) and len(written) == len(value) else [None] * len(value)
        return [_decode_numbers(member, other) for member, other in zip(value, others, strict=True)]
    return written if isinstance(written, float) and not math.isfinite(written) else value


def _read_config_as_written(recorded: RecordedRun) -> Any:
    """Return the plain values of the config's own file; None where it cannot be read."""
    for name, path in recorded.files.items():
        if name.startswith("config/as_written"):
            with contextlib.suppress(SamebitsError):
                return read_document(path).value
    return None


def copy_data_in_other_order(restoration: Restoration) -> None:
    """Take the table from a copy whose files were written in the reverse order."""
    target = _make_folder(restoration.folder / "data in another order")
    files = list_table_files(restoration.data)
    for name in sorted(files, reverse=True):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files[name], target / name)
    restoration.data = target if restoration.data.is_dir() else target / restoration.data.name
