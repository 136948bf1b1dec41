"""Seeds of components: one root seed in the config, and from it a seed for every place that draws random numbers.

A seed that the config writes out wins. The global generators, to which nothing is left, are `generators`.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from sklearn.base import BaseEstimator

from samebits.numerics.generators import derive_seed


def seed_component(component: Any, root_seed: int, place: str) -> dict[str, int]:
    """Give every unset `random_state` inside a component a seed of its own, at any depth; splitters and functions included.

    Parameters
    ----------
    component
        An estimator, a splitter, or a list, tuple or dict of such; changed in place.
    place
        The component's name, to which parameter names are added: `models.forest.random_state`.

    Returns
    -------
    dict
        The seeds planted, by place.
    """
    planted: dict[str, int] = {}
    _seed_members(component, root_seed, place, planted, set())
    return dict(sorted(planted.items()))


def _seed_members(value: Any, root_seed: int, place: str, planted: dict[str, int], seen: set[int]) -> None:
    if id(value) in seen:
        return
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list | tuple):
        members = [(_name_member(index, member), member) for index, member in enumerate(value)]
    elif _has_parameters(value):
        members = list(_read_parameters(value).items())
        _seed_own_state(value, root_seed, place, planted)
    else:
        return
    seen.add(id(value))
    for name, member in members:
        if _has_parameters(value) and _draws_without_seed(member):
            seed = derive_seed(root_seed, f"{place}.{name}.random_state")
            planted[f"{place}.{name}.random_state"] = seed
            setattr(value, name, functools.partial(member, random_state=seed))
        else:
            _seed_members(member, root_seed, f"{place}.{name}", planted, seen)


def _name_member(index: int, member: Any) -> str:
    """A named step (`("clf", estimator)`) goes by its name, so that a step put before it moves no seed."""
    return str(member[0]) if isinstance(member, tuple) and member and isinstance(member[0], str) else str(index)


def _has_parameters(value: Any) -> bool:
    if isinstance(value, type):  # a repeated splitter keeps the class it repeats
        return False
    return isinstance(value, BaseEstimator) or (hasattr(value, "split") and hasattr(value, "get_n_splits"))


def _read_parameters(value: Any) -> dict[str, Any]:
    if isinstance(value, BaseEstimator):
        parameters: dict[str, Any] = value.get_params(deep=False)
        return parameters
    return dict(vars(value))


def _seed_own_state(value: Any, root_seed: int, place: str, planted: dict[str, int]) -> None:
    parameters = _read_parameters(value)
    is_idle = parameters.get("shuffle") is False and not isinstance(value, BaseEstimator)
    for name, current in parameters.items():
        if (name == "random_state" or name.endswith("_random_state")) and current is None and not is_idle:
            planted[f"{place}.{name}"] = derive_seed(root_seed, f"{place}.{name}")
            setattr(value, name, planted[f"{place}.{name}"])


def _draws_without_seed(member: Any) -> bool:
    if not inspect.isfunction(member):
        return False
    parameter = inspect.signature(member).parameters.get("random_state")
    return parameter is not None and parameter.default is None
