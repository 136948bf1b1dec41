from __future__ import annotations

from pathlib import Path

import pytest
from recorded_runs import ShippedRun, copy_value, record_shipped, share_value
from sklearn.utils.validation import check_is_fitted

import samebits
from samebits.errors import DataError, LineageError
from samebits.lineage.manifest import MODEL_FILE

pytestmark = pytest.mark.xdist_group("values")


@pytest.fixture
def shipped(empty_store: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> ShippedRun:
    found = record_shipped("training", empty_store, tmp_path_factory.getbasetemp())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", found.store)
    return found


def test_the_model_says_of_the_runs_own_table_what_it_said_before(shipped: ShippedRun) -> None:
    run = share_value(shipped.run_id)
    rows = run.frame.loc[run.predictions.index]

    said = samebits.predict(run, rows.drop(columns="diagnosis").sample(frac=1, axis="columns", random_state=0))

    assert (
        said["predicted"].tolist() == run.predictions["recorded"].tolist() or (said["predicted"] == run.predictions["predicted"]).all()
    )
    assert list(said) == ["predicted", "probability_M"]
    assert said["probability_M"].tolist() == pytest.approx(run.predictions["response"].tolist())
    check_is_fitted(samebits.load(run))
    with pytest.raises(DataError, match=r"column 'mean_area': expected numbers, found 'x'"):
        samebits.predict(run, rows.assign(mean_area="x"))


def test_a_model_that_is_not_the_recorded_one_is_not_loaded(shipped: ShippedRun, tmp_path: Path) -> None:
    run = copy_value(shipped.run_id)
    (tmp_path / "model.skops").write_bytes(b"another")
    run._fetch()["files"][MODEL_FILE] = str(tmp_path / "model.skops")

    with pytest.raises(LineageError, match=r"model\.skops: expected sha256:.*, found sha256:"):
        samebits.load(run)


@pytest.mark.parametrize("is_own", [True, False])
def test_what_a_run_allowed_is_trusted_in_a_run_of_ones_own_alone(
    shipped: ShippedRun, is_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samebits.model import file

    run, asked = copy_value(shipped.run_id), []
    run._fetch()["is_own"] = is_own
    run.lineage["stages"]["config"]["resolved"]["allow"] = ["theirs"]
    monkeypatch.setattr(file, "load_model", lambda content, allow: asked.append(allow))

    samebits.load(run, allow=["mine"])

    assert asked == [["mine", "theirs"] if is_own else ["mine"]]
