from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path

import pytest

from samebits.digests import digest_file
from samebits.provenance.environment import read_environment

ROOT = Path(__file__).parent.parent.parent


def test_packages_that_count_are_those_that_samebits_leads_to() -> None:
    environment = read_environment(ROOT, [])

    assert {"numpy", "scipy", "scikit-learn", "pandas", "mlflow", "pyarrow", "skops"} <= set(environment.packages)
    assert {"pytest", "ruff"} <= set(environment.bystanders)
    assert not set(environment.packages) & set(environment.bystanders)
    assert environment.packages["numpy"] == importlib.metadata.version("numpy")


def test_a_package_that_the_config_allows_counts() -> None:
    assert "pytest" in read_environment(ROOT, ["pytest"]).packages


def test_the_locks_digest_is_recorded_where_there_is_one(tmp_path: Path) -> None:
    assert read_environment(ROOT, []).lock_digest == digest_file(ROOT / "uv.lock")
    assert read_environment(tmp_path, []).lock_digest is None


def test_python_and_the_machine_are_what_they_are() -> None:
    environment = read_environment(ROOT, [])

    assert environment.python == platform.python_version()
    assert environment.machine == platform.machine()
    assert environment.cpu and environment.n_cores >= 1


def test_what_an_allowed_module_imports_counts_with_what_it_needs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/__init__.py").write_text("from . import part\nimport beside\n", encoding="utf-8")
    (tmp_path / "own/part.py").write_text("def late():\n    import hypothesis.strategies\n", encoding="utf-8")
    (tmp_path / "beside.py").write_text("import os, own\nfrom _pytest.monkeypatch import MonkeyPatch\n", encoding="utf-8")
    (tmp_path / "broken.py").write_text("import (\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))

    packages = read_environment(ROOT, ["own", "broken"]).packages

    assert {"hypothesis", "sortedcontainers", "pytest"} <= packages.keys()
    assert not {"hypothesis", "pytest"} & read_environment(ROOT, []).packages.keys()
    assert read_environment(tmp_path, ["own.part"]).packages.keys() >= {"hypothesis"}
