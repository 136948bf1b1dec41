"""The code that ran, from `train` to `reproduce`: a submodule, a file hidden from Git, a module from elsewhere, a secret beside them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import SMALL, clean_environment, merge
from recorded_runs import clone_project, git
from warm_program import WarmProgram

from samebits.numerics.profile import make_environment

pytestmark = pytest.mark.xdist_group("changed code")
Run = Callable[..., subprocess.CompletedProcess[str]]

ESTIMATOR = """
from sklearn.tree import DecisionTreeClassifier

class Tree(DecisionTreeClassifier):
    def fit(self, X, y, **keywords):
        self.max_depth = {depth}
        return super().fit(X, y, **keywords)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this project in which estimators lie wherever they may."""
    folder = tmp_path_factory.mktemp("code")
    _, root = clone_project(folder)
    library = folder / "library"
    library.mkdir()
    git("init", "-q", cwd=library)
    (library / "shared.py").write_text(ESTIMATOR.format(depth=1), encoding="utf-8")
    git("add", "-A", cwd=library)
    git("commit", "-qm", "library", cwd=library)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "library", cwd=root)
    (root / "hidden.py").write_text(ESTIMATOR.format(depth=1), encoding="utf-8")
    models = {name: {"class": f"{place}.Tree"} for name, place in {"a": "library.shared", "b": "hidden", "c": "elsewhere"}.items()}
    config = merge(SMALL, {"allow": ["library", "hidden", "elsewhere"], "data": {"path": "data/raw/wdbc.csv"}, "cv": {"n_splits": 2}})
    (root / "own.yaml").write_text(yaml.safe_dump({**config, "models": models}), encoding="utf-8")
    git("add", "-A", cwd=root)
    git("commit", "-qm", "own", cwd=root)
    git("update-index", "--skip-worktree", "hidden.py", cwd=root)
    (root / "library/unpushed.py").write_text("", encoding="utf-8")
    git("add", "-A", cwd=root / "library")
    git("commit", "-qm", "of which no remote knows", cwd=root / "library")
    for path, depth in {"library/shared.py": 4, "hidden.py": 2}.items():
        (root / path).write_text(ESTIMATOR.format(depth=depth), encoding="utf-8")
    (folder / "path").mkdir()
    (folder / "path/elsewhere.py").write_text(ESTIMATOR.format(depth=3), encoding="utf-8")
    (root / "prod.env").write_text("TOKEN=of-nobody\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def program(project: Path) -> WarmProgram:
    return WarmProgram(make_environment("portable", clean_environment()), project / "src")


@pytest.fixture
def run(program: WarmProgram, project: Path, own_store: str) -> Run:
    """Return what runs the clone's program in the clone."""
    environment = clean_environment(MLFLOW_TRACKING_URI=own_store, PYTHONPATH=str(project.parent / "path"))
    return lambda *words: program.run(list(words), make_environment("portable", environment), project)


def test_what_ran_is_recorded_wherever_it_lay_and_comes_back_to_the_bit(project: Path, run: Run) -> None:
    trained = run("train", "own.yaml")
    run_id = trained.stdout.split()[1]
    handed_back = run("train", "--reuse", "own.yaml")
    (project / "library/shared.py").write_text(ESTIMATOR.format(depth=1), encoding="utf-8")
    trained_again = run("train", "--reuse", "own.yaml")
    (project.parent / "path/elsewhere.py").unlink()
    (project / "library").rename(project.parent / "gone")  # the archive alone has its commit then

    again = run("reproduce", run_id, "--here")
    (project.parent / "gone").rename(project / "library")

    before_the_run = trained.stderr.partition("run ")[0]
    assert "uncommitted files that are kept with the run: hidden.py, library/shared.py\n" in before_the_run
    assert "uncommitted files that are not kept with the run: prod.env (a secret by its name)" in before_the_run
    assert "reused: trained" in handed_back.stderr and handed_back.stdout.split()[1] == run_id
    assert "reused" not in trained_again.stderr and trained_again.stdout.split()[1] != run_id
    assert "NONDETERMINISM" not in trained_again.stderr
    assert "verdict     IDENTICAL" in again.stdout, again.stdout + again.stderr


def test_a_module_that_changes_while_the_config_is_read_is_refused_before_anything_is_trained(project: Path, run: Run) -> None:
    """The module that the config names writes the one that it imports anew: what was identified is not what runs."""
    second = project / "second.py"
    second.write_text(ESTIMATOR.format(depth=1), encoding="utf-8")
    rewrite = f"import pathlib\npath = pathlib.Path({str(second)!r})\npath.write_text(path.read_text().replace('= 1', '= 2'))\n"
    (project / "first.py").write_text(f"{rewrite}import second\nclass Tree(second.Tree):\n    pass\n", encoding="utf-8")
    config = yaml.safe_load((project / "own.yaml").read_text(encoding="utf-8"))
    models = {"tree": {"class": "first.Tree"}}
    (project / "meanwhile.yaml").write_text(yaml.safe_dump({**config, "allow": ["first"], "models": models}), encoding="utf-8")

    done = run("train", "meanwhile.yaml")
    for name in ("first.py", "second.py", "meanwhile.yaml"):  # the project is the other tests' as well
        (project / name).unlink()

    assert done.returncode == 2, done.stdout + done.stderr
    assert "module second.py: expected the bytes that were identified, found others: it was changed meanwhile" in done.stderr
