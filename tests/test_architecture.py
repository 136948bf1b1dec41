"""The code against docs/architecture.md: which floor a wing stands on, who may import whom, and who alone reaches outside."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "src/samebits"
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PROGRAM = "__main__"


def name_module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


SOURCES = {name_module(path): path for path in sorted(PACKAGE.rglob("*.py")) if path.stem != "__init__"}
PLATES = {path.parent.name: path for path in sorted(PACKAGE.glob("*/__init__.py"))}


def read_floors() -> dict[str, int]:
    return {wing: int(floor) for floor, wing in re.findall(r"^## Floor (\d+): (\w+)$", PAGE, flags=re.MULTILINE)}


def read_rooms() -> list[str]:
    """Return every module that the page names, as `wing.module`, or by its bare name on the ground."""
    rooms = []
    for heading, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL):
        wing = heading.rpartition(": ")[2] + "." if heading.startswith("Floor") else ""
        rooms += [f"{wing}{name}" for name in re.findall(r"^- `(\w+)`", text, flags=re.MULTILINE)]
    return rooms


def read_importers() -> dict[str, set[str]]:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, flags=re.MULTILINE)
    return {package: set(re.findall(r"`([\w.]+)`", modules)) for package, modules in rows}


def list_imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def list_own_imports(name: str) -> set[str]:
    return {found.removeprefix("samebits.") for found in list_imports(SOURCES[name])} & set(SOURCES)


def name_wing(module: str) -> str:
    return module.rpartition(".")[0]


def test_the_page_names_every_module_once_and_no_other() -> None:
    assert sorted([*read_rooms(), PROGRAM]) == sorted(SOURCES)
    assert set(read_floors()) == set(PLATES)


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_from_its_own_wing_or_from_below(name: str) -> None:
    floors = {**read_floors(), "": 0}
    own = floors[name_wing(name)] if name != PROGRAM else max(floors.values()) + 1

    wrong = {other for other in list_own_imports(name) if floors[name_wing(other)] >= own and name_wing(other) != name_wing(name)}

    assert wrong == set()


@pytest.mark.parametrize("wing", [*PLATES, ""])
def test_no_circle_runs_through_a_wing(wing: str) -> None:
    left = {
        name: {other for other in list_own_imports(name) if name_wing(other) == wing} for name in SOURCES if name_wing(name) == wing
    }

    while free := {name for name, imported in left.items() if not imported & set(left)}:
        left = {name: imported for name, imported in left.items() if name not in free}

    assert left == {}


@pytest.mark.parametrize("package", read_importers())
def test_who_alone_may_import_what_reaches_outside(package: str) -> None:
    importers = {name for name, path in SOURCES.items() if package in {imported.split(".")[0] for imported in list_imports(path)}}

    assert importers <= read_importers()[package]


def test_what_reaches_outside_is_on_the_page() -> None:
    assert set(read_importers()) >= {"mlflow", "git", "subprocess", "yaml", "argparse", "pickle"}


@pytest.mark.parametrize("wing", PLATES)
def test_every_wing_has_its_plate_which_hands_nothing_on(wing: str) -> None:
    tree = ast.parse(PLATES[wing].read_text(encoding="utf-8"))

    assert [type(node) for node in tree.body] == [ast.Expr]
    assert 3 <= len((ast.get_docstring(tree) or "").splitlines()) <= 10


@pytest.mark.parametrize("name", SOURCES)
def test_every_module_says_what_lives_in_it(name: str) -> None:
    docstring = ast.get_docstring(ast.parse(SOURCES[name].read_text(encoding="utf-8"))) or ""

    assert len(docstring) > 60
    assert not re.search(r"utils|helpers|common|manager|handler", name)


def test_a_wing_has_at_most_nine_modules() -> None:
    """But for the commands, of which there are as many as a person can type."""
    sizes = {wing: sum(name_wing(name) == wing for name in SOURCES) for wing in PLATES if wing != "commands"}

    assert {wing: size for wing, size in sizes.items() if not 2 <= size <= 9} == {}


def test_the_tests_mirror_the_wings() -> None:
    tests = {path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}

    strays = {path for path in tests if len(path.parts) > 1 and path.parts[0] not in PLATES}

    assert strays == set()


def test_the_map_names_the_wings_in_their_order() -> None:
    named = re.findall(r"^\| `(\w+)/` \|", PAGE, flags=re.MULTILINE)

    floors = read_floors()
    assert sorted(named) == sorted(floors)
    assert [floors[wing] for wing in named] == sorted(floors.values(), reverse=True)


@pytest.mark.parametrize("command", [name for name in SOURCES if name.startswith("commands.")])
def test_no_command_imports_mlflow_before_it_has_said_how(command: str) -> None:
    """MLflow reads whether it may report to its makers as it is imported; `prepare_tracking` says so."""
    script = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); import samebits.{command}; sys.exit('mlflow' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_no_two_test_modules_have_one_name() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]

    assert sorted({name for name in names if names.count(name) > 1}) == []  # pytest would collect the first of them alone
