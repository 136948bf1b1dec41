from __future__ import annotations

from pathlib import Path

import pytest

from samebits.trust.own_runs import is_own_run, note_own_run

RUN = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_a_run_that_was_noted_is_ones_own_as_long_as_its_lineage_is_the_same() -> None:
    assert not is_own_run(RUN, "sha256:1")

    note_own_run(RUN, "sha256:1")

    assert is_own_run(RUN, "sha256:1")
    assert not is_own_run(RUN, "sha256:2") and not is_own_run(RUN[::-1], "sha256:1")


@pytest.mark.parametrize("name", ["../../x", "", ".", f"{RUN}/../x", f"{RUN}\n"])
def test_a_name_that_is_no_runs_id_is_nobodys_run(home: Path, name: str) -> None:
    note_own_run(name, "sha256:1")

    assert not is_own_run(name, "sha256:1")
    assert list(home.rglob("*")) == []
