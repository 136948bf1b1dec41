"""What is refused is said in the words of whoever wrote the config, whatever key it is and whatever stands there."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from samebits.config.loading import check_config
from samebits.errors import ConfigError
from samebits.keys.config import Config
from samebits.keys.sections import Section
from samebits.wording import _KINDS, _LIMITS, PATTERNS, describe_expected

ODD: list[Any] = [
    *("", "x", "3x", "x" * 300, "a b/c", True, -(10**12), -5, 0, 7, 10**12, -1.5, 0.0, 1.5, 1e30, math.inf, math.nan),
    *([], ["x"], [""], [3], [[]], ["x"] * 2000, {}, {"a": 1}, {"a": {}}, {"": ""}, {3: 4}, {"class": 3}, None),
]
PYDANTIC = re.compile(
    r"pattern|should|validation|instance|valid (number|string|integer|boolean|list|dict)|greater than|\^|input|Input"
)
WHERE_KEYS_ARE = {"missing", "extra_forbidden"}  # said with the keys that there are


def list_sections(section: type[Section] = Section) -> Iterator[type[Section]]:
    for below in section.__subclasses__():
        yield below
        yield from list_sections(below)


def refuse(section: type[Section], raw: dict[str, Any]) -> list[ErrorDetails]:
    try:
        section.model_validate(raw)
    except ValidationError as error:
        return error.errors()
    return []


@pytest.mark.parametrize("section", [*list_sections()], ids=lambda one: one.__name__)
def test_whatever_stands_at_a_key_is_refused_in_plain_words(section: type[Section]) -> None:
    names = [field.alias or name for name, field in section.model_fields.items()]

    found = [details for name in [*names, "zz"] for odd in ODD for details in refuse(section, {name: odd})]

    assert {one["type"] for one in found} <= {*_KINDS, *_LIMITS, *WHERE_KEYS_ARE}
    assert [words for one in found if PYDANTIC.search(words := describe_expected([one]))] == []


def list_patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict) and isinstance(schema.get("pattern"), str):
        yield schema["pattern"]
    for member in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list | tuple) else ():
        yield from list_patterns(member)


def test_every_pattern_of_a_config_has_its_words() -> None:
    assert set(list_patterns(Config.__pydantic_core_schema__)) == set(PATTERNS)


def search(space: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"search": {"method": "grid", "models": {"logistic_regression": space}, **keys}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (search({"C": []}), ["search.models.logistic_regression.C: expected at least one value, found []. Change the value."]),
        (
            search({"C": [1.0]}, preprocessing={"outlier_factor": ["fish"]}),
            ["search.preprocessing.outlier_factor: expected a number, found 'fish'. Change the value."],
        ),
        (
            {"engine": {"dask": "127.0.0.1:8786"}},
            [
                "engine.dask: expected local, or a scheduler's address such as tcp://10.0.0.5:8786, found '127.0.0.1:8786'. "
                "Change the value."
            ],
        ),
        ({"engine": {"ray": "local"}}, ["engine.ray: expected the key dask, found 'ray'. Write dask in its place."]),
        ({"engine": {"dask": "local", "ray": "local"}}, ["engine.ray: expected the key dask, found 'ray'. Remove it."]),
        ({"report": {"groups": "site"}}, ["report.groups: expected a list, found 'site'. Change the value."]),
        ({"seed": 2**40}, ["seed: expected less than 4294967296, found 1099511627776. Change the value."]),
        ({"tolerance": {"metrics": "x"}}, ["tolerance.metrics: expected a number, found 'x'. Change the value."]),
        ({"data": {"positive": []}}, ["data.positive: expected text, a number or true or false, found []. Change the value."]),
    ],
)
def test_a_refusal_says_what_may_stand_there(write_config: Callable[..., Path], changes: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        check_config(write_config(changes))

    assert [str(problem).partition(": ")[2] for problem in caught.value.problems] == said


def test_a_misspelled_key_is_not_missing_too(write_config: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError) as caught:
        check_config(write_config({"data": {"target": ..., "traget": "diagnosis"}}))

    assert [problem.remedy for problem in caught.value.problems] == ["Did you mean 'target'?"]


def test_every_value_of_a_search_that_is_refused_is_named(write_config: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError) as caught:
        check_config(write_config(search({"C": [-1.0, 1.0, "hello"]})))

    assert [(problem.where.rpartition(": ")[2], problem.found) for problem in caught.value.problems] == [
        ("search.models.logistic_regression.C.0", "-1.0"),
        ("search.models.logistic_regression.C.2", "'hello'"),
    ]
