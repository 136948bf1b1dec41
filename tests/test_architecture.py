"""The code against README's module map: who may import whom, and who alone may import what reaches outside."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from conftest import ROOT

SOURCES = {path.stem: path for path in sorted((ROOT / "src/samebits").glob("*.py")) if path.stem != "__init__"}
ALONE = {
    "mlflow": {"tracking", "recording", "runs", "archive", "mlflow_flavor"},
    "git": {"code", "checkout"},
    "yaml": {"documents"},
    "argparse": {"__main__"},
    "subprocess": {"model_content", "rebuild", "rerun"},
    "pickle": set(),
}


def read_ranks() -> dict[str, int]:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: int(rank) for rank, text in rows for name in re.findall(r"`(\w+)`", text)}


def list_imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_map_names_every_module_and_no_other() -> None:
    assert set(read_ranks()) == set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_only_from_ranks_below_its_own(name: str) -> None:
    ranks = read_ranks()
    own = {imported.split(".")[1] for imported in list_imports(SOURCES[name]) if imported.startswith("samebits.")}

    wrong = {other for other in own & set(SOURCES) if ranks[other] >= ranks[name]}

    assert wrong == set()


@pytest.mark.parametrize("package", ALONE)
def test_who_alone_may_import_what_reaches_outside(package: str) -> None:
    importers = {name for name, path in SOURCES.items() if package in {imported.split(".")[0] for imported in list_imports(path)}}

    assert importers <= ALONE[package]


@pytest.mark.parametrize("name", SOURCES)
def test_every_module_says_what_lives_in_it(name: str) -> None:
    docstring = ast.get_docstring(ast.parse(SOURCES[name].read_text(encoding="utf-8"))) or ""

    assert len(docstring) > 60
    assert not re.search(r"utils|helpers|common|manager|handler", name)
