"""The door of this wing: from a file to a config, taken as a whole or refused with everything that is wrong with it.

`read_config_document` gives the plain values, before any numeric library may load; `load_document` a config whose keys are sound;
`check_document` one whose classes and parameters are sound too; `load_config` and `check_config` do so from a path. No table is
read here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.config.decisive import digest_config
from samebits.config.documents import Document, read_document
from samebits.config.validation import find_problems
from samebits.errors import ConfigError, DataError, Problem, suggest
from samebits.keys.config import Config
from samebits.project import expand_home, find_data, find_project_root


@dataclass(frozen=True)
class Brought:
    """A table that lies on this disk now, and where it came from.

    Parameters
    ----------
    location
        Its address, with the version that was read where its source keeps versions; or its path, where DVC tracks it or a Delta
        table has it as a version.
    """

    path: Path
    location: str


@dataclass(frozen=True)
class LoadedConfig:
    """A config with the file it came from.

    Parameters
    ----------
    brought
        What of the tables that it names was brought from elsewhere, by the name that it has there.
    """

    config: Config
    document: Document
    brought: Mapping[str, Brought] = field(default_factory=dict)

    @property
    def resolved(self) -> dict[str, Any]:
        """Every key with its value in force, as plain values."""
        resolved: dict[str, Any] = self.config.model_dump(mode="json", by_alias=True)
        return resolved

    @property
    def digest(self) -> str:
        """Digest of all keys that can change a result: not of the name, the version, n_jobs, the tolerance, or where the data lies."""
        return digest_config(self.resolved)

    def list_named(self) -> dict[tuple[str, str], tuple[str, str | None]]:
        """Return all that the config reads, by its key: the name that it has there, and its pin. The table comes first."""
        data, split = self.config.data, self.config.split
        named = {
            ("data", "path"): (data.path, data.digest),
            ("data", "test_path"): (data.test_path, data.test_digest),
            ("split", "rows_file"): (split.rows_file, split.rows_digest),
        }
        return {key: (name, pin) for key, (name, pin) in named.items() if name is not None}

    def find(self, named: str, project_root: Path) -> Path:
        """Return where a file that the config names lies, or should lie."""
        return self.brought[named].path if named in self.brought else find_data(named, self.document.path, project_root)

    def find_tables(self, project_root: Path) -> list[Path]:
        """Return where the table lies, and that of the test rows where they have one of their own."""
        return [self.find(name, project_root) for (section, _), (name, _) in self.list_named().items() if section == "data"]

    @contextmanager
    def naming_lines(self) -> Iterator[None]:
        """Let what is refused meanwhile say in which line of the file the key stands that it names, and a table's own name."""
        try:
            yield
        except (ConfigError, DataError) as error:
            raise type(error)(*(self.document.place(self._name_tables(problem)) for problem in error.problems)) from error.__cause__

    def _name_tables(self, problem: Problem) -> Problem:
        """Say the name that the config has for a table in place of where it lies in the cache."""
        for name, brought in self.brought.items():
            problem = problem.rename(str(brought.path), name)
        return problem


def load_config(path: Path) -> LoadedConfig:
    """Read a config file and validate it whole.

    Raises
    ------
    ConfigError
        The file cannot be read, or one or more keys are unknown, missing, mistyped or out of range: all at once.
    """
    return load_document(read_config_document(path))


def load_document(document: Document) -> LoadedConfig:
    """Validate a config that was read.

    Raises
    ------
    ConfigError
        One or more keys are unknown, missing, mistyped or out of range: all at once.
    """
    return _take(document, find_problems(document))


def check_config(path: Path) -> LoadedConfig:
    """Read a config file and check it whole, the estimators' own parameters included.

    Raises
    ------
    ConfigError
        All that is wrong with it.
    """
    return check_document(read_config_document(path))


def check_document(document: Document) -> LoadedConfig:
    """Check a config that was read whole, the estimators' own parameters included.

    Raises
    ------
    ConfigError
        All that is wrong with it.
    """
    from samebits.config.components import find_component_problems  # which imports scikit-learn

    return _take(document, [*find_problems(document), *find_component_problems(document)])


def _take(document: Document, problems: list[Problem]) -> LoadedConfig:
    if problems:
        raise ConfigError(*{problem.where: problem for problem in problems}.values())
    return LoadedConfig(Config.model_validate(document.value), document)


def read_config_document(path: Path) -> Document:
    """Read a config file's plain values, a dataset and steps filled in from their files; nothing is validated yet.

    Raises
    ------
    ConfigError
        The file cannot be read, is no mapping, or names a dataset that datasets.yaml has not, or a file of steps that is not there.
    """
    document = read_document(path)
    if not isinstance(document.value, dict):
        raise ConfigError(Problem(str(path), "keys with values", type(document.value).__name__, "See confs/training.yaml."))
    return _fill_steps(dataclasses.replace(document, value=_fill_from_registry(document)))


def _fill_steps(document: Document) -> Document:
    """Replace the name of a file of steps, from the project's root or the config's folder, by the mapping in it."""
    named = document.value.get("steps")
    if not isinstance(named, str):
        return document
    given = expand_home(named)
    path = next((path for path in (find_project_root() / given, document.path.parent / given) if path.is_file()), None)
    if path is None:
        problem = Problem(document.locate(("steps",)), "steps, or a file of them", f"no file {named!r}", "Check the path.")
        raise ConfigError(problem)
    steps = read_document(path)
    if not isinstance(steps.value, dict):
        raise ConfigError(Problem(str(path), "steps by name", type(steps.value).__name__, "See docs/how-to/steps.md."))
    inner = steps.value.get("steps") if set(steps.value) == {"steps"} and isinstance(steps.value["steps"], dict) else None
    if inner is not None:
        raise ConfigError(Problem(f"{path}: steps", "the steps themselves", "one more key above them", "Take `steps:` away."))
    value = {**document.value, "steps": steps.value}
    return dataclasses.replace(document, value=value, sections={**document.sections, "steps": steps})


def _fill_from_registry(document: Document) -> dict[str, Any]:
    """Replace `data.dataset: name@version` by that entry of datasets.yaml beside the config; keys of the config win."""
    data = document.value.get("data")
    if not isinstance(data, dict) or "dataset" not in data:
        return dict(document.value)
    registry_path = document.path.parent / "datasets.yaml"
    if not registry_path.is_file():
        found = f"no {registry_path.name} beside the config"
        raise ConfigError(Problem(document.locate(("data", "dataset")), f"a dataset of {registry_path}", found, "Write it."))
    registry = read_document(registry_path)
    name, _, version = str(data["dataset"]).partition("@")
    versions = registry.value.get(name) if isinstance(registry.value, dict) else None
    entry = versions.get(version) if isinstance(versions, dict) else None
    if not isinstance(entry, dict):
        names = registry.value if isinstance(registry.value, dict) else {}
        known = sorted(f"{one}@{number}" for one, numbers in names.items() if isinstance(numbers, dict) for number in numbers)
        raise ConfigError(
            Problem(
                document.locate(("data", "dataset")),
                f"one of {', '.join(known) or 'no dataset'} in {registry_path}",
                repr(data["dataset"]),
                suggest(str(data["dataset"]), known, "Write name@version."),
            )
        )
    merged = {**entry, **{key: value for key, value in data.items() if key != "dataset"}}
    return {**document.value, "data": merged}
