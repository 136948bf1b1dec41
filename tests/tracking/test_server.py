"""What the tracking server and the machine may do that no run should end by."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from samebits.errors import TrackingError
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


@pytest.mark.parametrize(("n_refusals", "n_asked"), [(0, 1), (1, 2), (2, 3)])
def test_a_store_that_refuses_for_a_moment_is_asked_again(n_refusals: int, n_asked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "_PAUSES_SECONDS", (0.0, 0.0))
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        if len(asked) <= n_refusals:
            raise MlflowException("UNIQUE constraint failed")

    tracking.insist("take it", ask)

    assert len(asked) == n_asked


def test_a_store_that_refuses_for_good_is_asked_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "_PAUSES_SECONDS", (0.0, 0.0))
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        raise MlflowException("UNIQUE constraint failed")

    with pytest.raises(TrackingError):
        tracking.insist("take it", ask)

    assert len(asked) == 3


@pytest.mark.parametrize(("n_busy", "is_answered"), [(2, True), (9, False)])
def test_a_server_whose_connections_are_all_in_use_is_asked_again(
    n_busy: int, is_answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr("samebits.tracking.server.time.sleep", lambda _: None)

    def call() -> int:
        asked.append(1)
        if len(asked) <= n_busy:
            raise RuntimeError("BAD_REQUEST: QueuePool limit of size 5 overflow 10 reached, connection timed out")
        return 7

    if is_answered:
        assert tracking.explain_failures("take it", call) == 7
    else:
        with pytest.raises(TrackingError, match="QueuePool limit"):
            tracking.explain_failures("take it", call)
    assert len(asked) == min(n_busy, 3) + 1
