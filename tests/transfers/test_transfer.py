"""A file that is brought is whole and held to its digest, or has no name; what broke off goes on where it broke off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from samebits.digests import digest_bytes, write_manifest
from samebits.errors import DataError, Problem
from samebits.holdings.data_search import find_recorded_data
from samebits.transfers import cache, transfer
from samebits.transfers.origin import Held, Origin
from samebits.transfers.transfer import bring

CONTENT = bytes(range(256)) * 40
HELD = Held(len(CONTENT), "etag")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(transfer, "_PAUSE_SECONDS", 0.0)
    return tmp_path


class Breaking:
    """A source whose line breaks after so many bytes, each time that it is read."""

    def __init__(self, breaks: list[int], goes_on: bool = True) -> None:
        self.breaks, self.goes_on, self.offsets = breaks, goes_on, list[int]()

    def read(self, _: Held, offset: int) -> tuple[int, Iterator[bytes]]:
        self.offsets.append(offset)
        start = offset if self.goes_on else 0
        end = self.breaks.pop(0) if self.breaks else None
        return start, self._give(start, end)

    def _give(self, start: int, end: int | None) -> Iterator[bytes]:
        for place in range(start, len(CONTENT) if end is None else end, 1000):
            yield CONTENT[place : min(place + 1000, end or len(CONTENT))]
        if end is not None:
            raise DataError(Problem("the line", "more", "a break", ""))

    def open(self, held: Held = HELD) -> Origin:
        return Origin("s3://b/k", lambda: held, self.read)


def list_unnamed() -> list[str]:
    return [path.name for path in cache.find_folder().glob(".*")]


def test_what_broke_off_goes_on_where_it_broke_off() -> None:
    source = Breaking([2000, 5000])

    path, digest = bring(source.open(), HELD, None)

    assert path.read_bytes() == CONTENT and digest == digest_bytes(CONTENT)
    assert source.offsets == [0, 2000, 5000]
    assert list_unnamed() == []


def test_a_source_that_cannot_go_on_is_read_from_its_beginning() -> None:
    source = Breaking([2000], goes_on=False)

    path, _ = bring(source.open(), HELD, None)

    assert path.read_bytes() == CONTENT


def test_what_may_have_changed_meanwhile_is_not_joined() -> None:
    source = Breaking([2000])

    path, _ = bring(source.open(), Held(None, None), None)

    assert path.read_bytes() == CONTENT
    assert source.offsets == [0, 0]


def test_a_later_process_goes_on_with_what_an_earlier_one_left() -> None:
    source = Breaking([3000, 3000])

    with pytest.raises(DataError, match="a break"):
        bring(source.open(), HELD, None)
    bring(source.open(), HELD, None)

    assert source.offsets[-1] == 3000


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_a_file_of_another_size_than_was_said_has_no_name(size: int) -> None:
    with pytest.raises(DataError, match=f"expected {size:,} bytes"):
        bring(Breaking([]).open(), Held(size, None), None)

    assert cache.find_cached(digest_bytes(CONTENT)) is None


def test_other_bytes_than_the_pinned_ones_are_refused_and_not_kept() -> None:
    pin = digest_bytes(b"other")

    with pytest.raises(DataError, match=f"expected the pinned {pin}, found {digest_bytes(CONTENT)}"):
        bring(Breaking([]).open(), HELD, pin)

    assert cache.find_cached(digest_bytes(CONTENT)) is None
    assert list_unnamed() == []


def test_a_cached_file_is_not_believed_without_its_digest() -> None:
    path, digest = bring(Breaking([]).open(), HELD, None)
    path.write_bytes(CONTENT[:-1] + b"!")

    assert cache.find_cached(digest) is None
    assert not path.exists()


def test_what_a_source_held_is_known_only_while_it_says_the_same_of_itself() -> None:
    _, digest = bring(Breaking([]).open(), HELD, None)

    assert cache.recall("s3://b/k", HELD) == digest
    assert cache.recall("s3://b/k", Held(len(CONTENT), "other")) is None
    assert cache.recall("s3://b/k", Held(len(CONTENT), None)) is None


def test_a_full_disk_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transfer, "_fill", fill)

    with pytest.raises(DataError, match=r"room for s3://b/k, found No space left on device\. Make room"):
        bring(Breaking([]).open(), HELD, None)


@pytest.mark.parametrize("digest", ["sha256:ab/tmp/x", "sha256:../..", f"sha256:{'0' * 63}/", "nonsense"])
def test_what_is_no_digest_names_no_place_and_nothing_is_removed(home: Path, digest: str) -> None:
    victim = home / "victim"
    victim.mkdir()
    stage = {"digest": digest.replace("/tmp/x", str(victim)), "path": "t.csv", "location": None}

    with pytest.raises(DataError, match="expected a digest"):
        cache.find_cached(str(stage["digest"]))
    with pytest.raises(DataError, match="expected a place in the cache"):
        cache.remove(victim)

    assert find_recorded_data(stage, [home], None, home / "scratch").path is None
    assert victim.is_dir()


def test_a_check_that_fails_leaves_nothing_to_go_on_with() -> None:
    def refuse(_: Path) -> None:
        raise DataError(Problem("the file", "another", "this", ""))

    with pytest.raises(DataError, match="expected another"):
        bring(Breaking([]).open(), HELD, None, refuse)

    assert list_unnamed() == []


def test_a_manifest_is_not_taken_for_the_folder_whose_digest_it_has(home: Path) -> None:
    manifest = write_manifest([("a.csv", digest_bytes(b"a"))])
    place = cache.name_place(digest_bytes(manifest))
    place.parent.mkdir(parents=True)
    place.write_bytes(manifest)

    assert cache.find_cached(digest_bytes(manifest)) is None
