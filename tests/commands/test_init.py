"""One project goes the whole way: made, trained, made again, as its user would."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from conftest import clean_environment, run_samebits

_NO_NETWORK = r"no uv on PATH|connect|dns|network|offline|resolve host|timed out"


def run(project: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(UV_PYTHON_DOWNLOADS="never", **variables)
    environment.pop("VIRTUAL_ENV", None)
    return subprocess.run(command.split(), cwd=project, env=environment, capture_output=True, encoding="utf-8", check=False)


def list_next(printed: str) -> list[str]:
    return [line.strip() for line in printed.partition("next    ")[2].splitlines()]


@pytest.mark.xdist_group("package")
def test_a_project_of_ones_own_trains_and_is_made_again_identical_with_its_own_estimator(tmp_path: Path) -> None:
    made = run_samebits("init", "churn", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    if re.search(rf"lock    none.*({_NO_NETWORK})", made.stdout, flags=re.IGNORECASE):
        pytest.skip(f"the project's packages cannot be locked here: {made.stdout}")
    enter, train, reproduce = list_next(made.stdout)
    assert enter == "cd churn"

    trained = run(tmp_path / "churn", train)
    assert trained.returncode == 0, trained.stderr
    again = run(tmp_path / "churn", reproduce)

    assert again.returncode == 0, again.stdout + again.stderr
    assert re.search(r"^model .* shrunken_discriminant$", trained.stdout, flags=re.MULTILINE)
    assert "verdict     IDENTICAL" in again.stdout and "by the recorded uv.lock and its hashes" in again.stdout
    assert "cannot be brought back" not in trained.stderr
    assert run(tmp_path / "churn", "git status --porcelain").stdout == ""
    lineage = json.loads(run(tmp_path / "churn", "uv run just lineage").stdout)
    assert lineage["stages"]["code"]["commit"] and "environment/uv.lock" in lineage["artifacts"]
    assert [name for name in lineage["artifacts"] if re.search(r"samebits-.*\.whl$", name)]
    table = tmp_path / "churn/data/raw/wine.csv"
    table.write_bytes(table.read_bytes().replace(b"14.23", b"14.24", 1))
    refused = run(tmp_path / "churn", train)
    assert refused.returncode == 2 and "expected the pinned sha256:" in refused.stderr


def test_a_name_goes_with_a_new_project_alone(tmp_path: Path) -> None:
    refused = run_samebits("init", "--upgrade", "--name", "churn", str(tmp_path))

    assert refused.returncode == 2 and "A project keeps its name" in refused.stderr


def test_a_refused_folder_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"")

    refused = run_samebits("init", str(tmp_path))

    assert refused.returncode == 2 and "one that holds mine" in refused.stderr and refused.stdout == ""
