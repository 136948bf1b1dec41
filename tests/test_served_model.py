"""A model folder as MLflow's own servers and pyfunc take it: labels, probabilities on request, and words for what they cannot take."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import importlib_metadata
import mlflow
import numpy as np
import pandas as pd
import pytest
import uvicorn
from conftest import HANG_SECONDS, wait_until
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.pyfunc.scoring_server import init
from mlflow.types import ColSpec, Schema
from mlflow.utils import requirements_utils
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC, OneClassSVM

from samebits.model.file import dump_model, list_trusted_types
from samebits.model.mlflow_flavor import save_model
from samebits.served_model import PARAMS, ServedModel
from samebits.transformers import OutlierClipper

WANTED = {"probabilities": True}
X = pd.DataFrame({"a": np.arange(12.0), "b": np.tile([0.0, 1.0, 3.0], 4)})
BINARY = np.asarray(["no", "yes"])[(X["a"] > 4).astype(int)]
THREE = np.repeat([1, 2, 5], 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("scratch"), ["mlflow"])


def write_model(scratch: Path, pip_requirements: list[str]) -> Path:
    """Write a model folder whose model says yes only where it is surer than it has ever been."""
    (scratch / "own.py").write_text("", encoding="utf-8")
    sure = FixedThresholdClassifier(LogisticRegression(), threshold=0.99, pos_label="yes", response_method="predict_proba")
    content = dump_model(make_pipeline(OutlierClipper(), sure).fit(X, BINARY))
    path = scratch / "model"
    save_model(
        path,
        Model(utc_time_created="2026-11-26 00:00:00", model_uuid="0" * 32),
        model_file=content,
        trusted_types=list_trusted_types(content),
        signature=ModelSignature(Schema([ColSpec("double", "a"), ColSpec("double", "b")]), Schema([ColSpec("string")]), PARAMS),
        input_example=X[:2],
        pip_requirements=pip_requirements,
        own_code=[scratch / "own.py"],
        scratch=scratch,
    )
    return path


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where MLflow's scoring server answers for the model."""
    server = uvicorn.Server(uvicorn.Config(init(mlflow.pyfunc.load_model(str(folder))), port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/invocations"
    server.should_exit = True
    thread.join(HANG_SECONDS)
    assert not thread.is_alive()


def ask(address: str, body: Any) -> tuple[int, str]:
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=HANG_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def split(table: pd.DataFrame, **more: Any) -> dict[str, Any]:
    return {"dataframe_split": table.to_dict(orient="split", index=False), **more}


def test_what_a_model_requires_is_held_to_what_is_installed_without_listing_every_package_s_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(importlib_metadata, "packages_distributions", lambda: pytest.fail("every file of every package is listed"))
    monkeypatch.setattr(requirements_utils, "_MODULES_TO_PACKAGES", None)
    monkeypatch.setattr(requirements_utils._logger, "warning", warned.append)
    installed = [f"{name}=={importlib_metadata.version(name)}" for name in ("mlflow", "scikit-learn", "skops", "pandas")]

    folder = write_model(tmp_path, [*installed, "numpy==0.1"])

    (sentence,) = warned
    assert re.findall(r"(\S+) \(current", sentence) == ["numpy"]
    assert (folder / "requirements.txt").read_text(encoding="utf-8").split() == [*installed, "numpy==0.1"]
    assert requirements_utils._MODULES_TO_PACKAGES is None


def test_a_served_model_answers_with_labels_and_on_request_with_probabilities(address: str) -> None:
    status, labels = ask(address, split(X[-2:]))
    _, table = ask(address, split(X[-2:], params=WANTED))

    rows = json.loads(table)["predictions"]
    assert status == 200 and json.loads(labels) == {"predictions": [row["predicted"] for row in rows]}
    assert [list(row) for row in rows] == [["predicted", "probability_no", "probability_yes"]] * 2
    assert all(row["probability_no"] + row["probability_yes"] == pytest.approx(1) for row in rows)


def test_the_threshold_counts_in_both_answers(address: str) -> None:
    _, table = ask(address, split(X, params=WANTED))

    rows = json.loads(table)["predictions"]
    assert [row["predicted"] == "yes" for row in rows] == [row["probability_yes"] >= 0.99 for row in rows]
    assert any(0.5 < row["probability_yes"] < 0.99 for row in rows)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (split(X[["a"]]), "Model is missing inputs ['b']"),
        (split(X.astype({"a": str}).replace("3.0", "many")), "Failed to convert column a to type 'float64'"),
        (split(X[:0]), "expected rows, found none. Send at least one."),
        (split(X, params={"probabilities": "yes"}), "Can not safely convert"),
    ],
)
def test_a_wrong_schema_gets_words(address: str, body: dict[str, Any], said: str) -> None:
    status, answer = ask(address, body)

    assert status == 400 and said in json.loads(answer)["message"] and "Traceback" not in answer


def test_a_column_that_the_model_does_not_know_changes_nothing(address: str) -> None:
    assert ask(address, split(X.assign(c=1))) == ask(address, split(X))


def test_the_model_itself_is_loaded_by_plain_mlflow_and_gives_the_same(folder: Path) -> None:
    by_pyfunc, plain = mlflow.pyfunc.load_model(str(folder)), mlflow.sklearn.load_model(str(folder))

    assert by_pyfunc.predict(X).tolist() == plain.predict(X).tolist()
    assert by_pyfunc.predict(X, params=WANTED)["probability_yes"].tolist() == plain.predict_proba(X)[:, 1].tolist()
    assert type(by_pyfunc.get_raw_model()) is type(plain)


def test_python_can_leave_nothing_beside_the_served_code(folder: Path) -> None:
    """A store on this machine is loaded from where it is: what Python compiles there would be no file of the run's."""
    assert all((place / "__pycache__").is_file() for place in (folder / "code", folder / "code/samebits"))
    assert {path.name for path in (folder / "code/samebits").iterdir()} == {
        *("__init__.py", "__pycache__", "row_columns.py", "served_model.py", "stored_parts.py", "transformers.py")
    }


def test_every_class_has_a_column_in_the_models_order() -> None:
    table = ServedModel(LogisticRegression().fit(X, THREE)).predict(X, WANTED)

    assert list(table) == ["predicted", "probability_1", "probability_2", "probability_5"]


@pytest.mark.parametrize(("model", "y"), [(LinearSVC(), BINARY), (SVC(), THREE)])
def test_without_probabilities_the_decision_function_is_given(model: Any, y: np.ndarray) -> None:
    table = ServedModel(model.fit(X, y)).predict(X.set_axis(range(5, 17)), WANTED)

    decisions = table.drop(columns="predicted")
    assert list(decisions) == [f"decision_{label}" for label in np.unique(y)]
    assert table["predicted"].tolist() == np.unique(y)[decisions.to_numpy().argmax(axis=1)].tolist()
    assert list(table.index) == list(range(5, 17))


def test_decisions_that_are_not_one_a_class_are_numbered() -> None:
    table = ServedModel(SVC(decision_function_shape="ovo").fit(X, np.repeat([1, 2, 3, 4], 3))).predict(X, WANTED)

    assert list(table) == ["predicted", *(f"decision_{number}" for number in range(6))]


@pytest.mark.parametrize(
    ("model", "said"), [(Ridge(), "a quantity, which has no probabilities"), (OneClassSVM(), "a quantity, which has no probabilities")]
)
def test_a_model_of_quantities_refuses_probabilities_in_words(model: Any, said: str) -> None:
    served = ServedModel(model.fit(X, THREE))

    with pytest.raises(MlflowException, match=said):
        served.predict(X, WANTED)
    assert len(served.predict(X, {"probabilities": False})) == len(served.predict(X)) == len(X)


def test_what_a_model_cannot_take_is_said_in_its_first_line() -> None:
    with pytest.raises(MlflowException, match=r"the model cannot take these rows: Input .*NaN") as raised:
        ServedModel(LogisticRegression().fit(X, BINARY)).predict(X.assign(a=np.nan))

    assert "\n" not in raised.value.message and raised.value.get_http_status_code() == 400
