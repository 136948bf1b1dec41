from __future__ import annotations

import bz2
import io
import resource
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, clean_environment
from sklearn.tree import DecisionTreeClassifier

from samebits.errors import LineageError
from samebits.model import expansion
from samebits.model.expansion import expand_archive
from samebits.model.file import dump_model, load_model

ZEROS = 1 << 30


def make_bomb(members: int = 1, size_bytes: int = ZEROS) -> bytes:
    """A model file of a few kilobytes; its members say how large they are."""
    honest, buffer = zipfile.ZipFile(io.BytesIO(dump_model(DecisionTreeClassifier().fit([[0], [1]], [0, 1])))), io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("schema.json", honest.read("schema.json"))
        for number in range(members):
            with archive.open(f"{number}.npy", "w", force_zip64=True) as member:
                for _ in range(size_bytes >> 20):
                    member.write(bytes(1 << 20))
    return buffer.getvalue()


def make_lying_bomb() -> bytes:
    """The same, but its headers say that the member has ten bytes."""
    packed = bz2.compress(bytes(ZEROS))
    fields = (20, 0, zipfile.ZIP_BZIP2, 0, 33, 0, len(packed), 10)
    local = struct.pack("<4sHHHHHLLLHH", b"PK\3\4", *fields, 5, 0) + b"0.npy"
    central = struct.pack("<4sHHHHHHLLLHHHHHLL", b"PK\1\2", 20, *fields, 5, 0, 0, 0, 0, 0, 0) + b"0.npy"
    end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local) + len(packed), 0)
    return local + packed + central + end


def run_limited(path: Path) -> subprocess.CompletedProcess[str]:
    """Load a model file in a process that has 1 GiB in all."""
    return subprocess.run(
        [sys.executable, "-c", "import sys; from pathlib import Path; from samebits.model.file import load_model; "
         "load_model(Path(sys.argv[1]).read_bytes())", str(path)],
        env={**clean_environment(), "PYTHONPATH": str(ROOT / "src"), "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)), capture_output=True, encoding="utf-8",
    )  # fmt: skip


def test_a_small_file_that_expands_without_end_is_refused_before_it_is_expanded() -> None:
    content = make_bomb()
    assert len(content) < 10_000

    with pytest.raises(LineageError, match="at most 256 MiB and 50 times its size when it is expanded, found more"):
        load_model(content)


def test_many_members_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    content = make_bomb(members=4, size_bytes=1 << 20)
    assert expand_archive(content)

    monkeypatch.setattr(expansion, "LEAST_EXPANDED_BYTES", 2 << 20)

    with pytest.raises(LineageError, match="found more"):
        expand_archive(content)


def test_a_header_that_lies_is_found_while_the_member_is_expanded(tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(make_lying_bomb())

    done = run_limited(tmp_path / "model.skops")

    assert "BadZipFile: 0.npy is not what its header says" in done.stderr
    assert "MemoryError" not in done.stderr


def test_an_archive_of_too_many_members_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = make_bomb(members=5, size_bytes=1 << 20)
    monkeypatch.setattr(expansion, "MOST_MEMBERS", 5)

    with pytest.raises(LineageError, match="found more"):
        expand_archive(content)


def test_a_damaged_member_is_no_model() -> None:
    content = bytearray(dump_model(DecisionTreeClassifier().fit([[0], [1]], [0, 1])))
    content[60] ^= 1

    with pytest.raises(LineageError, match="expected a skops archive"):
        load_model(bytes(content))


def test_the_process_that_loads_a_model_takes_no_more_than_its_limits_and_writes_no_file(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from samebits.model import check; check.MEMORY_BYTES = 1 << 30; "
        "check.limit_process(0)\n"
        "try: bytearray(2 << 30)\nexcept MemoryError: print('no memory')\n"
        "try: Path(sys.argv[1]).write_bytes(b'x')\nexcept OSError as error: print(error.strerror)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "x")],
        env={**clean_environment(), "PYTHONPATH": str(ROOT / "src")}, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip

    assert done.stdout.splitlines() == ["no memory", "File too large"], done.stderr


def test_members_that_lie_over_each_other_are_refused_before_any_is_read() -> None:
    packed = b"\x03\x00" + bytes(1 << 20)  # an empty member, and what nobody needs after it
    fields = (20, 0, zipfile.ZIP_DEFLATED, 0, 33, 0, len(packed), 0)
    local = struct.pack("<4sHHHHHLLLHH", b"PK\3\4", *fields, 1, 0) + b"a"
    central = (struct.pack("<4sHHHHHHLLLHHHHHLL", b"PK\1\2", 20, *fields, 1, 0, 0, 0, 0, 0, 0) + b"a") * 2
    end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 2, 2, len(central), len(local) + len(packed), 0)

    with pytest.raises(LineageError, match="when it is expanded, found more"):
        expand_archive(local + packed + central + end)
