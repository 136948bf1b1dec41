"""Where things lie: the project's folder, and the config and the table that are named from it, wherever the caller stands."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

from samebits.errors import ConfigError, Problem

PACKAGE = Path(__file__).parent
NOTE = ".samebits-project.json"  # which `samebits init` leaves in a project


def is_checkout() -> bool:
    """Tell whether this package runs from a checkout rather than from an installed wheel."""
    return (PACKAGE.parent.parent / "MLproject").is_file()


def find_project_root() -> Path:
    """Return the project's folder: the checkout that this package lies in, else the nearest one above the current folder."""
    if is_checkout():
        return PACKAGE.parent.parent
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "MLproject").is_file() or (folder / ".git").exists():
            return folder
    return here


def name_program() -> str:
    """Return how samebits is called from a shell here: through uv, where the environment is the one that uv made in the project."""
    root = find_project_root()
    is_uvs = (root / "uv.lock").is_file() and Path(sys.prefix).is_relative_to(root)
    return "uv run samebits" if is_checkout() or is_uvs else "samebits"


def has_recipes() -> bool:
    """Tell whether the project has samebits' own recipes: it is a checkout, or `samebits init` made it."""
    return is_checkout() or (find_project_root() / NOTE).is_file()


def list_code_folders(root: Path) -> list[str]:
    """Return where a project's own modules lie: its folder, and src/ in it where there is one. An import looks there last."""
    source = root / "src"
    return [str(root), *([str(source)] if source.is_dir() else [])]


def expand_home(path: str) -> Path:
    """Return a path with its `~` as a home folder; as it is where nobody has that home, so that it is said where it is not found."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user, or a user of a container with no entry and no HOME
        return Path(path)


def find_config(conf_file: str, root: Path) -> Path:
    """Return a config's path: absolute, or from the project's root, or else from the current folder.

    Raises
    ------
    ConfigError
        Neither has it, or it is a folder.
    """
    given = expand_home(conf_file)
    for path in (root / given, Path.cwd() / given):
        if path.is_file():
            return path.absolute()
        if path.is_dir():
            raise ConfigError(Problem(f"conf_file {conf_file!r}", "a config file", f"the folder {path}", "Name a file in it."))
    places = f"no such file in {root}" + (f" or {Path.cwd()}" if Path.cwd() != root else "")
    raise ConfigError(Problem(f"conf_file {conf_file!r}", "a config file", places, "Check the path."))


def find_data(data_path: str, conf_path: Path, root: Path) -> Path:
    """Return where a table should lie: an absolute path, or from the project's root, or else from the config's folder."""
    path = expand_home(data_path)
    beside_config = conf_path.parent / path
    return beside_config if not (root / path).exists() and beside_config.exists() else root / path


def lies_in(path: Path, places: Collection[Path]) -> bool:
    """Tell whether a path is one of some places, or lies below one that is a folder; as they are written.

    >>> lies_in(Path("/a/lake/x"), {Path("/a/lake")}), lies_in(Path("/a/lakes"), {Path("/a/lake")})
    (True, False)
    """
    return any(one in places for one in (path, *path.parents))


def find_repository(folder: Path) -> Path:
    """Return the nearest folder from a folder upwards that holds a repository, or else the folder itself."""
    return next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), folder)
