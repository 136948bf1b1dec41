from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from samebits import plain_files
from samebits.digests import digest_bytes, digest_file
from samebits.plain_files import is_plain, open_plain, read_plain


def test_a_file_of_the_limit_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 10)

    assert read_plain(tmp_path / "a", 10) == b"x" * 10
    with pytest.raises(OSError, match="more than 9 bytes"):
        read_plain(tmp_path / "a", 9)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    with pytest.raises(OSError, match="a named pipe, which is no regular file"):
        open_plain(tmp_path / "pipe")
    with pytest.raises(OSError, match="a device"):
        digest_file(Path("/dev/zero"))
    with pytest.raises(IsADirectoryError, match="a folder"):
        digest_file(tmp_path)
    assert [is_plain(tmp_path / name) for name in ("pipe", "loop", "nothing", "nul\0")] == [False] * 4


@pytest.mark.parametrize(("change", "said"), [(3, "shrinks"), (50, "grows")])
def test_a_file_that_changes_its_size_meanwhile_has_no_digest(
    tmp_path: Path, change: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 10)
    real, calls = os.fstat, []

    def change_after(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        calls.append(descriptor)
        if len(calls) == 2:  # after its size was noted
            os.truncate(path, change)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(plain_files.os, "fstat", change_after)
        with pytest.raises(OSError, match=said) as raised:
            digest_file(path)

    assert raised.value.errno == errno.EBUSY
    assert digest_file(path) == digest_bytes(path.read_bytes())
