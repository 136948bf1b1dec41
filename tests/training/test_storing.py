from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import odd_classes
import pandas as pd
import pytest
from conftest import ROOT
from sklearn.cluster import Birch
from sklearn.feature_selection import SelectKBest, mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from samebits.candidates.materials import prepare_materials
from samebits.config.loading import load_config
from samebits.errors import ConfigError
from samebits.model.file import load_model
from samebits.training import storing
from samebits.training.result import make_result
from samebits.training.storing import rehearse_storing, store_model

X = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 4)), columns=list("abcd"))
Y = np.array(["no"] * 280 + ["yes"] * 17 + ["rare"] * 3)


def rehearse(model: Any, allow: tuple[str, ...] = ("odd_classes",)) -> None:
    odd_classes.FITS.clear()
    rehearse_storing({"mine": Pipeline([("model", model)])}, X, Y, allow, 1)


@pytest.mark.parametrize(
    ("model", "allow", "found"),
    [
        (odd_classes.LambdaClassifier(), ["odd_classes"], "trusted types, found odd_classes.<lambda>"),
        (odd_classes.ComplexClassifier(), ["odd_classes"], "skops can store, found TypeError: .*complex"),
        (odd_classes.ForgetfulClassifier(), ["odd_classes"], "digest sha256:.* found another when it is loaded"),
        (make_pipeline(FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 1}), LogisticRegression()), [], "found numpy.clip"),
        (make_pipeline(FunctionTransformer(lambda values: values), LogisticRegression()), [], "found test_storing.<lambda>"),
        (make_pipeline(Birch(), LogisticRegression()), [], "skops can store, found UnsupportedTypeException"),
    ],
)
def test_what_would_be_refused_after_the_training_is_refused_before(model: Any, allow: list[str], found: str) -> None:
    with pytest.raises(ConfigError, match=rf"^models\.mine: expected .*{found}.*[Uu]se another") as caught:
        rehearse(model, tuple(allow))

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "model", [odd_classes.ContainerClassifier(), make_pipeline(FunctionTransformer(np.log1p), LogisticRegression())]
)
def test_what_can_be_stored_goes_on(model: Any) -> None:
    rehearse(model)


def test_a_fit_that_fails_for_lack_of_rows_proves_nothing() -> None:
    rehearse(odd_classes.LambdaClassifier(least_rows=200))

    assert len(odd_classes.FITS) == 1


def test_the_few_rows_hold_every_class() -> None:
    rehearse(odd_classes.ContainerClassifier())

    (seen,) = odd_classes.FITS
    assert len(seen) <= storing.REHEARSAL_ROWS
    assert sorted(set(seen)) == ["no", "rare", "yes"]
    assert (seen == "rare").sum() == 3


def test_the_global_generators_are_left_as_they_were() -> None:
    random.seed(3)
    np.random.seed(3)
    expected = random.Random(3).random(), np.random.RandomState(3).random()

    rehearse(odd_classes.ContainerClassifier())

    assert (random.random(), np.random.random()) == expected
    assert odd_classes.FITS


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(class_weight={"no": 1}),
        make_pipeline(StandardScaler(), SelectKBest(mutual_info_classif, k=2), LogisticRegression()),
    ],
)
def test_what_is_known_to_be_storable_is_not_fitted(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    monkeypatch.setattr(Pipeline, "fit", lambda *_: pytest.fail("fitted"))

    rehearse(model)


@pytest.mark.parametrize("path", sorted((ROOT / "confs").glob("*.yaml")), ids=lambda path: path.name)
def test_no_shipped_config_is_rehearsed(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    if path.name == "datasets.yaml":
        pytest.skip("a catalog, no config")
    loaded = load_config(path)
    materials = prepare_materials(loaded, ROOT)
    monkeypatch.setattr(Pipeline, "fit", lambda *_: pytest.fail("fitted"))

    rehearse_storing(materials.candidates, *materials.take(materials.split.train_rows), loaded.config.allow, loaded.config.seed)


def test_a_training_is_refused_before_its_first_whole_fit(write_config: Callable[..., Path]) -> None:
    models = {"logistic_regression": {}, "mine": {"class": "odd_classes.LambdaClassifier"}}
    loaded = load_config(write_config({"allow": ["odd_classes"], "models": models}))
    odd_classes.FITS.clear()

    with pytest.raises(ConfigError, match=r"^models\.mine: expected only trusted types"):
        make_result(loaded.config, prepare_materials(loaded, ROOT))

    assert [len(seen) for seen in odd_classes.FITS] == [storing.REHEARSAL_ROWS]


def test_plain_containers_come_back_as_they_were() -> None:
    fitted = odd_classes.ContainerClassifier().fit(X, Y)

    content, _ = store_model(fitted, ["odd_classes"])

    assert load_model(content, ["odd_classes"]).kept_ == fitted.kept_
