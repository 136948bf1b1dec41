from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from samebits.errors import ConfigError
from samebits.starter.source import find_source

WHEEL = "samebits-2026.1.0-py3-none-any.whl"


def write_wheel(path: Path, member: str = "samebits/__main__.py") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("samebits-2026.1.0.dist-info/RECORD", f"{member},sha256={'A' * 43},0\n")
    return path


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("git+https://host/team/samebits@2026.11.4", '{ git = "https://host/team/samebits", rev = "2026.11.4" }'),
        ("https://host/team/samebits.git", '{ git = "https://host/team/samebits.git" }'),
        ("git+ssh://git@host:2222/x.git@feature/a", '{ git = "ssh://git@host:2222/x.git", rev = "feature/a" }'),
        ("file:///srv/samebits@main", '{ git = "file:///srv/samebits", rev = "main" }'),
    ],
)
def test_a_git_address_is_written_as_uv_takes_it(address: str, entry: str) -> None:
    found = find_source(address)

    assert (found.entry, found.wheel) == (entry, None)


@pytest.mark.parametrize("address", ["https://me:secret@host/x.git", "git+https://token12345@host/x@v1"])
def test_an_address_with_a_password_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ConfigError, match="without user and password") as refused:
        find_source(address)

    assert "secret" not in str(refused.value) and "token12345" not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    ["nothing", "git@host:x.git", 'https://host/x"\n[tool]', "-c", "https://host", "http://host/x", 'https://host/x"', " file:///x"],
)
def test_what_is_neither_wheel_nor_address_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="a wheel, or an address"):
        find_source(given)


def test_a_wheel_comes_along_under_its_own_name(tmp_path: Path) -> None:
    path = write_wheel(tmp_path / WHEEL)

    found = find_source(str(path))

    assert found.entry == f'{{ path = "wheels/{WHEEL}" }}'
    assert found.wheel == (WHEEL, path.read_bytes())


def test_another_packages_wheel_is_refused(tmp_path: Path) -> None:
    for path in (write_wheel(tmp_path / "numpy-2.4.0-py3-none-any.whl"), write_wheel(tmp_path / WHEEL, "numpy/__init__.py")):
        with pytest.raises(ConfigError, match="a wheel of samebits, under its own name"):
            find_source(str(path))


@pytest.mark.parametrize("content", [b"", b"no zip"])
def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / WHEEL).write_bytes(content)

    with pytest.raises(ConfigError, match="a wheel of samebits"):
        find_source(str(tmp_path / WHEEL))


def test_a_wheel_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        find_source(str(tmp_path / WHEEL))
