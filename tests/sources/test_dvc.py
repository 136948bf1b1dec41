"""Tables that DVC tracks are found by its own files, in its cache or its remote, by MD5 once and by SHA-256 ever after."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from samebits.digests import digest_bytes
from samebits.errors import DataError
from samebits.sources.bringing import bring_named
from samebits.sources.dvc import find_store, find_tracked
from samebits.table.files import digest_table

TABLE = b"x,y\r\n1,2\r\n"


def name_md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def put(folder: Path, content: bytes, layout: str = "files/md5/{}/{}", suffix: str = "", md5: str = "") -> str:
    md5 = md5 or name_md5(content)
    path = folder / (layout.format(md5[:2], md5[2:]) + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5 + suffix


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    (tmp_path / "repository/.dvc").mkdir(parents=True)
    (tmp_path / "repository/data").mkdir()
    (tmp_path / "repository/.dvc/config").write_text(
        "[core]\n    remote = team\n['remote \"team\"']\n    url = ../../remote\n", "utf-8"
    )
    return tmp_path / "repository"


def track(repository: Path, md5: str, name: str = "x.csv") -> Path:
    path = repository / "data" / name
    path.with_name(f"{name}.dvc").write_text(f"outs:\n- md5: {md5}\n  size: 1\n  hash: md5\n  path: {name}\n", "utf-8")
    return path


def test_a_tracked_table_is_found_in_the_cache_and_needs_no_remote(repository: Path) -> None:
    path = track(repository, put(repository / ".dvc/cache", TABLE))

    brought = bring_named("data/x.csv", path, None)

    assert brought is not None and brought.path.read_bytes() == TABLE and brought.location == str(path)
    assert not path.exists()


@pytest.mark.parametrize("layout", ["files/md5/{}/{}", "{}/{}"])
def test_a_remote_that_is_a_folder_is_asked_in_either_layout(repository: Path, tmp_path: Path, layout: str) -> None:
    path = track(repository, put(tmp_path / "remote", TABLE, layout))

    brought = bring_named("data/x.csv", path, digest_bytes(TABLE))

    assert brought is not None and brought.path.read_bytes() == TABLE


def test_what_a_pipeline_made_is_found_by_its_lock(repository: Path) -> None:
    md5 = put(repository / ".dvc/cache", TABLE)
    lock = {"schema": "2.0", "stages": {"clean": {"cmd": "x", "outs": [{"path": "data/x.csv", "hash": "md5", "md5": md5}]}}}
    (repository / "dvc.lock").write_text(json.dumps(lock), "utf-8")

    tracked = find_tracked(repository / "data/x.csv")

    assert tracked is not None and tracked.md5 == md5 and tracked.by == repository / "dvc.lock"


def test_a_tracked_folder_is_joined_of_its_files_and_one_of_them_can_be_named(repository: Path) -> None:
    cache = repository / ".dvc/cache"
    entries = [{"md5": put(cache, content), "relpath": name} for name, content in (("a.csv", TABLE), ("p=1/b.csv", b"x,y\n3,4\n"))]
    path = track(repository, put(cache, json.dumps(entries).encode(), suffix=".dir"), "parts")

    whole, one = bring_named("data/parts", path, None), bring_named("data/parts/a.csv", path / "a.csv", None)

    assert whole is not None and sorted(p.name for p in whole.path.rglob("*.csv")) == ["a.csv", "b.csv"]
    assert whole.path.name == str(digest_table(whole.path)).removeprefix("sha256:")[2:]
    assert one is not None and one.path.read_bytes() == TABLE


def test_the_md5_of_a_text_by_an_earlier_dvc_leaves_its_line_ends_out(repository: Path) -> None:
    path = track(repository, put(repository / ".dvc/cache", TABLE, md5=name_md5(TABLE.replace(b"\r\n", b"\n"))))

    brought = bring_named("data/x.csv", path, None)

    assert brought is not None and brought.path.read_bytes() == TABLE


def test_a_damaged_store_is_not_believed(repository: Path) -> None:
    path = track(repository, put(repository / ".dvc/cache", b"damaged", md5=name_md5(TABLE)))

    with pytest.raises(DataError, match=f"expected the file of MD5 {name_md5(TABLE)}, found another one"):
        bring_named("data/x.csv", path, None)


def test_a_table_that_nobody_pushed_is_said_with_the_places(repository: Path, tmp_path: Path) -> None:
    path = track(repository, name_md5(TABLE))

    with pytest.raises(DataError, match=rf"in {repository}/\.dvc/cache or {tmp_path}/remote, found nothing"):
        bring_named("data/x.csv", path, None)


def test_a_path_that_dvc_does_not_name_is_left_to_the_reader(repository: Path) -> None:
    track(repository, name_md5(TABLE))

    assert bring_named("data/other.csv", repository / "data/other.csv", None) is None


def test_a_file_that_is_there_is_read_as_it_is(repository: Path) -> None:
    path = track(repository, put(repository / ".dvc/cache", TABLE))
    path.write_bytes(b"edited\n")

    assert bring_named("data/x.csv", path, None) is None


def test_a_local_config_goes_before_the_shared_one(repository: Path) -> None:
    (repository / ".dvc/config.local").write_text(
        "['remote \"team\"']\n    url = s3://bucket/dvc\n    endpointurl = http://h:9\n", "utf-8"
    )

    store = find_store(repository)

    assert (store.remote, store.options) == ("s3://bucket/dvc", {"endpoint": "http://h:9"})


def test_a_remote_of_another_kind_is_named(repository: Path) -> None:
    (repository / ".dvc/config").write_text("[core]\n    remote = a\n['remote \"a\"']\n    url = ssh://host/x\n", "utf-8")

    with pytest.raises(DataError, match=r"found ssh://host/x\. Fetch the table with DVC itself: dvc pull"):
        find_store(repository)
