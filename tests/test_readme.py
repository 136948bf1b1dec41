"""README and the other pages against what the program does: the session is run, the numbers and names are compared."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, clean_environment, run_samebits

from samebits import __version__
from samebits.errors import EXIT_BUG, EXIT_REFUSED

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")] + sorted((ROOT / "docs").rglob("*.md"))


def read_session() -> list[tuple[str, list[str]]]:
    """Return the first screen's commands, each with the lines that it is said to print."""
    block = re.search(r"```console\n(.*?)```", README, flags=re.DOTALL)
    assert block is not None
    steps: list[tuple[str, list[str]]] = []
    for line in block[1].splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def forget(text: str, root: Path) -> str:
    """Take out what differs from reader to reader: the run's id and the folder."""
    text = text.replace(str(root), "/home/you/samebits")
    return re.sub(r"^(run +)[0-9a-f]{32}$", r"\1RUN", text, flags=re.MULTILINE)


@pytest.mark.xdist_group("train")
def test_the_first_screens_session_is_true(tmp_path: Path) -> None:
    root = tmp_path / "samebits"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(root)], check=True)
    for name in ("README.md", "confs", "data", "src"):  # what is being changed now counts too
        source, target = ROOT / name, root / name
        shutil.copytree(source, target, dirs_exist_ok=True) if source.is_dir() else shutil.copyfile(source, target)
    environment = clean_environment(PYTHONPATH=str(root / "src"))

    for command, printed in read_session():
        # the set-up itself is tried by CI, from a fresh clone
        command = command.replace("pip install uv && uv run just train", "python -m samebits confs/training.yaml").replace(
            "uv run ", ""
        )
        done = subprocess.run(command, shell=True, env=environment, cwd=root, capture_output=True, text=True, check=False)
        lines = [line for line in (done.stdout + done.stderr).splitlines() if "uncommitted file" not in line]
        assert forget("\n".join(lines), root) == forget("\n".join(printed), root), done.stderr


def test_the_two_commands_and_the_form_for_managed_pythons_stand_there() -> None:
    assert "\npip install uv && uv run just train\npip install uv && uv run just test\n" in README
    assert "\npython3 -m venv .venv && .venv/bin/pip install uv && .venv/bin/uv run just train\n" in README


def test_ci_runs_the_readmes_test_command() -> None:
    assert "uv run just test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "pip install --quiet uv && uv run just test" in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_exit_codes_are_said_alike_everywhere() -> None:
    said = f"0 done; {EXIT_REFUSED} refused"

    assert said in README and said in run_samebits("--help").stdout
    assert f"{EXIT_BUG} a bug of samebits" in README and f"{EXIT_BUG} a bug of samebits" in run_samebits("--help").stdout


def test_every_recipe_that_a_page_names_exists() -> None:
    recipes = set(re.findall(r"^([a-z][a-z-]*)(?: [^:]*)?:", (ROOT / "justfile").read_text(encoding="utf-8"), flags=re.MULTILINE))

    named = {recipe for page in PAGES for recipe in re.findall(r"`(?:uv run )?just ([a-z-]+)", page.read_text(encoding="utf-8"))}

    assert named and named <= recipes


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_changelog_begins_with_this_version_and_says_what_still_reproduces() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = text.split("\n## ")[1]

    assert first.startswith(f"[{__version__}]")
    assert "### Reproducibility" in first


def test_versions_agree() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert f'version = "{__version__}"' in pyproject
    assert yaml.safe_load((ROOT / "python_env.yaml").read_text(encoding="utf-8"))["dependencies"] == ["-r requirements.txt"]


def test_the_project_has_one_entry_point_with_a_config_that_exists() -> None:
    project = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))

    assert list(project["entry_points"]) == ["main"]
    parameter = project["entry_points"]["main"]["parameters"]["conf_file"]
    assert parameter["type"] == "string"
    assert (ROOT / parameter["default"]).is_file()


def test_pages_have_no_word_of_any_machine_of_ours() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        content = (ROOT / name).read_bytes()
        assert b"/work/" + b"main" not in content, name
        assert name == "uv.lock" or b"pypi" + b".org" not in content, name
