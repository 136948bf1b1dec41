"""README and the other pages against what the program does: the session is run, the numbers and names are compared."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest
import yaml
from conftest import ROOT, clean_environment, run_samebits
from warm_program import WarmProgram

from samebits import __version__
from samebits.command_line import COMMANDS, PROOFS
from samebits.config.loading import check_config
from samebits.errors import EXIT_BUG, EXIT_REFUSED
from samebits.keys.derivation import DERIVATIONS, Part
from samebits.keys.division import Split
from samebits.keys.table import ROW_RULES, Read
from samebits.numerics.profile import make_environment
from samebits.verdicts import EXIT_CODES, EXIT_CODES_TEXT, Level

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROOFS_PAGE = (ROOT / "docs/proofs.md").read_text(encoding="utf-8")
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
    """Take out what differs from reader to reader: ids, the folder, the commit, clocks, Python and how many packages it needs."""
    text = text.replace(str(root), "/home/you/samebits")
    for pattern, word in (
        (r"\b[0-9a-f]{32}\b", "RUN"),
        (r"\d{4}-\d\d-\d\dT[\d:]+\+00:00", "TIME"),
        (r"(took|in) [\d.]+ s\b", r"\1 SECONDS"),
        (r"(?m)^(scored .* folds), [\d.]+ s$", r"\1, SECONDS"),
        (r"Python \d+\.\d+\.\d+\S* and \d+ packages\b", "PYTHON and PACKAGES"),
        (r"commit [0-9a-f]{12} from repository /home/you/samebits(, \d+ uncommitted files on top)?", "COMMIT"),
    ):
        text = re.sub(pattern, word, text)
    return text


def as_run_here(command: str, ids: dict[str, str]) -> str:
    """The set-up itself is tried by CI, from a fresh clone; here its environment stands."""
    command = command.replace("pip install uv && ", "").replace("just train", "samebits train confs/training.yaml")
    command = re.sub(r"uv run (?:just|samebits) ?", "python -m samebits ", command).replace("uv run samebits", "python -m samebits")
    for written, actual in ids.items():
        command = command.replace(written[:8], actual[:8])
    return command


pytestmark = pytest.mark.xdist_group("readme")


def test_the_first_screens_session_is_true(tmp_path: Path) -> None:
    root = tmp_path / "samebits"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(root)], check=True)
    for name in ("README.md", "confs", "data", "src"):  # what is being changed now counts too
        source, target = ROOT / name, root / name
        shutil.copytree(source, target, dirs_exist_ok=True) if source.is_dir() else shutil.copyfile(source, target)
    environment = make_environment("portable", clean_environment())
    program = WarmProgram(environment, root / "src")
    ids: dict[str, str] = {}

    for command, printed in read_session():
        command = as_run_here(command, ids)
        shown = program.run_typed(command, environment, root)
        said = r"uncommitted files|run \w+ confirms|scored \d+ of"
        lines = [line for line in shown.splitlines() if not re.match(said, line)]
        assert forget("\n".join(lines), root) == forget("\n".join(printed), root)
        if not ids:
            (written,), (actual,) = ([line.split()[1] for line in some if line.startswith("run ")] for some in (printed, lines))
            ids[written] = actual


@pytest.mark.parametrize("page", ["README.md", "docs/configs.md"])
def test_the_shortest_config_is_one_that_train_takes(page: str, tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    text = next(block for block in blocks if "models:" in block)
    path = tmp_path / "short.yaml"
    path.write_text(text, encoding="utf-8")

    assert set(check_config(path).document.value) == {"name", "version", "seed", "data", "models"}


def test_what_differs_from_reader_to_reader_is_forgotten_and_nothing_else() -> None:
    line = "environment Python 3.11.7 and 87 packages by the recorded uv.lock and its hashes, in 6.9 s"

    assert forget(line.replace("3.11.7 and 87", "3.13.0rc1 and 101").replace("6.9", "65.0"), ROOT) == forget(line, ROOT)
    assert "by the recorded uv.lock and its hashes" in forget(line, ROOT)
    assert forget(line.replace("recorded", "present"), ROOT) != forget(line, ROOT)


def test_the_two_commands_and_the_form_for_managed_pythons_stand_there() -> None:
    assert "\npip install uv && uv run just train\npip install uv && uv run just test\n" in README
    assert "\npython3 -m venv .venv && .venv/bin/pip install uv && .venv/bin/uv run just train\n" in README


def test_ci_runs_the_readmes_test_command() -> None:
    assert "uv run just test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "pip install --quiet uv && uv run just test" in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_the_first_screen_says_for_what_it_is() -> None:
    first = README.split("```console")[0]

    assert "scikit-learn" in first and "tabular data" in first and len(first.splitlines()) < 8
    assert len(README.splitlines()) < 200


def test_exit_codes_and_verdicts_are_said_alike_everywhere() -> None:
    page, text = " ".join(PROOFS_PAGE.split()), " ".join(run_samebits("--help").stdout.split())

    assert EXIT_CODES_TEXT in page and EXIT_CODES_TEXT in text
    assert f"{EXIT_BUG} a bug of samebits" in page and f"{EXIT_BUG} a bug of samebits" in text
    assert f"{EXIT_REFUSED} INCONCLUSIVE or refused" in EXIT_CODES_TEXT
    for verdict, code in EXIT_CODES.items():
        assert f"| {verdict} | {code} |" in PROOFS_PAGE
    for level in Level:
        assert f"| {level} |" in PROOFS_PAGE


def test_every_command_is_in_the_readme_and_every_option_in_the_reference() -> None:
    reference = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        options = set(re.findall(r"--[a-z-]+", run_samebits(command, "--help").stdout)) - {"--help"}
        assert re.search(rf"^\|.*`{command}\b.*\|", README, flags=re.MULTILINE), command
        assert all(f"`{option}" in reference for option in options), command


def test_every_option_of_the_proofs_is_said_with_them() -> None:
    for command in PROOFS:
        options = set(re.findall(r"--[a-z-]+", run_samebits(command, "--help").stdout)) - {"--help"}
        assert [option for option in options if option not in PROOFS_PAGE] == [], command


def test_every_recipe_that_a_page_names_exists() -> None:
    recipes = set(re.findall(r"^([a-z][a-z-]*)(?: [^:]*)?:", (ROOT / "justfile").read_text(encoding="utf-8"), flags=re.MULTILINE))

    named = {recipe for page in PAGES for recipe in re.findall(r"`(?:uv run )?just ([a-z-]+)", page.read_text(encoding="utf-8"))}

    assert named and named <= recipes


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
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
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout.split()
    for name in tracked:
        content = (ROOT / name).read_bytes()
        assert b"/work/" + b"main" not in content, name
        assert name == "uv.lock" or b"pypi" + b".org" not in content, name


def test_the_page_of_rows_and_columns_names_every_rule_method_and_derivation() -> None:
    page = (ROOT / "docs/columns.md").read_text(encoding="utf-8")
    methods = get_args(Split.model_fields["method"].annotation)

    named = [*ROW_RULES, *DERIVATIONS, *get_args(Part.model_fields["of"].annotation)]
    assert [name for name in named if not re.search(rf"[`{{ ,]{name}\b", page)] == []
    assert [name for name in methods if f"| `{name}` |" not in page] == []


def test_the_page_of_tables_names_every_key_of_reading() -> None:
    page = "".join((ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in ("tables", "configs"))

    layout = {"format", "sep", "encoding", "quotechar", "comment", "skip_rows"}  # said in training.yaml alone
    assert [name for name in Read.model_fields if name not in layout and name not in page] == []
