"""The probe, and what other kernels do under `native`: foretold by the probe, shown by the outputs, named as the cause."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, clean_environment

from samebits.differences.lineages import diff_lineages, name_cause
from samebits.lineage.manifest import OUTPUT_STAGES
from samebits.numerics.profile import make_environment
from samebits.restoring.interpreter import probe_environment
from samebits.restoring.restoration import Restoration

PROBE = "import json; from samebits.numerics.probe import probe_kernels; print(json.dumps(probe_kernels()))"
# Trains under `native` with a kernel that a user cannot choose, since the profile drops the variable: as another CPU would.
TRAIN = (
    "import runpy, sys; sys.path.insert(0, 'src'); from samebits.numerics import profile; profile._KERNEL_VARIABLES = ();"
    " runpy.run_path('tests/fresh_training.py', run_name='__main__')"
)


def probe(**env: str) -> dict[str, str]:
    environment = {**clean_environment(**env), "PYTHONPATH": "src", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def train_with_kernel(path: Path, kernel: str) -> dict[str, Any]:
    environment = {**make_environment("native", clean_environment()), "OPENBLAS_CORETYPE": kernel}
    command = [sys.executable, "-c", TRAIN, str(path)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (stages,) = json.loads(done.stdout.splitlines()[-1])
    return {"stages": stages}


def test_the_probe_repeats() -> None:
    assert probe() == probe()


def test_each_kernel_that_is_exchanged_shows_in_its_own_computations() -> None:
    left, right = probe(OPENBLAS_CORETYPE="Haswell"), probe(OPENBLAS_CORETYPE="Nehalem")
    differing = {name for name in left if left[name] != right[name]}

    assert {"matrix_product", "linear_solve"} <= differing
    assert not {"exp_log", "sum", "stable_sort", "c_library", "random_normal"} & differing


def test_an_environment_is_probed_under_the_profile_that_was_recorded_whatever_the_callers_shell_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    restoration = Restoration(tmp_path, profile="portable")
    variables = {**restoration.list_variables("sqlite:///nowhere.db"), "PYTHONPATH": str(ROOT / "src")}

    found = probe_environment(Path(sys.executable), variables, warm_up=False)

    assert found == probe(**make_environment("portable", {}))
    assert found != probe(OPENBLAS_CORETYPE="Nehalem")


def test_nothing_of_the_callers_shell_leads_a_rerun_back_to_the_callers_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME")
    for name in own:
        monkeypatch.setenv(name, "the caller's")

    variables = Restoration(tmp_path, project=ROOT).list_variables("http://server.example.org")

    assert not set(own) & set(variables)
    assert variables["MLFLOW_TRACKING_URI"] == "http://server.example.org"


def test_a_samebits_of_one_floor_is_probed_too(tmp_path: Path) -> None:
    """Runs recorded before the package had wings are made again by the code of then."""
    package = tmp_path / "samebits"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "probe.py").write_text("def probe_kernels():\n    return {'sum': 'sha256:1'}\n", encoding="utf-8")
    variables = {**Restoration(tmp_path).list_variables("sqlite:///nowhere.db"), "PYTHONPATH": str(tmp_path)}

    assert probe_environment(Path(sys.executable), variables, warm_up=False) == {"sum": "sha256:1"}


def test_a_samebits_without_a_probe_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "samebits").mkdir()
    (tmp_path / "samebits/__init__.py").write_text("", encoding="utf-8")
    variables = {**Restoration(tmp_path).list_variables("sqlite:///nowhere.db"), "PYTHONPATH": str(tmp_path)}

    assert probe_environment(Path(sys.executable), variables, warm_up=True) is None


def test_other_kernels_under_native_differ_are_foretold_and_named_as_the_cause(write_config: Callable[..., Path]) -> None:
    path = write_config({"numeric_profile": "native"})

    left, right = train_with_kernel(path, "Haswell"), train_with_kernel(path, "Nehalem")

    differing = [name for name in OUTPUT_STAGES if left["stages"][name]["digest"] != right["stages"][name]["digest"]]
    assert "model" in differing and "split" not in differing
    profiles = [side["stages"]["numeric_profile"] for side in (left, right)]
    assert profiles[0]["probe"] != profiles[1]["probe"]
    cause = name_cause(diff_lineages(left, right))
    assert cause.startswith("numeric kernels Haswell -> Nehalem; which compute otherwise: ")
    assert "matrix_product" in cause


@pytest.mark.xdist_group("reproduce")
def test_a_reproduction_says_before_it_trains_that_the_kernels_are_other_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from samebits.commands import reproduce
    from samebits.proof.reproduction import Report, Wishes

    recorded, here = probe(OPENBLAS_CORETYPE="Nehalem"), probe(OPENBLAS_CORETYPE="Haswell")
    lineage = {"stages": {"numeric_profile": {"name": "portable", "probe": recorded, "blas": [{"architecture": "Nehalem"}]}}}
    report = Report("run", Wishes())

    reproduce._compare_probe(lineage, Restoration(tmp_path, probe=here), report)

    assert report.probe and "matrix_product" in report.probe
    printed = capsys.readouterr().out
    assert "kernels compute otherwise than the original's (BLAS Nehalem)" in printed and "DIFFERENT is to be expected" in printed
