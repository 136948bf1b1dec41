from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, SMALL, clean_environment, merge
from recorded_runs import open_client

from samebits.digests import digest_file


def build(clone: Path, umask: int = 0o022, **env: str) -> Path:
    """Build the wheel in a clone as `just package` does."""
    sys.path.insert(0, str(ROOT / "packaging"))
    from build_wheel import build as build_in

    return build_in(clone, {**clean_environment(), **env}, umask)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package") / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    return folder


pytestmark = pytest.mark.xdist_group("package")


def test_two_builds_under_other_conditions_are_equal_to_the_bit(clone: Path, tmp_path: Path) -> None:
    first = digest_file(build(clone))
    other = tmp_path / "another folder"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(other)], check=True)
    for path in other.rglob("*"):
        os.utime(path, (10**9, 10**9), follow_symlinks=False)

    second = build(other, umask=0o077, TZ="Asia/Kathmandu", LC_ALL="C", SOURCE_DATE_EPOCH="1000000000")

    assert digest_file(second) == first


def test_a_wheel_holds_the_package_and_nothing_else(clone: Path) -> None:
    wheel = build(clone)

    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        rows = list(csv.reader(io.StringIO(archive.read(next(name for name in names if name.endswith("RECORD"))).decode())))
    files = [name for name in names if not name.endswith("/")]
    assert {name.split("/")[0] for name in files} == {"samebits", re.sub(r"-py3.*", ".dist-info", wheel.name)}
    assert {row[0] for row in rows} == set(files)
    assert "samebits/py.typed" in files  # the types of the Python interface are a user's too


def test_a_backend_of_other_bytes_is_refused(clone: Path, tmp_path: Path) -> None:
    other = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(clone), str(other)], check=True)
    lock = other / "uv.lock"
    text = lock.read_text(encoding="utf-8")
    start = text.index('name = "uv-build"')
    lock.write_text(text[:start] + re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, text[start:]), encoding="utf-8")

    with pytest.raises(subprocess.CalledProcessError):
        build(other)


def test_installed_from_the_wheel_the_codes_identity_is_the_wheels_own_digest(clone: Path, tmp_path: Path) -> None:
    wheel = build(clone)
    site = tmp_path / "site"
    # without the packages it needs: those of this environment serve
    subprocess.run(["uv", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)], check=True, capture_output=True)
    script = "from pathlib import Path; from samebits.provenance.code import identify_code; c = identify_code(Path.cwd()); print(c.wheel_digest, c.sources_digest)"
    environment = {**clean_environment(), "PYTHONPATH": str(site)}

    printed = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True
    ).stdout

    in_checkout = (
        "from pathlib import Path; from samebits.provenance.code import identify_code; print(identify_code(Path.cwd()).sources_digest)"
    )
    environment["PYTHONPATH"] = str(clone / "src")
    sources = subprocess.run(
        [sys.executable, "-c", in_checkout], env=environment, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True
    )
    assert printed.split() == [digest_file(wheel), sources.stdout.strip()]


def install(wheel: Path, environment: Path) -> Path:
    """Install the wheel where this environment's packages are found, and return the program."""
    subprocess.run(["uv", "venv", "-q", "--no-project", "--python", sys.executable, str(environment)], check=True)
    python = environment / "bin/python"
    subprocess.run(["uv", "pip", "install", "-q", "--no-deps", "--python", str(python), str(wheel)], check=True)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    (next(environment.glob("lib/python*/site-packages")) / "packages.pth").write_text(packages + "\n", encoding="utf-8")
    return environment / "bin/samebits"


def test_a_run_of_the_wheel_without_repository_and_lock_is_made_again_after_all_that_made_it_is_gone(
    clone: Path, own_store: str, tmp_path: Path
) -> None:
    """Its packages by their names, held to the files that they had; samebits by the wheel that the run kept."""
    wheel = build(clone)
    digest = digest_file(wheel)
    program = install(wheel, tmp_path / "environment")
    project = tmp_path / "project"
    project.mkdir()
    config = merge(SMALL, {"name": "wheel", "models": {"dummy": {}}, "data": {"archive": "always"}})
    (project / "mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    variables = clean_environment(MLFLOW_TRACKING_URI=own_store)
    command = [str(program), "train", "mine.yaml"]
    trained = subprocess.run(command, cwd=project, env=variables, capture_output=True, encoding="utf-8", check=False)
    assert trained.returncode == 0, trained.stderr
    run_id = trained.stdout.split()[1]
    shutil.rmtree(project)
    wheel.unlink()
    (tmp_path / "elsewhere").mkdir()

    command = [str(program), "reproduce", run_id]
    done = subprocess.run(command, cwd=tmp_path / "elsewhere", env=variables, capture_output=True, encoding="utf-8", check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"samebits from its recorded wheel, {wheel.name}" in done.stdout
    assert "packages by their names, with the files that they had" in done.stdout and "verdict     IDENTICAL" in done.stdout
    client = open_client(own_store)
    kept = Path(client.download_artifacts(run_id, f"environment/{wheel.name}", str(tmp_path)))
    assert digest_file(kept) == digest
    rerun = client.get_run(client.get_run(run_id).data.tags["reproduced_by"])
    assert rerun.data.tags["inputs_digest"] == client.get_run(run_id).data.tags["inputs_digest"]


def test_locks_that_disagree_fail_the_check(clone: Path, tmp_path: Path) -> None:
    other = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(clone), str(other)], check=True)
    environment = clean_environment(UV_PROJECT_ENVIRONMENT=str(Path(sys.executable).parent.parent))
    check = ["just", "lock-check"]
    assert subprocess.run(check, cwd=other, env=environment, capture_output=True, check=False).returncode == 0

    for name in ("requirements.txt", "python_env.yaml"):
        kept = (other / name).read_bytes()
        (other / name).write_bytes(kept + b"# by hand\n")
        assert subprocess.run(check, cwd=other, env=environment, capture_output=True, check=False).returncode != 0, name
        (other / name).write_bytes(kept)


def test_one_set_of_packages_serves_every_python() -> None:
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")

    for package in ("numpy", "scipy", "scikit-learn", "pandas", "pyarrow"):
        assert lock.count(f'\nname = "{package}"\n') == 1, package
