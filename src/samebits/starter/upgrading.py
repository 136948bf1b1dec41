"""A later samebits brought into a project: its reference, the lock, and those generated files that nobody edited since.

What a user edited or removed stays as it is, and is named. Where the lock cannot be made, everything stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from samebits.digests import digest_bytes
from samebits.errors import ConfigError, Problem, ProvenanceError
from samebits.project import NOTE
from samebits.starter.installer import LOCK, REQUIREMENTS, lock_packages
from samebits.starter.making import list_wheel, write_files
from samebits.starter.note import Note, digest_files, is_untouched, leads_outside, read_note, write_note
from samebits.starter.project_name import choose_package
from samebits.starter.rendering import list_export_options, render_project
from samebits.starter.source import WHEEL_NAME, WHEELS, Source

_PYPROJECT = "pyproject.toml"
_REFERENCE = re.compile(r"(?m)^samebits[ \t]*=[ \t]*(?P<entry>\{[^}\n]*\})[ \t]*$")


@dataclass(frozen=True)
class Upgraded:
    """What became of a project's files.

    Parameters
    ----------
    before
        The version that wrote them.
    written
        Those that are other now.
    kept
        Those of which the later samebits has other ones, and that were edited or removed here.
    removed
        The former wheel.
    """

    before: str
    written: list[str]
    kept: list[str]
    removed: list[str]


def upgrade_project(folder: Path, source: Source) -> Upgraded:
    """Bring the running samebits, or the one of a source, into a project.

    Raises
    ------
    ConfigError
        The folder has no project that `samebits init` made, or its pyproject.toml refers to samebits in a way of its own.
    ProvenanceError
        The packages cannot be locked; everything is as it was.
    """
    note = read_note(folder)
    package = _check_package(folder, note)
    fresh = render_project(package, source)
    changed = {name: content for name, content in fresh.items() if _differs(folder, name, content)}
    own = {name: content for name, content in changed.items() if is_untouched(folder, name, note) or _is_new(folder, name, note)}
    if _PYPROJECT in changed and _PYPROJECT not in own:
        own |= _refer_anew(folder, note, source)
    own |= _bring_wheel(folder, note, source)
    before = _read_files(folder, [*own, LOCK, REQUIREMENTS])
    locked = _write_and_lock(folder, own, before, source)
    removed = _remove_former_wheel(folder, note, source)
    write_note(folder, package, source.entry, digest_files(fresh | list_wheel(source)))
    kept = sorted(name for name in changed if name not in own and name in note.files and _is_later(fresh[name], note, name))
    return Upgraded(note.samebits, sorted([*own, *locked]), kept, removed)


def _check_package(folder: Path, note: Note) -> str:
    """The note is somebody's word: a name that leads elsewhere is refused."""
    try:
        return choose_package(folder, note.package)
    except ConfigError:
        raise ConfigError(Problem(str(folder / NOTE), "the name of the project's package", repr(note.package), "Mend it.")) from None


def _differs(folder: Path, name: str, content: bytes) -> bool:
    path = folder / name
    return not path.is_file() or path.read_bytes() != content


def _is_new(folder: Path, name: str, note: Note) -> bool:
    """Tell whether a later samebits has a file that the former one did not write, and nobody else did."""
    path = folder / name
    return name not in note.files and not path.exists() and not path.is_symlink() and not leads_outside(folder, name)


def _is_later(content: bytes, note: Note, name: str) -> bool:
    return note.files[name] != digest_bytes(content)


def _refer_anew(folder: Path, note: Note, source: Source) -> dict[str, bytes]:
    """Return an edited pyproject.toml with nothing changed but the place that its samebits comes from."""
    where = f"{folder / _PYPROJECT}: [tool.uv.sources]"
    path = folder / _PYPROJECT
    try:
        text = "" if path.is_symlink() else path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    found = _REFERENCE.findall(text)
    if found == [source.entry]:
        return {}
    if found != [note.source]:
        remedy = f"It was edited and is left as it is; write samebits = {source.entry}, or what you have in its place."
        raise ConfigError(Problem(where, f"samebits = {note.source}", ", ".join(found) or "no such line", remedy))
    return {_PYPROJECT: _REFERENCE.sub(lambda _: f"samebits = {source.entry}", text).encode("utf-8")}


def _bring_wheel(folder: Path, note: Note, source: Source) -> dict[str, bytes]:
    """Return the wheel where it is not there yet; one of its name that somebody else put there is not replaced."""
    changed = {name: content for name, content in list_wheel(source).items() if _differs(folder, name, content)}
    for name in changed:
        if leads_outside(folder, name) or ((folder / name).exists() and not is_untouched(folder, name, note)):
            remedy = "Take it away, and run this again."
            raise ConfigError(Problem(str(folder / name), "the wheel that `samebits init` wrote", "other bytes, or a link", remedy))
    return changed


def _read_files(folder: Path, names: list[str]) -> dict[str, bytes | None]:
    return {name: (folder / name).read_bytes() if (folder / name).is_file() else None for name in names}


def _write_and_lock(folder: Path, own: Mapping[str, bytes], before: Mapping[str, bytes | None], source: Source) -> list[str]:
    """Write the files and lock by them, or put everything back; return which files of the lock are other now."""
    reason: str | None = "interrupted"
    try:
        write_files(folder, own)
        reason = lock_packages(folder, list_export_options(source))
    finally:
        if reason is not None:
            write_files(folder, {name: content for name, content in before.items() if content is not None})
            for name in (name for name, content in before.items() if content is None):
                (folder / name).unlink(missing_ok=True)
    if reason is not None:
        remedy = "Mend that, and run this again; everything is as it was."
        raise ProvenanceError(Problem(str(folder / LOCK), "packages locked by uv", reason, remedy))
    after = _read_files(folder, [LOCK, REQUIREMENTS])
    return [name for name, content in after.items() if content != before[name]]


def _remove_former_wheel(folder: Path, note: Note, source: Source) -> list[str]:
    """Runs that were made with it keep their own copy, and so does the commit."""
    former = [name for name in note.files if WHEEL_NAME.fullmatch(name.removeprefix(f"{WHEELS}/"))]
    removed = [name for name in former if name not in list_wheel(source) and is_untouched(folder, name, note)]
    for name in removed:
        (folder / name).unlink()
    return removed
