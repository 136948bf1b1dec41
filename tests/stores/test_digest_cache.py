from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from step_projects import Project

from samebits.digests import digest_file
from samebits.errors import DataError
from samebits.stores import digest_cache
from samebits.stores.digest_cache import DigestCache
from samebits.table.files import digest_table


@pytest.fixture
def read_files(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are read from now on; all of the project changed long ago by a clock that runs ahead."""
    found: list[str] = []

    def digest_and_note(path: Path) -> str:
        found.append(path.name)
        return digest_file(path)

    monkeypatch.setattr(digest_cache, "digest_file", digest_and_note)
    ahead = time.time_ns() + 10_000_000_000
    monkeypatch.setattr(digest_cache.time, "time_ns", lambda: ahead)
    return found


def test_a_file_that_did_not_change_is_read_once(project: Project, read_files: list[str]) -> None:
    for _ in range(2):
        cache = DigestCache(project.root)
        assert cache.digest(project.root / "data/raw") == digest_table(project.root / "data/raw")
        cache.save()

    assert read_files == ["customers.csv", "orders.csv"]


def test_who_trusts_nothing_reads_each_file_again(project: Project, read_files: list[str]) -> None:
    for is_trusted in (True, False):
        cache = DigestCache(project.root, is_trusted)
        cache.digest(project.root / "data/raw/orders.csv")
        cache.save()

    assert read_files == ["orders.csv", "orders.csv"]


def test_another_byte_under_the_same_size_and_time_is_seen(project: Project, read_files: list[str]) -> None:
    path = project.root / "data/raw/orders.csv"
    cache = DigestCache(project.root)
    before = cache.digest(path)
    cache.save()
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_text("2,9.6\n")
    os.utime(path, ns=times)

    assert DigestCache(project.root).digest(path) == digest_file(path) != before


def test_a_file_that_changed_within_two_seconds_is_read_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.root / "data/raw/orders.csv"
    for seconds, is_kept in ((1.9, False), (2.1, True)):
        monkeypatch.setattr(digest_cache.time, "time_ns", lambda past=seconds: path.stat().st_ctime_ns + int(past * 1e9))
        cache = DigestCache(project.root)
        cache.digest(path)
        cache.save()
        assert (str(path) in DigestCache(project.root)._kept) == is_kept


def test_what_lies_in_the_cache_s_place_and_is_none_counts_for_nothing(
    project: Project, read_files: list[str], tmp_path: Path
) -> None:
    path = project.root / "data/raw/orders.csv"
    cache = DigestCache(project.root)
    cache.digest(path)
    cache.save()
    (file,) = (tmp_path / "cache/samebits/digests").iterdir()
    for content in (b"no json", b"[1]", b'{"a": 3}', b'{"a": [1]}'):
        file.write_bytes(content)
        assert DigestCache(project.root).digest(path) == digest_file(path)


def test_what_is_not_there_has_no_digest(project: Project) -> None:
    assert DigestCache(project.root).digest(project.root / "nowhere") is None


@pytest.mark.parametrize("name", ["dangling", "folder", "pipe"])
def test_what_is_there_and_cannot_be_read_is_refused_not_taken_for_nothing(project: Project, name: str) -> None:
    project.write("folder/part.csv", "1\n")
    for link in ("dangling", "folder/dangling.csv"):
        (project.root / link).symlink_to("nowhere")
    os.mkfifo(project.root / "pipe")

    with pytest.raises(DataError, match=rf"{name}.*: expected a readable file"):
        DigestCache(project.root).digest(project.root / name)


def test_an_output_s_place_that_cannot_be_read_is_not_written_over(project: Project) -> None:
    link = project.root / "data/processed/joined.csv"
    link.parent.mkdir(parents=True)
    link.symlink_to("nowhere")

    with pytest.raises(DataError, match=r"data/processed/joined\.csv: expected a readable file"):
        project.run()

    assert link.is_symlink()
