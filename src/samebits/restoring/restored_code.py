"""Puts what a run's code was beside its commit into the restored checkout: changes, repositories inside, modules from elsewhere.

Everything is named by the lineage, which is somebody's word: nothing is written outside the checkout, nothing is believed that has not
the recorded digest, and what cannot be brought back is said by name with the reason for which it was not kept.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samebits.digests import digest_value
from samebits.errors import Problem, ProvenanceError
from samebits.history.checkout import (
    apply_patch,
    convert_line_ends,
    copy_filtered,
    copy_left_out,
    hide_absent,
    ignore_entry,
    is_inside,
    list_wrong_changes,
    remove_entry,
)
from samebits.history.entries import DELETED, is_recorded_entry
from samebits.history.fetching import fetch_commit
from samebits.history.scratch import init_repository
from samebits.history.working_tree import describe_content
from samebits.holdings.code_search import list_all_code_sources
from samebits.holdings.runs import RecordedRun
from samebits.lineage.manifest import MODULES_FOLDER, PATCH_FILE
from samebits.project import find_repository
from samebits.provenance.code import name_nested_patch

_EDITED = "The lineage was edited: `samebits verify` says more."


def restore_changes(
    stage: dict[str, Any], recorded: RecordedRun, checkout: Path, left_alone: list[str], caller: Path, scratch: Path
) -> int:
    """Put the recorded changes on top of a checkout and return how many there are.

    Parameters
    ----------
    stage
        The lineage's code stage.
    left_alone
        Files that are not touched, by their name in the checkout.
    caller
        The caller's project: one of the places where commits and files are looked for.
    scratch
        A folder for what the archive has.

    Raises
    ------
    ProvenanceError
        Something cannot be brought back; each is named.
    """
    _restore_tree(checkout, stage, recorded.files.get(PATCH_FILE), left_alone)
    inner: dict[str, str] = {}
    for place, nested in sorted(stage.get("nested", {}).items()):
        inner |= _restore_nested(place, nested, stage, recorded, checkout, caller, scratch)
    places = [Path(stage["repository"])] if stage.get("repository") else []
    copy_filtered(checkout, [*places, find_repository(caller)], stage.get("filtered", {}))
    own = {name: digest for name, digest in stage["changes"].items() if name.rstrip("/") not in stage.get("nested", {})}
    changes = {**own, **inner}
    _check(stage, changes, checkout, places[0] if places else None)
    return len(stage["changes"])


def _restore_tree(folder: Path, tree: dict[str, Any], patch: Path | None, left_alone: list[str]) -> None:
    hide_absent(folder, tree.get("absent", []))
    if patch is not None:
        apply_patch(folder, patch, left_alone)
    convert_line_ends(folder, [name for name in tree.get("line_ends", []) if name not in left_alone])
    for name, digest in tree["changes"].items():
        if digest == DELETED and name not in left_alone and (folder / name).is_file():
            remove_entry(folder, name)


def _restore_nested(
    place: str, nested: dict[str, Any], stage: dict[str, Any], recorded: RecordedRun, checkout: Path, caller: Path, scratch: Path
) -> dict[str, str]:
    """Bring a repository inside back from where its commit is, whatever `.gitmodules` says; return what must be in it, by name."""
    target = checkout / place
    if not is_inside(checkout, f"{place}/x"):
        raise ProvenanceError(Problem(f"submodule {place}", "a folder inside the repository", "another", _EDITED))
    _check_described(place, nested, stage)
    if nested["commit"] is None:
        init_repository(target)
    else:
        folders = [find_repository(caller) / place]
        sources = list_all_code_sources(nested, folders, recorded.archive, scratch / place.replace("/", "-"))
        try:
            fetch_commit(target, nested["commit"], sources, nested.get("remote"))
        except ProvenanceError as error:
            raise ProvenanceError(
                *(Problem(f"submodule {place}: {one.where}", one.expected, one.found, one.remedy) for one in error.problems)
            ) from None
    _restore_tree(target, nested, recorded.files.get(name_nested_patch(place)), [])
    inner = {f"{place}/{name}": digest for name, digest in nested["changes"].items()}
    return {name: digest for name, digest in inner.items() if name.rstrip("/") not in stage["nested"]}


def _check_described(place: str, nested: dict[str, Any], stage: dict[str, Any]) -> None:
    """What is said of a repository inside is a fact; what its digest says is what decides."""
    outer = max((other for other in stage["nested"] if place.startswith(f"{other}/")), key=len, default="")
    changes = stage["nested"][outer]["changes"] if outer else stage["changes"]
    name = place.removeprefix(f"{outer}/") if outer else place
    recorded = changes.get(name, changes.get(f"{name}/"))
    described = digest_value(describe_content(nested["commit"], nested["changes"], nested.get("absent", [])))
    if recorded not in (None, described):
        raise ProvenanceError(Problem(f"submodule {place}", recorded or "", described, _EDITED))


def _check(stage: dict[str, Any], changes: dict[str, str], checkout: Path, repository: Path | None) -> None:
    left_out = [name for name in stage["patch"]["left_out"] if name in changes]
    missing = copy_left_out(checkout, repository, changes, left_out)
    reasons = stage["patch"].get("reasons", {})
    if missing:
        raise ProvenanceError(*(_describe_missing(name, changes[name], reasons.get(name)) for name in missing))
    wrong = list_wrong_changes(checkout, changes)
    if wrong:
        remedy = "A filter or a line-ending setting of this machine's Git changes it."
        raise ProvenanceError(*(Problem(f"changed file {name}", changes[name], "other bytes", remedy) for name in wrong))


def _describe_missing(name: str, digest: str, reason: str | None) -> Problem:
    because = f"It was not kept ({reason})" if reason else "It went over the patch's cap of 10 MiB"
    remedy = f"{because} and is no longer where it was: put it back, or commit it for later runs."
    if reason and "secret" in reason:
        remedy = f"{because} and is not where it was: put it back; for later runs name it in .gitignore or in `code: {{keep: [...]}}`."
    return Problem(f"changed file {name}", digest, "it nowhere", remedy)


def restore_modules(stage: dict[str, Any], recorded: RecordedRun, checkout: Path, folder: Path) -> Path | None:
    """Bring back the modules that neither a package nor the commit holds; return the folder of those from elsewhere, if any.

    Raises
    ------
    ProvenanceError
        One was not kept, or has other bytes than were recorded.
    """
    wrong = []
    for name, digest, source in _list_modules(stage, recorded):
        kind, _, place = name.partition("/")
        base = checkout if kind == "inside" else folder
        target = base / place
        if source is None or not is_recorded_entry(source, name, digest) or not is_inside(base, place):
            wrong.append(Problem(f"module {place}", digest, "it nowhere", _say_why_not_kept(name, stage)))
            continue
        if _is_in_the_way(target, checkout if kind == "inside" else folder):
            wrong.append(Problem(f"module {place}", "a file's place", "a folder, or a file where its folder would be", _EDITED))
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
        if kind == "inside" and (checkout / ".git").is_dir():
            ignore_entry(checkout, place)
    if wrong:
        raise ProvenanceError(*wrong)
    return folder if folder.is_dir() else None


def _say_why_not_kept(name: str, stage: dict[str, Any]) -> str:
    reason = stage.get("patch", {}).get("reasons", {}).get(name)
    if reason is None:
        return "It was too large to be kept, or what was kept is not what ran: put it into the repository."
    return f"It was not kept ({reason}): put it into the repository, or for later runs name it in `code: {{keep: [...]}}`."


def _is_in_the_way(target: Path, root: Path) -> bool:
    """Tell whether a folder has a file's name, or a file that of a folder above it."""
    above = [folder for folder in target.parents if folder.is_relative_to(root)]
    return (target.is_dir() and not target.is_symlink()) or any(folder.exists() and not folder.is_dir() for folder in above)


def _list_modules(stage: dict[str, Any], recorded: RecordedRun) -> Iterator[tuple[str, str, Path | None]]:
    for name, digest in sorted(stage.get("modules", {}).items()):
        yield name, digest, recorded.files.get(f"{MODULES_FOLDER}/{name}") or _find_where_it_was(stage, name, digest)


def _find_where_it_was(stage: dict[str, Any], name: str, digest: str) -> Path | None:
    """Return the file of a module that was not kept, where it still lies in the repository with the bytes that ran."""
    kind, _, place = name.partition("/")
    if kind != "inside" or not stage.get("repository") or not is_inside(Path(stage["repository"]), place):
        return None
    path = Path(stage["repository"], place)
    with contextlib.suppress(OSError):
        if path.is_file() and not path.is_symlink() and is_recorded_entry(path, name, digest):
            return path
    return None
