from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import SMALL, merge

from samebits.config.loading import load_config
from samebits.config.step_order import order_steps
from samebits.errors import ConfigError

A = {"function": "churn.a", "inputs": {"x": "data/raw/x.csv"}, "outputs": {"y": "data/processed/y.csv"}}
B = {"function": "churn.b", "inputs": {"y": "data/processed/y.csv"}, "outputs": {"z": "data/processed/z.csv"}}


def put(step: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {key: value for key, value in {**step, **keys}.items() if value is not None}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"a": put(A, function=None)}, r"steps\.a: expected a function or a command, found neither"),
    ({"a": put(A, command=["x"])}, r"steps\.a: expected a function or a command, found both"),
    ({"a": put(A, function="other.a")}, r"steps\.a\.function: expected a function of churn, found 'other\.a'\. If you trust other, add it to allow"),
    ({"a": put(A, function="a")}, r"steps\.a\.function: "),
    ({"a": put(A, fnction="churn.a")}, r"steps\.a\.fnction: .*Did you mean 'function'\?"),
    ({"inputs": put(A, fnction="churn.a")}, r"steps\.inputs\.fnction: .*Did you mean 'function'\?"),
    ({"a": put(A, outputs=None)}, r"steps\.a\.outputs: expected this key"),
    ({"a": put(A, outputs={})}, r"steps\.a\.outputs: "),
    ({"a b": A}, r"steps\.a b"),
    ({"a": put(A, inputs={"x": {"path": "x.csv"}})}, r"steps\.a\.inputs\.x\.digest: expected this key"),
    ({"a": put(A, inputs={"x": 3})}, r"steps\.a\.inputs\.x: expected text"),
    ({"a": put(A, function=None, command=["sh", "{inputs.q}"])}, r"steps\.a\.command\.1: expected one of the step's inputs, found 'q'"),
    ({"a": put(A, parameters={"x": 1})}, r"steps\.a\.parameters\.x: expected a name of its own, found an input of that name"),
    ({"a": put(A, parameters={"seed": 1})}, r"steps\.a\.parameters\.seed: expected a name of its own, found the step's seed of that name"),
    ({"a": put(A, outputs={"y": "../y.csv"})}, r"steps\.a\.outputs\.y: expected a path inside the project"),
    ({"a": put(A, outputs={"y": "/tmp/y.csv"})}, r"steps\.a\.outputs\.y: expected a path inside the project"),
    ({"a": put(A, outputs={"y": "data/processed/../raw/y.csv"})}, r"steps\.a\.outputs\.y: expected a path outside of data/raw"),
    ({"a": put(A, outputs={"y": ".samebits/y.csv"})}, r"steps\.a\.outputs\.y: expected a path that is the project's own|steps\.a\.outputs\.y: "),
    ({"a": A, "b": put(B, outputs={"z": "data/processed/y.csv"})}, r"steps\.b\.(outputs\.z|inputs\.y): "),
    ({"a": A, "b": put(B, inputs={}, outputs={"z": "data/processed/y.csv/z"})}, r"steps\.b\.outputs\.z: .* which is step a's"),
    ({"a": put(A, outputs={"y": "data/raw.csv"}, inputs={"x": "data/raw.csv"})}, r"steps\.a\.inputs\.x: expected a file that the step does not write"),
    ({"a": A, "b": put(B, inputs={"y": "data/processed"}, outputs={"z": "z.csv"})}, r"steps\.b\.inputs\.y: expected a folder that no step writes into"),
    (
        {"a": put(A, inputs={"x": "data/processed/w.csv"}), "b": B, "c": put(B, inputs={"z": "data/processed/z.csv"}, outputs={"w": "data/processed/w.csv"})},
        r"steps\.a: expected steps of which none needs itself, found a -> b -> c -> a",
    ),
    ({"a": 3}, r"steps\.a: "),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "expected"), WRONG, ids=lambda value: None)
def test_steps_that_mean_nothing_are_refused_with_their_line(
    write_config: Callable[..., Path], steps: dict[str, Any], expected: str
) -> None:
    path = write_config({"allow": ["churn"], "steps": steps})

    with pytest.raises(ConfigError, match=rf"{re.escape(str(path))}:\d+: ({expected})"):
        load_config(path)


def test_steps_are_ordered_by_what_they_read_and_else_as_they_are_written() -> None:
    free = {"function": "churn.c", "inputs": {}, "outputs": {"w": "w.csv"}}

    assert order_steps({"b": B, "c": free, "a": A}) == ["c", "a", "b"]
    assert order_steps({"b": B, "a": A, "c": free}) == ["a", "b", "c"]


def test_a_file_of_steps_is_shared_by_configs_and_what_is_wrong_in_it_is_said_with_its_own_line(tmp_path: Path) -> None:
    config = tmp_path / "confs/a.yaml"
    config.parent.mkdir()
    config.write_text(yaml.safe_dump(merge(SMALL, {"allow": ["churn"], "steps": "steps.yaml"})))
    shared = config.parent / "steps.yaml"
    shared.write_text(yaml.safe_dump({"a": A, "b": B}))

    loaded = load_config(config)
    assert list(loaded.config.steps or {}) == ["a", "b"]
    assert loaded.resolved["steps"]["a"]["function"] == "churn.a"

    shared.write_text("a:\n  function: churn.a\n  outputs: {y: y.csv}\n  sed: 3\n")
    with pytest.raises(ConfigError, match=rf"{re.escape(str(shared))}:4: a\.sed: .*Did you mean 'seed'"):
        load_config(config)
    shared.write_text("steps:\n  a: {function: churn.a, outputs: {y: y.csv}}\n")
    with pytest.raises(ConfigError, match=r"steps\.yaml: steps: expected the steps themselves, .* Take `steps:` away"):
        load_config(config)
    shared.unlink()
    with pytest.raises(ConfigError, match=r"steps: expected steps, or a file of them, found no file 'steps\.yaml'"):
        load_config(config)


def test_steps_change_no_digest_of_a_config_and_none_leave_none_behind(write_config: Callable[..., Path]) -> None:
    without, with_steps = load_config(write_config()), load_config(write_config({"allow": ["churn"], "steps": {"a": A}}))

    assert "steps" not in without.resolved
    assert load_config(write_config({"allow": ["churn"]})).digest == with_steps.digest
