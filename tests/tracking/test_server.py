"""What the tracking server and the machine may do that no run should end by."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from samebits.tracking import server as tracking


def test_an_experiment_that_another_run_makes_at_the_same_time_is_taken() -> None:
    def refuse(_: str) -> str:
        raise MlflowException("RESOURCE_ALREADY_EXISTS")

    answers = iter([None, SimpleNamespace(experiment_id=7, lifecycle_stage="active")])
    client = SimpleNamespace(get_experiment_by_name=lambda _: next(answers), create_experiment=refuse)

    assert tracking.find_experiment(client, "shared", None) == "7"


def test_an_experiment_that_the_server_refuses_for_another_reason_is_refused() -> None:
    def refuse(_: str) -> str:
        raise MlflowException("PERMISSION_DENIED")

    client = SimpleNamespace(get_experiment_by_name=lambda _: None, create_experiment=refuse)

    with pytest.raises(MlflowException, match="PERMISSION_DENIED"):
        tracking.find_experiment(client, "shared", None)


def test_a_user_without_a_name_goes_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr("getpass.getuser", refuse)

    assert tracking.name_user() == str(os.getuid())
