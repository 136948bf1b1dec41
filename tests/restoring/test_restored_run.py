"""Restoration without a repository: what was kept in its place is what comes back."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from samebits.digests import digest_bytes
from samebits.errors import ProvenanceError
from samebits.restoring import restored_environment, restored_run
from samebits.restoring.restoration import Restoration

KEPT = b'{"schema": 1, "packages": []}'


def make_lineage(**code: Any) -> dict[str, Any]:
    return {"stages": {"code": {"commit": None, "modules": {}, **code}, "environment": {"packages": {}}}}


def keep(folder: Path, **files: bytes) -> Any:
    """Return a recorded run with artifacts, their names with `__` for a slash and `_o_` for a dot."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    named = {name.replace("__", "/").replace("_o_", "."): folder / name for name in files}
    return SimpleNamespace(files=named, run_id="r", archive=None)


def test_modules_come_back_without_a_repository_too(tmp_path: Path) -> None:
    names = {"outside/mine.py": digest_bytes(b"x = 1"), "inside/own.py": digest_bytes(b"y = 1")}
    recorded = keep(tmp_path / "kept", code__modules__outside__mine_o_py=b"x = 1", code__modules__inside__own_o_py=b"y = 1")
    found = Restoration(tmp_path / "fresh", wheels={"samebits": Path("samebits-1-py3-none-any.whl")})

    restored_run._restore_code(make_lineage(modules=names), recorded, found, tmp_path)

    assert found.modules is not None and (found.modules / "mine.py").read_bytes() == b"x = 1"
    assert (found.project / "own.py").read_bytes() == b"y = 1"


def test_a_module_that_was_not_kept_is_named_without_a_repository_too(tmp_path: Path) -> None:
    lineage = make_lineage(modules={"outside/mine.py": "sha256:1"})
    found = Restoration(tmp_path / "fresh", wheels={"samebits": Path("samebits-1-py3-none-any.whl")})

    with pytest.raises(ProvenanceError, match=r"module mine\.py"):
        restored_run._restore_code(lineage, keep(tmp_path / "kept"), found, tmp_path)


@pytest.mark.parametrize(("commit", "way"), [(None, "names"), ("c" * 40, "lock")])
def test_a_lock_serves_with_a_commit_and_the_kept_packages_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: str | None, way: str
) -> None:
    monkeypatch.setattr(restored_environment, "rebuild_from_packages", lambda *_: Path("names"))
    monkeypatch.setattr(restored_environment, "rebuild_environment", lambda *_: Path("lock"))
    recorded = keep(tmp_path / "kept", environment__uv_o_lock=b"", environment__packages_o_json=KEPT)
    found = Restoration(tmp_path / "fresh")

    restored_environment._rebuild(make_lineage(commit=commit), recorded, found)

    assert found.python == Path(way)


def test_a_lock_alone_without_a_commit_is_refused_in_words(tmp_path: Path) -> None:
    recorded = keep(tmp_path / "kept", environment__uv_o_lock=b"")

    with pytest.raises(ProvenanceError, match=r"the project that its uv\.lock belongs to"):
        restored_environment._rebuild(make_lineage(), recorded, Restoration(tmp_path / "fresh"))
