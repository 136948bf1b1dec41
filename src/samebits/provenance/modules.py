"""The modules that run: each one's path and bytes, noted as it is imported, against what is on record of the code.

What neither a package nor the commit with its changes holds (a module from PYTHONPATH, one that Git ignores, one that was changed
between two looks at it) is digested with the bytes that ran, and kept. Own modules are compiled from their source, never taken from
byte code that lies beside it. The packages themselves are `environment`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import marshal
import os
import py_compile
import site
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from samebits.digests import digest_bytes
from samebits.errors import Problem, ProvenanceError
from samebits.project import PACKAGE
from samebits.provenance.changes import WorkingTree, as_text, is_recorded_digest
from samebits.provenance.code import FILE_CAP_BYTES, PATCH_CAP_BYTES, CodeIdentity, identify_trees, read_sources_digest
from samebits.provenance.repository import digest_object
from samebits.secret_files import find_secret_name, find_secrets

_SUFFIXES = (".py", *importlib.machinery.EXTENSION_SUFFIXES)
_SOURCES = "samebits' sources"


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
    """Tell whether a file is one of Python's, of an installed package's or of samebits' own: those have their digest elsewhere."""
    return str(path).startswith(_list_installed()) or os.path.realpath(path).startswith(_list_installed())


@functools.cache
def _list_installed() -> tuple[str, ...]:
    named = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    named |= {str(PACKAGE), *site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])}
    named |= {path for path in sys.path if Path(path).name in ("site-packages", "dist-packages", "lib-dynload")}
    return tuple(sorted({f"{folder}{os.sep}" for path in named for folder in (path, os.path.realpath(path))}))


def identify_modules(code: CodeIdentity, allow: Sequence[str], project_root: Path) -> CodeIdentity:
    """Return the code's identity with the allowed modules that are neither installed nor on record with the commit.

    Nothing is imported: they are read where an import would find them.

    Raises
    ------
    ProvenanceError
        One of them cannot be read.
    """
    found: dict[str, bytes] = {}
    for name in allow:
        for path, place in _list_files(name, project_root):
            try:
                content = path.read_bytes()
            except OSError as error:
                problem = Problem(f"module {name}", "a readable file", f"{path}: {error.strerror}", "Check its permissions.")
                raise ProvenanceError(problem) from None
            key = _name_stray(code, path, place, content)
            found |= {key: content} if key else {}
    return _add_modules(code, found)


def _list_files(name: str, project_root: Path) -> Iterator[tuple[Path, str]]:
    """Return the files of an allowed module or package, each with its place below the folder it is imported from."""
    spec = _find_spec(name, project_root)
    if spec is None:
        return
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    files = [(path, folder.parent) for folder in folders for path in sorted(folder.rglob("*")) if path.name.endswith(_SUFFIXES)]
    if not folders and spec.has_location and spec.origin:
        files = [(Path(spec.origin), Path(spec.origin).parent)]
    for path, base in files:
        if path.is_file() and not is_installed(path):
            yield path, path.relative_to(base).as_posix()


def _find_spec(name: str, project_root: Path) -> ModuleSpec | None:
    """As an import in `train` does, which looks into the project's folder last."""
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        spec = importlib.machinery.PathFinder.find_spec(name, [*sys.path, str(project_root)])
        return spec if spec is not None else importlib.util.find_spec(name)
    return None


def _name_stray(code: CodeIdentity, path: Path, place: str, content: bytes) -> str | None:
    """Return the name under which a module is recorded that ran with bytes that are not on record; None where they are."""
    resolved = path.resolve()
    for tree_name, tree in sorted(code.trees.items(), key=lambda item: item[0], reverse=True):
        root = tree.root.resolve()
        if resolved.is_relative_to(root):
            name = resolved.relative_to(root).as_posix()
            return None if _is_on_record(tree, name, content) else f"inside/{tree_name}/{as_text(name)}".replace("//", "/")
    return f"outside/{place}"


def _is_on_record(tree: WorkingTree, name: str, content: bytes) -> bool:
    if name in tree.changes:
        return is_recorded_digest(name, digest_bytes(content), tree.changes[name])
    if name in tree.filtered:
        return digest_bytes(content) == tree.filtered[name]
    return digest_object("blob", content, tree.repository.object_format) == tree.list_ids().get(name)


def _add_modules(code: CodeIdentity, found: dict[str, bytes]) -> CodeIdentity:
    """Keep what is small and no secret, the smallest first, under the same cap as the patches."""
    modules = {**code.modules, **{name: digest_bytes(content) for name, content in found.items()}}
    kept = {name: content for name, content in code.module_files.items() if name not in found}
    total = sum(map(len, [code.patch, *code.patches.values(), *kept.values()]))
    for name, content in sorted(found.items(), key=lambda item: (len(item[1]), item[0])):
        total += len(content)
        if total <= PATCH_CAP_BYTES and len(content) <= FILE_CAP_BYTES and not _is_secret(name, content):
            kept[name] = content
    return dataclasses.replace(code, modules=dict(sorted(modules.items())), module_files=dict(sorted(kept.items())))


def _is_secret(name: str, content: bytes) -> bool:
    return find_secret_name(name) is not None or bool(find_secrets(name, content))


def refuse_changed_imports(code: CodeIdentity) -> None:
    """Refuse, before anything is trained, to go on with a module that is not any more what was identified.

    Raises
    ------
    ProvenanceError
        A module was changed between the moment when the code was identified and its import.
    """
    changed = [key for key, _, is_known in _list_imported(code) if is_known]
    if changed:
        where = f"module {changed[0].partition('/')[2]}"
        raise ProvenanceError(Problem(where, "the bytes that were identified", "others: it was changed meanwhile", "Run this again."))


def _list_imported(code: CodeIdentity) -> Iterator[tuple[str, bytes, bool]]:
    """Return each imported module whose bytes are not on record, and whether others are on record in its place."""
    watch = _find_watch()
    for fullname, (path, content) in list(watch.noted.items()) if watch else []:
        key = _name_stray(code, path, _name_place(fullname, path), content)
        if key is not None and code.modules.get(key) != digest_bytes(content):
            yield key, content, key in code.modules or _is_known(code, key)


def _name_place(fullname: str, path: Path) -> str:
    """Return a module's place below the folder it is imported from."""
    *packages, last = fullname.split(".")
    return "/".join([*packages, *([last] if path.name.startswith("__init__.") else []), path.name])


def _is_known(code: CodeIdentity, key: str) -> bool:
    kind, _, name = key.partition("/")
    places = {f"{place}/{as_text(one)}".lstrip("/") for place, tree in code.trees.items() for one in [*tree.held, *tree.changes]}
    return kind == "inside" and name in places


def note_what_ran(code: CodeIdentity, project_root: Path) -> CodeIdentity:
    """Return the code's identity as it was before the training, with what ran otherwise, and what has changed since.

    A file that somebody edits while a run trains is not recorded in its new version: what is on record is what was imported. Where
    Git cannot read the repository any more, that is named too: it costs no training.
    """
    found = {key: content for key, content, _ in _list_imported(code)}
    return dataclasses.replace(_add_modules(code, found), changed_meanwhile=_list_changed_since(code, project_root))


def _list_changed_since(code: CodeIdentity, project_root: Path) -> list[str]:
    changed = [] if read_sources_digest() == code.sources_digest else [_SOURCES]
    if not code.trees:
        return changed
    try:
        left, right = (_list_contents(trees) for trees in (code.trees, identify_trees(project_root)))
    except ProvenanceError as error:
        return [*changed, str(error.problems[0])]
    return changed + sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


def _list_contents(trees: dict[str, WorkingTree]) -> dict[str, str]:
    return {f"{place}/{as_text(name)}".lstrip("/"): oid for place, tree in trees.items() for name, oid in tree.list_ids().items()}
