"""Installed files as they may be found: edited, gone, put beside, stripped, from installers that keep no record."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from pathlib import Path

import pytest

from samebits.digests import digest_bytes
from samebits.errors import ProvenanceError
from samebits.installed import held as held_module
from samebits.installed.distributions import Distribution, list_distributions
from samebits.installed.held import MISSING, Held, hold_packages


def install(site: Path, name: str = "pack", version: str = "1.0", files: dict[str, str] | None = None, **beside: str) -> Distribution:
    """Leave in a folder what an installer leaves there of a wheel."""
    contents = {f"{name}/__init__.py": "ONE = 1\n", f"{name}/tree.py": "DEPTH = 2\n"} if files is None else files
    info = f"{name}-{version}.dist-info"
    contents |= {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", f"{info}/INSTALLER": "uv\n"}
    lines = []
    for path, text in contents.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text, encoding="utf-8")
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii").rstrip("=")
        lines.append(f"{path},sha256={digest},{len(text)}")
    (site / info / "RECORD").write_text("\n".join([*lines, f"{info}/RECORD,,"]), encoding="utf-8")
    for file, text in beside.items():
        (site / info / file.replace("__", ".")).write_text(text, encoding="utf-8")
    return list_distributions([str(site)])[name]


def hold(site: Path, name: str = "pack") -> Held:
    installed = list_distributions([str(site)])
    return hold_packages([installed[name]], installed.values())


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(held_module, "_SETTLED_SECONDS", -1)  # what was just written counts as settled: no test waits
    return tmp_path / "cache/samebits"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    install(tmp_path / "site")
    return tmp_path / "site"


def test_a_package_as_it_was_installed_has_nothing_to_say(site: Path) -> None:
    assert hold(site) == Held({}, {})


def test_an_edited_file_is_named_with_its_digest(site: Path) -> None:
    (site / "pack/tree.py").write_text("DEPTH = 1\n", encoding="utf-8")

    assert hold(site).modified == {"pack/tree.py": digest_bytes(b"DEPTH = 1\n")}


def test_an_edit_is_found_after_the_package_was_remembered_even_where_size_and_time_were_set_back(site: Path, own_cache: Path) -> None:
    assert hold(site).modified == {} and (own_cache / "held-packages").stat().st_size > 0
    path = site / "pack/tree.py"
    before = path.stat()
    time.sleep(0.02)  # more than the step of the file system's clock

    path.write_text("DEPTH = 1\n", encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert list(hold(site).modified) == ["pack/tree.py"]


def test_a_file_that_is_gone_is_missing(site: Path) -> None:
    (site / "pack/tree.py").unlink()

    assert hold(site).modified == {"pack/tree.py": MISSING}


@pytest.mark.parametrize("name", ["pack/tree.abi3.so", "pack/extra.py", "pack/tree.pyc", "pack/tree/__init__.py"])
def test_a_module_that_was_put_beside_the_packages_own_is_named(site: Path, name: str) -> None:
    hold(site)
    (site / name).parent.mkdir(exist_ok=True)
    (site / name).write_text("X = 1\n", encoding="utf-8")

    assert list(hold(site).modified) == [name.removesuffix("/__init__.py")]


def test_byte_code_data_and_another_packages_files_beside_are_no_change(site: Path) -> None:
    for name in ("pack/__pycache__/tree.cpython-311.pyc", "pack/notes.txt"):
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text("x", encoding="utf-8")
    install(site, "pack-plugin", files={"pack/plugin.py": "P = 1\n"})

    assert hold(site).modified == {}


def test_a_link_in_the_place_of_a_file_is_read_as_python_would_and_a_pipe_is_not_waited_for(site: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text("DEPTH = 9\n", encoding="utf-8")
    (site / "pack/tree.py").unlink()
    (site / "pack/tree.py").symlink_to(tmp_path / "elsewhere.py")
    (site / "pack/__init__.py").unlink()
    os.mkfifo(site / "pack/__init__.py")

    assert hold(site).modified == {"pack/__init__.py": "no file", "pack/tree.py": digest_bytes(b"DEPTH = 9\n")}


def test_a_package_of_which_a_great_part_is_gone_is_named_as_one(tmp_path: Path) -> None:
    site = tmp_path / "many"
    install(site, files={f"pack/m{number}.py": "" for number in range(50)})
    for number in range(30):
        (site / f"pack/m{number}.py").unlink()

    assert list(hold(site).modified) == ["pack (30 files)"]


def test_a_package_without_a_record_without_hashes_or_of_conda_or_editable_is_a_fact_with_its_reason(tmp_path: Path) -> None:
    for number, (beside, said) in enumerate(
        [
            ({"INSTALLER": "conda\n"}, "installed by conda"),
            ({"RECORD": "pack/__init__.py,,\n"}, "no hashes"),
            ({"direct_url__json": '{"url": "file:///x", "dir_info": {"editable": true}}'}, "editable"),
        ]
    ):
        site = tmp_path / str(number)
        install(site, **beside)

        found = hold(site)

        assert said in found.not_held["pack"] and found.modified == {}
    (tmp_path / "0/pack-1.0.dist-info/INSTALLER").unlink()
    (tmp_path / "0/pack-1.0.dist-info/RECORD").unlink()
    assert hold(tmp_path / "0").not_held == {"pack": "installed without a RECORD"}


@pytest.mark.parametrize("content", [b"\xff\x00 not text", b"0" * (2 << 20), b""])
def test_a_damaged_memory_is_no_memory(site: Path, own_cache: Path, content: bytes) -> None:
    own_cache.mkdir(parents=True, mode=0o700)
    (own_cache / "held-packages").write_bytes(content)
    (site / "pack/tree.py").write_text("DEPTH = 1\n", encoding="utf-8")

    assert list(hold(site).modified) == ["pack/tree.py"]


def test_a_memory_that_others_may_write_to_is_not_believed(site: Path, own_cache: Path) -> None:
    hold(site)
    remembered = own_cache / "held-packages"
    remembered.chmod(0o666)
    tampered = site / "pack/tree.py"
    tampered.write_text("DEPTH = 1\n", encoding="utf-8")
    state = held_module._read_state(list_distributions([str(site)])["pack"])
    assert state is not None
    remembered.write_text(state.digest, encoding="ascii")

    assert list(hold(site).modified) == ["pack/tree.py"]


def test_a_home_that_cannot_be_written_to_costs_the_memory_alone(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")

    assert hold(site) == Held({}, {})


def test_a_path_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution = install(site)
    record = site / "pack-1.0.dist-info/RECORD"
    record.write_text(
        record.read_text(encoding="utf-8") + "\n../../etc/passwd,sha256=AAAA,1\npack/../../x,sha256=AAAA,1", encoding="utf-8"
    )

    assert hold(site).modified == {}
    assert not [path for path in list_distributions([str(site)])["pack"].paths if ".." in path]
    assert distribution.record_digest == list_distributions([str(site)])["pack"].record_digest


def test_two_installers_records_of_one_wheel_have_one_digest(tmp_path: Path) -> None:
    by_uv, by_pip = install(tmp_path / "a"), install(tmp_path / "b")
    record = tmp_path / "b/pack-1.0.dist-info/RECORD"
    lines = record.read_text(encoding="utf-8").splitlines()
    noise = ["pack/__pycache__/tree.cpython-311.pyc,,", "../../../bin/pack,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0"]
    record.write_text("\r\n".join([*noise, *reversed(lines)]), encoding="utf-8")

    assert list_distributions([str(tmp_path / "b")])["pack"].record_digest == by_uv.record_digest == by_pip.record_digest


def test_a_package_that_describes_itself_in_other_bytes_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "odd-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_bytes(b"Metadata-Version: 2.1\nName: odd\nVersion: 1.0\nAuthor: \xff\n")

    with pytest.raises(ProvenanceError, match=r"odd-1\.0\.dist-info: expected METADATA that is UTF-8"):
        list_distributions([str(tmp_path)])
