"""Rebuilding for a stranger: what a lineage and a restored project may say, and what may come of it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from samebits.errors import ProvenanceError
from samebits.installed.distributions import list_distributions
from samebits.installed.kept import KeptPackage
from samebits.installed.wheels import pack_wheel
from samebits.restoring import rebuild
from samebits.restoring.interpreter import list_missing_packages, list_site_folders
from samebits.restoring.rebuild import rebuild_environment, rebuild_from_packages

HERE: dict[str, Any] = {"python": ".".join(map(str, sys.version_info[:3])), "packages": {}}
PROJECT = '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    return folder


@pytest.fixture
def lock(tmp_path: Path, project: Path) -> Path:
    subprocess.run(["uv", "lock", "-q", "--offline"], cwd=project, check=True)
    return (project / "uv.lock").rename(tmp_path / "recorded.lock")


@pytest.mark.parametrize(
    "version", ["/tmp/evil", "./evil", "evil", "3.11", "3.11.7; x", "--help", "3.11.7\n", "٣.11.7", "", ">=3.11.0"]
)
def test_a_recorded_python_is_a_version_and_nothing_else(project: Path, lock: Path, tmp_path: Path, version: str) -> None:
    stage = {"python": version, "packages": {}}

    with pytest.raises(ProvenanceError, match=r"environment: python: expected a version of Python"):
        rebuild_environment(stage, project, lock, tmp_path / "e")
    with pytest.raises(ProvenanceError, match=r"environment: python: expected a version of Python"):
        rebuild_from_packages(stage, [], {}, tmp_path / "e")
    assert not (tmp_path / "e").exists() and not (project / "uv.lock").exists()


@pytest.mark.parametrize("version", ["3.11.7", "3.14.0rc1", "3.13.0b2+", "3.12.1+"])
def test_versions_as_python_says_them_are_taken(version: str) -> None:
    rebuild._check_python(version)


@pytest.mark.parametrize("target", ["../victim", "../nowhere", "same"])
def test_a_lock_is_never_written_through_a_link_of_the_restored_project(
    project: Path, lock: Path, tmp_path: Path, target: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("theirs", encoding="utf-8")
    (project / "same").write_bytes(lock.read_bytes())
    (project / "uv.lock").symlink_to(target)

    python = rebuild_environment(HERE, project, lock, tmp_path / "e")

    assert victim.read_text(encoding="utf-8") == "theirs" and not (tmp_path / "nowhere").exists()
    assert not (project / "uv.lock").is_symlink() and (project / "uv.lock").read_bytes() == lock.read_bytes()
    assert python.exists()


def test_a_folder_in_the_place_of_the_lock_is_said(project: Path, lock: Path, tmp_path: Path) -> None:
    (project / "uv.lock").mkdir()

    with pytest.raises(ProvenanceError, match=r"environment: uv\.lock: expected a file"):
        rebuild_environment(HERE, project, lock, tmp_path / "e")
    assert {path.name for path in project.iterdir()} == {"pyproject.toml", "uv.lock"}


def test_a_build_backend_of_the_project_sees_no_secret_of_the_callers(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package by its path with a backend inside it: its code runs as the environment is rebuilt."""
    seen = tmp_path / "seen"
    inner = project / "inner"
    inner.mkdir()
    (inner / "backend.py").write_text(
        f"import os, pathlib\npathlib.Path({str(seen)!r}).write_text(repr(dict(os.environ)))\nraise SystemExit('built')\n",
        encoding="utf-8",
    )
    backend = (
        '[project]\nname = "inner"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (inner / "pyproject.toml").write_text(backend, encoding="utf-8")
    depends = f'{PROJECT}dependencies = ["inner"]\n[tool.uv.sources]\ninner = {{ path = "inner" }}\n'
    (project / "pyproject.toml").write_text(depends, encoding="utf-8")
    subprocess.run(["uv", "lock", "-q", "--offline"], cwd=project, check=True)
    lock = (project / "uv.lock").rename(tmp_path / "recorded.lock")
    monkeypatch.setenv("GITHUB_TOKEN", "s3cret")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")

    with pytest.raises(ProvenanceError, match=r"every package of the recorded uv\.lock"):
        rebuild_environment(HERE, project, lock, tmp_path / "e")

    assert "'PATH'" in seen.read_text(encoding="utf-8") and "s3cret" not in seen.read_text(encoding="utf-8")


def describe(name: str, record: str | None = None) -> KeptPackage:
    found = list_distributions()[name]
    return KeptPackage(name, found.version, None, record or found.record_digest)


def test_packages_come_back_by_name_with_the_files_that_they_had(tmp_path: Path) -> None:
    python = rebuild_from_packages(HERE, [describe("threadpoolctl"), describe("six")], {}, tmp_path / "e")

    installed = list_distributions(list_site_folders(python))
    assert sorted(installed) == ["six", "threadpoolctl"]
    assert installed["six"].record_digest == list_distributions()["six"].record_digest
    assert list_missing_packages(python, {"six": "0"}) == [f"six {importlib.metadata.version('six')} (recorded 0)"]


def pack(folder: Path, name: str) -> Path:
    """Return a wheel of an installed package, as a run keeps one that no index has."""
    found = list_distributions()[name]
    named, content = pack_wheel(found, {path: found.folder / path for path in found.files})
    (folder / named).write_bytes(content)
    return folder / named


def test_a_kept_wheel_is_taken_instead_of_an_index(tmp_path: Path) -> None:
    gone = KeptPackage("six", describe("six").version, "file:///gone/six.whl", describe("six").record_digest)

    python = rebuild_from_packages(HERE, [gone], {"six": pack(tmp_path, "six")}, tmp_path / "e")

    assert list_distributions(list_site_folders(python))["six"].record_digest == gone.record_digest


def test_a_kept_wheel_is_taken_instead_of_a_path_that_the_lock_names(tmp_path: Path) -> None:
    project, wheel = tmp_path / "elsewhere" / "project", pack(tmp_path, "six")
    project.mkdir(parents=True)
    place = shutil.copy(wheel, tmp_path / "elsewhere")
    words = f'dependencies = ["six"]\n[tool.uv.sources]\nsix = {{ path = "../{wheel.name}" }}\n'
    (project / "pyproject.toml").write_text(f'[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\n{words}')
    subprocess.run(["uv", "lock", "-q", "--offline"], cwd=project, check=True)
    lock = (project / "uv.lock").rename(tmp_path / "recorded.lock")
    Path(place).unlink()
    stage = {**HERE, "packages": {"six": describe("six").version}}

    python = rebuild_environment(stage, project, lock, tmp_path / "e", wheels={"six": wheel})

    assert list_missing_packages(python, stage["packages"]) == []


@pytest.fixture
def synced(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The options of each sync, of a project with two extras."""
    declared = '[project]\nname = "a"\nversion = "0"\n[project.optional-dependencies]\ntorch = ["torch>=2"]\nbig = ["bigger"]\n'
    (project / "pyproject.toml").write_text(declared, encoding="utf-8")
    synced: list[list[str]] = []
    monkeypatch.setattr(rebuild, "_sync", lambda uv, project, folder, interpreter, words, stage: synced.append(words))
    return synced


STAGE = {"python": platform.python_version(), "packages": {"torch": "2.13.0"}}


def test_no_other_extra_is_installed_for_a_package_that_one_of_them_names(
    project: Path, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[list[str]]
) -> None:
    """Another may be gigabytes."""
    found = iter([["torch not installed (recorded 2.13.0)"], []])
    monkeypatch.setattr(rebuild, "list_missing_packages", lambda *_: next(found))

    rebuild.rebuild_environment(STAGE, project, lock, tmp_path / "environment")

    assert synced == [["--no-dev"], ["--extra", "torch", "--inexact"]]


def test_nothing_is_installed_for_a_package_that_no_lock_has(
    project: Path, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[list[str]]
) -> None:
    monkeypatch.setattr(rebuild, "list_missing_packages", lambda *_: ["torch not installed (recorded 2.13.0+cpu)"])
    stage = {**STAGE, "beside_lock": ["torch 2.13.0+cpu"]}

    with pytest.raises(ProvenanceError, match=r"torch not installed \(recorded 2\.13\.0\+cpu\)\. The lock does not hold them"):
        rebuild.rebuild_environment(stage, project, lock, tmp_path / "environment")

    assert synced == [["--no-dev"]]


def test_a_package_of_other_files_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ProvenanceError, match=r"the recorded packages, found six [\d.a-z]+ with other files than it had\."):
        rebuild_from_packages(HERE, [describe("six", "sha256:" + "0" * 64), describe("threadpoolctl")], {}, tmp_path / "e")


def test_what_a_store_is_reached_by_comes_from_the_locks_extra_or_else_from_the_caller(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rebuild._DRIVERS, "s3", ("six", "no-such-driver"))
    addresses = ["https://server.example.org", "s3://bucket/1"]
    drivers = rebuild._list_drivers(addresses)
    assert drivers == {"six": importlib.metadata.version("six")} and rebuild._list_drivers(addresses[:1]) == {}
    (project / "pyproject.toml").write_text(
        f'{PROJECT}[project.optional-dependencies]\nserver = ["Six>=1"]\nplots = ["idna"]\n[dependency-groups]\ndev = ["six"]\nstore = ["six"]\n',
        encoding="utf-8",
    )
    assert rebuild._list_extras(project, drivers) == ["--extra", "server", "--group", "store"]
    assert rebuild._list_extras(project, {}) == rebuild._list_extras(tmp_path, drivers) == []
    (project / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    subprocess.run(["uv", "lock", "-q", "--offline"], cwd=project, check=True)
    lock = (project / "uv.lock").rename(tmp_path / "recorded.lock")

    python = rebuild_environment(HERE, project, lock, tmp_path / "e", addresses)

    assert list(list_distributions(list_site_folders(python))) == ["six"]
    assert not os.path.lexists(project / "recorded.txt")


def test_an_environment_whose_python_does_not_run_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no >&2; exit 3\n", encoding="utf-8")
    broken.chmod(0o755)

    with pytest.raises(ProvenanceError, match="a Python that lists its packages, found no"):
        list_missing_packages(broken, {"six": "1"})
