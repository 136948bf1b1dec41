"""The model file: skops made canonical, so that equal models give equal bytes, and loaded with no code but scikit-learn's own.

skops names a model's parts by memory addresses, dates them by the clock and repeats equal arrays. Here parts are numbered by first
appearance, equal arrays stored once, dates fixed; all but large arrays are compressed by bzip2, whose output, unlike zlib's, is the
same from every implementation in use. A model is only handed out by `load_model` after its types passed an allow-list of our own
(never the one in the file) and every tree's child and feature indices were found inside their bounds, which neither library checks.
How far a file may be expanded is `expansion`.
"""

from __future__ import annotations

import importlib
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.neighbors import BallTree, KDTree
from sklearn.tree._tree import Tree

from samebits.digests import digest_bytes
from samebits.errors import LineageError, Problem
from samebits.model.expansion import expand_archive
from samebits.model.fingerprint import is_incidental
from samebits.model.schemas import check_schema, list_nodes, name_classes, part_all
from samebits.model.stand_ins import put_stand_ins
from samebits.networks import torch_left_alone

with torch_left_alone():  # skops imports every module of scikit-learn, and so one that imports PyTorch, which takes seconds
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip archive can hold
_SCHEMA = "schema.json"
_FRAME_BYTES = 256
# bzip2 takes 0.1 s for a megabyte there and back: of models of many large arrays that would be half as long as their fit.
_LARGE_BYTES = 2**20

# Beside scikit-learn's classes (see _is_known_class) and samebits' own; trees are checked after loading. Plain containers do
# nothing when they are made; what a defaultdict makes its values with stands in the file as a type of its own.
TRUSTED_TYPES = frozenset(
    {
        "builtins.dict",
        "builtins.frozenset",
        "builtins.range",
        "collections.Counter",
        "collections.OrderedDict",
        "collections.defaultdict",
        "collections.deque",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "datetime.timedelta",
        "datetime.timezone",
        "decimal.Decimal",
        "fractions.Fraction",
        "functools.partial",
        "numpy.dtype",
        "numpy.mean",
        "scipy._lib.array_api_compat.numpy._aliases.asarray",
        "scipy.interpolate._bsplines.BSpline",
        "sklearn.cluster._kmeans._kmeans_single_elkan",  # by these two BisectingKMeans remembers how it divided
        "sklearn.cluster._kmeans._kmeans_single_lloyd",
        "sklearn.utils.validation.check_array",
    }
)
# Scores: functions of numbers, in modules that hold no function which touches anything else.
_TRUSTED_MODULES = (
    "sklearn.feature_selection._",
    "sklearn.metrics._classification.",
    "sklearn.metrics._regression.",
    "sklearn.metrics._ranking.",
)


# Served alone with a model: their classes, and none of their functions, one of which imports what it is asked for.
_OWN_MODULES = ("samebits.networks", "samebits.row_columns", "samebits.stored_parts", "samebits.transformers")

_SETTLED = {"n_jobs": None, "n_threads": 1, "_n_threads": 1, "num_threads": 1, "nthread": 1, "_stop_words_id": 0, "refit_time_": 0.0}


def settle_model(model: Any) -> None:
    """Make a fitted model what its file will give back: without threads and fit times, its arrays in C order; in place.

    A matrix product may differ in the last bit by the order of its factors in memory (PCA's components are left in Fortran's), so
    whoever asks the model before this and after it may hear two things.
    """
    _settle_members(model, set())


def _settle_members(value: Any, seen: set[int]) -> None:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, tuple):
        for member in value:
            _settle_members(member, seen)
        return
    members = value if isinstance(value, dict | list) else vars(value) if isinstance(value, BaseEstimator) else {}
    for name, member in list(enumerate(members) if isinstance(members, list) else members.items()):
        if name in _SETTLED:
            members[name] = _SETTLED[name]
        elif type(member) is np.ndarray and not member.flags.c_contiguous:
            members[name] = np.ascontiguousarray(member)
        elif is_incidental(name) and isinstance(member, np.ndarray):  # the times of a search's cv_results_
            members[name] = np.zeros_like(member)
        else:
            _settle_members(member, seen)


def dump_model(model: Any) -> bytes:
    """Return a fitted model as a skops file whose bytes depend on the model's content alone.

    Raises
    ------
    LineageError
        The model holds something that cannot be stored without pickle.
    """
    stored = put_stand_ins(model)
    try:
        source = zipfile.ZipFile(io.BytesIO(skops.io.dumps(stored)))
    except Exception as error:  # of what it cannot store skops raises anything
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise LineageError(Problem("model file", "a model that skops can store", reason, "Use another class.")) from None
    schema = json.loads(source.read(_SCHEMA))
    members: dict[str, str] = {}  # digest of an array -> its name in the archive
    contents: list[bytes] = []
    for node in list_nodes(schema):
        if node.get("__loader__") == "DictNode":
            _sort_key_types(node)
        node.pop("__id__", None)  # an address; without it each part is loaded on its own, which is all it says anyway
        if isinstance(node.get("file"), str):
            content = _in_canonical_order(source.read(node["file"]))
            name = members.setdefault(digest_bytes(content), f"{len(members)}.npy")
            if len(members) > len(contents):
                contents.append(content)
            node["file"] = name
    text = json.dumps(schema, sort_keys=True, separators=(",", ":")).encode("utf-8")
    return _write_archive([*((f"{index}.npy", content) for index, content in enumerate(contents)), (_SCHEMA, text)])


def _sort_key_types(node: dict[str, Any]) -> None:
    """Bring the types of a mapping's keys, a list, into the order in which the keys are written."""
    by_key = dict(
        zip(node["content"], node["key_types"]["content"], strict=False)
    )  # a key twice (1 and "1") is found when it is loaded
    node["key_types"]["content"] = [by_key[key] for key in sorted(by_key)]


def _in_canonical_order(content: bytes) -> bytes:
    """An array as .npy bytes in C order, so that a table's memory layout leaves no trace."""
    if b"'fortran_order': True" not in content[:256]:
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _write_archive(members: Iterable[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2, compresslevel=9) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.compress_type = zipfile.ZIP_BZIP2 if _is_compressed(name, len(content)) else zipfile.ZIP_STORED
            archive.writestr(entry, content)
    return buffer.getvalue()


def _is_compressed(name: str, size_bytes: int) -> bool:
    """bzip2 spends about 40 bytes on a frame, so that what is small is stored; large arrays are, for the time's sake."""
    return size_bytes > _FRAME_BYTES and (name == _SCHEMA or size_bytes <= _LARGE_BYTES)


def list_trusted_types(content: bytes, allow: Sequence[str] = ()) -> list[str]:
    """Return the types of a model file beyond skops' own that are trusted here, sorted.

    Parameters
    ----------
    allow
        Packages that the config's owner trusts beside scikit-learn and samebits.

    Raises
    ------
    LineageError
        The file holds a type that is on no list.
    """
    found = skops.io.get_untrusted_types(data=content)
    strange = [name for name in found if not is_trusted(name, allow)]
    if strange:
        remedy = "Name its package in the config's allow:, or use another class."
        raise LineageError(Problem("model file", "only trusted types", ", ".join(sorted(strange)), remedy))
    return sorted(found)


def is_trusted(name: str, allow: Sequence[str] = ()) -> bool:
    """Tell whether a class or function, by its import path, may be in a model file."""
    if "<" in name:  # a lambda, or what was made inside a function: nobody can find it again
        return False
    package = name.partition(".")[0]
    if name in TRUSTED_TYPES or package in allow:
        return True
    return name.startswith(_TRUSTED_MODULES) or _is_known_class(name)


def _is_known_class(name: str) -> bool:
    """scikit-learn's classes do nothing when they are made; its functions, which may fetch and write, are not let in."""
    module_name, _, class_name = name.rpartition(".")
    if module_name not in _OWN_MODULES and not module_name.startswith("sklearn."):
        return False
    try:
        return isinstance(getattr(importlib.import_module(module_name), class_name, None), type)
    except ImportError:
        return False


def load_model(content: bytes, allow: Sequence[str] = (), by_name: bool = False) -> Any:
    """Return the model in a model file, having run no code but the constructors of trusted types.

    Parameters
    ----------
    allow
        As for `list_trusted_types`.
    by_name
        Leave the classes of networks by their names, and import none: to be digested and compared, never asked.

    Raises
    ------
    LineageError
        The file is damaged, holds a type that is on no list, or a tree that points outside itself.
    """
    try:
        expanded = _rewrite_schema(expand_archive(content), by_name)
        model = skops.io.loads(expanded, trusted=list_trusted_types(expanded, allow))
    except UntrustedTypesFoundException as error:
        raise LineageError(Problem("model file", "only trusted types", str(error), "Do not load this file.")) from None
    except LineageError:
        raise
    except Exception as error:  # a damaged or hostile file makes skops raise anything
        found = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise LineageError(Problem("model file", "a skops archive", found, "Fetch it again.")) from None
    _check_trees(model, set())
    return model


def _rewrite_schema(expanded: bytes, by_name: bool) -> bytes:
    """Let no part stand for another, and, where that is asked for, a network's class by its name alone.

    Forty parts that each hold the one before three times mean more than can ever be walked. Files of ours share none; in plain ones of
    skops, each part is written out where it stands as well.
    """
    with zipfile.ZipFile(io.BytesIO(expanded)) as source:
        schema = json.loads(source.read(_SCHEMA))
        check_schema(schema)
        if not (part_all(schema) | (by_name and name_classes(schema))):
            return expanded
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as target:
            for name in dict.fromkeys(source.namelist()):
                target.writestr(name, json.dumps(schema) if name == _SCHEMA else source.read(name))
    return buffer.getvalue()


def _check_trees(value: Any, seen: set[int]) -> None:
    if id(value) in seen or isinstance(value, str | bytes | int | float):
        return
    seen.add(id(value))
    if isinstance(value, Tree):
        _check_nodes(value.children_left, value.children_right, value.feature, value.n_features)
    elif isinstance(value, KDTree | BallTree):
        _check_neighbor_tree(value)
    elif type(value).__name__ == "TreePredictor":
        _check_predictor(value)
    elif isinstance(value, dict):
        for member in value.values():
            _check_trees(member, seen)
    elif isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
        for member in value.ravel().tolist() if isinstance(value, np.ndarray) else value:
            _check_trees(member, seen)
    elif hasattr(value, "__dict__"):
        _check_trees(vars(value), seen)


def _check_nodes(left: np.ndarray, right: np.ndarray, feature: np.ndarray, n_features: int) -> None:
    """A depth-first tree: children come after their parent and both are leaves' -1 or neither."""
    order = np.arange(len(left))
    is_leaf = left == -1
    inner_is_sound = (left > order) & (left < len(left)) & (right > order) & (right < len(left))
    inner_is_sound &= (feature >= 0) & (feature < n_features)
    if len(left) == 0 or not np.all(np.where(is_leaf, right == -1, inner_is_sound)):
        raise _refuse("trees whose nodes point inside them")


def _refuse(expected: str) -> LineageError:
    return LineageError(Problem("model file", expected, "one that does not", "Do not load it."))


def _check_predictor(predictor: Any) -> None:
    nodes = predictor.nodes
    inner = nodes[nodes["is_leaf"] == 0]
    order = np.flatnonzero(nodes["is_leaf"] == 0)
    sound = len(nodes) > 0
    for child in ("left", "right"):
        sound = sound and bool(np.all((inner[child] > order) & (inner[child] < len(nodes))))
    categorical = inner[inner["is_categorical"] == 1]
    for bitsets in (predictor.raw_left_cat_bitsets, predictor.binned_left_cat_bitsets):
        sound = sound and bool(np.all(categorical["bitset_idx"] < len(bitsets)))
    if not sound or bool(np.any(inner["feature_idx"] < 0)):
        raise _refuse("trees whose nodes point inside them")


def _check_neighbor_tree(tree: Any) -> None:
    data, index, nodes, _ = tree.get_arrays()
    sound = bool(np.all((index >= 0) & (index < len(data)))) and len(index) == len(data)
    starts, ends = nodes["idx_start"], nodes["idx_end"]
    if not sound or not bool(np.all((starts >= 0) & (starts <= ends) & (ends <= len(data)))):
        raise _refuse("a neighbour tree that points inside itself")
