"""Addresses that are recorded name one thing and hold no secret."""

from __future__ import annotations

import pytest

from samebits.errors import ConfigError
from samebits.sources.address import parse_address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://host/x.csv", "an address that begins with one of s3://"),
        ("file:///data/x.csv", "Write a path without file://"),
        ("s3://bucket", "an address of a file"),
        ("s3://[x/y.csv", "an address"),
        ("s3://team/report#2.csv", "nothing after the key but ?versionId="),
        ("s3://team/x.csv?versionID=3", "nothing after the key but ?versionId="),
        ("https://host/", "an address of a file"),
        ("https://me:secret-word@host/x.csv", "an address without credentials"),
        ("s3://AKIAX:secret-word@bucket/x.csv", "an address without credentials"),
        ("https://host/x.csv?X-Amz-Signature=secret-word", "an address without credentials"),
        ("hf://datasets/owner/name/x.csv", "Without a revision"),
        ("hf://models/owner/name@main/x.csv", "hf://datasets/OWNER/NAME@REVISION/FILE"),
    ],
)
def test_an_address_that_cannot_be_recorded_is_refused_and_shows_no_secret(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.path") as refusal:
        parse_address(text)

    assert said in str(refusal.value)
    assert "secret-word" not in str(refusal.value)


def test_a_revision_of_the_hub_is_part_of_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.test")

    address = parse_address("hf://datasets/owner/name@9fd2c1b/data/a b.csv")

    assert address.root == "http://hub.test/datasets/owner/name/resolve/9fd2c1b/data/a%20b.csv"
    assert address.name == "a%20b.csv"


def test_a_version_that_was_read_is_named_unless_the_config_names_one() -> None:
    latest, one = parse_address("gs://bucket/raw/x.csv"), parse_address("gs://bucket/raw/x.csv?generation=17")

    assert latest.name_version("18") == "gs://bucket/raw/x.csv?generation=18"
    assert one.name_version("17") == "gs://bucket/raw/x.csv?generation=17"
    assert (one.root, one.key, one.version) == ("gs://bucket", "raw/x.csv", "17")
