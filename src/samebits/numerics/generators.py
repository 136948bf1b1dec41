"""The seed of each place, and the global generators, planted before each unit of work; nothing heavy is imported.

A place's seed depends on the root seed and the place's name alone, so adding a model moves no other model's numbers.
"""

from __future__ import annotations

import random
import sys
import zlib


def derive_seed(root_seed: int, place: str) -> int:
    """Return the seed of a named place: 32 bits of NumPy's SeedSequence over the root seed and the name's CRC-32.

    >>> derive_seed(42, "split") == derive_seed(42, "split") != derive_seed(42, "cv")
    True
    """
    import numpy as np

    sequence = np.random.SeedSequence([root_seed, zlib.crc32(place.encode("utf-8"))])
    return int(sequence.generate_state(1, np.uint32)[0])


def plant_seeds(root_seed: int, place: str) -> None:
    """Seed the global generators of Python and NumPy, and of PyTorch and TensorFlow where they are in use, for one place."""
    plant_generators(derive_seed(root_seed, place))


def plant_generators(seed: int) -> None:
    """Seed the global generators of Python, and of those of NumPy, PyTorch and TensorFlow that are in use."""
    random.seed(seed)
    numpy_random, torch, tensorflow = (sys.modules.get(name) for name in ("numpy.random", "torch", "tensorflow"))
    if numpy_random is not None and hasattr(numpy_random, "seed"):
        numpy_random.seed(seed)
    if torch is not None and hasattr(torch, "manual_seed"):  # not merely a folder of that name on the path
        torch.manual_seed(seed)
        torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms(True), which imports a compiler first
        torch.set_num_threads(1)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
    if tensorflow is not None and hasattr(tensorflow, "random"):
        tensorflow.random.set_seed(seed)
        tensorflow.config.experimental.enable_op_determinism()
