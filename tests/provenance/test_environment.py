from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path

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
