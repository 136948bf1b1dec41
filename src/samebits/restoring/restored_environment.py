"""The environment of a recorded run, rebuilt, or the present one in its place; and whose samebits runs in it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from samebits.digests import digest_folder
from samebits.errors import Problem, ProvenanceError
from samebits.holdings.runs import RecordedRun
from samebits.installed.kept import pack_own_wheel, read_kept_packages
from samebits.lineage.manifest import LOCK_FILE, PACKAGES_FILE
from samebits.numerics.profile import UNFUSED_PROBE
from samebits.project import PACKAGE, is_checkout
from samebits.provenance.code import read_sources_digest
from samebits.restoring.interpreter import list_missing_packages, list_site_folders, probe_environment
from samebits.restoring.rebuild import install_wheel, rebuild_environment, rebuild_from_packages
from samebits.restoring.restoration import Restoration


def restore_environment(lineage: dict[str, Any], recorded: RecordedRun, restoration: Restoration, here: bool) -> str:
    """Have the environment of a run, or the present one in its place, in the restoration; return what it is.

    Raises
    ------
    ProvenanceError
        It cannot be rebuilt, or the samebits that made the run cannot be had.
    """
    stage = lineage["stages"]["environment"]
    if here:
        restoration.is_installed = not is_checkout()
        _probe(restoration, recorded, lineage, warm_up=False)
        other = list_missing_packages(Path(sys.executable), stage["packages"])
        differences = f"; other than recorded: {', '.join(other[:5])}{', …' if len(other) > 5 else ''}" if other else ""
        return f"the present one, Python {'.'.join(map(str, sys.version_info[:3]))}, not rebuilt{differences}"
    started = time.monotonic()
    how = _rebuild(lineage, recorded, restoration)
    _settle_own_code(lineage["stages"]["code"], restoration)
    _probe(restoration, recorded, lineage, warm_up=True)
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


def _probe(restoration: Restoration, recorded: RecordedRun, lineage: dict[str, Any], warm_up: bool) -> None:
    variables = restoration.list_variables(recorded.client.tracking_uri)
    if restoration.source_folder is not None:
        variables["PYTHONPATH"] = str(restoration.source_folder)
    profile = lineage["stages"]["numeric_profile"]
    torch = profile.get("torch")
    with_gpu = isinstance(torch, dict) and "gpu" in torch
    found = probe_environment(restoration.python, variables, warm_up, torch is not None, with_gpu)
    if found is not None and UNFUSED_PROBE not in profile.get("probe", {}):
        found.pop(UNFUSED_PROBE, None)  # the run took no such roots
    restoration.probe = found
