"""What is tried before a training, by several runs at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from samebits.delivery.preflight import check_store


def test_a_run_that_tries_the_store_meanwhile_takes_nothing_from_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other puts, fetches and deletes its file between this one's putting and fetching."""
    store, mine, others = tmp_path / "store", tmp_path / "mine", tmp_path / "others"
    mine.mkdir()
    fetch = LocalArtifactRepository.download_artifacts

    def fetch_after_another(self: LocalArtifactRepository, *args: str) -> str:
        if not others.exists():
            others.mkdir()
            check_store(str(store), "sqlite://", others)
        return str(fetch(self, *args))

    monkeypatch.setattr(LocalArtifactRepository, "download_artifacts", fetch_after_another)

    check_store(str(store), "sqlite://", mine)

    assert others.exists()
    assert [path for path in store.rglob("*") if path.is_file()] == []
