"""A probe of the numeric kernels: what this machine, these libraries and this profile compute of known numbers, digested.

Kernel names tell only what a library says of itself. These digests tell what it does: two machines that share all of them give, as
far as was measured (63 estimators, 121 primitives), the same bits; where one differs, its name says which kernel is the cause.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special

from samebits.digests import digest_bytes

_N = 40_000


def probe_kernels() -> dict[str, str]:
    """Return a digest for each of a few computations that other kernels round otherwise, by name; takes well under a second."""
    known = make_known_numbers(_N)
    square, tall = known[: 67 * 67].reshape(67, 67), known[: 1009 * 31].reshape(1009, 31)  # odd sizes reach the kernels' edges
    computations: dict[str, Callable[[], Any]] = {
        "matrix_product": lambda: [square @ square, tall.T @ tall, square.astype(np.float32) @ square.astype(np.float32)],
        "matrix_vector": lambda: [
            square @ known[:67],
            tall @ known[:31],
            tall.T @ known[:1009],
            known @ known,
            known[:1001] @ known[1001:2002],
        ],
        "linear_solve": lambda: [np.linalg.solve(square + 67 * np.eye(67), known[:67]), scipy.linalg.lstsq(tall, known[:1009])[0]],
        "singular_values": lambda: np.linalg.svd(tall)[1],
        "eigenvectors": lambda: np.abs(scipy.linalg.eigh(tall.T @ tall)[1]),
        "cholesky": lambda: np.linalg.cholesky(tall.T @ tall + np.eye(31)),
        "exp_log": lambda: [np.exp(known), np.log(known), np.expm1(known), np.log1p(known), np.exp(known.astype(np.float32))],
        "trigonometry": lambda: [np.sin(known), np.tanh(known), np.arctan(known)],
        "power": lambda: [known**1.7, np.cbrt(known), np.sqrt(known)],
        "sum": lambda: [known.sum(), known.mean(), known.std(), np.cumsum(known)],
        "stable_sort": lambda: np.argsort(np.round(known, 1), kind="stable"),
        "special_functions": lambda: [scipy.special.expit(known), scipy.special.gammaln(known + 1), scipy.special.erf(known)],
        "c_library": lambda: [[math.exp(x), math.log(x), math.pow(x, 1.7), math.sin(x)] for x in known[:256].tolist()],
        "random_normal": lambda: [np.random.RandomState(7).normal(size=512), np.random.default_rng(7).normal(size=512)],
    }
    return {name: _digest(compute()) for name, compute in computations.items()}


def make_known_numbers(n: int) -> np.ndarray:
    """Return numbers in (0, 3), shape (n,), with all 53 bits in use; a division rounds alike everywhere (IEEE 754)."""
    return np.asarray((np.arange(1, n + 1, dtype=np.int64) * 7919) % 10007 + 1, dtype=np.float64) / 4093.0


def _digest(found: Any) -> str:
    arrays = found if isinstance(found, list) else [found]
    return digest_bytes(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays))
