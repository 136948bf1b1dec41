"""What of a config's networks is not proved to the bit on other CPUs, in words, to be said before anything is trained.

What was tried, and how, is in docs/networks.md: every optimizer that has a fused form is proved in that form alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from samebits.network_fitting import FUSED
from samebits.networks import ModuleClassifier, ModuleRegressor

_KNOWN = ("sklearn", "samebits", "lightgbm", "xgboost", "catboost")


def list_unproven(candidates: Mapping[str, Pipeline]) -> list[str]:
    """Return a line for each network whose bits on another CPU nobody has shown, and for each class of others that may hold one.

    Parameters
    ----------
    candidates
        Of a config whose packages need PyTorch.
    """
    return [f"models.{name}: {line}" for name, pipeline in candidates.items() for line in _list_lines(pipeline)]


def _list_lines(pipeline: Pipeline) -> Iterator[str]:
    members: list[Any] = [pipeline.steps[-1][1], *pipeline.get_params(deep=True).values()]
    estimators = {id(member): member for member in members if isinstance(member, BaseEstimator)}
    for estimator in estimators.values():
        if isinstance(estimator, ModuleClassifier | ModuleRegressor):
            if not (estimator.optimizer in FUSED and estimator.fused):
                remedy = "set fused: true" if estimator.optimizer in FUSED else f"one of {', '.join(FUSED)} has a fused form"
                yield f"{estimator.optimizer} without its fused form is not proved to give the same bits on other CPUs ({remedy})"
        elif type(estimator).__module__.partition(".")[0] not in _KNOWN:
            yield f"{type(estimator).__name__} uses PyTorch in its own way, which is not proved to give the same bits on other CPUs"
