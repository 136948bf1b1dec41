"""The modules that run, against what is on record of the code.

What neither a package nor the commit with its changes holds (a module from PYTHONPATH, one that Git ignores, one that was changed
between two looks at it) is digested with the bytes that ran, and kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

from samebits.digests import digest_bytes
from samebits.errors import Problem, ProvenanceError
from samebits.history.entries import as_text, digest_object, is_recorded_digest
from samebits.history.repository import ask_if_any
from samebits.history.working_tree import WorkingTree
from samebits.project import list_code_folders
from samebits.provenance.code import CodeIdentity, identify_trees, read_sources_digest
from samebits.provenance.imports import is_installed, list_noted
from samebits.provenance.patches import FILE_CAP_BYTES, PATCH_CAP_BYTES, matches
from samebits.secret_files import digest_slowly, find_secret_name, find_secrets

_SUFFIXES = (".py", *importlib.machinery.EXTENSION_SUFFIXES)
_SOURCES = "samebits' sources"
_IGNORED = "Git ignores it"


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
    """As an import in `train` does, which looks into the project's folders last; packages above a module are not imported for it."""
    search: Sequence[str] | None = [*sys.path, *list_code_folders(project_root)]
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


def _is_on_record(tree: WorkingTree, name: str, content: bytes) -> bool:
    if name in tree.changes:
        return is_recorded_digest(name, digest_bytes(content), tree.changes[name])
    if name in tree.filtered:
        return digest_bytes(content) == tree.filtered[name]
    return digest_object("blob", content, tree.repository.object_format) == tree.list_ids().get(name)


def _add_modules(code: CodeIdentity, found: dict[str, bytes]) -> CodeIdentity:
    """Keep what may be kept, the smallest first; say of the rest why it is not.

    The cap is as large as that of the patches, and another: a module that runs is not left out for files that lie about.
    """
    modules = dict(code.modules)
    reasons = {name: reason for name, reason in code.reasons.items() if name not in found}
    kept = {name: content for name, content in code.module_files.items() if name not in found}
    total = sum(map(len, kept.values()))
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
