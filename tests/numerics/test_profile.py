from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from conftest import clean_environment

from samebits.errors import ProvenanceError
from samebits.numerics import profile
from samebits.numerics.profile import Kernels, check_kernels, make_environment, pin_profile

PINNED = Kernels(
    blas=[{"internal_api": "openblas", "architecture": "Haswell", "num_threads": 1, "version": "0"}],
    openmp_threads=[1],
    cpu_dispatch=[],
    probe={},
)
TORCH = {"cpu_capability": "AVX2", "threads": 1, "deterministic": True}
READ_BACK = """
import json, sys, dataclasses
from samebits.numerics.profile import pin_profile, read_kernels
pin_profile(sys.argv[1])
import numpy, scipy.linalg
print(json.dumps([dataclasses.asdict(read_kernels()), sys.flags.hash_randomization, hash("a")]))
"""


def read_back(name: str, *flags: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *flags, "-c", READ_BACK, name]
    environment = {**clean_environment(**env), "PYTHONPATH": "src"}
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)


def test_portable_takes_effect_whatever_the_shell_exports() -> None:
    shells = [{}, {"OPENBLAS_CORETYPE": "Zen", "OMP_NUM_THREADS": "8", "NPY_DISABLE_CPU_FEATURES": "X86_V3", "PYTHONHASHSEED": "9"}]

    found = [json.loads(read_back("portable", **shell).stdout) for shell in shells]

    kernels, randomized, _ = found[0]
    assert found[0] == found[1]
    assert {facts["architecture"] for facts in kernels["blas"]} == {"Haswell"}
    assert {facts["num_threads"] for facts in kernels["blas"]} == {1}
    assert len(kernels["blas"]) == 2  # NumPy's and SciPy's
    assert kernels["openmp_threads"] == [1] and randomized == 0


def test_native_drops_what_the_shell_exports() -> None:
    plain, exported = (json.loads(read_back("native", **env).stdout) for env in ({}, {"OPENBLAS_CORETYPE": "Prescott"}))

    assert plain == exported
    assert {facts["num_threads"] for facts in plain[0]["blas"]} == {1}


@pytest.mark.parametrize("flag", ["-E", "-I"])
def test_a_python_that_ignores_its_environment_is_refused(flag: str) -> None:
    done = read_back("portable", flag)

    assert "PYTHONHASHSEED" in done.stderr or "No module named 'samebits'" in done.stderr


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("portable", {"blas": [{**PINNED.blas[0], "architecture": "Zen"}]}, "openblas kernel: expected Haswell, found Zen"),
        ("native", {"blas": [{**PINNED.blas[0], "num_threads": 4}]}, "openblas threads: expected 1, found 4"),
        ("native", {"openmp_threads": [1, 2]}, "OpenMP threads: expected 1, found 2"),
        ("portable", {"torch": {**TORCH, "cpu_capability": "AVX512"}}, "PyTorch's CPU capability: expected AVX2, found AVX512"),
        ("native", {"torch": {**TORCH, "threads": 2}}, "PyTorch's threads: expected 1, found 2"),
        ("native", {"torch": {**TORCH, "gpu": {"available": False}}}, "device: cuda: expected a GPU that PyTorch can use, found none"),
        ("portable", {"cpu_dispatch": ["X86_V3"]}, "NumPy's CPU dispatch: expected at most X86_V2, found X86_V3"),
    ],
)
def test_what_did_not_take_effect_is_refused(name: Any, changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ProvenanceError, match=expected):
        check_kernels(name, dataclasses.replace(PINNED, **changes))


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [("aarch64", {"avx2", "fma"}, "expected an x86-64 machine, found aarch64"), ("x86_64", {"avx2"}, "found one without fma")],
)
def test_a_machine_that_cannot_keep_portable_is_refused_before_it_crashes(
    monkeypatch: pytest.MonkeyPatch, machine: str, flags: set[str], expected: str
) -> None:
    monkeypatch.setattr(profile.platform, "machine", lambda: machine)
    monkeypatch.setattr(profile, "read_cpu_flags", lambda: flags)
    monkeypatch.setattr(profile.os, "execve", lambda *_: pytest.fail("must not start"))

    with pytest.raises(ProvenanceError, match=f"{expected}.*numeric_profile: native"):
        pin_profile("portable")


@pytest.mark.parametrize("name", ["portable", "native"])
def test_no_variable_of_a_shell_chooses_pytorchs_kernels(name: Any) -> None:
    shell = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "DNNL_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "SSE2"}

    assert make_environment(name, shell) == make_environment(name, {})


def test_a_native_pytorch_keeps_what_it_finds() -> None:
    assert profile._find_torch_problems("native", {**TORCH, "cpu_capability": "AVX512"}) == []


def test_the_users_other_variables_are_kept() -> None:
    made = make_environment("native", {"HOME": "/home/me", "OMP_NUM_THREADS": "9"})

    assert made["HOME"] == "/home/me"
    assert made["OMP_NUM_THREADS"] == "1"
    assert "OPENBLAS_CORETYPE" not in made
    assert os.environ is not made
