from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from samebits.training.training import _describe_wheels, _keep_environment, _make_report


@pytest.mark.parametrize(
    ("has_lock", "commit", "kept"),
    [(True, "c" * 40, {"uv.lock"}), (True, None, {"uv.lock", "packages.json"}), (False, "c" * 40, {"packages.json"})],
)
def test_a_lock_without_the_commit_of_its_project_is_not_all_that_is_kept(
    tmp_path: Path, has_lock: bool, commit: str | None, kept: set[str]
) -> None:
    if has_lock:
        (tmp_path / "uv.lock").write_text("", encoding="utf-8")
    environment: Any = SimpleNamespace(packages={"numpy": "sha256:1"})

    files = _keep_environment(environment, tmp_path, commit)

    assert {name.removeprefix("environment/") for name in files if not name.endswith(".whl")} == kept


def test_what_of_this_machines_own_disk_goes_with_a_run_is_said() -> None:
    environment: Any = SimpleNamespace(local=["large", "my-pack"])

    assert _describe_wheels(environment, {}) == []
    assert _describe_wheels(environment, {"environment/my_pack-1.0-py3-none-any.whl": b""}) == [
        "packages of this machine's own disk that are kept with the run: my-pack"
    ]


def test_a_report_that_cannot_be_made_loses_no_training() -> None:
    nothing: Any = SimpleNamespace(pictures=Future())  # of which no account can be given
    nothing.pictures.set_result((None, ([], [])))

    made, failure = _make_report({}, nothing)

    assert made is None
    assert failure is not None
    assert failure.startswith("AttributeError: ")
