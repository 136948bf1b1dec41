"""Tables in a bucket: the version that is named, the version that was read, all below a folder, and what is said where none is."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import servers

from samebits.errors import DataError
from samebits.sources.bringing import bring_named

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("moto") is None or importlib.util.find_spec("boto3") is None,
        reason="moto, boto3 not installed: uv sync --inexact --extra server --group servers",
    ),
    pytest.mark.xdist_group("bucket"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.start_object_store(tmp_path_factory.mktemp("bucket")) as address:
        yield address


@pytest.fixture
def bucket(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import boto3

    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "secret-word", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", store)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    client = boto3.client("s3", endpoint_url=store, region_name="us-east-1")
    name = f"team-{abs(hash(str(tmp_path))) % 10**9}"
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return lambda key, body: (name, client.put_object(Bucket=name, Key=key, Body=body)["VersionId"])


def fetch(address: str, pin: str | None = None) -> tuple[bytes, str, list[str]]:
    said: list[str] = []
    brought = bring_named(address, Path(address), pin, follow=said.append)
    assert brought is not None
    return brought.path.read_bytes(), brought.location, said


def test_the_version_that_is_named_is_read_and_the_one_that_was_read_is_named(bucket: Any) -> None:
    name, first = bucket("raw/x.csv", b"a\n1\n")
    _, second = bucket("raw/x.csv", b"a\n2\n")

    latest, old = fetch(f"s3://{name}/raw/x.csv"), fetch(f"s3://{name}/raw/x.csv?versionId={first}")

    assert latest[:2] == (b"a\n2\n", f"s3://{name}/raw/x.csv?versionId={second}")
    assert old[:2] == (b"a\n1\n", f"s3://{name}/raw/x.csv?versionId={first}")


def test_what_did_not_change_is_fetched_once_and_what_did_again(bucket: Any) -> None:
    name, _ = bucket("x.csv", b"a\n1\n")
    first, again = fetch(f"s3://{name}/x.csv"), fetch(f"s3://{name}/x.csv")
    bucket("x.csv", b"a\n2\n")
    changed = fetch(f"s3://{name}/x.csv")

    assert [len(said) for _, _, said in (first, again, changed)] == [1, 0, 1]
    assert changed[0] == b"a\n2\n"


def test_all_below_a_folder_is_one_table(bucket: Any) -> None:
    name, _ = bucket("parts/p=1/x.csv", b"a\n1\n")
    bucket("parts/p=2/x.csv", b"a\n2\n")
    bucket("parts-of-others/x.csv", b"a\n3\n")

    brought = bring_named(f"s3://{name}/parts/", Path("x"), None)

    assert brought is not None
    assert sorted(path.relative_to(brought.path).as_posix() for path in brought.path.rglob("*.csv")) == ["p=1/x.csv", "p=2/x.csv"]


def test_a_file_of_several_pieces_comes_whole(bucket: Any) -> None:
    content = bytes(range(256)) * (70 << 10)
    name, _ = bucket("large.bin", content)

    assert fetch(f"s3://{name}/large.bin")[0] == content


@pytest.mark.parametrize("key", ["none.csv", "folder/", "x.csv?versionId=none"])
def test_what_is_not_there_is_said_by_its_address(bucket: Any, key: str) -> None:
    name, _ = bucket("x.csv", b"a\n1\n")

    with pytest.raises(DataError, match=rf"data\.path: expected a table, found nothing at s3://{name}/"):
        fetch(f"s3://{name}/{key}")


def test_a_store_that_does_not_answer_is_said_without_its_secrets(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setattr("samebits.sources.buckets._RETRIES", {"max_retries": 0})

    with pytest.raises(DataError, match="expected an answer of the store") as refusal:
        fetch("s3://team-data/x.csv")

    assert "secret-word" not in str(refusal.value) and "\n" not in str(refusal.value)
