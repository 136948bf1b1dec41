"""A step's own processes: what they do is noted as they do it (modules imported, files opened, hosts spoken to), a line each.

`begin` is called in every Python that a step starts, by a `sitecustomize` on its path; `run` is the program that calls a function.
Nothing heavy is imported. Files are seen that Python itself opens, and those that Arrow is given to open in C++: what another such
library opens is not, nor what is no Python.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from samebits.digests import digest_bytes
from samebits.installed.distributions import METADATA, SITES
from samebits.numerics.generators import plant_generators
from samebits.project import PACKAGE
from samebits.provenance.imports import ImportWatch, name_place
from samebits.table.files import list_table_files

PLAN = "SAMEBITS_STEP"  # names the file that says what may be read
_SYSTEM = (
    *("/proc", "/dev", "/sys", "/run", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix"),
    *("/var/lib", "/var/cache"),
)
_DRAWING = ("numpy.random", "torch", "tensorflow")
# By module, what opens files in C++ that it is given first.
_ARROW = {
    "pyarrow.parquet.core": ("read_table", "read_metadata", "read_schema", "ParquetFile", "ParquetDataset"),
    "pyarrow.dataset": ("dataset", "parquet_dataset"),
    "pyarrow.csv": ("read_csv", "open_csv"),
    "pyarrow.json": ("read_json", "open_json"),
    "pyarrow.feather": ("read_table", "read_feather"),
    "pyarrow.orc": ("read_table", "ORCFile"),
}
_GIVEN_BY_NAME = ("source", "path_or_paths", "input_file", "where", "metadata_path")
_OF_PYTHON = ("lib", "lib64", "bin", "include", "share", "etc")


def begin() -> None:
    """Watch this process from now on, and plant its generators."""
    plan = json.loads(Path(os.environ[PLAN]).read_text(encoding="utf-8"))
    notes = os.open(plan["notes"], os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    plant_generators(plan["seed"])
    ear = _Ear(plan, _Notes(notes))
    sys.meta_path.insert(0, _StepImports(_Notes(notes), plan["seed"], ear.hear_path))
    sys.addaudithook(ear)
    _Notes(notes).add(begun=os.getpid())


class _Notes:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._seen: set[str] = set()

    def add(self, **facts: Any) -> None:
        """Write a line once; at once, since a process may end without a word."""
        line = json.dumps(facts) + "\n"
        if line not in self._seen:
            self._seen.add(line)
            os.write(self._descriptor, line.encode("utf-8"))


class _Noted(dict[str, tuple[Path, bytes]]):
    """What the watch notes of a module, written down."""

    def __init__(self, notes: _Notes) -> None:
        super().__init__()
        self._notes = notes

    def __setitem__(self, fullname: str, found: tuple[Path, bytes]) -> None:
        super().__setitem__(fullname, found)
        path, content = found
        place = name_place(fullname, path) if fullname != "__main__" else path.name
        self._notes.add(module=os.path.realpath(path), place=place, digest=digest_bytes(content))


class _StepImports(ImportWatch):
    """Notes modules, plants the generators of a library as soon as it is there, and lets Arrow tell of the paths that it is given."""

    def __init__(self, notes: _Notes, seed: int, hear_path: Callable[[str], None]) -> None:
        super().__init__()
        self.noted = _Noted(notes)
        self._seed = seed
        self._hear_path = hear_path

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        spec = super().find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            if fullname in _DRAWING:
                _do_after(spec.loader, lambda _: plant_generators(self._seed))
            if fullname in _ARROW:
                _do_after(spec.loader, lambda module: _let_tell(module, _ARROW[fullname], self._hear_path))
        return spec


def _do_after(loader: Any, follow: Callable[[Any], None]) -> None:
    load = loader.exec_module

    def load_and_follow(module: Any) -> None:
        load(module)
        follow(module)

    loader.exec_module = load_and_follow


def _let_tell(module: Any, names: tuple[str, ...], hear_path: Callable[[str], None]) -> None:
    """Put in the stead of what opens files what tells of them first."""
    for name in names:
        made = getattr(module, name, None)
        if isinstance(made, type):
            made.__init__ = _telling(made.__init__, 1, hear_path)  # type: ignore[misc]
        elif made is not None:
            setattr(module, name, _telling(made, 0, hear_path))


def _telling(call: Callable[..., Any], place: int, hear_path: Callable[[str], None]) -> Callable[..., Any]:
    @functools.wraps(call)
    def tell_and_call(*given: Any, **named: Any) -> Any:
        first = given[place] if len(given) > place else next((named[name] for name in _GIVEN_BY_NAME if name in named), None)
        for path in first if isinstance(first, list | tuple) else (first,):
            if isinstance(path, str | os.PathLike):
                hear_path(os.fspath(path))
        return call(*given, **named)

    return tell_and_call


class _Ear:
    """Hears what Python tells of what it opens; refuses a write to an input."""

    def __init__(self, plan: dict[str, Any], notes: _Notes) -> None:
        self._notes = notes
        self._inputs = frozenset(plan["inputs"])
        self._free = _list_free(plan["folder"])
        self._project = f"{plan['root']}{os.sep}"
        self._stead = f"{plan['project']}{os.sep}"
        self._seen: set[tuple[str, bool]] = set()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._hear_open(*arguments)
        elif event == "sqlite3.connect":
            self._hear_open(*_read_database(arguments[0]))
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            self._notes.add(network=":".join(map(str, arguments[1][:2])))

    def hear_path(self, path: str) -> None:
        """Hear of a file that is about to be read, or of a folder's files: Arrow leaves markers out too."""
        for file in list_table_files(Path(path)).values():
            self._hear_open(str(file), "rb", 0)

    def _hear_open(self, path: Any, mode: Any, flags: Any) -> None:
        if not isinstance(path, str | bytes):
            return
        name = os.fsdecode(path)
        reads, writes = _read_mode(mode, flags)
        if ((name, writes) in self._seen and os.path.isabs(name)) or "\0" in name:  # noqa: PTH117
            return
        self._seen.add((name, writes))
        real = os.path.realpath(name)
        if writes and real in self._inputs:
            self._notes.add(written=real)
            raise PermissionError(13, "an input of this step, which it may not write to", name)
        if reads and real not in self._inputs and not self._is_free(real) and os.path.isfile(real):  # noqa: PTH113
            self._notes.add(opened=real)
        elif reads and real.startswith(self._stead) and not _makes(flags) and not os.path.lexists(real):
            self._notes.add(sought=real.removeprefix(self._stead))

    def _is_free(self, real: str) -> bool:
        """Tell whether a file is the step's own, Python's or the system's; of the project's own, wherever that lies, none is."""
        parts = Path(real).parts
        if any(part in SITES or part.endswith(METADATA) for part in parts):
            return True
        own = tuple(place for place in self._free if place.startswith(self._project))
        return real.startswith(own if real.startswith(self._project) else self._free)


def _read_mode(mode: Any, flags: Any) -> tuple[bool, bool]:
    """Tell whether a file is opened to be read, and whether to be written."""
    if isinstance(mode, str):
        return "r" in mode or ("+" in mode and "w" not in mode), any(sign in mode for sign in "wax+")
    access = flags & os.O_ACCMODE if isinstance(flags, int) else os.O_RDONLY
    return access != os.O_WRONLY, access != os.O_RDONLY


def _makes(flags: Any) -> bool:
    """Tell whether a file that is not there is made by being opened."""
    return isinstance(flags, int) and bool(flags & os.O_CREAT)


def _read_database(name: Any) -> tuple[str, str, int]:
    """Return a database as a file that is read, be it named by its address."""
    text = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""
    return text.removeprefix("file:").partition("?")[0] if text.startswith("file:") else text, "rb", 0


def _list_free(folder: str) -> tuple[str, ...]:
    """Return what every path begins with that may be read undeclared."""
    pythons = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")}
    pythons |= {str(Path(prefix, name)) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix) for name in _OF_PYTHON}
    places = {folder, str(PACKAGE), *pythons, *_SYSTEM}
    below = {f"{one}{os.sep}" for place in places for one in (place, os.path.realpath(place))}
    return tuple(sorted(below | {str(Path(sys.prefix, "pyvenv.cfg"))}))


def run() -> None:
    """Call the function, and end this process with 0, or with 1 and a note of why."""
    plan = json.loads(Path(os.environ[PLAN]).read_text(encoding="utf-8"))
    sys.path += plan["code"]
    try:
        if not any(isinstance(finder, _StepImports) for finder in sys.meta_path):
            raise RuntimeError("this process is not watched: another sitecustomize stands before samebits' own")
        function = _find(plan["function"])
        arguments = _bind(function, plan)
        plant_generators(plan["seed"])
        function(**arguments)
    except BaseException as error:
        if isinstance(error, SystemExit) and not error.code:
            return
        traceback.print_exc()
        _leave(plan["notes"], error)
        sys.stdout.flush()
        sys.exit(1)


def _find(import_path: str) -> Callable[..., Any]:
    module, _, name = import_path.rpartition(".")
    function = getattr(importlib.import_module(module), name)
    if not callable(function):
        raise TypeError(f"{import_path} is no function")
    return function  # type: ignore[no-any-return]


def _bind(function: Callable[..., Any], plan: dict[str, Any]) -> dict[str, Any]:
    paths = {name: Path(path) for name, path in {**plan["input_paths"], **plan["outputs"]}.items()}
    arguments = {**paths, **plan["parameters"]}
    signature = inspect.signature(function)
    if "seed" in signature.parameters:
        arguments["seed"] = plan["given_seed"]
    signature.bind(**arguments)
    return arguments


def _leave(notes: str, error: BaseException) -> None:
    """Say what was raised, and at which line of the function's own module."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    own = [frame for frame in frames if not frame.filename.startswith("<") and "site-packages" not in frame.filename]
    last = next(iter(reversed(own or frames)), None)
    place = f" ({Path(last.filename).name}:{last.lineno}, in {last.name})" if last is not None else ""
    said = " ".join(str(error).split())[:400]
    with Path(notes).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"failure": f"{type(error).__name__}: {said}{place}"}) + "\n")
