"""The pages under docs/ against the code: written references, commands and configs that are shown, and the site that is built of them."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import ROOT, SMALL, clean_environment, merge

import samebits
from samebits.command_line import COMMANDS, make_parser
from samebits.config.loading import check_config, read_config_document
from samebits.config.validation import find_problems
from samebits.errors import SamebitsError

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "decisions" not in path.parts)]
REFERENCE = ROOT / "packaging/write_reference.py"
OUTSIDE = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*\bsrc\s*=\s*["']?(?:https?:)?//|<link\b(?![^>]*\brel=["']?canonical)[^>]*\bhref\s*=\s*["']?(?:https?:)?//"""
    r"""|@import\s+(?:url\()?["']?(?:https?:)?//|url\(\s*["']?(?:https?:)?//""",
    flags=re.IGNORECASE,
)


def load_reference() -> Any:
    spec = importlib.util.spec_from_file_location("write_reference", REFERENCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def list_blocks(page: Path, *languages: str) -> list[str]:
    """Return the text of a page's code blocks in these languages."""
    text = page.read_text(encoding="utf-8")
    return [
        code for language, code in re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL) if language in languages
    ]


def list_command_lines(page: Path) -> list[list[str]]:
    """Return the words after `samebits` of every command line that a page's blocks show; of `just`, where it has such a recipe."""
    lines = []
    for line in "\n".join(list_blocks(page, "sh", "console")).splitlines():
        line = (
            line.removeprefix("$ ").split(" | ")[0].split(" > ")[0].partition("  #")[0].replace("just data-pin", "samebits data pin")
        )
        for command in line.split(" && ") if "samebits " in line or "just " in line else []:
            words = re.search(r"^(?:uv run |python -m )?(?:samebits|just) (.*)", command.strip())
            if words and "[" not in command and ("samebits " in command or words[1].split()[0] in COMMANDS):
                lines.append(shlex.split(words[1]))
    return lines


@pytest.mark.parametrize("name", ["commands", "config"])
def test_the_reference_is_what_the_code_says(name: str) -> None:
    written = (DOCS / f"reference/{name}.md").read_text(encoding="utf-8")

    assert written == getattr(load_reference(), f"describe_{name}")(), "`just docs-reference` writes it again"


def test_the_reference_has_every_command_and_every_section_once() -> None:
    commands = (DOCS / "reference/commands.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", (DOCS / "reference/config.md").read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert [name for name in COMMANDS if f"\n## samebits {name}" not in commands] == []
    assert len(headings) == len(set(headings)) and {"`data.read`", "`features.derived.bins`", "`claims.group_gap`"} <= set(headings)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_line_that_a_page_shows_is_one_that_is_parsed(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in list_command_lines(page):
        if words == ["train"] or (len(words) == 1 and words[0] in ("reproduce", "verify", "lineage", "report")):
            continue  # whose recipe has a default
        try:
            make_parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"{' '.join(words)}: {capsys.readouterr().err}")


@pytest.fixture
def write_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], list[str]]]:
    """Write the modules of the user's own that a page shows, so that they can be imported."""

    def write(page: Path) -> list[str]:
        blocks = [block for block in list_blocks(page, "python") if block.startswith("# ")]
        for block in blocks:
            path = tmp_path / block.partition("\n")[0].removeprefix("# ")
            path.parent.mkdir(exist_ok=True)
            path.write_text(block, encoding="utf-8")
        return blocks

    monkeypatch.syspath_prepend(tmp_path)
    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] in ("churn", "shop")]:
        del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_config_that_a_page_shows_is_one_that_is_taken(page: Path, tmp_path: Path, write_modules: Any) -> None:
    """Parts of a config are put over a small one; what a table decides is not asked."""
    if page.name == "networks.md":
        pytest.importorskip("skorch", reason="PyTorch and skorch are not installed: the extra samebits[torch] has them")
    write_modules(page)
    for number, block in enumerate(list_blocks(page, "yaml")):
        shown = yaml.safe_load(block)
        if "jobs" in shown:
            continue  # a job of CI: tests/test_continuous_integration.py
        path = tmp_path / f"config_{number}.yaml"
        whole = {**SMALL, "business": {}} if "name" not in shown else {}
        path.write_text(yaml.safe_dump(merge(whole, shown), sort_keys=False), encoding="utf-8")
        try:
            check_config(path)
        except SamebitsError as error:
            pytest.fail(f"{block}\n{error}")


def test_the_page_on_steps_shows_a_config_that_is_taken_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "churn.yaml"
    path.write_text(list_blocks(ROOT / "docs/how-to/steps.md", "yaml")[0], encoding="utf-8")

    assert not find_problems(read_config_document(path))


@pytest.mark.parametrize("name", ["own-estimator", "own-features", "time-series", "groups"])
def test_what_a_page_shows_trains(name: str, write_modules: Any, train: Any) -> None:
    """On the table of these pages: every part of a config that needs no column of the reader's own."""
    page = DOCS / f"how-to/{name}.md"
    frame = pd.read_csv(ROOT / "data/raw/wdbc.csv").iloc[::2]
    frame["day"] = pd.date_range("2026-01-01", periods=len(frame))
    frame = frame.assign(patient=frame["id"] // 3, site=[f"site {number % 3}" for number in range(len(frame))])
    assert bool(write_modules(page)) == name.startswith("own")
    parts = [yaml.safe_load(block) for block in list_blocks(page, "yaml")]

    for part in parts:
        if "dates" in str(part):
            continue
        changes = {"cv": {"n_splits": 2}, "models": {"decision_tree": {}}, **part}
        _, result = train(frame, "diagnosis", **{**changes, "data": {"drop": ["id"], "positive": "M", **part.get("data", {})}})
        assert result.metrics["test"]["accuracy"] > 0.5, part


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_python_block_that_a_page_shows_is_python_and_names_what_is_there(page: Path) -> None:
    for block in list_blocks(page, "python"):
        named = {node.attr for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Attribute) and is_ours(node.value)}
        assert named <= set(getattr(samebits, "__all__", named)), block


def is_ours(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "samebits"


def test_the_index_leads_to_every_page() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    named = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#:]+\.md)\)", index)}

    assert {path for path in PAGES[1:] if path.name != "index.md"} - named == set()


def test_the_tree_of_the_site_has_what_the_index_leads_to() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    tree = {line for block in re.findall(r"```\{toctree\}\n(.*?)```", index, flags=re.DOTALL) for line in block.split()}
    named = re.findall(r"\]\(([^)#:.]+)\.md\)", index)

    assert {page for page in named if not page.startswith("decisions/")} <= tree and "decisions/*" in tree
    assert len(named) == len(set(named))


@pytest.mark.xdist_group("docs")
def test_the_site_is_built_of_the_pages_and_asks_nobody(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="Sphinx is not installed: `uv sync --group docs` brings it")
    pytest.importorskip("myst_parser", reason="MyST is not installed: `uv sync --group docs` brings it")
    pytest.importorskip("furo", reason="Furo is not installed: `uv sync --group docs` brings it")
    site, nowhere = tmp_path / "site", "http://127.0.0.1:9"
    words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(tmp_path / "doctrees"), str(DOCS), str(site)]

    done = subprocess.run(
        words, env=clean_environment(HTTP_PROXY=nowhere, HTTPS_PROXY=nowhere), capture_output=True, encoding="utf-8", check=False
    )

    assert done.returncode == 0, done.stderr
    assert (site / "how-to/time-series.html").is_file()
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    found = {path.name: OUTSIDE.findall(path.read_text(encoding="utf-8")) for path in files}
    assert {name: places for name, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "markup",
    [
        '<script async src="https://cdn.example/x.js">',
        "<link rel='stylesheet' href='//fonts.example/css'>",
        "@import 'https://fonts.example/x.css'",
        "url(https://fonts.example/x.woff)",
    ],
)
def test_what_comes_from_outside_would_be_seen(markup: str) -> None:
    assert OUTSIDE.search(markup)
    assert not OUTSIDE.search('<a href="https://mlflow.example">and</a><link rel="stylesheet" href="_static/x.css">')
