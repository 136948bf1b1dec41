from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from samebits.data.dataset import load_dataset
from samebits.data.target import Target, check_class_sizes, read_target
from samebits.errors import DataError
from samebits.keys.config import Config


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Target]:
    def read_values(values: list[Any], **changes: Any) -> Target:
        path = tmp_path / "a.csv"
        pd.DataFrame({"x": range(len(values)), "y": values}).to_csv(path, index=False)
        data = {"path": str(path), "target": "y", **changes.pop("data", {})}
        raw = {"name": "a", "version": "2026.1.0", "seed": 1, "data": data, "models": {"dummy": {}}, **changes}
        config = Config.model_validate(raw)
        return read_target(config, load_dataset(config.data, path))

    return read_values


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"], "binary"),
        ([True, False], "binary"),
        ([0, 1, 1], "binary"),
        (["a", "b", "c"], "multiclass"),
        ([1, 2, 3] * 5, "multiclass"),
        ([0.5, 1.5, 2.5], "regression"),
        (list(range(30)), "regression"),
    ],
)
def test_auto_goes_by_the_target(read: Callable[..., Target], values: list[Any], task: str) -> None:
    assert read(values).task == task


@pytest.mark.parametrize(
    ("values", "positive", "label"),
    [(["M", "B"], "B", "B"), (["M", "B"], None, "M"), ([0, 1], 0, 0), ([True, False], False, False), (["yes", "no"], "no", "no")],
)
def test_the_positive_class_is_the_one_named_or_the_greater(
    read: Callable[..., Target], values: list[Any], positive: Any, label: Any
) -> None:
    assert read(values, data={"positive": positive}).positive == label


@pytest.mark.parametrize(
    ("values", "changes", "expected"),
    [
        (["a", None, "b"], {}, r"target 'y': expected a value in every row, found 1 missing \(the first in row 2\)"),
        (["a", "a"], {}, r"expected at least two classes, found only 'a'"),
        (["a", "b", "c"], {"task": "binary"}, r"expected two classes, for binary, found 3"),
        (["a", "b"], {"task": "regression"}, r"expected numbers, for regression, found 'a'"),
        (["2026-01-01", "2026-01-02"], {}, r"target 'y': expected classes or numbers, found dates"),
        (["a", "b"], {"data": {"positive": "c"}}, r"data\.positive: expected 'a' or 'b', a class of target 'y', found 'c'"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(
    read: Callable[..., Target], values: list[Any], changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(DataError, match=expected):
        read(values, **changes)


def test_a_class_smaller_than_the_folds_is_named_with_its_size() -> None:
    target = Target("multiclass", np.array(["a"] * 9 + ["b"] * 2), np.array(["a", "b"]))

    with pytest.raises(DataError, match=r"class 'b' of the target: expected at least 3 training rows, .*found 2\."):
        check_class_sizes(target, np.arange(11), n_splits=3)
