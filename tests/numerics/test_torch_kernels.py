"""PyTorch's part of the profile, where it is installed; of a GPU, what can be said without one."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT, clean_environment

from samebits.numerics import torch_kernels
from samebits.numerics.profile import make_environment

pytest.importorskip("torch", reason="PyTorch is not installed: the extra samebits[torch] has it")

PROBE = "import json; from samebits.numerics.torch_kernels import probe_torch, read_torch; print(json.dumps([probe_torch(), read_torch()]))"


def probe(**changes: str) -> tuple[dict[str, str], dict[str, Any]]:
    environment = {**make_environment("portable", clean_environment()), "PYTHONPATH": "src", **changes}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    digests, facts = json.loads(done.stdout)
    return digests, facts


def test_kernels_that_a_variable_exchanges_show_in_the_probe() -> None:
    """As another CPU would exchange them; under the profile no shell can."""
    (left, facts), (right, others) = probe(), probe(ATEN_CPU_CAPABILITY="default", MKL_CBWR="AVX2")

    differing = {name for name in left if left[name] != right[name]}

    assert facts["cpu_capability"] == "AVX2" and others["cpu_capability"] != "AVX2"
    assert {"torch_random_normal", "torch_matrix_product"} <= differing
    assert differing <= set(left) == set(right)


def test_a_pytorch_that_somebody_imported_is_no_word_on_record_of_a_run_that_does_not_use_it() -> None:
    script = "{}; import json; from samebits.numerics.profile import read_kernels; k = read_kernels(); print(k.openmp_threads, k.torch, sorted(k.probe))"
    environment = {**make_environment("portable", clean_environment()), "PYTHONPATH": "src"}

    found = [
        subprocess.check_output([sys.executable, "-c", script.format(first)], env=environment, cwd=ROOT, text=True)
        for first in ("pass", "import torch")
    ]

    assert found[0] == found[1]
    assert found[0].startswith("[1] None")


def test_what_trains_imports_no_pytorch_before_it_is_used() -> None:
    script = "import sys, samebits.training.training, samebits.model.mlflow_flavor; sys.exit('torch' in sys.modules)"

    assert (
        subprocess.run(
            [sys.executable, "-c", script], env={**clean_environment(), "PYTHONPATH": "src"}, cwd=ROOT, check=False
        ).returncode
        == 0
    )


def test_a_gpu_that_is_wanted_and_not_there_is_on_record_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    assert torch_kernels.read_torch(wants_gpu=True)["gpu"]["available"] is False
    assert "gpu" not in torch_kernels.read_torch()


def test_the_card_and_the_versions_of_its_libraries_are_read() -> None:
    cuda = SimpleNamespace(is_available=lambda: True, get_device_name=lambda: "H100", get_device_capability=lambda: (9, 0))
    cudnn = SimpleNamespace(cudnn=SimpleNamespace(version=lambda: 92600))
    torch = SimpleNamespace(cuda=cuda, version=SimpleNamespace(cuda="13.4"), backends=cudnn)

    found = torch_kernels._read_cuda(torch)

    assert found == {"available": True, "card": "H100", "capability": [9, 0], "cuda": "13.4", "cudnn": 92600}
