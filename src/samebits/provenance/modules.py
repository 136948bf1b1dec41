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
import importlib.metadata
import importlib.util
import marshal
import os
import py_compile
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from samebits.digests import digest_bytes
from samebits.errors import Problem, ProvenanceError
from samebits.installed.distributions import read_record
from samebits.project import PACKAGE
from samebits.provenance.changes import WorkingTree, as_text, is_recorded_digest
from samebits.provenance.code import FILE_CAP_BYTES, PATCH_CAP_BYTES, CodeIdentity, identify_trees, matches, read_sources_digest
from samebits.provenance.repository import ask_if_any, digest_object
from samebits.secret_files import digest_slowly, find_secret_name, find_secrets

_SUFFIXES = (".py", *importlib.machinery.EXTENSION_SUFFIXES)
_SOURCES = "samebits' sources"
_SITES = ("site-packages", "dist-packages")
# Python imports these by itself as it starts; `installed.startup` has them.
_AT_STARTUP = ("_virtualenv.py", "sitecustomize.py", "usercustomize.py")
_IGNORED = "Git ignores it"


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
    depth = next((depth for depth in reversed(range(len(above))) if above[depth] in _SITES), None)
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
        record = metadata.read_text("RECORD")
        if record is not None:
            listed.update(read_record(record))
        else:
            name = str(metadata.metadata["Name"] or "").lower().replace("-", "_")
            unlisted.update((metadata.read_text("top_level.txt") or "").split(), [name])
    return frozenset(listed), frozenset(unlisted - {""})


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
        for path, place in list_files(name, project_root):
            try:
                content = path.read_bytes()
            except OSError as error:
                problem = Problem(f"module {name}", "a readable file", f"{path}: {error.strerror}", "Check its permissions.")
                raise ProvenanceError(problem) from None
            key = name_stray(code, path, place, content)
            found |= {key: content} if key else {}
    return _add_modules(code, found)


def list_files(name: str, project_root: Path, suffixes: tuple[str, ...] = _SUFFIXES) -> Iterator[tuple[Path, str]]:
    """Return the files of an allowed module or package, each with its place below the folder it is imported from."""
    spec = _find_spec(name, project_root)
    if spec is None:
        return
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    files = [(path, folder.parent) for folder in folders for path in sorted(folder.rglob("*")) if path.name.endswith(suffixes)]
    if not folders and spec.has_location and spec.origin:
        files = [(Path(spec.origin), Path(spec.origin).parent)]
    for path, base in files:
        if path.is_file() and not is_installed(path):
            yield path, "/".join([*name.split(".")[:-1], path.relative_to(base).as_posix()])


def _find_spec(name: str, project_root: Path) -> ModuleSpec | None:
    """As an import in `train` does, which looks into the project's folder last; packages above a module are not imported for it."""
    search: Sequence[str] | None = [*sys.path, str(project_root)]
    spec = None
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        for end in [*(place for place, letter in enumerate(name) if letter == "."), len(name)]:
            spec = importlib.machinery.PathFinder.find_spec(name[:end], search) if search is not None else None
            search = spec.submodule_search_locations if spec is not None else None
        return spec if spec is not None or "." in name else importlib.util.find_spec(name)
    return None


def name_stray(code: CodeIdentity, path: Path, place: str, content: bytes) -> str | None:
    """Return the name under which a module is recorded that ran with bytes that are not on record; None where they are."""
    resolved = path.resolve()
    for tree_name, tree in sorted(code.trees.items(), key=lambda item: item[0], reverse=True):
        root = tree.root.resolve()
        if resolved.is_relative_to(root):
            name = resolved.relative_to(root).as_posix()
            return None if _is_on_record(tree, name, content) else f"inside/{tree_name}/{as_text(name)}".replace("//", "/")
    return f"outside/{place}"


def name_on_record(code: CodeIdentity, path: Path) -> str:
    """Return the name that a file of the project has among the changes; empty where it lies in none of its repositories."""
    resolved = path.resolve()
    root = code.root.resolve() if code.root else None
    return as_text(resolved.relative_to(root).as_posix()) if root and resolved.is_relative_to(root) else ""


def list_noted() -> list[tuple[str, str, Path, bytes]]:
    """Return each module that was imported, with its place below the folder it came from, its file and its bytes."""
    watch = _find_watch()
    noted = list(watch.noted.items()) if watch else []
    return [(fullname, _name_place(fullname, path), path, content) for fullname, (path, content) in noted]


def _is_on_record(tree: WorkingTree, name: str, content: bytes) -> bool:
    if name in tree.changes:
        return is_recorded_digest(name, digest_bytes(content), tree.changes[name])
    if name in tree.filtered:
        return digest_bytes(content) == tree.filtered[name]
    return digest_object("blob", content, tree.repository.object_format) == tree.list_ids().get(name)


def _add_modules(code: CodeIdentity, found: dict[str, bytes]) -> CodeIdentity:
    """Keep what may be kept, the smallest first, under the same cap as the patches; say of the rest why it is not."""
    modules = dict(code.modules)
    reasons = {name: reason for name, reason in code.reasons.items() if name not in found}
    kept = {name: content for name, content in code.module_files.items() if name not in found}
    total = sum(map(len, [code.patch, *code.patches.values(), *kept.values()]))
    for name, content in sorted(found.items(), key=lambda item: (len(item[1]), item[0])):
        secret, is_wanted = _find_secret(name, content), _is_wanted(code, name)
        modules[name] = digest_slowly(name, digest_bytes(content)) if secret else digest_bytes(content)
        reason = None if is_wanted else secret or _find_reason(code, name, content)
        if reason is None and total + len(content) > PATCH_CAP_BYTES:
            reason = f"over the cap of {PATCH_CAP_BYTES >> 20} MiB for all together"
        if reason is None:
            kept[name] = content
            total += len(content)
        else:
            reasons[name] = reason
    return dataclasses.replace(
        code,
        modules=dict(sorted(modules.items())),
        module_files=dict(sorted(kept.items())),
        left_out=sorted(reasons),
        reasons=dict(sorted(reasons.items())),
    )


def _find_secret(name: str, content: bytes) -> str | None:
    return find_secret_name(name) or next(iter(sorted(find_secrets(name, content))), (None, b""))[0]


def _is_wanted(code: CodeIdentity, name: str) -> bool:
    place = name.partition("/")[2]
    return any(matches(place, pattern) for pattern in code.keep)


def _find_reason(code: CodeIdentity, name: str, content: bytes) -> str | None:
    if len(content) > FILE_CAP_BYTES:
        return f"larger than {FILE_CAP_BYTES >> 20} MiB"
    return _IGNORED if name.startswith("inside/") and not _is_known(code, name) and _is_ignored(code, name) else None


def _is_ignored(code: CodeIdentity, name: str) -> bool:
    """What nobody was to commit nobody is to upload unasked either."""
    place = name.partition("/")[2]
    inner = max((one for one in code.trees if place.startswith(f"{one}/")), key=len, default="")
    tree = code.trees.get(inner)
    words = ("ls-files", "--others", "--ignored", "--exclude-standard", "--", place.removeprefix(f"{inner}/"))
    return tree is not None and ask_if_any(tree.root, *words) is not None


def add_imported(code: CodeIdentity) -> CodeIdentity:
    """Return the code's identity with what was imported so far and is not on record."""
    return _add_modules(code, {key: content for key, content, _ in _list_imported(code)})


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
    for _, place, path, content in list_noted():
        key = name_stray(code, path, place, content)
        if key is not None and not is_recorded_digest(key, digest_bytes(content), code.modules.get(key, "")):
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
    return dataclasses.replace(add_imported(code), changed_meanwhile=_list_changed_since(code, project_root))


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
