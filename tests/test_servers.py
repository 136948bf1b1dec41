"""docs/server.md: each server that the page tells a team to start, started by the page's own commands, and a run's whole life on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import SMALL, merge, run_samebits
from recorded_runs import record_offline
from servers import SECRET, Services, TeamServer, need_services, say_what_is_missing, start_services, start_team_server

pytestmark = pytest.mark.xdist_group("servers")

ONE_COMMAND = "In one command"
PROXIED = "PostgreSQL and an object store, behind the server"
DIRECT = "The same, artifacts direct"
WITH_PASSWORDS = "With names and passwords"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services | None]:
    if say_what_is_missing():
        yield None
        return
    with start_services(tmp_path_factory.mktemp("services")) as started:
        yield started


@pytest.fixture(
    scope="module",
    params=[
        ONE_COMMAND,
        pytest.param(PROXIED, marks=need_services),
        pytest.param(DIRECT, marks=need_services),
        pytest.param(WITH_PASSWORDS, marks=need_services),
    ],
)
def team_server(
    request: pytest.FixtureRequest, services: Services | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TeamServer]:
    with start_team_server(request.param, tmp_path_factory.mktemp("team"), services) as started:
        yield started


def test_a_run_that_was_made_without_a_server_is_pushed_to_a_teams_server(
    team_server: TeamServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    parcel = record_offline(tmp_path_factory.getbasetemp(), tmp_path / "spool")
    variables = {**team_server.variables, "SAMEBITS_SPOOL": str(parcel.parent)}

    pushed = run_samebits("push", **variables)
    verified = run_samebits("verify", parcel.name, **variables)

    assert pushed.returncode == 0, pushed.stderr
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert SECRET not in pushed.stdout + pushed.stderr + verified.stdout + verified.stderr


def test_a_runs_whole_life_on_a_teams_server(team_server: TeamServer, tmp_path: Path) -> None:
    """Pin, train, confirm by a colleague's run, verify and compare: with the variables that the page gives, and nothing else."""
    config = tmp_path / "small.yaml"
    changes = {"name": "on a team's server", "models": {"decision_tree": {"max_depth": 3}}, "cv": {"n_splits": 2}}
    config.write_text(yaml.safe_dump(merge(SMALL, changes)), encoding="utf-8")

    pinned = run_samebits("data", "pin", str(config), **team_server.variables)
    first = run_samebits("train", str(config), **team_server.variables)
    second = run_samebits("train", str(config), **team_server.colleague)
    assert [done.returncode for done in (pinned, first, second)] == [0, 0, 0], first.stderr + second.stderr
    left, right = first.stdout.split()[1], second.stdout.split()[1]
    verified = run_samebits("verify", left, **team_server.variables)
    compared = run_samebits("diff", left, right, **team_server.variables)

    assert f"confirms run {left}" in second.stderr
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert compared.returncode == 0, compared.stdout + compared.stderr
    said = "".join(done.stdout + done.stderr for done in (pinned, first, second, verified, compared))
    assert SECRET not in said
    if team_server.section in (
        DIRECT,
        WITH_PASSWORDS,
    ):  # to a client, the others are the server of tests/test_continuous_integration.py
        reproduced = run_samebits("reproduce", left, "--here", "--json", **team_server.variables)
        assert reproduced.returncode == 0, reproduced.stdout + reproduced.stderr
        assert json.loads(reproduced.stdout)["verdict"] == "IDENTICAL"
        assert SECRET not in reproduced.stdout + reproduced.stderr
