"""The GPU, where there is none: what is read of a machine that has one, and what of it decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from samebits.numerics import gpu
from samebits.numerics.gpu import read_gpu, wants_gpu
from samebits.proof.evidence import is_other_machine

CARD = "NVIDIA H100 80GB HBM3"


def make_driver(folder: Path, card: str = CARD) -> Path:
    (folder / "gpus/0000:01:00.0").mkdir(parents=True)
    (folder / "gpus/0000:01:00.0/information").write_text(f"Model: \t\t {card}\nIRQ:   \t\t 8\n", encoding="utf-8")
    (folder / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.1\nGCC version: 12\n", encoding="utf-8")
    return folder


def test_cards_and_driver_are_read_from_the_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpu, "_FOLDER", make_driver(tmp_path))

    assert read_gpu() == {"cards": [CARD], "driver": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.1"}


def test_a_machine_without_one_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpu, "_FOLDER", tmp_path / "none")

    assert read_gpu() == {"cards": [], "driver": None}


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ({"net": {"device": "cuda"}}, True),
        ({"bagged": {"class": "sklearn.ensemble.BaggingClassifier", "estimator": {"device": "cuda:1"}}}, True),
        ({"stacked": {"estimators": [["net", {"device": "cuda"}]]}}, True),
        ({"net": {"device": "cpu"}, "ridge": {}}, False),
    ],
    ids=str,
)
def test_a_model_at_any_depth_may_want_one(models: Any, expected: bool) -> None:
    assert wants_gpu(models) is expected


def test_another_card_is_another_machine() -> None:
    cpu = {"machine": "x86_64", "cpu": "a", "cpu_flags": []}
    here, there, none = (
        {"environment": cpu, "numeric_profile": {"torch": {"threads": 1, **facts}}}
        for facts in ({"gpu": {"card": CARD}}, {"gpu": {"card": "another"}}, {})
    )

    assert is_other_machine(here, there) and is_other_machine(here, none)
    assert not is_other_machine(here, here) and not is_other_machine({"environment": cpu}, {"environment": cpu})
