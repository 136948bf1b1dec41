"""Variants of a config, some of its values replaced: as a search tries them, as a backtest divides the rows; and the rules of both.

A value goes by the key that it would have in the config (`models.boosting.max_depth`, `preprocessing.outlier_factor`), so that what a
search found can be written there. How values are proposed and scored is for `search`; which windows there are, for `backtesting`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from samebits.config.documents import Facts, KeyPath, take_section
from samebits.errors import ConfigError, Problem, suggest
from samebits.keys.config import Config
from samebits.keys.division import BOUNDS
from samebits.keys.learning import Interval, Model, Preprocessing

Space = dict[str, list[Any] | Interval]  # the key in the config: the values that are tried
PREPROCESSING = "preprocessing."
MOST_TRIALS = 100_000  # of one candidate


def list_spaces(config: Config) -> dict[str, Space]:
    """Return what is tried of each candidate, by its name in sorted order: of some it may be nothing."""
    search = config.search
    if search is None:
        return {name: {} for name in sorted(config.models)}
    shared = {f"{PREPROCESSING}{key}": choices for key, choices in search.preprocessing.items()}
    own = {
        name: {f"models.{name}.{key}": choices for key, choices in search.models.get(name, {}).items()}
        for name in sorted(config.models)
    }
    return {name: {**space, **shared} for name, space in own.items()}


def count_combinations(space: Mapping[str, Any]) -> int | None:
    """Return how many combinations of a candidate's values there are; None where a number is drawn from an interval."""
    lists = [choices for choices in space.values() if isinstance(choices, list)]
    return math.prod(map(len, lists)) if len(lists) == len(space) else None


def vary(config: Config, name: str, values: Mapping[str, Any]) -> Config:
    """Return a config with one candidate, some of whose values are replaced.

    Raises
    ------
    ConfigError
        There is no place of that name.
    """
    model, preprocessing = config.models[name].model_dump(by_alias=True), config.preprocessing.model_dump(by_alias=True)
    for key, value in values.items():
        if key.startswith(PREPROCESSING):
            preprocessing = replace_value(preprocessing, key.removeprefix(PREPROCESSING), value, key)
        else:
            model = replace_value(model, key.removeprefix(f"models.{name}."), value, key)
    changes = {"models": {name: Model.model_validate(model)}, "preprocessing": Preprocessing.model_validate(preprocessing)}
    return config.model_copy(update=changes)


def replace_value(section: dict[str, Any], key: str, value: Any, where: str) -> dict[str, Any]:
    """Return a section with another value at a dotted key; only its last part may be new.

    >>> replace_value({"estimator": {"depth": 2}}, "estimator.depth", 3, "-")
    {'estimator': {'depth': 3}}

    Raises
    ------
    ConfigError
        What the key leads through is not there.
    """
    replaced: dict[str, Any] = _replace(section, key.split("."), value, where)
    return replaced


def _replace(section: Any, parts: list[str], value: Any, where: str) -> Any:
    first, *rest = parts
    if isinstance(section, list) and first.isdecimal() and int(first) < len(section):
        place = int(first)
        return [*section[:place], _replace(section[place], rest, value, where) if rest else value, *section[place + 1 :]]
    if isinstance(section, dict) and (not rest or first in section):
        return {**section, first: _replace(section[first], rest, value, where) if rest else value}
    known = f"one of {', '.join(section)}" if isinstance(section, dict) and section else "a key that the config has"
    raise ConfigError(Problem(f"search.{where}", known, repr(first), "Name a parameter as the config has it, parts joined by points."))


def place_window(value: Mapping[str, Any], bounds: Mapping[str, str | int | float]) -> dict[str, Any]:
    """Return the plain values of a backtest's config for one of its windows: a config that is trained once, divided at some times.

    >>> place_window({"backtest": {"windows": 2}, "split": {"method": "time"}, "seed": 1}, {"train_until": "2026-01-01"})
    {'split': {'method': 'time', 'train_until': '2026-01-01'}, 'seed': 1}
    """
    kept = {key: member for key, member in value.items() if key != "backtest"}
    return {**kept, "split": {**kept.get("split", {}), **bounds}}


def check_backtest(raw: dict[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    """Yield what is wrong with a backtest beside the form of its keys."""
    backtest, split = take_section(raw, "backtest"), take_section(raw, "split")
    if not backtest:
        return
    if split.get("class") is not None or split.get("method", "random") != "time":
        found = "class" if split.get("class") is not None else str(split.get("method", "random"))
        yield (
            ("split", "method"),
            ("time, for the cut-off times of backtest", found, "Write method: time, and the column."),
        )
    for key in [key for key in BOUNDS if split.get(key) is not None]:
        yield ("split", key), ("no such key beside backtest, which says it for each window", "it", "Remove one of the two.")
    if split.get("test_size") not in (None, 0.2):
        yield ("split", "test_size"), ("no such key beside backtest.horizon", "it", "Remove it.")
    if take_section(raw, "registry").get("name") is not None:
        yield (
            ("registry", "name"),
            ("no registered model beside backtest", "it", "Remove it: train without backtest what is registered."),
        )
    yield from _check_windows(backtest)


def _check_windows(backtest: dict[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    cutoffs = backtest.get("cutoffs")
    if (cutoffs is None) == (backtest.get("windows") is None):
        found = "neither" if cutoffs is None else "both"
        yield ("backtest", "windows"), ("windows, how many there are, or cutoffs, the times themselves", found, "Keep one of the two.")
    for key in [key for key in ("step", "until") if cutoffs is not None and backtest.get(key) is not None]:
        yield ("backtest", key), ("no such key beside cutoffs", "it", "Remove it: it says nothing there.")
    for key in ("horizon", "training", "step"):
        if is_no_time(backtest.get(key)):
            yield ("backtest", key), ("a time above 0", repr(backtest[key]), "Write such as 30d.")


def is_no_time(duration: Any) -> bool:
    """Tell whether a duration is of no length."""
    return duration == 0 or (isinstance(duration, str) and duration[:-1].isdecimal() and int(duration[:-1]) == 0)


_SEARCH_KEYS: dict[str, tuple[str, ...]] = {
    "grid": (),
    "random": ("n_trials",),
    "halving": ("n_trials", "factor"),
    "optuna": ("n_trials", "batch"),
}


def check_search(search: dict[str, Any], models: dict[str, Any], split: dict[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    """Yield what is wrong with a search beside the form of its keys: names of nothing, and keys that exclude each other."""
    method = search.get("method")
    spaces: list[tuple[KeyPath, dict[str, Any]]] = [
        (("search", "models", name), space) for name, space in take_section(search, "models").items() if isinstance(space, dict)
    ]
    spaces.append((("search", "preprocessing"), take_section(search, "preprocessing")))
    for name in sorted(set(take_section(search, "models")) - set(models)):
        yield ("search", "models", name), (f"a candidate: {', '.join(models)}", repr(name), suggest(name, [*models], "Name one."))
    for key in take_section(search, "preprocessing"):
        known = list(Preprocessing.model_fields)
        if str(key).partition(".")[0] not in known:
            yield (
                ("search", "preprocessing", key),
                (f"a key of preprocessing: {', '.join(known)}", repr(key), suggest(key, known, "Name one.")),
            )
    if search and not any(space for _, space in spaces):
        yield ("search",), ("parameters under models or preprocessing", "none", "Say which are tried, or remove the key.")
    yield from _check_values(spaces)
    yield from _check_search_method(search, method if isinstance(method, str) else "", spaces)
    if search.get("nested") is True and split.get("validation") is not None:
        yield ("search", "nested"), ("folds, since each is searched anew", "split.validation", "Remove one of the two.")


def _check_values(spaces: list[tuple[KeyPath, dict[str, Any]]]) -> Iterator[tuple[KeyPath, Facts]]:
    """A value that is listed twice would be fitted twice, or drawn twice as often; 1, 1.0 and true are three."""
    for path, space in spaces:
        for key, choices in space.items():
            written = [json.dumps(value, sort_keys=True, default=str) for value in choices] if isinstance(choices, list) else []
            twice = next((value for place, value in enumerate(written) if value in written[:place]), None)
            if twice is not None:
                yield (*path, key), ("each value once", f"{twice} {_count_times(written.count(twice))}", "Take it off the list.")


def _count_times(number: int) -> str:
    return "twice" if number == 2 else f"{number} times"


def _check_search_method(
    search: dict[str, Any], method: str, spaces: list[tuple[KeyPath, dict[str, Any]]]
) -> Iterator[tuple[KeyPath, Facts]]:
    defaults: dict[str, Any] = {"n_trials": None, "factor": 3, "batch": 4}  # taken beside any method: a config may write every key out
    for key, default in defaults.items():
        if method in _SEARCH_KEYS and key not in _SEARCH_KEYS[method] and search.get(key) not in (None, default):
            yield ("search", key), (f"no such key under method {method}", "it", "Remove it: it says nothing there.")
    n_trials = search.get("n_trials")
    if method in ("random", "optuna") and n_trials is None:
        yield ("search", "n_trials"), (f"how many are tried, under method {method}", "nothing", "Add it.")
    if method == "grid" or (method == "halving" and n_trials is None):
        yield from _check_size(spaces)
    for path, key, choices in [(path, key, choices) for path, space in spaces for key, choices in space.items()]:
        if not isinstance(choices, dict):
            continue
        low, high = choices.get("low"), choices.get("high")
        if method == "grid" or (method == "halving" and n_trials is None):
            yield (*path, key), ("values to combine", "an interval", "List values, or draw from it: method random, n_trials: 40.")
        elif isinstance(low, int | float) and isinstance(high, int | float):
            if low >= high:
                yield (*path, key), ("low below high", f"{low} and {high}", "Change one of them.")
            elif choices.get("log") is True and low <= 0:
                yield (*path, key, "low"), ("a number above 0, since log is true", repr(low), "Change it, or remove log.")


def _check_size(spaces: list[tuple[KeyPath, dict[str, Any]]]) -> Iterator[tuple[KeyPath, Facts]]:
    """All combinations of a candidate's values and the preprocessing's are tried: they are counted before they are made."""
    *own, (_, shared) = spaces
    for path, space in own or [(("search", "preprocessing"), {})]:
        n_all = count_combinations({**space, **{f"{PREPROCESSING}{key}": choices for key, choices in shared.items()}})
        if n_all is not None and n_all > MOST_TRIALS:
            expected = f"at most {MOST_TRIALS:,} combinations of a candidate"
            yield path, (expected, f"{n_all:,}", "Name fewer values, or draw of them: method random, n_trials: 40.")
