"""The numeric profile: which threads, kernels and CPU features the numbers are made with; pinned before NumPy loads, then read back.

Which settings change bits, and that these stop it, was measured over 63 estimators and 121 primitives. They take effect only when
a process starts, so the program replaces itself once. What took effect is read from the libraries, never from the variables:
misspelt names are ignored silently by all of them.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from samebits.errors import Problem, ProvenanceError

ProfileName = Literal["portable", "native"]
PINNED_MARK = "SAMEBITS_PINNED"
HASH_SEED = "0"
_OF_TORCH = re.compile(r"[/\\](?:site|dist)-packages[/\\]torch[/\\]")  # which somebody else may have imported
# Square roots by PyTorch's MKL: the one computation that was found to differ between CPUs under `portable`. Of what samebits fits,
# only optimizers without their fused form take such roots.
UNFUSED_PROBE = "torch_sqrt"

_ONE_THREAD = dict.fromkeys(
    ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"], "1"
)
# Only libraries that are in use read the last two: CUDA's matrix products and TensorFlow's kernels.
_COMMON = {
    **_ONE_THREAD,
    # Changes no bit. Idle threads of GNU's OpenMP otherwise spin long for a core that another process has: on shared cores that took
    # three to nine times as long. Sleeping at once (OMP_WAIT_POLICY) costs half as much again on a quiet machine; this costs 5 %.
    "GOMP_SPINCOUNT": "1000",
    "PYTHONHASHSEED": HASH_SEED,
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "TF_DETERMINISTIC_OPS": "1",
}
_PORTABLE = {
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_ENABLE_CPU_FEATURES": "X86_V2",
    # Read by PyTorch, and by its oneDNN and MKL, alone: under this profile no BLAS but OpenBLAS computes for NumPy and SciPy.
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
}
# Inherited from a user's shell, each of these would choose other kernels.
_KERNEL_VARIABLES = (
    "OPENBLAS_CORETYPE",
    "NPY_ENABLE_CPU_FEATURES",
    "NPY_DISABLE_CPU_FEATURES",
    "GLIBC_TUNABLES",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "ONEDNN_CPU_ISA_HINTS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "DNNL_CPU_ISA_HINTS",
    "DNNL_DEFAULT_FPMATH_MODE",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TF_ENABLE_ONEDNN_OPTS",
    "OMP_DYNAMIC",
    "OMP_SCHEDULE",
)


@dataclass(frozen=True)
class Kernels:
    """What the numeric libraries say of themselves.

    Parameters
    ----------
    blas
        Architecture, threads and version of each BLAS loaded (NumPy and SciPy carry one each), without its path.
    openmp_threads
        Threads that each OpenMP runtime would use.
    cpu_dispatch
        CPU features, beyond its baseline, that NumPy chooses kernels by.
    probe
        Digest of what they compute of known numbers, by computation.
    torch
        What PyTorch says of itself; None where no package that the config allows needs it.
    """

    blas: list[dict[str, Any]]
    openmp_threads: list[int]
    cpu_dispatch: list[str]
    probe: dict[str, str]
    torch: dict[str, Any] | None = None


def make_environment(name: ProfileName, environment: dict[str, str]) -> dict[str, str]:
    """Return a copy of the environment in which a process starts under the profile."""
    kept = {key: value for key, value in environment.items() if key not in _KERNEL_VARIABLES}
    return {**kept, **_COMMON, **(_PORTABLE if name == "portable" else {}), PINNED_MARK: name}


def pin_profile(name: ProfileName) -> None:
    """Replace this process by itself under the profile's environment, unless it already runs so.

    Raises
    ------
    ProvenanceError
        This machine cannot keep the portable profile, or Python ignores its environment (-E, -I).
    """
    if name == "portable":
        _require_portable_cpu()
    wanted = make_environment(name, dict(os.environ))
    if wanted == dict(os.environ) and not sys.flags.hash_randomization:
        return
    if sys.flags.ignore_environment:
        raise ProvenanceError(Problem("python -E or -I", "a Python that reads PYTHONHASHSEED", "one that ignores it", "Drop it."))
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted)


def _require_portable_cpu() -> None:
    remedy = "Set numeric_profile: native; its runs repeat on machines with the same kernels."
    machine = platform.machine().lower()
    if machine not in ("x86_64", "amd64"):
        raise ProvenanceError(Problem("numeric_profile: portable", "an x86-64 machine", machine, remedy))
    flags = read_cpu_flags()
    missing = sorted({"avx2", "fma"} - flags) if flags else []
    if missing:
        raise ProvenanceError(
            Problem("numeric_profile: portable", "a CPU with AVX2 and FMA", f"one without {' and '.join(missing)}", remedy)
        )


def read_cpu_flags() -> set[str]:
    """Return the CPU's feature flags as the Linux kernel lists them; empty where it lists none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    lines = [line for line in text.splitlines() if line.startswith("flags")]
    return set(lines[0].partition(":")[2].split()) if lines else set()


def read_kernels(wants_torch: bool = False, wants_gpu: bool = False) -> Kernels:
    """Read from the loaded libraries which kernels and threads they use, and what these compute; from PyTorch where it is wanted."""
    import sklearn.utils._openmp_helpers  # noqa: F401  loads the OpenMP runtime
    import threadpoolctl

    from samebits.numerics.probe import probe_kernels

    torch, torch_probe = _read_torch(wants_gpu) if wants_torch else (None, {})
    umath = importlib.import_module("numpy._core._multiarray_umath")  # the only place where NumPy says what it chose
    found = [info for info in threadpoolctl.threadpool_info() if wants_torch or not _OF_TORCH.search(info["filepath"])]
    blas = [
        {key: info.get(key) for key in ("internal_api", "architecture", "num_threads", "version")}
        for info in found
        if info["user_api"] == "blas"
    ]
    return Kernels(
        blas=sorted(blas, key=lambda facts: str(facts)),
        openmp_threads=sorted(info["num_threads"] for info in found if info["user_api"] == "openmp"),
        cpu_dispatch=sorted(name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)),
        probe={**probe_kernels(), **torch_probe},
        torch=torch,
    )


def _read_torch(wants_gpu: bool) -> tuple[dict[str, Any], dict[str, str]]:
    from samebits.numerics.torch_kernels import probe_torch, read_torch

    return read_torch(wants_gpu), probe_torch(wants_gpu)


def check_kernels(name: ProfileName, kernels: Kernels) -> None:
    """Hold what took effect to what the profile promises.

    Raises
    ------
    ProvenanceError
        A library runs more threads or another kernel than was asked for.
    """
    remedy = "This build of the library does not follow its variables: install the locked packages."
    problems = []
    for facts in kernels.blas:
        if facts["num_threads"] != 1:
            problems.append(Problem(f"{facts['internal_api']} threads", "1", str(facts["num_threads"]), remedy))
        if name == "portable" and facts["architecture"] != "Haswell":
            problems.append(Problem(f"{facts['internal_api']} kernel", "Haswell", str(facts["architecture"]), remedy))
    if any(threads != 1 for threads in kernels.openmp_threads):
        problems.append(Problem("OpenMP threads", "1", str(max(kernels.openmp_threads)), remedy))
    if name == "portable" and set(kernels.cpu_dispatch) - {"X86_V2"}:
        problems.append(Problem("NumPy's CPU dispatch", "at most X86_V2", ", ".join(kernels.cpu_dispatch), remedy))
    if sys.flags.hash_randomization:
        problems.append(Problem("PYTHONHASHSEED", HASH_SEED, "a random seed", "Start the program by its own command."))
    if kernels.torch is not None:
        problems += _find_torch_problems(name, kernels.torch)
    if problems:
        raise ProvenanceError(*problems)


def _find_torch_problems(name: ProfileName, facts: dict[str, Any]) -> list[Problem]:
    problems = []
    if name == "portable" and facts["cpu_capability"] != "AVX2":
        remedy = "This build of PyTorch does not follow ATEN_CPU_CAPABILITY: install the locked packages."
        problems.append(Problem("PyTorch's CPU capability", "AVX2", str(facts["cpu_capability"]), remedy))
    if facts["threads"] != 1:
        problems.append(Problem("PyTorch's threads", "1", str(facts["threads"]), "Nothing may set them while a network is fitted."))
    if not facts.get("gpu", {"available": True})["available"]:
        remedy = "Train where one is, or write device: cpu, which gives other bits."
        problems.append(Problem("device: cuda", "a GPU that PyTorch can use", "none", remedy))
    return problems
