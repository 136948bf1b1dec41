"""`samebits new TABLE --target COLUMN`: writes a config for a table, complete and commented, and says what it sees in the table."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from samebits.errors import ConfigError, DataError, Problem, suggest
from samebits.project import expand_home, find_project_root, name_program
from samebits.sources.address import is_address, parse_address
from samebits.sources.bringing import bring_named
from samebits.sources.delta import split_version
from samebits.text import quote_word, tell, warn

if TYPE_CHECKING:
    from samebits.proposal.proposal import Proposal

_SUFFIXES = (".yaml", ".yml")
_TABLE_SUFFIXES = (
    *(".gz", ".bz2", ".xz", ".zst", ".zip"),
    *(".csv", ".tsv", ".txt", ".tab", ".data", ".dat", ".parquet", ".pq"),
)


def run_new(table: str, target: str | None, output: str | None) -> None:
    """Write a config that `train` takes, and say where it is and what is next.

    Parameters
    ----------
    output
        Where it is written; None for confs/ where the project has it, else beside the table.

    Raises
    ------
    DataError
        The table cannot be read, has no such column, or cannot be learned from.
    ConfigError
        The file is there already, or cannot be written.
    """
    root = find_project_root()
    path, named = _find_table(table, root)
    try:
        conf, proposal = _propose(path, named, target, output, root)
    except DataError as error:
        raise DataError(*(problem.rename(str(path), named) for problem in error.problems)) from error.__cause__
    warn(*(finding.line for finding in proposal.findings))
    _write_new(conf, proposal.document.text)
    shown = _name_from(conf, root) if Path.cwd() == root else str(conf)  # who stands elsewhere would look for it there
    tell(f"wrote     {shown}", f"next      {name_program()} train {quote_word(shown)}")


def _propose(path: Path, named: str, target: str | None, output: str | None, root: Path) -> tuple[Path, Proposal]:
    """Return where the config is written, and what it says."""
    try:
        conf = _choose_place(output, named, root)
    except ConfigError:
        from samebits.proposal.proposal import check_target

        check_target(path, target)  # who misspelt it hears of that first: another place would not mend it
        raise
    from samebits.proposal.proposal import Place, propose_config  # which imports scikit-learn

    return conf, propose_config(Place(path, named, _name_config(named), conf, root), target)


def _find_table(table: str, root: Path) -> tuple[Path, str]:
    """Return where a table lies, brought here where it lies elsewhere, and how a config names it."""
    given = expand_home(table)
    for place in (Path.cwd() / given, root / given):
        path = Path(os.path.abspath(place))  # noqa: PTH100 - without `..`, and links as they are
        if path.exists():
            return path, _name_from(path, root)
        if (brought := bring_named(table, path, None, "TABLE", warn)) is not None:
            return brought.path, table if is_address(table) else _name_from(path, root)
    folder = (Path.cwd() / given).parent
    beside = [other.name for other in folder.iterdir()] if folder.is_dir() else []
    raise DataError(
        Problem(table, "a table: a file, or a folder of files", "no such file", suggest(given.name, beside, "Check the path."))
    )


def _choose_place(output: str | None, named: str, root: Path) -> Path:
    if output is None:
        beside = Path.cwd() if is_address(named) else (root / named).parent
        folder = root / "confs" if (root / "confs").is_dir() else beside
        path = folder / f"{_name_config(named)}.yaml"
    else:
        path = Path(os.path.abspath(expand_home(output)))  # noqa: PTH100
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(Problem(f"--output {output}", "a file that ends in .yaml", path.name, "Add the suffix."))
    if path.exists() or path.is_symlink():
        found = "a folder" if path.is_dir() else "one that is there already"
        raise ConfigError(Problem(str(path), "a new file", found, "Name another with --output, or move it away."))
    if not path.parent.is_dir():
        raise ConfigError(Problem(str(path), "a folder to write into", "none", f"Make {path.parent}, or name another --output."))
    return path


def _name_config(named: str) -> str:
    name = parse_address(named, "TABLE").name if is_address(named) else named
    versioned = split_version(name)
    return name_table(Path(versioned[0] if versioned else name))


def name_table(path: Path) -> str:
    """Return a table's name without the suffixes of its format and compression.

    >>> name_table(Path("data/churn.csv.gz"))
    'churn'
    """
    name = path.name
    for suffix in _TABLE_SUFFIXES:
        name = name[: -len(suffix)] if name.lower().endswith(suffix) and len(name) > len(suffix) else name
    return name or "table"


def _name_from(path: Path, root: Path) -> str:
    """Return a path from the project's root, or whole where it lies outside: so that `train` finds it, wherever it is called."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _write_new(path: Path, text: str) -> None:
    try:
        file = path.open("x", encoding="utf-8", newline="\n")
        try:
            with file:
                file.write(text)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()  # half of a config is none
            raise
    except OSError as error:
        if error.errno == errno.EEXIST:
            raise ConfigError(Problem(str(path), "a new file", "one that is there already", "Name another with --output.")) from None
        found = error.strerror or str(error)
        raise ConfigError(Problem(str(path), "a file that can be written", found, "Name another file with --output.")) from None
