"""The gaps of a record: whatever of a run could not be brought back from what the server has of it, said when it is made.

Pure: it reads a lineage and nothing else, so that it says the same of a run of last year.
"""

from __future__ import annotations

from typing import Any

from samebits.lineage.manifest import LOCK_FILE, PACKAGES_FILE, find_wheel, list_wheels
from samebits.lineage.step_stage import list_raw
from samebits.text import shorten_list

_KEPT = ("kept", "pushed")
_STORED = "stored"  # in the team's store
_HAD_AGAIN = ("kept", _STORED)  # with the experiment, or there


def list_unrestorable(lineage: dict[str, Any]) -> list[str]:
    """Return in words each part of a run that is nowhere but on the machine that made it; none where all is kept."""
    return [*_list_code(lineage), *_list_data(lineage), *_list_environment(lineage)]


def list_stored(lineage: dict[str, Any]) -> list[str]:
    """Return the digests of the tables and raw files that a team's store has, as their run recorded it."""
    archived, raw = lineage.get("archive", {}), list_raw(lineage["stages"].get("steps", {}))
    tables = [table["digest"] for kind, table in list_tables(lineage).items() if archived.get(kind) == _STORED]
    return [*tables, *(raw[path] for path, kept in archived.get("raw", {}).items() if kept == _STORED and path in raw)]


def list_tables(lineage: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tables of a run as its lineage describes them, by their kind: `data`, and `test_data` where there is one."""
    data = lineage["stages"]["data"]
    return {"data": data, **({"test_data": data["test"]} if "test" in data else {})}


def _list_code(lineage: dict[str, Any]) -> list[str]:
    code, kept = lineage["stages"]["code"], lineage.get("archive", {}).get("code")
    found = []
    if not code["commit"] and find_wheel(lineage["artifacts"]) is None:
        found.append("samebits' own code (no commit and no wheel)")
    if code["commit"] and not code.get("pushed") and kept not in _KEPT:
        found.append(f"the commit {code['commit'][:12]} (neither pushed nor archived: {kept or 'not on record'})")
    left_out = [name for name in code["patch"]["left_out"] if name in code["changes"]]
    if left_out:
        found.append(f"changed files that the patch does not hold ({shorten_list(left_out, 3)})")
    modules = [name.partition("/")[2] for name in code["patch"]["left_out"] if name in code.get("modules", {})]
    if modules:
        found.append(f"modules that are not kept ({shorten_list(modules, 3)})")
    return found


def _list_data(lineage: dict[str, Any]) -> list[str]:
    archived = lineage.get("archive", {})
    missing = {kind: table for kind, table in list_tables(lineage).items() if archived.get(kind) not in _HAD_AGAIN}
    said = [f"the table {table['path']} (archive: {_say_of_table(table, archived.get(kind))})" for kind, table in missing.items()]
    raw = {path: kept for path, kept in archived.get("raw", {}).items() if kept not in _HAD_AGAIN}
    return [*said, *(f"the raw file {path} (archive: {_say_of_table({'path': path}, kept)})" for path, kept in raw.items())]


def _say_of_table(table: dict[str, Any], kept: str | None) -> str:
    """Whether Git tracks a table inside the repository is not on record."""
    unless = "" if str(table["path"]).startswith("/") else ", unless the commit holds it"
    return f"{kept or 'not on record'}{unless}"


def _list_environment(lineage: dict[str, Any]) -> list[str]:
    stage, artifacts = lineage["stages"]["environment"], lineage["artifacts"]
    found = []
    if LOCK_FILE not in artifacts and PACKAGES_FILE not in artifacts:
        found.append("the environment (no uv.lock)")
    is_locked = LOCK_FILE in artifacts and bool(lineage["stages"]["code"]["commit"])
    if LOCK_FILE in artifacts and PACKAGES_FILE not in artifacts and not is_locked:
        found.append("the environment (no commit holds the project of its uv.lock, and no packages.json was kept)")
    if is_locked and stage.get("beside_lock"):
        found.append(f"packages installed beside uv.lock ({shorten_list(stage['beside_lock'], 3)})")
    local = sorted(set(stage.get("local", [])) - list_wheels(artifacts).keys())
    if local:
        found.append(f"packages that came from this machine's own disk and are not kept ({shorten_list(local, 3)})")
    if stage.get("modified"):
        found.append(f"installed files that were changed ({shorten_list(stage['modified'], 3)})")
    if stage.get("startup"):
        found.append(f"what runs before the program ({shorten_list(stage['startup'], 3)})")
    if stage.get("not_held"):
        held_otherwise = [f"{name}: {why}" for name, why in sorted(stage["not_held"].items())]
        found.append(f"packages of unknown files ({shorten_list(held_otherwise, 2)})")
    return found
