"""A model file of a past release: its class paths are on record, so it must load, be the same model and predict the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from samebits.model.file import load_model
from samebits.model.fingerprint import digest_model

FILES = sorted((ROOT / "tests/goldens").glob("model_*.skops"))


def make_table() -> pd.DataFrame:
    """The rows on which every golden model was fitted: one column of each kind, with gaps."""
    i = np.arange(60)
    return pd.DataFrame(
        {
            "a": (i * 37 % 61).astype(float),
            "b": np.where(i % 9 == 4, np.nan, i * 11 % 23),
            "flag": pd.array([None if n % 13 == 0 else bool(n % 3) for n in i], dtype="boolean"),
            "day": pd.Timestamp("2026-01-31 05:00") + pd.to_timedelta(i * 29, unit="h"),
            "kind": np.array(["x", "y", "zürich"])[i % 3],
        }
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_model_file_of_a_past_release_loads_and_predicts_as_it_did(path: Path) -> None:
    golden = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))

    model = load_model(path.read_bytes())

    assert digest_model(model) == golden["digest"]
    assert model.predict(make_table()).tolist() == golden["predictions"]
    assert digest_model(model.estimator_.estimator[:-1].transform(make_table())) == golden["columns"]


def test_there_is_such_a_file() -> None:
    assert FILES
