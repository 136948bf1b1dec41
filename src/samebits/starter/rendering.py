"""The files of a project, rendered from the templates that samebits brings along: a few names are put in, nothing is computed.

A template's name ends in `.template`, so that no tool takes it for what it will be; a leading `dot-` becomes a dot, since hidden files
are no part of a package.
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from samebits.config.schema import make_json_schema
from samebits.digests import digest_bytes, list_files
from samebits.project import PACKAGE
from samebits.starter.project_name import name_project
from samebits.starter.source import Source

TEMPLATES = PACKAGE / "templates"
SCHEMA = "confs/config.schema.json"
_SUFFIX = ".template"
_TABLE = "data/raw/wine.csv"
_PYTHONS = ">=3.11,<3.14"
# To `--env-manager uv` MLflow hands pyproject.toml and uv.lock alone.
_NOT_BY_UV = " (not with `--env-manager uv`, to\nwhich MLflow hands pyproject.toml and uv.lock, and not the wheel that they name)."


def render_project(package: str, source: Source) -> dict[str, bytes]:
    """Return the content of every file of a project, by its path in it."""
    table = (TEMPLATES / f"{_TABLE}{_SUFFIX}").read_bytes()
    values = {
        "@PACKAGE@": package,
        "@PROJECT@": name_project(package),
        "@PYTHON@": platform.python_version(),
        "@PYTHONS@": _read_pythons(),
        "@SOURCE@": source.entry,
        "@DIGEST@": digest_bytes(table),
        "@HASHES@": "".join(f"{word} " for word in list_export_options(source)),
        "@UV_NOTE@": "" if source.wheel is None else _NOT_BY_UV,
    }
    files = {_name_file(path, package): _fill(path.read_bytes(), values) for path in list_files(TEMPLATES)}
    schema = json.dumps(make_json_schema(), indent=2, ensure_ascii=False) + "\n"
    return {**files, _TABLE: table, SCHEMA: schema.encode("utf-8")}


def list_export_options(source: Source) -> list[str]:
    """Return how requirements.txt is exported: pip takes no hashes where one package comes from Git."""
    return ["--no-header"] if source.wheel is not None else ["--no-header", "--no-hashes"]


def _name_file(template: Path, package: str) -> str:
    parts = template.relative_to(TEMPLATES).as_posix().removesuffix(_SUFFIX).split("/")
    dotted = [f".{part.removeprefix('dot-')}" if part.startswith("dot-") else part for part in parts]
    return "/".join(package if part == "PACKAGE" else part for part in dotted)


def _fill(content: bytes, values: dict[str, str]) -> bytes:
    text = content.decode("utf-8")
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text.encode("utf-8")


def _read_pythons() -> str:
    """Return the Pythons that the running samebits may be installed under."""
    try:
        return str(metadata(PACKAGE.name)["Requires-Python"])
    except (PackageNotFoundError, KeyError):
        return _PYTHONS
