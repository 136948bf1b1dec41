"""What a project and the package with its own code are called: one name, by which Python can import it and nothing else."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from pathlib import Path

from samebits.errors import ConfigError, Problem

_TAKEN = ("samebits", "tests", "test", "src", "confs", "data", "wheels", "templates")
_MOST_LETTERS = 60


def choose_package(folder: Path, given: str | None) -> str:
    """Return the name of a project's package: the one that is given, or one made of the folder's.

    Raises
    ------
    ConfigError
        It is no name of a package, or another one's.
    """
    name = given if given is not None else re.sub(r"[\W_]+", "_", folder.name.lower(), flags=re.ASCII).strip("_")
    where = f"--name {given}" if given is not None else f"the folder's name, {folder.name!r}"
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > _MOST_LETTERS or keyword.iskeyword(name):
        expected = f"at most {_MOST_LETTERS} small letters, digits and single underscores, beginning with a letter"
        raise ConfigError(Problem(where, expected, repr(name), "Give another: --name churn."))
    if name in _TAKEN or name in sys.stdlib_module_names or _is_installed(name):
        found = f"{name}, which is the name of something else that is imported here"
        raise ConfigError(Problem(where, "a name that no package has", found, "Give another: --name churn."))
    return name


def name_project(package: str) -> str:
    """Return a package's name as an index writes it.

    >>> name_project("credit_risk")
    'credit-risk'
    """
    return package.replace("_", "-")


def _is_installed(name: str) -> bool:
    """A folder that merely lies where one stands is no package."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None
