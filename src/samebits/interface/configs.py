"""A config that is a mapping, written as a file for the process that trains: it goes with the run as `config/as_written.json`.

The file lies outside the project while the run is made: a new file in the working tree would be a change of the code, in every run
another. What only the caller's own process has, such as a class that a notebook defines, is refused, since no other process finds it.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from samebits.errors import ConfigError, Problem, SamebitsError
from samebits.project import find_project_root

_REGISTRY = "datasets.yaml"
_MOST_LEVELS = 100
_PATHS = (("data", "path"), ("data", "test_path"), ("split", "rows_file"))
_OF_A_MODULE = "Put it into a module of the project, and name that module in allow:."


@contextlib.contextmanager
def write_config(config: Mapping[str, Any]) -> Iterator[Path]:
    """Write a mapping as a config file, which is gone afterwards; what is wrong with it is then said of the config, not of the file.

    Raises
    ------
    ConfigError
        It holds what no config file can, or what no other process could find.
    """
    plain = _make_plain(dict(config), "config")
    _settle_paths(plain)
    with tempfile.TemporaryDirectory(prefix="samebits-config-") as folder:
        path = Path(folder, "config.json")
        path.write_text(json.dumps(plain, indent=2, ensure_ascii=False), encoding="utf-8")
        registry = find_project_root() / "confs" / _REGISTRY
        if registry.is_file():
            shutil.copyfile(registry, path.with_name(_REGISTRY))
        try:
            yield path
        except SamebitsError as error:
            raise type(error)(*(_name_config(problem, path) for problem in error.problems)) from None


def _name_config(problem: Problem, path: Path) -> Problem:
    """Say of a key which one it is, not in which line of a file that is gone."""
    if not problem.where.startswith(str(path)):
        return problem
    _, colon, key = problem.where.removeprefix(str(path)).partition(": ")
    return replace(problem, where=f"config: {key}" if colon else "config")


def _settle_paths(config: dict[str, Any]) -> None:
    """A table that the project's root has not, but the caller's folder, is that one: as a config's own folder is looked into."""
    root = find_project_root()
    for section, key in _PATHS:
        keys = config.get(section)
        path = keys.get(key) if isinstance(keys, dict) else None
        if isinstance(keys, dict) and isinstance(path, str) and not (root / path).exists() and Path(path).exists():
            keys[key] = str(Path(path).absolute())


def _make_plain(value: Any, where: str) -> Any:
    """Return a value as JSON has it: classes and functions by their import paths, NumPy's numbers as numbers."""
    if where.count(".") > _MOST_LEVELS:
        raise ConfigError(Problem(where[:80], f"at most {_MOST_LEVELS} levels", "more", "Does a mapping or a list hold itself?"))
    if isinstance(value, Mapping):
        return {_check_name(str(key), where): _make_plain(member, f"{where}.{key}") for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_make_plain(member, f"{where}.{place}") for place, member in enumerate(value)]
    if inspect.isclass(value) or inspect.isroutine(value):
        return _check_name(f"{value.__module__}.{value.__qualname__}", where)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if callable(getattr(value, "tolist", None)):  # of NumPy
        return _make_plain(value.tolist(), where)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _check_name(value, where)
    remedy = "Write {class: its import path}, with its parameters beside it."
    raise ConfigError(Problem(where, "text, a number, a list or a mapping", f"an object of {type(value).__qualname__}", remedy))


def _check_name(name: str, where: str) -> str:
    if name.startswith("__main__.") or "<locals>" in name or "<lambda>" in name:
        found = f"{name!r}, which only this process has"
        raise ConfigError(Problem(where, "what a fresh process can import", found, _OF_A_MODULE))
    return name
