"""The GPU, as the Linux kernel has it: which cards and which driver, without any library of theirs.

Its bits are its own, so that a config that asks for one is of the class of machines with the same cards and driver. Asked before
anything heavy is imported; what PyTorch says of a GPU is in `torch_kernels`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_FOLDER = Path("/proc/driver/nvidia")


def wants_gpu(models: Any) -> bool:
    """Tell whether any of a config's models, at any depth, is to be fitted on a GPU.

    >>> wants_gpu({"net": {"class": "samebits.networks.ModuleClassifier", "device": "cuda"}})
    True
    """
    if isinstance(models, dict):
        return str(models.get("device")).startswith(("cuda", "gpu")) or any(map(wants_gpu, models.values()))
    return isinstance(models, list | tuple) and any(map(wants_gpu, models))


def read_gpu() -> dict[str, Any]:
    """Return the cards and the driver; nothing of either where there is none."""
    return {"cards": _list_cards(), "driver": _read_first_line(_FOLDER / "version")}


def _list_cards() -> list[str]:
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in sorted(_FOLDER.glob("gpus/*/information")))
    lines = (line.partition(":") for text in texts for line in text.splitlines())
    return [value.strip() for name, _, value in lines if name.strip() == "Model"]


def _read_first_line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[0].strip()
    except (OSError, IndexError):
        return None
