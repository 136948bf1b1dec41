"""A whole training on a table on disk: the same bits over any jobs, the metrics of what was predicted, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from samebits.candidates.materials import Materials
from samebits.errors import ConfigError
from samebits.stored import room
from samebits.stored.stored_table import StoredTable
from samebits.training.result import Result

Train = Callable[..., tuple[Materials, Result]]
N = 4200
SGD = {"class": "sklearn.linear_model.SGDClassifier", "loss": "log_loss"}
BAYES = {"class": "sklearn.naive_bayes.GaussianNB"}
BATCHES = {"rows": 1000, "epochs": 2}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    x, z = rng.normal(size=(2, N))
    frame = pd.DataFrame({"x": x, "z": z, "word": rng.choice(["a", "b", "c"], N), "when": pd.date_range("2020-01-01", periods=N)})
    frame.loc[::31, "x"] = np.nan
    frame.loc[::37, "word"] = None
    return frame.assign(y=np.where(x - z + rng.normal(size=N) > 0.3, "yes", "no"))


def take_outputs(result: Result) -> tuple[Any, ...]:
    return result.model_digest, result.predictions, result.out_of_fold, result.metrics, result.baseline, result.assessment


def test_jobs_change_no_bit_and_every_row_held_back_is_predicted_once(train: Train, table: pd.DataFrame) -> None:
    keys: dict[str, Any] = {"models": {"sgd": SGD, "bayes": BAYES}, "batches": BATCHES, "keep": "all"}

    (materials, one), (_, two) = (train(table, n_jobs=n_jobs, **keys) for n_jobs in (1, 2))

    assert isinstance(materials.dataset.frame, StoredTable)
    assert take_outputs(one) == take_outputs(two)
    said = pd.read_csv(io.BytesIO(one.predictions))
    assert said["row"].tolist() == materials.split.test_rows.tolist()
    is_yes = said["recorded"] == "yes"
    assert one.metrics["test"]["roc_auc"] == pytest.approx(roc_auc_score(is_yes, said["response"]))
    assert one.metrics["test"]["log_loss"] == pytest.approx(log_loss(is_yes, said["response"]))
    assert one.metrics["test"]["roc_auc"] > 0.8


def test_what_describes_the_training_rows_is_what_it_is_in_memory(train: Train, table: pd.DataFrame) -> None:
    """Both are of the same rows, which are in another order: sums differ in their last bits."""
    stored, whole = (train(table, models={"bayes": BAYES}, batches=batches)[1] for batches in (BATCHES, None))

    for name, column in whole.baseline["columns"].items():
        found = stored.baseline["columns"][name]
        assert found.keys() == column.keys()
        assert {key: value for key, value in found.items() if key not in ("mean", "std")} == {
            key: value for key, value in column.items() if key not in ("mean", "std")
        }
    assert stored.assessment["n_rows"] == whole.assessment["n_rows"]
    assert stored.metrics["test"]["roc_auc"] == pytest.approx(whole.metrics["test"]["roc_auc"], abs=1e-3)


def test_a_search_tries_its_values_on_a_table_on_disk(train: Train, table: pd.DataFrame) -> None:
    search = {"method": "grid", "models": {"sgd": {"alpha": [1e-5, 10.0]}}}

    _, result = train(table, models={"sgd": SGD}, batches=BATCHES, search=search)

    assert result.found is not None
    means = {trial.values["models.sgd.alpha"]: trial.mean for trial in result.found.trials}
    assert len(means) == 2 and result.found.best["sgd"].mean == max(mean or 0.0 for mean in means.values()) > 0.8


@pytest.mark.parametrize("estimator", ["sklearn.ensemble.RandomForestClassifier", "xgboost.XGBClassifier"])
def test_a_model_that_takes_all_rows_at_once_is_refused_with_the_rows_that_would_fit(
    train: Train, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, estimator: str
) -> None:
    monkeypatch.setattr(room, "read_available_bytes", lambda: 80 * 4 * 2100)
    model = {"class": estimator, **({"tree_method": "exact"} if "xgboost" in estimator else {})}

    with pytest.raises(ConfigError, match=r"all 4,200 rows at once; about 2,100 would fit.*data\.rows: \[\{sample: 2100\}\]"):
        train(table, models={"mine": model}, batches=BATCHES, allow=["xgboost"])


def test_an_estimator_inside_another_does_not_learn_in_batches_for_it(train: Train, table: pd.DataFrame) -> None:
    model = {"class": "sklearn.compose.TransformedTargetRegressor", "regressor": {"class": "sklearn.linear_model.SGDRegressor"}}

    with pytest.raises(ConfigError, match="TransformedTargetRegressor, which takes all 4,200 rows at once"):
        train(table.assign(y=np.arange(N) * 1.5), models={"mine": model}, batches=BATCHES)


@pytest.mark.parametrize(("key", "value"), [("engine", {"dask": "local"}), ("data", {"target_transform": "log1p"})])
def test_what_needs_all_rows_is_refused(train: Train, table: pd.DataFrame, key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match="null, of a table that is learned in batches"):
        train(
            table.assign(y=np.arange(N) * 1.5 + 1),
            models={"sgd": {"class": "sklearn.linear_model.SGDRegressor"}},
            batches=BATCHES,
            **{key: value},
        )
