"""What only a fitted model can tell: as scikit-learn would say it, repeatably, and never at the cost of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import partial_dependence, permutation_importance

from samebits.candidates.materials import Materials
from samebits.model.file import load_model
from samebits.training import exploration
from samebits.training.exploration import MOST_COLUMNS
from samebits.training.result import Result

Train = Callable[..., tuple[Materials, Result]]
LOGISTIC = {"logistic_regression": {}}


def make_table(n: int = 160, n_columns: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, n_columns))
    frame = pd.DataFrame(x, columns=[f"x{number}" for number in range(n_columns)])
    frame["site"] = rng.choice(["north", "south"], n)
    return frame.assign(y=np.where(frame["x0"] + 0.5 * rng.normal(size=n) > 0, "yes", "no"))


@pytest.mark.parametrize("n_at_once", [exploration._BLOCK_ROWS, 1])
def test_importance_is_what_scikit_learn_says(train: Train, monkeypatch: pytest.MonkeyPatch, n_at_once: int) -> None:
    monkeypatch.setattr(exploration, "_BLOCK_ROWS", n_at_once)
    materials, result = train(make_table(), models=LOGISTIC, scoring="neg_log_loss")

    found = result.explored["importance"]
    X, y = materials.read(materials.split.test_rows)
    expected = permutation_importance(
        load_model(result.model_file, []), X, y, scoring=materials.scorer, n_repeats=found["n_repeats"], random_state=found["seed"]
    )
    assert found["n_rows"] == len(X) and list(found["columns"]) == list(X.columns)
    assert [one["mean"] for one in found["columns"].values()] == pytest.approx(expected.importances_mean.tolist(), rel=1e-9)
    assert [one["spread"] for one in found["columns"].values()] == pytest.approx(expected.importances_std.tolist(), rel=1e-9)


def test_exploring_changes_nothing_that_came_before_it(train: Train) -> None:
    forest = {"random_forest": {"n_estimators": 5}}
    results = [train(make_table(), models=forest, report=detail)[1] for detail in ("none", "short", "full")]

    assert [sorted(result.explored) for result in results] == [
        [],
        ["importance"],
        ["importance", "learning_curve", "partial_dependence"],
    ]
    assert len({(result.model_digest, result.predictions, str(result.metrics), str(result.assessment)) for result in results}) == 1


def test_partial_dependence_is_what_scikit_learn_says(train: Train) -> None:
    materials, result = train(make_table(), models=LOGISTIC, report="full")

    found = result.explored["partial_dependence"]["columns"]["x0"]
    X, _ = materials.read(materials.split.test_rows)
    model: Any = load_model(result.model_file, [])
    expected = partial_dependence(model, X, ["x0"], custom_values={"x0": np.array(found["values"])}, kind="average")
    assert found["mean"] == pytest.approx(expected["average"][0].tolist(), rel=1e-9)


def test_a_learning_curve_ends_at_the_score_of_cross_validation(train: Train) -> None:
    materials, result = train(make_table(), models=LOGISTIC, report="full")

    found = result.explored["learning_curve"]
    assert found["held_out"][-1] == pytest.approx(result.best.scores)
    assert found["n_rows"] == sorted(found["n_rows"]) and found["n_rows"][-1] <= len(materials.split.train_rows)


def test_many_columns_are_too_many_for_a_short_report(train: Train) -> None:
    _, result = train(make_table(60, MOST_COLUMNS), models=LOGISTIC)

    assert "more than 60 columns" in result.explored["importance"]["left_out"]


def test_without_test_rows_nothing_is_said_of_importance(train: Train) -> None:
    _, result = train(make_table(), models=LOGISTIC, split={"method": "none"})

    assert "no rows were held back" in result.explored["importance"]["left_out"]


def test_a_model_that_cannot_be_asked_leaves_a_reason(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError("odd")

    monkeypatch.setattr(exploration, "_score_shuffled", fail)
    _, result = train(make_table(), models=LOGISTIC)

    assert result.explored["importance"] == {"left_out": "the model could not be asked (ValueError)"}
