"""Tables for the tests of the proposal wing, and what is proposed for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from samebits.proposal.proposal import Place, Proposal, propose_config

N = 200


def make_frame() -> pd.DataFrame:
    draws = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "age": draws.integers(18, 90, N),
            "income": np.round(draws.normal(3000, 900, N), 2),
            "city": draws.choice(["Köln", "Paris", "Rom"], N),
        }
    )
    frame["bought"] = np.where(frame.income / 900 + draws.normal(0, 1, N) > 3.5, "yes", "no")
    return frame


def propose(path: Path, target: str | None = "bought") -> Proposal:
    return propose_config(Place(path, str(path), "new", path.parent / "new.yaml", path.parent), target)


def propose_for(frame: pd.DataFrame, path: Path, target: str = "bought") -> Proposal:
    return propose(write(path / "table.csv", frame.to_csv(index=False)), target)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def list_lines(proposal: Proposal, topic: str) -> list[str]:
    return [finding.text for finding in proposal.findings if finding.topic == topic]
