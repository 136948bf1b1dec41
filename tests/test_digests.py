from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebits.digests import canonical_json, digest_bytes, digest_file, digest_folder, digest_value

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(PLAIN)
def test_canonical_bytes_read_back_as_the_same_value(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(), PLAIN))
def test_the_order_of_keys_changes_no_byte(value: dict[str, object]) -> None:
    backwards = dict(reversed(list(value.items())))

    assert canonical_json(backwards) == canonical_json(value)


@pytest.mark.parametrize(
    ("value", "written"), [(float("inf"), b'"Infinity"'), (-float("inf"), b'"-Infinity"'), (float("nan"), b'"NaN"')]
)
def test_numbers_that_json_has_not_become_words(value: float, written: bytes) -> None:
    assert canonical_json(value) == written


def test_one_ulp_changes_the_digest() -> None:
    assert digest_value(0.1 + 0.2) != digest_value(0.3)


@given(st.binary(max_size=5000))
def test_a_files_digest_is_that_of_its_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("digested") / "file"
    path.write_bytes(content)

    assert digest_file(path) == digest_bytes(content) == "sha256:" + hashlib.sha256(content).hexdigest()


def test_a_folder_is_its_sorted_files_without_hidden_ones(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.csv").write_bytes(b"1")
    (tmp_path / "a.csv").write_bytes(b"2")
    before = digest_folder(tmp_path)
    (tmp_path / ".hidden").write_bytes(b"3")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "m.pyc").write_bytes(b"4")

    assert digest_folder(tmp_path) == before
    (tmp_path / "a.csv").rename(tmp_path / "c.csv")
    assert digest_folder(tmp_path) != before
