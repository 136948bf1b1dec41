"""What is served with a model is what ran: of the bytes at import, without what nobody was to upload."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded_runs import git

from samebits.provenance.code import identify_code
from samebits.provenance.imports import watch_imports
from samebits.provenance.modules import identify_modules, note_what_ran
from samebits.provenance.served_code import collect_served_code

TOKEN = b"T = 'ghp_" + b"a" * 36 + b"'\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "project"
    files = {
        "even/__init__.py": b"from even import part\n",
        "even/part.py": b"ran = 1\n",
        "even/late.py": b"late = 1\n",
        "even/words.txt": b"a word\n",
        ".gitignore": b".env\nmade.py\n__pycache__/\n",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    git("init", "-q", cwd=root)
    git("add", "-A", cwd=root)
    git("commit", "-qm", "x", cwd=root)
    monkeypatch.syspath_prepend(str(root))
    watch_imports()
    yield root
    sys.meta_path.remove(watch_imports())
    for name in [name for name in sys.modules if name.partition(".")[0] == "even"]:
        del sys.modules[name]


def test_what_is_served_is_what_ran_and_what_is_on_record(project: Path) -> None:
    (project / "even/.env").write_bytes(b"TOKEN=x\n")
    (project / "even/credentials.json").write_bytes(b"{}\n")
    (project / "even/token.py").write_bytes(TOKEN)
    (project / "even/made.py").write_bytes(b"made = 1\n")
    (project / "even/new.txt").write_bytes(b"new\n")
    code = identify_modules(identify_code(project), ["even"], project)
    importlib.invalidate_caches()
    importlib.import_module("even")
    (project / "even/part.py").write_bytes(b"ran = 2\n")
    (project / "even/late.py").write_bytes(b"late = 2\n")
    code = note_what_ran(code, project)

    served, left_out = collect_served_code(["even"], code, project)

    assert set(served) == {"even/__init__.py", "even/part.py", "even/words.txt", "even/new.txt"}
    assert served["even/part.py"] == b"ran = 1\n"
    assert left_out == {
        "even/.env": "it is not on record",
        "even/credentials.json": "a secret by its name",
        "even/late.py": "it is not on record",
        "even/made.py": "Git ignores it",
        "even/token.py": "a token of GitHub",
    }


def test_an_allowed_module_below_others_is_served_with_these_and_nothing_else_of_them(project: Path) -> None:
    code = identify_code(project)
    importlib.invalidate_caches()
    importlib.import_module("even.part")

    served, left_out = collect_served_code(["even.part", "sklearn", "no_such"], note_what_ran(code, project), project)

    assert set(served) == {"even/__init__.py", "even/part.py"} and left_out == {}


def test_without_a_repository_the_code_alone_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "even").mkdir()
    for name in ("__init__.py", "words.txt", ".env", "__pycache__/x.pyc", ".git/config"):
        (tmp_path / "even" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "even" / name).write_bytes(b"")
    monkeypatch.syspath_prepend(str(tmp_path))
    code = identify_modules(identify_code(tmp_path), ["even"], tmp_path)

    served, left_out = collect_served_code(["even"], code, tmp_path)

    assert set(served) == {"even/__init__.py"} and set(left_out) == {"even/words.txt", "even/.env"}
