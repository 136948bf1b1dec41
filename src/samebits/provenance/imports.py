"""Imports, watched: each module's path and bytes, noted as they are compiled, and whether an installer answers for them.

Own modules are compiled from their source, never taken from byte code that lies beside it. The packages themselves are `environment`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import marshal
import os
import py_compile
import sys
import sysconfig
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from samebits.installed.distributions import SITES, read_record, read_record_text
from samebits.project import PACKAGE

# Python imports these by itself as it starts; `installed.startup` has them.
_AT_STARTUP = ("_virtualenv.py", "sitecustomize.py", "usercustomize.py")


class ImportWatch(importlib.abc.MetaPathFinder):
    """Stands before every other finder, and notes what they find outside the installed packages."""

    def __init__(self) -> None:
        self.noted: dict[str, tuple[Path, bytes]] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return what the other finders find, with a loader that notes the bytes it compiles."""
        spec: ModuleSpec | None = None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None) if finder is not self else None
            if find is not None and (spec := find(fullname, path, target)) is not None:
                break
        if spec is None or not spec.has_location or not spec.origin or is_installed(spec.origin):
            return spec
        if type(spec.loader) is SourceFileLoader:
            spec.loader = _NotingLoader(fullname, spec.origin, self.noted)
        else:
            self._note(fullname, spec)
        return spec

    def note_loaded(self) -> None:
        """Note what was imported before this stood in its place, as it lies there now."""
        for fullname, module in list(sys.modules.items()):
            spec = getattr(module, "__spec__", None)
            if fullname != "__main__" and isinstance(spec, ModuleSpec) and spec.has_location and fullname not in self.noted:
                self._note(fullname, spec)

    def _note(self, fullname: str, spec: ModuleSpec) -> None:
        """Of a module inside an archive, the archive."""
        path = Path(getattr(spec.loader, "archive", None) or spec.origin or "")
        with contextlib.suppress(OSError):
            if path.is_file() and not is_installed(path):
                self.noted[fullname] = (path, path.read_bytes())


class _NotingLoader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, noted: dict[str, tuple[Path, bytes]]) -> None:
        super().__init__(fullname, path)
        self._noted = noted

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        content = self.get_data(path)
        code: CodeType = self.source_to_code(content, path)
        self._noted[fullname] = (Path(path), content)
        _mend_byte_code(path, code)
        return code


def _mend_byte_code(path: str, code: CodeType) -> None:
    """Worker processes import by themselves: byte code that lies beside a source and is not made of it must not run there either."""
    with contextlib.suppress(OSError, NotImplementedError, py_compile.PyCompileError):
        cached = Path(importlib.util.cache_from_source(path))
        if cached.is_file() and cached.read_bytes()[16:] != marshal.dumps(code):
            py_compile.compile(path, doraise=True)


def watch_imports() -> ImportWatch:
    """Note from now on what is imported; a second call changes nothing."""
    found = _find_watch()
    if found is None:
        found = ImportWatch()
        sys.meta_path.insert(0, found)
        importlib.invalidate_caches()
    return found


def _find_watch() -> ImportWatch | None:
    return next((finder for finder in sys.meta_path if isinstance(finder, ImportWatch)), None)


def is_installed(path: str | Path) -> bool:
    """Tell whether a file is one of Python's, one that an installer noted, or samebits' own: those have their digest elsewhere."""
    return _is_installed(os.path.abspath(path)) or _is_installed(os.path.realpath(path))  # noqa: PTH100


@functools.cache
def _is_installed(path: str) -> bool:
    head, name, below = _split_at_site(path)
    if path.startswith(f"{PACKAGE}{os.sep}"):
        return True
    if not name:
        return path.startswith(_list_pythons())
    top = below.partition("/")[0]
    listed, unlisted = _list_installed(head)
    return below in listed or top in unlisted or top.partition(".")[0] in unlisted or top.endswith(".egg") or below in _AT_STARTUP


def _split_at_site(path: str) -> tuple[str, str, str]:
    """Return the folder of packages that a path lies in, its name, and the path below it; all empty where it lies in none."""
    *above, last = Path(path).parts
    depth = next((depth for depth in reversed(range(len(above))) if above[depth] in SITES), None)
    if depth is None:
        return "", "", ""
    return str(Path(*above[: depth + 1])), above[depth], "/".join([*above[depth + 1 :], last])


@functools.cache
def _list_pythons() -> tuple[str, ...]:
    folders = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib")}
    folders |= {path for path in sys.path if Path(path).name == "lib-dynload"}
    return tuple(sorted({f"{folder}{os.sep}" for path in folders for folder in (path, os.path.realpath(path))}))


@functools.cache
def _list_installed(folder: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the files that the RECORDs in a folder list, and the import names of what was installed there without one."""
    listed: set[str] = set()
    unlisted: set[str] = set()
    for metadata in importlib.metadata.distributions(path=[folder]):
        record = read_record_text(metadata)
        if record is not None:
            listed.update(read_record(record))
        else:
            name = str(metadata.metadata["Name"] or "").lower().replace("-", "_")
            unlisted.update((metadata.read_text("top_level.txt") or "").split(), [name])
    return frozenset(listed), frozenset(unlisted - {""})


def list_noted() -> list[tuple[str, str, Path, bytes]]:
    """Return each module that was imported, with its place below the folder it came from, its file and its bytes."""
    watch = _find_watch()
    noted = list(watch.noted.items()) if watch else []
    return [(fullname, name_place(fullname, path), path, content) for fullname, (path, content) in noted]


def name_place(fullname: str, path: Path) -> str:
    """Return a module's place below the folder it is imported from."""
    *packages, last = fullname.split(".")
    return "/".join([*packages, *([last] if path.name.startswith("__init__.") else []), path.name])
