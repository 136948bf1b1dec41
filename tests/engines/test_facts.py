"""What a worker must share with the process that trains: each fact that differs alone is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from samebits.digests import digest_bytes
from samebits.engines.facts import Facts, find_difference, list_module_names, read_modules

SAME = Facts(
    python={"cpython": "3.11.7"},
    packages={"numpy": "2.4.6"},
    modified={},
    startup={},
    sources="sha256:" + "1" * 64,
    modules={"mine.py": "sha256:" + "2" * 64},
    text_hash=5,
    threads=1,
    kernels={"dispatch": "X86_V2", "openblas 0.3.31": "Haswell, 1", "sum": "sha256:" + "3" * 64},
    openmp_threads=1,
)
OTHERS: dict[str, tuple[Any, str]] = {
    "python": ({"cpython": "3.12.1"}, "cpython 3.11.7, found 3.12.1"),
    "packages": ({"numpy": "2.4.5"}, "numpy 2.4.6, found 2.4.5. Install the same lock there"),
    "modified": ({"numpy/core.py": "sha256:" + "4" * 64}, "numpy/core.py none, found sha256:444444444444…"),
    "startup": ({"sitecustomize.py": "sha256:" + "5" * 64}, "sitecustomize.py none, found sha256:5"),
    "sources": ("sha256:" + "6" * 64, "samebits' own files sha256:111111111111…, found sha256:6"),
    "modules": ({}, "module mine.py sha256:222222222222…, found none. Put the same files there"),
    "text_hash": (6, "PYTHONHASHSEED.*Dask's nanny sets its own"),
    "threads": (2, "one unit at a time.*found 2 threads"),
    "kernels": ({**SAME.kernels, "openblas 0.3.31": "Zen, 1"}, "kernels: openblas 0.3.31 Haswell, 1, found Zen, 1. Start it by"),
    "openmp_threads": (4, "1 OpenMP thread, found 4"),
}


def test_a_worker_that_is_the_same_is_taken() -> None:
    assert find_difference("worker a", SAME, SAME) is None


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Facts)])
def test_each_fact_that_differs_alone_is_named(name: str) -> None:
    other, said = OTHERS[name]

    problem = find_difference("worker tcp://a:1", SAME, dataclasses.replace(SAME, **{name: other}))

    import re

    assert problem is not None
    assert str(problem).startswith("worker tcp://a:1: expected ")
    assert re.search(said, str(problem))


def test_the_files_of_allowed_modules_count_and_those_of_packages_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("__init__.py", "inner.py"):
        (tmp_path / "mine" / name).write_text(f"# {name}", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    found = read_modules(["mine", "numpy", "absent"], tmp_path)

    assert found == {f"mine/{name}": digest_bytes(f"# {name}".encode()) for name in ("__init__.py", "inner.py")}
    assert "mine" in list_module_names(["mine"])
