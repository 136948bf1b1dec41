"""PyTorch's part of a numeric profile: what it says of itself, what its kernels compute of known numbers, and the GPU it runs on.

Asked only where a config's own packages need PyTorch, so that no other run has a word of it on record. Which variables pin it is in
`profile`. What it computes with one thread, by deterministic algorithms and in full float32, is `samebits.networks.settled_torch`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from samebits.digests import digest_bytes
from samebits.networks import settled_torch
from samebits.numerics.gpu import read_gpu
from samebits.numerics.probe import make_known_numbers

_SEED = 7


def read_torch(wants_gpu: bool = False) -> dict[str, Any]:
    """Return what PyTorch says of itself under the settings of a fit; of the GPU too, where a network is to be fitted on one."""
    with settled_torch(_SEED) as torch:
        facts: dict[str, Any] = {
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
        }
        if wants_gpu:
            facts["gpu"] = {**read_gpu(), **_read_cuda(torch)}
    return facts


def _read_cuda(torch: Any) -> dict[str, Any]:
    if not torch.cuda.is_available():
        return {"available": False}
    return {
        "available": True,
        "card": torch.cuda.get_device_name(),
        "capability": list(torch.cuda.get_device_capability()),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def probe_torch(wants_gpu: bool = False) -> dict[str, str]:
    """Return a digest for each of a few of PyTorch's computations that other kernels round otherwise, by name; a GPU's too."""
    found = _probe_device("torch", "cpu")
    with settled_torch(_SEED) as torch:
        has_gpu = wants_gpu and torch.cuda.is_available()
    return {**found, **_probe_device("torch_gpu", "cuda")} if has_gpu else found


def _probe_device(prefix: str, device: str) -> dict[str, str]:
    with settled_torch(_SEED, device) as torch:
        known = torch.from_numpy(make_known_numbers(20_000).astype(np.float32)).to(device)
        square, signal = known[: 67 * 67].reshape(67, 67), known[: 4 * 3 * 101].reshape(4, 3, 101)
        filters = known[: 5 * 3 * 7].reshape(5, 3, 7) - 1
        computations: dict[str, Callable[[], Any]] = {
            "matrix_product": lambda: square @ square,
            "convolution": lambda: torch.nn.functional.conv1d(signal, filters),
            "exp": lambda: torch.cat([known.exp(), known.sigmoid(), known.tanh(), known.erf()]),
            "softmax": lambda: torch.log_softmax(square, dim=1),
            "sqrt": lambda: known.sqrt(),
            "sum": lambda: torch.stack([known.sum(), known.mean(), known.std()]),
            "random_normal": lambda: torch.randn(512),
            "adam": lambda: _step_adam(torch, square),
        }
        return {f"{prefix}_{name}": digest_bytes(compute().cpu().numpy().tobytes()) for name, compute in computations.items()}


def _step_adam(torch: Any, known: Any) -> Any:
    """Two steps of the fused form, which is the one that a config gets."""
    weights = torch.nn.Parameter(known.clone())
    optimizer = torch.optim.Adam([weights], lr=0.01, fused=True)
    for _ in range(2):
        weights.grad = (weights.detach() * 0.37) ** 3
        optimizer.step()
    return weights.detach()
