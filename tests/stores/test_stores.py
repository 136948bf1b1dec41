"""Both kinds of store keep what has a digest once and whole, give it back held to it, and name what they keep."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import servers

from samebits.digests import digest_bytes
from samebits.errors import DataError
from samebits.stores.digest_cache import DigestCache
from samebits.stores.store import list_stores, open_named, open_store
from samebits.table.files import digest_table
from samebits.transfers.cache import find_folder, remove

HAS_BUCKETS = importlib.util.find_spec("moto") is not None and importlib.util.find_spec("boto3") is not None
pytestmark = pytest.mark.xdist_group("bucket")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.start_object_store(tmp_path_factory.mktemp("bucket")) as address:
        yield address


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if request.param == "folder":
        (tmp_path / "store").mkdir()
        return open_named(str(tmp_path / "store"))
    if not HAS_BUCKETS:
        pytest.skip("moto, boto3 not installed: uv sync --inexact --extra server --group servers")
    import boto3

    values = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    for name, value in {**values, "AWS_ENDPOINT_URL": request.getfixturevalue("server")}.items():
        monkeypatch.setenv(name, value)
    bucket = f"team-{digest_bytes(str(tmp_path).encode())[7:20]}"
    boto3.client("s3", endpoint_url=request.getfixturevalue("server"), region_name="us-east-1").create_bucket(Bucket=bucket)
    return open_named(f"s3://{bucket}/tables")


def forget() -> None:
    for path in find_folder().iterdir():
        remove(path)


def write_folder(folder: Path) -> Path:
    (folder / "p=2").mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"x\n1\n")
    (folder / "p=2/b.csv").write_bytes(b"x\n2\n")
    return folder


@pytest.mark.parametrize("kind", ["file", "folder", "empty"])
def test_what_is_kept_comes_back_whole_and_is_kept_once(store: Any, tmp_path: Path, kind: str) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(b"" if kind == "empty" else bytes(range(256)) * (40 << 10))
    table = write_folder(tmp_path / "parts") if kind == "folder" else table
    digest = str(digest_table(table))

    was_new = [store.put(table, digest), store.put(table, digest)]
    forget()

    taken = store.take(digest)
    assert was_new == [True, False] and store.holds(digest)
    assert taken is not None and digest_table(taken) == digest
    assert digest in store.list_digests()


def test_bytes_that_are_others_by_the_time_they_are_sent_get_no_name(store: Any, tmp_path: Path) -> None:
    table, promised = tmp_path / "t.csv", digest_bytes(b"earlier")
    table.write_bytes(b"later")

    with pytest.raises(DataError, match=f"expected the bytes of {promised}, found others"):
        store.put(table, promised)

    assert not store.holds(promised)
    assert store.list_digests() == {}


def test_what_is_not_there_is_none(store: Any) -> None:
    assert store.take(digest_bytes(b"nowhere")) is None
    assert not store.holds(digest_bytes(b"nowhere"))


def test_what_is_deleted_is_gone(store: Any, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(b"x\n")
    store.put(table, digest_bytes(b"x\n"))

    store.delete(digest_bytes(b"x\n"))
    forget()

    assert store.take(digest_bytes(b"x\n")) is None


def test_the_files_of_a_folder_are_kept_once_each_in_a_bucket(store: Any, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "parts")
    digest = str(digest_table(folder))
    store.put(folder, digest)

    parts = store.list_parts(digest)

    assert set(parts) | {digest} == set(store.list_digests())


def test_a_damaged_object_is_not_believed(store: Any, tmp_path: Path) -> None:
    table, digest = tmp_path / "t.csv", digest_bytes(b"x\n")
    table.write_bytes(b"x\n")
    store.put(table, digest)
    if hasattr(store, "folder"):
        (store.folder / "sha256" / digest[7:9] / digest[9:]).write_bytes(b"y\n")
        assert store.take(digest) is None
        return
    store.bucket.put(f"{store.prefix}sha256/{digest[7:9]}/{digest[9:]}", iter([b"y\n"]))

    with pytest.raises(DataError, match="expected the pinned"):
        store.take(digest)


def test_a_bucket_that_is_not_there_is_told_apart_from_an_object_that_is_not(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hasattr(store, "folder"):
        pytest.skip("a folder that is not there is refused elsewhere")
    said = "s3://nobody-has-this: expected a bucket that is there, found none of that name"
    table = tmp_path / "t.csv"
    table.write_bytes(b"x\n")
    monkeypatch.setenv("SAMEBITS_DATA_STORE", "s3://nobody-has-this/tables")

    with pytest.raises(DataError, match=said):
        open_store(tmp_path)
    with pytest.raises(DataError, match=said):
        open_named("s3://nobody-has-this/tables").put(table, digest_bytes(b"x\n"))


def test_a_file_that_cannot_be_read_is_named_and_not_the_store(store: Any, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/gone.csv").symlink_to(tmp_path / "nowhere")

    with pytest.raises(DataError, match=r"gone\.csv"):
        store.put(tmp_path / "parts", digest_bytes(b"x\n"))


def test_what_cannot_be_read_in_a_store_is_not_kept_there(tmp_path: Path) -> None:
    digest, store = digest_bytes(b"x\n"), tmp_path / "store"
    (store / f"sha256/{digest[7:9]}/{digest[9:]}").mkdir(parents=True)
    (store / f"sha256/{digest[7:9]}/{digest[9:]}/part.csv").symlink_to("nowhere")

    assert not open_named(str(store), DigestCache(tmp_path)).holds(digest)


def test_a_project_names_its_store_and_the_environment_goes_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAMEBITS_DATA_STORE", raising=False)
    (tmp_path / "pyproject.toml").write_text('[tool.samebits]\ndata_store = "s3://team/tables"\n', "utf-8")

    own = list_stores(tmp_path)
    monkeypatch.setenv("SAMEBITS_DATA_STORE", f"{tmp_path}:gs://other/x")

    assert own == ["s3://team/tables"]
    assert list_stores(tmp_path) == [str(tmp_path), "gs://other/x"]


@pytest.mark.parametrize(
    ("name", "said"), [("", "none named"), ("/nowhere/at/all", "a folder that is there"), ("https://host/x", "a folder, or a bucket")]
)
def test_a_store_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str) -> None:
    monkeypatch.setenv("SAMEBITS_DATA_STORE", name)

    with pytest.raises(DataError, match=said):
        open_store(tmp_path)
