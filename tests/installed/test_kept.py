"""What is kept of an environment without a lock, and what may be read back of it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from samebits.errors import LineageError
from samebits.installed.distributions import list_distributions
from samebits.installed.kept import PACKAGES_FILE, KeptPackage, collect_environment_files, pack_local_wheels, read_kept_packages
from samebits.installed.wheels import pack_wheel


def test_each_package_is_kept_by_name_version_and_the_digest_of_its_record_and_read_back_so() -> None:
    files = collect_environment_files({"six": "whatever", "numpy": "whatever", "no-such-package": "1"})

    (numpy, six) = read_kept_packages(files[PACKAGES_FILE], "x")
    found = list_distributions()["six"]
    assert six == KeptPackage("six", found.version, None, found.record_digest)
    assert numpy.requirement == f"numpy=={numpy.version}" and numpy.record_digest is not None
    assert list(files) == [PACKAGES_FILE]  # samebits runs from a checkout here, which is no wheel
    assert files == collect_environment_files({"numpy": "", "six": ""})


@pytest.mark.parametrize(
    "package",
    [
        {"name": "-r/etc/passwd", "version": "1", "record": None},
        {"name": "six\n--index-url=http://evil", "version": "1", "record": None},
        {"name": "six", "version": "1 --index-url http://evil", "record": None},
        {"name": "six", "version": "1\n", "record": None},
        {"name": "six", "version": "1", "url": "/etc/passwd", "record": None},
        {"name": "six", "version": "1", "url": "https://x/y.whl\n-e .", "record": None},
        {"name": "six", "version": "1", "record": "sha256:1"},
        {"name": 6, "version": "1", "record": None},
        {"version": "1", "record": None},
        ["six"],
    ],
)
def test_what_an_installer_would_take_for_more_than_a_package_is_refused(package: Any) -> None:
    with pytest.raises(LineageError, match=r"packages\.json: expected packages by name, version and record"):
        read_kept_packages(json.dumps({"packages": [package]}).encode(), "packages.json")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"packages": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_list_of_packages_is_refused(content: bytes) -> None:
    with pytest.raises(LineageError):
        read_kept_packages(content, "packages.json")


def test_a_wheel_packed_again_installs_the_same_files(tmp_path: Path) -> None:
    found = list_distributions()["six"]
    name, content = pack_wheel(found, {path: found.folder / path for path in found.files})
    (tmp_path / name).write_bytes(content)
    command = ["uv", "pip", "install", "-q", "--no-deps", "--offline", "--python", sys.executable]

    subprocess.run([*command, "--target", str(tmp_path / "site"), str(tmp_path / name)], check=True)

    assert list_distributions([str(tmp_path / "site")])["six"].record_digest == found.record_digest
    assert pack_wheel(found, {path: found.folder / path for path in reversed(found.files)}) == (name, content)
    assert {member.date_time for member in zipfile.ZipFile(tmp_path / name).infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_package_from_this_machines_own_disk_is_kept_whole_unless_it_was_changed_or_holds_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    six = list_distributions()["six"]
    name, content = pack_wheel(six, {path: six.folder / path for path in six.files})
    (tmp_path / name).write_bytes(content)
    command = ["uv", "pip", "install", "-q", "--no-deps", "--offline", "--python", sys.executable]
    subprocess.run([*command, "--target", str(tmp_path / "site"), str(tmp_path / name)], check=True)
    monkeypatch.setattr("samebits.installed.kept.list_distributions", lambda: list_distributions([str(tmp_path / "site")]))

    assert not six.is_local and pack_local_wheels({"six": "", "numpy": ""}) == {name: content}
    with monkeypatch.context() as patched:
        patched.setattr("samebits.installed.kept._MOST_BYTES", 1000)
        assert pack_local_wheels({"six": ""}) == {}
    monkeypatch.setattr("samebits.installed.kept.find_secret_name", lambda name: "a secret's name" if name == "six.py" else None)
    assert pack_local_wheels({"six": ""}) == {}
    monkeypatch.undo()
    monkeypatch.setattr("samebits.installed.kept.list_distributions", lambda: list_distributions([str(tmp_path / "site")]))
    (tmp_path / "site/six.py").unlink()
    (tmp_path / "site/six.py").write_text("edited = 1\n", encoding="utf-8")  # no link into uv's cache is written through
    assert pack_local_wheels({"six": ""}) == {}


def test_a_local_package_without_a_record_is_not_kept_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "odd-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n", encoding="utf-8")
    (info / "direct_url.json").write_text('{"url": "file:///srv/odd", "dir_info": {}}', encoding="utf-8")
    monkeypatch.setattr("samebits.installed.kept.list_distributions", lambda: list_distributions([str(tmp_path)]))

    assert list_distributions([str(tmp_path)])["odd"].is_local
    assert pack_local_wheels({"odd": "1.0"}) == {}
    (info / "INSTALLER").write_text("conda\n", encoding="utf-8")
    assert not list_distributions([str(tmp_path)])["odd"].is_local
