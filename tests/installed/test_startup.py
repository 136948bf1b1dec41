"""What runs before the program in a real environment of its own, seen from inside a process of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, clean_environment

from samebits.digests import digest_bytes

PURELIB = next(path for path in sys.path if path.endswith("site-packages"))
SCRIPT = """
import json
from pathlib import Path
from samebits.provenance.environment import read_environment
found = read_environment(Path("/nowhere"), [])
print(json.dumps({"startup": found.startup, "modified": found.modified, "not_held": found.not_held}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment whose packages are this one's, by a path that leads to them."""
    folder = tmp_path_factory.mktemp("startup") / "environment"
    subprocess.run(["uv", "venv", "-q", "--no-project", "--python", sys.executable, str(folder)], check=True)
    (find_site(folder) / "these.pth").write_text(f"{PURELIB}\n{ROOT / 'src'}\n", encoding="utf-8")
    return folder


def find_site(environment: Path) -> Path:
    return next(environment.glob("lib/python*/site-packages"))


def look(environment: Path, *options: str, **variables: str) -> Any:
    command = [str(environment / "bin/python"), *options, "-c", SCRIPT]
    done = subprocess.run(command, env=clean_environment(**variables), capture_output=True, encoding="utf-8", check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_ordinary_environment_has_nothing_before_the_program(environment: Path) -> None:
    assert look(environment) == {"startup": {}, "modified": {}, "not_held": {}}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("sitecustomize.py", "", "sitecustomize"),
        ("sitecustomize.py", "import sys; del sys.modules['sitecustomize']", "sitecustomize"),
        ("zz.pth", "import os; os.environ['X'] = '1'\n", "zz.pth"),
        (".hidden.pth", "# a comment\n\nimport\tos\n", ".hidden.pth"),
        ("bom.pth", "\ufeffimport os\n", "bom.pth"),
        ("_virtualenv.pth", "import _virtualenv", "_virtualenv.pth"),
        ("threadpoolctl.py", "raise SystemExit", "module threadpoolctl"),
        ("joblib/__init__.py", "", "module joblib"),
    ],
)
def test_what_runs_first_or_stands_before_a_package_is_named(environment: Path, name: str, content: str, said: str) -> None:
    path = find_site(environment) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content, encoding="utf-8")
    try:
        found = look(environment)["startup"]
    finally:
        path.unlink()

    assert list(found) == [said]
    if path.suffix == ".pth" or path.stem == "sitecustomize":
        assert found[said] == digest_bytes(content.encode("utf-8"))


def test_a_path_in_a_pth_file_is_no_code(environment: Path, tmp_path: Path) -> None:
    path = find_site(environment) / "more.pth"
    path.write_text(f"# import os\n{tmp_path}\n", encoding="utf-8")
    try:
        assert look(environment)["startup"] == {}
    finally:
        path.unlink()


def test_of_pythonpath_only_what_stands_before_something_counts(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("", encoding="utf-8")
    assert look(environment, PYTHONPATH=f"{tmp_path}:{ROOT / 'src'}")["startup"] == {}

    (tmp_path / "colorsys.py").write_text("", encoding="utf-8")
    (tmp_path / "skops").mkdir()
    (tmp_path / "skops/__init__.py").write_text("", encoding="utf-8")

    assert sorted(look(environment, PYTHONPATH=str(tmp_path))["startup"]) == ["module colorsys", "module skops"]
    assert look(environment, "-E", PYTHONPATH=str(tmp_path))["startup"] == {}


def test_what_stands_in_an_archive_before_something_has_the_archives_digest(environment: Path, tmp_path: Path) -> None:
    archive = tmp_path / "more.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("colorsys.py", "")
        opened.writestr("joblib/__init__.py", "")

    found = look(environment, PYTHONPATH=str(archive))["startup"]

    assert found == dict.fromkeys(["module colorsys", "module joblib"], digest_bytes(archive.read_bytes()))


def test_assertions_that_are_off_and_a_preloaded_library_are_named(environment: Path, tmp_path: Path) -> None:
    library = tmp_path / "libnothing.so"
    library.write_bytes(b"no library")

    found = look(environment, "-O", LD_PRELOAD=str(library))["startup"]

    assert found == {"LD_PRELOAD libnothing.so": digest_bytes(b"no library"), "python -O": "1"}


def test_an_edited_file_of_a_package_is_named_and_its_user_may_undo_it(environment: Path) -> None:
    """As an edited scikit-learn is: a package of one file, installed for real."""
    import threadpoolctl

    install = ["uv", "pip", "install", "-q", "--no-deps", "--python", str(environment / "bin/python")]
    subprocess.run([*install, f"threadpoolctl=={threadpoolctl.__version__}"], check=True)
    path = find_site(environment) / "threadpoolctl.py"
    original = path.read_bytes()
    try:
        assert look(environment) == {"startup": {}, "modified": {}, "not_held": {}}
        path.unlink()  # a file may be one with the installer's own copy
        path.write_bytes(original + b"# edited\n")

        assert look(environment)["modified"] == {"threadpoolctl.py": digest_bytes(original + b"# edited\n")}
    finally:
        subprocess.run(["uv", "pip", "uninstall", "-q", "--python", str(environment / "bin/python"), "threadpoolctl"], check=True)


def test_the_environments_own_hook_of_virtualenv_is_ordinary_until_it_is_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samebits.installed import startup

    hook, path = tmp_path / "_virtualenv.py", tmp_path / "_virtualenv.pth"
    hook.write_bytes(b"x = 1\n")
    path.write_bytes(b"import _virtualenv")
    monkeypatch.setattr(startup, "_HOOKS", {digest_bytes(b"x = 1\n").removeprefix("sha256:")})

    assert startup._is_environments_hook(path)
    hook.write_bytes(b"x = 2\n")
    assert not startup._is_environments_hook(path)
    assert os.path.lexists(path)
